/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * crlread: takes apart the revocation lists that this project issues (v2, ecdsa-with-SHA256), to judge them before a
 * broker loads them: a damaged or expired list does harm there that is seen too late. Views point into the DER that was
 * parsed. Pure.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/certread.h"

struct crlread {
    struct view body;      /* signed part, encoded */
    struct view signature; /* DER of r and s */
    struct view issuer;    /* encoded Name */
    int64_t this_update_s; /* wall, seconds since 1970 */
    int64_t next_update_s;
    struct view entries; /* encoded entries, for crlread_has; empty for an empty list */
    size_t entries_len;  /* how many */
};

/** The whole of @p der as one list; every entry is looked at. @return ERR_PARSE, ERR_UNSUPPORTED (version, algorithm,
 * no nextUpdate), ERR_LIMIT. */
enum err crlread_parse(struct view der, struct crlread *ret_crl) MUST_CHECK;

/** The list is that authority's: names and signature. @return ERR_AUTH, and what key_verify returns. */
enum err crlread_verify(const struct crlread *crl, const struct certread *issuer) MUST_CHECK;

/** @param serial big-endian, without sign byte, as certread has it. */
bool crlread_has(const struct crlread *crl, struct view serial);
