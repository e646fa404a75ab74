/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void step(struct progress *progress, enum progress_outcome outcome, unsigned times, uint64_t now_ms)
{
    for (unsigned i = 0; i < times; i++) {
        progress_step(progress, outcome, now_ms);
    }
}

static void require_text(const struct progress *progress, uint64_t now_ms, const char *expected)
{
    struct strbuf text;
    strbuf_init(&text, 256);
    progress_text(progress, now_ms, &text);
    assert_string_equal(strbuf_str(&text), expected);
    strbuf_deinit(&text);
}

static void the_words_say_how_far_it_is(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL, 1000, 5000);
    require_text(&progress, 5000, "0/1000  0.0/s  0 failed");
    step(&progress, PROGRESS_DONE, 99, 15000);
    step(&progress, PROGRESS_FAILED, 1, 15000);
    require_text(&progress, 15000, "100/1000  10.0/s  left 1m30s  1 failed");
    step(&progress, PROGRESS_SKIPPED, 890, 15000); /* a resumed shift: not work, but done */
    require_text(&progress, 15000, "990/1000  10.0/s  left 1s  1 failed  890 done before");
    step(&progress, PROGRESS_DONE, 10, 15000);
    require_text(&progress, 15000, "1000/1000  11.0/s  1 failed  890 done before");
}

static void a_total_need_not_be_known(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL, 0, 0);
    step(&progress, PROGRESS_DONE, 1, 1000);
    require_text(&progress, 1000, "1  1.0/s  0 failed");
}

static void hours_are_hours(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL, 10001, 0);
    step(&progress, PROGRESS_DONE, 1, 1000);
    require_text(&progress, 1000, "1/10001  1.0/s  left 2h46m  0 failed");
}

/** Not a terminal: a line every ten seconds, and one at the end. */
static void elsewhere_it_is_lines(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct progress progress;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    progress_init(&progress, stream, 4, 0);
    step(&progress, PROGRESS_DONE, 1, 9999);
    step(&progress, PROGRESS_DONE, 1, 10000);
    step(&progress, PROGRESS_DONE, 1, 19000);
    progress_clear(&progress);
    progress_end(&progress, 20000);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, "2/4  0.2/s  left 10s  0 failed\n3/4  0.1/s  left 7s  0 failed\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_say_how_far_it_is),
        cmocka_unit_test(a_total_need_not_be_known),
        cmocka_unit_test(hours_are_hours),
        cmocka_unit_test(elsewhere_it_is_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
