/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * report: when a device says what, and when the coordinator has heard it. A pure step function: no clock, no random, no
 * socket; the shell (agent/agent.c) feeds events and carries out the actions.
 *
 *              connected: birth (seq+1); with hold_ms: HELD, then birth
 *   OFFLINE ───────────────────────────▶ WAITING ──── ack of (boot, seq) ───▶ ACKED ─┐ heartbeat, hourly +-10 %,
 *      ▲                                  │  ▲ │ ▲                             │     │ the same pair again
 *      │ disconnected                repeat  │ │ └──── change (seq+1) ─────────┘ ◀───┘
 *      └───── from every state       5 s to  │ └──▶ UNREGISTERED: the same, but repeated hourly only
 *                                    15 min ─┘
 *   stop: publishes "off" (seq+1) when connected, then STOPPED, from where nothing leads.
 *
 * (boot, seq) orders the states of a device. seq rises on each change of content, each new connection and each
 * request of a person, which is to be answered; repeats and heartbeats carry the pair again. conn counts connection
 * attempts: (boot, conn) ties the will `gone` to its birth. An answer with a pair above our own means that the
 * coordinator knows a later life of this device (re-flashed, restored): boot = max(own, acked) + 1 is stored first,
 * then the connection is made anew, so that will and birth carry it both.
 *
 * Every message is the whole state, so any one that goes out serves all that was due. A first change goes out at once;
 * only what follows within `window_ms` of a change already sent (DAD, renewals, a second family) is joined into one.
 *
 * HELD: connected, but what stands between this device and the internet is being asked for, and the birth would show
 * the broker's view of a path that may have no way in. Nothing is said until that is known, hold_ms at most.
 *
 * A family that this process never had becomes an explicit null when the hold ends. That is no change worth a message
 * (a fleet that starts would send everything twice): it goes out with the next one, the heartbeat at the latest, where
 * it still takes back what an earlier life of the device had published.
 *
 * Lifetimes of prefixes tick, which is no change: each message has what is left as it goes out. The coordinator drops a
 * further prefix when the time that it was told has passed. So one that is refreshed meanwhile is told again as a
 * change when half of that time is over, unless a message went out anyway.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/addresses.h"

enum report_state {
    REPORT_OFFLINE,
    REPORT_HELD,         /* connected, the birth is put off */
    REPORT_WAITING,      /* connected, the pair is not acknowledged */
    REPORT_ACKED,        /* the coordinator holds the pair durably */
    REPORT_UNREGISTERED, /* the coordinator does not know this device */
    REPORT_STOPPED,
};
#define REPORT_STATES (REPORT_STOPPED + 1)
const char *report_state_text(enum report_state state);

enum report_event_kind {
    REPORT_EV_CHANGED, /* the address set was computed anew; may equal the old one */
    REPORT_EV_ATTEMPT, /* a connection is about to be tried: a fresh conn is due */
    REPORT_EV_CONNECTED,
    REPORT_EV_SETTLED,      /* what the birth was put off for is known */
    REPORT_EV_DISCONNECTED, /* also for a failed attempt */
    REPORT_EV_ANSWER,       /* a `dns` message came */
    REPORT_EV_TIMER,        /* report_deadline has passed (or not: a spurious timer does nothing) */
    REPORT_EV_SYNC,         /* the coordinator asks all for a report within a window */
    REPORT_EV_REQUEST,      /* a person asks for a report now */
    REPORT_EV_STOP,
};
#define REPORT_EVENTS (REPORT_EV_STOP + 1)

struct report_event {
    enum report_event_kind kind;
    const struct address_set *addresses; /* CHANGED; borrowed for the step */
    struct {
        bool has_ack;
        uint32_t boot, seq;
        bool unregistered;  /* error "unregistered" */
        bool retained;      /* from the broker's store: the pair counts, an old "unregistered" does not */
    } answer;               /* ANSWER */
    uint32_t sync_window_s; /* SYNC */
    uint64_t hold_ms;       /* CONNECTED: the birth waits for SETTLED, so long at most; 0 = it goes out at once */
};

/** What the shell does, in this order. All false and NULL: nothing. */
struct report_actions {
    bool persist_boot; /* store report->boot before anything else goes out */
    bool publish;      /* the whole state with report->{boot,conn,seq} and report->published */
    const char *why;   /* of the publish: "birth", "change", "repeat", "heartbeat", "sync", "request", "stop"; static */
    bool off;          /* the publish says "off" */
    bool reconnect;    /* drop the connection and make a new one */
    bool stopped;      /* end the session now (after what was published) */
};

/** Milliseconds. */
struct report_timing {
    uint64_t heartbeat_ms; /* 1 h, spread by +-10 % */
    uint64_t window_ms;    /* changes after a change are joined for this long */
    uint64_t
        repeat_first_ms; /* first repeat of an unacknowledged state, doubled up to repeat_max_ms, spread by +-50 % */
    uint64_t repeat_max_ms;
};
#define REPORT_TIMING_DEFAULT                                                                                          \
    ((struct report_timing){                                                                                           \
        .heartbeat_ms = 3600000, .window_ms = 1000, .repeat_first_ms = 20000, .repeat_max_ms = 900000})

#define REPORT_REPEAT_PERCENT 50 /* spread of a repeat */
#define REPORT_NEVER          UINT64_MAX

/** A value; times are the caller's monotonic milliseconds. Read freely, written by the functions below only. */
struct report {
    struct report_timing timing;
    enum report_state state;
    uint32_t boot, conn, seq;
    struct address_set current;   /* what the interfaces say */
    struct address_set published; /* what was last handed to the broker */
    bool had4, had6, had_prefix6; /* it was set at some time since start */
    bool changed_before;          /* a change went out at changed_ms */
    uint64_t changed_ms;
    bool raised_before; /* boot was raised by an answer at raised_ms */
    uint64_t raised_ms;
    unsigned repeats;      /* of this pair */
    uint64_t birth_at_ms;  /* HELD: when it goes out whatever is known */
    uint64_t settle_at_ms; /* a change that waits for the end of the window */
    uint64_t repeat_at_ms;
    uint64_t heartbeat_at_ms;
    uint64_t sync_at_ms;
    uint64_t renew_at_ms;       /* a prefix lives longer than was told */
    uint64_t sent_ms, acked_ms; /* 0 = never in this process */
};

void report_init(struct report *report, uint32_t boot, const struct report_timing *timing);

/** Takes one event. @param now monotonic ms, never behind an earlier call. @param random fresh, uniform. */
struct report_actions report_step(struct report *report, const struct report_event *event, uint64_t now,
                                  uint64_t random);

/** Another timing from now on (reload): what is armed comes sooner where it now would, never later. */
void report_retime(struct report *report, const struct report_timing *timing, uint64_t now, uint64_t random);

/** When REPORT_EV_TIMER is due; REPORT_NEVER when nothing is. */
uint64_t report_deadline(const struct report *report);
