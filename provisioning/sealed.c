/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/sealed.h"

#include "base/crypto.h"

#define SIG_MARK           ",\"sig\":\""
#define SIG_END            "\"}"
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

enum err sealed_close(struct strbuf *text, struct key *key)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    char sig[BASE64_SIZE(KEY_SIGNATURE_MAX)];
    size_t len = 0;
    enum err err = strbuf_error(text);
    if (err == ERR_OK) {
        err = key_sign(key, strbuf_view(text), signature, &len);
    }
    if (err != ERR_OK) {
        return err;
    }
    crypto_base64_encode(signature, len, sig);
    return strbuf_addf(text, SIG_MARK "%s" SIG_END, sig);
}

/** Parts the text at the mark. Base64 holds no quote, so the last text that ends so has one place for the mark. */
static bool split(struct view text, struct view *ret_signed, struct view *ret_sig)
{
    static const struct view mark = VIEW_LITERAL(SIG_MARK);
    static const struct view end = VIEW_LITERAL(SIG_END);
    if (text.len < mark.len + end.len || !view_ends_with(text, end)) {
        return false;
    }
    size_t last = text.len - end.len;
    size_t at = last;
    while (at > 0 && text.ptr[at - 1] != '"' && last - at < BASE64_SIZE(KEY_SIGNATURE_MAX)) {
        at--;
    }
    *ret_sig = view_n(text.ptr + at, last - at);
    *ret_signed = view_n(text.ptr, at >= mark.len ? at - mark.len : 0);
    return at >= mark.len && view_equal(view_n(text.ptr + at - mark.len, mark.len), mark);
}

enum err sealed_verify(struct view text, const uint8_t point[static KEY_POINT_SIZE], struct errinfo *info)
{
    struct view body, sig;
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    if (!split(text, &body, &sig)) {
        return errinfo_set(info, ERR_INVALID, "sealed", 0, "sig: not the last member");
    }
    if (crypto_base64_decode(sig, signature, sizeof(signature), &len) != ERR_OK || len == 0) {
        return errinfo_set(info, ERR_INVALID, "sealed", 0, "sig: not a signature");
    }
    enum err err = key_verify(view_n((const char *)point, KEY_POINT_SIZE), body, view_n((const char *)signature, len));
    if (err == ERR_OK || err == ERR_NOMEM) {
        return err;
    }
    return errinfo_set(info, ERR_AUTH, "sealed", 0, "sig: not the signature of this text by that key");
}
