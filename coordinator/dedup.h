/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dedup: what a state means beside what is already known. (boot, seq) orders the states of a device; wall time never
 * does. Pure.
 */
#include <stdbool.h>

#include "base/ip.h"
#include "coordinator/device.h"
#include "mqtt/messages.h"

enum dedup_verdict {
    DEDUP_SAME,    /* nothing new: 99 % of all states end here */
    DEDUP_UNACKED, /* nothing new, but the device still waits for its answer */
    DEDUP_NEWER,   /* a newer pair with content and observed address as before: a reconnect */
    DEDUP_CHANGED, /* content or observed address differ: look at it */
    DEDUP_STALE,   /* a lower pair out of the broker's retained store: ignore */
    DEDUP_LOWER,   /* a lower pair live: the device lost its boot counter; answer with the stored pair */
};

struct dedup_input {
    const struct state_scan *scan;
    const struct ip *observed; /* IP_NONE when unchanged or not stamped */
    bool retained;             /* replayed by the broker */
    bool repeat;               /* the device says that it has no answer yet */
    bool known;                /* the device has an accepted state */
};

enum dedup_verdict dedup_judge(const struct device *device, const struct dedup_input *input);

/** -1, 0, 1: (boot, seq) of @p scan against the stored one. */
int dedup_compare(const struct device *device, uint32_t boot, uint32_t seq);
