/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * enrol_proof: the bytes that a device signs to show that it holds its key, the same on both ends:
 *
 *     "muster-enrol-1" NUL op NUL nonce [SHA-256(csr)]
 *
 * `op` is the word on the wire: "csr", "stored", "trouble". A renewal on the core broker has the op "renew", and its
 * cid (32 digits as text) where the others have the nonce. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define ENROL_PROOF_NONCE_MAX 63  /* as the wire has it */
#define ENROL_PROOF_SIZE      128 /* 14 + 1 + 7 + 1 + 63 + 32 fit */

/** @param csr DER; empty: none. @return ERR_LIMIT (op over 8 bytes, nonce over ENROL_PROOF_NONCE_MAX). */
enum err enrol_proof(const char *op, struct view nonce, struct view csr, uint8_t ret_bytes[static ENROL_PROOF_SIZE],
                     size_t *ret_len) MUST_CHECK;
