/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerrender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hostport.h"
#include "cli/brokertrust.h"
#include "provisioning/keypair.h"
#include "provisioning/pem.h"

#define FILE_CAP  (16u << 20) /* lists of several authorities */
#define WORDS_MAX 32
#define VALUE_MAX 512

void brokerfiles_deinit(struct brokerfiles *files)
{
    for (size_t i = 0; i < files->len; i++) {
        strbuf_deinit(&files->file[i].text);
    }
    files->len = 0;
}

static const char *value_of(const struct brokerword *words, struct view word)
{
    for (size_t i = 0; words[i].word != NULL; i++) {
        if (view_equals(word, words[i].word)) {
            return words[i].value != NULL ? words[i].value : "";
        }
    }
    return NULL;
}

static enum err fill_line(struct view line, const struct brokerword *words, struct strbuf *out)
{
    struct strbuf text;
    struct view rest = line;
    struct view part;
    bool any = false;
    bool full = false;
    enum err err = ERR_OK;
    strbuf_init(&text, FILE_CAP);
    for (bool is_word = false; err == ERR_OK && view_next(&rest, '@', &part); is_word = !is_word) {
        const char *value = is_word ? value_of(words, part) : NULL;
        if (is_word) {
            err = value != NULL ? strbuf_adds(&text, value) : ERR_INVALID;
            any = true;
            full = full || (value != NULL && value[0] != '\0');
        } else {
            err = strbuf_add(&text, part);
        }
    }
    if (err == ERR_OK && (!any || full)) {
        err = strbuf_addf(out, "%s\n", strbuf_str(&text));
    }
    strbuf_deinit(&text);
    return err;
}

enum err brokerrender_fill(struct view template, const struct brokerword *words, struct strbuf *out)
{
    struct view line;
    enum err err = ERR_OK;
    if (view_ends_with(template, VIEW_LITERAL("\n"))) {
        template.len--;
    }
    while (err == ERR_OK && view_next(&template, '\n', &line)) {
        err = fill_line(line, words, out);
    }
    return err;
}

static bool is_user(struct view line, struct view *ret_name)
{
    const struct view user = VIEW_LITERAL("user ");
    if (!view_starts_with(line, user)) {
        return false;
    }
    *ret_name = view_n(line.ptr + user.len, line.len - user.len);
    return true;
}

/** The lines of the block whose kind @p name begins with; none with an empty @p name: the head, before all blocks. */
static enum err add_acl_block(struct view template, struct view name, struct strbuf *out, bool *ret_found)
{
    struct view line;
    struct view kind;
    bool within = name.len == 0;
    enum err err = ERR_OK;
    *ret_found = within;
    while (err == ERR_OK && view_next(&template, '\n', &line)) {
        if (is_user(line, &kind)) {
            within = name.len > 0 && view_starts_with(name, kind);
            *ret_found = *ret_found || within;
            err = within ? strbuf_addf(out, "\nuser %.*s\n", VIEW_ARG(name)) : ERR_OK;
        } else if (within && line.len > 0) {
            err = strbuf_addf(out, "%.*s\n", VIEW_ARG(line));
        }
    }
    return err;
}

enum err brokerrender_acl(struct view template, const struct config_strings *names, struct strbuf *out,
                          struct errinfo *info)
{
    bool found;
    enum err err = add_acl_block(template, VIEW_LITERAL(""), out, &found);
    for (size_t i = 0; i < names->len && err == ERR_OK; i++) {
        err = add_acl_block(template, view_of(names->items[i]), out, &found);
        if (err == ERR_OK && !found) {
            err = ERR_INVALID;
        }
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "broker", 0, "the ACL file: %s", err_text(err));
}

static struct view template_of(const char *name)
{
    for (size_t i = 0; broker_files[i].name != NULL; i++) {
        if (strcmp(broker_files[i].name, name) == 0) {
            return view_n(broker_files[i].text, broker_files[i].len);
        }
    }
    return VIEW_LITERAL("");
}

/** @return the new, empty file's text. There is room: no broker has more than five. */
static struct strbuf *add_file(struct brokerfiles *files, const char *name)
{
    struct brokerfile *file = &files->file[files->len++];
    file->name = name;
    strbuf_init(&file->text, FILE_CAP);
    return &file->text;
}

static enum err load_certs(struct brokertrust *trust, const struct config_strings *paths, struct errinfo *info)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < paths->len && err == ERR_OK; i++) {
        err = brokertrust_add_certs(trust, paths->items[i], info);
    }
    return err;
}

