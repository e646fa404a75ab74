/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/credentials_private.h"
#include "agent/floor.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "mqtt/topics.h"
#include "provisioning/certread.h"
#include "provisioning/envelope.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"

#define SIGNER      "svc-prov"
#define ROOTS_MAX   4
#define SERIAL_FILE 256
#define SERIAL_NAME "serial"
#define MS_PER_S    1000

enum err credentials_join(const char *folder, const char *name, char ret_path[static PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    return n < 0 || n >= PATH_MAX ? ERR_LIMIT : ERR_OK;
}

enum err credentials_claim_path(const struct credentials *credentials, const char *name, char ret_path[static PATH_MAX])
{
    return credentials_join(credentials->config->provisioning.claim_dir, name, ret_path);
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

enum err credentials_first_cert(const char *path, uint8_t der[static CERT_DER_MAX], size_t *ret_len,
                                struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s: %s", path, err_text(err));
    }
    err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, CERT_DER_MAX, ret_len);
    free(text);
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(info, ERR_PARSE, "identity", 0, "%s: holds no certificate of ours", path);
}

/* ---- what is there ---- */

static enum err serial_path(const struct agent_config *config, char ret_path[static PATH_MAX])
{
    return is_set(config->provisioning.serial_file)
               ? view_copy(view_of(config->provisioning.serial_file), ret_path, PATH_MAX)
               : credentials_join(config->state_dir, SERIAL_NAME, ret_path);
}

static enum err read_serial(struct credentials *credentials, struct errinfo *info)
{
    const struct agent_config *config = credentials->config;
    char path[PATH_MAX] = "provisioning.serial";
    struct view serial = view_of(config->provisioning.serial);
    char *text = NULL;
    size_t len = 0;
    enum err err = ERR_OK;
    if (serial.len == 0) {
        err = serial_path(config, path);
        err = err != ERR_OK ? err : file_read(path, SERIAL_FILE, &text, &len);
        serial = view_trim(view_n(text, len));
    }
    if (err == ERR_OK && !credentials_serial_valid(serial)) {
        err = ERR_INVALID;
    }
    if (err == ERR_OK) {
        err = view_copy(serial, credentials->serial, sizeof(credentials->serial));
    }
    free(text);
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(info, err, "identity", 0,
                                       "%s: no serial number (1 to %d of A-Z, a-z, 0-9, '.', '_', '-'): %s", path,
                                       PROV_SERIAL_MAX, err_text(err));
}

static enum err read_claim(struct credentials *credentials, struct errinfo *info)
{
    char path[PATH_MAX];
    uint8_t der[CERT_DER_MAX];
    size_t len = 0;
    struct certread cert;
    enum err err = credentials_claim_path(credentials, CREDENTIALS_CLAIM_CERT, path);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "provisioning.claim_dir: %s", err_text(err));
    }
    err = credentials_first_cert(path, der, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    err = certread_parse(view_n((const char *)der, len), &cert);
    if (err == ERR_OK && !device_id_valid(cert.common_name)) {
        err = ERR_INVALID;
    }
    if (err == ERR_OK) {
        err = view_copy(cert.common_name, credentials->claim, sizeof(credentials->claim));
    }
    return err == ERR_OK
               ? ERR_OK
               : errinfo_set(info, err, "identity", 0, "%s: not a claim certificate: %s", path, err_text(err));
}

static enum err set_paths(const struct credentials *credentials, struct credentials_identity *identity)
{
    enum err err = identitydir_path(&credentials->dir, identity->version, IDENTITYDIR_TRUST, identity->ca_file);
    if (err == ERR_OK) {
        err = identitydir_path(&credentials->dir, identity->version, IDENTITYDIR_CERT, identity->cert_file);
    }
    return err == ERR_OK ? identitydir_path(&credentials->dir, identity->version, IDENTITYDIR_KEY, identity->key_file)
                         : err;
}

enum err credentials_use(struct credentials *credentials, struct errinfo *info)
{
    struct credentials_identity fresh = {.version = credentials->dir.trial != 0 ? credentials->dir.trial
                                                                                : credentials->dir.current};
    if (fresh.version == 0) {
        credentials->identity = fresh;
        return ERR_OK;
    }
    uint8_t der[CERT_DER_MAX];
    size_t len = 0;
    struct certread cert;
    enum err err = set_paths(credentials, &fresh);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s: %s", credentials->dir.root, err_text(err));
    }
    err = credentials_first_cert(fresh.cert_file, der, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    err = certread_parse(view_n((const char *)der, len), &cert);
    if (err == ERR_OK) {
        err = view_copy(cert.common_name, fresh.id, sizeof(fresh.id));
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s: %s", fresh.cert_file, err_text(err));
    }
    fresh.not_before_ms = cert.validity.not_before_s * MS_PER_S;
    fresh.not_after_ms = cert.validity.not_after_s * MS_PER_S;
    credentials_meta_read(credentials, &fresh);
    credentials->identity = fresh;
    return ERR_OK;
}

