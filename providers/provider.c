/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/dnsname.h"
#include "base/macros.h"

#define PROVIDER_ROW(name) &provider_##name,
const struct provider_ops *const provider_registry[] = {PROVIDER_ROWS(PROVIDER_ROW) NULL};

const struct provider_ops *provider_find(struct view name)
{
    for (const struct provider_ops *const *ops = provider_registry; *ops != NULL; ops++) {
        if (view_equals(name, (*ops)->about.name)) {
            return *ops;
        }
    }
    return NULL;
}

void provider_names(char *buffer, size_t size)
{
    size_t len = 0;
    buffer[0] = '\0';
    for (const struct provider_ops *const *ops = provider_registry; *ops != NULL && len < size; ops++) {
        int wrote = snprintf(buffer + len, size - len, "%s%s", len > 0 ? ", " : "", (*ops)->about.name);
        len += wrote > 0 ? (size_t)wrote : 0;
    }
}

struct field {
    enum provider_field field;
    const char *name;
    size_t offset; /* of the text in struct engine_account_config */
};

static const struct field fields[] = {
    {PROVIDER_SERVER, "server", offsetof(struct engine_account_config, server)},
    {PROVIDER_URL, "url", offsetof(struct engine_account_config, url)},
    {PROVIDER_USERNAME, "username", offsetof(struct engine_account_config, username)},
    {PROVIDER_PASSWORD, "password_file", offsetof(struct engine_account_config, password_file)},
    {PROVIDER_KEY, "key_file", offsetof(struct engine_account_config, key_file)},
    {PROVIDER_SECRETS, "secrets_file", offsetof(struct engine_account_config, secrets_file)},
};

static enum err check_fields(const struct provider_ops *ops, const struct engine_account_config *config,
                             struct errinfo *info)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *text = NULL;
        memcpy(&text, (const char *)config + fields[i].offset, sizeof(text));
        if (text == NULL && (ops->needs & fields[i].field) != 0) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: %s needs `%s`", config->name,
                               ops->about.name, fields[i].name);
        }
        if (text != NULL && ((ops->needs | ops->takes) & fields[i].field) == 0) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: %s has no use for `%s`: remove it",
                               config->name, ops->about.name, fields[i].name);
        }
    }
    return ERR_OK;
}

static const struct provider_option *find_option(const struct provider_ops *ops, const char *name)
{
    for (const struct provider_option *option = ops->options; option != NULL && option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0) {
            return option;
        }
    }
    return NULL;
}

static enum err check_choice(const struct provider_option *option, const char *value,
                             const struct engine_account_config *config, struct errinfo *info)
{
    for (const char *const *choice = option->choices; choice != NULL; choice++) {
        if (*choice == NULL) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: options: %s cannot be %s: %s", config->name,
                               option->name, value, option->help);
        }
        if (strcmp(*choice, value) == 0) {
            break;
        }
    }
    return ERR_OK;
}

static enum err check_options(const struct provider_ops *ops, const struct engine_account_config *config,
                              struct errinfo *info)
{
    for (size_t i = 0; i < config->options.len; i++) {
        const struct config_pair *pair = &config->options.items[i];
        const struct provider_option *option = find_option(ops, pair->key);
        if (option == NULL) {
            return errinfo_set(info, ERR_INVALID, "config", 0,
                               "account %s: %s knows no option `%s`: muster provider show %s lists them", config->name,
                               ops->about.name, pair->key, ops->about.name);
        }
        enum err err = check_choice(option, pair->value, config, info);
        if (err != ERR_OK) {
            return err;
        }
    }
    for (const struct provider_option *option = ops->options; option != NULL && option->name != NULL; option++) {
        if (option->required && provider_option(config, option->name) == NULL) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: %s needs the option `%s`: %s", config->name,
                               ops->about.name, option->name, option->help);
        }
    }
    return ERR_OK;
}

