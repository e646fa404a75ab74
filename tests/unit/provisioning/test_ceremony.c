/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ceremony.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"

#define NOW   INT64_C(1795365780) /* 2026-11-22T16:43:00Z */
#define LINES 5

static char dir[] = "/tmp/muster-ceremony-XXXXXX";
static char path[64];
static char *whole;
static size_t whole_len;

static int set_up(void **state)
{
    (void)state;
    static const uint8_t digest[SHA256_SIZE] = {1, 2, 3};
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/" CEREMONY_FILE, dir); /* short */
    for (size_t i = 0; i < LINES; i++) {
        const struct ceremony_act act = {
            .by = "ann", .act = "init", .what = "devices", .sha256 = i % 2 == 0 ? digest : NULL};
        if (ceremony_append(dir, &act, NOW + (int64_t)i, NULL) != ERR_OK) {
            return -1;
        }
    }
    return file_read(path, CEREMONY_FILE_MAX, &whole, &whole_len) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(whole);
    (void)unlink(path);
    return rmdir(dir);
}

static enum err verify(struct view text, struct ceremony_state *ret_state, struct errinfo *info)
{
    assert_int_equal(file_replace(path, text, 0644), ERR_OK);
    return ceremony_verify(dir, ret_state, info);
}

static void test_a_log_and_no_log(void **state)
{
    (void)state;
    struct ceremony_state log;
    assert_int_equal(verify(view_n(whole, whole_len), &log, NULL), ERR_OK);
    assert_int_equal(log.lines, LINES);
    assert_string_equal(log.time, "2026-11-22T16:43:04.000Z");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ceremony_verify(dir, &log, NULL), ERR_OK);
    assert_int_equal(log.lines, 0);
    assert_string_equal(log.time, "");
}

/** Every byte but those of the last line: changing that one is noticed by its digest alone, which is what is kept
 * elsewhere. */
static void test_every_changed_byte_shows(void **state)
{
    (void)state;
    struct ceremony_state log;
    struct ceremony_state good;
    size_t last = whole_len - 1;
    assert_int_equal(verify(view_n(whole, whole_len), &good, NULL), ERR_OK);
    while (whole[last - 1] != '\n') {
        last--;
    }
    for (size_t i = 0; i < last; i += 3) {
        whole[i] ^= 1;
        struct errinfo info = {0};
        assert_int_equal(verify(view_n(whole, whole_len), &log, &info), ERR_CORRUPT);
        assert_non_null(strstr(info.text, CEREMONY_FILE ":"));
        whole[i] ^= 1;
    }
    for (size_t i = last; i < whole_len - 1; i++) {
        whole[i] ^= 1;
        assert_true(verify(view_n(whole, whole_len), &log, NULL) != ERR_OK ||
                    memcmp(log.last, good.last, SHA256_SIZE) != 0);
        whole[i] ^= 1;
    }
}

static void test_a_line_taken_out_or_moved_shows(void **state)
{
    (void)state;
    struct ceremony_state log;
    char *second = memchr(whole, '\n', whole_len);
    assert_non_null(second);
    second++;
    assert_int_equal(verify(view_n(second, whole_len - (size_t)(second - whole)), &log, NULL), ERR_CORRUPT);
    char twice[4096];
    size_t first_len = (size_t)(second - whole);
    memcpy(twice, whole, first_len);
    memcpy(twice + first_len, whole, whole_len);
    assert_int_equal(verify(view_n(twice, first_len + whole_len), &log, NULL), ERR_CORRUPT);
}

static void test_a_torn_line_goes_with_the_next(void **state)
{
    (void)state;
    struct ceremony_state log;
    const struct ceremony_act act = {.by = "bob", .act = "revoke", .what = "cam-1"};
    for (size_t cut = 1; cut < 60; cut += 7) {
        assert_int_equal(verify(view_n(whole, whole_len - cut), &log, NULL), ERR_OK);
        assert_int_equal(log.lines, LINES - 1);
        assert_int_equal(ceremony_append(dir, &act, NOW, NULL), ERR_OK);
        assert_int_equal(ceremony_verify(dir, &log, NULL), ERR_OK);
        assert_int_equal(log.lines, LINES);
    }
}

static void test_words_cannot_break_out(void **state)
{
    (void)state;
    char *text;
    size_t len;
    char longest[4 * CEREMONY_TEXT_MAX];
    struct ceremony_state log;
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    const struct ceremony_act acts[] = {{.by = "a\",\"act\":\"x", .act = "issue", .what = "line\nbreak\\"},
                                        {.by = longest, .act = longest, .what = longest}};
    assert_int_equal(unlink(path), 0);
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        assert_int_equal(ceremony_append(dir, &acts[i], NOW, NULL), ERR_OK);
    }
    assert_int_equal(ceremony_verify(dir, &log, NULL), ERR_OK);
    assert_int_equal(log.lines, 2);
    assert_int_equal(file_read(path, CEREMONY_FILE_MAX, &text, &len), ERR_OK);
    assert_non_null(strstr(text, "\"by\":\"a?,?act?:?x\",\"act\":\"issue\",\"what\":\"line?break?\""));
    free(text);
}

static void test_a_damaged_log_takes_no_more(void **state)
{
    (void)state;
    struct errinfo info = {0};
    const struct ceremony_act act = {.by = "bob", .act = "revoke", .what = "cam-1"};
    assert_int_equal(file_replace(path, VIEW_LITERAL("hello\n"), 0644), ERR_OK);
    assert_int_equal(ceremony_append(dir, &act, NOW, &info), ERR_CORRUPT);
    assert_non_null(strstr(info.text, ":1: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_and_no_log),
        cmocka_unit_test(test_every_changed_byte_shows),
        cmocka_unit_test(test_a_line_taken_out_or_moved_shows),
        cmocka_unit_test(test_a_torn_line_goes_with_the_next),
        cmocka_unit_test(test_words_cannot_break_out),
        cmocka_unit_test(test_a_damaged_log_takes_no_more),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
