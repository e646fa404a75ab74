/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/enrol_device.h"

#include <assert.h>

#include "base/backoff.h"
#include "base/macros.h"

#define MS_PER_S       1000u
#define SPREAD_PERCENT 50 /* a warehouse whose power came back asks all at once */

/* One move a cell of the table. STAY is an event without meaning in that state. */
enum move {
    STAY,
    CONNECT,
    GREET,
    DROP,  /* the connection is gone; whoever made it makes another */
    ASK,   /* a nonce came */
    AGAIN, /* the timer: repeat, or give the attempt up */
    TAKE,  /* a certificate came */
    REFUSED,
    TELL, /* it is on the disk */
    FAIL, /* it is not */
    FINISH,
};

/* Columns: START CONNECTED DISCONNECTED NONCE CERT NO STORED UNSTORED DELIVERED TIMER */
static const uint8_t MOVES[ENROL_DEVICE_STATES_LEN][ENROL_DEVICE_EVENTS_LEN] = {
    [ENROL_DEVICE_IDLE] = {CONNECT, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY},
    [ENROL_DEVICE_OFFLINE] = {STAY, GREET, STAY, STAY, STAY, STAY, STAY, STAY, STAY, AGAIN},
    [ENROL_DEVICE_GREETING] = {STAY, GREET, DROP, ASK, STAY, REFUSED, STAY, STAY, STAY, AGAIN},
    [ENROL_DEVICE_ASKING] = {STAY, GREET, DROP, STAY, TAKE, REFUSED, STAY, STAY, STAY, AGAIN},
    [ENROL_DEVICE_STORING] = {STAY, STAY, DROP, STAY, STAY, STAY, TELL, FAIL, STAY, STAY},
    [ENROL_DEVICE_CONFIRMING] = {STAY, STAY, FINISH, STAY, STAY, STAY, STAY, STAY, FINISH, FINISH},
    [ENROL_DEVICE_WAITING] = {STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, CONNECT},
    [ENROL_DEVICE_DONE] = {STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY},
};

const char *enrol_device_state_text(enum enrol_device_state state)
{
    static const char *const texts[ENROL_DEVICE_STATES_LEN] = {
        "idle", "offline", "greeting", "asking", "storing", "confirming", "waiting", "done",
    };
    return texts[state];
}

void enrol_device_init(struct enrol_device *machine)
{
    *machine = (struct enrol_device){.state = ENROL_DEVICE_IDLE, .deadline_ms = ENROL_DEVICE_NEVER};
}

static struct enrol_device_actions begin(struct enrol_device *machine, uint64_t now, uint64_t random)
{
    machine->state = ENROL_DEVICE_OFFLINE;
    machine->give_up_ms = now + backoff_jitter(ENROL_DEVICE_GIVE_UP_MS, SPREAD_PERCENT, random);
    machine->deadline_ms = machine->give_up_ms;
    return (struct enrol_device_actions){.connect = true};
}

/* A request of state @p state goes out, now and until it is answered. */
static struct enrol_device_actions request(struct enrol_device *machine, enum enrol_device_state state, uint64_t now,
                                           uint64_t random)
{
    machine->repeats = state == machine->state ? machine->repeats + 1 : 0;
    machine->state = state;
    uint64_t wait = (uint64_t)ENROL_DEVICE_REPEAT_FIRST_MS << MIN(machine->repeats, 8u);
    machine->deadline_ms = now + backoff_jitter(MIN(wait, ENROL_DEVICE_REPEAT_MAX_MS), SPREAD_PERCENT, random);
    return (struct enrol_device_actions){.send = state == ENROL_DEVICE_GREETING ? ENROL_DEVICE_SEND_HELLO
                                                                                : ENROL_DEVICE_SEND_CSR};
}

static struct enrol_device_actions fail(struct enrol_device *machine, uint64_t least_ms, uint64_t now, uint64_t random)
{
    uint64_t wait = (uint64_t)ENROL_DEVICE_WAIT_FIRST_MS << MIN(machine->failures, 8u);
    wait = MAX(MIN(wait, ENROL_DEVICE_WAIT_MAX_MS), least_ms);
    machine->failures++;
    machine->state = ENROL_DEVICE_WAITING;
    machine->connected = false;
    machine->deadline_ms = now + wait + random % (wait / 2 + 1); /* never sooner than was asked for */
    return (struct enrol_device_actions){.leave = true};
}

