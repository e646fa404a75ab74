/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httphead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_last_block_is_searched_in_any_case(void **state)
{
    (void)state;
    struct http_headers headers;
    struct view value;
    http_headers_init(&headers, 1000);
    assert_false(http_headers_find(&headers, "a", &value));
    static const char *const lines[] = {
        "HTTP/1.1 100 Continue\r\n", "Old: 1\r\n",         "\r\n",   "HTTP/1.1 200 OK\r\n",
        "X-Name:  va lue \r\n",      "x-name: second\r\n", "Empty:", "\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_int_equal(http_headers_add(&headers, view_of(lines[i])), ERR_OK);
    }
    assert_true(http_headers_find(&headers, "x-NAME", &value));
    assert_true(view_equals(value, "va lue"));
    assert_true(http_headers_find(&headers, "empty", &value));
    assert_int_equal(value.len, 0);
    assert_false(http_headers_find(&headers, "old", &value));
    assert_false(http_headers_find(&headers, "x-nam", &value));
    http_headers_deinit(&headers);
}

static void all_blocks_share_one_cap(void **state)
{
    (void)state;
    struct http_headers headers;
    http_headers_init(&headers, 30);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_headers_add(&headers, view_of("HTTP/1.1 1")), ERR_OK);
    }
    assert_int_equal(http_headers_add(&headers, view_of("x")), ERR_LIMIT);
    http_headers_deinit(&headers);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const int64_t then_ms = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110 5.6.7) */
    const struct {
        const char *value;
        int64_t wall_ms;
        enum err err;
        uint64_t wait_ms;
    } rows[] = {
        {"0", 0, ERR_OK, 0},
        {"120", 0, ERR_OK, 120000},
        {"3601", 0, ERR_OK, 3600000},
        {"99999999999999999999999", 0, ERR_OK, 3600000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", then_ms - 1500, ERR_OK, 1500},
        {"Sun, 06 Nov 1994 08:49:37 GMT", then_ms, ERR_OK, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", then_ms + 99999, ERR_OK, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0, ERR_OK, 3600000},
        {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800000 - 10, ERR_OK, 10},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 0, ERR_OK, 3600000},
        {"-1", 0, ERR_PARSE, 0},
        {"1.5", 0, ERR_PARSE, 0},
        {"", 0, ERR_PARSE, 0},
        {"soon", 0, ERR_PARSE, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0, ERR_PARSE, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", 0, ERR_PARSE, 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", 0, ERR_PARSE, 0},
        {"Sun, 06 Abc 1994 08:49:37 GMT", 0, ERR_PARSE, 0},
        {"Sun, 0x Nov 1994 08:49:37 GMT", 0, ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t wait_ms = 0;
        assert_int_equal(http_retry_after_parse(view_of(rows[i].value), rows[i].wall_ms, 3600, &wait_ms), rows[i].err);
        assert_int_equal(wait_ms, rows[i].wait_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_block_is_searched_in_any_case),
        cmocka_unit_test(all_blocks_share_one_cap),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
