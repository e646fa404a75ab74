/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * damping: keeps an address that flaps from becoming a stream of DNS changes, in the shape of RFC 2439: each change
 * costs a penalty that halves with time; above one threshold changes are held, below a lower one they flow again. It
 * says only when: the caller keeps the newest value and publishes that one at the release, so nothing is ever dropped.
 * The first changes after calm pass at once. Pure: no clock, no I/O; a value of 12 bytes per damped thing, all-zero =
 * calm.
 *
 * Unlike RFC 2439 4.2, which lets an ever-flapping route stay suppressed, a hold ends max_suppress_s after it began:
 * even a device that never rests has its newest address published once an hour.
 *
 *           change, penalty > suppress                  release due: penalty back at reuse,
 *   FLOWING ---------------------------> HELD             or max_suppress_s since the hold began
 *      ^                                  |
 *      +----------------------------------+
 */
#include <stdbool.h>
#include <stdint.h>

struct damping_params {
    uint32_t change_penalty; /* what one change costs */
    uint32_t suppress;       /* held while above, from the change that crosses it */
    uint32_t reuse;          /* flows again at or below; lower than suppress, not 0 */
    uint32_t half_life_s;    /* not 0 */
    uint32_t max_suppress_s; /* longest hold */
};

/** 1000 a change, suppress above 3000, reuse at 1000, half-life 15 min, at most 60 min: RFC 2439 4.2's usual figures.
 */
extern const struct damping_params damping_default;

struct damping {
    float penalty;         /* as of last_s */
    uint32_t last_s;       /* monotonic seconds of the last change */
    uint32_t held_since_s; /* monotonic seconds + 1 at which the hold began; 0 = flowing */
};

struct damping_decision {
    bool publish;      /* the newest value may go now */
    uint64_t until_ms; /* monotonic; when not: ask damping_release then */
};

/** Takes a change into account. @param now_ms monotonic, not before the call before it. */
struct damping_decision damping_change(struct damping *damping, const struct damping_params *params, uint64_t now_ms);

/** Asks whether a held value may go. Publish exactly once a hold: the hold is over with it. Publish too when nothing is
 * held. */
struct damping_decision damping_release(struct damping *damping, const struct damping_params *params, uint64_t now_ms);

/** The penalty as it stands at @p now_ms, for status pages. */
uint32_t damping_penalty(const struct damping *damping, const struct damping_params *params, uint64_t now_ms);
