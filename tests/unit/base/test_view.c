/* SPDX-License-Identifier: Apache-2.0 */
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define V(literal) VIEW_LITERAL(literal)

static void compares(void **state)
{
    (void)state;
    struct view none = {0};
    assert_true(view_equal(none, V("")) && view_equal(view_of(NULL), none));
    assert_false(view_equal(V("a"), V("b")) || view_equal(V("a"), V("aa")));
    assert_true(view_equals(V("abc"), "abc"));
    assert_true(view_equal_nocase(V("aBc-9"), V("AbC-9")));
    assert_false(view_equal_nocase(V("[a"), V("{a")));
    assert_false(view_equal_nocase(V("a\0b"), V("a\0c"))); /* not a C string: a NUL ends nothing */
    assert_false(view_equal_nocase(V("\xe9"), V("\xc9")));
    assert_true(view_starts_with(V("abc"), V("ab")) && view_starts_with(V("abc"), none));
    assert_false(view_starts_with(V("a"), V("ab")));
    assert_true(view_ends_with(V("abc"), V("bc")) && !view_ends_with(V("c"), V("bc")));
    assert_int_equal(view_compare(V("a"), V("b")), -1);
    assert_int_equal(view_compare(V("b"), V("aa")), 1);
    assert_int_equal(view_compare(V("a"), V("aa")), -1);
    assert_int_equal(view_compare(V("\xff"), V("a")), 1);
    assert_int_equal(view_compare(none, none), 0);
}

static void trims_and_splits(void **state)
{
    (void)state;
    assert_true(view_equals(view_trim(V(" \t\r\n a b \n")), "a b"));
    assert_int_equal(view_trim(V("  \t")).len, 0);
    struct view rest = V("a,,b,");
    static const char *const fields[] = {"a", "", "b", ""};
    struct view field;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        assert_true(view_next(&rest, ',', &field));
        assert_true(view_equals(field, fields[i]));
    }
    assert_false(view_next(&rest, ',', &field));
}

static void reads_numbers(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        uint64_t max;
        enum err err;
        uint64_t value;
    } rows[] = {
        {{"0", 1}, 10, ERR_OK, 0},
        {{"10", 2}, 10, ERR_OK, 10},
        {{"11", 2}, 10, ERR_RANGE, 0},
        {{"18446744073709551615", 20}, UINT64_MAX, ERR_OK, UINT64_MAX},
        {{"18446744073709551616", 20}, UINT64_MAX, ERR_RANGE, 0},
        {{"99999999999999999999999", 23}, UINT64_MAX, ERR_RANGE, 0},
        {{"99999999999999999999999x", 24}, UINT64_MAX, ERR_PARSE, 0},
        {{"", 0}, 10, ERR_PARSE, 0},
        {{NULL, 0}, 10, ERR_PARSE, 0},
        {{"01", 2}, 10, ERR_PARSE, 0},
        {{"00", 2}, 10, ERR_PARSE, 0},
        {{"+1", 2}, 10, ERR_PARSE, 0},
        {{"-1", 2}, 10, ERR_PARSE, 0},
        {{" 1", 2}, 10, ERR_PARSE, 0},
        {{"1 ", 2}, 10, ERR_PARSE, 0},
        {{"1\0", 2}, 10, ERR_PARSE, 0},
        {{"0x1", 3}, 10, ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 0;
        assert_int_equal(view_to_u64(rows[i].text, rows[i].max, &value), rows[i].err);
        assert_true(value == rows[i].value);
    }
}

static void copies_with_a_nul(void **state)
{
    (void)state;
    char buffer[4] = "xxx";
    assert_int_equal(view_copy(V("abcd"), buffer, sizeof(buffer)), ERR_LIMIT);
    assert_int_equal(view_copy(V("a\0b"), buffer, sizeof(buffer)), ERR_INVALID);
    assert_string_equal(buffer, "xxx"); /* written on success only */
    assert_int_equal(view_copy(V("abc"), buffer, sizeof(buffer)), ERR_OK);
    assert_string_equal(buffer, "abc");
    assert_int_equal(view_copy((struct view){0}, buffer, 1), ERR_OK);
    assert_string_equal(buffer, "");
    assert_int_equal(view_copy(V(""), buffer, 0), ERR_LIMIT);
}

static void hashes_as_fnv_1a_does(void **state)
{
    (void)state;
    assert_true(view_hash(V("")) == 0xcbf29ce484222325u); /* published vectors; stored values depend on them */
    assert_true(view_hash(V("a")) == 0xaf63dc4c8601ec8cu);
    assert_true(view_hash(V("foobar")) == 0x85944171f73967e8u);
}

static void judges_utf8(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        size_t first; /* length of the first sequence */
        bool good;
    } rows[] = {
        {{"", 0}, 0, true},
        {{"a", 1}, 1, true},
        {{"\0", 1}, 0, false},
        {{"a\0", 2}, 1, false},
        {{"\x7f", 1}, 1, true},
        {{"\x80", 1}, 0, false},
        {{"\xc1\xbf", 2}, 0, false}, /* overlong */
        {{"\xc2\x80", 2}, 2, true},  /* U+0080 */
        {{"\xc2", 1}, 0, false},
        {{"\xdf\xc0", 2}, 0, false},
        {{"\xe0\x9f\xbf", 3}, 0, false},     /* overlong */
        {{"\xe0\xa0\x80", 3}, 3, true},      /* U+0800 */
        {{"\xed\x9f\xbf", 3}, 3, true},      /* U+D7FF */
        {{"\xed\xa0\x80", 3}, 0, false},     /* surrogate */
        {{"\xef\xbf\xbf", 3}, 3, true},      /* U+FFFF */
        {{"\xf0\x8f\xbf\xbf", 4}, 0, false}, /* overlong */
        {{"\xf0\x90\x80\x80", 4}, 4, true},  /* U+10000 */
        {{"\xf4\x8f\xbf\xbf", 4}, 4, true},  /* U+10FFFF */
        {{"\xf4\x90\x80\x80", 4}, 0, false},
        {{"\xf0\x90\x80", 3}, 0, false},
        {{"\xf8\x88\x80\x80\x80", 5}, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(view_utf8_sequence(rows[i].text), rows[i].first);
        assert_int_equal(view_is_utf8(rows[i].text), rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),          cmocka_unit_test(trims_and_splits),      cmocka_unit_test(reads_numbers),
        cmocka_unit_test(copies_with_a_nul), cmocka_unit_test(hashes_as_fnv_1a_does), cmocka_unit_test(judges_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
