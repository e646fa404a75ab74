/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static void a_name_is_solved_for_its_id(void **state)
{
    (void)state;
    static const struct {
        const char *shape, *name, *id; /* NULL = none */
    } rows[] = {
        {"*.x.net", "cam-1.x.net", "cam-1"},
        {"*.x.net", ".x.net", NULL},
        {"*.x.net", "cam-1.y.net", NULL},
        {"*.x.net", "x.net", NULL},
        {"cam-*.x.net", "cam-1.x.net", "1"},
        {"cam-*.x.net", "cam-.x.net", NULL},
        {"cam-*.x.net", "dam-1.x.net", NULL},
        {"*-cam.x.net", "a-b-cam.x.net", "a-b"},
        {"a.*", "a.b", "b"},
        {"*.*.x", "ab.ab.x", "ab"},
        {"*.*.x", "ab.ac.x", NULL},
        {"*.*.x", "ab.abc.x", NULL},
        {"*-*.x", "a-b-a-b.x", "a-b"},
        {"x.net", "x.net", NULL}, /* no id in it */
        {"*.x", "0123456789012345678901234567890123456789.x", "0123456789012345678901234567890123456789"},
        {"*.x", "01234567890123456789012345678901234567890.x", NULL}, /* longer than any id */
        {"", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char id[DEVICE_ID_MAX + 1] = "";
        bool solved = shape_solve(view_of(rows[i].shape), view_of(rows[i].name), id);
        if (solved != (rows[i].id != NULL) || (solved && strcmp(id, rows[i].id) != 0)) {
            fail_msg("%s of %s: %d %s", rows[i].name, rows[i].shape, solved, id);
        }
    }
}

static void a_tail_is_the_whole_labels_behind_the_id(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"*.x.net", "x.net"},
        {"cam-*.x.net", "x.net"},
        {"*-cam.x.net", "x.net"},
        {"n.*.x.net", "x.net"},
        {"*.*.x.net", "x.net"},
        {"a.*", ""},
        {"a.*-b", ""},
        {"*", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(view_equals(shape_tail(view_of(rows[i][0])), rows[i][1]));
    }
}

struct meeting {
    const char *a, *a_ids, *b, *b_ids;
    const char *name; /* the first attempt's; NULL = they cannot meet */
};

static const struct meeting meetings[] = {
    {"*.x", "*", "*.x", "*", "1.x"},
    {"*.x", "a*", "*.x", "b*", NULL},
    {"*.x", "cam-*", "cam-*.x", "d*", "cam-d1.x"},
    {"*.x", "cam-*", "door-*.x", "d*", NULL},
    {"*.x", "*", "cam-*.x", "*", "cam-1.x"},
    {"*-a.x", "*", "b-*.x", "*", "b-1-a.x"},
    {"*.x", "cam-1", "cam-*.x", "*", "cam-1.x"},
    {"*.x", "*", "*.y", "*", NULL},
    {"*.x", "*", "*.*.x", "*", NULL},      /* an id holds no dot */
    {"*.a.x", "*", "b.*.x", "*", "b.a.x"}, /* the id in another label */
    {"*.a.x", "c*", "b.*.x", "*", NULL},
    {"*.a.x", "*", "b.*.x", "c*", NULL},
    {"*.x", "a*c", "*.x", "ab*", "ab1c.x"},
    {"*.x", "*1", "*.x", "2*", "211.x"},
    {"*.x", "**a**", "a*.x", "*", NULL}, /* set below: they meet */
    {"*.x", "a", "*.x", "b", NULL},
    {"*.x", "a", "*.x", "a", "a.x"},
    {"n-*-n.x", "*", "*.x", "n-*", "n-1-n.x"},
};

static void rows_that_can_give_one_name_are_found(void **state)
{
    (void)state;
    static struct shape_search search;
    for (size_t i = 0; i < ARRAY_LEN(meetings); i++) {
        const struct meeting *row = &meetings[i];
        char name[DNSNAME_SIZE] = "";
        bool several = strcmp(row->a_ids, "**a**") == 0;
        bool met = shape_meet(&search, view_of(row->a), view_of(row->a_ids), view_of(row->b), view_of(row->b_ids));
        if (met != (row->name != NULL || several)) {
            fail_msg("%s of %s and %s of %s: %d", row->a, row->a_ids, row->b, row->b_ids, met);
        }
        if (!met) {
            continue;
        }
        assert_true(shape_meet_name(&search, 0, name));
        if (row->name != NULL && strcmp(name, row->name) != 0) {
            fail_msg("%s of %s and %s of %s: %s", row->a, row->a_ids, row->b, row->b_ids, name);
        }
        assert_true(shape_meet(&search, view_of(row->b), view_of(row->b_ids), view_of(row->a), view_of(row->a_ids)));
    }
}

/* Every attempt is a name of both, and they come to an end. */
static void every_attempt_is_of_both(void **state)
{
    (void)state;
    static struct shape_search search;
    assert_true(shape_meet(&search, VIEW_LITERAL("*.s.x"), VIEW_LITERAL("*-cam*"), VIEW_LITERAL("a-*.s.x"),
                           VIEW_LITERAL("*cam-*")));
    unsigned attempts = 0;
    char name[DNSNAME_SIZE];
    char last[DNSNAME_SIZE] = "";
    unsigned different = 0;
    for (; shape_meet_name(&search, attempts, name); attempts++) {
        char id[DEVICE_ID_MAX + 1];
        assert_true(shape_solve(VIEW_LITERAL("*.s.x"), view_of(name), id));
        assert_non_null(strstr(id, "-cam"));
        assert_true(shape_solve(VIEW_LITERAL("a-*.s.x"), view_of(name), id));
        assert_non_null(strstr(id, "cam-"));
        different += strcmp(name, last) != 0;
        (void)snprintf(last, sizeof(last), "%s", name); /* fits */
    }
    assert_true(attempts >= 3 && different >= 3);
}

static void what_is_too_long_meets_nothing(void **state)
{
    (void)state;
    static struct shape_search search;
    char a[DNSNAME_SIZE];
    memset(a, 'a', DNSNAME_MAX);
    memcpy(a, "*.*.*.", 6);
    a[DNSNAME_MAX] = '\0';
    static const char ids[] = "0123456789012345678901234567890123456789";
    assert_false(shape_meet(&search, view_of(a), view_of(ids), view_of(a), view_of(ids)));
    assert_true(shape_meet(&search, view_of(a), VIEW_LITERAL("*"), view_of(a), VIEW_LITERAL("*")));
    char name[DNSNAME_SIZE];
    for (unsigned i = 0; shape_meet_name(&search, i, name); i++) {
        assert_true(strlen(name) <= DNSNAME_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_solved_for_its_id),
        cmocka_unit_test(a_tail_is_the_whole_labels_behind_the_id),
        cmocka_unit_test(rows_that_can_give_one_name_are_found),
        cmocka_unit_test(every_attempt_is_of_both),
        cmocka_unit_test(what_is_too_long_meets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
