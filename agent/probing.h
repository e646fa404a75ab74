/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * probing: how soon silence on the connection to the broker is looked into. Whatever happened to a network mostly
 * happens again soon (a router that restarts, a provider that renumbers, a modem in a tunnel), and a link at rest
 * should not pay for that: the period begins at `least` after each event and doubles after PROBING_QUIET periods
 * without one, up to `most`. Pure, with the caller's monotonic milliseconds; agent/lifeline.h does the asking.
 */
#include <stdbool.h>
#include <stdint.h>

#define PROBING_QUIET 8 /* periods */
#define PROBING_NEVER UINT64_MAX

/** Open value, read freely, written by the functions below only. */
struct probing {
    uint64_t least_ms, most_ms;
    uint64_t period_ms;   /* of now; 0 = nothing is asked */
    uint64_t deadline_ms; /* when probing_tick is due; PROBING_NEVER */
};

/** @param least_ms 0: never asks. @param most_ms not above @p least_ms: the period stays @p least_ms. */
void probing_init(struct probing *probing, uint64_t least_ms, uint64_t most_ms);
/** Something happened: a new connection, other addresses, a doubt, the end of a suspend. */
void probing_alert(struct probing *probing, uint64_t now);
/** Time passed; early calls do nothing. @return the period is another one. */
bool probing_tick(struct probing *probing, uint64_t now);
/** The connection went away: nothing is due before the next alert. */
void probing_rest(struct probing *probing);
