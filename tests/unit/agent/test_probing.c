/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/probing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)

static void relaxes_while_nothing_happens(void **state)
{
    (void)state;
    static const uint64_t periods[] = {8, 16, 32, 64, 128, 240};
    struct probing probing;
    uint64_t now = 5 * MINUTE;
    probing_init(&probing, 8 * SECOND, 4 * MINUTE);
    assert_int_equal(probing.deadline_ms, PROBING_NEVER); /* no connection yet */
    probing_alert(&probing, now);
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        assert_int_equal(probing.period_ms, periods[i] * SECOND);
        if (i + 1 == sizeof(periods) / sizeof(periods[0])) {
            break;
        }
        assert_int_equal(probing.deadline_ms, now + PROBING_QUIET * periods[i] * SECOND);
        assert_false(probing_tick(&probing, probing.deadline_ms - 1));
        now = probing.deadline_ms;
        assert_true(probing_tick(&probing, now));
    }
    assert_int_equal(probing.deadline_ms, PROBING_NEVER); /* at rest no timer wakes anybody */
    assert_false(probing_tick(&probing, now + 1000 * MINUTE));
    probing_alert(&probing, now);
    assert_int_equal(probing.period_ms, 8 * SECOND);
    assert_int_equal(probing.deadline_ms, now + 64 * SECOND);
    probing_rest(&probing);
    assert_false(probing_tick(&probing, now + 1000 * MINUTE));
}

static void keeps_one_period_without_a_longer_one(void **state)
{
    (void)state;
    static const uint64_t most[] = {0, 3, 8};
    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        struct probing probing;
        probing_init(&probing, 8 * SECOND, most[i] * SECOND);
        probing_alert(&probing, MINUTE);
        assert_int_equal(probing.period_ms, 8 * SECOND);
        assert_int_equal(probing.deadline_ms, PROBING_NEVER);
    }
}

static void never_asks_when_it_is_told_to(void **state)
{
    (void)state;
    struct probing probing;
    probing_init(&probing, 0, MINUTE);
    probing_alert(&probing, MINUTE);
    assert_int_equal(probing.period_ms, 0);
    assert_int_equal(probing.deadline_ms, PROBING_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relaxes_while_nothing_happens),
        cmocka_unit_test(keeps_one_period_without_a_longer_one),
        cmocka_unit_test(never_asks_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
