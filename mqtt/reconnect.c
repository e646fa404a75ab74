/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/reconnect.h"

#include "base/macros.h"

/* One move a cell of the table. STAY is an event without meaning in that state. */
enum move {
    STAY,
    RESOLVE,       /* look up the endpoint in use */
    FIRST_ADDRESS, /* of those just found */
    NEXT_ADDRESS,  /* else the next endpoint */
    NEXT_ENDPOINT, /* else wait */
    RISE,          /* the connection stands */
    SETTLE,        /* it stood long enough */
    FALL,          /* it is gone */
    LEAVE,         /* disconnect, then come back */
    LEAVE_FOR_GOOD,
    NUDGE,
    FINISH,
};

/* Columns:            START    RESOLVED       UNRESOLVED     CONNECTED  FAILED        LOST          TIMER AGAIN STOP
 * LEFT */
static const uint8_t MOVES[RECONNECT_STATES_LEN][RECONNECT_EVENTS_LEN] = {
    [RECONNECT_IDLE] = {RESOLVE, STAY, STAY, STAY, STAY, STAY, STAY, STAY, FINISH, STAY},
    [RECONNECT_RESOLVING] = {STAY, FIRST_ADDRESS, NEXT_ENDPOINT, STAY, STAY, STAY, NEXT_ENDPOINT, STAY, FINISH, STAY},
    [RECONNECT_CONNECTING] = {STAY, STAY, STAY, RISE, NEXT_ADDRESS, NEXT_ADDRESS, NUDGE, STAY, FINISH, STAY},
    [RECONNECT_UP] = {STAY, STAY, STAY, STAY, STAY, FALL, SETTLE, LEAVE, LEAVE_FOR_GOOD, STAY},
    [RECONNECT_WAITING] = {STAY, STAY, STAY, STAY, STAY, STAY, RESOLVE, RESOLVE, FINISH, STAY},
    [RECONNECT_LEAVING] = {STAY, STAY, STAY, STAY, STAY, RESOLVE, LEAVE, STAY, LEAVE_FOR_GOOD, RESOLVE},
    [RECONNECT_STOPPING] = {STAY, STAY, STAY, STAY, STAY, FINISH, FINISH, STAY, STAY, FINISH},
    [RECONNECT_STOPPED] = {STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY},
};

const char *reconnect_state_name(enum reconnect_state state)
{
    static const char *const names[] = {
#define X(name) #name,
        RECONNECT_STATES(X)
#undef X
    };
    return (size_t)state < ARRAY_LEN(names) ? names[state] : "?";
}

void reconnect_init(struct reconnect *machine, const struct reconnect_options *options)
{
    assert(options->endpoints_len > 0);
    *machine = (struct reconnect){
        .state = RECONNECT_IDLE,
        .deadline_ms = UINT64_MAX,
        .backoff = {.base_ms = options->backoff_base_ms, .cap_ms = options->backoff_cap_ms},
        .endpoints_len = options->endpoints_len,
        .resolve_ms = options->resolve_ms,
        .connect_ms = options->connect_ms,
        .stable_ms = options->stable_ms,
        .leave_ms = options->leave_ms,
    };
}

static enum reconnect_action enter(struct reconnect *machine, enum reconnect_state state, uint64_t deadline_ms,
                                   enum reconnect_action action)
{
    machine->state = state;
    machine->deadline_ms = deadline_ms;
    return action;
}

static enum reconnect_action resolve(struct reconnect *machine, uint64_t now_ms)
{
    return enter(machine, RECONNECT_RESOLVING, now_ms + machine->resolve_ms, RECONNECT_DO_RESOLVE);
}

static enum reconnect_action wait(struct reconnect *machine, uint64_t now_ms, uint64_t random)
{
    machine->tried = 0;
    return enter(machine, RECONNECT_WAITING, now_ms + backoff_next(&machine->backoff, random), RECONNECT_DO_WAIT);
}

static enum reconnect_action next_endpoint(struct reconnect *machine, uint64_t now_ms, uint64_t random)
{
    machine->endpoint = (machine->endpoint + 1) % machine->endpoints_len;
    machine->tried++;
    return machine->tried < machine->endpoints_len ? resolve(machine, now_ms) : wait(machine, now_ms, random);
}

static enum reconnect_action connect_to(struct reconnect *machine, size_t address, uint64_t now_ms)
{
    machine->address = address;
    return enter(machine, RECONNECT_CONNECTING, now_ms + machine->connect_ms, RECONNECT_DO_CONNECT);
}

enum reconnect_action reconnect_step(struct reconnect *machine, enum reconnect_event event, uint64_t now_ms,
                                     size_t addresses_len, uint64_t random)
{
    assert(event < RECONNECT_EVENTS_LEN && machine->state < RECONNECT_STATES_LEN);
    switch ((enum move)MOVES[machine->state][event]) {
    case STAY:
        return RECONNECT_DO_NOTHING;
    case RESOLVE:
        return resolve(machine, now_ms);
    case FIRST_ADDRESS:
        machine->addresses_len = addresses_len;
        return addresses_len == 0 ? next_endpoint(machine, now_ms, random) : connect_to(machine, 0, now_ms);
    case NEXT_ADDRESS:
        return machine->address + 1 < machine->addresses_len ? connect_to(machine, machine->address + 1, now_ms)
                                                             : next_endpoint(machine, now_ms, random);
    case NEXT_ENDPOINT:
        return next_endpoint(machine, now_ms, random);
    case RISE:
        machine->tried = 0;
        return enter(machine, RECONNECT_UP, now_ms + machine->stable_ms, RECONNECT_DO_UP);
    case SETTLE:
        backoff_reset(&machine->backoff);
        machine->deadline_ms = UINT64_MAX;
        return RECONNECT_DO_NOTHING;
    case FALL:
        return wait(machine, now_ms, random);
    case LEAVE:
        return enter(machine, RECONNECT_LEAVING, now_ms + machine->leave_ms, RECONNECT_DO_DISCONNECT);
    case LEAVE_FOR_GOOD:
        return enter(machine, RECONNECT_STOPPING, now_ms + machine->leave_ms, RECONNECT_DO_DISCONNECT);
    case NUDGE:
        machine->deadline_ms = now_ms + machine->connect_ms;
        return RECONNECT_DO_NUDGE;
    case FINISH:
        return enter(machine, RECONNECT_STOPPED, UINT64_MAX, RECONNECT_DO_FINISH);
    }
    return RECONNECT_DO_NOTHING;
}
