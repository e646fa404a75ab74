/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/rrcache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void holds_what_was_put(void **state)
{
    (void)state;
    struct rrcache cache = {0};
    struct rrcache_found found;
    char name[32];
    rrcache_forget(&cache, "a.example", RRTYPE_A);
    assert_false(rrcache_find(&cache, "a.example", RRTYPE_A, &found));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            (void)snprintf(name, sizeof(name), "h%u.example", i);
            enum rrtype type = i % 2 == 0 ? RRTYPE_A : RRTYPE_AAAA;
            assert_int_equal(rrcache_put(&cache, name, type, i, view_of(name), view_of("t")), ERR_OK);
        }
        assert_int_equal(cache.len, 1000);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "h%u.example", i);
        assert_true(rrcache_find(&cache, name, i % 2 == 0 ? RRTYPE_A : RRTYPE_AAAA, &found));
        assert_int_equal(found.ttl, i);
        assert_true(view_equals(found.values, name));
        assert_string_equal(found.tag, "t");
        assert_false(rrcache_find(&cache, name, i % 2 != 0 ? RRTYPE_A : RRTYPE_AAAA, &found));
    }
    rrcache_forget(&cache, "h7.example", RRTYPE_AAAA);
    assert_false(rrcache_find(&cache, "h7.example", RRTYPE_AAAA, &found));
    assert_int_equal(cache.len, 999);
    rrcache_deinit(&cache);
    assert_false(rrcache_find(&cache, "h0.example", RRTYPE_A, &found));
}

static void a_row_may_be_put_anew_from_itself(void **state)
{
    (void)state;
    struct rrcache cache = {0};
    struct rrcache_found found;
    assert_int_equal(rrcache_put(&cache, "a", RRTYPE_A, 1, view_of("192.0.2.1"), view_of("")), ERR_OK);
    assert_true(rrcache_find(&cache, "a", RRTYPE_A, &found));
    assert_int_equal(rrcache_put(&cache, "a", RRTYPE_A, 2, found.values, view_of("tag")), ERR_OK);
    assert_true(rrcache_find(&cache, "a", RRTYPE_A, &found));
    assert_true(view_equals(found.values, "192.0.2.1"));
    assert_string_equal(found.tag, "tag");
    rrcache_deinit(&cache);
}

static void what_is_present(void **state)
{
    (void)state;
    struct rrcache_found found = {.values = view_of("192.0.2.2\n192.0.2.1")};
    struct present present = rrcache_present(&found, RRTYPE_A);
    assert_int_equal(present.value.len, 2);
    assert_false(present.other);
    assert_true(rrcache_present(&found, RRTYPE_AAAA).other);
    found.values = view_of("");
    present = rrcache_present(&found, RRTYPE_A);
    assert_int_equal(present.value.len, 0);
    assert_false(present.other);
    found.values = view_of("an alias");
    assert_true(rrcache_present(&found, RRTYPE_A).other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_put),
        cmocka_unit_test(a_row_may_be_put_anew_from_itself),
        cmocka_unit_test(what_is_present),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