enum err credentials_open(const struct agent_config *config, struct credentials *ret_credentials, struct errinfo *info)
{
    char root[PATH_MAX];
    struct credentials *credentials = ret_credentials;
    *credentials = (struct credentials){.config = config};
    enum err err = credentials_join(config->state_dir, "identity", root);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "state_dir: %s", err_text(err));
    }
    err = identitydir_open(root, &credentials->dir, info);
    if (err == ERR_OK) {
        err = credentials_use(credentials, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct errinfo missing = {0};
    err = read_claim(credentials, &missing);
    if (err == ERR_OK) {
        err = read_serial(credentials, &missing);
    }
    if (err != ERR_OK && credentials->identity.version == 0) {
        return errinfo_set(info, err, "identity", 0, "%s", missing.text);
    }
    if (err != ERR_OK) { /* it has an identity: it goes on as long as that lasts */
        credentials->claim[0] = '\0';
    }
    return ERR_OK;
}

enum err credentials_look(const struct agent_config *config, struct credentials *ret_credentials, struct errinfo *info)
{
    char path[PATH_MAX];
    char target[16] = "";
    uint64_t version = 0;
    struct credentials *credentials = ret_credentials;
    *credentials = (struct credentials){.config = config};
    enum err err = credentials_join(config->state_dir, "identity", credentials->dir.root);
    err = err != ERR_OK ? err : credentials_join(credentials->dir.root, "current", path);
    if (err == ERR_OK && readlink(path, target, sizeof(target) - 1) < 0) {
        err = err_from_errno(errno);
    }
    if (err == ERR_OK && (target[0] != 'v' || view_to_u64(view_of(target + 1), UINT32_MAX, &version) != ERR_OK)) {
        err = ERR_CORRUPT;
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s/identity/current: %s", config->state_dir, err_text(err));
    }
    credentials->dir.current = (uint32_t)version;
    return credentials_use(credentials, info);
}

/* ---- answers ---- */

struct pinned {
    uint8_t bytes[ROOTS_MAX][CERT_DER_MAX];
    struct view roots[ROOTS_MAX];
    size_t len;
};

static enum err read_roots(const struct credentials *credentials, struct pinned *pinned, struct errinfo *info)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t size = 0, len = 0;
    enum err err = credentials_claim_path(credentials, CREDENTIALS_CLAIM_ROOT, path);
    if (err == ERR_OK) {
        err = file_read(path, PEM_FILE_MAX, &text, &size);
    }
    struct view rest = view_n(text, size), label;
    while (err == ERR_OK && pinned->len < ROOTS_MAX &&
           pem_next(&rest, &label, pinned->bytes[pinned->len], CERT_DER_MAX, &len) == ERR_OK) {
        if (view_equals(label, PEM_CERTIFICATE)) {
            pinned->roots[pinned->len] = view_n((const char *)pinned->bytes[pinned->len], len);
            pinned->len++;
        }
    }
    free(text);
    if (err == ERR_OK && pinned->len == 0) {
        err = ERR_PARSE;
    }
    return err == ERR_OK
               ? ERR_OK
               : errinfo_set(info, err, "identity", 0, "%s/%s: %s", credentials->config->provisioning.claim_dir,
                             CREDENTIALS_CLAIM_ROOT, err_text(err));
}

static enum err open_envelope(const struct credentials *credentials, struct view text,
                              struct envelope_message *envelope, struct pinned *pinned, struct errinfo *info)
{
    enum err err = envelope_decode(text, envelope, info);
    if (err == ERR_OK) {
        err = read_roots(credentials, pinned, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    const struct certchain_rules rules = {.profile = CERT_SERVICE,
                                          .roots = pinned->roots,
                                          .roots_len = pinned->len,
                                          .now_s = floor_now_ms() / MS_PER_S,
                                          .clock_lags = true};
    const struct envelope_signed signed_by = {.chain = envelope->signer,
                                              .chain_len = envelope->signer_len,
                                              .payload = envelope->payload,
                                              .signature = envelope->signature};
    return envelope_verify_chain(&signed_by, &rules, ENVELOPE_PROV, VIEW_LITERAL(SIGNER), NULL, info);
}

enum err credentials_answer(const struct credentials *credentials, struct view text, const char *cid,
                            struct prov_answer_message *ret_answer, struct errinfo *info)
{
    struct envelope_message *envelope = malloc(sizeof(*envelope));
    struct pinned *pinned = calloc(1, sizeof(*pinned));
    enum err err = envelope == NULL || pinned == NULL
                       ? errinfo_set(info, ERR_NOMEM, "identity", 0, "%s", err_text(ERR_NOMEM))
                       : open_envelope(credentials, text, envelope, pinned, info);
    if (err == ERR_OK) {
        err = prov_answer_decode(envelope->payload, ret_answer, info);
    }
    if (err == ERR_OK && strcmp(ret_answer->cid, cid) != 0) {
        err = errinfo_set(info, ERR_INVALID, "identity", 0, "the answer is to another request");
    }
    free(envelope);
    free(pinned);
    if (err == ERR_OK && ret_answer->op != PROV_NO && floor_signed(ret_answer->now / MS_PER_S) != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "clock-not-saved", "folder=%s", credentials->config->state_dir);
    }
    key_forget_tables();
    return err;
}
