/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/reconnect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static struct reconnect machine_of(size_t endpoints)
{
    struct reconnect machine;
    reconnect_init(&machine, &(struct reconnect_options){.endpoints_len = endpoints,
                                                         .backoff_base_ms = 1000,
                                                         .backoff_cap_ms = 60000,
                                                         .resolve_ms = 30000,
                                                         .connect_ms = 35000,
                                                         .stable_ms = 60000,
                                                         .leave_ms = 3000});
    return machine;
}

/* Brings a fresh machine of two endpoints into a state by legal events at time 0; an endpoint has two addresses. */
static struct reconnect machine_in(enum reconnect_state state)
{
    static const enum reconnect_event ways[RECONNECT_STATES_LEN][5] = {
        [RECONNECT_IDLE] = {RECONNECT_EVENTS_LEN},
        [RECONNECT_RESOLVING] = {RECONNECT_ON_START, RECONNECT_EVENTS_LEN},
        [RECONNECT_CONNECTING] = {RECONNECT_ON_START, RECONNECT_ON_RESOLVED, RECONNECT_EVENTS_LEN},
        [RECONNECT_UP] = {RECONNECT_ON_START, RECONNECT_ON_RESOLVED, RECONNECT_ON_CONNECTED, RECONNECT_EVENTS_LEN},
        [RECONNECT_WAITING] = {RECONNECT_ON_START, RECONNECT_ON_RESOLVED, RECONNECT_ON_CONNECTED, RECONNECT_ON_LOST,
                               RECONNECT_EVENTS_LEN},
        [RECONNECT_LEAVING] = {RECONNECT_ON_START, RECONNECT_ON_RESOLVED, RECONNECT_ON_CONNECTED, RECONNECT_ON_AGAIN,
                               RECONNECT_EVENTS_LEN},
        [RECONNECT_STOPPING] = {RECONNECT_ON_START, RECONNECT_ON_RESOLVED, RECONNECT_ON_CONNECTED, RECONNECT_ON_STOP,
                                RECONNECT_EVENTS_LEN},
        [RECONNECT_STOPPED] = {RECONNECT_ON_STOP, RECONNECT_EVENTS_LEN},
    };
    struct reconnect machine = machine_of(2);
    for (size_t i = 0; ways[state][i] != RECONNECT_EVENTS_LEN; i++) {
        (void)reconnect_step(&machine, ways[state][i], 0, 2, 500);
    }
    assert_int_equal(machine.state, state);
    return machine;
}

#define STAYS(state)                                                                                                   \
    {                                                                                                                  \
        RECONNECT_##state, RECONNECT_DO_NOTHING                                                                        \
    }
#define GOES(state, action)                                                                                            \
    {                                                                                                                  \
        RECONNECT_##state, RECONNECT_DO_##action                                                                       \
    }

static void all_pairs_of_states_and_events(void **unused)
{
    (void)unused;
    /* Written down independently of the module's table, in the order of RECONNECT_EVENTS:
     * START RESOLVED UNRESOLVED CONNECTED FAILED LOST TIMER AGAIN STOP LEFT */
    static const struct {
        enum reconnect_state state;
        enum reconnect_action action;
    } expected[RECONNECT_STATES_LEN][RECONNECT_EVENTS_LEN] = {
        [RECONNECT_IDLE] = {GOES(RESOLVING, RESOLVE), STAYS(IDLE), STAYS(IDLE), STAYS(IDLE), STAYS(IDLE), STAYS(IDLE),
                            STAYS(IDLE), STAYS(IDLE), GOES(STOPPED, FINISH), STAYS(IDLE)},
        [RECONNECT_RESOLVING] = {STAYS(RESOLVING), GOES(CONNECTING, CONNECT), GOES(RESOLVING, RESOLVE),
                                 STAYS(RESOLVING), STAYS(RESOLVING), STAYS(RESOLVING), GOES(RESOLVING, RESOLVE),
                                 STAYS(RESOLVING), GOES(STOPPED, FINISH), STAYS(RESOLVING)},
        [RECONNECT_CONNECTING] = {STAYS(CONNECTING), STAYS(CONNECTING), STAYS(CONNECTING), GOES(UP, UP),
                                  GOES(CONNECTING, CONNECT), GOES(CONNECTING, CONNECT), GOES(CONNECTING, NUDGE),
                                  STAYS(CONNECTING), GOES(STOPPED, FINISH), STAYS(CONNECTING)},
        [RECONNECT_UP] = {STAYS(UP), STAYS(UP), STAYS(UP), STAYS(UP), STAYS(UP), GOES(WAITING, WAIT), STAYS(UP),
                          GOES(LEAVING, DISCONNECT), GOES(STOPPING, DISCONNECT), STAYS(UP)},
        [RECONNECT_WAITING] = {STAYS(WAITING), STAYS(WAITING), STAYS(WAITING), STAYS(WAITING), STAYS(WAITING),
                               STAYS(WAITING), GOES(RESOLVING, RESOLVE), GOES(RESOLVING, RESOLVE),
                               GOES(STOPPED, FINISH), STAYS(WAITING)},
        [RECONNECT_LEAVING] = {STAYS(LEAVING), STAYS(LEAVING), STAYS(LEAVING), STAYS(LEAVING), STAYS(LEAVING),
                               GOES(RESOLVING, RESOLVE), GOES(LEAVING, DISCONNECT), STAYS(LEAVING),
                               GOES(STOPPING, DISCONNECT), GOES(RESOLVING, RESOLVE)},
        [RECONNECT_STOPPING] = {STAYS(STOPPING), STAYS(STOPPING), STAYS(STOPPING), STAYS(STOPPING), STAYS(STOPPING),
                                GOES(STOPPED, FINISH), GOES(STOPPED, FINISH), STAYS(STOPPING), STAYS(STOPPING),
                                GOES(STOPPED, FINISH)},
        [RECONNECT_STOPPED] = {STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED),
                               STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED), STAYS(STOPPED)},
    };
    for (int state = 0; state < RECONNECT_STATES_LEN; state++) {
        for (int event = 0; event < RECONNECT_EVENTS_LEN; event++) {
            struct reconnect machine = machine_in((enum reconnect_state)state);
            enum reconnect_action action = reconnect_step(&machine, (enum reconnect_event)event, 10, 2, 500);
            if (machine.state != expected[state][event].state || action != expected[state][event].action) {
                fail_msg("%s on event %d: %s, action %d", reconnect_state_name((enum reconnect_state)state), event,
                         reconnect_state_name(machine.state), (int)action);
            }
        }
    }
}

