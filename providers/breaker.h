/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * breaker: circuit breaker and backoff in one value. Closed: everything goes. After `threshold` failures in a row it
 * opens for a full-jitter exponential delay, then lets one probe through; the probe's outcome closes it or opens it for
 * longer. A peer's own wait (Retry-After) opens it at once, for exactly that long or more. No clock, no I/O.
 *
 *   CLOSED --threshold failures, hold--> OPEN --delay over, allow()--> HALF_OPEN --success, admit--> CLOSED
 *                                         ^---------------- failure ------'
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    enum breaker_state state;
    uint32_t failures;  /* in a row */
    uint32_t threshold; /* failures that open it, at least 1 */
    uint64_t until_ms;  /* monotonic end of OPEN */
    uint64_t asked_ms;  /* monotonic: until then the peer asked us to wait; 0 = never */
    struct backoff backoff;
};

void breaker_init(struct breaker *breaker, uint32_t threshold, uint64_t base_ms, uint64_t cap_ms);
/** True: send one message now. In HALF_OPEN only the first caller gets true until its outcome is told. */
bool breaker_allow(struct breaker *breaker, uint64_t now_ms);
/** Monotonic time when allow can become true; 0 when it is now, UINT64_MAX while a probe is out. */
uint64_t breaker_next_ms(const struct breaker *breaker, uint64_t now_ms);
void breaker_success(struct breaker *breaker);
/** The probe came through, but only what it leads to shows whether the peer is well: closed, and until a success the
 * next failure opens it for longer than the last one did. */
void breaker_admit(struct breaker *breaker);
/** What allow granted was not sent, or nobody will hear of it any more: the next caller may probe. */
void breaker_unused(struct breaker *breaker);
/** Waits as long as the peer asked @p from, which ends, to wait. Our own delays begin anew. */
void breaker_inherit(struct breaker *breaker, const struct breaker *from);
/** @p random: a fresh uniformly distributed number. @return the delay before the next try in milliseconds; below the
 * threshold the breaker stays closed and the delay is 0. */
uint64_t breaker_failure(struct breaker *breaker, uint64_t now_ms, uint64_t random);
/** Opens for at least @p wait_ms: the peer asked for it. */
void breaker_hold(struct breaker *breaker, uint64_t now_ms, uint64_t wait_ms);
