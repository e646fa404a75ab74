/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * bytes: a queue of bytes in one growing piece of memory with a cap: appended at the end, consumed from the front. Not
 * thread-safe.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/view.h"

struct bytes {
    char *ptr;        /* owned */
    size_t head, len; /* alive: ptr[head] to ptr[head + len - 1] */
    size_t size;      /* allocated */
    size_t max;       /* most bytes alive */
};

void bytes_init(struct bytes *bytes, size_t max);
void bytes_deinit(struct bytes *bytes); /* frees and empties; the cap stays */

/** Makes room for @p more bytes behind the end (bytes_tail). @return ERR_LIMIT, ERR_NOMEM: nothing changed. */
enum err bytes_reserve(struct bytes *bytes, size_t more) MUST_CHECK;
/** Where the reserved room begins. */
char *bytes_tail(struct bytes *bytes);
/** Takes in @p len bytes that were written to the reserved room. */
void bytes_commit(struct bytes *bytes, size_t len);
/** Copies into room that was reserved. */
void bytes_append(struct bytes *bytes, struct view data);
/** Drops @p len bytes, no more than there are, from the front. */
void bytes_consume(struct bytes *bytes, size_t len);
/** What is alive; borrowed until the next change. */
struct view bytes_view(const struct bytes *bytes);
