/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * certchain: whether a client certificate of ours leads to a root that the caller trusts, for signatures outside of
 * TLS. Knows the one shape that there is: leaf, issuing CA of the leaf's profile, root. The kind of an issuing CA is
 * what the root called it (" service CA"): a device CA that signs "svc-..." is refused. Pure; the time is an input.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/certread.h"

#define CERTCHAIN_LEN 2 /* leaf and issuing CA; the root is the verifier's */

struct certchain_rules {
    enum cert_profile profile; /* CERT_DEVICE, CERT_SERVICE or CERT_CLAIM */
    const struct view *roots;  /* DER, each one that is trusted */
    size_t roots_len;
    int64_t now_s;   /* wall, seconds since 1970 */
    bool clock_lags; /* now_s is only known to have passed: what starts later may have started, what ended has ended */
};

/**
 * @param chain CERTCHAIN_LEN certificates, DER. @param ret_leaf points into chain[0]. @param ret_signed_s the newest
 * time at which a certificate of the chain began: the true time is later. NULL allowed. @param info says which and why.
 * @return ERR_AUTH (no such chain), ERR_RANGE (not valid yet, or no longer), ERR_PARSE, ERR_UNSUPPORTED, ERR_LIMIT,
 * ERR_CRYPTO, ERR_NOMEM.
 */
enum err certchain_verify(const struct view *chain, size_t chain_len, const struct certchain_rules *rules,
                          struct certread *ret_leaf, int64_t *ret_signed_s, struct errinfo *info) MUST_CHECK;
