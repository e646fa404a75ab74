/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/probing.h"

#include "base/macros.h"

static void arm(struct probing *probing, uint64_t now)
{
    bool grows = probing->period_ms > 0 && probing->period_ms < probing->most_ms;
    probing->deadline_ms = grows ? now + PROBING_QUIET * probing->period_ms : PROBING_NEVER;
}

void probing_init(struct probing *probing, uint64_t least_ms, uint64_t most_ms)
{
    *probing =
        (struct probing){.least_ms = least_ms, .most_ms = most_ms, .period_ms = least_ms, .deadline_ms = PROBING_NEVER};
}

void probing_alert(struct probing *probing, uint64_t now)
{
    probing->period_ms = probing->least_ms;
    arm(probing, now);
}

bool probing_tick(struct probing *probing, uint64_t now)
{
    if (now < probing->deadline_ms) {
        return false;
    }
    probing->period_ms = MIN(2 * probing->period_ms, probing->most_ms);
    arm(probing, now);
    return true;
}

void probing_rest(struct probing *probing)
{
    probing->deadline_ms = PROBING_NEVER;
}
