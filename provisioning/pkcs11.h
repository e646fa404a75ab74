/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pkcs11: ECDSA P-256 keys that live in a token (a secure element, an HSM, SoftHSM2) and sign there. Speaks PKCS#11 to
 * the token's module directly: wolfSSL's own way falls back to a software key without a word when the token fails,
 * finds no token by name, and keeps no keys (5.5.4). Here a signature comes from the token or not at all.
 *
 * A key is named by a URI (RFC 7512): pkcs11:token=fleet;object=device-ca?module-path=/usr/lib/softhsm/libsofthsm2.so
 *     token, slot-id       which token; together they must fit exactly one
 *     object, id           which key; together they must fit exactly one private key, whose public half is beside it
 *     module-path          required: nothing is guessed
 *     pin-source           file with the PIN (0600); without it the opening's password file or person is asked
 * Other attributes are refused, and so is pin-value: a PIN belongs into no config. Keys are made with the token's
 * tools.
 *
 * The key must be P-256, a token object, sensitive and not extractable; it signs once when it is opened, and the
 * signature must fit the public half. A module stays loaded and initialised for the life of the process, and a token
 * that was logged in to stays so. After a fork the child cannot use keys of its parent. One thread a key. Blocks on the
 * token.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/view.h"

#define PKCS11_SCHEME "pkcs11:"

struct key_opening;
struct pkcs11_key;

/** @return ERR_PARSE (URI), ERR_NOTFOUND (module, token or key), ERR_CONFLICT (more than one fits), ERR_UNSUPPORTED
 * (not such a key; the text says what it is), ERR_AUTH (PIN; asked once, since tokens lock), ERR_IO (the token fails),
 * ERR_CRYPTO (its signature does not fit), ERR_NOMEM. */
enum err pkcs11_open(struct view uri, const struct key_opening *opening, struct pkcs11_key **ret_key,
                     struct errinfo *info) MUST_CHECK;
void pkcs11_free(struct pkcs11_key *key); /* NULL allowed */

/** @p ret_point of KEY_POINT_SIZE bytes. */
void pkcs11_public(const struct pkcs11_key *key, uint8_t *ret_point);
/** ECDSA over @p digest, DER encoded. @p ret_signature of KEY_SIGNATURE_MAX bytes. @return ERR_CRYPTO. */
enum err pkcs11_sign(struct pkcs11_key *key, const uint8_t digest[static SHA256_SIZE], uint8_t *ret_signature,
                     size_t *ret_len) MUST_CHECK;
