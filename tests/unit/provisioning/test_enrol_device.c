/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/enrol_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RANDOM    0 /* the least of every spread */
#define EXPIRES_S 60

static struct enrol_device machine;
static uint64_t now;

static struct enrol_device_actions feed_event(const struct enrol_device_event *event)
{
    return enrol_device_step(&machine, event, now, RANDOM);
}

static struct enrol_device_actions feed(enum enrol_device_event_kind kind)
{
    return feed_event(&(struct enrol_device_event){.kind = kind, .expires_s = EXPIRES_S});
}

static bool nothing(struct enrol_device_actions actions)
{
    return !actions.store && actions.send == ENROL_DEVICE_SEND_NOTHING && !actions.leave && !actions.connect &&
           !actions.done;
}

/* The timer of the state, when it is due. */
static struct enrol_device_actions wait_out(void)
{
    assert_true(enrol_device_deadline(&machine) != ENROL_DEVICE_NEVER);
    now = enrol_device_deadline(&machine);
    return feed(ENROL_DEVICE_EV_TIMER);
}

static int set_up(void **state)
{
    (void)state;
    now = 1000;
    enrol_device_init(&machine);
    return 0;
}

/* Up to the wanted state, along the straight way. */
static void go_to(enum enrol_device_state wanted)
{
    static const enum enrol_device_event_kind way[] = {ENROL_DEVICE_EV_START, ENROL_DEVICE_EV_CONNECTED,
                                                       ENROL_DEVICE_EV_NONCE, ENROL_DEVICE_EV_CERT,
                                                       ENROL_DEVICE_EV_STORED};
    enrol_device_init(&machine);
    for (size_t i = 0; machine.state != wanted && i < sizeof(way) / sizeof(way[0]); i++) {
        (void)feed(way[i]);
    }
    if (wanted == ENROL_DEVICE_WAITING) {
        go_to(ENROL_DEVICE_ASKING);
        (void)feed(ENROL_DEVICE_EV_NO);
    } else if (wanted == ENROL_DEVICE_DONE) {
        go_to(ENROL_DEVICE_CONFIRMING);
        (void)feed(ENROL_DEVICE_EV_DELIVERED);
    }
    assert_int_equal(machine.state, wanted);
}

static void test_straight_way(void **state)
{
    (void)state;
    assert_true(feed(ENROL_DEVICE_EV_START).connect);
    assert_int_equal(feed(ENROL_DEVICE_EV_CONNECTED).send, ENROL_DEVICE_SEND_HELLO);
    assert_int_equal(feed(ENROL_DEVICE_EV_NONCE).send, ENROL_DEVICE_SEND_CSR);
    assert_true(feed(ENROL_DEVICE_EV_CERT).store);
    assert_int_equal(feed(ENROL_DEVICE_EV_STORED).send, ENROL_DEVICE_SEND_STORED);
    struct enrol_device_actions last = feed(ENROL_DEVICE_EV_DELIVERED);
    assert_true(last.done && last.leave);
    assert_int_equal(enrol_device_deadline(&machine), ENROL_DEVICE_NEVER);
}

static void test_lost_requests_are_repeated_with_growing_waits(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_GREETING);
    uint64_t before = now, wait = 0;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(wait_out().send, ENROL_DEVICE_SEND_HELLO);
        assert_true(now - before >= wait);
        wait = now - before;
        before = now;
    }
    assert_in_range(wait, ENROL_DEVICE_REPEAT_MAX_MS / 2, ENROL_DEVICE_REPEAT_MAX_MS * 3 / 2);
}

static void test_timer_before_its_time(void **state)
{
    (void)state;
    for (int i = 0; i < ENROL_DEVICE_STATES_LEN; i++) {
        go_to((enum enrol_device_state)i);
        assert_true(nothing(feed(ENROL_DEVICE_EV_TIMER)));
        assert_int_equal(machine.state, i);
    }
}

static void test_stale_nonce_is_asked_for_anew(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_ASKING);
    assert_int_equal(wait_out().send, ENROL_DEVICE_SEND_CSR); /* still good: the same request again */
    now = machine.nonce_until_ms - ENROL_DEVICE_NONCE_SPARE_MS;
    machine.deadline_ms = now;
    assert_int_equal(feed(ENROL_DEVICE_EV_TIMER).send, ENROL_DEVICE_SEND_HELLO);
    assert_int_equal(machine.state, ENROL_DEVICE_GREETING);
}

static void test_what_comes_twice_is_taken_once(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_ASKING);
    assert_true(nothing(feed(ENROL_DEVICE_EV_NONCE)));
    assert_true(feed(ENROL_DEVICE_EV_CERT).store);
    assert_true(nothing(feed(ENROL_DEVICE_EV_CERT)));
    assert_int_equal(feed(ENROL_DEVICE_EV_STORED).send, ENROL_DEVICE_SEND_STORED);
    assert_true(nothing(feed(ENROL_DEVICE_EV_CERT)));
    assert_true(nothing(feed(ENROL_DEVICE_EV_NO)));
    assert_true(feed(ENROL_DEVICE_EV_DELIVERED).done);
    assert_true(nothing(feed(ENROL_DEVICE_EV_DELIVERED)));
}

static void test_connection_that_breaks_begins_with_hello(void **state)
{
    (void)state;
    for (int i = ENROL_DEVICE_GREETING; i <= ENROL_DEVICE_ASKING; i++) {
        go_to((enum enrol_device_state)i);
        assert_true(nothing(feed(ENROL_DEVICE_EV_DISCONNECTED)));
        assert_int_equal(machine.state, ENROL_DEVICE_OFFLINE);
        assert_int_equal(feed(ENROL_DEVICE_EV_CONNECTED).send, ENROL_DEVICE_SEND_HELLO);
    }
}

