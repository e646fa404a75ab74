/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * denied: the certificates that the plugin turns away: those of its deny_file, and those that a provisioner named since
 * the broker started (mqtt/denyline.h). A list that cannot be read in full is an error, never a shorter list. One
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "mqtt/denyline.h"

#define DENIED_MAX 1000000 /* 40 MB; a fleet with more revoked certificates in force waits for its revocation list */

/** A set; zero is the empty one. */
struct denied {
    struct cert_ref *refs; /* owned; sorted */
    size_t len, size;
};

/** @return ERR_LIMIT, ERR_NOMEM. One that is in it already is fine. */
enum err denied_add(struct denied *denied, const struct cert_ref *ref) MUST_CHECK;
void denied_remove(struct denied *denied, const struct cert_ref *ref);
bool denied_has(const struct denied *denied, const struct cert_ref *ref);
void denied_deinit(struct denied *denied);

/** Reads a deny_file. @param ret_denied empty before; untouched on failure. @return ERR_NOTFOUND (cannot be read),
 * ERR_PARSE (any line), ERR_LIMIT, ERR_NOMEM. */
enum err denied_load(const char *path, struct denied *ret_denied) MUST_CHECK;
