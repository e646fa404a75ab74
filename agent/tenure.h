/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * tenure: how a device keeps its identity while it runs: when it asks for the next certificate, what it does with a new
 * one, and when it gives up on the core broker and goes back to be enrolled again. A pure step function: no clock, no
 * random, no socket, no disk; the shell (agent/renewal.c) feeds events and carries out the actions.
 *
 *                        renewal is due: ask, again and again       a certificate came and is stored
 *     PROVEN, connected ──────────────────────────────────▶ asking ────────────────────────────▶ ON TRIAL: connect with
 * it ▲    ▲                                                                                   │        │ │    └──
 * connected: promote ─────────────────────────────────────────────────────────────┘        │ └─────── refused three
 * times: back to the one before; the next is asked for after an hour ────────┘
 *
 *     refused three times, and nothing to go back to: recover, that is, be enrolled again with the device's own key;
 *     never more often than every 10 minutes, doubling up to 6 hours while it does not help.
 *
 * Refused means that the broker said so, or that one of the two did not accept the other's certificate. Silence says
 * nothing about an identity and is never counted: a whole fleet may be waiting for its broker.
 */
#include <stdbool.h>
#include <stdint.h>

enum tenure_event_kind {
    TENURE_EV_CONNECTED,
    TENURE_EV_DISCONNECTED, /* for any other reason than the next */
    TENURE_EV_REFUSED,
    TENURE_EV_TIMER,
    TENURE_EV_CERT,   /* the answer to a renewal */
    TENURE_EV_NO,     /* the other answer */
    TENURE_EV_STORED, /* the certificate is on the disk, on trial */
    TENURE_EV_UNSTORED,
    TENURE_EV_ENDED, /* an enrolment is over, one way or the other */
};
#define TENURE_EVENTS (TENURE_EV_ENDED + 1)

struct tenure_event {
    enum tenure_event_kind kind;
    uint32_t retry_after_s; /* NO */
    bool on_trial;          /* ENDED: with a new certificate */
};

/** What the shell does. All false: nothing. */
struct tenure_actions {
    bool promote;
    bool go_back; /* to the version before the one on trial; then connect with that */
    bool ask;     /* send a renewal with a cid of its own */
    bool store;   /* the certificate that came; then feed STORED or UNSTORED */
    bool change;  /* connect with the version on trial */
    bool recover; /* end the session and enrol; then feed ENDED */
};

#define TENURE_REFUSALS         3
#define TENURE_SPREAD_PERCENT   10 /* of the life before renewal, by the device's id */
#define TENURE_ASK_FIRST_MS     30000
#define TENURE_ASK_MAX_MS       3600000
#define TENURE_REFUSED_MS       3600000 /* a renewal that was refused, or of no use */
#define TENURE_RECOVER_FIRST_MS 600000
#define TENURE_RECOVER_MAX_MS   21600000
#define TENURE_LOOK_MS          21600000 /* wall time may step: it is looked at this often */
#define TENURE_NEVER            UINT64_MAX

/** A value; times are monotonic milliseconds, but for renew_ms. Written by the functions below only. */
struct tenure {
    bool connected, on_trial, may_return;
    unsigned refusals;
    unsigned asked; /* renewals without an answer */
    bool asking;
    uint64_t ask_ms;     /* not before */
    int64_t renew_ms;    /* wall */
    unsigned recoveries; /* in a row */
    uint64_t recover_ms; /* not before */
    uint64_t look_ms;    /* the timer */
};

void tenure_init(struct tenure *tenure);

/** The identity in use from now on. @param id spreads the renewals of a fleet. @param from_ms, renew_ms wall: begin of
 * the certificate, and when its next is due by the provisioner's word. @param may_return there is one before it. */
void tenure_identity(struct tenure *tenure, const char *id, int64_t from_ms, int64_t renew_ms, bool on_trial,
                     bool may_return);

/** @param now monotonic ms. @param wall_ms wall clock, never below the floor. @param random fresh, uniform. */
struct tenure_actions tenure_step(struct tenure *tenure, const struct tenure_event *event, uint64_t now,
                                  int64_t wall_ms, uint64_t random);

/** When TENURE_EV_TIMER is due; TENURE_NEVER when nothing is. */
uint64_t tenure_deadline(const struct tenure *tenure);
