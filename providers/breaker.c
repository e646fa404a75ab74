/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/breaker.h"

#include <assert.h>

#include "base/macros.h"

void breaker_init(struct breaker *breaker, uint32_t threshold, uint64_t base_ms, uint64_t cap_ms)
{
    assert(threshold > 0);
    *breaker = (struct breaker){.threshold = threshold, .backoff = {.base_ms = base_ms, .cap_ms = cap_ms}};
}

bool breaker_allow(struct breaker *breaker, uint64_t now_ms)
{
    if (breaker->state == BREAKER_OPEN && now_ms >= breaker->until_ms) {
        breaker->state = BREAKER_HALF_OPEN;
        return true;
    }
    return breaker->state == BREAKER_CLOSED;
}

uint64_t breaker_next_ms(const struct breaker *breaker, uint64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return 0;
    case BREAKER_OPEN:
        return now_ms >= breaker->until_ms ? 0 : breaker->until_ms;
    case BREAKER_HALF_OPEN:
        break;
    }
    return UINT64_MAX;
}

void breaker_success(struct breaker *breaker)
{
    breaker->failures = 0;
    if (breaker->state != BREAKER_OPEN) { /* a late success does not cut short a wait that the peer asked for */
        breaker->state = BREAKER_CLOSED;
        backoff_reset(&breaker->backoff);
    }
}

void breaker_admit(struct breaker *breaker)
{
    if (breaker->state == BREAKER_HALF_OPEN) {
        breaker->state = BREAKER_CLOSED;
    }
}

void breaker_unused(struct breaker *breaker)
{
    if (breaker->state == BREAKER_HALF_OPEN) {
        breaker->state = BREAKER_OPEN; /* its delay is over */
    }
}

void breaker_inherit(struct breaker *breaker, const struct breaker *from)
{
    if (from->state != BREAKER_CLOSED && from->asked_ms != 0) {
        breaker->state = BREAKER_OPEN; /* a probe under way ends with the one before */
        breaker->until_ms = breaker->asked_ms = from->asked_ms;
    }
}

uint64_t breaker_failure(struct breaker *breaker, uint64_t now_ms, uint64_t random)
{
    if (breaker->failures < UINT32_MAX) {
        breaker->failures++;
    }
    if (breaker->state == BREAKER_CLOSED && breaker->failures < breaker->threshold) {
        return 0;
    }
    if (breaker->state == BREAKER_OPEN) { /* answers to messages that were under way when it opened */
        return breaker->until_ms > now_ms ? breaker->until_ms - now_ms : 0;
    }
    uint64_t delay = backoff_next(&breaker->backoff, random);
    delay = MAX(delay, 1u);
    breaker->state = BREAKER_OPEN;
    breaker->until_ms = now_ms + delay;
    return delay;
}

void breaker_hold(struct breaker *breaker, uint64_t now_ms, uint64_t wait_ms)
{
    uint64_t until = now_ms + wait_ms;
    breaker->until_ms = breaker->state == BREAKER_OPEN ? MAX(breaker->until_ms, until) : until;
    breaker->state = BREAKER_OPEN;
    breaker->asked_ms = MAX(breaker->asked_ms, until);
}
