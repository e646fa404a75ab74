/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * key: ECDSA keys on P-256, the one algorithm of every identity here. Made on the machine that uses them, kept in files
 * of mode 0600. Threads: a key and a generator belong to one thread at a time (wolfCrypt keys shared between threads
 * sign wrongly), and a generator is made after the last fork (it repeats itself in a child).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define KEY_POINT_SIZE    65 /* 04, X, Y */
#define KEY_SIGNATURE_MAX 72 /* SEQUENCE of two INTEGERs of up to 33 bytes */

/** wolfCrypt's DRBG, seeded from the system. */
struct key_rng;
/** @return ERR_NOMEM, ERR_CRYPTO (no entropy). */
enum err key_rng_new(struct key_rng **ret_rng) MUST_CHECK;
void key_rng_free(struct key_rng *rng); /* NULL allowed */
/** Random bytes that may be a secret. @return ERR_CRYPTO. */
enum err key_rng_bytes(struct key_rng *rng, uint8_t *ret_bytes, size_t len) MUST_CHECK;

struct key;

/** A new key. @param rng borrowed for the life of the key, which signs and blinds with it. @return ERR_NOMEM,
 * ERR_CRYPTO. */
enum err key_make(struct key_rng *rng, struct key **ret_key) MUST_CHECK;
void key_free(struct key *key); /* zeroises; NULL allowed */
DEFINE_CLEANUP(struct key *, key_free)

/** Reads PKCS#8 or SEC1 PEM text. The public half is computed, never believed. @param info says what is wrong.
 * @return ERR_PARSE, ERR_UNSUPPORTED (encrypted, or another algorithm or curve), ERR_INVALID (not in 1 to n-1),
 * ERR_NOMEM. */
enum err key_parse(struct view pem, struct key_rng *rng, struct key **ret_key, struct errinfo *info) MUST_CHECK;
/** The same from a file. @return also what file_read returns, ERR_DENIED for a file that group or others may read. */
enum err key_load(const char *path, struct key_rng *rng, struct key **ret_key, struct errinfo *info) MUST_CHECK;

/** The text of the key file at @p path, which nobody but its owner may read. @param ret_text secret: zeroise and free.
 * @return ERR_DENIED, what file_read returns. */
enum err key_read_file(const char *path, char **ret_text, size_t *ret_len, struct errinfo *info) MUST_CHECK;

struct pkcs11_key;
/** A key in a token. @param token owned by the key from now on, also after a failure. @return ERR_NOMEM. */
enum err key_of_token(struct pkcs11_key *token, struct key **ret_key) MUST_CHECK;
bool key_is_token(const struct key *key);

/** Reads a PrivateKeyInfo or ECPrivateKey in DER. @param label PEM_PKCS8 or PEM_SEC1. @return as key_parse. */
enum err key_parse_der(struct view label, struct view der, struct key_rng *rng, struct key **ret_key,
                       struct errinfo *info) MUST_CHECK;

/** Appends PKCS#8 PEM, encrypted under @p password unless that is empty. @return ERR_UNSUPPORTED (in a token), what
 * pkcs8_seal returns. */
enum err key_write_sealed(const struct key *key, struct view password, struct strbuf *out) MUST_CHECK;
/** The public half as SubjectPublicKeyInfo PEM, appended. */
enum err key_write_public(const struct key *key, struct strbuf *out) MUST_CHECK;
/** Reads such PEM. @return ERR_PARSE, ERR_UNSUPPORTED (not P-256). */
enum err key_parse_public(struct view pem, uint8_t ret_point[static KEY_POINT_SIZE]) MUST_CHECK;

/** Appends PKCS#8 PEM. Secret: the caller zeroises the buffer. */
enum err key_write(const struct key *key, struct strbuf *out) MUST_CHECK;
/** Writes PKCS#8 PEM with mode 0600, atomically and durably. @return what file_replace returns. */
enum err key_save(const struct key *key, const char *path) MUST_CHECK;

void key_public(const struct key *key, uint8_t ret_point[static KEY_POINT_SIZE]);

/** ECDSA with SHA-256 over @p data, DER encoded. @return ERR_CRYPTO. */
enum err key_sign(struct key *key, struct view data, uint8_t ret_signature[static KEY_SIGNATURE_MAX],
                  size_t *ret_len) MUST_CHECK;

/** @return ERR_OK, ERR_AUTH (signature does not fit), ERR_INVALID (not a point of the curve), ERR_CRYPTO, ERR_NOMEM. */
enum err key_verify(struct view point, struct view data, struct view signature) MUST_CHECK;

/** Gives back the tables of curve points that wolfSSL keeps in each thread for speed once a key was used: 1.6 MB in
 * Debian's build. For a thread that ends, which loses them otherwise, and for a process that uses keys at start only.
 * They are made anew when needed. */
void key_forget_tables(void);
