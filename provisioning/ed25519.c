/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ed25519.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/wolfcrypt/ed25519.h>

#include "base/crypto.h"
#include "provisioning/der.h"
#include "provisioning/oids.h"
#include "provisioning/pem.h"

#define SEED_SIZE   32
#define KEY_DER_MAX 128 /* ours are 48 bytes; with a public half and attributes a little more */

struct ed25519 {
    ed25519_key wc;
    uint8_t seed[SEED_SIZE]; /* the private key of RFC 8032 */
    uint8_t point[ED25519_POINT_SIZE];
};

static struct ed25519 *alloc_key(void)
{
    struct ed25519 *key = calloc(1, sizeof(*key));
    if (key != NULL && wc_ed25519_init(&key->wc) != 0) {
        free(key);
        return NULL;
    }
    return key;
}

void ed25519_free(struct ed25519 *key)
{
    if (key != NULL) {
        wc_ed25519_free(&key->wc);
        crypto_zeroise(key, sizeof(*key));
        free(key);
    }
}

/** The key of a seed: every 32 bytes are one. */
static enum err from_seed(const uint8_t seed[static SEED_SIZE], struct ed25519 **ret_key)
{
    CLEANUP(ed25519_free_p) struct ed25519 *key = alloc_key();
    if (key == NULL) {
        return ERR_NOMEM;
    }
    memcpy(key->seed, seed, SEED_SIZE);
    if (wc_ed25519_import_private_only(seed, SEED_SIZE, &key->wc) != 0 ||
        wc_ed25519_make_public(&key->wc, key->point, sizeof(key->point)) != 0 ||
        wc_ed25519_import_private_key(seed, SEED_SIZE, key->point, sizeof(key->point), &key->wc) != 0) {
        return ERR_CRYPTO;
    }
    *ret_key = TAKE(key);
    return ERR_OK;
}

enum err ed25519_make(struct key_rng *rng, struct ed25519 **ret_key)
{
    uint8_t seed[SEED_SIZE];
    enum err err = key_rng_bytes(rng, seed, sizeof(seed));
    if (err == ERR_OK) {
        err = from_seed(seed, ret_key);
    }
    crypto_zeroise(seed, sizeof(seed));
    return err;
}

/** OneAsymmetricKey (RFC 5958 2) around a CurvePrivateKey (RFC 8410 7). */
static enum err parse_pkcs8(struct view der, struct view *ret_seed)
{
    struct view body;
    struct view field;
    struct view algorithm;
    struct view oid;
    uint32_t version;
    if (der_expect(&der, DER_SEQUENCE, &body) != ERR_OK || der.len != 0 ||
        der_expect(&body, DER_INTEGER, &field) != ERR_OK || der_small(field, &version) != ERR_OK || version > 1 ||
        der_expect(&body, DER_SEQUENCE, &algorithm) != ERR_OK || der_expect(&algorithm, DER_OID, &oid) != ERR_OK ||
        der_expect(&body, DER_OCTET_STRING, &field) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_ED25519) || algorithm.len != 0) {
        return ERR_UNSUPPORTED;
    }
    return der_expect(&field, DER_OCTET_STRING, ret_seed) == ERR_OK && field.len == 0 && ret_seed->len == SEED_SIZE
               ? ERR_OK
               : ERR_PARSE;
}

/** @p der of a block called @p label. */
static enum err from_der(struct view label, struct view der, struct ed25519 **ret_key, struct errinfo *info)
{
    struct view seed;
    enum err err = view_equals(label, PEM_PKCS8) ? parse_pkcs8(der, &seed) : ERR_UNSUPPORTED;
    if (err == ERR_OK) {
        err = from_seed((const uint8_t *)seed.ptr, ret_key);
    }
    switch (err) {
    case ERR_OK:
        return ERR_OK;
    case ERR_UNSUPPORTED:
        return errinfo_set(info, err, "ed25519", 0, "not an unencrypted Ed25519 key");
    case ERR_PARSE:
        return errinfo_set(info, err, "ed25519", 0, "no PEM block, or a damaged one");
    default:
        return errinfo_set(info, err, "ed25519", 0, "cannot use the key: %s", err_text(err));
    }
}

enum err ed25519_parse(struct view pem, struct ed25519 **ret_key, struct errinfo *info)
{
    uint8_t der[KEY_DER_MAX];
    struct view label = {0};
    size_t len = 0;
    enum err err = pem_next(&pem, &label, der, sizeof(der), &len);
    if (err == ERR_OK) {
        err = from_der(label, view_n((const char *)der, len), ret_key, info);
    } else if (err == ERR_LIMIT) { /* too long for such a key: of another kind */
        err = errinfo_set(info, ERR_UNSUPPORTED, "ed25519", 0, "not an unencrypted Ed25519 key");
    } else {
        err = errinfo_set(info, ERR_PARSE, "ed25519", 0, "no PEM block, or a damaged one");
    }
    crypto_zeroise(der, sizeof(der));
    return err;
}

