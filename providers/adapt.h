/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * adapt: finds how many changes should be under way at once, and how to cut them into messages, from the answer rate
 * observed. A value: no clock, no I/O.
 *
 * The window W (changes in flight) is a power of two. It starts small and doubles while that raises the answer rate by
 * a tenth; the smallest window within 7 % of the best rate is then kept, and its neighbours are tried again now and
 * then, so a server that changes is followed. W is cut into two messages, so that the server works on one while the
 * other travels, until a message is full (batch_max); beyond that the depth grows. So a server whose cost is in the
 * record (BIND) ends with small messages and a shallow pipeline, one whose cost is in the commit (Knot) with full
 * messages and a deep one, without a table of servers. Rounds in which the queue ran dry say nothing about the server
 * and are not counted, and neither do those that something else held up (a message took four times the usual).
 *
 * A message that takes more than a second makes the next change wait long. It starts a trial of half the window, which
 * is judged by the rate like every other: a large zone (Knot, 690,000 records) has commits of 0.4 to 0.9 s whatever is
 * in them, and there a smaller window only makes fewer changes of each. Only a message that timed out, or a server that
 * says so, halves the window at once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADAPT_LEVELS = 15 }; /* W = 1 to 16,384 */

struct adapt {
    uint32_t batch_max, depth_max;
    bool adaptive;
    uint8_t level, level_max;
    uint8_t probe_from;        /* level to compare with while a neighbour is tried; ADAPT_LEVELS = none */
    bool growing;              /* in the first climb */
    bool probe_down;           /* direction of the next trial */
    uint16_t rounds;           /* counted at this level */
    uint16_t calm;             /* rounds since the last trial */
    double rate[ADAPT_LEVELS]; /* changes a microsecond, smoothed; 0 = not measured */
    double service_us;         /* smoothed time of one message */
    uint64_t delivered;        /* changes answered */
    uint64_t round_delivered;  /* when the round began */
    uint64_t round_us;         /* monotonic, when the round began */
    bool turning;              /* the round began under another window */
    bool round_starved;        /* the queue ran dry in this round */
    uint64_t answered_us;      /* monotonic, of the last answer */
    uint64_t slow_us;          /* monotonic, when a message last took too long */
    bool slow_failed;          /* half the window was tried and lost too much */
};

/** What must be kept with a message under way. */
struct adapt_stamp {
    uint64_t sent_us; /* monotonic */
    uint64_t delivered;
};

/** @param adaptive false: batch_max and depth_max are used as they are. */
void adapt_init(struct adapt *adapt, uint32_t batch_max, uint32_t depth_max, bool adaptive);
uint32_t adapt_batch(const struct adapt *adapt);
uint32_t adapt_depth(const struct adapt *adapt);
/** Whether all that waits goes out in one message where nothing else is under way: what came at once goes at once (the
 * hosts behind a gateway are one message), up to a number that no server minds, unless this one is found to want less.
 * Of more than that, adapt_batch. */
bool adapt_fits_alone(const struct adapt *adapt, size_t waiting);
/** A message goes out. @param idle nothing else is under way. @param starved less waits than the window would take. */
struct adapt_stamp adapt_sent(struct adapt *adapt, uint64_t now_us, bool idle, bool starved);
/** A message of @p changes was answered. */
void adapt_answered(struct adapt *adapt, const struct adapt_stamp *stamp, uint32_t changes, uint64_t now_us);
/** A message timed out or the server said that it is overloaded: the window halves. */
void adapt_overload(struct adapt *adapt);
