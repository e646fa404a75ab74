/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define HMAC_BLOCK_SIZE 64
#define RSA_PEM_MAX     8192 /* a key of 4,096 bits takes 3,300 bytes of PEM */

struct crypto_hmac {
    wc_Sha256 inner; /* state after the ipad block */
    wc_Sha256 outer; /* state after the opad block */
};

_Static_assert(SHA256_SIZE == WC_SHA256_DIGEST_SIZE, "digest size");

/** wolfCrypt's SHA-256 takes 32-bit lengths and may fail with hardware or without memory only; in software it cannot.
 */
static int update(wc_Sha256 *sha, struct view data)
{
    int rc = 0;
    while (rc == 0 && data.len > 0) {
        size_t part = MIN(data.len, (size_t)1 << 30);
        rc = wc_Sha256Update(sha, (const byte *)data.ptr, (word32)part);
        data = view_n(data.ptr + part, data.len - part);
    }
    return rc;
}

void crypto_sha256(struct view data, uint8_t ret_digest[static SHA256_SIZE])
{
    wc_Sha256 sha;
    int rc = wc_InitSha256(&sha);
    assert(rc == 0);
    rc = update(&sha, data);
    assert(rc == 0);
    rc = wc_Sha256Final(&sha, ret_digest);
    assert(rc == 0);
    (void)rc; /* asserted above; software SHA-256 has no failure of its own */
    wc_Sha256Free(&sha);
}

static enum err start_pad(wc_Sha256 *sha, const uint8_t key[static HMAC_BLOCK_SIZE], uint8_t fill)
{
    uint8_t pad[HMAC_BLOCK_SIZE];
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] = key[i] ^ fill;
    }
    int rc = wc_InitSha256(sha);
    if (rc == 0) {
        rc = wc_Sha256Update(sha, pad, sizeof(pad));
    }
    crypto_zeroise(pad, sizeof(pad));
    return rc == 0 ? ERR_OK : ERR_CRYPTO;
}

enum err crypto_hmac_new(const uint8_t *key, size_t key_len, struct crypto_hmac **ret_hmac)
{
    uint8_t block[HMAC_BLOCK_SIZE] = {0};
    if (key_len > sizeof(block)) { /* RFC 2104 2 */
        crypto_sha256(view_n((const char *)key, key_len), block);
    } else if (key_len > 0) {
        memcpy(block, key, key_len);
    }
    struct crypto_hmac *hmac = calloc(1, sizeof(*hmac));
    enum err err = hmac != NULL ? start_pad(&hmac->inner, block, 0x36) : ERR_NOMEM;
    if (err == ERR_OK) {
        err = start_pad(&hmac->outer, block, 0x5c);
    }
    crypto_zeroise(block, sizeof(block));
    if (err != ERR_OK) {
        crypto_hmac_free(hmac);
        return err;
    }
    *ret_hmac = hmac;
    return ERR_OK;
}

void crypto_hmac_free(struct crypto_hmac *hmac)
{
    if (hmac != NULL) {
        wc_Sha256Free(&hmac->inner);
        wc_Sha256Free(&hmac->outer);
        crypto_zeroise(hmac, sizeof(*hmac));
        free(hmac);
    }
}

enum err crypto_hmac_sha256(struct crypto_hmac *hmac, const struct view *parts, size_t parts_len,
                            uint8_t ret_mac[static SHA256_SIZE])
{
    wc_Sha256 sha;
    uint8_t digest[SHA256_SIZE];
    int rc = wc_Sha256Copy(&hmac->inner, &sha);
    for (size_t i = 0; rc == 0 && i < parts_len; i++) {
        rc = update(&sha, parts[i]);
    }
    if (rc == 0) {
        rc = wc_Sha256Final(&sha, digest);
        wc_Sha256Free(&sha);
    }
    if (rc == 0) {
        rc = wc_Sha256Copy(&hmac->outer, &sha);
    }
    if (rc == 0) {
        rc = wc_Sha256Update(&sha, digest, sizeof(digest));
    }
    if (rc == 0) {
        rc = wc_Sha256Final(&sha, ret_mac);
    }
    wc_Sha256Free(&sha);
    crypto_zeroise(&sha, sizeof(sha)); /* chaining values of the key */
    return rc == 0 ? ERR_OK : ERR_CRYPTO;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    unsigned difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= (unsigned)(left[i] ^ right[i]);
    }
    return difference == 0;
}