enum err ed25519_load(const char *path, const struct key_opening *opening, struct ed25519 **ret_key,
                      struct errinfo *info)
{
    char *text;
    size_t len;
    uint8_t der[PKCS8_KEY_MAX];
    size_t der_len;
    struct view label = {0};
    struct errinfo inner = {0};
    enum err err = key_read_file(path, &text, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    err = key_read_der(view_n(text, len), path, opening, &label, der, &der_len, info);
    if (err == ERR_OK) {
        err = from_der(label, view_n((const char *)der, der_len), ret_key, &inner);
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "ed25519", 0, "%s: %s", path, inner.text); /* returned below */
        }
    }
    crypto_zeroise(der, sizeof(der));
    crypto_zeroise(text, len);
    free(text);
    return err;
}

static void put_algorithm(struct der_writer *w)
{
    size_t algorithm = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_ED25519);
    der_close(w, algorithm);
}

/* Version 1, without the public half: OpenSSL 3.0 does not read version 2 (RFC 5958), which wolfSSL would write. */
enum err ed25519_write_sealed(const struct ed25519 *key, struct view password, struct strbuf *out)
{
    uint8_t der[KEY_DER_MAX];
    size_t len;
    struct der_writer w;
    der_writer_init(&w, der, sizeof(der));
    size_t outer = der_open(&w, DER_SEQUENCE);
    der_put_small(&w, 0);
    put_algorithm(&w);
    size_t octets = der_open(&w, DER_OCTET_STRING);
    der_put(&w, DER_OCTET_STRING, view_n((const char *)key->seed, sizeof(key->seed)));
    der_close(&w, octets);
    der_close(&w, outer);
    enum err err = der_writer_end(&w, &len);
    if (err == ERR_OK) {
        struct view plain = view_n((const char *)der, len);
        err = password.len == 0 ? pem_write(out, PEM_PKCS8, plain) : pkcs8_seal(plain, password, PKCS8_ITERATIONS, out);
    }
    crypto_zeroise(der, sizeof(der));
    return err;
}

enum err ed25519_write(const struct ed25519 *key, struct strbuf *out)
{
    return ed25519_write_sealed(key, view_n(NULL, 0), out);
}

enum err ed25519_write_public(const struct ed25519 *key, struct strbuf *out)
{
    uint8_t der[KEY_DER_MAX];
    size_t len;
    struct der_writer w;
    der_writer_init(&w, der, sizeof(der));
    size_t outer = der_open(&w, DER_SEQUENCE);
    put_algorithm(&w);
    der_put_bits(&w, view_n((const char *)key->point, sizeof(key->point)));
    der_close(&w, outer);
    enum err err = der_writer_end(&w, &len);
    return err == ERR_OK ? pem_write(out, PEM_PUBLIC, view_n((const char *)der, len)) : err;
}

void ed25519_public(const struct ed25519 *key, uint8_t ret_point[static ED25519_POINT_SIZE])
{
    memcpy(ret_point, key->point, ED25519_POINT_SIZE);
}

enum err ed25519_sign(struct ed25519 *key, struct view data, uint8_t ret_signature[static ED25519_SIGNATURE_SIZE])
{
    word32 len = ED25519_SIGNATURE_SIZE;
    if (data.len > UINT32_MAX ||
        wc_ed25519_sign_msg((const byte *)data.ptr, (word32)data.len, ret_signature, &len, &key->wc) != 0) {
        return ERR_CRYPTO;
    }
    return len == ED25519_SIGNATURE_SIZE ? ERR_OK : ERR_CRYPTO;
}

enum err ed25519_verify(struct view point, struct view data, struct view signature)
{
    if (point.len != ED25519_POINT_SIZE || signature.len != ED25519_SIGNATURE_SIZE || data.len > UINT32_MAX) {
        return ERR_INVALID;
    }
    CLEANUP(ed25519_free_p) struct ed25519 *key = alloc_key();
    if (key == NULL) {
        return ERR_NOMEM;
    }
    if (wc_ed25519_import_public((const byte *)point.ptr, (word32)point.len, &key->wc) != 0) {
        return ERR_INVALID;
    }
    int fits = 0;
    int rc = wc_ed25519_verify_msg((const byte *)signature.ptr, (word32)signature.len, (const byte *)data.ptr,
                                   (word32)data.len, &fits, &key->wc);
    return rc == 0 && fits == 1 ? ERR_OK
                                : ERR_AUTH; /* both: a malformed signature fails with a code, a wrong one fits 0 */
}
