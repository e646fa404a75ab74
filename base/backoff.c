/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <assert.h>

uint64_t backoff_next(struct backoff *backoff, uint64_t random)
{
    uint64_t ceiling = backoff->cap_ms;
    if (backoff->attempt < 63 && backoff->base_ms <= backoff->cap_ms >> backoff->attempt) {
        ceiling = backoff->base_ms << backoff->attempt;
    }
    if (backoff->attempt < UINT32_MAX) {
        backoff->attempt++;
    }
    return ceiling == UINT64_MAX ? random : random % (ceiling + 1);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->attempt = 0;
}

uint64_t backoff_jitter(uint64_t base_ms, unsigned percent, uint64_t random)
{
    assert(percent <= 100);
    uint64_t spread = base_ms / 100 * percent + base_ms % 100 * percent / 100;
    return base_ms - spread + random % (2 * spread + 1);
}
