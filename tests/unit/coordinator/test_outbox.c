/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 20000

static struct outbox *outbox;

static int start(void **state)
{
    (void)state;
    return outbox_new(&outbox) == ERR_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    outbox_free(outbox);
    return 0;
}

static struct outbox_entry *get(const char *name, enum rrtype type)
{
    struct outbox_entry *entry;
    assert_int_equal(outbox_get(outbox, view_of(name), type, &entry), ERR_OK);
    return entry;
}

static void one_entry_a_name_and_type(void **state)
{
    (void)state;
    struct outbox_entry *a = get("x.example.net", RRTYPE_A);
    assert_string_equal(a->name, "x.example.net");
    assert_ptr_equal(get("x.example.net", RRTYPE_A), a);
    assert_ptr_not_equal(get("x.example.net", RRTYPE_AAAA), a);
    assert_null(outbox_find(outbox, VIEW_LITERAL("x.example.ne"), RRTYPE_A));
    assert_int_equal(outbox_count(outbox), 2);
    assert_int_equal(a->device, UINT32_MAX);
    outbox_remove(outbox, a);
    assert_null(outbox_find(outbox, VIEW_LITERAL("x.example.net"), RRTYPE_A));
    assert_non_null(outbox_find(outbox, VIEW_LITERAL("x.example.net"), RRTYPE_AAAA));
}

static void count_one(void *context, struct outbox_entry *entry)
{
    (void)entry;
    (*(size_t *)context)++;
}

static void grows_and_shrinks(void **state)
{
    (void)state;
    char name[64];
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(name, sizeof(name), "cam-%d.example.net", i); /* fits */
        get(name, RRTYPE_A)->rev = (uint64_t)i;
    }
    size_t seen = 0;
    outbox_each(outbox, count_one, &seen);
    assert_int_equal(seen, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(name, sizeof(name), "cam-%d.example.net", i); /* fits */
        struct outbox_entry *entry = outbox_find(outbox, view_of(name), RRTYPE_A);
        assert_true(entry != NULL && entry->rev == (uint64_t)i);
        outbox_remove(outbox, entry);
    }
    assert_int_equal(outbox_count(outbox), 0);
}

static struct outbox_entry *take_first(void)
{
    struct outbox_entry *entry = outbox_first_dirty(outbox);
    if (entry != NULL) {
        outbox_take_dirty(outbox, entry);
    }
    return entry;
}

static void a_dirty_one_is_taken_from_anywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    for (size_t taken = 0; taken < ARRAY_LEN(names); taken++) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            outbox_mark_dirty(outbox, get(names[i], RRTYPE_A));
        }
        outbox_take_dirty(outbox, get(names[taken], RRTYPE_A));
        outbox_take_dirty(outbox, get(names[taken], RRTYPE_A)); /* no longer there: nothing happens */
        assert_int_equal(outbox_dirty_count(outbox), 2);
        outbox_mark_dirty(outbox, get("d", RRTYPE_A)); /* the ends are right */
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            if (i != taken) {
                assert_ptr_equal(take_first(), get(names[i], RRTYPE_A));
            }
        }
        assert_ptr_equal(take_first(), get("d", RRTYPE_A));
        assert_null(take_first());
        assert_int_equal(outbox_dirty_count(outbox), 0);
    }
}

static void remove_one(void *context, struct outbox_entry *entry)
{
    (*(size_t *)context)++;
    outbox_remove(outbox, entry);
}

static void a_walk_may_remove_what_it_is_given(void **state)
{
    (void)state;
    char name[64];
    for (int i = 0; i < 3000; i++) {                                 /* several a bucket */
        (void)snprintf(name, sizeof(name), "cam-%d.example.net", i); /* fits */
        get(name, RRTYPE_A);
    }
    size_t seen = 0;
    outbox_each(outbox, remove_one, &seen);
    assert_int_equal(seen, 3000);
    assert_int_equal(outbox_count(outbox), 0);
}

static void dirty_ones_come_once_and_in_order(void **state)
{
    (void)state;
    struct outbox_entry *a = get("a", RRTYPE_A);
    struct outbox_entry *b = get("b", RRTYPE_A);
    assert_false(outbox_has_dirty(outbox));
    outbox_mark_dirty(outbox, a);
    outbox_mark_dirty(outbox, b);
    outbox_mark_dirty(outbox, a);
    assert_ptr_equal(take_first(), a);
    outbox_mark_dirty(outbox, a); /* again, behind the other one */
    assert_ptr_equal(take_first(), b);
    assert_ptr_equal(take_first(), a);
    assert_null(take_first());
    outbox_mark_dirty(outbox, b);
    assert_true(outbox_has_dirty(outbox));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(one_entry_a_name_and_type),          TEST(grows_and_shrinks),
        TEST(a_walk_may_remove_what_it_is_given), TEST(dirty_ones_come_once_and_in_order),
        TEST(a_dirty_one_is_taken_from_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
