/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/age.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"

static void test_parse(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text;
        enum err err;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", ERR_OK, 0},
        {"1970-01-01T00:00:00.001Z", ERR_OK, 1},
        {"2000-02-29T23:59:59.9Z", ERR_OK, INT64_C(951868799900)},
        {"2000-03-01T00:00:00Z", ERR_OK, INT64_C(951868800000)},
        {"2100-03-01T00:00:00Z", ERR_OK, INT64_C(4107542400000)},
        {"2026-11-22T16:43:00.1239Z", ERR_OK, INT64_C(1795365780123)},
        {"2026-11-22T16:43:00", ERR_PARSE, 0},
        {"2026-11-22T16:43:00+00:00", ERR_PARSE, 0},
        {"2026-11-22T16:43:00.Z", ERR_PARSE, 0},
        {"2026-11-22T16:43:00.1xZ", ERR_PARSE, 0},
        {"2026-11-22 16:43:00Z", ERR_PARSE, 0},
        {"2026-13-22T16:43:00Z", ERR_RANGE, 0},
        {"2026-00-22T16:43:00Z", ERR_RANGE, 0},
        {"2026-11-22T24:00:00Z", ERR_RANGE, 0},
        {"1969-12-31T23:59:59Z", ERR_RANGE, 0},
        {"", ERR_PARSE, 0},
        {"Z", ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = -1;
        assert_int_equal(age_parse(view_of(rows[i].text), &ms), rows[i].err);
        assert_int_equal(ms, rows[i].err == ERR_OK ? rows[i].ms : -1);
    }
}

static void test_what_the_clock_writes_is_read_back(void **state)
{
    (void)state; /* none */
    for (int64_t ms = 0; ms < INT64_C(253402300800000); ms += INT64_C(86400000) * 13 + 3661001) {
        char text[CLOCK_RFC3339_SIZE];
        int64_t back;
        clock_rfc3339(ms, text);
        assert_int_equal(age_parse(view_of(text), &back), ERR_OK);
        assert_true(back == ms);
    }
}

static void test_format(void **state)
{
    (void)state; /* none */
    static const struct {
        int64_t age_ms;
        const char *text;
    } rows[] = {
        {0, "now"},
        {999, "now"},
        {-5000, "now"},
        {1000, "1s ago"},
        {59999, "59s ago"},
        {60000, "1m ago"},
        {3599999, "59m ago"},
        {3600000, "1h ago"},
        {86399999, "23h ago"},
        {86400000, "1d ago"},
        {INT64_C(86400000) * 400, "400d ago"},
    };
    char text[AGE_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(age_format(1000000000000 + rows[i].age_ms, 1000000000000, text), rows[i].text);
    }
}

static void test_span_and_count(void **state)
{
    (void)state; /* none */
    char text[AGE_TEXT_SIZE];
    assert_string_equal(age_span(59999, text), "59s");
    assert_string_equal(age_span(60000, text), "1m");
    assert_string_equal(age_span(3600000 + 120000, text), "1h2m");
    assert_string_equal(age_span(UINT64_C(86400000) * 5 + 3600000 * 4, text), "5d4h");
    assert_string_equal(age_count(0, text), "0");
    assert_string_equal(age_count(999, text), "999");
    assert_string_equal(age_count(1000, text), "1,000");
    assert_string_equal(age_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_what_the_clock_writes_is_read_back),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_span_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