/** Does http:// lead to this machine only? */
static bool stays_here(const struct engine_account_config *config, struct view rest)
{
    char host[DNSNAME_SIZE];
    struct ip ip;
    struct view name = {0};
    (void)view_next(&rest, '/', &name);
    if (name.len > 0 && memchr(name.ptr, '@', name.len) != NULL) {
        return false; /* what looks like the host may be a login */
    }
    if (name.len > 0 && name.ptr[0] == '[') {
        const char *end = memchr(name.ptr, ']', name.len);
        name = end != NULL ? view_n(name.ptr + 1, (size_t)(end - name.ptr) - 1) : name;
    } else {
        struct view port = name;
        (void)view_next(&port, ':', &name);
    }
    if (config->connect_to != NULL || view_copy(name, host, sizeof(host)) != ERR_OK) {
        return false;
    }
    static const uint8_t loopback6[16] = {[15] = 1};
    return strcmp(host, "localhost") == 0 ||
           (ip_parse(name, &ip) == ERR_OK &&
            (ip.family == IP_V4 ? ip.bytes[0] == 127 : memcmp(ip.bytes, loopback6, sizeof(loopback6)) == 0));
}

static enum err check_url(const struct provider_ops *ops, const struct engine_account_config *config,
                          struct errinfo *info)
{
    struct view url = view_of(config->url), scheme = VIEW_LITERAL("http://");
    if (!view_starts_with(url, scheme)) {
        return ERR_OK; /* none, or https: the config's rows see to that */
    }
    if (!ops->plain_http) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: url must start with https://: the login travels with it", config->name);
    }
    const char *allowed = provider_option(config, PROVIDER_ALLOW_HTTP);
    if ((allowed == NULL || strcmp(allowed, "true") != 0) &&
        !stays_here(config, view_n(url.ptr + scheme.len, url.len - scheme.len))) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: url is http:// to another host, where the key can be read on the way: use "
                           "https://, or set the option " PROVIDER_ALLOW_HTTP,
                           config->name);
    }
    return ERR_OK;
}

enum err provider_open(const struct provider_ops *ops, const struct engine_account_config *config,
                       const struct template *template, void **ret_state, struct errinfo *info)
{
    enum err err = check_fields(ops, config, info);
    err = err == ERR_OK ? check_url(ops, config, info) : err;
    if (err == ERR_OK) {
        err = check_options(ops, config, info);
    }
    return err == ERR_OK ? ops->open(config, template, ret_state, info) : err;
}

const char *provider_option(const struct engine_account_config *config, const char *name)
{
    for (size_t i = 0; i < config->options.len; i++) {
        if (strcmp(config->options.items[i].key, name) == 0) {
            return config->options.items[i].value;
        }
    }
    return NULL;
}

bool provider_reply_header(const struct provider_reply *reply, const char *name, struct view *ret_value)
{
    return reply->headers != NULL && http_headers_find(reply->headers, name, ret_value);
}

enum { URL_MAX = 8192, HEADERS_MAX = 16384 /* an access token and others */, BODY_MAX = 4 << 20 };

void provider_request_init(struct provider_request *request)
{
    *request = (struct provider_request){0};
    strbuf_init(&request->body, BODY_MAX);
    strbuf_init(&request->url, URL_MAX);
    strbuf_init(&request->headers, HEADERS_MAX);
}

void provider_request_reset(struct provider_request *request, int64_t wall_ms, uint64_t now_ms)
{
    strbuf_clear(&request->body);
    strbuf_clear(&request->url);
    strbuf_clear(&request->headers);
    request->wall_ms = wall_ms;
    request->now_ms = now_ms;
    request->verb = HTTP_VERB_GET;
    request->user = request->secret = (struct view){0};
    request->reply_max = 0;
    request->stage = PROVIDER_STAGE_CHANGE;
    request->login = 0;
}

static void wipe(struct strbuf *buf)
{
    if (buf->ptr != NULL) {
        crypto_zeroise(buf->ptr, buf->size);
    }
    strbuf_deinit(buf);
}

void provider_request_deinit(struct provider_request *request)
{
    wipe(&request->body);
    wipe(&request->url);
    wipe(&request->headers);
}
