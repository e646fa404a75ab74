/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * authorities: from a client's certificate to its role, by the key that signed it and never by its name. The TLS layer
 * has verified the chain; here the question is which of our authorities issued the leaf. OpenSSL only. One thread.
 */

#include "base/err.h"
#include "mqtt/broker/openssl.h"
#include "mqtt/broker/rights.h"
#include "mqtt/denyline.h"

/** Certificates of issuing authorities of one kind, from one PEM file. */
struct authorities {
    STACK_OF(X509) * list; /* owned; NULL when there are none */
};

/** @return ERR_NOTFOUND (cannot be read), ERR_PARSE (no certificate, or a broken one), ERR_NOMEM. */
enum err authorities_load(const char *path, struct authorities *ret_authorities) MUST_CHECK;
void authorities_deinit(struct authorities *authorities);
/** Whether one key is in both: then the issuer no longer says what a client is. */
bool authorities_overlap(const struct authorities *a, const struct authorities *b);
/** Which of them signed @p leaf, by names, key identifiers and the signature itself; NULL: none did. */
const X509 *authorities_issuer(const struct authorities *authorities, X509 *leaf);

struct trust {
    enum broker_mode mode;
    struct authorities devices; /* core broker */
    struct authorities claims;  /* broker for provisioning */
    struct authorities services;
    struct authorities swarm; /* empty but in the library for benchmarks */
};

/** What the holder of @p leaf may do: ROLE_NONE unless it carries exactly one CN, that is a valid name, one of ours
 * issued it, and the client id is what the broker asks for: the name, or on the broker for provisioning a random one. A
 * device certificate with a service's name has no rights. @param ret_ref which certificate it is; not for ROLE_NONE. */
void trust_rights(const struct trust *trust, X509 *leaf, struct view client_id, struct rights *ret_rights,
                  struct cert_ref *ret_ref);
