/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/budget.h"

#define DAY_MS (24ull * 3600 * 1000)

static const struct provider_rate classes[] = {
    {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 2, .period_ms = 1000},
    {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 15, .period_ms = 60 * 1000},
    {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 100, .period_ms = 3600 * 1000},
    {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 300, .period_ms = (uint32_t)DAY_MS},
    {.of = RATE_OF_ACCOUNT, .what = RATE_WRITES, .units = 1, .period_ms = (uint32_t)DAY_MS},
};

static struct budget zone_budget(void)
{
    struct provider_limits limits = {.rates_len = ARRAY_LEN(classes)};
    struct budget budget;
    budget_init(&budget);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        limits.rates[i] = classes[i];
    }
    assert_int_equal(budget_add_all(&budget, &limits, RATE_OF_ZONE, 1000), ERR_OK);
    assert_int_equal(budget.len, 4); /* the account's is not the zone's */
    return budget;
}

/** Most of @p times within any span of @p period_ms. */
static size_t most_in(const uint64_t *times, size_t len, uint64_t period_ms)
{
    size_t most = 0, first = 0;
    for (size_t i = 0; i < len; i++) {
        while (times[i] - times[first] >= period_ms) {
            first++;
        }
        most = MAX(most, i - first + 1);
    }
    return most;
}

static void no_window_is_ever_exceeded_and_none_is_wasted(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    static uint64_t times[MOST];
    struct budget budget = zone_budget();
    size_t len = 0;
    for (uint64_t now = 1000; now < 1000 + 2 * DAY_MS && len < MOST;) {
        uint64_t wait = budget_wait_ms(&budget, true, 1, now);
        if (wait == 0) {
            budget_spend(&budget, true, 1, now);
            times[len++] = now;
        } else {
            now += wait;
        }
    }
    assert_int_equal(len, 600);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(most_in(times, len, classes[i].period_ms), classes[i].units);
    }
    budget_deinit(&budget);
}

static void lookups_do_not_count_as_writes(void **state)
{
    (void)state;
    struct budget budget = zone_budget();
    for (int i = 0; i < 10; i++) {
        budget_spend(&budget, false, 0, 1000);
    }
    assert_int_equal(budget_wait_ms(&budget, true, 1, 1000), 0);
    budget_spend(&budget, true, 1, 1000);
    budget_spend(&budget, true, 1, 1000);
    assert_int_equal(budget_wait_ms(&budget, true, 1, 1000), 1000);
    assert_int_equal(budget_wait_ms(&budget, false, 0, 1000), 0);
    budget_deinit(&budget);
}

static void a_bucket_keeps_its_average_over_batches_larger_than_itself(void **state)
{
    (void)state;
    static const struct provider_rate rate = {.what = RATE_CHANGES, .units = 100, .period_ms = 1000, .burst = 100};
    struct budget budget;
    budget_init(&budget);
    assert_int_equal(budget_add(&budget, &rate, 0), ERR_OK);
    uint64_t now = 0;
    for (int batch = 0; batch < 20; batch++) {
        uint64_t wait = budget_wait_ms(&budget, true, 1, now);
        assert_true(batch == 0 || wait > 0);
        now += wait;
        assert_int_equal(budget_wait_ms(&budget, true, 1, now), 0);
        budget_spend(&budget, true, 1000, now);
    }
    /* 19,000 units before the last batch, less the 100 that were there, one more for each wait's end */
    assert_in_range(now, 189000, 189010);
    budget_deinit(&budget);
}

static void a_bucket_holds_as_much_of_a_batch_as_it_can_before_that_goes(void **state)
{
    (void)state;
    static const struct provider_rate rate = {.what = RATE_CHANGES, .units = 100, .period_ms = 1000, .burst = 1000};
    struct budget budget;
    budget_init(&budget);
    assert_int_equal(budget_add(&budget, &rate, 0), ERR_OK);
    assert_int_equal(budget_wait_ms(&budget, true, 1000, 0), 0);
    budget_spend(&budget, true, 1000, 0);
    assert_int_equal(budget_wait_ms(&budget, true, 1000, 0), 10000);
    assert_int_equal(budget_wait_ms(&budget, true, 200, 0), 2000);
    assert_int_equal(budget_wait_ms(&budget, true, 5000, 0), 10000); /* more than it can ever hold: then into debt */
    budget_deinit(&budget);
}

