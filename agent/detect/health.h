/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * health: whether anything outside answers along one path, a family of an uplink, whose link says nothing about that.
 * Pure, with the caller's monotonic clock; agent/detect/detect_health.c knows the facts.
 *
 *             an answer                  a question failed            the doubt has lasted confirm_ms, ...
 *   UNKNOWN ─────────────▶ ALIVE ──────────────────────────▶ DOUBTED ──────────────────────────────▶ DEAD
 *      │                   ▲   ▲ ◀──────── an answer ────────┘ ▲                                     ▲ │
 *      └───────────────────┼───┼───── a question failed ───────┘           a question failed         │ │ an answer
 *                          │   └────────────────────────────────────── its wait is over ── RISING ───┘ │
 *                          └── an answer, after the path changed                              ▲────────┘
 *
 * - A doubt becomes DEAD when two questions or more failed, no source's last answer along the path is a good one, the
 *   connection to the broker does not stand on it, and a source answered along another path before it failed here once
 *   more: a server that answers nobody says nothing of a path. So the only path of a family never dies.
 * - What rises must answer for confirm_ms, unless the path is another one (link down and up, new address). A path that
 *   died flap_max times within flap_window_ms must answer for flap_delay_ms.
 * - What is told changes with ALIVE and DEAD only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/detect/fusion.h"
#include "mqtt/messages.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_ALIVE, HEALTH_DOUBTED, HEALTH_DEAD, HEALTH_RISING };
#define HEALTH_STATES (HEALTH_RISING + 1)
const char *health_state_name(enum health_state state); /* "unknown", "alive", ...: static storage */

enum health_event {
    HEALTH_ANSWERED, /* a question along the path, or the connection to the broker stands on it */
    HEALTH_FAILED,
    HEALTH_TIME, /* or another fact changed */
};

struct health_facts {
    bool vouched; /* a source's last answer along the path, as it is now, is a good one */
    bool carries; /* the connection to the broker stands on it */
    bool proven;  /* a source answered along another path of the family, not before doubt_ms, and then failed here */
};

/** Open value, read freely, written by the functions below only. */
struct health {
    const struct fusion_policy *policy; /* borrowed: confirm_ms and flap_* */
    enum health_state state;
    enum alive told;
    bool moved;                        /* the path is another one, and nothing was heard since */
    uint64_t since_ms;                 /* of the state */
    uint64_t doubt_ms;                 /* DOUBTED: when the first question that failed was asked */
    unsigned failures;                 /* since then */
    bool proven;                       /* since then, at any time */
    uint64_t deadline_ms;              /* when HEALTH_TIME is due; UINT64_MAX = never */
    uint64_t deaths[FUSION_FLAPS_MAX]; /* times of the last ones, oldest first */
    size_t deaths_len;
};

void health_init(struct health *health, const struct fusion_policy *policy, uint64_t now);
/** @param asked_ms HEALTH_FAILED: when the question was asked. @return what is told changed. */
bool health_step(struct health *health, enum health_event event, const struct health_facts *facts, uint64_t asked_ms,
                 uint64_t now);
/** The path is another one: what was heard or missed along it no longer counts. What is told stays until more is
 * known. */
void health_moved(struct health *health, uint64_t now);
