/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hostport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void splits_or_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* "host|port", or the reason */
    } rows[] = {
        {"broker.example.net:8883", "broker.example.net|8883"},
        {"192.0.2.1:1", "192.0.2.1|1"},
        {"[2001:db8::1]:65535", "2001:db8::1|65535"},
        {"localhost:1883", "localhost|1883"},
        {"host", "the port is missing: write host:port"},
        {"[2001:db8::1]", "the port is missing: write host:port"},
        {"", "the port is missing: write host:port"},
        {"host:", "the port is not a number from 1 to 65535"},
        {"host:0", "the port is not a number from 1 to 65535"},
        {"host:65536", "the port is not a number from 1 to 65535"},
        {"host:08", "the port is not a number from 1 to 65535"},
        {"host:+1", "the port is not a number from 1 to 65535"},
        {"2001:db8::1:8883", "an IPv6 address stands in brackets: [2001:db8::1]:8883"},
        {"[192.0.2.1]:1", "an IPv6 address stands in brackets: [2001:db8::1]:8883"},
        {"[host]:1", "an IPv6 address stands in brackets: [2001:db8::1]:8883"},
        {"[]:1", "an IPv6 address stands in brackets: [2001:db8::1]:8883"},
        {":1", NULL},
        {"a b:1", NULL},
        {"_x.example:1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view host = {0};
        uint16_t port = 0;
        struct errinfo info = {0};
        char got[300];
        enum err err = hostport_parse(view_of(rows[i].text), &host, &port, &info);
        (void)snprintf(got, sizeof(got), "%.*s|%u", VIEW_ARG(host), port);
        if (rows[i].want == NULL) {
            assert_int_equal(err, ERR_INVALID);
            assert_true(info.text[0] != '\0');
        } else {
            assert_string_equal(err == ERR_OK ? got : info.text, rows[i].want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_or_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
