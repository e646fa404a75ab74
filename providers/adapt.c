/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/adapt.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"

enum {
    LEVEL_START = 7,              /* 128 changes: two messages of 64 */
    ALONE = 256,                  /* changes: 14 ms of the slowest server measured (BIND, 18,100 changes/s) */
    ROUNDS_SETTLED = 3,           /* rounds averaged before a trial is judged */
    CALM_ROUNDS = 8,              /* rounds between two trials */
    IDLE_US = 5000,               /* a pause between two messages that is longer is not part of a round */
    SERVICE_MAX_US = 1000 * 1000, /* a message that takes longer makes the next change wait long */
    SLOW_ROUNDS = 4,              /* rounds between a trial and the next that a slow message starts */
};
static const double growth_wanted = 1.10; /* doubling the window must raise the rate by this to be worth it */
static const double good_enough = 0.93;   /* of the best rate */
static const double hopeless = 0.75;      /* of the settled rate: a trial need not go on */
static const double stall_factor = 4; /* a message that takes so many times the usual was held up by something else */

void adapt_init(struct adapt *adapt, uint32_t batch_max, uint32_t depth_max, bool adaptive)
{
    assert(batch_max > 0 && depth_max > 0);
    *adapt = (struct adapt){.batch_max = batch_max, .depth_max = depth_max, .adaptive = adaptive, .growing = true};
    uint64_t most = (uint64_t)batch_max * depth_max;
    while (adapt->level_max + 1 < ADAPT_LEVELS && (1ull << (adapt->level_max + 1)) <= most + most / 4) {
        adapt->level_max++; /* 16 messages of 1,000 count as 16,384 */
    }
    adapt->level = MIN((uint8_t)LEVEL_START, adapt->level_max);
    adapt->probe_from = ADAPT_LEVELS;
}

uint32_t adapt_batch(const struct adapt *adapt)
{
    uint32_t window = 1u << adapt->level;
    if (!adapt->adaptive) {
        return adapt->batch_max;
    }
    return MAX(1u, MIN(adapt->depth_max > 1 ? window / 2 : window, adapt->batch_max));
}

uint32_t adapt_depth(const struct adapt *adapt)
{
    uint32_t window = 1u << adapt->level, batch = adapt_batch(adapt);
    if (!adapt->adaptive) {
        return adapt->depth_max;
    }
    return MAX(1u, MIN((window + batch - 1) / batch, adapt->depth_max));
}

bool adapt_fits_alone(const struct adapt *adapt, size_t waiting)
{
    bool lowered = adapt->level < MIN((uint8_t)LEVEL_START, adapt->level_max);
    uint32_t most = !adapt->adaptive || lowered ? 0 : MIN((uint32_t)ALONE, adapt->batch_max);
    return waiting <= MAX(most, adapt_batch(adapt));
}

static void begin_round(struct adapt *adapt, uint64_t now_us)
{
    adapt->round_us = now_us;
    adapt->round_delivered = adapt->delivered;
    adapt->round_starved = false;
}

struct adapt_stamp adapt_sent(struct adapt *adapt, uint64_t now_us, bool idle, bool starved)
{
    if (idle && now_us > adapt->answered_us + IDLE_US) { /* answers that come in a burst leave no idle time */
        begin_round(adapt, now_us);
    }
    adapt->round_starved |= starved;
    return (struct adapt_stamp){.sent_us = now_us, .delivered = adapt->delivered};
}

static void set_level(struct adapt *adapt, uint8_t level)
{
    adapt->level = level;
    adapt->rounds = 0;
    adapt->turning = !adapt->growing; /* a climb cannot wait, and errs to the careful side */
}

/** The smallest measured window that is good enough. */
static uint8_t best_level(const struct adapt *adapt)
{
    double best = 0;
    for (uint8_t i = 0; i <= adapt->level_max; i++) {
        best = MAX(best, adapt->rate[i]);
    }
    for (uint8_t i = 0; i <= adapt->level_max; i++) {
        if (adapt->rate[i] > 0 && adapt->rate[i] >= good_enough * best) {
            return i;
        }
    }
    return adapt->level;
}

static void climb(struct adapt *adapt)
{
    uint8_t level = adapt->level;
    double below = level > 0 ? adapt->rate[level - 1] : 0;
    bool worth_it = below <= 0 || adapt->rate[level] >= growth_wanted * below;
    if (!worth_it && adapt->rounds < ROUNDS_SETTLED) {
        return; /* one slow round may be noise: look again before giving up */
    }
    if (worth_it && level < adapt->level_max) {
        set_level(adapt, (uint8_t)(level + 1));
        return;
    }
    adapt->growing = false;
    set_level(adapt, best_level(adapt));
}

