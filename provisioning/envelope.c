/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/envelope.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/json.h"

#define VERSION            1
#define PURPOSE_MAX        32
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

/** What is signed. */
static enum err put_covered(struct view purpose, struct view payload, struct strbuf *out)
{
    strbuf_init(out, PURPOSE_MAX + 1 + ENVELOPE_PAYLOAD_MAX);
    if (payload.len > ENVELOPE_PAYLOAD_MAX) {
        return ERR_LIMIT;
    }
    (void)strbuf_add(out, purpose); /* the error sticks */
    (void)strbuf_addc(out, '\0');
    (void)strbuf_add(out, payload);
    return strbuf_error(out);
}

enum err envelope_sign(struct key *key, struct view purpose, struct view payload,
                       uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len)
{
    struct strbuf covered;
    enum err err = put_covered(purpose, payload, &covered);
    if (err == ERR_OK) {
        err = key_sign(key, strbuf_view(&covered), ret_signature, ret_len);
    }
    strbuf_deinit(&covered);
    return err;
}

enum err envelope_verify(struct view point, struct view purpose, struct view payload, struct view signature)
{
    struct strbuf covered;
    enum err err = put_covered(purpose, payload, &covered);
    if (err == ERR_OK) {
        err = key_verify(point, strbuf_view(&covered), signature);
    }
    strbuf_deinit(&covered);
    return err;
}

enum err envelope_verify_chain(const struct envelope_signed *envelope, const struct certchain_rules *rules,
                               struct view purpose, struct view signer, int64_t *ret_signed_s, struct errinfo *info)
{
    struct certread leaf;
    int64_t signed_s;
    enum err err = certchain_verify(envelope->chain, envelope->chain_len, rules, &leaf, &signed_s, info);
    if (err != ERR_OK) {
        return err;
    }
    if (!view_starts_with(leaf.common_name, signer)) {
        return errinfo_set(info, ERR_AUTH, "envelope", 0, "signed by %.*s, not by a \"%.*s\"",
                           VIEW_ARG(leaf.common_name), VIEW_ARG(signer));
    }
    err = envelope_verify(leaf.point, purpose, envelope->payload, envelope->signature);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "envelope", 0, "the signature does not fit: %s", err_text(err));
    }
    if (ret_signed_s != NULL) {
        *ret_signed_s = signed_s;
    }
    return ERR_OK;
}

static enum err add_base64(struct strbuf *out, struct view bytes)
{
    char *text = malloc(BASE64_SIZE(bytes.len));
    if (text == NULL) {
        return ERR_NOMEM;
    }
    crypto_base64_encode((const uint8_t *)bytes.ptr, bytes.len, text);
    enum err err = strbuf_adds(out, text);
    free(text);
    return err;
}

enum err envelope_seal(struct key *key, struct view purpose, struct view payload, struct strbuf *out)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len;
    enum err err = envelope_sign(key, purpose, payload, signature, &len);
    if (err != ERR_OK) {
        return err;
    }
    (void)strbuf_addf(out, "{\"v\":%d,\"payload\":\"", VERSION); /* the error sticks */
    err = add_base64(out, payload);
    (void)strbuf_adds(out, "\",\"sig\":\"");
    if (err == ERR_OK) {
        err = add_base64(out, view_n((const char *)signature, len));
    }
    (void)strbuf_adds(out, "\"}\n");
    return err == ERR_OK ? strbuf_error(out) : err;
}

static enum err member(const json_t *object, const char *name, uint8_t *bytes, size_t size, size_t *ret_len)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) {
        return ERR_PARSE;
    }
    return crypto_base64_decode(view_n(json_string_value(value), json_string_length(value)), bytes, size, ret_len);
}

static enum err read_parts(struct view text, uint8_t payload[static ENVELOPE_PAYLOAD_MAX], size_t *payload_len,
                           uint8_t signature[static KEY_SIGNATURE_MAX], size_t *signature_len, struct errinfo *info)
{
    CLEANUP(json_decref_p) json_t *root = NULL;
    enum err err = json_parse(text, ENVELOPE_FILE_MAX, 1, &root, info);
    if (err != ERR_OK) {
        return err;
    }
    const json_t *version = json_object_get(root, "v");
    if (!json_is_integer(version) || json_integer_value(version) != VERSION || json_object_size(root) != 3) {
        return errinfo_set(info, ERR_PARSE, "envelope", 0, "not an envelope of version %d", VERSION);
    }
    err = member(root, "payload", payload, ENVELOPE_PAYLOAD_MAX, payload_len);
    if (err == ERR_OK) {
        err = member(root, "sig", signature, KEY_SIGNATURE_MAX, signature_len);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "envelope", 0, "payload or sig: %s", err_text(err));
}

enum err envelope_open(struct view text, struct view point, struct view purpose, struct strbuf *ret_payload,
                       struct errinfo *info)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t signature_len;
    size_t len;
    uint8_t *payload = malloc(ENVELOPE_PAYLOAD_MAX);
    if (payload == NULL) {
        return errinfo_set(info, ERR_NOMEM, "envelope", 0, "%s", err_text(ERR_NOMEM));
    }
    enum err err = read_parts(text, payload, &len, signature, &signature_len, info);
    if (err == ERR_OK) {
        struct view content = view_n((const char *)payload, len);
        err = envelope_verify(point, purpose, content, view_n((const char *)signature, signature_len));
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "envelope", 0, "not signed by the key that is trusted"); /* returned below */
        } else {
            err = strbuf_add(ret_payload, content);
        }
    }
    free(payload);
    return err;
}
