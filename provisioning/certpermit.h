/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * certpermit: the names that a server CA may certify (RFC 5280 4.2.1.10): domains with all below them, and networks.
 * With any of them given, all others are forbidden, of both kinds. Pure.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"
#include "provisioning/cert.h"

#define CERTPERMIT_MAX     16
#define CERTPERMIT_DER_MAX 4096 /* names of 253 bytes, CERTPERMIT_MAX of them; cert_build has the last word */

struct certpermit {
    const char *const *dns; /* domains, canonical or not */
    size_t dns_len;
    const struct ip_prefix *nets;
    size_t nets_len;
};

/** Writes the body of NameConstraints. None given: @p ret_len is 0. @return ERR_LIMIT, ERR_INVALID (a domain). */
enum err certpermit_encode(const struct certpermit *permit, uint8_t der[static CERTPERMIT_DER_MAX], size_t *ret_len,
                           struct errinfo *info) MUST_CHECK;

/** Whether a CA with these @p constraints (as certread has them; empty: all) may certify the names of @p subject, a
 * server. @return ERR_DENIED (info names the first that it may not), ERR_CORRUPT. */
enum err certpermit_check(struct view constraints, const struct cert_subject *subject, struct errinfo *info) MUST_CHECK;
