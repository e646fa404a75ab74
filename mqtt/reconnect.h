/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * reconnect: what a session does next. Pure: no clock, no socket, no thread; `now` is monotonic, so a step of the wall
 * clock is nothing to it. Every address of an endpoint is tried before the next endpoint, every endpoint before a wait
 * with full jitter.
 *
 *            START             RESOLVED             CONNECTED
 *   IDLE ───────────▶ RESOLVING ───────▶ CONNECTING ───────▶ UP ──▶ AGAIN: LEAVING ─┐
 *                      ▲  ▲  │UNRESOLVED   │FAILED            │LOST                  │
 *                      │  │  ▼             ▼ (all tried)      ▼                LEFT   │
 *                TIMER │  └─────────────WAITING ◀─────────────┘  RESOLVING ◀──────────┘
 *                      └───────────────────┘       STOP from anywhere: STOPPING (when up), then STOPPED
 */
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"

#define RECONNECT_STATES(X) X(IDLE) X(RESOLVING) X(CONNECTING) X(UP) X(WAITING) X(LEAVING) X(STOPPING) X(STOPPED)
#define RECONNECT_EVENTS(X)                                                                                            \
    X(START) X(RESOLVED) X(UNRESOLVED) X(CONNECTED) X(FAILED) X(LOST) X(TIMER) X(AGAIN) X(STOP) X(LEFT)

enum reconnect_state {
#define X(name) RECONNECT_##name,
    RECONNECT_STATES(X)
#undef X
        RECONNECT_STATES_LEN
};

enum reconnect_event {
#define X(name) RECONNECT_ON_##name,
    RECONNECT_EVENTS(X)
#undef X
        RECONNECT_EVENTS_LEN
};

/** What the shell must do after a step. */
enum reconnect_action {
    RECONNECT_DO_NOTHING,
    RECONNECT_DO_RESOLVE,    /* look up endpoints[endpoint]; drop a look-up that still runs */
    RECONNECT_DO_CONNECT,    /* to addresses[address] of that endpoint */
    RECONNECT_DO_NUDGE,      /* the attempt under way should long be over: wake whoever works on it */
    RECONNECT_DO_WAIT,       /* nothing but the deadline */
    RECONNECT_DO_UP,         /* tell the owner */
    RECONNECT_DO_DISCONNECT, /* DISCONNECT with reason 0 */
    RECONNECT_DO_FINISH,     /* STOPPED was reached: drop what is left, tell the owner */
};

struct reconnect {
    enum reconnect_state state;
    uint64_t deadline_ms; /* monotonic; a TIMER event is due then; UINT64_MAX = none */
    struct backoff backoff;
    size_t endpoints_len; /* at least 1 */
    size_t endpoint;      /* index of the one in use */
    size_t tried;         /* endpoints that failed since the last wait */
    size_t addresses_len; /* of the endpoint in use, from the RESOLVED event */
    size_t address;
    uint64_t resolve_ms; /* longest look-up */
    uint64_t connect_ms; /* longest attempt */
    uint64_t stable_ms;  /* up that long: failures are forgotten */
    uint64_t leave_ms;   /* longest wait for a DISCONNECT to be through */
};

struct reconnect_options {
    size_t endpoints_len;
    uint64_t backoff_base_ms, backoff_cap_ms;
    uint64_t resolve_ms, connect_ms, stable_ms, leave_ms;
};

void reconnect_init(struct reconnect *machine, const struct reconnect_options *options);

/** @param addresses_len used by RESOLVED only (0 counts as UNRESOLVED). @param random a fresh uniform number. Events
 * that mean nothing in a state (a late answer of an attempt that was given up) change nothing. */
enum reconnect_action reconnect_step(struct reconnect *machine, enum reconnect_event event, uint64_t now_ms,
                                     size_t addresses_len, uint64_t random);

const char *reconnect_state_name(enum reconnect_state state);