/** A bundle of the authorities in @p paths, an array of @p len. */
static enum err add_bundle(struct brokerfiles *files, const char *name, const struct config_strings *const *paths,
                           size_t len, struct errinfo *info)
{
    struct brokertrust trust = {.certs = NULL};
    struct strbuf *text = add_file(files, name);
    enum err err = ERR_OK;
    for (size_t i = 0; i < len && err == ERR_OK; i++) {
        err = load_certs(&trust, paths[i], info);
    }
    if (err == ERR_OK) {
        err = brokertrust_write_certs(&trust, text);
        err = err == ERR_OK ? ERR_OK : errinfo_set(info, err, "broker", 0, "%s: %s", name, err_text(err));
    }
    brokertrust_deinit(&trust);
    return err;
}

/** The newest list of each authority whose clients belong here. The others' are left out: a certificate of an authority
 * without a list is refused in the handshake, although its chain ends at the same root. */
static enum err add_lists(struct brokerfiles *files, const struct brokerdesc *desc,
                          const struct config_strings *clients, struct errinfo *info)
{
    struct brokertrust trust = {.certs = NULL};
    struct strbuf *text = add_file(files, "crls.pem");
    enum err err = load_certs(&trust, clients, info);
    if (err == ERR_OK) {
        err = load_certs(&trust, &desc->services, info);
    }
    for (size_t i = 0; i < desc->lists.len && err == ERR_OK; i++) {
        err = brokertrust_add_lists(&trust, desc->lists.items[i], info);
    }
    for (size_t i = 0; i < trust.certs_len && err == ERR_OK; i++) {
        const struct brokertrust_list *list = brokertrust_newest(&trust, &trust.certs[i].cert);
        if (list == NULL) {
            err = errinfo_set(info, ERR_NOTFOUND, "broker", 0, "%.*s: no revocation list of this authority",
                              VIEW_ARG(trust.certs[i].cert.common_name));
        } else if (pem_write(text, PEM_CRL, list->der) != ERR_OK) {
            err = errinfo_set(info, ERR_LIMIT, "broker", 0, "crls.pem: %s", err_text(ERR_LIMIT));
        }
    }
    brokertrust_deinit(&trust);
    return err;
}

/** Values that had to be put together; words point into it. */
struct values {
    char text[WORDS_MAX][VALUE_MAX];
    size_t used;
    struct brokerword words[WORDS_MAX + 1]; /* ended by zero */
    size_t words_len;
};

static void put(struct values *values, const char *word, const char *value)
{
    assert(values->words_len < WORDS_MAX);
    values->words[values->words_len++] = (struct brokerword){.word = word, .value = value};
}

static void put_text(struct values *values, const char *word, const char *format, ...) PRINTF_LIKE(3, 4);
static void put_text(struct values *values, const char *word, const char *format, ...)
{
    assert(values->used < WORDS_MAX);
    char *text = values->text[values->used++];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, VALUE_MAX, format, args);
    va_end(args);
    put(values, word, len >= 0 && len < VALUE_MAX ? text : NULL); /* no path is that long; lint would miss the line */
}

/** Port and address of "host:port" (checked by the description's rows); both empty without one. */
static void put_listener(struct values *values, const char *port_word, const char *address_word, const char *listener)
{
    struct view host;
    uint16_t port;
    if (listener == NULL || hostport_parse(view_of(listener), &host, &port, NULL) != ERR_OK) {
        put(values, port_word, "");
        put(values, address_word, "");
        return;
    }
    put_text(values, port_word, "%u", (unsigned)port);
    put_text(values, address_word, "%.*s", VIEW_ARG(host));
}

static void put_common(struct values *values, const struct brokerdesc *desc, enum broker_kind kind)
{
    const struct broker_part *part = &desc->part[kind];
    static const struct {
        const char *word, *file;
    } own[] = {{"CLIENT_CA_FILE", "clients.pem"},   {"CRL_FILE", "crls.pem"},
               {"DEVICE_CA_FILE", "devices.pem"},   {"CLAIM_CA_FILE", "claims.pem"},
               {"SERVICE_CA_FILE", "services.pem"}, {"ACL_FILE", "muster.acl"}};
    put(values, "USER", part->user);
    put(values, "RUN_DIR", part->run_dir);
    put_text(values, "LOG_DEST", "file %s", part->log_file);
    put(values, "PLUGIN_FILE", desc->plugin);
    put_listener(values, "PORT", "ADDRESS", part->listen);
    put(values, "CERT_FILE", part->cert_file);
    put(values, "KEY_FILE", part->key_file);
    put(values, "DENY_FILE", part->deny_file);
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        put_text(values, own[i].word, "%s/%s/current/%s", desc->directory, broker_kind_name(kind), own[i].file);
    }
}

