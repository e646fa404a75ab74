/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * x509: the elements that certificates and certificate requests share: a Name of one common name, a P-256 public key,
 * the algorithm of a signature. For the codecs of this room only. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/der.h"
#include "provisioning/key.h"

/** Name of one RDN: CN as UTF8String (RFC 5280 4.1.2.4). */
void x509_put_name(struct der_writer *w, struct view common_name);
/** SubjectPublicKeyInfo (RFC 5480 2). */
void x509_put_public_key(struct der_writer *w, const uint8_t point[static KEY_POINT_SIZE]);

/** Takes the AlgorithmIdentifier. @return ERR_PARSE, ERR_UNSUPPORTED (not ecdsa-with-SHA256). */
enum err x509_read_algorithm(struct view *rest) MUST_CHECK;
/** Takes a Name. @param ret_name encoded. @param ret_common_name the last common name in it; untouched without one.
 * @return ERR_PARSE. */
enum err x509_read_name(struct view *rest, struct view *ret_name, struct view *ret_common_name) MUST_CHECK;
/** Takes a SubjectPublicKeyInfo. @param ret_point KEY_POINT_SIZE bytes, not yet known to be on the curve.
 * @return ERR_PARSE, ERR_UNSUPPORTED (another algorithm, curve or form). */
enum err x509_read_public_key(struct view *rest, struct view *ret_point) MUST_CHECK;
