/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tenure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define DAY_MS  INT64_C(86400000)
#define FROM_MS INT64_C(1795000000000)
#define LIFE_MS (90 * DAY_MS)

static struct tenure tenure;
static uint64_t now;
static int64_t wall;

static struct tenure_actions feed_event(const struct tenure_event *event)
{
    return tenure_step(&tenure, event, now, wall, 0);
}

static struct tenure_actions feed(enum tenure_event_kind kind)
{
    return feed_event(&(struct tenure_event){.kind = kind});
}

static bool nothing(struct tenure_actions actions)
{
    return !actions.promote && !actions.go_back && !actions.ask && !actions.store && !actions.change &&
           !actions.recover;
}

static void pass(uint64_t ms)
{
    now += ms;
    wall += (int64_t)ms;
}

/* Up to the next look at the wall clock. */
static struct tenure_actions look(void)
{
    assert_true(tenure_deadline(&tenure) != TENURE_NEVER);
    if (tenure_deadline(&tenure) > now) {
        pass(tenure_deadline(&tenure) - now);
    }
    return feed(TENURE_EV_TIMER);
}

static int set_up(void **state)
{
    (void)state;
    now = 5000;
    wall = FROM_MS;
    tenure_init(&tenure);
    tenure_identity(&tenure, "cam-1", FROM_MS, FROM_MS + LIFE_MS / 3 * 2, false, false);
    return 0;
}

/* Connected, and the renewal is asked for. */
static void go_asking(void)
{
    (void)feed(TENURE_EV_CONNECTED);
    wall = tenure.renew_ms;
    assert_true(look().ask);
}

static void test_asks_at_two_thirds_of_its_life(void **state)
{
    (void)state;
    assert_true(nothing(feed(TENURE_EV_CONNECTED)));
    unsigned looks = 0;
    while (!look().ask) {
        looks++;
    }
    assert_true(wall >= FROM_MS + LIFE_MS / 3 * 2 * 9 / 10 && wall <= FROM_MS + LIFE_MS / 3 * 2 * 11 / 10);
    assert_in_range(looks, 1, LIFE_MS / (int64_t)TENURE_LOOK_MS); /* wake-ups: four a day */
}

static void test_a_fleet_is_spread(void **state)
{
    int64_t least = INT64_MAX, most = 0, due = FROM_MS + LIFE_MS;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "cam-%d", i);
        tenure_identity(&tenure, id, FROM_MS, due, false, false);
        least = tenure.renew_ms < least ? tenure.renew_ms : least;
        most = tenure.renew_ms > most ? tenure.renew_ms : most;
        assert_true(tenure.renew_ms >= due - LIFE_MS / 10 && tenure.renew_ms <= due + LIFE_MS / 10);
    }
    assert_true(most - least > LIFE_MS / 10 * 2 * 9 / 10);
}

static void test_asks_again_with_growing_waits_until_answered(void **state)
{
    (void)state;
    go_asking();
    uint64_t before = now, wait = 0;
    for (int i = 0; i < 12; i++) {
        assert_true(look().ask);
        assert_true(now - before >= wait);
        wait = now - before;
        before = now;
    }
    assert_in_range(wait, TENURE_ASK_MAX_MS / 2, TENURE_ASK_MAX_MS * 3 / 2);
}

static void test_silent_while_not_connected(void **state)
{
    (void)state;
    wall = tenure.renew_ms + DAY_MS;
    assert_true(nothing(feed(TENURE_EV_TIMER)));
    assert_int_equal(tenure_deadline(&tenure), TENURE_NEVER);
    go_asking();
    assert_true(nothing(feed(TENURE_EV_DISCONNECTED)));
    assert_int_equal(tenure_deadline(&tenure), TENURE_NEVER);
    assert_true(nothing(feed(TENURE_EV_CERT))); /* the answer to a connection before */
}

static void test_a_new_certificate_is_tried_then_kept(void **state)
{
    (void)state;
    go_asking();
    assert_true(feed(TENURE_EV_CERT).store);
    assert_true(nothing(feed(TENURE_EV_CERT))); /* twice */
    assert_true(feed(TENURE_EV_STORED).change);
    assert_true(nothing(feed(TENURE_EV_DISCONNECTED)));
    assert_true(feed(TENURE_EV_CONNECTED).promote);
    assert_true(nothing(feed(TENURE_EV_CONNECTED)));
}

