/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/file.h"
#include "mqtt/topics.h"
#include "provisioning/certread.h"
#include "provisioning/key.h"
#include "provisioning/keypair.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"
#include "provisioning/pemfile.h"

#define DER_MAX 8192 /* one certificate of a foreign authority with long extensions */

static enum err find_certificate(const char *cert_file, uint8_t *der, size_t *ret_len, struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(cert_file, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s: %s", cert_file, err_text(err));
    }
    err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, DER_MAX, ret_len);
    crypto_zeroise(text, len); /* the key may be in the same file */
    free(text);
    if (err != ERR_OK) {
        return errinfo_set(info, ERR_PARSE, "identity", 0, "%s: holds no PEM certificate", cert_file);
    }
    return ERR_OK;
}

static enum err take(struct view id, const char *origin, char ret_id[static DEVICE_ID_MAX + 1], struct errinfo *info)
{
    if (!device_id_valid(id)) {
        return errinfo_set(info, ERR_INVALID, "identity", 0,
                           "%s: its name is not a device id (1 to 40 of a-z, 0-9 and '-', not starting with 'svc-')",
                           origin);
    }
    return view_copy(id, ret_id, DEVICE_ID_MAX + 1);
}

enum err identity_read(const char *configured, const char *cert_file, char ret_id[static DEVICE_ID_MAX + 1],
                       struct errinfo *info)
{
    uint8_t der[DER_MAX];
    size_t len = 0;
    struct view wanted = view_of(configured);
    struct certread cert;
    enum err err = find_certificate(cert_file, der, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    if (certread_parse(view_n((const char *)der, len), &cert) != ERR_OK) {
        if (wanted.len > 0) {
            return take(wanted, cert_file, ret_id, info); /* another authority's kind; the broker judges it */
        }
        return errinfo_set(info, ERR_UNSUPPORTED, "identity", 0,
                           "%s: not a kind of certificate read here; set device_id", cert_file);
    }
    if (wanted.len > 0 && !view_equal(wanted, cert.common_name)) {
        return errinfo_set(info, ERR_INVALID, "identity", 0, "%s: is of '%.*s', but device_id is '%s'", cert_file,
                           VIEW_ARG(cert.common_name), configured);
    }
    return take(cert.common_name, cert_file, ret_id, info);
}

static bool check_file(const char *path, const char *key, const char *file, struct strbuf *report)
{
    struct errinfo info = {0};
    enum err err = pemfile_check(file, &info);
    if (err != ERR_OK) {
        (void)strbuf_addf(report, "%s: %s: %s\n", path, key, info.text); /* full: the first errors are enough */
    }
    return err == ERR_OK;
}

static bool check_pair(const struct agent_config *config, const char *path, struct strbuf *report)
{
    struct errinfo info = {0};
    struct keypair pair;
    if (config->tls.key_file == NULL || config->tls.key_file[0] == '\0') {
        return true;
    }
    if (keypair_check(config->tls.cert_file, config->tls.key_file, &pair, &info) != ERR_OK) {
        (void)strbuf_addf(report, "%s: tls.key_file: %s\n", path, info.text); /* as above */
        return false;
    }
    if (pair.known && pair.server_only) {
        (void)strbuf_addf(report, "%s: tls.cert_file: %s: is a server's; issue one with --profile device\n", path,
                          config->tls.cert_file); /* as above */
        return false;
    }
    return true;
}

enum err identity_check(const struct agent_config *config, const char *path, struct strbuf *report)
{
    char id[DEVICE_ID_MAX + 1];
    struct errinfo info = {0};
    bool good = check_file(path, "tls.ca_file", config->tls.ca_file, report);
    if (config->tls.key_file != NULL && config->tls.key_file[0] != '\0') {
        good = check_file(path, "tls.key_file", config->tls.key_file, report) && good;
    }
    if (identity_read(config->device_id, config->tls.cert_file, id, &info) != ERR_OK) {
        (void)strbuf_addf(report, "%s: tls.cert_file: %s\n", path, info.text); /* as above */
        good = false;
    }
    good = good && check_pair(config, path, report);
    key_forget_tables();
    return good ? ERR_OK : ERR_INVALID;
}
