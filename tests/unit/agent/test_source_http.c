/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/detect/sources.h"

static void bad_rows_are_named(void **state)
{
    (void)state;
    static const struct {
        struct source_config config;
        const char *text; /* NULL: good */
    } cases[] = {
        {{.type = "http", .url = "https://api.ipify.org"}, NULL},
        {{.type = "http", .url = "https://ipinfo.io/json", .format = "json:ip", .ca_file = "/etc/ca.pem"}, NULL},
        {{.type = "http", .url = "http://checkip.dyndns.com/", .format = "dyndns", .ip4 = true}, NULL},
        {{.type = "http"}, "url: missing; a source of type http needs it"},
        {{.type = "http", .url = "api.ipify.org"}, "url: https://HOST/..., or http://HOST/... without TLS"},
        {{.type = "http", .url = "https://a:b@api.ipify.org"}, "url: https://HOST/..., or http://HOST/... without TLS"},
        {{.type = "http", .url = "https://x", .format = "html"}, "format: text, trace, json:<field> or dyndns"},
        {{.type = "http", .url = "https://x", .server = "x:53"}, "server: a source of type http does not know it"},
        {{.type = "http", .url = "http://x", .format = "dyndns", .every_ms = 600000},
         "every: at least 13m, checkip.dyndns.com allows one question in 10 minutes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct errinfo info = {0};
        assert_int_equal(source_http.check(&cases[i].config, &info), cases[i].text != NULL ? ERR_INVALID : ERR_OK);
        assert_string_equal(info.text, cases[i].text != NULL ? cases[i].text : "");
    }
}

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    (void)context;
    (void)question;
    (void)answer;
    fail_msg("nothing is answered: every question is cancelled before the loop runs");
}

/* A question on @p uplink, taken back at once. */
static enum err ask_family(struct source *source, uint8_t family, const char *uplink)
{
    struct source_question question = {.family = family, .timeout_ms = 10000};
    memcpy(question.uplink, uplink, strlen(uplink));
    enum err err = source_http.ask(source, &question);
    source_http.cancel(source);
    return err;
}

static enum err ask(struct source *source, const char *uplink)
{
    return ask_family(source, IP_V4, uplink);
}

static void dyndns_is_asked_once_in_ten_minutes_an_uplink(void **state)
{
    (void)state;
    static const char *const more[] = {"wan2", "wan3", "wan4", "wan5", "wan6", "wan7"};
    const struct source_callbacks callbacks = {.answered = answered};
    struct source_config config = {.type = "http", .url = "http://127.0.0.1:1/", .format = "dyndns", .ip4 = true};
    struct loop *loop;
    struct source *source;
    assert_int_equal(loop_new(&loop), ERR_OK);
    assert_int_equal(source_http.open(loop, &config, &callbacks, &source, NULL), ERR_OK);
    assert_int_equal(ask_family(source, IP_V6, "wan0"), ERR_UNSUPPORTED); /* and does not count */
    assert_int_equal(ask(source, "wan0"), ERR_OK);
    assert_int_equal(ask(source, "wan0"), ERR_LIMIT);
    assert_int_equal(ask(source, "wan1"), ERR_OK); /* another address, as the service sees it */
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        assert_int_equal(ask(source, more[i]), ERR_OK);
        assert_int_equal(ask(source, more[i]), ERR_LIMIT);
    }
    assert_int_equal(ask(source, "wan0"), ERR_LIMIT);
    assert_int_equal(ask(source, "wan1"), ERR_LIMIT);
    source_http.close(source);
    config.format = "text";
    assert_int_equal(source_http.open(loop, &config, &callbacks, &source, NULL), ERR_OK);
    assert_int_equal(ask(source, "wan0"), ERR_OK);
    assert_int_equal(ask(source, "wan0"), ERR_OK); /* the shell keeps to min_every_ms */
    source_http.close(source);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(dyndns_is_asked_once_in_ten_minutes_an_uplink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
