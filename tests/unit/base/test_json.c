/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What is valid and what is not stands in test_jsonscan.c, where both readers judge the same table. */

static void parses_objects_and_arrays_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"{\"a\":[1]}", ERR_OK}, {"[1,2]", ERR_OK}, {"1", ERR_PARSE}, {"\"x\"", ERR_PARSE}, {"null", ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_decref_p) json_t *json = NULL;
        assert_int_equal(json_parse(view_of(rows[i].text), 100, 4, &json, NULL), rows[i].err);
        assert_int_equal(json != NULL, rows[i].err == ERR_OK);
    }
}

static void caps_size_and_depth(void **state)
{
    (void)state;
    CLEANUP(json_decref_p) json_t *json = NULL;
    struct errinfo info = {0};
    assert_int_equal(json_parse(view_of("{\"a\":1}"), 6, 4, &json, &info), ERR_LIMIT);
    assert_string_equal(info.text, "7 bytes, at most 6 allowed");
    assert_int_equal(json_parse(view_of("{\"a\":[[1]]}"), 100, 2, &json, &info), ERR_LIMIT);
    assert_string_equal(info.text, "nested 3 deep, at most 2 allowed");
    assert_null(json);
    assert_int_equal(json_parse(view_of("{\"[[[\":\"\\\"{{{\"}"), 100, 1, &json, &info), ERR_OK);
}

static void says_where_without_quoting_the_sender(void **state)
{
    (void)state;
    CLEANUP(json_decref_p) json_t *json = NULL;
    struct errinfo info = {0};
    assert_int_equal(json_parse(view_of("{\"a\": secret}"), 100, 4, &json, &info), ERR_PARSE);
    assert_string_equal(info.text, "at byte 12: invalid token");
    assert_string_equal(info.layer, "json");
    assert_int_equal(json_parse(view_of("{\"a\":1,\"a\":2}"), 100, 4, &json, &info), ERR_PARSE);
    assert_non_null(strstr(info.text, "duplicate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_objects_and_arrays_only),
        cmocka_unit_test(caps_size_and_depth),
        cmocka_unit_test(says_where_without_quoting_the_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