static enum err fill_conf(struct brokerfiles *files, const char *const *templates, const struct values *values,
                          struct errinfo *info)
{
    struct strbuf *text = add_file(files, BROKERFILE_CONF);
    enum err err = ERR_OK;
    for (size_t i = 0; templates[i] != NULL && err == ERR_OK; i++) {
        err = brokerrender_fill(template_of(templates[i]), values->words, text);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "broker", 0, BROKERFILE_CONF ": %s", err_text(err));
}

static enum err render_core(const struct brokerdesc *desc, struct values *values, struct brokerfiles *files,
                            struct errinfo *info)
{
    const struct broker_part *part = &desc->part[BROKER_KIND_CORE];
    const struct config_strings *const all[] = {&desc->roots, &desc->devices, &desc->services};
    const char *const templates[] = {"core.conf.in", part->viewers != NULL ? "viewers.conf.in" : NULL, NULL};
    put(values, "STATE_DIR", part->state_dir);
    put(values, "STAMP_KEY_FILE", part->stamp_key_file);
    put(values, "VIEWERS", part->viewers == NULL ? "none" : part->viewers_show == 0 ? "fleet" : "all");
    put_listener(values, "VIEWERS_PORT", "VIEWERS_ADDRESS", part->viewers);
    enum err err = fill_conf(files, templates, values, info);
    if (err == ERR_OK) {
        err = brokerrender_acl(template_of("muster.acl"), &desc->names, add_file(files, "muster.acl"), info);
    }
    if (err == ERR_OK) {
        err = add_bundle(files, "clients.pem", all, ARRAY_LEN(all), info);
    }
    if (err == ERR_OK) {
        err = add_bundle(files, "devices.pem", &all[1], 1, info);
    }
    if (err == ERR_OK) {
        err = add_bundle(files, "services.pem", &all[2], 1, info);
    }
    return err == ERR_OK ? add_lists(files, desc, &desc->devices, info) : err;
}

static enum err render_prov(const struct brokerdesc *desc, struct values *values, struct brokerfiles *files,
                            struct errinfo *info)
{
    const struct config_strings *const all[] = {&desc->roots, &desc->claims, &desc->services};
    enum err err = fill_conf(files, (const char *const[]){"prov.conf.in", NULL}, values, info);
    if (err == ERR_OK) {
        err = add_bundle(files, "clients.pem", all, ARRAY_LEN(all), info);
    }
    if (err == ERR_OK) {
        err = add_bundle(files, "claims.pem", &all[1], 1, info);
    }
    if (err == ERR_OK) {
        err = add_bundle(files, "services.pem", &all[2], 1, info);
    }
    return err == ERR_OK ? add_lists(files, desc, &desc->claims, info) : err;
}

static enum err render_dash(const struct brokerdesc *desc, struct values *values, struct brokerfiles *files,
                            struct errinfo *info)
{
    const struct broker_part *part = &desc->part[BROKER_KIND_DASH];
    struct keypair pair = {.known = false};
    enum err err = keypair_check(part->uplink_cert, part->uplink_key, &pair, info);
    if (err != ERR_OK) {
        return err;
    }
    put_listener(values, "WEBSOCKETS_PORT", "WEBSOCKETS_ADDRESS", part->websockets);
    put(values, "WEBSOCKETS", part->websockets != NULL ? "websockets" : "");
    put(values, "ANONYMOUS", part->password_file != NULL ? "false" : "true");
    put(values, "PASSWORD_FILE", part->password_file);
    put(values, "UPLINK", part->uplink);
    put(values, "UPLINK_CA_FILE", part->uplink_ca);
    put(values, "UPLINK_CERT_FILE", part->uplink_cert);
    put(values, "UPLINK_KEY_FILE", part->uplink_key);
    put_text(values, "UPLINK_NAME", "%s", pair.common_name);
    return fill_conf(files, (const char *const[]){"dash.conf.in", NULL}, values, info);
}

enum err brokerrender_files(const struct brokerdesc *desc, enum broker_kind kind, struct brokerfiles *ret_files,
                            struct errinfo *info)
{
    enum err (*const render[BROKER_KINDS])(const struct brokerdesc *desc, struct values *values,
                                           struct brokerfiles *files,
                                           struct errinfo *info) = {render_core, render_prov, render_dash};
    struct brokerfiles files = {.len = 0};
    struct values *values = calloc(1, sizeof(*values));
    if (values == NULL) {
        return errinfo_set(info, ERR_NOMEM, "broker", 0, "%s", err_text(ERR_NOMEM));
    }
    put_common(values, desc, kind);
    enum err err = render[kind](desc, values, &files, info);
    free(values);
    if (err != ERR_OK) {
        brokerfiles_deinit(&files);
        return err;
    }
    *ret_files = files;
    return ERR_OK;
}
