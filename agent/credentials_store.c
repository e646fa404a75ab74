/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/credentials_private.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "provisioning/certread.h"
#include "provisioning/pem.h"

#define META_MAX   8192
#define META_DEPTH 3
#define HEX_SIZE   (2 * PROV_ROOT_SIZE + 1)

/* ---- what comes beside a certificate: meta.json ---- */

static enum err write_meta(const struct prov_answer_message *answer, struct strbuf *out)
{
    (void)strbuf_addf(out, "{\"v\":1,\"renew\":%" PRId64 ",\"core\":[", answer->renew);
    for (size_t i = 0; i < answer->core_len; i++) {
        (void)strbuf_adds(out, i > 0 ? "," : "");
        (void)strbuf_add_json(out, view_of(answer->core[i]));
    }
    (void)strbuf_adds(out, "],\"roots\":[");
    for (size_t i = 0; i < answer->roots_len; i++) {
        char hex[HEX_SIZE];
        crypto_hex((const uint8_t *)answer->roots[i].ptr, PROV_ROOT_SIZE, hex);
        (void)strbuf_addf(out, "%s\"%s\"", i > 0 ? "," : "", hex);
    }
    (void)strbuf_adds(out, "]}\n");
    return strbuf_error(out);
}

static void take_core(const json_t *core, struct credentials_identity *identity)
{
    for (size_t i = 0; i < json_array_size(core) && identity->core_len < PROV_CORE_MAX; i++) {
        const char *text = json_string_value(json_array_get(core, i));
        if (text != NULL &&
            view_copy(view_of(text), identity->core[identity->core_len], PROV_ENDPOINT_MAX + 1) == ERR_OK) {
            identity->core_len++;
        }
    }
}

void credentials_meta_read(const struct credentials *credentials, struct credentials_identity *identity)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    CLEANUP(json_decref_p) json_t *root = NULL;
    identity->renew_ms = identity->not_before_ms + (identity->not_after_ms - identity->not_before_ms) / 3 * 2;
    if (identitydir_path(&credentials->dir, identity->version, IDENTITYDIR_META, path) != ERR_OK ||
        file_read(path, META_MAX, &text, &len) != ERR_OK) {
        return;
    }
    if (json_parse(view_n(text, len), META_MAX, META_DEPTH, &root, NULL) == ERR_OK) {
        json_int_t renew = json_integer_value(json_object_get(root, "renew"));
        identity->renew_ms = renew > 0 ? renew : identity->renew_ms;
        take_core(json_object_get(root, "core"), identity);
    }
    free(text);
}

/* ---- certificates ---- */

static enum err write_pem(const struct view *certs, size_t len, struct strbuf *out)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < len; i++) {
        err = pem_write(out, PEM_CERTIFICATE, certs[i]);
    }
    return err;
}

static enum err check(const struct prov_answer_message *answer, struct errinfo *info)
{
    struct certread cert;
    enum err err = certread_parse(answer->chain[0], &cert);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "the certificate that came: %s", err_text(err));
    }
    if (!view_equals(cert.common_name, answer->id) || cert.is_ca || !cert.client_auth) {
        return errinfo_set(info, ERR_INVALID, "identity", 0, "the certificate that came is not this device's");
    }
    return ERR_OK;
}

static enum err install(struct credentials *credentials, const struct prov_answer_message *answer, struct strbuf *chain,
                        struct strbuf *trust, struct strbuf *meta, struct errinfo *info)
{
    enum err err = write_pem(answer->chain, answer->chain_len, chain);
    err = err != ERR_OK ? err : write_pem(answer->trust, answer->trust_len, trust);
    err = err != ERR_OK ? err : write_meta(answer, meta);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s", err_text(err));
    }
    err = identitydir_install(&credentials->dir,
                              &(struct identitydir_content){.chain_pem = strbuf_view(chain),
                                                            .trust_pem = strbuf_view(trust),
                                                            .meta = strbuf_view(meta)},
                              info);
    return err == ERR_OK ? credentials_use(credentials, info) : err;
}

enum err credentials_install(struct credentials *credentials, const struct prov_answer_message *answer,
                             struct errinfo *info)
{
    struct strbuf chain, trust, meta;
    strbuf_init(&chain, PEM_FILE_MAX);
    strbuf_init(&trust, PEM_FILE_MAX);
    strbuf_init(&meta, META_MAX);
    enum err err = check(answer, info);
    if (err == ERR_OK) {
        err = install(credentials, answer, &chain, &trust, &meta, info);
    }
    strbuf_deinit(&chain);
    strbuf_deinit(&trust);
    strbuf_deinit(&meta);
    key_forget_tables();
    return err;
}

bool credentials_on_trial(const struct credentials *credentials)
{
    return credentials->dir.trial != 0;
}

bool credentials_may_return(const struct credentials *credentials)
{
    return credentials->dir.trial != 0 && credentials->dir.current != 0;
}

enum err credentials_promote(struct credentials *credentials, struct errinfo *info)
{
    enum err err = identitydir_promote(&credentials->dir, info);
    struct errinfo ignored = {0};
    enum err used =
        credentials_use(credentials, &ignored); /* whatever of it is done: what is in use follows the folder */
    return err != ERR_OK ? err : used;
}

enum err credentials_return(struct credentials *credentials, struct errinfo *info)
{
    enum err err = identitydir_reject(&credentials->dir, info);
    return err == ERR_OK ? credentials_use(credentials, info) : err;
}
