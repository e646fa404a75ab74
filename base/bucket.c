/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#define MILLI 1000

void bucket_init(struct bucket *bucket, uint64_t capacity, uint64_t milli_per_s, uint64_t now_ms)
{
    *bucket = (struct bucket){.milli_tokens = capacity * MILLI,
                              .milli_capacity = capacity * MILLI,
                              .milli_per_s = milli_per_s,
                              .updated_ms = now_ms};
}

static void refill(struct bucket *bucket, uint64_t now_ms)
{
    if (now_ms <= bucket->updated_ms) {
        return;
    }
    uint64_t elapsed = now_ms - bucket->updated_ms;
    bucket->updated_ms = now_ms;
    uint64_t room = bucket->milli_capacity - bucket->milli_tokens;
    if (bucket->milli_per_s == 0) {
        return;
    }
    if (elapsed / MILLI >= room / bucket->milli_per_s + 1) {
        bucket->milli_tokens = bucket->milli_capacity;
        bucket->remainder = 0;
        return;
    }
    uint64_t credit = elapsed * bucket->milli_per_s + bucket->remainder;
    uint64_t tokens = credit / MILLI;
    bucket->remainder = credit % MILLI;
    bucket->milli_tokens = tokens >= room ? bucket->milli_capacity : bucket->milli_tokens + tokens;
}

bool bucket_take(struct bucket *bucket, uint64_t tokens, uint64_t now_ms)
{
    refill(bucket, now_ms);
    if (tokens > bucket->milli_tokens / MILLI) {
        return false;
    }
    bucket->milli_tokens -= tokens * MILLI;
    return true;
}

uint64_t bucket_wait_ms(struct bucket *bucket, uint64_t tokens, uint64_t now_ms)
{
    refill(bucket, now_ms);
    if (tokens <= bucket->milli_tokens / MILLI) {
        return 0;
    }
    if (tokens > bucket->milli_capacity / MILLI || bucket->milli_per_s == 0) {
        return UINT64_MAX;
    }
    uint64_t missing = (tokens * MILLI - bucket->milli_tokens) * MILLI - bucket->remainder;
    return (missing + bucket->milli_per_s - 1) / bucket->milli_per_s;
}

void bucket_drain(struct bucket *bucket, uint64_t now_ms)
{
    refill(bucket, now_ms);
    bucket->milli_tokens = 0;
    bucket->remainder = 0;
}
