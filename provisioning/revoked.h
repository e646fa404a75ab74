/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * revoked: the revoked serial numbers of an issuing CA as a text file beside its key, one line "SERIAL-HEX SECONDS"
 * each, oldest first. A damaged line is an error, never skipped: a list that forgets would let a thief back in.
 * Blocks on the disk; one writer at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "provisioning/crl.h"

struct revoked {
    struct crl_entry *entries; /* owned */
    size_t len;
};

/** An absent file is an empty list. @return ERR_CORRUPT (info names the line), ERR_LIMIT, what file_read returns. */
enum err revoked_load(const char *path, struct revoked *ret_revoked, struct errinfo *info) MUST_CHECK;
void revoked_deinit(struct revoked *revoked);

/** Adds a serial durably. @return ERR_EXISTS (is in it), what loading and writing return. */
enum err revoked_add(const char *path, struct view serial, int64_t now_s, struct errinfo *info) MUST_CHECK;
