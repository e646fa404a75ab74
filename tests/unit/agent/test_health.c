/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000ULL

static const struct fusion_policy policy = {
    .confirm_ms = 10 * SECOND, .flap_max = 3, .flap_window_ms = 600 * SECOND, .flap_delay_ms = 120 * SECOND};
static const struct health_facts nothing, proof = {.proven = true};

static struct health health;
static uint64_t now;

static bool step_with(enum health_event event, const struct health_facts *facts, uint64_t later)
{
    now += later;
    return health_step(&health, event, facts, now - 1, now);
}

static bool step(enum health_event event, uint64_t later)
{
    return step_with(event, &nothing, later);
}

static void assert_is(enum health_state state, enum alive told)
{
    assert_string_equal(health_state_name(health.state), health_state_name(state));
    assert_int_equal(health.told, told);
}

/* Time goes to where it does something. */
static bool pass(const struct health_facts *facts)
{
    assert_int_not_equal(health.deadline_ms, UINT64_MAX);
    now = health.deadline_ms;
    return health_step(&health, HEALTH_TIME, facts, 0, now);
}

static int set_up(void **state)
{
    (void)state;
    now = 1000 * SECOND;
    health_init(&health, &policy, now);
    return 0;
}

static void kill_it(void)
{
    (void)step(HEALTH_FAILED, SECOND);
    (void)step_with(HEALTH_FAILED, &proof, SECOND);
    assert_true(pass(&nothing));
    assert_is(HEALTH_DEAD, ALIVE_NO);
}

static void a_first_answer_is_told_at_once(void **state)
{
    (void)state;
    assert_is(HEALTH_UNKNOWN, ALIVE_UNKNOWN);
    assert_true(step(HEALTH_ANSWERED, 0));
    assert_is(HEALTH_ALIVE, ALIVE_YES);
    uint64_t since = health.since_ms;
    assert_false(step(HEALTH_ANSWERED, SECOND));
    assert_true(health.since_ms == since && health.deadline_ms == UINT64_MAX);
}

static void it_dies_after_the_doubt_has_lasted(void **state)
{
    (void)state;
    (void)step(HEALTH_ANSWERED, 0);
    assert_false(step_with(HEALTH_FAILED, &proof, SECOND)); /* one packet may be lost */
    uint64_t doubted = now;
    assert_is(HEALTH_DOUBTED, ALIVE_YES);
    assert_int_equal(health.doubt_ms, now - 1);
    assert_true(health.deadline_ms == UINT64_MAX);
    assert_false(step(HEALTH_FAILED, 3 * SECOND)); /* that it was proven once is enough */
    assert_int_equal(health.deadline_ms, doubted + 10 * SECOND);
    assert_true(pass(&nothing));
    assert_is(HEALTH_DEAD, ALIVE_NO);
    assert_false(step(HEALTH_FAILED, SECOND));
    assert_is(HEALTH_DEAD, ALIVE_NO);
}

static void an_answer_ends_the_doubt(void **state)
{
    (void)state;
    (void)step(HEALTH_ANSWERED, 0);
    (void)step_with(HEALTH_FAILED, &proof, SECOND);
    (void)step(HEALTH_FAILED, SECOND);
    assert_false(step(HEALTH_ANSWERED, SECOND));
    assert_is(HEALTH_ALIVE, ALIVE_YES);
    assert_true(health.deadline_ms == UINT64_MAX);
    (void)step(HEALTH_FAILED, 60 * SECOND); /* and with it what was proven */
    (void)step(HEALTH_FAILED, 60 * SECOND);
    assert_is(HEALTH_DOUBTED, ALIVE_YES);
}

static void it_does_not_die_while_anything_speaks_for_it(void **state)
{
    (void)state;
    static const struct health_facts excuses[] = {
        {.proven = false},
        {.proven = false, .vouched = true},
        {.proven = false, .carries = true},
    };
    for (size_t i = 0; i < sizeof(excuses) / sizeof(excuses[0]); i++) {
        struct health_facts facts = excuses[i];
        (void)set_up(NULL);
        (void)step(HEALTH_ANSWERED, 0);
        for (unsigned k = 0; k < 100; k++) {
            (void)step_with(HEALTH_FAILED, &facts, 60 * SECOND);
            facts.proven = facts.vouched || facts.carries;
        }
        assert_is(HEALTH_DOUBTED, ALIVE_YES);
        assert_true(health.deadline_ms == UINT64_MAX);
    }
    assert_true(step_with(HEALTH_TIME, &proof, 0)); /* the connection broke: nothing speaks for it any more */
    assert_is(HEALTH_DEAD, ALIVE_NO);
}

