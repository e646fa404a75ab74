/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * bucket: token bucket in thousandths of a token, on a clock that the caller hands in. A value.
 */
#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t milli_tokens;
    uint64_t milli_capacity;
    uint64_t milli_per_s; /* thousandths of a token a second */
    uint64_t updated_ms;  /* monotonic */
    uint64_t remainder;   /* thousandths of a milli-token not yet credited, so slow refills lose nothing */
};

/** Full bucket of @p capacity tokens, refilled with @p milli_per_s / 1000 tokens a second. */
void bucket_init(struct bucket *bucket, uint64_t capacity, uint64_t milli_per_s, uint64_t now_ms);

/** Takes @p tokens if they are all there. */
bool bucket_take(struct bucket *bucket, uint64_t tokens, uint64_t now_ms);

/** Milliseconds until @p tokens are there: 0 when they are now, UINT64_MAX when they never will be. */
uint64_t bucket_wait_ms(struct bucket *bucket, uint64_t tokens, uint64_t now_ms);

/** Empties it, so that nothing is taken before a refill (a peer said "too many requests"). */
void bucket_drain(struct bucket *bucket, uint64_t now_ms);
