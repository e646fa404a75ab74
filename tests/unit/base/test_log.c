/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CAUGHT_MAX 100000
static char caught[CAUGHT_MAX];
static int real_stderr;
static int catcher;

/* From here on stderr is a file in memory; appended to, since not every kernel guards a shared file position. */
static void catch_stderr(void)
{
    catcher = memfd_create("stderr", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    assert_true(catcher >= 0 && real_stderr >= 0);
    assert_int_equal(fcntl(catcher, F_SETFL, O_APPEND), 0);
    assert_int_equal(dup2(catcher, STDERR_FILENO), STDERR_FILENO);
}

/* What was written since catch_stderr. */
static const char *release_stderr(void)
{
    assert_int_equal(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = pread(catcher, caught, CAUGHT_MAX - 1, 0);
    assert_true(n >= 0);
    caught[n] = '\0';
    (void)close(catcher);
    (void)close(real_stderr);
    return caught;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void a_line_has_time_program_level_and_event(void **state)
{
    (void)state;
    catch_stderr();
    (void)unsetenv("JOURNAL_STREAM");
    log_init("tool", LOG_LEVEL_INFO);
    errno = ENOSPC;
    log_event(LOG_LEVEL_WARN, "test-plain", "name=%s retry_ms=%d", "x", 5);
    log_event(LOG_LEVEL_DEBUG, "test-plain", "below=threshold");
    assert_int_equal(errno, ENOSPC);
    const char *text = release_stderr();
    assert_int_equal(count_lines(text), 1);
    assert_true(strlen(text) > 25 && text[23] == 'Z');
    assert_string_equal(text + 24, " tool warn test-plain name=x retry_ms=5\n");
}

static void the_journal_gets_its_prefix_only_on_its_own_socket(void **state)
{
    (void)state;
    char stream[64];
    struct stat stat;
    catch_stderr();
    assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_init("tool", LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_ERROR, "test-journal", "a=%d", 1);
    assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* inherited, but stderr goes elsewhere */
    log_init("tool", LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_ERROR, "test-journal", "a=%d", 2);
    const char *text = release_stderr();
    assert_true(strncmp(text, "<3>test-journal a=1\n", 20) == 0);
    assert_non_null(strstr(text + 20, "Z tool error test-journal a=2\n"));
}

static void each_event_is_limited_and_says_what_was_held_back(void **state)
{
    (void)state;
    uint64_t before = log_suppressed();
    catch_stderr();
    for (int i = 0; i < 50; i++) {
        log_event(LOG_LEVEL_INFO, "test-limit", "i=%d", i);
    }
    log_event(LOG_LEVEL_INFO, "test-other", "fine=%d", 1);
    const char *text = release_stderr();
    assert_int_equal(count_lines(text), 21);
    assert_int_equal(log_suppressed() - before, 30);
    assert_non_null(strstr(text, "i=19\n"));
    assert_non_null(strstr(text, "test-other fine=1\n"));
}

static void a_long_line_is_cut_between_characters_and_stays_one_line(void **state)
{
    (void)state;
    char longer[3000] = "";
    for (size_t i = 0; i + 2 < sizeof(longer); i += 2) {
        memcpy(longer + i, "\xc3\xa9", 3);
    }
    for (size_t shift = 0; shift < 2; shift++) {
        catch_stderr();
        log_event(LOG_LEVEL_INFO, "test-long", "%s%s", shift == 0 ? "" : "x", longer);
        const char *text = release_stderr();
        size_t len = strlen(text);
        assert_int_equal(count_lines(text), 1);
        assert_true(len > 900 && len <= 1024);
        assert_string_equal(text + len - 4, "...\n");
        assert_int_equal((unsigned char)text[len - 5], 0xa9); /* a whole character before the dots */
    }
}

static void controls_start_no_line_of_their_own(void **state)
{
    (void)state;
    catch_stderr();
    log_event(LOG_LEVEL_INFO, "test-control", "text=%s", "a\nb\r\x1b[31m\x7f");
    const char *text = release_stderr();
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "text=a b  [31m \n"));
}

static void levels_are_read_by_name(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_ERROR;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_parse("loud", &level) || log_level_parse("", &level));
    log_set_level(LOG_LEVEL_WARN);
    assert_int_equal(log_get_level(), LOG_LEVEL_WARN);
    log_set_level(LOG_LEVEL_INFO);
}

static void quotes_text_from_outside(void **state)
{
    (void)state;
    char buffer[LOG_QUOTED_SIZE];
    assert_string_equal(log_quote("a b", 3, buffer), "\"a b\"");
    assert_string_equal(log_quote("a\"\\\n\0", 5, buffer), "\"a\\x22\\x5c\\x0a\\x00\"");
    assert_string_equal(log_quote("", 0, buffer), "\"\"");
    char longer[1000];
    for (int c = 1; c < 256; c += 31) {
        memset(longer, c, sizeof(longer));
        (void)log_quote(longer, sizeof(longer), buffer);
        size_t len = strlen(buffer);
        assert_true(len < LOG_QUOTED_SIZE);
        assert_string_equal(buffer + len - 4, "...\"");
    }
}

static void *write_lines(void *event)
{
    for (int i = 0; i < 200; i++) {
        log_event(LOG_LEVEL_INFO, event, "i=%d", i);
    }
    return NULL;
}

/* More events than there are budgets, from several threads: for the thread sanitizer, and no line may be torn. */
static void threads_may_log_at_once(void **state)
{
    (void)state;
    static char events[4][16];
    pthread_t threads[4];
    catch_stderr();
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(events[i], sizeof(events[i]), "thread-%zu", i);
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, events[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    const char *text = release_stderr();
    assert_int_equal(count_lines(text), 4 * 20);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_true(strncmp(line + 24, " tool info thread-", 18) == 0);
    }
}

static void more_events_than_budgets_share_the_last_one(void **state)
{
    (void)state;
    static char events[200][16];
    catch_stderr();
    for (size_t i = 0; i < 200; i++) {
        (void)snprintf(events[i], sizeof(events[i]), "many-%zu", i);
        log_event(LOG_LEVEL_INFO, events[i], "a=%d", 1);
    }
    unsigned lines = count_lines(release_stderr());
    assert_true(lines > 100 && lines < 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_program_level_and_event),
        cmocka_unit_test(the_journal_gets_its_prefix_only_on_its_own_socket),
        cmocka_unit_test(each_event_is_limited_and_says_what_was_held_back),
        cmocka_unit_test(a_long_line_is_cut_between_characters_and_stays_one_line),
        cmocka_unit_test(controls_start_no_line_of_their_own),
        cmocka_unit_test(levels_are_read_by_name),
        cmocka_unit_test(quotes_text_from_outside),
        cmocka_unit_test(threads_may_log_at_once),
        cmocka_unit_test(more_events_than_budgets_share_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