/* The certificate is on the disk: nothing that fails now may undo it. */
static void test_stored_without_connection(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_STORING);
    assert_true(nothing(feed(ENROL_DEVICE_EV_DISCONNECTED)));
    assert_true(feed(ENROL_DEVICE_EV_STORED).done);
    go_to(ENROL_DEVICE_CONFIRMING);
    assert_true(feed(ENROL_DEVICE_EV_DISCONNECTED).done);
    go_to(ENROL_DEVICE_CONFIRMING);
    assert_true(wait_out().done);
}

static void test_full_disk(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_STORING);
    assert_true(feed(ENROL_DEVICE_EV_UNSTORED).leave);
    assert_true(wait_out().connect);
}

/* Minutes between the attempts of one that is refused, longer each time, and never sooner than it was told. */
static void test_refused(void **state)
{
    uint64_t least = ENROL_DEVICE_REFUSED_MS;
    (void)state;
    go_to(ENROL_DEVICE_ASKING);
    for (int i = 0; i < 12; i++) {
        uint64_t before = now;
        assert_true(feed(ENROL_DEVICE_EV_NO).leave);
        assert_true(wait_out().connect);
        assert_in_range(now - before, least, ENROL_DEVICE_WAIT_MAX_MS * 3 / 2);
        (void)feed(ENROL_DEVICE_EV_CONNECTED);
    }
    assert_in_range(machine.failures, 12, 12);
    uint64_t before = now;
    (void)feed_event(&(struct enrol_device_event){.kind = ENROL_DEVICE_EV_NO, .retry_after_s = 86400});
    (void)wait_out();
    assert_in_range(now - before, 86400000, 86400000 * 3 / 2);
}

static void test_busy_is_nobodys_fault(void **state)
{
    (void)state;
    go_to(ENROL_DEVICE_ASKING);
    uint64_t before = now;
    assert_true(
        feed_event(&(struct enrol_device_event){.kind = ENROL_DEVICE_EV_NO, .soon = true, .retry_after_s = 20}).leave);
    assert_true(wait_out().connect);
    assert_in_range(now - before, 20000, 30000);
    assert_int_equal(machine.failures, 0);
}

static void test_silence_ends_an_attempt(void **state)
{
    (void)state;
    for (int i = ENROL_DEVICE_OFFLINE; i <= ENROL_DEVICE_ASKING; i++) {
        go_to((enum enrol_device_state)i);
        uint64_t before = now;
        while (machine.state != ENROL_DEVICE_WAITING) {
            (void)wait_out();
        }
        assert_in_range(now - before, ENROL_DEVICE_GIVE_UP_MS / 2, ENROL_DEVICE_GIVE_UP_MS * 3);
        assert_true(wait_out().connect);
    }
}

/* Whatever comes when: no state is left without a way on, and only a stored certificate ends it. */
static void test_every_pair(void **state)
{
    (void)state;
    for (int i = 0; i < ENROL_DEVICE_STATES_LEN; i++) {
        for (int j = 0; j < ENROL_DEVICE_EVENTS_LEN; j++) {
            go_to((enum enrol_device_state)i);
            struct enrol_device_actions actions = feed((enum enrol_device_event_kind)j);
            bool timed = enrol_device_deadline(&machine) != ENROL_DEVICE_NEVER;
            assert_true(timed || machine.state == ENROL_DEVICE_IDLE || machine.state == ENROL_DEVICE_STORING ||
                        machine.state == ENROL_DEVICE_DONE);
            assert_true(!actions.done || machine.state == ENROL_DEVICE_DONE);
            assert_true(!actions.store || i == ENROL_DEVICE_ASKING);
            assert_true(!actions.connect || machine.state == ENROL_DEVICE_OFFLINE);
            assert_true(enrol_device_state_text(machine.state)[0] != '\0');
        }
    }
}

/* Each of 1,000 devices has its own waits. */
static void test_waits_are_spread(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        enrol_device_init(&machine);
        now = 0;
        (void)feed(ENROL_DEVICE_EV_START);
        (void)enrol_device_step(&machine, &(struct enrol_device_event){.kind = ENROL_DEVICE_EV_CONNECTED}, now,
                                i * UINT64_C(0x9E3779B97F4A7C15));
        least = enrol_device_deadline(&machine) < least ? enrol_device_deadline(&machine) : least;
        most = enrol_device_deadline(&machine) > most ? enrol_device_deadline(&machine) : most;
    }
    assert_true(most - least > ENROL_DEVICE_REPEAT_FIRST_MS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_straight_way, set_up),
        cmocka_unit_test_setup(test_lost_requests_are_repeated_with_growing_waits, set_up),
        cmocka_unit_test_setup(test_timer_before_its_time, set_up),
        cmocka_unit_test_setup(test_stale_nonce_is_asked_for_anew, set_up),
        cmocka_unit_test_setup(test_what_comes_twice_is_taken_once, set_up),
        cmocka_unit_test_setup(test_connection_that_breaks_begins_with_hello, set_up),
        cmocka_unit_test_setup(test_stored_without_connection, set_up),
        cmocka_unit_test_setup(test_full_disk, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_busy_is_nobodys_fault, set_up),
        cmocka_unit_test_setup(test_silence_ends_an_attempt, set_up),
        cmocka_unit_test_setup(test_every_pair, set_up),
        cmocka_unit_test_setup(test_waits_are_spread, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
