/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "cli/exit.h"

static const struct report hostile = {.error = "zone a.test: not \"repaired\"",
                                      .cause = "REFUSED\033[2J\nby ns1",
                                      .hint = NULL,
                                      .docs = "muster zone sweep",
                                      .id = "sweep-failed"};

static char *printed(const struct report *report, void (*print)(const struct report *report, FILE *stream))
{
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    print(report, stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void test_four_lines(void **state)
{
    (void)state; /* none */
    char *text = printed(&hostile, report_print);
    assert_string_equal(text, "muster: error: zone a.test: not \"repaired\"\n"
                              "  cause: REFUSED?[2J?by ns1\n"
                              "  hint:  unknown\n"
                              "  docs:  muster zone sweep --help\n");
    free(text);
}

static void test_json_is_one_line_that_parses(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *id, *cause, *want_id, *want_cause;
    } rows[] = {
        {"sweep-failed", "REFUSED\033[2J\nby ns1", "sweep-failed", "REFUSED\033[2J\nby ns1"},
        {NULL, "broken \xff\xfe", "failed", "(not UTF-8)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report = hostile;
        report.id = rows[i].id;
        report.cause = rows[i].cause;
        char *text = printed(&report, report_print_json);
        struct view line = view_of(text);
        struct view first;
        assert_true(view_next(&line, '\n', &first));
        assert_int_equal(line.len, 0);
        json_t *root;
        assert_int_equal(json_parse(first, 4096, 3, &root, NULL), ERR_OK);
        const json_t *error = json_object_get(root, "error");
        assert_string_equal(json_string_value(json_object_get(error, "id")), rows[i].want_id);
        assert_string_equal(json_string_value(json_object_get(error, "cause")), rows[i].want_cause);
        assert_string_equal(json_string_value(json_object_get(error, "message")), hostile.error);
        json_decref(root);
        free(text);
    }
}

static void test_codes(void **state)
{
    (void)state; /* none */
    static const struct {
        enum err err;
        enum exit_code code;
    } rows[] = {
        {ERR_OK, EXIT_OK},
        {ERR_IO, EXIT_FAILED},
        {ERR_INVALID, EXIT_USAGE},
        {ERR_DENIED, EXIT_REFUSED},
        {ERR_NOTFOUND, EXIT_ABSENT},
        {ERR_EXISTS, EXIT_CONFLICT},
        {ERR_TIMEOUT, EXIT_TIMED_OUT},
        {ERR_AGAIN, EXIT_PENDING},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(exit_code_of(rows[i].err), rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_lines),
        cmocka_unit_test(test_json_is_one_line_that_parses),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
