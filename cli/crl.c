/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/crl.h"

#include <stdio.h>

#include "base/file.h"
#include "provisioning/ca.h"

#define CRL_PEM_MAX (4 * CRL_DER_MAX) /* all lists of a broker in base64 */
#define MARGIN_S    0                 /* just made: whoever asks for one day gets one */

static const char *const broker_choices[] = {"core", "prov", NULL};
static const enum cert_profile clients[][2] = {{CERT_DEVICE, CERT_SERVICE}, {CERT_CLAIM, CERT_SERVICE}};

const struct args_row ca_revoke_rows[] = {
    CA_ROW_DIR(struct ca_revoke_options),
    {"cert", 0, "FILE", ARGS_STRING, offsetof(struct ca_revoke_options, certificate),
     .help = "Certificate to revoke; the first one of the file counts"},
    CA_ROW_BY(struct ca_revoke_options),
    CA_ROW_DRY_RUN(struct ca_revoke_options),
    CA_ROW_JSON(struct ca_revoke_options),
    {0},
};

const struct args_row ca_crl_rows[] = {
    CA_ROW_DIR(struct ca_crl_options),
    {"out", 'o', "FILE", ARGS_STRING, offsetof(struct ca_crl_options, out), .help = "File to replace"},
    {"days", 0, "N", ARGS_U32, offsetof(struct ca_crl_options, days), .min = 1, .max = 365,
     .help = "Until the list expires and all are refused (default: 7)"},
    {"broker", 0, NULL, ARGS_ENUM, offsetof(struct ca_crl_options, broker), .choices = broker_choices,
     .help = "Whose clients: devices and services (default), or claims and services"},
    CA_ROW_PASSWORD(struct ca_crl_options),
    CA_ROW_DRY_RUN(struct ca_crl_options),
    CA_ROW_JSON(struct ca_crl_options),
    {0},
};
const struct ca_crl_options ca_crl_defaults = {.days = 7};

enum exit_code ca_revoke_run(const struct command_call *call)
{
    const struct ca_revoke_options *options = call->options;
    struct ca_session session;
    const char *dir = options->common.dir;
    if (dir == NULL || options->certificate == NULL) {
        return command_misuse(call, dir == NULL ? "--dir is missing" : "--cert is missing");
    }
    enum err err = ca_session_begin(&session, call, &options->common, false);
    if (err == ERR_OK && options->common.dry_run) {
        err = ca_revoke_check(dir, options->certificate, &session.info);
    } else if (err == ERR_OK) {
        err = ca_revoke(dir, options->certificate, session.now_s, &session.info);
        if (err == ERR_OK) {
            err = ca_session_log(&session, "revoke", options->certificate, NULL);
        }
    }
    enum exit_code code = EXIT_OK;
    if (err != ERR_OK) {
        code = ca_session_failed(&session, "nothing was revoked");
    } else if (options->common.json) {
        code = ca_session_files(&session, "revoke", options->certificate, (const char *const[]){""}, 1);
    } else {
        (void)fputs(options->common.dry_run ? "It could be revoked.\n"
                                            : "Revoked. Brokers refuse it once they load a new list: muster ca crl\n",
                    stderr); /* advice only */
    }
    ca_session_end(&session);
    return code;
}

/** All lists that a broker needs, judged as a whole, then the file in one step: a broker never sees half of it. */
static enum err write_lists(struct ca_session *session, const struct ca_crl_options *options)
{
    struct strbuf pem;
    const char *dir = options->common.dir;
    struct errinfo *info = &session->info;
    enum err err = ERR_OK;
    strbuf_init(&pem, CRL_PEM_MAX);
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(clients[0]); i++) {
        enum cert_profile profile = clients[options->broker][i];
        err = ca_crl(dir, profile, session->now_s, options->days, &session->opening, &pem, info);
    }
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(clients[0]); i++) {
        err = ca_crl_lint(dir, clients[options->broker][i], strbuf_view(&pem), session->now_s, MARGIN_S, info);
    }
    if (err == ERR_OK) {
        err = file_replace(options->out, strbuf_view(&pem), 0644);
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "ca", 0, "%s: %s", options->out, err_text(err)); /* returned below */
        }
    }
    strbuf_deinit(&pem);
    return err;
}

/** What would go into the file: the CAs, present and old. */
static enum exit_code rehearse(struct ca_session *session, const struct ca_crl_options *options)
{
    struct ca_generations generations[ARRAY_LEN(clients[0])];
    const char *names[ARRAY_LEN(clients[0]) * CA_GENERATIONS_MAX];
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(clients[0]); i++) {
        const char *what = ca_file(clients[options->broker][i]);
        if (ca_generations(options->common.dir, what, ".pem", &generations[i], &session->info) != ERR_OK) {
            return ca_session_failed(session, "no revocation list would be written");
        }
        for (size_t g = 0; g < generations[i].len; g++) {
            names[len++] = generations[i].base[g];
        }
    }
    return ca_session_files(session, "crl", "", names, len);
}

enum exit_code ca_crl_run(const struct command_call *call)
{
    const struct ca_crl_options *options = call->options;
    struct ca_session session;
    if (options->common.dir == NULL || options->out == NULL) {
        return command_misuse(call, options->common.dir == NULL ? "--dir is missing" : "--out is missing");
    }
    enum exit_code code;
    enum err err = ca_session_begin(&session, call, &options->common, false);
    if (err == ERR_OK && options->common.dry_run) {
        code = rehearse(&session, options);
    } else {
        if (err == ERR_OK) {
            err = write_lists(&session, options);
        }
        code = err == ERR_OK ? ca_session_files(&session, "crl", options->out, (const char *const[]){""}, 1)
                             : ca_session_failed(&session, "no revocation list was written");
    }
    ca_session_end(&session);
    return code;
}
