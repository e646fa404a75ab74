/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * fusion: from many answers to one address, for one family of one uplink. A pure step function with the caller's clock.
 *
 *            quorum of fresh answers               another value has the quorum for `confirm_ms`
 *   UNKNOWN ─────────────────────────▶ CONFIRMED ◀──────────────────────────────────────────────┐
 *      ▲                                │ │ ▲ answers agree again          │ another value has it │
 *      │ forgotten                      │ │ └──────────────────── DISAGREE ├──▶ CHANGING ─────────┘
 *      │                                │ └ no value has the quorum, ────▶ │
 *      │      the family is gone:       │   two or more fresh ones differ
 *     GONE ◀── after hold ── LOSING ◀───┘ (a local source says absent; failures lead nowhere)
 *
 * - The first value goes out at once; only replacing a confirmed one waits `confirm_ms` (0 by default for values that
 *   an event brought: a public address on the interface, a router's announcement; flapping is slowed by `flap_*`).
 * - A value counts when `quorum` fresh sources of it agree; where fewer answer at all than the quorum asks for, the
 *   confirmed value stays. Order of the config breaks ties; views are not mixed: a router's WAN that is private never
 *   outvotes what the internet sees, it says something about the NAT (agent/detect/nat.h).
 * - Only public addresses are ever a value. Answers of another class are shown and feed nat.h.
 * - DISAGREE keeps the confirmed value and is shown with every source's answer.
 * - A failed detection is not a lost family: only SOURCE_ANSWER_ABSENT of a local source starts LOSING; the null is due
 *   after `hold_ms`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/detect/source.h"

#define FUSION_SOURCES_MAX 16

enum fusion_state {
    FUSION_UNKNOWN,
    FUSION_CONFIRMED,
    FUSION_CHANGING,
    FUSION_DISAGREE,
    FUSION_LOSING,
    FUSION_GONE,
};
#define FUSION_STATES (FUSION_GONE + 1)
const char *fusion_state_name(enum fusion_state state);

struct fusion_source {
    enum source_view view;
    bool counts;       /* its answers vote; else they are shown only */
    uint64_t fresh_ms; /* an older answer does not vote; 0 = until fusion_path_changed */
};

struct fusion_policy {
    unsigned quorum;     /* 1 to FUSION_SOURCES_MAX */
    uint64_t confirm_ms; /* a change of a confirmed value must hold so long */
    uint64_t hold_ms;    /* a family that is gone is retracted after this time */
    /* flapping: more than flap_max confirmed changes within flap_window_ms make the next wait flap_delay_ms */
    unsigned flap_max;
    uint64_t flap_window_ms, flap_delay_ms;
};

struct fusion_vote {
    bool has;
    struct source_answer answer;
    uint64_t at_ms;
};

/** Open value, read freely, written by the functions below only. Sources are in the order of the config. */
struct fusion {
    struct fusion_policy policy;
    struct fusion_source sources[FUSION_SOURCES_MAX];
    size_t sources_len;
    struct fusion_vote votes[FUSION_SOURCES_MAX];
    enum fusion_state state;
    struct ip value;      /* CONFIRMED, CHANGING, DISAGREE, LOSING: what is reported */
    size_t value_source;  /* index of the first source that gave it */
    struct ip candidate;  /* CHANGING */
    uint64_t since_ms;    /* of the state */
    uint64_t deadline_ms; /* when fusion_tick is due; UINT64_MAX = never */
    uint64_t flaps[8];    /* times of the last confirmed changes */
    bool unstable;        /* slowed by flap_* */
};

void fusion_init(struct fusion *fusion, const struct fusion_policy *policy, const struct fusion_source *sources,
                 size_t sources_len, uint64_t now);
/** One answer. @param event an event brought it (netlink, announcement): confirm_ms does not apply.
 *  @return state or value changed. */
bool fusion_answer(struct fusion *fusion, size_t source, const struct source_answer *answer, bool event, uint64_t now);
/** The path is another one (link down and up, other gateway, resume): what was seen from outside is stale, the value
 * stays until something new is known. */
bool fusion_path_changed(struct fusion *fusion, uint64_t now);
bool fusion_tick(struct fusion *fusion, uint64_t now);
