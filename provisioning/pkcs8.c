/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pkcs8.h"

#include <string.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/pwdbased.h>

#include "base/crypto.h"
#include "provisioning/der.h"
#include "provisioning/oids.h"
#include "provisioning/pem.h"

#define SALT_SIZE    16
#define SALT_MIN     8
#define SALT_MAX     64
#define BLOCK        16
#define AES_KEY_SIZE 32
#define FRAME_MAX    256

struct scheme {
    struct view salt;
    struct view iv;
    uint32_t iterations;
};

static bool password_fits(struct view password)
{
    return password.len >= PKCS8_PASSWORD_MIN && password.len <= PKCS8_PASSWORD_MAX;
}

static enum err derive(struct view password, const struct scheme *scheme, uint8_t key[static AES_KEY_SIZE])
{
    int rc = wc_PBKDF2(key, (const byte *)password.ptr, (int)password.len, (const byte *)scheme->salt.ptr,
                       (int)scheme->salt.len, (int)scheme->iterations, AES_KEY_SIZE, WC_SHA256);
    return rc == 0 ? ERR_OK : ERR_CRYPTO;
}

/** @param in whole blocks. @param out as long. */
static enum err run_cipher(struct view password, const struct scheme *scheme, int direction, struct view in,
                           uint8_t *out)
{
    uint8_t key[AES_KEY_SIZE];
    Aes aes;
    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0) {
        return ERR_CRYPTO;
    }
    enum err err = derive(password, scheme, key);
    if (err == ERR_OK && wc_AesSetKey(&aes, key, sizeof(key), (const byte *)scheme->iv.ptr, direction) != 0) {
        err = ERR_CRYPTO;
    }
    if (err == ERR_OK) {
        int rc = direction == AES_ENCRYPTION ? wc_AesCbcEncrypt(&aes, out, (const byte *)in.ptr, (word32)in.len)
                                             : wc_AesCbcDecrypt(&aes, out, (const byte *)in.ptr, (word32)in.len);
        err = rc == 0 ? ERR_OK : ERR_CRYPTO;
    }
    wc_AesFree(&aes);
    crypto_zeroise(&aes, sizeof(aes));
    crypto_zeroise(key, sizeof(key));
    return err;
}

static void put_scheme(struct der_writer *w, const struct scheme *scheme)
{
    size_t outer = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_PBES2);
    size_t pbes2 = der_open(w, DER_SEQUENCE);
    size_t derivation = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_PBKDF2);
    size_t pbkdf2 = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OCTET_STRING, scheme->salt);
    der_put_small(w, scheme->iterations);
    size_t prf = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_HMAC_SHA256);
    der_put(w, DER_NULL, view_n(NULL, 0));
    der_close(w, prf);
    der_close(w, pbkdf2);
    der_close(w, derivation);
    size_t cipher = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_AES256_CBC);
    der_put(w, DER_OCTET_STRING, scheme->iv);
    der_close(w, cipher);
    der_close(w, pbes2);
    der_close(w, outer);
}

static enum err write_frame(const struct scheme *scheme, struct view content, struct strbuf *out)
{
    uint8_t der[PKCS8_KEY_MAX + BLOCK + FRAME_MAX];
    struct der_writer w;
    size_t len;
    der_writer_init(&w, der, sizeof(der));
    size_t outer = der_open(&w, DER_SEQUENCE);
    put_scheme(&w, scheme);
    der_put(&w, DER_OCTET_STRING, content);
    der_close(&w, outer);
    enum err err = der_writer_end(&w, &len);
    return err == ERR_OK ? pem_write(out, PEM_PKCS8_ENCRYPTED, view_n((const char *)der, len)) : err;
}

enum err pkcs8_seal(struct view der, struct view password, uint32_t iterations, struct strbuf *out)
{
    uint8_t random[SALT_SIZE + BLOCK];
    uint8_t plain[PKCS8_KEY_MAX + BLOCK];
    uint8_t cipher[PKCS8_KEY_MAX + BLOCK];
    if (!password_fits(password)) {
        return ERR_INVALID;
    }
    if (der.len > PKCS8_KEY_MAX) {
        return ERR_LIMIT;
    }
    crypto_random(random, sizeof(random));
    const struct scheme scheme = {
        .salt = view_n((const char *)random, SALT_SIZE),
        .iv = view_n((const char *)random + SALT_SIZE, BLOCK),
        .iterations = iterations,
    };
    size_t padding = BLOCK - der.len % BLOCK; /* RFC 8018 6.1.1: 1 to 16 bytes that say how many */
    memcpy(plain, der.ptr, der.len);
    memset(plain + der.len, (int)padding, padding);
    struct view padded = view_n((const char *)plain, der.len + padding);
    enum err err = run_cipher(password, &scheme, AES_ENCRYPTION, padded, cipher);
    crypto_zeroise(plain, sizeof(plain));
    return err == ERR_OK ? write_frame(&scheme, view_n((const char *)cipher, padded.len), out) : err;
}