static void begin_trial(struct adapt *adapt, uint8_t level)
{
    adapt->calm = 0;
    adapt->probe_from = adapt->level;
    set_level(adapt, level);
    adapt->rate[adapt->level] = 0;
}

/** Tries a neighbour of the settled window, in turn above and below. */
static void try_neighbour(struct adapt *adapt)
{
    uint8_t level = adapt->level;
    bool down = adapt->probe_down ? level > 0 : level == adapt->level_max && level > 0;
    adapt->probe_down = !adapt->probe_down;
    adapt->calm = 0;
    if (down || level < adapt->level_max) {
        begin_trial(adapt, (uint8_t)(down ? level - 1 : level + 1));
    }
}

/** Would a smaller window do as well? Where the cost is in the commit it would not: after one trial that failed it is
 * left to those that are made anyway. @return whether a trial begins. */
static bool try_smaller(struct adapt *adapt)
{
    bool settled = !adapt->growing && adapt->probe_from == ADAPT_LEVELS;
    if (!settled || adapt->slow_failed || adapt->calm < SLOW_ROUNDS || adapt->level == 0) {
        return false;
    }
    begin_trial(adapt, (uint8_t)(adapt->level - 1));
    return true;
}

static void judge_trial(struct adapt *adapt)
{
    double tried = adapt->rate[adapt->level], settled = adapt->rate[adapt->probe_from];
    bool larger = adapt->level > adapt->probe_from;
    bool keep = larger ? tried >= growth_wanted * settled : tried >= good_enough * settled;
    uint8_t level = keep ? adapt->level : adapt->probe_from;
    adapt->probe_from = ADAPT_LEVELS;
    adapt->slow_failed = !keep && (!larger || adapt->slow_failed);
    set_level(adapt, level);
    adapt->growing = keep && larger; /* there may be more above */
    adapt->growing = adapt->growing && level < adapt->level_max;
}

static void end_round(struct adapt *adapt, uint64_t now_us)
{
    uint64_t elapsed = MAX(now_us - adapt->round_us, 1u);
    double rate = (double)(adapt->delivered - adapt->round_delivered) / (double)elapsed;
    double *known = &adapt->rate[adapt->level];
    if (adapt->turning) { /* answers to the window before came into it, in one burst with a server that groups */
        adapt->turning = false;
        return;
    }
    *known = *known > 0 && adapt->rounds > 0 ? *known + (rate - *known) / 3 : rate;
    adapt->rounds = (uint16_t)MIN(adapt->rounds + 1u, 1000u);
    if (adapt->probe_from < ADAPT_LEVELS) {
        if (adapt->rounds >= ROUNDS_SETTLED || *known < hopeless * adapt->rate[adapt->probe_from]) {
            judge_trial(adapt);
        }
    } else if (adapt->growing) {
        climb(adapt);
    } else if (++adapt->calm >= CALM_ROUNDS) {
        try_neighbour(adapt);
    }
}

void adapt_answered(struct adapt *adapt, const struct adapt_stamp *stamp, uint32_t changes, uint64_t now_us)
{
    double took = (double)(now_us - stamp->sent_us), usual = adapt->service_us;
    adapt->service_us = adapt->service_us > 0 ? adapt->service_us + (took - adapt->service_us) / 8 : took;
    adapt->delivered += changes;
    adapt->answered_us = now_us;
    if (took > SERVICE_MAX_US && stamp->sent_us >= adapt->slow_us) { /* once for all that were under way */
        adapt->slow_us = now_us;
        bool stalled = usual > 0 && took > stall_factor * usual;
        if (stalled || try_smaller(adapt)) { /* this round says nothing about the window */
            begin_round(adapt, now_us);
            return;
        }
    }
    if (stamp->delivered < adapt->round_delivered) {
        return; /* sent before the round began: the round is not over */
    }
    if (!adapt->round_starved && stamp->delivered >= adapt->round_delivered) {
        end_round(adapt, now_us);
    }
    begin_round(adapt, now_us);
}

void adapt_overload(struct adapt *adapt)
{
    if (adapt->level > 0) {
        set_level(adapt, (uint8_t)(adapt->level - 1));
    }
    adapt->rate[adapt->level + 1] = 0;
    adapt->growing = true; /* a disk that stalled once must not cost the window for long */
    adapt->calm = 0;
    adapt->probe_from = ADAPT_LEVELS;
}