/* No state is left without a deadline except those that wait for the owner or stand. */
static void nothing_waits_for_ever(void **unused)
{
    (void)unused;
    for (int state = 0; state < RECONNECT_STATES_LEN; state++) {
        struct reconnect machine = machine_in((enum reconnect_state)state);
        bool idle = state == RECONNECT_IDLE || state == RECONNECT_STOPPED;
        assert_int_equal(machine.deadline_ms == UINT64_MAX, idle);
    }
}

static void every_address_of_every_endpoint_is_tried_before_a_wait(void **unused)
{
    (void)unused;
    struct reconnect machine = machine_of(2);
    assert_int_equal(reconnect_step(&machine, RECONNECT_ON_START, 0, 0, 0), RECONNECT_DO_RESOLVE);
    for (size_t endpoint = 0; endpoint < 2; endpoint++) {
        assert_int_equal(machine.endpoint, endpoint);
        assert_int_equal(reconnect_step(&machine, RECONNECT_ON_RESOLVED, 1, 3, 0), RECONNECT_DO_CONNECT);
        for (size_t address = 0; address < 3; address++) {
            assert_int_equal(machine.address, address);
            enum reconnect_action expected = address < 2     ? RECONNECT_DO_CONNECT
                                             : endpoint == 0 ? RECONNECT_DO_RESOLVE
                                                             : RECONNECT_DO_WAIT;
            assert_int_equal(reconnect_step(&machine, RECONNECT_ON_FAILED, 2, 0, 700), expected);
        }
    }
    assert_int_equal(machine.deadline_ms, 702); /* 700 of at most 1000 */
    assert_int_equal(reconnect_step(&machine, RECONNECT_ON_TIMER, 702, 0, 0), RECONNECT_DO_RESOLVE);
    assert_int_equal(machine.endpoint, 0);
    assert_int_equal(reconnect_step(&machine, RECONNECT_ON_RESOLVED, 703, 0, 0), RECONNECT_DO_RESOLVE);
    assert_int_equal(machine.endpoint, 1); /* a name without addresses counts as unresolved */
}

/* Waits are uniform below a bound that doubles up to the cap, and start over only after a stable connection. */
static void waits_grow_with_full_jitter_until_it_was_stable(void **unused)
{
    (void)unused;
    struct reconnect machine = machine_of(1);
    (void)reconnect_step(&machine, RECONNECT_ON_START, 0, 0, 0);
    static const uint64_t bounds[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        struct reconnect copy = machine;
        uint64_t longest = 0;
        for (uint64_t random = 0; random < 1000; random++) {
            machine = copy;
            (void)reconnect_step(&machine, RECONNECT_ON_UNRESOLVED, 5, 0, random * UINT64_C(0x9E3779B97F4A7C15));
            assert_int_equal(machine.state, RECONNECT_WAITING);
            longest = MAX(longest, machine.deadline_ms - 5);
        }
        assert_true(longest <= bounds[i] && longest > bounds[i] * 9 / 10);
        (void)reconnect_step(&machine, RECONNECT_ON_TIMER, machine.deadline_ms, 0, 0);
    }
    (void)reconnect_step(&machine, RECONNECT_ON_RESOLVED, 0, 1, 0);
    (void)reconnect_step(&machine, RECONNECT_ON_CONNECTED, 0, 0, 0);
    struct reconnect flapping = machine;
    (void)reconnect_step(&flapping, RECONNECT_ON_LOST, 59999, 0, 0);
    assert_true(flapping.backoff.attempt > 1);
    assert_int_equal(reconnect_step(&machine, RECONNECT_ON_TIMER, 60000, 0, 0), RECONNECT_DO_NOTHING);
    (void)reconnect_step(&machine, RECONNECT_ON_LOST, 60001, 0, 0);
    assert_int_equal(machine.backoff.attempt, 1);
}

static void an_attempt_that_hangs_is_nudged_again_and_again(void **unused)
{
    (void)unused;
    struct reconnect machine = machine_in(RECONNECT_CONNECTING);
    for (uint64_t now = 35000; now < 400000; now = machine.deadline_ms) {
        assert_int_equal(machine.deadline_ms, now);
        assert_int_equal(reconnect_step(&machine, RECONNECT_ON_TIMER, now, 0, 0), RECONNECT_DO_NUDGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs_of_states_and_events),
        cmocka_unit_test(nothing_waits_for_ever),
        cmocka_unit_test(every_address_of_every_endpoint_is_tried_before_a_wait),
        cmocka_unit_test(waits_grow_with_full_jitter_until_it_was_stable),
        cmocka_unit_test(an_attempt_that_hangs_is_nudged_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
