/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wayout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static const struct row {
    struct {
        const char *name;
        uint32_t metric; /* 0 = no default route */
        enum alive alive4, alive6;
    } uplinks[3];
    const char *want; /* NULL = none */
    bool first;
} rows[] = {
    {{{0}}, NULL, false},
    {{{"lan", 0, ALIVE_YES, ALIVE_YES}}, NULL, false},
    {{{"dsl", 100, ALIVE_UNKNOWN, ALIVE_UNKNOWN}, {"lte", 200, ALIVE_YES, ALIVE_UNKNOWN}}, "dsl", true},
    {{{"lte", 200, ALIVE_YES, ALIVE_UNKNOWN}, {"dsl", 100, ALIVE_YES, ALIVE_UNKNOWN}}, "dsl", true},
    {{{"dsl", 100, ALIVE_NO, ALIVE_UNKNOWN}, {"lte", 200, ALIVE_YES, ALIVE_UNKNOWN}}, "lte", false},
    {{{"dsl", 100, ALIVE_NO, ALIVE_NO}, {"lte", 200, ALIVE_UNKNOWN, ALIVE_UNKNOWN}}, "lte", false},
    {{{"dsl", 100, ALIVE_UNKNOWN, ALIVE_NO}, {"lte", 200, ALIVE_YES, ALIVE_NO}}, "lte", false},
    {{{"dsl", 100, ALIVE_NO, ALIVE_YES}, {"lte", 200, ALIVE_YES, ALIVE_YES}}, "dsl", true},
    {{{"dsl", 100, ALIVE_NO, ALIVE_UNKNOWN}, {"lte", 200, ALIVE_NO, ALIVE_NO}}, "dsl", true},
    {{{"dsl", 100, ALIVE_NO, ALIVE_UNKNOWN}, {"lan", 0, ALIVE_YES, ALIVE_YES}}, "dsl", true},
    {{{"a", 1, ALIVE_NO, ALIVE_UNKNOWN}, {"b", 2, ALIVE_NO, ALIVE_UNKNOWN}, {"c", 3, ALIVE_YES, ALIVE_UNKNOWN}},
     "c",
     false},
};

static void judge(const struct row *row)
{
    struct address_set set = {0};
    for (size_t i = 0; i < ARRAY_LEN(row->uplinks) && row->uplinks[i].name != NULL; i++) {
        struct uplink *uplink = &set.uplinks[set.uplinks_len++];
        memcpy(uplink->name, row->uplinks[i].name, strlen(row->uplinks[i].name) + 1);
        uplink->has_metric = row->uplinks[i].metric != 0;
        uplink->metric = row->uplinks[i].metric;
        uplink->alive4 = row->uplinks[i].alive4;
        uplink->alive6 = row->uplinks[i].alive6;
    }
    size_t chosen = wayout_choose(&set);
    if (row->want == NULL) {
        assert_int_equal(chosen, set.uplinks_len);
        return;
    }
    assert_in_range(chosen, 0, set.uplinks_len - 1);
    assert_string_equal(set.uplinks[chosen].name, row->want);
    assert_true(wayout_is_first(&set, chosen) == row->first);
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        judge(&rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
