/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static void small_values_are_exact(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_true(histogram_quantile(&histogram, 0.5) == 0);
    for (uint64_t i = 0; i < 16; i++) {
        histogram_add(&histogram, i, 1);
    }
    assert_true(histogram_quantile(&histogram, 0) == 0);
    assert_true(histogram_quantile(&histogram, 1) == 15);
    assert_true(histogram_quantile(&histogram, 0.5) == 7);
    assert_true(histogram.count == 16 && histogram.sum_ms == 120);
}

static void large_values_are_within_an_eighth(void **state)
{
    (void)state;
    static const uint64_t values[] = {16, 17, 31, 32, 33, 99, 100, 255, 256, 1000, 4097, 60000, 3600000, 86400000};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, values[i], 1);
        double told = histogram_quantile(&histogram, 0.5);
        double off = told > (double)values[i] ? told - (double)values[i] : (double)values[i] - told;
        if (off > (double)values[i] / 8) {
            fail_msg("%llu told as %f", (unsigned long long)values[i], told);
        }
    }
    struct histogram histogram = {0};
    histogram_add(&histogram, UINT64_MAX, 1); /* the last bucket, not beyond */
    assert_true(histogram_quantile(&histogram, 1) > 0);
}

static void old_values_fade(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 1000, 1);
    histogram_add(&histogram, 10, HISTOGRAM_WINDOW_MS + 1);
    assert_true(histogram_quantile(&histogram, 1) > 900); /* the window before still counts */
    histogram_add(&histogram, 10, 2 * HISTOGRAM_WINDOW_MS + 1);
    assert_true(histogram_quantile(&histogram, 1) == 10);
    histogram_add(&histogram, 10, 3 * HISTOGRAM_WINDOW_MS + 1);
    histogram_add(&histogram, 500, 9 * HISTOGRAM_WINDOW_MS); /* after a long silence only the present counts */
    assert_true(histogram_quantile(&histogram, 0) > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(large_values_are_within_an_eighth),
        cmocka_unit_test(old_values_fade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
