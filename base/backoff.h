/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * backoff: exponential delays with full jitter: delay = uniform(0, min(cap, base * 2^attempt)). A value, no clock, no
 * I/O.
 */
#include <stdint.h>

struct backoff {
    uint64_t base_ms;
    uint64_t cap_ms;
    uint32_t attempt; /* failures since the last reset */
};

/** @p random: a fresh uniformly distributed number. @return milliseconds to wait before the next try; counts the
 * attempt. */
uint64_t backoff_next(struct backoff *backoff, uint64_t random);
void backoff_reset(struct backoff *backoff);

/** @p base_ms spread by +-@p percent (0 to 100). */
uint64_t backoff_jitter(uint64_t base_ms, unsigned percent, uint64_t random);
