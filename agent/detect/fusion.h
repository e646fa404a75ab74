/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * fusion: from many answers to one address, for one family of one uplink. A pure step function with the caller's
 * monotonic clock; wall time never enters.
 *
 *            a value has the quorum                another one has it for its wait
 *   UNKNOWN ────────────────────────▶ CONFIRMED ◀───────────────────────────────── CHANGING
 *      ▲                               │ │ ▲ ▲ └───── another value has the quorum ──▶ │
 *      │ nothing is claimed any more,  │ │ │ └───────── it lost it, or the old has it ──┘
 *      │ or the value is disproved     │ │ └── one has it, or no two differ ── DISAGREE
 *      │                               │ └──── none has it, two or more differ ───▶
 *     GONE ◀──── after hold_ms ──── LOSING ◀── the interface says that the family is absent, and nobody else sees it
 *
 * Every state can follow every other within these rules (a first value from DISAGREE, LOSING or GONE, ...).
 *
 * - A source stands for the last address that it answered, as long as that is fresh. Only public addresses of the
 *   family are stood for: another class withdraws what the source said before, is shown, and says something about the
 *   NAT (agent/detect/nat.h); so a router's private WAN never outvotes what the internet sees. An address of another
 *   family is a failure.
 * - A failure says nothing: what the source said before stands until it is stale. A source whose answers do not age
 *   (fresh_ms 0: it speaks by events) withdraws with it: "I no longer know".
 * - A value has the quorum when `quorum` sources or more stand for it. Of several that have it the one counts that
 *   the first source of the config stands for; that the others differ is `disputed`.
 * - When the value becomes another one, older answers from outside that age and differ from it no longer stand: they
 *   saw the time before.
 * - The first value goes out at once. Another value waits `confirm_ms`, unless an event brought it (a public address on
 *   the interface, a router's announcement, a new connection at the broker) or the path changed since the last one.
 * - While fewer stand for anything than the quorum asks for, the confirmed value stays, except when it is disproved:
 *   the interface or router that said it says another address now, nobody stands for it and nothing else has the
 *   quorum. Then nothing is known.
 * - Two egress addresses that alternate (a pool of a carrier's NAT): after `flap_max` changes within the window each
 *   further one waits `flap_delay_ms`, so a value must hold that long; `unstable` until a window passes in which no
 *   value changed and no candidate came and went.
 * - DISAGREE keeps the value (which may be none yet) and is shown with every source's answer.
 * - A failed detection is not a lost family: only SOURCE_ANSWER_ABSENT of a local source, or fusion_absence, while
 * nobody stands for an address, starts LOSING; what was seen from outside before the absence does not count. The null
 * is due after `hold_ms`. agent/addresses.h has a hold of its own before it says null at all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/detect/source.h"

#define FUSION_SOURCES_MAX 16
#define FUSION_FLAPS_MAX   8

enum fusion_state {
    FUSION_UNKNOWN,
    FUSION_CONFIRMED,
    FUSION_CHANGING,
    FUSION_DISAGREE,
    FUSION_LOSING,
    FUSION_GONE,
};
#define FUSION_STATES (FUSION_GONE + 1)
const char *fusion_state_name(enum fusion_state state); /* "unknown", "confirmed", ...: static storage */

struct fusion_source {
    enum source_view view;
    bool counts; /* its answers vote; else they are shown only */
    uint64_t
        fresh_ms; /* an older answer does not vote; 0 = until withdrawn (or fusion_path_changed, seen from outside) */
};

struct fusion_policy {
    unsigned quorum;     /* 1 to FUSION_SOURCES_MAX; 0 counts as 1 */
    uint64_t confirm_ms; /* a change of a confirmed value must hold so long */
    uint64_t hold_ms;    /* a family that is gone is retracted after this time */
    /* flapping: flap_max changes within flap_window_ms make the next wait flap_delay_ms. At most FUSION_FLAPS_MAX;
     * 0 = never slowed */
    unsigned flap_max;
    uint64_t flap_window_ms, flap_delay_ms;
};

struct fusion_vote {
    bool has;
    struct source_answer answer; /* the last one, for people: failures too */
    uint64_t at_ms;
    struct ip ip; /* what the source stands for; IP_NONE = nothing */
    uint64_t ip_ms;
    struct ip said; /* the last address that it stood for, withdrawn or not */
    bool absent;    /* local source: its last word is that there is none */
};

/** Open value, read freely, written by the functions below only. Sources are in the order of the config. */
struct fusion {
    uint8_t family; /* enum ip_family */
    struct fusion_policy policy;
    struct fusion_source sources[FUSION_SOURCES_MAX];
    size_t sources_len;
    struct fusion_vote votes[FUSION_SOURCES_MAX];
    enum fusion_state state;
    struct ip value;     /* what is reported; IP_NONE in UNKNOWN and GONE, and in DISAGREE, LOSING before a first one */
    size_t value_source; /* index of the first source that stood for it when it was confirmed */
    struct ip candidate; /* CHANGING */
    uint64_t since_ms;   /* of the state; in CHANGING of the candidate */
    uint64_t due_ms;     /* CHANGING, LOSING: when it ends; else UINT64_MAX */
    uint64_t deadline_ms;             /* when fusion_tick is due; UINT64_MAX = never */
    uint64_t flaps[FUSION_FLAPS_MAX]; /* times of the last changes, oldest first */
    size_t flaps_len;
    bool unstable;  /* slowed by flap_* */
    bool disputed;  /* CONFIRMED, while a fresh vote says otherwise */
    bool moved;     /* the path changed and nothing was confirmed since */
    bool disproved; /* who said the value says another one now, and nobody stands for it */
    bool absent;    /* fusion_absence */
};

/** @param sources copied; at most FUSION_SOURCES_MAX, what is beyond does not vote. */
void fusion_init(struct fusion *fusion, enum ip_family family, const struct fusion_policy *policy,
                 const struct fusion_source *sources, size_t sources_len, uint64_t now);
/** Takes over what @p old, of the same family, knows, with its times: another config does not make an answer younger.
 * The value stays unless nobody of the new sources stood for it. @param from of each source its index in @p old;
 * SIZE_MAX where it is new. */
void fusion_adopt(struct fusion *fusion, const struct fusion *old, const size_t *from, uint64_t now);
/** One answer. @param event an event brought it (netlink, announcement, connection): confirm_ms does not apply.
 *  @return what is shown or reported changed: state, value, unstable or disputed. */
bool fusion_answer(struct fusion *fusion, size_t source, const struct source_answer *answer, bool event, uint64_t now);
/** The path is another one (link down and up, other gateway, resume): what was seen from outside is stale, the value
 * stays until something new is known, and that goes out at once. What the interface said stands. */
bool fusion_path_changed(struct fusion *fusion, uint64_t now);
/** The interface has no address of the family, or has one again: what an absent answer of a local source says, where
 * the config may have no such source, or one that is only shown. */
bool fusion_absence(struct fusion *fusion, bool absent, uint64_t now);
/** Time passed; early calls do nothing. */
bool fusion_tick(struct fusion *fusion, uint64_t now);

/** How a source's last answer counts now, for people: "agrees", "differs", "counts" (no value yet), "stale",
 *  "not public", "failed", "absent", "shown only", or "none" when it never answered. Static storage. */
const char *fusion_verdict(const struct fusion *fusion, size_t source, uint64_t now);
