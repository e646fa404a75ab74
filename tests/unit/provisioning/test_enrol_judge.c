/* SPDX-License-Identifier: Apache-2.0 */
/* One good case, and each thing that can be wrong with it; then all pairs of two wrong things, for the order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "provisioning/enrol_judge.h"

static struct enrol_facts good(void)
{
    return (struct enrol_facts){
        .batch_known = true,
        .from_ms = 1000,
        .to_ms = 2000,
        .quota = 10,
        .used = 9,
        .device_known = true,
        .of_this_batch = true,
        .proven = true,
        .life = LIFE_MADE,
        .recovery_on = true,
        .has_token = true,
        .now_ms = 1500,
    };
}

static void unknown_batch(struct enrol_facts *f)
{
    f->batch_known = false;
}
static void disabled(struct enrol_facts *f)
{
    f->batch_disabled = true;
}
static void unknown_device(struct enrol_facts *f)
{
    f->device_known = false;
}
static void other_batch(struct enrol_facts *f)
{
    f->of_this_batch = false;
}
static void unproven(struct enrol_facts *f)
{
    f->proven = false;
}
static void suspended(struct enrol_facts *f)
{
    f->life = LIFE_SUSPENDED;
}
static void suspect(struct enrol_facts *f)
{
    f->life = LIFE_CLONED;
}
static void revoked(struct enrol_facts *f)
{
    f->life = LIFE_REVOKED;
}
static void scrapped(struct enrol_facts *f)
{
    f->life = LIFE_SCRAPPED;
}
static void no_recovery(struct enrol_facts *f)
{
    f->recovering = true;
    f->recovery_on = false;
}
static void same(struct enrol_facts *f)
{
    f->has_same = true;
}
static void closed(struct enrol_facts *f)
{
    f->batch_closed = true;
}
static void early(struct enrol_facts *f)
{
    f->now_ms = 999;
}
static void late(struct enrol_facts *f)
{
    f->now_ms = 2000;
}
static void quota(struct enrol_facts *f)
{
    f->used = 10;
}
static void busy(struct enrol_facts *f)
{
    f->has_token = false;
}

/* In the order of judgement: of two, the earlier row decides. `early` and `late` are never both. */
static const struct {
    void (*spoil)(struct enrol_facts *);
    enum enrol_verdict verdict;
} rows[] = {
    {unknown_batch, ENROL_CLOSED},
    {disabled, ENROL_CLOSED},
    {unknown_device, ENROL_REFUSED},
    {other_batch, ENROL_REFUSED},
    {unproven, ENROL_REFUSED},
    {suspended, ENROL_REFUSED},
    {suspect, ENROL_REFUSED},
    {revoked, ENROL_REFUSED},
    {scrapped, ENROL_REFUSED},
    {no_recovery, ENROL_REFUSED},
    {same, ENROL_SAME},
    {closed, ENROL_CLOSED},
    {early, ENROL_CLOSED},
    {late, ENROL_CLOSED},
    {quota, ENROL_QUOTA},
    {busy, ENROL_BUSY},
};

static void each_fault_and_each_pair(void **state)
{
    (void)state;
    struct enrol_facts facts = good();
    assert_int_equal(enrol_judge(&facts), ENROL_ISSUE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = i; k < ARRAY_LEN(rows); k++) {
            facts = good();
            rows[k].spoil(&facts);
            rows[i].spoil(&facts);
            assert_string_equal(enrol_verdict_name(enrol_judge(&facts)), enrol_verdict_name(rows[i].verdict));
        }
    }
}

/* A camera that lay in a warehouse for years comes back after its batch was closed and its quota used up. */
static void who_had_one_needs_no_window(void **state)
{
    (void)state;
    struct enrol_facts facts = good();
    facts.had_one = true;
    facts.recovering = true;
    facts.life = LIFE_ACTIVE;
    closed(&facts);
    late(&facts);
    quota(&facts);
    assert_int_equal(enrol_judge(&facts), ENROL_ISSUE);
    busy(&facts);
    assert_int_equal(enrol_judge(&facts), ENROL_BUSY);
    disabled(&facts);
    assert_int_equal(enrol_judge(&facts), ENROL_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_and_each_pair),
        cmocka_unit_test(who_had_one_needs_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