static struct enrol_device_actions refused(struct enrol_device *machine, const struct enrol_device_event *event,
                                           uint64_t now, uint64_t random)
{
    uint64_t asked_ms = (uint64_t)event->retry_after_s * MS_PER_S;
    if (event->soon) { /* no fault of anybody: the next attempt is the first one again */
        machine->failures = 0;
        machine->state = ENROL_DEVICE_WAITING;
        asked_ms = MAX(asked_ms, MS_PER_S);
        machine->deadline_ms = now + asked_ms + random % (asked_ms / 2 + 1);
        return (struct enrol_device_actions){.leave = true};
    }
    return fail(machine, MAX(asked_ms, ENROL_DEVICE_REFUSED_MS), now, random);
}

static struct enrol_device_actions repeat(struct enrol_device *machine, uint64_t now, uint64_t random)
{
    if (now < machine->deadline_ms) {
        return (struct enrol_device_actions){0};
    }
    if (machine->state == ENROL_DEVICE_OFFLINE || now >= machine->give_up_ms) {
        return fail(machine, 0, now, random);
    }
    bool fresh = now + ENROL_DEVICE_NONCE_SPARE_MS < machine->nonce_until_ms;
    bool asking = machine->state == ENROL_DEVICE_ASKING && fresh;
    return request(machine, asking ? ENROL_DEVICE_ASKING : ENROL_DEVICE_GREETING, now, random);
}

static struct enrol_device_actions tell(struct enrol_device *machine, uint64_t now)
{
    machine->failures = 0;
    if (!machine->connected) {
        machine->state = ENROL_DEVICE_DONE;
        machine->deadline_ms = ENROL_DEVICE_NEVER;
        return (struct enrol_device_actions){.leave = true, .done = true};
    }
    machine->state = ENROL_DEVICE_CONFIRMING;
    machine->deadline_ms = now + ENROL_DEVICE_CONFIRM_MS;
    return (struct enrol_device_actions){.send = ENROL_DEVICE_SEND_STORED};
}

static struct enrol_device_actions drop(struct enrol_device *machine)
{
    machine->connected = false;
    if (machine->state != ENROL_DEVICE_STORING) {
        machine->state = ENROL_DEVICE_OFFLINE;
        machine->deadline_ms = machine->give_up_ms;
    }
    return (struct enrol_device_actions){0};
}

static struct enrol_device_actions move(struct enrol_device *machine, const struct enrol_device_event *event,
                                        uint64_t now, uint64_t random)
{
    switch ((enum move)MOVES[machine->state][event->kind]) {
    case STAY:
        break;
    case CONNECT:
        return event->kind == ENROL_DEVICE_EV_TIMER && now < machine->deadline_ms ? (struct enrol_device_actions){0}
                                                                                  : begin(machine, now, random);
    case GREET:
        machine->connected = true;
        return request(machine, ENROL_DEVICE_GREETING, now, random);
    case DROP:
        return drop(machine);
    case ASK:
        machine->nonce_until_ms = now + (uint64_t)event->expires_s * MS_PER_S;
        return request(machine, ENROL_DEVICE_ASKING, now, random);
    case AGAIN:
        return repeat(machine, now, random);
    case TAKE:
        machine->state = ENROL_DEVICE_STORING;
        machine->deadline_ms = ENROL_DEVICE_NEVER;
        return (struct enrol_device_actions){.store = true};
    case REFUSED:
        return refused(machine, event, now, random);
    case TELL:
        return tell(machine, now);
    case FAIL:
        return fail(machine, 0, now, random);
    case FINISH:
        if (event->kind == ENROL_DEVICE_EV_TIMER && now < machine->deadline_ms) {
            break;
        }
        machine->state = ENROL_DEVICE_DONE;
        machine->deadline_ms = ENROL_DEVICE_NEVER;
        return (struct enrol_device_actions){.leave = true, .done = true};
    }
    return (struct enrol_device_actions){0};
}

struct enrol_device_actions enrol_device_step(struct enrol_device *machine, const struct enrol_device_event *event,
                                              uint64_t now, uint64_t random)
{
    assert(machine->state < ENROL_DEVICE_STATES_LEN && event->kind < ENROL_DEVICE_EVENTS_LEN);
    return move(machine, event, now, random);
}

uint64_t enrol_device_deadline(const struct enrol_device *machine)
{
    return machine->deadline_ms;
}
