/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pkcs8: private keys under a password (RFC 5958 3, PBES2 of RFC 8018: PBKDF2 with HMAC-SHA256 and AES-256-CBC), in the
 * form that `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256` writes and every tool reads. Nothing else is
 * read: older schemes are weak. Pure, any thread.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define PKCS8_ITERATIONS     600000   /* what a guess costs: about a third of a second */
#define PKCS8_ITERATIONS_MAX 10000000 /* a file may not hold a program up for longer than some seconds */
#define PKCS8_PASSWORD_MIN   8
#define PKCS8_PASSWORD_MAX   1024
#define PKCS8_KEY_MAX        512 /* plain PrivateKeyInfo of P-256 or Ed25519: 48 to 138 bytes */

/** Appends @p der (a PrivateKeyInfo) as PEM, encrypted. @return ERR_INVALID (password too short or too long), ERR_LIMIT
 * (size), ERR_CRYPTO. */
enum err pkcs8_seal(struct view der, struct view password, uint32_t iterations, struct strbuf *out) MUST_CHECK;

/** Decrypts an EncryptedPrivateKeyInfo. @param buffer PKCS8_KEY_MAX bytes, secret: the caller zeroises.
 * @return ERR_PARSE, ERR_UNSUPPORTED (another scheme), ERR_LIMIT (size or iterations), ERR_AUTH (wrong password),
 * ERR_CRYPTO. */
enum err pkcs8_unseal(struct view der, struct view password, uint8_t *buffer, size_t *ret_len) MUST_CHECK;
