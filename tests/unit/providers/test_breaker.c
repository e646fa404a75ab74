/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static void opens_after_its_threshold_and_probes_once(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 2, 100, 1000);
    assert_true(breaker_allow(&breaker, 0));
    assert_int_equal(breaker_failure(&breaker, 0, 99), 0);
    assert_true(breaker_allow(&breaker, 0));
    assert_int_equal(breaker_failure(&breaker, 0, 99), 99);
    assert_false(breaker_allow(&breaker, 98));
    assert_int_equal(breaker_next_ms(&breaker, 98), 99);
    assert_true(breaker_allow(&breaker, 99));
    assert_false(breaker_allow(&breaker, 99)); /* the probe is out */
    assert_int_equal(breaker_next_ms(&breaker, 99), UINT64_MAX);
    breaker_success(&breaker);
    assert_true(breaker_allow(&breaker, 99));
    assert_int_equal(breaker.failures, 0);
}

static void failed_probe_opens_for_longer(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 1, 100, 350);
    uint64_t now = 0;
    static const uint64_t ceilings[] = {100, 200, 350, 350};
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        assert_true(breaker_allow(&breaker, now));
        uint64_t delay = breaker_failure(&breaker, now, ceilings[i]); /* full jitter: uniform over 0 to the ceiling */
        assert_int_equal(delay, ceilings[i]);
        assert_int_equal(breaker_failure(&breaker, now, 1), delay); /* later answers do not count twice */
        now += delay;
    }
}

static void probe_that_is_only_admitted_does_not_shorten_the_next_wait(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 1, 100, 350);
    assert_int_equal(breaker_failure(&breaker, 0, 100), 100);
    breaker_admit(&breaker); /* no probe is out */
    assert_false(breaker_allow(&breaker, 99));
    assert_true(breaker_allow(&breaker, 100));
    breaker_admit(&breaker);
    assert_true(breaker_allow(&breaker, 100));
    assert_int_equal(breaker_failure(&breaker, 100, 200), 200);
    assert_true(breaker_allow(&breaker, 300));
    breaker_success(&breaker);
    assert_int_equal(breaker_failure(&breaker, 300, 100), 100);
}

static void peers_wait_is_kept_whatever_else_happens(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 3, 100, 1000);
    breaker_hold(&breaker, 50, 600000);
    breaker_success(&breaker); /* a late answer */
    assert_false(breaker_allow(&breaker, 600049));
    breaker_hold(&breaker, 60, 10);
    assert_int_equal(breaker_next_ms(&breaker, 100), 600050);
    assert_true(breaker_allow(&breaker, 600050));
}

static void a_probe_that_was_not_used_is_the_next_callers(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 1, 100, 1000);
    breaker_unused(&breaker);
    assert_true(breaker_allow(&breaker, 0)); /* closed as before */
    uint64_t delay = breaker_failure(&breaker, 0, 7);
    breaker_unused(&breaker);
    assert_false(breaker_allow(&breaker, delay - 1)); /* a wait is no shorter for it */
    assert_true(breaker_allow(&breaker, delay));
    assert_int_equal(breaker_next_ms(&breaker, delay), UINT64_MAX);
    breaker_unused(&breaker);
    assert_int_equal(breaker_next_ms(&breaker, delay), 0);
    assert_true(breaker_allow(&breaker, delay));
    assert_false(breaker_allow(&breaker, delay));
}

static void a_successor_keeps_the_peers_wait_and_not_ours(void **state)
{
    (void)state;
    struct breaker breaker, next;
    breaker_init(&breaker, 1, 100, 1000);
    breaker_init(&next, 1, 100, 1000);
    (void)breaker_failure(&breaker, 0, 99);
    breaker_inherit(&next, &breaker);
    assert_int_equal(breaker_next_ms(&next, 0), 0);
    breaker_hold(&breaker, 10, 5000);
    breaker_inherit(&next, &breaker);
    assert_int_equal(breaker_next_ms(&next, 10), 5010);
    assert_true(breaker_allow(&breaker, 5010)); /* a probe that ends with the old one */
    breaker_init(&next, 1, 100, 1000);
    breaker_inherit(&next, &breaker);
    assert_true(breaker_allow(&next, 5010));
    breaker_success(&breaker);
    breaker_init(&next, 1, 100, 1000);
    breaker_inherit(&next, &breaker);
    assert_int_equal(next.state, BREAKER_CLOSED);
}

static void delay_is_never_zero_once_open(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 1, 100, 1000);
    assert_int_equal(breaker_failure(&breaker, 0, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_after_its_threshold_and_probes_once),
        cmocka_unit_test(failed_probe_opens_for_longer),
        cmocka_unit_test(probe_that_is_only_admitted_does_not_shorten_the_next_wait),
        cmocka_unit_test(peers_wait_is_kept_whatever_else_happens),
        cmocka_unit_test(a_probe_that_was_not_used_is_the_next_callers),
        cmocka_unit_test(a_successor_keeps_the_peers_wait_and_not_ours),
        cmocka_unit_test(delay_is_never_zero_once_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