void crypto_random(void *buffer, size_t len)
{
    uint8_t *p = buffer;
    while (len > 0) {
        ssize_t n =
            getrandom(p, MIN(len, (size_t)256), 0); /* up to 256 bytes a call are never cut short (getrandom(2)) */
        if (n < 0 && errno == EINTR) {
            continue;
        }
        assert(n > 0); /* ENOSYS or a forbidding sandbox: there is no safe way on */
        p += n;
        len -= (size_t)n;
    }
}

uint64_t crypto_random_u64(void)
{
    uint64_t value;
    crypto_random(&value, sizeof(value));
    return value;
}

void crypto_zeroise(void *buffer, size_t len)
{
    if (len > 0) {
        explicit_bzero(buffer, len);
    }
}

void crypto_hex(const uint8_t *data, size_t len, char *buffer)
{
    for (size_t i = 0; i < len; i++) {
        buffer[2 * i] = "0123456789abcdef"[data[i] >> 4];
        buffer[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
    }
    buffer[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

enum err crypto_unhex(struct view text, uint8_t *ret_data, size_t len)
{
    if (text.len != 2 * len) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (hex_digit(text.ptr[i]) < 0) {
            return ERR_PARSE;
        }
    }
    for (size_t i = 0; i < len; i++) {
        ret_data[i] = (uint8_t)(hex_digit(text.ptr[2 * i]) << 4 | hex_digit(text.ptr[2 * i + 1]));
    }
    return ERR_OK;
}

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/** The digits of @p text without padding; bits that would fall off the last byte must be zero (RFC 4648 3.5). */
static enum err base64_check(struct view text)
{
    int last = 0;
    for (size_t i = 0; i < text.len; i++) {
        last = base64_digit(text.ptr[i]);
        if (last < 0) {
            return ERR_PARSE;
        }
    }
    if (text.len % 4 == 1) {
        return ERR_PARSE;
    }
    int unused = text.len % 4 == 2 ? 15 : text.len % 4 == 3 ? 3 : 0;
    return (last & unused) == 0 ? ERR_OK : ERR_PARSE;
}

enum err crypto_base64_decode(struct view text, uint8_t *ret_data, size_t size, size_t *ret_len)
{
    if (text.len % 4 != 0) {
        return ERR_PARSE;
    }
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++) {
        text.len--;
    }
    enum err err = base64_check(text);
    if (err != ERR_OK) {
        return err;
    }
    size_t len = text.len / 4 * 3 + (text.len % 4 != 0 ? text.len % 4 - 1 : 0);
    if (len > size) {
        return ERR_LIMIT;
    }
    uint32_t bits = 0;
    size_t out = 0;
    for (size_t i = 0; i < text.len; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(text.ptr[i]);
        if (i % 4 != 0) {
            ret_data[out++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    *ret_len = len;
    return ERR_OK;
}

void crypto_base64_encode(const uint8_t *data, size_t len, char *buffer)
{
    char *p = buffer;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = MIN(len - i, (size_t)3);
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= have > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= have > 2 ? (uint32_t)data[i + 2] : 0;
        *p++ = base64_alphabet[bits >> 18];
        *p++ = base64_alphabet[bits >> 12 & 63];
        *p++ = have > 1 ? base64_alphabet[bits >> 6 & 63] : '=';
        *p++ = have > 2 ? base64_alphabet[bits & 63] : '=';
    }
    *p = '\0';
}

void crypto_base64url_encode(const uint8_t *data, size_t len, char *buffer)
{
    crypto_base64_encode(data, len, buffer);
    for (char *p = buffer; *p != '\0'; p++) {
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
        if (*p == '\0') {
            return; /* padding stands at the end only */
        }
    }
}

struct crypto_rsa {
    RsaKey key;
};

/** PEM to the RSAPrivateKey inside; wolfCrypt takes PKCS#8's wrapping off. */
static enum err rsa_decode(struct view pem, uint8_t der[static RSA_PEM_MAX], RsaKey *key)
{
    int len = wc_KeyPemToDer((const byte *)pem.ptr, (int)pem.len, der, RSA_PEM_MAX, NULL);
    word32 at = 0;
    if (len <= 0) {
        return len == MEMORY_E ? ERR_NOMEM : ERR_PARSE;
    }
    int rc = wc_RsaPrivateKeyDecode(der, &at, key, (word32)len);
    if (rc != 0) {
        return rc == MEMORY_E ? ERR_NOMEM : ERR_UNSUPPORTED;
    }
    int size = wc_RsaEncryptSize(key);
    return size >= RSA_SIZE_MIN && size <= RSA_SIZE_MAX ? ERR_OK : ERR_UNSUPPORTED;
}

enum err crypto_rsa_new(struct view pem, struct crypto_rsa **ret_key)
{
    if (pem.len == 0 || pem.len > RSA_PEM_MAX) {
        return pem.len == 0 ? ERR_PARSE : ERR_LIMIT;
    }
    struct crypto_rsa *key = calloc(1, sizeof(*key));
    uint8_t *der = malloc(RSA_PEM_MAX);
    enum err err = key != NULL && der != NULL && wc_InitRsaKey(&key->key, NULL) == 0 ? ERR_OK : ERR_NOMEM;
    if (err == ERR_OK) {
        err = rsa_decode(pem, der, &key->key);
        crypto_zeroise(der, RSA_PEM_MAX);
    }
    free(der);
    if (err != ERR_OK) {
        crypto_rsa_free(key);
        return err;
    }
    *ret_key = key;
    return ERR_OK;
}

void crypto_rsa_free(struct crypto_rsa *key)
{
    if (key != NULL) {
        wc_FreeRsaKey(&key->key);
        crypto_zeroise(key, sizeof(*key));
        free(key);
    }
}

/** The generator blinds the private operation. It is made anew each time: one that lived on would repeat itself in the
 * child of a fork. */
static int rsa_sign(RsaKey *key, const byte *info, word32 info_len, byte *out)
{
    WC_RNG rng;
    int rc = wc_InitRng(&rng);
    if (rc != 0) {
        return rc;
    }
    rc = wc_RsaSetRNG(key, &rng);
    rc = rc == 0 ? wc_RsaSSL_Sign(info, info_len, out, RSA_SIZE_MAX, key, &rng) : rc;
    key->rng = NULL;        /* wc_RsaSetRNG refuses NULL */
    (void)wc_FreeRng(&rng); /* fails for NULL only */
    return rc;
}

enum err crypto_rsa_sign_sha256(struct crypto_rsa *key, struct view message, uint8_t ret_signature[static RSA_SIZE_MAX],
                                size_t *ret_len)
{
    uint8_t digest[SHA256_SIZE];
    byte info[MAX_DER_DIGEST_SZ]; /* DigestInfo, RFC 8017 9.2 */
    crypto_sha256(message, digest);
    word32 info_len = wc_EncodeSignature(info, digest, sizeof(digest), SHA256h);
    int len = rsa_sign(&key->key, info, info_len, ret_signature);
    if (len <= 0) {
        return ERR_CRYPTO;
    }
    *ret_len = (size_t)len;
    return ERR_OK;
}

void secret_deinit(struct secret *secret)
{
    crypto_zeroise(secret->ptr, secret->len);
    free(secret->ptr);
    *secret = (struct secret){0};
}

enum err secret_set(struct secret *secret, struct view bytes)
{
    uint8_t *copy = malloc(MAX(bytes.len, (size_t)1));
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    secret_deinit(secret);
    *secret = (struct secret){.ptr = copy, .len = bytes.len};
    return ERR_OK;
}

struct view secret_view(const struct secret *secret)
{
    return view_n((const char *)secret->ptr, secret->len);
}
