/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tenure.h"

#include <assert.h>

#include "base/backoff.h"
#include "base/macros.h"
#include "base/view.h"

#define MS_PER_S      1000u
#define SPREAD_STEPS  2001 /* of a tenth of a permille each, both ways */
#define ASK_JITTER    50
#define DOUBLINGS_MAX 12u

void tenure_init(struct tenure *tenure)
{
    *tenure = (struct tenure){.look_ms = TENURE_NEVER};
}

/* -10 % to +10 % of @p life_ms, the same for a device each time. */
static int64_t spread(const char *id, int64_t life_ms)
{
    int64_t step = (int64_t)(view_hash(view_of(id)) % SPREAD_STEPS) - SPREAD_STEPS / 2;
    return life_ms / (SPREAD_STEPS / 2) * step / (100 / TENURE_SPREAD_PERCENT);
}

void tenure_identity(struct tenure *tenure, const char *id, int64_t from_ms, int64_t renew_ms, bool on_trial,
                     bool may_return)
{
    tenure->on_trial = on_trial;
    tenure->may_return = may_return;
    tenure->refusals = 0;
    tenure->asking = false;
    tenure->renew_ms = renew_ms + (renew_ms > from_ms ? spread(id, renew_ms - from_ms) : 0);
}

static uint64_t doubled(uint64_t first, uint64_t most, unsigned times)
{
    uint64_t wait = first << MIN(times, DOUBLINGS_MAX);
    return MIN(wait, most);
}

/* When the timer has something to look at. */
static void arm(struct tenure *tenure, uint64_t now, int64_t wall_ms)
{
    if (!tenure->connected || tenure->on_trial) {
        tenure->look_ms = TENURE_NEVER;
        return;
    }
    uint64_t until = tenure->renew_ms > wall_ms ? (uint64_t)(tenure->renew_ms - wall_ms) : 0;
    tenure->look_ms = MAX(now + MIN(until, TENURE_LOOK_MS), until == 0 ? tenure->ask_ms : 0);
}

static void ask_later(struct tenure *tenure, uint64_t least_ms, uint64_t now, uint64_t random)
{
    tenure->asking = false;
    tenure->asked = 0;
    tenure->ask_ms = now + least_ms + random % (least_ms / 2 + 1);
}

static struct tenure_actions ask_if_due(struct tenure *tenure, uint64_t now, int64_t wall_ms, uint64_t random)
{
    if (!tenure->connected || tenure->on_trial || wall_ms < tenure->renew_ms || now < tenure->ask_ms) {
        return (struct tenure_actions){0};
    }
    uint64_t wait = doubled(TENURE_ASK_FIRST_MS, TENURE_ASK_MAX_MS, tenure->asked);
    tenure->asked++;
    tenure->asking = true;
    tenure->ask_ms = now + backoff_jitter(wait, ASK_JITTER, random);
    return (struct tenure_actions){.ask = true};
}

static struct tenure_actions connected(struct tenure *tenure)
{
    struct tenure_actions actions = {.promote = tenure->on_trial};
    tenure->connected = true;
    tenure->on_trial = tenure->may_return = false;
    tenure->refusals = tenure->recoveries = 0;
    tenure->recover_ms = 0;
    return actions;
}

static struct tenure_actions refused(struct tenure *tenure, uint64_t now, uint64_t random)
{
    tenure->connected = false;
    tenure->refusals++;
    if (tenure->refusals < TENURE_REFUSALS) {
        return (struct tenure_actions){0};
    }
    if (tenure->on_trial && tenure->may_return) {
        tenure->refusals = 0;
        tenure->on_trial = tenure->may_return = false;
        ask_later(tenure, TENURE_REFUSED_MS, now, random);
        return (struct tenure_actions){.go_back = true};
    }
    if (now < tenure->recover_ms) {
        return (struct tenure_actions){0};
    }
    uint64_t wait = doubled(TENURE_RECOVER_FIRST_MS, TENURE_RECOVER_MAX_MS, tenure->recoveries);
    tenure->recoveries++;
    tenure->refusals = 0;
    tenure->recover_ms = now + wait + random % (wait / 2 + 1);
    return (struct tenure_actions){.recover = true};
}

static struct tenure_actions move(struct tenure *tenure, const struct tenure_event *event, uint64_t now,
                                  int64_t wall_ms, uint64_t random)
{
    switch (event->kind) {
    case TENURE_EV_CONNECTED:
        return connected(tenure);
    case TENURE_EV_DISCONNECTED:
        tenure->connected = false;
        tenure->asking = false; /* the answer went to the connection that is gone */
        break;
    case TENURE_EV_REFUSED:
        return refused(tenure, now, random);
    case TENURE_EV_TIMER:
        return ask_if_due(tenure, now, wall_ms, random);
    case TENURE_EV_CERT: {
        bool waited = tenure->asking;
        tenure->asking = false;
        return (struct tenure_actions){.store = waited};
    }
    case TENURE_EV_NO:
        if (tenure->asking) {
            ask_later(tenure, event->retry_after_s > 0 ? (uint64_t)event->retry_after_s * MS_PER_S : TENURE_REFUSED_MS,
                      now, random);
        }
        break;
    case TENURE_EV_STORED:
        tenure->on_trial = tenure->may_return = true;
        tenure->refusals = tenure->asked = 0;
        return (struct tenure_actions){.change = true};
    case TENURE_EV_UNSTORED:
        ask_later(tenure, TENURE_REFUSED_MS, now, random);
        break;
    case TENURE_EV_ENDED:
        tenure->connected = false;
        tenure->refusals = 0;
        tenure->recover_ms = event->on_trial ? 0 : tenure->recover_ms;
        break;
    }
    return (struct tenure_actions){0};
}

struct tenure_actions tenure_step(struct tenure *tenure, const struct tenure_event *event, uint64_t now,
                                  int64_t wall_ms, uint64_t random)
{
    assert(event->kind < TENURE_EVENTS);
    struct tenure_actions actions = move(tenure, event, now, wall_ms, random);
    arm(tenure, now, wall_ms);
    return actions;
}

uint64_t tenure_deadline(const struct tenure *tenure)
{
    return tenure->look_ms;
}
