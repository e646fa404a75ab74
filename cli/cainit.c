/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cainit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "provisioning/ca.h"
#include "provisioning/certpermit.h"

#define KEYS_ROWS(type)                                                                                                \
    {"root-key",                                                                                                       \
     0,                                                                                                                \
     "KEY",                                                                                                            \
     ARGS_STRING,                                                                                                      \
     offsetof(type, keys.root_key),                                                                                    \
     .help = "File or pkcs11: URI of the root's key (default: DIR/root.key)"},                                         \
        {"key",                                                                                                        \
         0,                                                                                                            \
         "WHAT=URI",                                                                                                   \
         ARGS_STRINGS,                                                                                                 \
         offsetof(type, keys.token_keys),                                                                              \
         .help = "Key in a token, devices=pkcs11:...; may be repeated"},                                               \
        {"permit-dns",                                                                                                 \
         0,                                                                                                            \
         "DOMAIN",                                                                                                     \
         ARGS_STRINGS,                                                                                                 \
         offsetof(type, keys.permit_dns),                                                                              \
         .help = "The server CA certifies names below; may be repeated"},                                              \
        {"permit-ip",                                                                                                  \
         0,                                                                                                            \
         "NET",                                                                                                        \
         ARGS_STRINGS,                                                                                                 \
         offsetof(type, keys.permit_ip),                                                                               \
         .help = "The server CA certifies addresses in it; may be repeated"},                                          \
        CA_ROW_PASSWORD(type),                                                                                         \
        {"ask-password",                                                                                               \
         0,                                                                                                            \
         NULL,                                                                                                         \
         ARGS_FLAG,                                                                                                    \
         offsetof(type, common.ask_password),                                                                          \
         .help = "Put new keys under a password that the terminal is asked for"},                                      \
        CA_ROW_BY(type), CA_ROW_DRY_RUN(type), CA_ROW_JSON(type)

const struct args_row ca_init_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_init_options, common.dir),
     .help = "Folder of the CA, made if absent"},
    {"name", 'n', "NAME", ARGS_STRING, offsetof(struct ca_init_options, name),
     .help = "Start of the CAs' names (default: muster)"},
    KEYS_ROWS(struct ca_init_options),
    {0},
};
const struct ca_init_options ca_init_defaults = {.name = "muster"};

const struct args_row ca_rotate_rows[] = {
    CA_ROW_DIR(struct ca_rotate_options),
    {"drop", 0, NULL, ARGS_FLAG, offsetof(struct ca_rotate_options, drop),
     .help = "Trust the generations before the present one no longer"},
    KEYS_ROWS(struct ca_rotate_options),
    {0},
};

const struct args_row ca_bundle_rows[] = {
    CA_ROW_DIR(struct ca_bundle_options),
    {"out", 'o', "FOLDER", ARGS_STRING, offsetof(struct ca_bundle_options, out),
     .help = "Where to write (default: the folder of the CA)"},
    CA_ROW_DRY_RUN(struct ca_bundle_options),
    CA_ROW_JSON(struct ca_bundle_options),
    {0},
};

static const char *const bundle_files[] = {"bundle-clients.pem",  "bundle-server.pem",    "bundle-claims.pem",
                                           "issuers-devices.pem", "issuers-services.pem", "issuers-claims.pem"};

/** The names that a server CA may certify, read from the options. */
struct permits {
    struct ip_prefix nets[CERTPERMIT_MAX];
    uint8_t der[CERTPERMIT_DER_MAX];
    struct view constraints; /* points into der */
};

static enum err read_permits(const struct ca_keys_options *keys, struct permits *permits, struct errinfo *info)
{
    const struct args_strings *nets = &keys->permit_ip;
    struct certpermit permit = {.dns = keys->permit_dns.items, .dns_len = keys->permit_dns.len, .nets = permits->nets};
    for (size_t i = 0; i < nets->len; i++) {
        if (i == CERTPERMIT_MAX || ip_prefix_parse(view_of(nets->items[i]), &permits->nets[i]) != ERR_OK) {
            return errinfo_set(info, ERR_INVALID, "ca", 0, "--permit-ip: %s is no network, or one too many",
                               nets->items[i]);
        }
        permit.nets_len++;
    }
    size_t len;
    enum err err = certpermit_encode(&permit, permits->der, &len, info);
    if (err == ERR_OK) {
        permits->constraints = view_n((const char *)permits->der, len);
    }
    return err;
}

static struct ca_setup setup_of(const struct ca_session *session, const struct ca_keys_options *keys,
                                const struct permits *permits)
{
    return (struct ca_setup){
        .dir = session->common->dir,
        .root_key = keys->root_key,
        .token_keys = keys->token_keys.items,
        .token_keys_len = keys->token_keys.len,
        .password = secret_view(&session->password),
        .constraints = permits->constraints,
        .opening = &session->opening,
        .by = session->by,
        .now_s = session->now_s,
    };
}

