/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/crl.h"

#include <stddef.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/ca.h"
#include "provisioning/ca.h"

#define CRL_PEM_MAX (4 * CRL_DER_MAX) /* two lists in base64 */

const struct args_row ca_revoke_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_revoke_options, dir), .help = "Folder of the CA"},
    {"cert", 0, "FILE", ARGS_STRING, offsetof(struct ca_revoke_options, certificate),
     .help = "Certificate to revoke; the first one of the file counts"},
    {0},
};

const struct args_row ca_crl_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_crl_options, dir), .help = "Folder of the CA"},
    {"out", 'o', "FILE", ARGS_STRING, offsetof(struct ca_crl_options, out), .help = "File to replace"},
    {"days", 0, "N", ARGS_U32, offsetof(struct ca_crl_options, days), .min = 1, .max = 365,
     .help = "Until the list expires and all are refused (default: 7)"},
    {0},
};
const struct ca_crl_options ca_crl_defaults = {.days = 7};

enum exit_code ca_revoke_run(const struct command_call *call)
{
    const struct ca_revoke_options *options = call->options;
    struct errinfo info = {0};
    struct key_rng *rng = NULL;
    int64_t now_s;
    if (options->dir == NULL || options->certificate == NULL) {
        return command_misuse(call, options->dir == NULL ? "--dir is missing" : "--cert is missing");
    }
    enum err err = ca_prepare(&now_s, &rng, &info);
    if (err == ERR_OK) {
        err = ca_revoke(options->dir, options->certificate, now_s, &(struct key_opening){.rng = rng}, &info);
    }
    key_rng_free(rng);
    if (err != ERR_OK) {
        return ca_failed(call, "nothing was revoked", &info);
    }
    (void)fputs("Revoked. Brokers refuse it once they load a new list: muster ca crl\n", stderr); /* advice only */
    return EXIT_OK;
}

/** Both lists that a broker needs, then the file in one step: a broker never sees half of it. */
static enum err write_lists(const struct ca_crl_options *options, int64_t now_s, const struct key_opening *opening,
                            struct errinfo *info)
{
    struct strbuf pem;
    strbuf_init(&pem, CRL_PEM_MAX);
    enum err err = ca_crl(options->dir, CERT_DEVICE, now_s, options->days, opening, &pem, info);
    if (err == ERR_OK) {
        err = ca_crl(options->dir, CERT_SERVICE, now_s, options->days, opening, &pem, info);
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

enum exit_code ca_crl_run(const struct command_call *call)
{
    const struct ca_crl_options *options = call->options;
    struct errinfo info = {0};
    struct key_rng *rng = NULL;
    int64_t now_s;
    if (options->dir == NULL || options->out == NULL) {
        return command_misuse(call, options->dir == NULL ? "--dir is missing" : "--out is missing");
    }
    enum err err = ca_prepare(&now_s, &rng, &info);
    if (err == ERR_OK) {
        err = write_lists(options, now_s, &(struct key_opening){.rng = rng}, &info);
    }
    key_rng_free(rng);
    if (err != ERR_OK) {
        return ca_failed(call, "no revocation list was written", &info);
    }
    return printf("%s\n", options->out) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
