/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ed25519: the keys that sign configs (RFC 8032). Small signatures and no nonce that a bad generator could spoil, which
 * matters for a key that lives off-line for years. Kept as PKCS#8 in files of mode 0600, in the form that OpenSSL reads
 * (RFC 8410). Threads: a key belongs to one thread at a time (a key of wolfCrypt shared between threads signs wrongly).
 */
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/keyopen.h"

#define ED25519_POINT_SIZE     32
#define ED25519_SIGNATURE_SIZE 64

struct ed25519;

/** A new key. @return ERR_NOMEM, ERR_CRYPTO. */
enum err ed25519_make(struct key_rng *rng, struct ed25519 **ret_key) MUST_CHECK;
void ed25519_free(struct ed25519 *key); /* zeroises; NULL allowed */
DEFINE_CLEANUP(struct ed25519 *, ed25519_free)

/** Reads PKCS#8 PEM text; the public half is computed, never believed. @param info says what is wrong. @return
 * ERR_PARSE, ERR_UNSUPPORTED (encrypted, or another algorithm), ERR_NOMEM, ERR_CRYPTO. */
enum err ed25519_parse(struct view pem, struct ed25519 **ret_key, struct errinfo *info) MUST_CHECK;
/** The same from a file, which may be under a password. @return also what key_read_file and key_password return. */
enum err ed25519_load(const char *path, const struct key_opening *opening, struct ed25519 **ret_key,
                      struct errinfo *info) MUST_CHECK;
/** Appends PKCS#8 PEM, encrypted under @p password unless that is empty. @return what pkcs8_seal returns. */
enum err ed25519_write_sealed(const struct ed25519 *key, struct view password, struct strbuf *out) MUST_CHECK;
/** Appends PKCS#8 PEM. Secret: the caller zeroises the buffer. */
enum err ed25519_write(const struct ed25519 *key, struct strbuf *out) MUST_CHECK;
/** Appends SubjectPublicKeyInfo PEM. */
enum err ed25519_write_public(const struct ed25519 *key, struct strbuf *out) MUST_CHECK;

void ed25519_public(const struct ed25519 *key, uint8_t ret_point[static ED25519_POINT_SIZE]);

/** @return ERR_CRYPTO. */
enum err ed25519_sign(struct ed25519 *key, struct view data,
                      uint8_t ret_signature[static ED25519_SIGNATURE_SIZE]) MUST_CHECK;
/** @return ERR_OK, ERR_AUTH (signature does not fit), ERR_INVALID (lengths, not a point), ERR_CRYPTO, ERR_NOMEM. */
enum err ed25519_verify(struct view point, struct view data, struct view signature) MUST_CHECK;