static void test_one_that_is_refused_is_given_back(void **state)
{
    (void)state;
    go_asking();
    (void)feed(TENURE_EV_CERT);
    (void)feed(TENURE_EV_STORED);
    assert_true(nothing(feed(TENURE_EV_REFUSED)));
    assert_true(nothing(feed(TENURE_EV_DISCONNECTED))); /* silence between does not count */
    assert_true(nothing(feed(TENURE_EV_REFUSED)));
    assert_true(feed(TENURE_EV_REFUSED).go_back);
    assert_true(nothing(feed(TENURE_EV_CONNECTED))); /* with the old one */
    uint64_t before = now;
    while (!look().ask) {
    }
    assert_in_range(now - before, TENURE_REFUSED_MS, TENURE_REFUSED_MS * 2);
}

static void test_disk_full(void **state)
{
    (void)state;
    go_asking();
    (void)feed(TENURE_EV_CERT);
    assert_true(nothing(feed(TENURE_EV_UNSTORED)));
    assert_true(tenure_deadline(&tenure) >= now + TENURE_REFUSED_MS);
}

static void test_no_for_an_answer(void **state)
{
    (void)state;
    go_asking();
    uint64_t before = now;
    assert_true(nothing(feed_event(&(struct tenure_event){.kind = TENURE_EV_NO, .retry_after_s = 300})));
    assert_true(look().ask);
    assert_in_range(now - before, 300000, 450000);
    before = now;
    (void)feed(TENURE_EV_NO);
    while (!look().ask) {
    }
    assert_in_range(now - before, TENURE_REFUSED_MS, TENURE_REFUSED_MS * 3 / 2);
}

static void test_silence_never_leads_to_enrolment(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(nothing(feed(TENURE_EV_DISCONNECTED)));
        pass(120000);
    }
}

/* Each time it does not help the next comes later; a connection forgets all that. */
static void test_recovers_after_three_refusals_and_not_too_often(void **state)
{
    uint64_t before = 0, wait = 0;
    (void)state;
    for (int i = 0; i < 10; i++) {
        unsigned refusals = 0;
        bool recovers = false;
        while (!recovers) {
            recovers = feed(TENURE_EV_REFUSED).recover;
            refusals++;
            pass(60000);
        }
        assert_true(refusals >= TENURE_REFUSALS);
        assert_true(before == 0 || now - before >= wait);
        wait = i > 0 && now - before < TENURE_RECOVER_MAX_MS ? now - before : 0;
        before = now;
        (void)feed(TENURE_EV_ENDED);
    }
    assert_true(nothing(feed(TENURE_EV_CONNECTED)));
    (void)feed(TENURE_EV_REFUSED);
    (void)feed(TENURE_EV_REFUSED);
    assert_true(feed(TENURE_EV_REFUSED).recover);
}

/* A first identity has nothing to go back to: its device is enrolled again. */
static void test_a_first_identity_that_is_refused(void **state)
{
    (void)state;
    tenure_identity(&tenure, "cam-1", FROM_MS, FROM_MS + LIFE_MS, true, false);
    (void)feed(TENURE_EV_REFUSED);
    (void)feed(TENURE_EV_REFUSED);
    struct tenure_actions third = feed(TENURE_EV_REFUSED);
    assert_true(third.recover && !third.go_back);
}

/* Nothing is stored, tried or given back that was not asked for. */
static void test_every_event_in_every_state(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < TENURE_EVENTS; j++) {
            (void)set_up(NULL);
            if (i > 0) {
                (void)feed(TENURE_EV_CONNECTED);
            }
            if (i > 1) {
                go_asking();
            }
            if (i > 2) {
                (void)feed(TENURE_EV_CERT);
                (void)feed(TENURE_EV_STORED);
            }
            struct tenure_actions actions = feed((enum tenure_event_kind)j);
            assert_true(!actions.store || i == 2);
            assert_true(!actions.promote || i == 3);
            assert_true(!actions.go_back && !actions.recover);
            assert_true(!actions.ask || i > 0);
            assert_true(!(actions.change && actions.go_back));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_asks_at_two_thirds_of_its_life, set_up),
        cmocka_unit_test_setup(test_a_fleet_is_spread, set_up),
        cmocka_unit_test_setup(test_asks_again_with_growing_waits_until_answered, set_up),
        cmocka_unit_test_setup(test_silent_while_not_connected, set_up),
        cmocka_unit_test_setup(test_a_new_certificate_is_tried_then_kept, set_up),
        cmocka_unit_test_setup(test_one_that_is_refused_is_given_back, set_up),
        cmocka_unit_test_setup(test_disk_full, set_up),
        cmocka_unit_test_setup(test_no_for_an_answer, set_up),
        cmocka_unit_test_setup(test_silence_never_leads_to_enrolment, set_up),
        cmocka_unit_test_setup(test_recovers_after_three_refusals_and_not_too_often, set_up),
        cmocka_unit_test_setup(test_a_first_identity_that_is_refused, set_up),
        cmocka_unit_test_setup(test_every_event_in_every_state, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
