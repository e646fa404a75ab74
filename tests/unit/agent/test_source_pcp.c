/* SPDX-License-Identifier: Apache-2.0 */
/** What it says of a config; how it asks is tested against a real router's daemon (tests/integration). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/detect/sources.h"

static void rows(void **state)
{
    (void)state;
    static const struct {
        struct source_config config;
        const char *text; /* NULL: right */
    } cases[] = {
        {{.type = "pcp"}, NULL},
        {{.type = "pcp", .server = ""}, NULL},
        {{.type = "pcp", .server = "192.0.2.1:5351"}, NULL},
        {{.type = "pcp", .server = "[2001:db8::1]:5351"}, NULL},
        {{.type = "pcp", .server = "router.example:5351"},
         "server: \"router.example:5351\" is no address; left out, it is the router"},
        {{.type = "pcp", .url = "http://192.0.2.1/"}, "url: a source of type pcp does not know it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct errinfo info = {0};
        assert_int_equal(source_pcp.check(&cases[i].config, &info), cases[i].text == NULL ? ERR_OK : ERR_INVALID);
        assert_string_equal(info.text, cases[i].text == NULL ? "" : cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
