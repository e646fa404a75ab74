/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * enrol_device: what a device does next on its way to a certificate, over the broker for provisioning. A pure step
 * machine: no clock, no random, no socket, no disk; the shell (agent/enrolment.c) feeds events and carries out the
 * actions.
 *
 *        START            CONNECTED            NONCE             CERT             STORED
 *   IDLE ─────▶ OFFLINE ────────────▶ GREETING ─────▶ ASKING ─────────▶ STORING ────────▶ CONFIRMING ─────▶ DONE
 *                ▲  ▲ │                │ ▲ │ ▲         │  │ │              │          DELIVERED, DISCONNECTED
 *                │  └─┼─ DISCONNECTED ─┘ │ └─┼─────────┘  │ │              │ UNSTORED      or 5 s
 *                │    │       repeat     └───┘ stale nonce│ │              │
 *          TIMER │    │ give_up_ms            NO          │ │ NO           │
 *                └────┴───────────── WAITING ◀────────────┴─┴──────────────┘
 *
 * Whatever is lost is repeated: a request after 10 s, then with doubling waits, and from the hello on when the nonce
 * has grown old or the connection was made anew. What comes twice is taken once. The answer is always the same, since
 * the key that is certified stays the same until its certificate is on the disk; so every step may be cut off anywhere.
 *
 * WAITING ends an attempt: the connection is left, the next one begins with a client id of its own. Who also has a core
 * broker to try does that meanwhile.
 */
#include <stdbool.h>
#include <stdint.h>

#define ENROL_DEVICE_STATES(X) X(IDLE) X(OFFLINE) X(GREETING) X(ASKING) X(STORING) X(CONFIRMING) X(WAITING) X(DONE)
#define ENROL_DEVICE_EVENTS(X)                                                                                         \
    X(START) X(CONNECTED) X(DISCONNECTED) X(NONCE) X(CERT) X(NO) X(STORED) X(UNSTORED) X(DELIVERED) X(TIMER)

enum enrol_device_state {
#define X(name) ENROL_DEVICE_##name,
    ENROL_DEVICE_STATES(X)
#undef X
        ENROL_DEVICE_STATES_LEN
};

enum enrol_device_event_kind {
#define X(name) ENROL_DEVICE_EV_##name,
    ENROL_DEVICE_EVENTS(X)
#undef X
        ENROL_DEVICE_EVENTS_LEN
};

const char *enrol_device_state_text(enum enrol_device_state state); /* "offline", ...; static storage */

struct enrol_device_event {
    enum enrol_device_event_kind kind;
    uint32_t expires_s;     /* NONCE: good for so long */
    bool soon;              /* NO: the provisioner is busy; else something has to change first */
    uint32_t retry_after_s; /* NO: its own wish; 0: none */
};

enum enrol_device_send {
    ENROL_DEVICE_SEND_NOTHING,
    ENROL_DEVICE_SEND_HELLO,
    ENROL_DEVICE_SEND_CSR, /* with the last nonce; after a trouble, where there is one to tell */
    ENROL_DEVICE_SEND_STORED,
};

/** What the shell does, in this order. All false: nothing. */
struct enrol_device_actions {
    bool store; /* the certificate that just came; then feed STORED or UNSTORED */
    enum enrol_device_send send;
    bool leave;   /* drop the connection for good */
    bool connect; /* make one, with a fresh client id; feed CONNECTED once the answers are subscribed */
    bool done;    /* the certificate is on the disk, and that was told as well as it could be */
};

#define ENROL_DEVICE_REPEAT_FIRST_MS 10000
#define ENROL_DEVICE_REPEAT_MAX_MS   120000
#define ENROL_DEVICE_GIVE_UP_MS      900000 /* an attempt without an answer */
#define ENROL_DEVICE_CONFIRM_MS      5000
#define ENROL_DEVICE_NONCE_SPARE_MS  5000  /* a nonce this near its end may be too old on arrival */
#define ENROL_DEVICE_WAIT_FIRST_MS   60000 /* after a failed attempt; doubled up to the next */
#define ENROL_DEVICE_WAIT_MAX_MS     3600000
#define ENROL_DEVICE_REFUSED_MS                                                                                        \
    600000 /* after a refusal at least; nobody is waiting for an answer that comes sooner                              \
            */
#define ENROL_DEVICE_NEVER UINT64_MAX

/** A value; times are the caller's monotonic milliseconds. Written by the functions below only. */
struct enrol_device {
    enum enrol_device_state state;
    bool connected;
    uint64_t nonce_until_ms;
    uint64_t give_up_ms;  /* OFFLINE to ASKING: the attempt ends */
    uint64_t deadline_ms; /* of what the state waits for */
    unsigned repeats;     /* of the request under way */
    unsigned failures;    /* attempts in a row */
};

void enrol_device_init(struct enrol_device *machine);

/** Takes one event; one that means nothing in a state changes nothing. @param now monotonic ms, never behind an earlier
 * call. @param random fresh, uniform. */
struct enrol_device_actions enrol_device_step(struct enrol_device *machine, const struct enrol_device_event *event,
                                              uint64_t now, uint64_t random);

/** When TIMER is due; ENROL_DEVICE_NEVER when nothing is. */
uint64_t enrol_device_deadline(const struct enrol_device *machine);
