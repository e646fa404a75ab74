/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/child.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/loop_run.h"

#define SHELL      "/bin/sh"
#define FOREVER_MS 60000u

struct seen {
    struct loop *loop;
    unsigned done, awaited;
    struct child_result result; /* views void */
    char output[8192], errors[2048];
    struct child *cancel; /* from inside the completion */
};

static struct seen seen;
static struct child_pool *pool;

static void on_done(void *context, const struct child_result *result)
{
    struct seen *what = context;
    what->result = *result;
    assert_int_equal(view_copy(result->output, what->output, sizeof(what->output)), ERR_OK);
    assert_int_equal(view_copy(result->errors, what->errors, sizeof(what->errors)), ERR_OK);
    child_cancel(TAKE(what->cancel));
    if (++what->done == what->awaited) {
        loop_stop(what->loop);
    }
}

static void wait_for(unsigned done)
{
    seen.awaited = seen.done + done;
    loop_run_or_fail(seen.loop);
    assert_int_equal(seen.done, seen.awaited);
}

static int setup_running(void **state, unsigned running)
{
    (void)state;
    seen = (struct seen){0};
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(child_pool_new(seen.loop, running, &pool), ERR_OK);
    return 0;
}

static int setup(void **state)
{
    return setup_running(state, 4);
}

static int setup_one(void **state)
{
    return setup_running(state, 1);
}

static int teardown(void **state)
{
    (void)state;
    child_pool_free(pool);
    loop_free(seen.loop);
    return 0;
}

static struct child *start_limits(const char *script, uint32_t timeout_ms, size_t output_max)
{
    const char *const arguments[] = {SHELL, "-c", script};
    const char *const variables[] = {"MUSTER_FAMILY=6"};
    struct child_options options = {.arguments = arguments,
                                    .arguments_len = 3,
                                    .variables = variables,
                                    .variables_len = 1,
                                    .timeout_ms = timeout_ms,
                                    .output_max = output_max,
                                    .done = on_done,
                                    .context = &seen};
    struct child *child = NULL;
    unsigned done = seen.done;
    assert_int_equal(child_start(pool, &options, &child), ERR_OK);
    assert_int_equal(seen.done, done);
    return child;
}

static struct child *start(const char *script)
{
    return start_limits(script, FOREVER_MS, sizeof(seen.output) - 1);
}

static void run(const char *script)
{
    (void)start(script);
    wait_for(1);
}

static void tells_output_errors_and_status(void **state)
{
    (void)state;
    run("echo 192.0.2.1; echo oh dear >&2; exit 3");
    assert_int_equal(seen.result.err, ERR_OK);
    assert_int_equal(seen.result.status, 3);
    assert_int_equal(seen.result.signal, 0);
    assert_string_equal(seen.output, "192.0.2.1\n");
    assert_string_equal(seen.errors, "oh dear\n");
    run("kill -SEGV $$");
    assert_int_equal(seen.result.err, ERR_OK);
    assert_int_equal(seen.result.signal, SIGSEGV);
}

static void hands_over_nothing_but_what_was_said(void **state)
{
    (void)state;
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as libraries do */
    assert_int_equal(setenv("MUSTER_TEST_SECRET", "hidden", 1), 0);
    run("/usr/bin/env | /usr/bin/sort; pwd; cat; for f in /proc/$$/fd/*; do n=${f##*/}; [ $n -gt 2 ] && [ -e $f ]"
        " && echo leaked $n; done; ps -o pgid= -p $$ | tr -d ' ' | grep -qx $$ && echo own group");
    assert_int_equal(seen.result.err, ERR_OK);
    (void)close(leak);
    assert_int_equal(unsetenv("MUSTER_TEST_SECRET"), 0);
    char *own = strstr(seen.output, "own group\n");
    assert_non_null(own);
    *own = '\0';
    assert_null(strstr(seen.output, "leaked"));
    assert_null(strstr(seen.output, "hidden"));
    assert_non_null(strstr(seen.output, "LC_ALL=C\nMUSTER_FAMILY=6\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"));
    assert_non_null(strstr(seen.output, "\n/\n"));
}

