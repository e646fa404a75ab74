/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * queue: FIFO of (u32 value, deadline) in a growing ring. Knows no bound and no duplicates: whoever pushes keeps both
 * small, by a flag that says that the value stands in it, or by deadlines that are near.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct queue_item {
    uint64_t due_ms; /* mono */
    uint32_t value;
};

struct queue {
    struct queue_item *items; /* owned; a power of two */
    size_t size, head, len;
};

void queue_deinit(struct queue *queue);
/** Makes room for @p more items, so that as many pushes cannot fail. @return ERR_NOMEM. */
enum err queue_reserve(struct queue *queue, size_t more) MUST_CHECK;
enum err queue_push(struct queue *queue, uint32_t value, uint64_t due_ms) MUST_CHECK;
bool queue_pop(struct queue *queue, uint32_t *ret_value);
/** Oldest item, NULL when empty. */
const struct queue_item *queue_peek(const struct queue *queue);