static void slow_refills_lose_nothing(void **state)
{
    (void)state;
    static const struct provider_rate rate = {.what = RATE_CALLS, .units = 7, .period_ms = 60 * 1000, .burst = 1};
    struct budget budget;
    budget_init(&budget);
    assert_int_equal(budget_add(&budget, &rate, 0), ERR_OK);
    unsigned calls = 0;
    for (uint64_t now = 0; now < 3600 * 1000; now += 13) { /* polled often, each credit a fraction */
        if (budget_wait_ms(&budget, true, 1, now) == 0) {
            budget_spend(&budget, true, 1, now);
            calls++;
        }
    }
    assert_in_range(calls, 419, 421);
    budget_deinit(&budget);
}

static void an_idle_bucket_is_full_and_no_fuller(void **state)
{
    (void)state;
    static const struct provider_rate rate = {.what = RATE_CALLS, .units = 10, .period_ms = 1000, .burst = 10};
    struct budget budget;
    budget_init(&budget);
    assert_int_equal(budget_add(&budget, &rate, 0), ERR_OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(budget_wait_ms(&budget, true, 1, 400 * DAY_MS), 0);
        budget_spend(&budget, true, 1, 400 * DAY_MS);
    }
    assert_int_equal(budget_wait_ms(&budget, true, 1, 400 * DAY_MS), 100);
    budget_deinit(&budget);
}

static void more_rates_than_fit_are_an_error(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget);
    for (size_t i = 0; i < ARRAY_LEN(budget.meters); i++) {
        assert_int_equal(budget_add(&budget, &classes[0], 0), ERR_OK);
    }
    assert_int_equal(budget_add(&budget, &classes[0], 0), ERR_LIMIT);
    budget_deinit(&budget);
}

static void what_is_left_is_told(void **state)
{
    (void)state;
    const struct provider_rate window = classes[1];
    const struct provider_rate bucket = {
        .of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = 60, .period_ms = 60 * 1000, .burst = 10};
    struct budget budget = zone_budget();
    uint64_t left = 0;
    assert_int_equal(budget_add(&budget, &bucket, 1000), ERR_OK);
    assert_false(budget_left(&budget, &classes[4], 1000, &left)); /* the account's, not this budget's */
    assert_true(budget_left(&budget, &window, 1000, &left));
    assert_int_equal(left, 15);
    budget_spend(&budget, true, 1, 1000);
    budget_spend(&budget, true, 1, 31 * 1000);
    assert_true(budget_left(&budget, &window, 31 * 1000, &left));
    assert_int_equal(left, 13);
    assert_true(budget_left(&budget, &window, 61 * 1000, &left));
    assert_int_equal(left, 14); /* the first has left the window */
    assert_true(budget_left(&budget, &bucket, 31 * 1000, &left));
    assert_int_equal(left, 9);
    assert_true(budget_left(&budget, &bucket, 32 * 1000, &left));
    assert_int_equal(left, 10);
    budget_spend(&budget, false, 0, 32 * 1000);
    assert_true(budget_left(&budget, &bucket, 32 * 1000, &left));
    assert_int_equal(left, 9);
    budget_deinit(&budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_is_told),
        cmocka_unit_test(no_window_is_ever_exceeded_and_none_is_wasted),
        cmocka_unit_test(lookups_do_not_count_as_writes),
        cmocka_unit_test(a_bucket_keeps_its_average_over_batches_larger_than_itself),
        cmocka_unit_test(a_bucket_holds_as_much_of_a_batch_as_it_can_before_that_goes),
        cmocka_unit_test(slow_refills_lose_nothing),
        cmocka_unit_test(an_idle_bucket_is_full_and_no_fuller),
        cmocka_unit_test(more_rates_than_fit_are_an_error),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
