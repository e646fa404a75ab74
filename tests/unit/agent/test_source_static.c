/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/detect/sources.h"

static struct {
    struct loop *loop;
    struct source *source;
    unsigned answers;
    bool cancel;
    struct source_answer answer;
} seen;

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    (void)context;
    (void)question;
    seen.answer = *answer;
    seen.answers++;
    if (seen.cancel) {
        source_static.cancel(seen.source);
    }
    loop_stop(seen.loop);
}

static const struct source_callbacks callbacks = {.answered = answered};

static void answers_what_is_configured(void **state)
{
    (void)state;
    struct source_config config = {.type = "static", .address4 = "198.41.0.4"};
    struct source_question v4 = {.family = IP_V4, .timeout_ms = 1000}, v6 = {.family = IP_V6, .timeout_ms = 1000};
    struct source_question other = {.family = IP_V4, .uplink = "wan1", .timeout_ms = 1000};
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(source_static.check(&config, NULL), ERR_OK);
    assert_int_equal(source_static.open(seen.loop, &config, &callbacks, &seen.source, NULL), ERR_OK);
    assert_int_equal(source_static.ask(seen.source, &v4), ERR_OK);
    assert_int_equal(source_static.ask(seen.source, &v4), ERR_AGAIN);
    assert_int_equal(source_static.ask(seen.source, &other), ERR_OK);
    assert_int_equal(source_static.ask(seen.source, &v6), ERR_UNSUPPORTED); /* nothing is configured */
    assert_int_equal(seen.answers, 0);
    loop_run(seen.loop);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.answer.status, SOURCE_ANSWER_ADDRESS);
    assert_int_equal(seen.answer.ip.family, IP_V4);
    assert_string_equal(seen.answer.detail, "configured");
    loop_run(seen.loop);
    assert_int_equal(seen.answers, 2);
    assert_int_equal(source_static.ask(seen.source, &v4), ERR_OK);
    assert_int_equal(source_static.ask(seen.source, &other), ERR_OK);
    seen.cancel = true; /* the first answer cancels the second */
    loop_run(seen.loop);
    assert_int_equal(seen.answers, 3);
    seen.cancel = false;
    assert_int_equal(source_static.ask(seen.source, &other), ERR_OK);
    loop_run(seen.loop);
    assert_int_equal(seen.answers, 4);
    source_static.close(seen.source);
    source_static.close(NULL);
    loop_free(seen.loop);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    static const struct {
        struct source_config config;
        const char *text;
    } cases[] = {
        {{.type = "static"}, "address4, address6: missing; a source of type static needs one of them"},
        {{.type = "static", .address4 = "2a00::1"}, "address4: \"2a00::1\" is no IPv4 address"},
        {{.type = "static", .address6 = "2a00::1%wan0"}, "address6: \"2a00::1%wan0\" is no IPv6 address"},
        {{.type = "static", .address4 = "010.1.2.3"}, "address4: \"010.1.2.3\" is no IPv4 address"},
        {{.type = "static", .address4 = "198.41.0.4", .server = "x:1"},
         "server: a source of type static does not know it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct errinfo info = {0};
        assert_int_equal(source_static.check(&cases[i].config, &info), ERR_INVALID);
        assert_string_equal(info.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_what_is_configured),
        cmocka_unit_test(bad_rows_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
