/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void grows_up_to_its_cap_and_not_beyond(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    assert_string_equal(strbuf_str(&buf), "");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(strbuf_addc(&buf, 'x'), ERR_OK);
    }
    assert_int_equal(buf.len, 1000);
    assert_int_equal(strlen(strbuf_str(&buf)), 1000);
    assert_int_equal(strbuf_addc(&buf, 'y'), ERR_LIMIT);
    assert_int_equal(strbuf_error(&buf), ERR_LIMIT);
    assert_int_equal(strlen(strbuf_str(&buf)), 1000);
    strbuf_deinit(&buf);
    assert_int_equal(strbuf_adds(&buf, "again"), ERR_OK); /* usable after deinit */
    strbuf_deinit(&buf);
}

static void the_first_failure_sticks(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 4);
    assert_int_equal(strbuf_adds(&buf, "ab"), ERR_OK);
    assert_int_equal(strbuf_addf(&buf, "%d", 12345), ERR_LIMIT);
    assert_int_equal(strbuf_adds(&buf, "c"), ERR_LIMIT); /* would fit, but the text would have a hole */
    assert_string_equal(strbuf_str(&buf), "ab");
    strbuf_clear(&buf);
    assert_int_equal(strbuf_addf(&buf, "%s%d", "x", 123), ERR_OK);
    assert_string_equal(strbuf_str(&buf), "x123");
    assert_true(view_equals(strbuf_view(&buf), "x123"));
    strbuf_deinit(&buf);
}

static void quotes_json(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 100);
    assert_int_equal(strbuf_add_json(&buf, VIEW_LITERAL("a\"b\\c\n\x01\x7f\xc3\xa9")), ERR_OK);
    assert_string_equal(strbuf_str(&buf), "\"a\\\"b\\\\c\\u000a\\u0001\x7f\xc3\xa9\"");
    strbuf_clear(&buf);
    assert_int_equal(strbuf_add_json(&buf, (struct view){0}), ERR_OK);
    assert_string_equal(strbuf_str(&buf), "\"\"");
    strbuf_deinit(&buf);
    strbuf_init(&buf, 6);
    assert_int_equal(strbuf_add_json(&buf, VIEW_LITERAL("\n")), ERR_LIMIT);
    strbuf_deinit(&buf);
}

static void hands_its_text_over(void **state)
{
    (void)state;
    struct strbuf buf;
    char *text = NULL;
    size_t len = 9;
    strbuf_init(&buf, 10);
    assert_int_equal(strbuf_take(&buf, &text, &len), ERR_OK);
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
    free(text);
    assert_int_equal(strbuf_adds(&buf, "abc"), ERR_OK);
    assert_int_equal(strbuf_take(&buf, &text, NULL), ERR_OK);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(buf.len, 0);
    assert_int_equal(strbuf_adds(&buf, "much too long"), ERR_LIMIT);
    assert_int_equal(strbuf_take(&buf, &text, &len), ERR_LIMIT);
    strbuf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_cap_and_not_beyond),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(quotes_json),
        cmocka_unit_test(hands_its_text_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
