/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sim_events: what happens when in a simulation: a heap of events in order of time, then of arrival; and the one source
 * of chance, so that a run repeats from its seed. One simulation a process.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"

enum kind { EV_AGENT, EV_UP, EV_BROKER, EV_DOWN, EV_CONNECT, EV_TICK, EV_COMMIT, EV_ENGINE, EV_CHAOS, EV_MEND };

struct message {          /* a body under way; owned by its event */
    uint32_t agent, link; /* link: the connection it travels on */
    bool gone, retained;
    struct ip observed;
    size_t len;
    char body[];
};

struct event {
    uint64_t at, order;
    enum kind kind;
    uint32_t index; /* agent, or generation of what it is about */
    struct message *message;
};

/** Forgets everything and sets the source of chance. */
void sim_events_start(uint64_t seed);
/** @param message NULL, or given away with the event. */
void sim_schedule(uint64_t at, enum kind kind, uint32_t index, struct message *message);
/** The earliest event that is due by @p until; its message is the caller's. false when none is. */
bool sim_next(uint64_t until, struct event *ret_event);

struct message *sim_message(uint32_t agent, struct view body);
struct message *sim_copy(const struct message *message);

uint64_t sim_random(void);
/** From @p low to @p high. */
uint64_t sim_between(uint64_t low, uint64_t high);
