/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_ceiling_doubles_up_to_the_cap(void **state)
{
    (void)state;
    struct backoff backoff = {.base_ms = 100, .cap_ms = 1000};
    static const uint64_t ceilings[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
        struct backoff copy = backoff;
        assert_int_equal(backoff_next(&copy, ceilings[i]), ceilings[i]); /* the largest delay there is */
        copy = backoff;
        assert_int_equal(backoff_next(&copy, ceilings[i] + 1), 0); /* full jitter: down to nothing */
        (void)backoff_next(&backoff, 0);
    }
    assert_int_equal(backoff.attempt, 6);
    backoff_reset(&backoff);
    assert_int_equal(backoff_next(&backoff, 101), 0);
}

static void extremes_do_not_overflow(void **state)
{
    (void)state;
    struct backoff many = {.base_ms = 1, .cap_ms = 5000, .attempt = UINT32_MAX};
    assert_int_equal(backoff_next(&many, 5000), 5000);
    assert_true(many.attempt == UINT32_MAX);
    struct backoff wide = {.base_ms = UINT64_MAX, .cap_ms = UINT64_MAX};
    assert_true(backoff_next(&wide, UINT64_MAX) == UINT64_MAX);
    struct backoff base_over_cap = {.base_ms = 1000, .cap_ms = 10};
    assert_int_equal(backoff_next(&base_over_cap, 10), 10);
    assert_int_equal(backoff_next(&base_over_cap, 11), 0);
    struct backoff none = {0};
    assert_int_equal(backoff_next(&none, 12345), 0);
}

static void jitter_spreads_both_ways(void **state)
{
    (void)state;
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (uint64_t random = 0; random < 1000; random++) {
        uint64_t delay = backoff_jitter(1000, 10, random);
        low = delay < low ? delay : low;
        high = delay > high ? delay : high;
    }
    assert_int_equal(low, 900);
    assert_int_equal(high, 1100);
    assert_int_equal(backoff_jitter(1000, 0, 7), 1000);
    assert_int_equal(backoff_jitter(0, 100, 7), 0);
    assert_int_equal(backoff_jitter(50, 100, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_doubles_up_to_the_cap),
        cmocka_unit_test(extremes_do_not_overflow),
        cmocka_unit_test(jitter_spreads_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
