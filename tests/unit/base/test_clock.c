/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void formats_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1790000000123, "2026-09-21T14:13:20.123Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CLOCK_RFC3339_SIZE];
        clock_rfc3339(rows[i].wall_ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void clocks_run_forward_in_their_units(void **state)
{
    (void)state;
    uint64_t ms = clock_mono_ms();
    uint64_t ns = clock_mono_ns();
    uint64_t boot = clock_boot_ms();
    assert_true(ns / 1000000 >= ms && ns / 1000000 - ms < 60000);
    assert_true(boot + 1 >= ms); /* counts suspended time, too */
    uint64_t last = ns;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_int_equal(clock_wall_is_set(), clock_wall_ms() >= 1767225600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_rfc_3339),
        cmocka_unit_test(clocks_run_forward_in_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
