/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** sign: the frame that certificates and revocation lists share: body, algorithm, ECDSA-SHA256 signature. */
#include "base/err.h"
#include "base/view.h"
#include "provisioning/der.h"
#include "provisioning/key.h"

/** AlgorithmIdentifier of ecdsa-with-SHA256, without parameters (RFC 5758 3.2). */
void sign_put_algorithm(struct der_writer *writer);

/** The AuthorityKeyIdentifier extension with a key identifier. */
void sign_put_authority(struct der_writer *writer, struct view key_id);

/** Signs @p body (encoded) and frames it. @param out of @p size bytes. @return ERR_LIMIT, ERR_CRYPTO. */
enum err sign_wrap(struct view body, struct key *key, uint8_t *out, size_t size, size_t *ret_len) MUST_CHECK;
