/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/schedule.h"

#include "base/backoff.h"
#include "base/macros.h"

#define POLL_PERCENT   20
#define RETRY_PERCENT  20
#define RETRY_FIRST_MS 2000
#define RETRY_UNPOLLED 3600000 /* longest wait after failures of a source that is not polled */
#define ALONG_PART     10      /* of the period: a radio that is awake anyway is used */

uint64_t schedule_first_ms(uint64_t now, uint32_t spread_ms, uint64_t random)
{
    return spread_ms > 0 ? now + random % spread_ms : now;
}

void schedule_init(struct schedule *schedule, const struct schedule_timing *timing)
{
    *schedule = (struct schedule){.timing = *timing, .due_ms = SCHEDULE_NEVER};
}

static uint64_t after_floor(const struct schedule *schedule, uint64_t at_ms)
{
    return schedule->asked_before ? MAX(at_ms, schedule->asked_ms + schedule->timing.floor_ms) : at_ms;
}

void schedule_want(struct schedule *schedule, uint64_t at_ms, bool event)
{
    if (schedule->under_way) {
        schedule->wanted_again = schedule->wanted_again || event; /* a request is served by what is under way */
        return;
    }
    schedule->due_ms = MIN(schedule->due_ms, after_floor(schedule, at_ms));
    schedule->event = schedule->event || event;
}

void schedule_rest(struct schedule *schedule)
{
    schedule->due_ms = SCHEDULE_NEVER;
    schedule->wanted_again = false;
    schedule->event = false;
    schedule->failures = 0;
}

bool schedule_is_due(const struct schedule *schedule, uint64_t now, bool along)
{
    uint64_t early = along ? schedule->timing.every_ms / ALONG_PART : 0;
    return schedule->due_ms != SCHEDULE_NEVER && schedule->due_ms <= now + early && after_floor(schedule, now) <= now;
}

void schedule_asked(struct schedule *schedule, uint64_t now)
{
    schedule->due_ms = SCHEDULE_NEVER;
    schedule->under_way = true;
    schedule->asked_before = true;
    schedule->asked_ms = now;
}

static uint64_t retry_delay(const struct schedule *schedule)
{
    uint64_t longest = schedule->timing.every_ms != 0 ? schedule->timing.every_ms : RETRY_UNPOLLED;
    unsigned doublings = MIN(schedule->failures - 1, 31U);
    return MIN((uint64_t)RETRY_FIRST_MS << doublings, longest);
}

void schedule_ended(struct schedule *schedule, bool good, uint64_t now, uint64_t random)
{
    bool again = schedule->wanted_again;
    schedule->under_way = schedule->wanted_again = false;
    schedule->event = again || (schedule->event && !good); /* a retry is still the event's question */
    schedule->failures = good ? 0 : schedule->failures + 1;
    if (again) {
        schedule->due_ms = after_floor(schedule, now);
    } else if (!good) {
        schedule->due_ms = after_floor(schedule, now + backoff_jitter(retry_delay(schedule), RETRY_PERCENT, random));
    } else if (schedule->timing.every_ms != 0) {
        uint64_t wait = backoff_jitter(schedule->timing.every_ms, POLL_PERCENT, random);
        schedule->due_ms = after_floor(schedule, now + wait);
    }
}

void schedule_declined(struct schedule *schedule)
{
    schedule->under_way = false;
    schedule_rest(schedule);
}

uint64_t schedule_due(const struct schedule *schedule)
{
    return schedule->due_ms;
}
