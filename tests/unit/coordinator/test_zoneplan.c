/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/zoneplan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define HEAD                                                                                                           \
    "{\"muster_plan\":1,\"zone\":\"example.net\",\"store\":\"s\",\"made_ms\":1000000,\"valid_s\":60,\"changes\":["
#define CHANGE                                                                                                         \
    "{\"kind\":\"wrong\",\"name\":\"B.example.net\",\"type\":\"A\",\"zone\":[\"192.0.2.1\"],\"zone_ttl\":60,"          \
    "\"want\":[\"192.0.2.2\"],\"ttl\":60}"
#define GONE                                                                                                           \
    "{\"kind\":\"delete\",\"name\":\"a.example.net\",\"type\":\"AAAA\",\"zone\":[\"2001:db8::1\"],\"zone_ttl\":60,"    \
    "\"want\":[],\"ttl\":0}"

static struct rrset_value value_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return rrset_value_of(ip);
}

static struct zoneplan *parsed(const char *text)
{
    struct zoneplan *plan = NULL;
    struct errinfo info = {0};
    assert_int_equal(zoneplan_parse(view_of(text), &plan, &info), ERR_OK);
    return plan;
}

static void test_only_what_was_reviewed_is_taken(void **state)
{
    (void)state; /* none */
    struct zoneplan *plan = parsed(HEAD CHANGE "," GONE "]}");
    const struct zoneplan_change reviewed = {.kind = "wrong",
                                             .name = "b.example.net",
                                             .type = RRTYPE_A,
                                             .have = value_of("192.0.2.1"),
                                             .want = value_of("192.0.2.2"),
                                             .have_ttl = 60,
                                             .want_ttl = 60};
    assert_int_equal(plan->len, 2);
    assert_string_equal(plan->items[0].change.name, "a.example.net");
    assert_int_equal(plan->items[0].change.want.len, 0);
    struct zoneplan_change found[] = {reviewed, reviewed, reviewed, reviewed, reviewed, reviewed, reviewed};
    found[0].have = value_of("192.0.2.3");
    found[1].want = value_of("192.0.2.3");
    found[2].have_ttl = 61;
    found[3].want_ttl = 61;
    found[4].kind = "missing";
    found[5].type = RRTYPE_AAAA; /* another record */
    found[6].name = "c.example.net";
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        plan->items[1].fate = ZONEPLAN_SETTLED;
        assert_null(zoneplan_take(plan, &found[i]));
        assert_int_equal(plan->items[1].fate, i < 5 ? ZONEPLAN_CHANGED : ZONEPLAN_SETTLED);
    }
    assert_ptr_equal(zoneplan_take(plan, &reviewed), &plan->items[1]);
    assert_int_equal(plan->items[1].fate, ZONEPLAN_APPLY);
    zoneplan_free(plan);
}

static void test_a_plan_is_for_a_zone_a_store_and_a_while(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *zone, *store;
        int64_t now_ms;
        enum err err;
    } rows[] = {
        {"example.net", "s", 1000000, ERR_OK},
        {"example.net", "s", 1060000, ERR_OK},
        {"example.net", "s", 1060001, ERR_CONFLICT},
        {"example.net", "s", 940000, ERR_OK}, /* the clock was set back a little */
        {"example.net", "s", 939999, ERR_CONFLICT},
        {"example.net", "t", 1000000, ERR_CONFLICT},
        {"example.org", "s", 1000000, ERR_INVALID},
    };
    struct zoneplan *plan = parsed(HEAD "]}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        assert_int_equal(zoneplan_check(plan, rows[i].zone, rows[i].store, rows[i].now_ms, &info), rows[i].err);
    }
    zoneplan_free(plan);
}

static void test_what_is_no_plan(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"", ERR_PARSE},
        {"{}", ERR_PARSE},
        {"[]", ERR_PARSE},
        {"{\"muster_plan\":2}", ERR_UNSUPPORTED},
        {"{\"muster_plan\":1,\"zone\":\"z\",\"store\":\"s\",\"made_ms\":-1,\"valid_s\":1,\"changes\":[]}", ERR_PARSE},
        {"{\"muster_plan\":1,\"zone\":\"z\",\"store\":\"s\",\"made_ms\":1,\"valid_s\":604801,\"changes\":[]}",
         ERR_PARSE},
        {HEAD "1]}", ERR_PARSE},
        {HEAD CHANGE "," CHANGE "]}", ERR_PARSE}, /* twice */
        {HEAD "{\"kind\":\"wrong\",\"name\":\"b.example.net\",\"type\":\"TXT\",\"zone\":[],\"zone_ttl\":0,\"want\":[],"
              "\"ttl\":0}]}",
         ERR_PARSE},
        {HEAD "{\"kind\":\"wrong\",\"name\":\"b.example.net\",\"type\":\"A\",\"zone\":[\"2001:db8::1\"],\"zone_ttl\":0,"
              "\"want\":[],\"ttl\":0}]}",
         ERR_PARSE},
        {HEAD
         "{\"kind\":\"wrong\",\"name\":\"b..net\",\"type\":\"A\",\"zone\":[],\"zone_ttl\":0,\"want\":[],\"ttl\":0}]}",
         ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zoneplan *plan = NULL;
        struct errinfo info = {0};
        assert_int_equal(zoneplan_parse(view_of(rows[i].text), &plan, &info), rows[i].err);
        assert_null(plan);
        assert_string_not_equal(info.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_was_reviewed_is_taken),
        cmocka_unit_test(test_a_plan_is_for_a_zone_a_store_and_a_while),
        cmocka_unit_test(test_what_is_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
