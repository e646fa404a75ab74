/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/doctor/bundle.h"
#include "base/json.h"

static void the_worst_line_is_the_status(void **state)
{
    (void)state;
    const struct {
        enum check_verdict verdicts[3];
        int status;
    } rows[] = {
        {{CHECK_OK, CHECK_OK, CHECK_OK}, 0},     {{CHECK_OK, CHECK_SKIP, CHECK_OK}, 0},
        {{CHECK_OK, CHECK_WARN, CHECK_SKIP}, 1}, {{CHECK_FAIL, CHECK_WARN, CHECK_OK}, 2},
        {{CHECK_WARN, CHECK_OK, CHECK_FAIL}, 2},
    };
    struct checks *checks = malloc(sizeof(*checks));
    assert_non_null(checks);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        checks->len = checks->left_out = 0;
        for (size_t j = 0; j < ARRAY_LEN(rows[i].verdicts); j++) {
            struct finding finding = finding_of(rows[i].verdicts[j], NULL, "x");
            assert_int_equal(checks_add(checks, "tcp", NULL, &finding), rows[i].verdicts[j]);
        }
        assert_int_equal(checks_status(checks), rows[i].status);
    }
    free(checks);
}

static void prints_lines_and_json(void **state)
{
    (void)state;
    struct checks *checks = calloc(1, sizeof(*checks));
    struct strbuf out;
    assert_non_null(checks);
    strbuf_init(&out, 1 << 20);
    struct finding good = finding_of(CHECK_OK, "not needed", "fine"),
                   bad = finding_of(CHECK_FAIL, "mend it", "\"%s\"", "a\x1b\n");
    (void)checks_add(checks, "clock", NULL, &good);
    (void)checks_add(checks, "tcp", "b:1", &bad);
    (void)checks_skip(checks, "tls", "b:1", "later");
    assert_int_equal(checks_text(checks, &out), ERR_OK);
    assert_string_equal(strbuf_str(&out), "ok    clock        fine\n"
                                          "FAIL  tcp          b:1: \"a??\"\n"
                                          "                   -> mend it\n"
                                          "skip  tls          b:1: later\n");
    strbuf_clear(&out);
    assert_int_equal(checks_json(checks, &out), ERR_OK);
    CLEANUP(json_decref_p) json_t *root = NULL;
    assert_int_equal(json_parse(strbuf_view(&out), 1 << 20, 4, &root, NULL), ERR_OK);
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 2);
    const json_t *line = json_array_get(json_object_get(root, "checks"), 1);
    assert_string_equal(json_string_value(json_object_get(line, "detail")), "\"a??\"");
    assert_string_equal(json_string_value(json_object_get(line, "hint")), "mend it");
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(root, "checks"), 0), "hint")),
                        "");
    strbuf_deinit(&out);
    free(checks);
}

static void counts_what_is_too_much(void **state)
{
    (void)state;
    struct checks *checks = calloc(1, sizeof(*checks));
    assert_non_null(checks);
    for (size_t i = 0; i < CHECKS_MAX + 3; i++) {
        assert_int_equal(checks_skip(checks, "x", NULL, "y"), CHECK_SKIP);
    }
    assert_int_equal(checks->len, CHECKS_MAX);
    assert_int_equal(checks->left_out, 3);
    free(checks);
}

static void writes_an_archive(void **state)
{
    (void)state;
    char big[513];
    memset(big, 'b', sizeof(big));
    const struct bundle_file files[] = {
        {.name = "empty", .content = view_of("")},
        {.name = "small", .content = view_of("hello\n")},
        {.name = "big", .content = view_n(big, sizeof(big))},
    };
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    assert_int_equal(bundle_tar(files, ARRAY_LEN(files), 1, &out), ERR_OK);
    assert_int_equal(out.len, 512 + (512 + 512) + (512 + 1024) + 1024);
    assert_memory_equal(out.ptr + 512 + 124, "00000000006", 12); /* size of the second file */
    assert_memory_equal(out.ptr + 512 + 257,
                        "ustar\0"
                        "00",
                        8);
    assert_memory_equal(out.ptr + 1024, "hello\n", 6);
    strbuf_clear(&out);
    char name[BUNDLE_NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(bundle_tar(&(struct bundle_file){.name = name}, 1, 1, &out), ERR_INVALID);
    assert_int_equal(bundle_tar(&(struct bundle_file){.name = ""}, 1, 1, &out), ERR_INVALID);
    strbuf_deinit(&out);
}

static void redacts(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected;
    } rows[] = {
        {"a: 1\nb:\n  c: \"d\"\n", "a: 1\nb:\n  c: \"d\"\n"},
        {"  url: \"https://h.example/x?token=1\"\n", "  url: \"https://h.example/x?<redacted>\"\n"},
        {"  url: \"https://u:p@h.example/x\"\n", "  url: \"https://<redacted>@h.example/x\"\n"},
        {"  url: \"https://u:p@h.example/x?y=a@b\"\n", "  url: \"https://<redacted>@h.example/x?<redacted>\"\n"},
        {"  command:\n    - \"/bin/a\"\n    - \"secret\"\n    - \"more\"\n  c: 1\n    - \"kept\"\n",
         "  command:\n    - \"/bin/a\"\n    - \"<redacted>\"\n    - \"<redacted>\"\n  c: 1\n    - \"kept\"\n"},
        {"  command:\n    - \"/bin/a -u me:secret http://h.example/\"\n", "  command:\n    - \"/bin/a <redacted>\"\n"},
        {"{\"why\":\"https://a.example/?k=1: refused\",\"w\":\"http://b.example/c?d\"}\n",
         "{\"why\":\"https://a.example/?<redacted> refused\",\"w\":\"http://b.example/c?<redacted>\"}\n"},
        {"  url: \"https://h.example/?key=ab'c)d<e>f\\\\g\\\"h\"\n", "  url: \"https://h.example/?<redacted>\"\n"},
        {"(http://u:p)w@h.example/)", "(http://<redacted>@h.example/)"},
        {"http://a.example/x,http://u:p@h.example/x?y z",
         "http://a.example/x,http://<redacted>@h.example/x?<redacted> z"},
        {"http://a.example/?k=v://w/x&token=1 z", "http://a.example/?<redacted> z"},
        {"see ://\n", "see ://\n"},
        {"no newline", "no newline"},
        {"", ""},
        {"  command: []\n  x: 1\n", "  command: []\n  x: 1\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf out;
        strbuf_init(&out, 4096);
        assert_int_equal(bundle_redact(view_of(rows[i].text), &out), ERR_OK);
        assert_string_equal(strbuf_str(&out), rows[i].expected);
        strbuf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_line_is_the_status),
        cmocka_unit_test(prints_lines_and_json),
        cmocka_unit_test(counts_what_is_too_much),
        cmocka_unit_test(writes_an_archive),
        cmocka_unit_test(redacts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