static void it_must_answer_for_a_while_to_rise(void **state)
{
    (void)state;
    kill_it();
    assert_false(step(HEALTH_ANSWERED, SECOND));
    assert_is(HEALTH_RISING, ALIVE_NO);
    assert_false(step(HEALTH_ANSWERED, 5 * SECOND));
    assert_false(step(HEALTH_FAILED, SECOND)); /* too soon */
    assert_is(HEALTH_DEAD, ALIVE_NO);
    (void)step(HEALTH_ANSWERED, SECOND);
    uint64_t since = now;
    assert_true(pass(&nothing));
    assert_int_equal(now, since + 10 * SECOND);
    assert_is(HEALTH_ALIVE, ALIVE_YES);
}

static void the_connection_raises_it_too(void **state)
{
    (void)state;
    const struct health_facts carries = {.carries = true};
    kill_it();
    assert_false(step_with(HEALTH_TIME, &carries, SECOND));
    assert_is(HEALTH_RISING, ALIVE_NO);
    assert_true(pass(&carries));
    assert_is(HEALTH_ALIVE, ALIVE_YES);
}

static void another_path_rises_at_once(void **state)
{
    (void)state;
    kill_it();
    health_moved(&health, ++now);
    assert_is(HEALTH_DEAD, ALIVE_NO); /* nothing is known of the new one yet */
    assert_true(step(HEALTH_ANSWERED, SECOND));
    assert_is(HEALTH_ALIVE, ALIVE_YES);
    health_moved(&health, ++now);
    assert_is(HEALTH_UNKNOWN, ALIVE_YES);
    (void)step(HEALTH_FAILED, SECOND);
    (void)step_with(HEALTH_FAILED, &proof, SECOND);
    assert_true(pass(&nothing));
    assert_is(HEALTH_DEAD, ALIVE_NO);
}

static void one_that_dies_often_rises_late(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        kill_it();
        (void)step(HEALTH_ANSWERED, SECOND);
        assert_true(pass(&nothing));
    }
    kill_it(); /* the third time */
    (void)step(HEALTH_ANSWERED, SECOND);
    uint64_t since = now;
    assert_int_equal(health.deadline_ms, since + 120 * SECOND);
    health_moved(&health, ++now); /* pulling the cable is no way round it */
    (void)step(HEALTH_ANSWERED, 0);
    assert_is(HEALTH_RISING, ALIVE_NO);
    assert_true(pass(&nothing));
    assert_is(HEALTH_ALIVE, ALIVE_YES);
    now += 600 * SECOND; /* forgotten */
    kill_it();
    (void)step(HEALTH_ANSWERED, SECOND);
    assert_int_equal(health.deadline_ms, now + 10 * SECOND);
}

/* What is told changes at most once in confirm_ms, whatever happens. */
static void it_never_flaps_faster_than_the_confirmation(void **state)
{
    (void)state;
    uint32_t random = 1;
    uint64_t last = 0;
    unsigned changes = 0;
    (void)step(HEALTH_ANSWERED, 0);
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        enum health_event event = (enum health_event)(random >> 16) % 3;
        const struct health_facts facts = {.proven = (random >> 20) & 1, .vouched = !((random >> 21) & 7)};
        uint64_t quiet = ((random >> 8) & 63) == 0 ? 300 * SECOND : 0;
        if (!step_with(event, &facts, (random >> 24) * 20 + quiet)) {
            continue;
        }
        assert_true(last == 0 || now - last >= policy.confirm_ms);
        last = now;
        changes++;
    }
    assert_true(changes > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_first_answer_is_told_at_once, set_up),
        cmocka_unit_test_setup(it_dies_after_the_doubt_has_lasted, set_up),
        cmocka_unit_test_setup(an_answer_ends_the_doubt, set_up),
        cmocka_unit_test_setup(it_does_not_die_while_anything_speaks_for_it, set_up),
        cmocka_unit_test_setup(it_must_answer_for_a_while_to_rise, set_up),
        cmocka_unit_test_setup(the_connection_raises_it_too, set_up),
        cmocka_unit_test_setup(another_path_rises_at_once, set_up),
        cmocka_unit_test_setup(one_that_dies_often_rises_late, set_up),
        cmocka_unit_test_setup(it_never_flaps_faster_than_the_confirmation, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
