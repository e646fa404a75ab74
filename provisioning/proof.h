/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * proof: the signature with which a device proves that a request of provisioning is its own and fresh. Covered are
 * "muster-enrol-1", a zero byte, the operation, a zero byte, the nonce, and for a certificate request the SHA-256 of
 * its DER; so no signature can be taken for one of another purpose, request or attempt. Both ends use this. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/key.h"

#define PROOF_NONCE_MAX 64
#define PROOF_OP_MAX    16
#define PROOF_RENEW     "renew" /* operation of a renewal; its nonce is the text of the cid */

/**
 * @param op "csr", "stored", "trouble" or PROOF_RENEW. @param nonce 1 to PROOF_NONCE_MAX bytes.
 * @param csr DER of the request; empty for an operation without one.
 * @return ERR_LIMIT (op or nonce), ERR_CRYPTO.
 */
enum err proof_sign(struct key *key, const char *op, struct view nonce, struct view csr,
                    uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len) MUST_CHECK;

/** @param point KEY_POINT_SIZE bytes. @return ERR_LIMIT, and what key_verify returns. */
enum err proof_verify(struct view point, const char *op, struct view nonce, struct view csr,
                      struct view signature) MUST_CHECK;
