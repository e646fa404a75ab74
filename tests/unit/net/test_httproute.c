/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httproute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void patterns_match_whole_paths(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *path;
        bool matches;
        const char *first, *second;
    } rows[] = {
        {"/", "/", true, NULL, NULL},
        {"/a", "/a", true, NULL, NULL},
        {"/a", "/a/", false, NULL, NULL},
        {"/a", "/", false, NULL, NULL},
        {"/a", "/ab", false, NULL, NULL},
        {"/a/{id}", "/a/x", true, "x", NULL},
        {"/a/{id}", "/a/", false, NULL, NULL},
        {"/a/{id}", "/a", false, NULL, NULL},
        {"/a/{id}", "/a/x/y", false, NULL, NULL},
        {"/a/{id}/b/{n}", "/a/1/b/2", true, "1", "2"},
        {"/a/{id}/b/{n}", "/a/1/c/2", false, NULL, NULL},
        {"/{x}/{y}", "/../..", true, "..", ".."},
        {"/a", "", false, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct httproute_params params = {.len = 0};
        assert_int_equal(httproute_match(view_of(rows[i].pattern), view_of(rows[i].path), &params), rows[i].matches);
        assert_int_equal(params.len, (rows[i].first != NULL) + (rows[i].second != NULL));
        if (rows[i].first != NULL) {
            assert_true(view_equals(params.of[0], rows[i].first));
        }
        if (rows[i].second != NULL) {
            assert_true(view_equals(params.of[1], rows[i].second));
        }
    }
}

static void bad_patterns_are_seen(void **state)
{
    (void)state;
    static const char *const good[] = {"/", "/a/{b}", "/{a}/{b}"};
    static const char *const bad[] = {"", "a", "/{}", "/{a", "/a}", "/x{a}", "/{a}/{b}/{c}"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(httproute_is_valid(view_of(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(httproute_is_valid(view_of(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_whole_paths),
        cmocka_unit_test(bad_patterns_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
