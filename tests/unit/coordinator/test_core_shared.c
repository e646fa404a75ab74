/* SPDX-License-Identifier: Apache-2.0 */
/* A shared zone: what we may have written there, and do not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"

#define SHARED "  - name: example.net\n    account: dns\n    mode: shared\n"
#define CAM    "cam-1"
#define NAME   "cam-1.example.net"
#define NAT    "93.184.216.34"
#define NAT2   "93.184.216.35"

static struct rig rig;

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static bool is_unsure_of(const struct rig_change *change, const char *sent)
{
    struct rrset_value value = rig_value(sent);
    return change != NULL && change->change.unsure && rrset_value_equal(&change->change.sent, &value);
}

/* 1 is with the zone's writer. */
static void start_with_one_value(void)
{
    rig_start(&rig, &(struct rig_config){.zones = SHARED});
    rig_report(&rig, CAM, 1, NAT);
    rig_commit_all(&rig);
}

static void take_a_new_writer(void)
{
    (void)rig_reload(&rig, &(struct rig_config){.zones = SHARED});
    core_resubmit(rig.core, rig.now);
}

/* 1 is being written; 2 is committed before the outcome of 1 is, and must not require what stood before 1. */
static void a_shared_zone_is_unsure_of_what_no_outcome_is_stored_of(void **state)
{
    (void)state;
    start_with_one_value();
    assert_false(rig_change(&rig, NAME, RRTYPE_A)->change.unsure);
    rig_report(&rig, CAM, 2, NAT2);
    struct store_want *want = rig_batch_want(&rig, NAME);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    want->was_pending = true; /* as the store says: it has no outcome of 1 yet */
    want->was = rig_value(NAT);
    rig_commit(&rig, ERR_OK);
    assert_true(is_unsure_of(rig_change(&rig, NAME, RRTYPE_A), NAT));
}

/* The writer that a reload ends may have sent it, and so may the process before this one. */
static void a_new_writer_of_a_shared_zone_is_unsure_of_what_was_under_way(void **state)
{
    (void)state;
    start_with_one_value();
    take_a_new_writer();
    assert_int_equal(rig.changes_len, 2);
    assert_true(is_unsure_of(rig_change(&rig, NAME, RRTYPE_A), NAT));
    struct store_record row = rig_record("example.net", "cam-2", "cam-2.example.net", NAT2);
    row.have_known = false;
    row.have_rev = 0;
    assert_int_equal(core_load_pending(rig.core, rig.now, &row), ERR_OK);
    assert_true(is_unsure_of(rig_change(&rig, "cam-2.example.net", RRTYPE_A), NAT2));
}

/* A value that waits for its commit leaves with that, not before. */
static void a_reload_does_not_overtake_the_commit_of_a_shared_zone(void **state)
{
    (void)state;
    start_with_one_value();
    rig_report(&rig, CAM, 2, NAT2);
    take_a_new_writer();
    assert_int_equal(rig.changes_len, 1);
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, NAME, NAT2));
}

/* 2 is sent in doubt about 1; the doubt outlives the writer. */
static void a_doubt_lasts_until_it_is_settled(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.zones = SHARED});
    rig_report(&rig, CAM, 2, NAT2);
    struct store_want *want = rig_batch_want(&rig, NAME);
    want->was_pending = true;
    want->was = rig_value(NAT);
    rig_commit_all(&rig);
    take_a_new_writer();
    assert_true(is_unsure_of(rig_change(&rig, NAME, RRTYPE_A), NAT));
}

/* 1 is applied while the commit of 2 runs, which is never sent: 3 must require 1. */
static void what_the_engine_applied_counts_before_it_is_stored(void **state)
{
    (void)state;
    start_with_one_value();
    rig_report(&rig, CAM, 2, NAT2);
    rig_report(&rig, CAM, 3, "93.184.216.36");
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    rig_commit(&rig, ERR_OK);
    assert_int_equal(rig.changes_len, 1);
    struct store_want *want = rig_batch_want(&rig, NAME);
    want->was_pending = true; /* as the store says */
    want->was = rig_value(NAT2);
    rig_commit(&rig, ERR_OK);
    const struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    struct rrset_value first = rig_value(NAT);
    assert_true(rig_wants(&rig, NAME, "93.184.216.36"));
    assert_true(change->change.have_known && rrset_value_equal(&change->change.have, &first));
}

/* The writer that a reload ended may have sent 1; neither 2 nor its refusal settles that. */
static void a_doubt_outlives_newer_values_and_refusals(void **state)
{
    (void)state;
    start_with_one_value();
    take_a_new_writer();
    rig.changes_len = 0;
    rig_report(&rig, CAM, 2, NAT2);
    rig_report(&rig, CAM, 3, "93.184.216.36");
    rig_commit(&rig, ERR_OK);
    struct store_want *want = rig_batch_want(&rig, NAME);
    want->was_pending = true; /* as the store says: 2 was never sent */
    want->was = rig_value(NAT2);
    rig_commit_all(&rig);
    assert_true(is_unsure_of(rig_change(&rig, NAME, RRTYPE_A), NAT));
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "refused");
    rig_report(&rig, CAM, 4, NAT2);
    rig_commit_all(&rig);
    assert_true(is_unsure_of(rig_change(&rig, NAME, RRTYPE_A), NAT));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_shared_zone_is_unsure_of_what_no_outcome_is_stored_of),
        TEST(a_new_writer_of_a_shared_zone_is_unsure_of_what_was_under_way),
        TEST(a_reload_does_not_overtake_the_commit_of_a_shared_zone),
        TEST(a_doubt_lasts_until_it_is_settled),
        TEST(what_the_engine_applied_counts_before_it_is_stored),
        TEST(a_doubt_outlives_newer_values_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
