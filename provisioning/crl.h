/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * crl: builds X.509 v2 revocation lists (RFC 5280 5). An expired list makes mosquitto refuse every client, so lists are
 * made again long before their nextUpdate. Pure.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "provisioning/cert.h"
#include "provisioning/limits.h"

#define CRL_SERIAL_MAX 20 /* RFC 5280 4.1.2.2 */

struct crl_entry {
    uint8_t serial[CRL_SERIAL_MAX]; /* big-endian, no leading zeros */
    uint8_t serial_len;
    int64_t revoked_s; /* wall, seconds since 1970 */
};

struct crl_times {
    int64_t this_update_s; /* wall, seconds since 1970; also the list's number, which so rises without a counter */
    int64_t next_update_s;
};

/** @param der of @p size bytes. @return ERR_RANGE (times), ERR_LIMIT (entries or size), ERR_CRYPTO,
 *  ERR_NOMEM. */
enum err crl_build(const struct cert_signer *signer, const struct crl_times *times, const struct crl_entry *entries,
                   size_t entries_len, uint8_t *der, size_t size, size_t *ret_len) MUST_CHECK;
