/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/loop_run.h"

#include "agent/detect/sources.h"

static struct {
    struct loop *loop;
    unsigned answers;
    struct source_question question;
    struct source_answer answer;
} seen;

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    (void)context;
    seen.answers++;
    seen.question = *question;
    seen.answer = *answer;
    loop_stop(seen.loop);
}

static void run(void)
{
    loop_run_or_fail(seen.loop);
}

static const struct source_callbacks callbacks = {.answered = answered};

static void ask_script(const char *script, uint8_t family, uint32_t timeout_ms)
{
    const char *const command[] = {"/bin/sh", "-c", script};
    struct source_config config = {.type = "exec", .command = command, .command_len = 3};
    struct source_question question = {.family = family, .uplink = "wan0", .timeout_ms = timeout_ms};
    struct source *source;
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(source_exec.check(&config, NULL), ERR_OK);
    assert_int_equal(source_exec.open(seen.loop, &config, &callbacks, &source, NULL), ERR_OK);
    assert_int_equal(source_exec.ask(source, &question), ERR_OK);
    assert_int_equal(source_exec.ask(source, &question), ERR_AGAIN);
    run();
    source_exec.close(source);
    loop_free(seen.loop);
}

static void the_first_whole_line_of_the_family_counts(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        uint8_t family;
        const char *expected; /* NULL: failed */
        const char *detail;
    } cases[] = {
        {"echo 198.41.0.4", IP_V4, "198.41.0.4", "/bin/sh"},
        {"printf '  198.41.0.4\\t\\r\\n'", IP_V4, "198.41.0.4", "/bin/sh"},
        {"printf 198.41.0.4", IP_V4, "198.41.0.4", "/bin/sh"},
        {"echo 2a00::1; echo 198.41.0.4; echo 198.41.0.5", IP_V4, "198.41.0.4", "/bin/sh"},
        {"echo 198.41.0.4; echo 2a00::1", IP_V6, "2a00::1", "/bin/sh"},
        {"echo 198.41.0.4", IP_V6, NULL, "/bin/sh: printed no line that is one IPv6 address"},
        {"echo address: 198.41.0.4", IP_V4, NULL, "/bin/sh: printed no line that is one IPv4 address"},
        {"echo 198.41.0.4 198.41.0.5", IP_V4, NULL, "/bin/sh: printed no line that is one IPv4 address"},
        {"echo 198.41.0.04", IP_V4, NULL, "/bin/sh: printed no line that is one IPv4 address"},
        {"echo 4.1.9.77-rc1; echo 198.41.0.4", IP_V4, "198.41.0.4", "/bin/sh"},
        {"echo fe80::1%wan0", IP_V6, NULL, "/bin/sh: printed no line that is one IPv6 address"},
        {":", IP_V4, NULL, "/bin/sh: printed no line that is one IPv4 address"},
        {"echo 198.41.0.4; exit 3", IP_V4, NULL, "/bin/sh: exit status 3"},
        {"echo 198.41.0.4; printf 'trying\\nno \\033[1mlogin\\n\\n' >&2; exit 1", IP_V4, NULL, "no ?[1mlogin"},
        {"echo 198.41.0.4; kill -9 $$", IP_V4, NULL, "/bin/sh: ended by signal 9"},
        {"[ $MUSTER_FAMILY = 6 ] && [ $MUSTER_UPLINK = wan0 ] && echo 2a00::6", IP_V6, "2a00::6", "/bin/sh"},
        {"yes", IP_V4, NULL, "/bin/sh: printed more than 4096 bytes; it was killed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        seen.answers = 0;
        ask_script(cases[i].script, cases[i].family, 20000);
        char text[IP_TEXT_SIZE];
        (void)ip_format(&seen.answer.ip, text);
        assert_int_equal(seen.answers, 1);
        assert_int_equal(seen.question.family, cases[i].family);
        assert_string_equal(seen.answer.detail, cases[i].detail);
        assert_int_equal(seen.answer.status, cases[i].expected != NULL ? SOURCE_ANSWER_ADDRESS : SOURCE_ANSWER_FAILED);
        assert_string_equal(text, cases[i].expected != NULL ? cases[i].expected : "");
    }
}

static void a_program_that_hangs_is_a_failure(void **state)
{
    (void)state;
    ask_script("echo 198.41.0.4; sleep 600", IP_V4, 100);
    assert_int_equal(seen.answer.status, SOURCE_ANSWER_FAILED);
    assert_non_null(strstr(seen.answer.detail, "it was killed"));
    assert_true(seen.answer.elapsed_ms >= 100);
}

static void cancelled_questions_are_not_answered(void **state)
{
    (void)state;
    const char *const command[] = {"/bin/echo", "198.41.0.4"};
    struct source_config config = {.type = "exec", .command = command, .command_len = 2};
    struct source_question question = {.family = IP_V4, .timeout_ms = 20000};
    struct source *source;
    seen.answers = 0;
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(source_exec.open(seen.loop, &config, &callbacks, &source, NULL), ERR_OK);
    assert_int_equal(source_exec.ask(source, &question), ERR_OK);
    source_exec.cancel(source);
    assert_int_equal(source_exec.ask(source, &question), ERR_OK);
    run();
    assert_int_equal(seen.answers, 1);
    source_exec.close(source);
    source_exec.close(NULL);
    loop_free(seen.loop);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    static const char *const relative[] = {"ip-of-router --password hush"}, *const good[] = {"/bin/true"};
    const struct {
        struct source_config config;
        const char *text;
    } cases[] = {
        {{.type = "exec"}, "command: missing; a source of type exec needs it"},
        {{.type = "exec", .command = relative, .command_len = 1},
         "command: ip-of-router is no absolute path; no shell and no search path is used"},
        {{.type = "exec", .command = good, .command_len = 1, .url = "https://x"},
         "url: a source of type exec does not know it"},
        {{.type = "exec", .command = good, .command_len = 39}, "command: more than 38 arguments"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct errinfo info = {0};
        assert_int_equal(source_exec.check(&cases[i].config, &info), ERR_INVALID);
        assert_string_equal(info.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_whole_line_of_the_family_counts),
        cmocka_unit_test(a_program_that_hangs_is_a_failure),
        cmocka_unit_test(cancelled_questions_are_not_answered),
        cmocka_unit_test(bad_rows_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
