/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/code128.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/** The widths as digits; what a decoder makes of whole labels is in tests/integration/test_factory.py. */
static void require(const char *text, const char *widths)
{
    struct code128 code;
    assert_int_equal(code128_encode(view_of(text), &code), ERR_OK);
    assert_int_equal(code.len, strlen(widths));
    unsigned modules = 0;
    for (unsigned i = 0; i < code.len; i++) {
        assert_int_equal(code.widths[i], widths[i] - '0');
        modules += code.widths[i];
    }
    assert_int_equal(code.modules, modules);
    assert_int_equal((modules - 13) % 11, 0); /* all symbols have 11 modules, the stop 13 */
}

#define START_B "211214"
#define START_C "211232"
#define STOP    "2331112"

static void letters_are_of_set_b(void **state)
{
    (void)state;
    require("A", START_B "111323"
                         "131123" STOP);
    require("AB", START_B "111323"
                          "131123"
                          "411131" STOP);
}

static void digits_are_of_set_c(void **state)
{
    (void)state;
    require("1234", START_C "112232"
                            "131123"
                            "121241" STOP);
}

static void an_odd_run_begins_in_set_b(void **state)
{
    (void)state;
    struct code128 odd, even;
    assert_int_equal(code128_encode(VIEW_LITERAL("A12345"), &odd), ERR_OK);
    assert_int_equal(code128_encode(VIEW_LITERAL("A1234"), &even), ERR_OK);
    assert_int_equal(odd.modules - even.modules, 11); /* one symbol more */
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct code128 code;
    char text[CODE128_TEXT_MAX + 2];
    memset(text, 'Z', sizeof(text));
    assert_int_equal(code128_encode(VIEW_LITERAL(""), &code), ERR_INVALID);
    assert_int_equal(code128_encode(VIEW_LITERAL("a\n"), &code), ERR_INVALID);
    assert_int_equal(code128_encode(VIEW_LITERAL("\xc3\xa4"), &code), ERR_INVALID);
    assert_int_equal(code128_encode(view_n(text, CODE128_TEXT_MAX + 1), &code), ERR_LIMIT);
    assert_int_equal(code128_encode(view_n(text, CODE128_TEXT_MAX), &code), ERR_OK);
}

/** The text that needs the most symbols: runs that change the set as often as they can. */
static void the_longest_fits(void **state)
{
    (void)state;
    static const char worst[] = "A1234B1234C1234D1234E1234F1234G1234H1234I1234J12";
    struct code128 code;
    assert_int_equal(strlen(worst), CODE128_TEXT_MAX);
    assert_int_equal(code128_encode(view_of(worst), &code), ERR_OK);
    assert_true(code.len <= CODE128_WIDTHS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_of_set_b),       cmocka_unit_test(digits_are_of_set_c),
        cmocka_unit_test(an_odd_run_begins_in_set_b), cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(the_longest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