static void no_signal_is_left_ignored(void **state)
{
    (void)state; /* the loop ignores SIGPIPE; a child that inherited that would write on for ever */
    run("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2");
    char *end;
    unsigned long long blocked = strtoull(seen.output, &end, 16), ignored = strtoull(end, NULL, 16);
    assert_true(blocked == 0);
    assert_true((ignored & ((1ull << 31) - 1)) == 0); /* 32 and 33 are the C library's own */
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* A grandchild is reaped by whoever adopts it: a zombie is dead enough. */
static void assert_ends(pid_t pid)
{
    char path[64], text[256];
    for (uint64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end;) {
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        FILE *file = fopen(path, "r");
        if (file == NULL) {
            return;
        }
        size_t len = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        text[len] = '\0';
        if (len == 0 || strstr(text, ") Z") != NULL) {
            return;
        }
    }
    fail_msg("process %d lives on", (int)pid);
}

static void dies_by_its_deadline_with_its_children(void **state)
{
    (void)state;
    long grandchild = 0, child = 0;
    for (uint32_t limit_ms = 200; child <= 1 && limit_ms < 60000;
         limit_ms *= 4) { /* a shell has to start in that time */
        (void)start_limits("sleep 600 & echo $!; echo $$; wait", limit_ms, 100);
        wait_for(1);
        assert_int_equal(seen.result.err, ERR_TIMEOUT);
        assert_true(seen.result.elapsed_ms >= limit_ms);
        char *end;
        grandchild = strtol(seen.output, &end, 10);
        child = strtol(end, NULL, 10);
    }
    assert_true(grandchild > 1 && child > 1);
    assert_ends((pid_t)grandchild);
    for (int i = 0; i < 100 && !is_gone((pid_t)child); i++) {
        run("exit 0"); /* reaped by now, or one of the next SIGCHLDs does it */
    }
    assert_true(is_gone((pid_t)child));
}

static void what_a_program_leaves_behind_dies_with_it(void **state)
{
    (void)state;
    uint64_t began = clock_mono_ms();
    run("sleep 600 & echo $!"); /* the sleeper holds the pipe open: it is not waited for */
    assert_int_equal(seen.result.err, ERR_OK);
    assert_true(clock_mono_ms() - began < 20000);
    assert_ends((pid_t)strtol(seen.output, NULL, 10));
}

static void output_is_capped(void **state)
{
    (void)state;
    (void)start_limits("echo 12345678", FOREVER_MS, 9);
    wait_for(1);
    assert_int_equal(seen.result.err, ERR_OK);
    assert_string_equal(seen.output, "12345678\n");
    (void)start_limits("echo 123456789", FOREVER_MS, 9);
    wait_for(1);
    assert_int_equal(seen.result.err, ERR_LIMIT);
    (void)start_limits("while :; do echo more; done", FOREVER_MS, 5000);
    wait_for(1);
    assert_int_equal(seen.result.err, ERR_LIMIT);
    (void)start_limits("while :; do echo more >&2; done", 300, 5000); /* dropped, without holding up the loop */
    wait_for(1);
    assert_int_equal(seen.result.err, ERR_TIMEOUT);
    assert_int_equal(strlen(seen.errors), CHILD_ERRORS_MAX);
}

static void what_cannot_be_started_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum err err;
    } cases[] = {{"/nonexistent/program", ERR_NOTFOUND}, {"/etc/passwd", ERR_DENIED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct child_options options = {.arguments = &cases[i].path,
                                        .arguments_len = 1,
                                        .timeout_ms = FOREVER_MS,
                                        .output_max = 100,
                                        .done = on_done,
                                        .context = &seen};
        struct child *child;
        assert_int_equal(child_start(pool, &options, &child), ERR_OK);
        wait_for(1);
        assert_int_equal(seen.result.err, cases[i].err);
    }
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    struct child *child;
    const char *relative = "sh";
    const char *many[CHILD_ARGS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = SHELL;
    }
    struct child_options options = {.arguments = &relative, .arguments_len = 1, .timeout_ms = 1, .output_max = 1};
    assert_int_equal(child_start(pool, &options, &child), ERR_INVALID);
    options.arguments = many;
    options.arguments_len = 0;
    assert_int_equal(child_start(pool, &options, &child), ERR_INVALID);
    options.arguments_len = ARRAY_LEN(many);
    assert_int_equal(child_start(pool, &options, &child), ERR_LIMIT);
    options.arguments_len = 1;
    options.timeout_ms = 0;
    assert_int_equal(child_start(pool, &options, &child), ERR_INVALID);
}

static void one_after_the_other_where_one_may_run(void **state)
{
    (void)state;
    char path[] = "/tmp/muster-child-XXXXXX", script[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    for (int i = 0; i < 4; i++) { /* mkdir fails where another one runs */
        (void)snprintf(script, sizeof(script), "mkdir %s.d && sleep 0.02 && rmdir %s.d && echo %d >>%s", path, path, i,
                       path);
        (void)start(script);
    }
    wait_for(4);
    (void)snprintf(script, sizeof(script), "cat %s; rm %s", path, path);
    run(script);
    assert_string_equal(seen.output, "0\n1\n2\n3\n");
}

static void waiting_counts_against_the_deadline(void **state)
{
    (void)state;
    struct child *first = start("sleep 600");
    (void)start_limits("echo never", 50, 100);
    wait_for(1);
    assert_int_equal(seen.result.err, ERR_TIMEOUT);
    assert_string_equal(seen.output, "");
    child_cancel(first);
    run("echo next");
    assert_string_equal(seen.output, "next\n");
}

static void too_many_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < CHILD_WAITING_MAX; i++) {
        (void)start("sleep 600");
    }
    const char *const arguments[] = {SHELL};
    struct child_options options = {
        .arguments = arguments, .arguments_len = 1, .timeout_ms = 1, .output_max = 1, .done = on_done};
    struct child *child;
    assert_int_equal(child_start(pool, &options, &child), ERR_LIMIT);
}

static void cancelled_ones_are_not_heard_of(void **state)
{
    (void)state;
    child_cancel(NULL);
    child_cancel(start("echo unheard; sleep 600"));
    seen.cancel = start("sleep 600"); /* by the completion of the next */
    run("echo heard");
    assert_string_equal(seen.output, "heard\n");
    assert_int_equal(seen.done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_output_errors_and_status, setup, teardown),
        cmocka_unit_test_setup_teardown(hands_over_nothing_but_what_was_said, setup, teardown),
        cmocka_unit_test_setup_teardown(no_signal_is_left_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(dies_by_its_deadline_with_its_children, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_program_leaves_behind_dies_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(output_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_started_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(one_after_the_other_where_one_may_run, setup_one, teardown),
        cmocka_unit_test_setup_teardown(waiting_counts_against_the_deadline, setup_one, teardown),
        cmocka_unit_test_setup_teardown(too_many_are_refused, setup_one, teardown),
        cmocka_unit_test_setup_teardown(cancelled_ones_are_not_heard_of, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
