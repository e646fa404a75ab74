/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/damping.h"

#include <math.h>

#include "base/macros.h"

const struct damping_params damping_default = {
    .change_penalty = 1000, .suppress = 3000, .reuse = 1000, .half_life_s = 15 * 60, .max_suppress_s = 60 * 60};

static float decayed(const struct damping *damping, const struct damping_params *params, uint32_t now_s)
{
    float half_lives = (float)(now_s - damping->last_s) / (float)params->half_life_s;
    return damping->penalty * exp2f(-half_lives);
}

/* More than this could not decay to reuse within max_suppress_s (RFC 2439 4.2, the ceiling). */
static float ceiling(const struct damping_params *params)
{
    float half_lives = (float)params->max_suppress_s / (float)params->half_life_s;
    float most = (float)params->reuse * exp2f(half_lives);
    return MAX(most, (float)params->suppress + (float)params->change_penalty); /* a short hold must still begin */
}

/* When the present hold ends if nothing changes any more. */
static uint32_t release_s(const struct damping *damping, const struct damping_params *params)
{
    float excess = damping->penalty / (float)params->reuse;
    float wait = excess > 1 ? ceilf((float)params->half_life_s * log2f(excess)) : 0;
    uint32_t calm = damping->last_s + (uint32_t)wait;
    uint32_t latest = damping->held_since_s - 1 + params->max_suppress_s;
    return MIN(calm, latest);
}

static struct damping_decision decide(struct damping *damping, const struct damping_params *params, uint32_t now_s)
{
    if (damping->held_since_s != 0) {
        uint32_t until = release_s(damping, params);
        if (now_s < until) {
            return (struct damping_decision){.publish = false, .until_ms = (uint64_t)until * 1000};
        }
        damping->held_since_s = 0;
    }
    return (struct damping_decision){.publish = true};
}

struct damping_decision damping_change(struct damping *damping, const struct damping_params *params, uint64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    bool was_due = damping->held_since_s == 0 || now_s >= release_s(damping, params);
    damping->penalty = MIN(decayed(damping, params, now_s) + (float)params->change_penalty, ceiling(params));
    damping->last_s = now_s;
    if (was_due) { /* flowing, or held until now: this change goes out, or begins a hold of its own */
        bool was_held = damping->held_since_s != 0;
        damping->held_since_s = 0;
        if (!was_held && damping->penalty > (float)params->suppress) {
            damping->held_since_s = now_s + 1;
        }
    }
    return decide(damping, params, now_s);
}

struct damping_decision damping_release(struct damping *damping, const struct damping_params *params, uint64_t now_ms)
{
    return decide(damping, params, (uint32_t)(now_ms / 1000));
}

uint32_t damping_penalty(const struct damping *damping, const struct damping_params *params, uint64_t now_ms)
{
    return (uint32_t)decayed(damping, params, (uint32_t)(now_ms / 1000));
}
