/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/health.h"

#include <string.h>

#include "base/macros.h"

#define NEVER        UINT64_MAX
#define FAILURES_MIN 2 /* one packet may be lost */

const char *health_state_name(enum health_state state)
{
    static const char *const names[HEALTH_STATES] = {
        [HEALTH_UNKNOWN] = "unknown", [HEALTH_ALIVE] = "alive",   [HEALTH_DOUBTED] = "doubted",
        [HEALTH_DEAD] = "dead",       [HEALTH_RISING] = "rising",
    };
    return names[state];
}

void health_init(struct health *health, const struct fusion_policy *policy, uint64_t now)
{
    *health = (struct health){.policy = policy, .since_ms = now, .deadline_ms = NEVER};
}

static void enter(struct health *health, enum health_state next, uint64_t now)
{
    health->state = next;
    health->since_ms = now;
    if (next == HEALTH_ALIVE) {
        health->told = ALIVE_YES;
        health->moved = false;
    } else if (next == HEALTH_DEAD) {
        health->told = ALIVE_NO;
    }
}

static bool is_unstable(struct health *health, uint64_t now)
{
    const struct fusion_policy *policy = health->policy;
    size_t old = 0;
    while (old < health->deaths_len && now - health->deaths[old] >= policy->flap_window_ms) {
        old++;
    }
    health->deaths_len -= old;
    memmove(health->deaths, health->deaths + old, health->deaths_len * sizeof(health->deaths[0]));
    return policy->flap_max > 0 && health->deaths_len >= MIN(policy->flap_max, (unsigned)FUSION_FLAPS_MAX);
}

static void die(struct health *health, uint64_t now)
{
    if (health->deaths_len == FUSION_FLAPS_MAX) {
        health->deaths_len--;
        memmove(health->deaths, health->deaths + 1, health->deaths_len * sizeof(health->deaths[0]));
    }
    health->deaths[health->deaths_len++] = now;
    enter(health, HEALTH_DEAD, now);
}

static uint64_t rising_wait(struct health *health, uint64_t now)
{
    if (is_unstable(health, now)) {
        return health->policy->flap_delay_ms;
    }
    return health->moved ? 0 : health->policy->confirm_ms;
}

static void hear(struct health *health, uint64_t now)
{
    if (health->state == HEALTH_DEAD) {
        enter(health, HEALTH_RISING, now);
    } else if (health->state != HEALTH_RISING && health->state != HEALTH_ALIVE) {
        enter(health, HEALTH_ALIVE, now);
    }
}

static void miss(struct health *health, uint64_t asked_ms, uint64_t now)
{
    if (health->state == HEALTH_RISING) { /* another death only where they are counted against it already */
        if (is_unstable(health, now)) {
            die(health, now);
        } else {
            enter(health, HEALTH_DEAD, now);
        }
    } else if (health->state == HEALTH_DOUBTED) {
        health->failures++;
    } else if (health->state != HEALTH_DEAD) {
        enter(health, HEALTH_DOUBTED, now);
        health->doubt_ms = asked_ms;
        health->failures = 1;
        health->proven = false;
    }
}

/* What time does. @return when it does the next thing. */
static uint64_t settle(struct health *health, const struct health_facts *facts, uint64_t now)
{
    if (health->state == HEALTH_DEAD && facts->carries) {
        enter(health, HEALTH_RISING, now);
    }
    if (health->state == HEALTH_RISING) {
        uint64_t wait = rising_wait(health, now);
        if (now - health->since_ms < wait) {
            return health->since_ms + wait;
        }
        enter(health, HEALTH_ALIVE, now);
    }
    health->proven = health->proven || facts->proven;
    bool lasts = health->failures >= FAILURES_MIN && !facts->vouched && !facts->carries && health->proven;
    if (health->state == HEALTH_DOUBTED && lasts) {
        if (now - health->since_ms < health->policy->confirm_ms) {
            return health->since_ms + health->policy->confirm_ms;
        }
        die(health, now);
    }
    return NEVER;
}

bool health_step(struct health *health, enum health_event event, const struct health_facts *facts, uint64_t asked_ms,
                 uint64_t now)
{
    enum alive before = health->told;
    if (event == HEALTH_ANSWERED) {
        hear(health, now);
    } else if (event == HEALTH_FAILED) {
        miss(health, asked_ms, now);
    }
    health->deadline_ms = settle(health, facts, now);
    return health->told != before;
}

void health_moved(struct health *health, uint64_t now)
{
    bool dead = health->state == HEALTH_DEAD || health->state == HEALTH_RISING;
    enter(health, dead ? HEALTH_DEAD : HEALTH_UNKNOWN, now);
    health->moved = true;
    health->deadline_ms = NEVER;
}
