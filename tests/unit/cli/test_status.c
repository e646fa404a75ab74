/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_troubles(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *status, *troubles;
    } rows[] = {
        {"{\"state\":\"live\",\"broker_connected\":true,\"store\":\"ok\",\"zones\":["
         "{\"zone\":\"a.test\",\"state\":\"running\",\"last_error\":\"an old one\"}]}",
         ""},
        {"{\"state\":\"replaying\",\"broker_connected\":true,\"store\":\"ok\",\"zones\":[]}", ""},
        {"{\"state\":\"loading\",\"broker_connected\":false,\"store\":\"FULL\"}",
         "coordinator is loading; broker is not connected; store fails: FULL"},
        {"{\"state\":\"live\",\"broker_connected\":true,\"store\":\"ok\",\"zones\":["
         "{\"zone\":\"a.test\",\"state\":\"deposed\",\"last_error\":\"\"},"
         "{\"zone\":\"b.test\",\"state\":\"broken\",\"last_error\":\"NOTAUTH\"},"
         "{\"zone\":\"c.test\",\"state\":\"running\",\"sweep_stopped\":true}]}",
         "zone a.test is deposed; zone b.test is broken: NOTAUTH; zone c.test: sweep stopped by its guard"},
        {"{}", "broker is not connected; store fails: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *status;
        struct strbuf out;
        strbuf_init(&out, 4096);
        assert_int_equal(json_parse(view_of(rows[i].status), 4096, 8, &status, NULL), ERR_OK);
        status_troubles(status, &out);
        assert_string_equal(strbuf_str(&out), rows[i].troubles);
        strbuf_deinit(&out);
        json_decref(status);
    }
}

static void test_paths(void **state)
{
    (void)state; /* none */
    struct strbuf path;
    strbuf_init(&path, 64);
    (void)strbuf_adds(&path, "/v1/x/"); /* looked at below */
    api_add_encoded(&path, "a/b ?&=%\xc3\xb6.~_-9Z");
    api_add_query(&path, "none", NULL);
    api_add_query(&path, "site", "a b");
    api_add_query(&path, "match", "*");
    assert_string_equal(strbuf_str(&path), "/v1/x/a%2Fb%20%3F%26%3D%25%C3%B6.~_-9Z?site=a%20b&match=%2A");
    strbuf_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_troubles),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