static enum err read_derivation(struct view rest, struct scheme *scheme)
{
    struct view parameters;
    struct view oid;
    struct view field;
    struct view prf;
    uint32_t key_len;
    bool found;
    if (der_expect(&rest, DER_OID, &oid) != ERR_OK || der_expect(&rest, DER_SEQUENCE, &parameters) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_PBKDF2)) {
        return ERR_UNSUPPORTED;
    }
    if (der_expect(&parameters, DER_OCTET_STRING, &scheme->salt) != ERR_OK ||
        der_expect(&parameters, DER_INTEGER, &field) != ERR_OK || der_small(field, &scheme->iterations) != ERR_OK ||
        der_optional(&parameters, DER_INTEGER, &field, &found) != ERR_OK ||
        (found && (der_small(field, &key_len) != ERR_OK || key_len != AES_KEY_SIZE))) {
        return ERR_PARSE;
    }
    if (der_expect(&parameters, DER_SEQUENCE, &prf) != ERR_OK || der_expect(&prf, DER_OID, &oid) != ERR_OK ||
        !view_equal(oid, OID_HMAC_SHA256)) {
        return ERR_UNSUPPORTED; /* left out it is HMAC-SHA1 */
    }
    if (der_expect(&prf, DER_NULL, &field) != ERR_OK || field.len + prf.len + parameters.len + rest.len != 0) {
        return ERR_PARSE;
    }
    if (scheme->iterations == 0 || scheme->iterations > PKCS8_ITERATIONS_MAX) {
        return ERR_LIMIT;
    }
    return scheme->salt.len >= SALT_MIN && scheme->salt.len <= SALT_MAX ? ERR_OK : ERR_UNSUPPORTED;
}

static enum err read_scheme(struct view rest, struct scheme *scheme)
{
    struct view pbes2;
    struct view derivation;
    struct view cipher;
    struct view oid;
    if (der_expect(&rest, DER_OID, &oid) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_PBES2)) {
        return ERR_UNSUPPORTED;
    }
    if (der_expect(&rest, DER_SEQUENCE, &pbes2) != ERR_OK || der_expect(&pbes2, DER_SEQUENCE, &derivation) != ERR_OK ||
        der_expect(&pbes2, DER_SEQUENCE, &cipher) != ERR_OK || der_expect(&cipher, DER_OID, &oid) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_AES256_CBC)) {
        return ERR_UNSUPPORTED;
    }
    if (der_expect(&cipher, DER_OCTET_STRING, &scheme->iv) != ERR_OK || scheme->iv.len != BLOCK ||
        cipher.len + pbes2.len + rest.len != 0) {
        return ERR_PARSE;
    }
    return read_derivation(derivation, scheme);
}

/** A wrong password shows as padding that cannot be, and in 1 of 250 cases as content that is no DER. */
static enum err strip_padding(const uint8_t *plain, size_t len, size_t *ret_len)
{
    size_t padding = plain[len - 1];
    if (padding == 0 || padding > BLOCK) {
        return ERR_AUTH;
    }
    for (size_t i = len - padding; i < len; i++) {
        if (plain[i] != padding) {
            return ERR_AUTH;
        }
    }
    *ret_len = len - padding;
    return der_check(view_n((const char *)plain, *ret_len)) == ERR_OK ? ERR_OK : ERR_AUTH;
}

enum err pkcs8_unseal(struct view der, struct view password, uint8_t *buffer, size_t *ret_len)
{
    struct view outer;
    struct view algorithm;
    struct view content;
    struct scheme scheme = {.iterations = 0};
    uint8_t plain[PKCS8_KEY_MAX + BLOCK];
    if (der_expect(&der, DER_SEQUENCE, &outer) != ERR_OK || der.len != 0 ||
        der_expect(&outer, DER_SEQUENCE, &algorithm) != ERR_OK ||
        der_expect(&outer, DER_OCTET_STRING, &content) != ERR_OK || outer.len != 0) {
        return ERR_PARSE;
    }
    enum err err = read_scheme(algorithm, &scheme);
    if (err != ERR_OK) {
        return err;
    }
    if (content.len == 0 || content.len % BLOCK != 0) {
        return ERR_PARSE;
    }
    if (content.len > sizeof(plain) || password.len > PKCS8_PASSWORD_MAX) {
        return ERR_LIMIT;
    }
    err = run_cipher(password, &scheme, AES_DECRYPTION, content, plain);
    if (err == ERR_OK) {
        err = strip_padding(plain, content.len, ret_len);
    }
    if (err == ERR_OK) {
        err = *ret_len <= PKCS8_KEY_MAX ? ERR_OK : ERR_LIMIT;
    }
    if (err == ERR_OK) {
        memcpy(buffer, plain, *ret_len);
    }
    crypto_zeroise(plain, sizeof(plain));
    return err;
}
