/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void takes_until_empty_then_refills(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 3, 2000, 100);
    assert_true(bucket_take(&bucket, 2, 100));
    assert_true(bucket_take(&bucket, 1, 100));
    assert_false(bucket_take(&bucket, 1, 100));
    assert_int_equal(bucket_wait_ms(&bucket, 1, 100), 500);
    assert_false(bucket_take(&bucket, 1, 599));
    assert_true(bucket_take(&bucket, 1, 600));
}

static void never_holds_more_than_its_capacity(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 3, 2000, 0);
    assert_false(bucket_take(&bucket, 4, UINT64_MAX));
    assert_true(bucket_take(&bucket, 3, UINT64_MAX));
    assert_int_equal(bucket_wait_ms(&bucket, 4, UINT64_MAX), UINT64_MAX);
}

static void slow_refill_loses_no_fraction(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1, 7, 0); /* 7 thousandths a second: a token every 142.857 s */
    assert_true(bucket_take(&bucket, 1, 0));
    for (uint64_t now = 1; now < 142857; now += 13) {
        assert_false(bucket_take(&bucket, 1, now));
    }
    assert_true(bucket_take(&bucket, 1, 142858));
}

static void drain_empties(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 5, 1000, 0);
    bucket_drain(&bucket, 10);
    assert_int_equal(bucket_wait_ms(&bucket, 1, 10), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_until_empty_then_refills),
        cmocka_unit_test(never_holds_more_than_its_capacity),
        cmocka_unit_test(slow_refill_loses_no_fraction),
        cmocka_unit_test(drain_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
