/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * crypto: primitives over wolfCrypt. The only file of base/ that includes wolfSSL headers is crypto.c.
 * Key objects are per thread: wolfCrypt keys shared between threads give wrong signatures.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define SHA256_SIZE 32

void crypto_sha256(struct view data, uint8_t ret_digest[static SHA256_SIZE]);

/** Key schedule of an HMAC-SHA256 prepared once (ipad and opad states), so a short message costs two compressions.
 * Secret: deinit. */
struct crypto_hmac;
enum err crypto_hmac_new(const uint8_t *key, size_t key_len, struct crypto_hmac **ret_hmac) MUST_CHECK;
void crypto_hmac_free(struct crypto_hmac *hmac); /* zeroises; NULL allowed */
/** MAC of the concatenation of @p parts. Any number of calls; one thread at a time. */
enum err crypto_hmac_sha256(struct crypto_hmac *hmac, const struct view *parts, size_t parts_len,
                            uint8_t ret_mac[static SHA256_SIZE]) MUST_CHECK;

/** Constant time. */
bool crypto_equal(const void *a, const void *b, size_t len);

/** getrandom(2): never fails after boot, blocks until the pool is ready. */
void crypto_random(void *buffer, size_t len);
uint64_t crypto_random_u64(void);

/** Overwrites in a way that the compiler keeps. */
void crypto_zeroise(void *buffer, size_t len);

/** Lower-case hex with NUL; @p buffer of 2 * len + 1 bytes. */
void crypto_hex(const uint8_t *data, size_t len, char *buffer);
/** Exactly 2 * len hex digits of either case. @return ERR_PARSE. */
enum err crypto_unhex(struct view text, uint8_t *ret_data, size_t len) MUST_CHECK;

/** Standard base64 with padding (RFC 4648 4); strict: no blanks, canonical padding bits. @return ERR_PARSE, ERR_LIMIT.
 */
enum err crypto_base64_decode(struct view text, uint8_t *ret_data, size_t size, size_t *ret_len) MUST_CHECK;
/** @p buffer of at least (len + 2) / 3 * 4 + 1 bytes. */
void crypto_base64_encode(const uint8_t *data, size_t len, char *buffer);
/** The same with the URL's alphabet and without padding (RFC 4648 5, RFC 7515 2). */
void crypto_base64url_encode(const uint8_t *data, size_t len, char *buffer);

#define RSA_SIZE_MIN 256 /* bytes of a modulus: below 2,048 bits nobody should sign */
#define RSA_SIZE_MAX 512 /* what this build of wolfCrypt takes */

/** A private RSA key. Secret: free. One thread at a time (wolfCrypt signs wrongly with a shared one). */
struct crypto_rsa;
/** @param pem "BEGIN PRIVATE KEY" (PKCS#8, not encrypted) or "BEGIN RSA PRIVATE KEY". @return ERR_PARSE (no such key),
 * ERR_UNSUPPORTED (another kind, or its size), ERR_LIMIT (text too long), ERR_NOMEM. */
enum err crypto_rsa_new(struct view pem, struct crypto_rsa **ret_key) MUST_CHECK;
void crypto_rsa_free(struct crypto_rsa *key); /* zeroises; NULL allowed */
/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2.1). Takes about a millisecond. @param ret_len bytes of the signature.
 * @return ERR_CRYPTO. */
enum err crypto_rsa_sign_sha256(struct crypto_rsa *key, struct view message, uint8_t ret_signature[static RSA_SIZE_MAX],
                                size_t *ret_len) MUST_CHECK;

/** Secret bytes: zeroised on deinit, printed as "<redacted>" by everything that prints config. */
struct secret {
    uint8_t *ptr; /* owned */
    size_t len;
};
void secret_deinit(struct secret *secret);
/** Takes a copy. @return ERR_NOMEM. */
enum err secret_set(struct secret *secret, struct view bytes) MUST_CHECK;
struct view secret_view(const struct secret *secret);
