/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t ms;
    } rows[] = {
        {"0s", ERR_OK, 0},
        {"250ms", ERR_OK, 250},
        {"60s", ERR_OK, 60000},
        {"15m", ERR_OK, 900000},
        {"1h", ERR_OK, 3600000},
        {"25d", ERR_OK, 2160000000},
        {"213503982334d", ERR_OK, 213503982334u * 86400000u},
        {"213503982335d", ERR_RANGE, 0},
        {"18446744073709551615ms", ERR_OK, UINT64_MAX},
        {"18446744073709551616ms", ERR_RANGE, 0},
        {"5", ERR_PARSE, 0},
        {"", ERR_PARSE, 0},
        {"s", ERR_PARSE, 0},
        {"5 s", ERR_PARSE, 0},
        {"5S", ERR_PARSE, 0},
        {"05s", ERR_PARSE, 0},
        {"-5s", ERR_PARSE, 0},
        {"1.5h", ERR_PARSE, 0},
        {"1h30m", ERR_PARSE, 0},
        {"5min", ERR_PARSE, 0},
        {"5KiB", ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t ms = 0;
        assert_int_equal(units_parse_duration(view_of(rows[i].text), &ms), rows[i].err);
        assert_true(ms == rows[i].ms);
    }
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t bytes;
    } rows[] = {
        {"0", ERR_OK, 0},
        {"1", ERR_OK, 1},
        {"64KiB", ERR_OK, 65536},
        {"1MiB", ERR_OK, 1048576},
        {"2GiB", ERR_OK, 2147483648},
        {"64K", ERR_PARSE, 0},
        {"64kib", ERR_PARSE, 0},
        {"64KB", ERR_PARSE, 0},
        {"KiB", ERR_PARSE, 0},
        {"99999999999GiB", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t bytes = 0;
        assert_int_equal(units_parse_size(view_of(rows[i].text), &bytes), rows[i].err);
        assert_true(bytes == rows[i].bytes);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,         1,        999,        1000,           1500,      60000,
                                      90000,     1024,     65536,      65537,          3600000,   86400000,
                                      172800000, 1u << 30, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    char text[UNITS_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        uint64_t back = 0;
        assert_int_equal(units_parse_duration(view_of(units_format_duration(values[i], text)), &back), ERR_OK);
        assert_true(back == values[i]);
        assert_int_equal(units_parse_size(view_of(units_format_size(values[i], text)), &back), ERR_OK);
        assert_true(back == values[i]);
    }
    assert_string_equal(units_format_duration(90000, text), "90s");
    assert_string_equal(units_format_duration(172800000, text), "2d");
    assert_string_equal(units_format_size(1048576, text), "1MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