static enum exit_code bundles_made(const struct ca_session *session, const char *act, const char *dir)
{
    char prefix[PATH_MAX];
    (void)snprintf(prefix, sizeof(prefix), "%s/", dir); /* the paths were used already: they fit */
    return ca_session_files(session, act, prefix, bundle_files, ARRAY_LEN(bundle_files));
}

/** What ca_init would refuse before it writes. */
static enum err check_init(const struct ca_session *session, const struct ca_setup *setup, struct errinfo *info)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/root.pem", session->common->dir);
    if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK) == 0) {
        return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: there is a certificate authority already", path);
    }
    return setup->name.len > 0 && setup->name.len <= CA_NAME_MAX
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "ca", 0, "the name has 1 to %d characters", CA_NAME_MAX);
}

enum exit_code ca_init_run(const struct command_call *call)
{
    const struct ca_init_options *options = call->options;
    struct ca_session session;
    struct permits permits;
    if (options->common.dir == NULL) {
        return command_misuse(call, "--dir is missing");
    }
    enum err err = ca_session_begin(&session, call, &options->common, !options->common.dry_run);
    if (err == ERR_OK) {
        err = read_permits(&options->keys, &permits, &session.info);
    }
    if (err == ERR_OK) {
        struct ca_setup setup = setup_of(&session, &options->keys, &permits);
        setup.name = view_of(options->name);
        err = options->common.dry_run ? check_init(&session, &setup, &session.info) : ca_init(&setup, &session.info);
    }
    enum exit_code code = err != ERR_OK ? ca_session_failed(&session, "no certificate authority was made")
                                        : bundles_made(&session, "init", options->common.dir);
    if (err == ERR_OK && !options->common.dry_run && options->keys.root_key == NULL) {
        (void)fprintf(
            stderr,
            "Made a certificate authority in %s. Move root.key and config-root-*.key to a safe place off this "
            "machine.\n",
            options->common.dir); /* advice only */
    }
    ca_session_end(&session);
    return code;
}

enum exit_code ca_bundle_run(const struct command_call *call)
{
    const struct ca_bundle_options *options = call->options;
    struct ca_session session = {.call = call, .common = &options->common};
    if (options->common.dir == NULL) {
        return command_misuse(call, "--dir is missing");
    }
    const char *out = options->out != NULL ? options->out : options->common.dir;
    enum err err = options->common.dry_run ? ERR_OK : ca_bundle(options->common.dir, out, &session.info);
    return err == ERR_OK ? bundles_made(&session, "bundle", out)
                         : ca_session_failed(&session, "the bundles were not written");
}

/** Tells what a rotation would do, from what is there. */
static enum exit_code rehearse(struct ca_session *session, const char *what, bool drop)
{
    struct ca_generations generations;
    const char *names[CA_GENERATIONS_MAX];
    size_t len = 0;
    if (!ca_can_rotate(what)) {
        (void)errinfo_set(&session->info, ERR_INVALID, "ca", 0, "there is no CA and no signing key called %s", what);
        return ca_session_failed(session, "nothing would be rotated");
    }
    bool signing = strcmp(what, "factory") == 0 || strncmp(what, "config-", 7) == 0;
    if (ca_generations(session->common->dir, what, signing ? ".pub" : ".pem", &generations, &session->info) != ERR_OK) {
        return ca_session_failed(session, "nothing would be rotated");
    }
    for (size_t i = drop ? 1 : 0; i < (drop ? generations.len : 1); i++) {
        names[len++] = generations.base[i];
    }
    return ca_session_files(session, drop ? "drop" : "rotate", "", names, len);
}

static enum exit_code rotate(struct ca_session *session, const struct ca_rotate_options *options, const char *what)
{
    struct permits permits;
    size_t dropped = 0;
    enum err err = read_permits(&options->keys, &permits, &session->info);
    if (err == ERR_OK) {
        const struct ca_setup setup = setup_of(session, &options->keys, &permits);
        err = options->drop ? ca_drop(&setup, what, &dropped, &session->info) : ca_rotate(&setup, what, &session->info);
    }
    if (err != ERR_OK) {
        return ca_session_failed(session, options->drop ? "nothing was dropped" : "nothing was rotated");
    }
    (void)fputs(options->drop ? "Dropped. Install the bundles and a new list on every broker.\n"
                              : "Rotated. Install the bundles and a new list on every broker before anything is issued "
                                "from the new key; both are trusted until: muster ca rotate --drop\n",
                stderr); /* advice only */
    return bundles_made(session, options->drop ? "drop" : "rotate", options->common.dir);
}

enum exit_code ca_rotate_run(const struct command_call *call)
{
    const struct ca_rotate_options *options = call->options;
    struct ca_session session;
    if (options->common.dir == NULL) {
        return command_misuse(call, "--dir is missing");
    }
    bool making = !options->drop && !options->common.dry_run;
    enum exit_code code;
    if (ca_session_begin(&session, call, &options->common, making) != ERR_OK) {
        code = ca_session_failed(&session, "nothing was rotated");
    } else if (options->common.dry_run) {
        code = rehearse(&session, call->operands[0], options->drop);
    } else {
        code = rotate(&session, options, call->operands[0]);
    }
    ca_session_end(&session);
    return code;
}
