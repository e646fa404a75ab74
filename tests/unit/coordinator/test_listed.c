/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/listed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct rrset_value address(unsigned last)
{
    return (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)last}}}};
}

static void add(struct listed_set *set, const char *name, unsigned last)
{
    struct rrset_value value = address(last);
    assert_int_equal(listed_add(set, name, RRTYPE_A, 60, &value), ERR_OK);
}

static void a_set_that_comes_in_parts_is_one(void **state)
{
    (void)state;
    struct arena arena;
    struct listed_set set;
    arena_init(&arena, 1 << 20);
    assert_int_equal(listed_init(&set, &arena), ERR_OK);
    add(&set, "a.example", 1);
    add(&set, "b.example", 5);
    add(&set, "a.example", 2);
    add(&set, "b.example", 5); /* another page has it, too */
    assert_int_equal(set.len, 2);
    const struct listed *a = listed_find(&set, "a.example", RRTYPE_A);
    assert_int_equal(a->value.len, 2);
    assert_int_equal(a->value.ips[1].bytes[3], 2);
    assert_int_equal(listed_find(&set, "b.example", RRTYPE_A)->value.len, 1);
    assert_null(listed_find(&set, "a.example", RRTYPE_AAAA));
    listed_deinit(&set);
    arena_deinit(&arena);
}

static void many_are_found_again(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    struct arena arena;
    struct listed_set set;
    char name[32];
    arena_init(&arena, 16 << 20);
    assert_int_equal(listed_init(&set, &arena), ERR_OK);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%u.example", i); /* fits */
        add(&set, name, i % 200 + 1);
    }
    assert_int_equal(set.len, NAMES);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%u.example", i); /* fits */
        const struct listed *listed = listed_find(&set, name, RRTYPE_A);
        assert_non_null(listed);
        assert_int_equal(listed->value.ips[0].bytes[3], i % 200 + 1);
    }
    listed_deinit(&set);
    arena_deinit(&arena);
}

static void memory_has_an_end(void **state)
{
    (void)state;
    struct arena arena;
    struct listed_set set;
    struct rrset_value value = address(1);
    arena_init(&arena, 1);
    assert_int_equal(listed_init(&set, &arena), ERR_OK);
    assert_int_equal(listed_add(&set, "a.example", RRTYPE_A, 60, &value), ERR_NOMEM);
    assert_null(listed_find(&set, "a.example", RRTYPE_A));
    listed_deinit(&set);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_that_comes_in_parts_is_one),
        cmocka_unit_test(many_are_found_again),
        cmocka_unit_test(memory_has_an_end),
    };
    return cmocka_run_group_tests_name("listed", tests, NULL, NULL);
}
