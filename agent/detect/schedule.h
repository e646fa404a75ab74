/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * schedule: when one source is asked about one path. A pure value with the caller's clock and random numbers.
 *
 * A source is asked when an event wants it, when its safety poll is due (+-20 %), and, after a failure, with doubling
 * delays up to the period of the poll; what it can never answer it is not asked again before the next event. Never more
 * often than its floor: what is wanted earlier waits for it, and what is wanted while a question is under way is asked
 * once more after it.
 */
#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_NEVER UINT64_MAX

/** Milliseconds. */
struct schedule_timing {
    uint64_t floor_ms; /* between two questions */
    uint64_t every_ms; /* of the safety poll; 0: never polled */
};

/** Open value, written by the functions below only. */
struct schedule {
    struct schedule_timing timing;
    uint64_t due_ms; /* SCHEDULE_NEVER while nothing is wanted or a question is under way */
    bool asked_before;
    uint64_t asked_ms;
    bool under_way;
    bool wanted_again; /* while it is under way */
    bool event;        /* an event wants it, or wanted what is under way */
    unsigned failures; /* since the last answer */
};

/** When the first question about a path is asked, so that devices whose power came back together do not all ask in the
 * same second. @param spread_ms 0: now. */
uint64_t schedule_first_ms(uint64_t now, uint32_t spread_ms, uint64_t random);
void schedule_init(struct schedule *schedule, const struct schedule_timing *timing);
/** @param event false for a poll or a person's request: what such a question finds has no other witness. */
void schedule_want(struct schedule *schedule, uint64_t at_ms, bool event);
/** Nothing is wanted any more; an answer that still comes counts for the floor only. */
void schedule_rest(struct schedule *schedule);
/** Due now, or soon enough to be asked along with one that is (a tenth of its period). */
bool schedule_is_due(const struct schedule *schedule, uint64_t now, bool along);
void schedule_asked(struct schedule *schedule, uint64_t now);
/** The question under way has ended. @param good with an answer. */
void schedule_ended(struct schedule *schedule, bool good, uint64_t now, uint64_t random);
/** The question under way is one that the source can never answer: nothing is due until somebody wants it again. */
void schedule_declined(struct schedule *schedule);
/** When schedule_is_due turns true; SCHEDULE_NEVER. */
uint64_t schedule_due(const struct schedule *schedule);
