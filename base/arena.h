/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * arena: memory of one message or one load, freed in one go, with a cap on its sum. Not thread-safe.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/view.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t used;                /* bytes handed out */
    size_t cap;                 /* most bytes handed out */
};

void arena_init(struct arena *arena, size_t cap);
void arena_deinit(struct arena *arena); /* frees all; the arena can be used again */
void arena_reset(struct arena *arena);  /* forgets all but keeps its newest block for reuse */

/** Zeroed memory aligned for any type; NULL over the cap or without memory. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;

/** Copy of @p text with a NUL behind it; NULL as arena_alloc. */
char *arena_strdup(struct arena *arena, struct view text) MUST_CHECK;
