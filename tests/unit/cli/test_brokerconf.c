/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GOOD_DASH                                                                                                      \
    "per_listener_settings false\npid_file /run/x/mosquitto.pid\nlog_dest stderr\nallow_zero_length_clientid false\n"  \
    "listener 1883 127.0.0.1\nplugin /p.so\nplugin_opt_mode dash\n"

static json_t *lint(const char *text, enum broker_kind kind)
{
    struct brokerconf conf;
    struct brokerfindings findings = {.list = json_array()};
    brokerconf_lint(view_of(text), "f", kind, &conf, &findings);
    assert_non_null(findings.list);
    return findings.list;
}

static const char *text_of(const json_t *list, size_t i)
{
    return json_string_value(json_object_get(json_array_get(list, i), "text"));
}

static void each_line(void **state)
{
    (void)state;
    static const struct {
        const char *line, *finding; /* NULL: good */
    } rows[] = {
        {"", NULL},
        {"# a comment", NULL},
        {"  max_keepalive   1200  ", NULL},
        {"max_keepalive 1200 # seconds", "a comment behind"},
        {"max_keepalive -1", "no number"},
        {"max_keepalive", "has no value"},
        {"max_kepalive 1200", "unknown option"},
        {"plugin_opt_devices_ca /x", "unknown option"},
        {"set_tcp_nodelay yes", "neither true nor false"},
        {"password_file relative", "not an absolute path"},
        {"max_queued_messages 0", "breaks later"},
        {"crlfile /x", "does not belong here"},
        {"topic fleet/# in 1 muster/v1/ muster/v1/", NULL},
        {"\001\002 3", "unknown option \"??\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), GOOD_DASH "%s\n", rows[i].line);
        json_t *list = lint(text, BROKER_KIND_DASH);
        assert_int_equal(json_array_size(list), rows[i].finding != NULL);
        if (rows[i].finding != NULL) {
            assert_non_null(strstr(text_of(list, 0), rows[i].finding));
            assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "line")), 8);
        }
        json_decref(list);
    }
}

/* What is left out of a good configuration is missed; an empty one lacks everything. */
static void needs(void **state)
{
    (void)state;
    json_t *list = lint("", BROKER_KIND_CORE);
    assert_true(json_array_size(list) > 15);
    json_decref(list);
    struct view rest = VIEW_LITERAL(GOOD_DASH);
    struct view line;
    for (size_t at = 0; view_next(&rest, '\n', &line); at += line.len + 1) {
        char text[1024];
        (void)snprintf(text, sizeof(text), "%.*s#%s", (int)at, GOOD_DASH, GOOD_DASH + at);
        list = lint(text, BROKER_KIND_DASH);
        bool needed = !view_starts_with(line, VIEW_LITERAL("listener")) && line.len > 0;
        assert_int_equal(json_array_size(list), needed);
        json_decref(list);
    }
    list = lint(GOOD_DASH, BROKER_KIND_PROV);
    assert_true(json_array_size(list) > 5);
    json_decref(list);
}

static void acl_lines(void **state)
{
    (void)state;
    const char *names[] = {"svc-coord", "svc-prov"};
    const struct config_strings services = {.items = names, .len = ARRAY_LEN(names)};
    static const struct {
        const char *line, *finding;
    } rows[] = {
        {"# x", NULL},
        {"user svc-coord", NULL},
        {"topic read muster/v1/up/#", NULL},
        {"topic readwrite muster/v1/+/x", NULL},
        {"pattern write muster/v1/up/+/%u/state", NULL},
        {"user svc-coord2", "none of the description's"},
        {"user svc-coord # main", "none of the description's"},
        {"topic muster/v1/up/#", "say read"},
        {"topic red muster/v1/up/#", "say read"},
        {"topic read", "no topic filter"},
        {"topic read ", "no topic filter"},
        {"topic read a#", "no topic filter"},
        {"topic read #/a", "no topic filter"},
        {"topic read a+/b", "no topic filter"},
        {"topic read a b", "no topic filter"},
        {"topic readwrite #", "is everything"},
        {"topics read a", "drops the whole file"},
        {"topic", "say read"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brokerfindings findings = {.list = json_array()};
        brokerconf_lint_acl(view_of(rows[i].line), "f", &services, &findings);
        assert_int_equal(json_array_size(findings.list), rows[i].finding != NULL);
        if (rows[i].finding != NULL) {
            assert_non_null(strstr(text_of(findings.list, 0), rows[i].finding));
        }
        json_decref(findings.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line),
        cmocka_unit_test(needs),
        cmocka_unit_test(acl_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
