/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the registry gives up: tombstones, and what their device is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"

#define CAM  "cam-1"
#define NAME "cam-1.example.net"
#define NAT  "93.184.216.34"
#define ROLES                                                                                                          \
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{labels.role}.example.net\"\n        types: "  \
    "[A]\n"
#define NOBODY         "devices:\n  - id: other\n    group: cameras\n"
#define ROLE(id, role) "  - id: " id "\n    group: cameras\n    labels: {role: " role "}\n"

static struct rig rig;

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void begin(const char *zones, const char *groups, const char *devices)
{
    rig_start(&rig, &(struct rig_config){.zones = zones, .groups = groups, .devices = devices});
}

static void report(uint32_t seq, const char *observed)
{
    rig_report(&rig, CAM, seq, observed);
}

/* One want is being committed and one waits for the next commit while the registry loses both devices: the rows that
 * the reconcile reads have neither. */
static void what_the_store_has_not_heard_of_is_given_up(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_report(&rig, "cam-2", 1, "93.184.216.35");
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    core_resubmit(rig.core, rig.now);
    rig_reconcile(&rig, CAM, NULL, 0);
    rig_reconcile(&rig, "cam-2", NULL, 0);
    rig_commit(&rig, ERR_OK);
    assert_true(rig_batch_want(&rig, NAME)->want_null);
    assert_true(rig_batch_want(&rig, "cam-2.example.net")->want_null);
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A)); /* the sweep may have it */
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

/* The claim was not the store's yet to refuse, and now the registry has taken it back. */
static void a_refused_claim_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    core_resubmit(rig.core, rig.now);
    rig_commit(&rig, ERR_OK);
    rig_batch_want(&rig, NAME)->taken = true;
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).records_refused, 0);
}

#define BOTH_ZONES                                                                                                     \
    "  - name: example.net\n    account: dns\n"                                                                        \
    "  - name: sub.example.net\n    account: dns\n"
#define IN_SUB                                                                                                         \
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.sub.example.net\"\n        types: [A]\n"

/* Two reloads while one commit runs, which a full disk holds up. */
static void what_was_dropped_is_dropped_at_the_next_reload_too(void **state)
{
    (void)state;
    begin(BOTH_ZONES, IN_SUB, NULL);
    report(1, NAT);
    for (int i = 0; i < 2; i++) {
        (void)rig_reload(&rig, &(struct rig_config){.groups = IN_SUB, .devices = NOBODY});
        core_resubmit(rig.core, rig.now);
    }
    rig_commit(&rig, ERR_OK);
    core_flush(rig.core, rig.now);
    assert_null(rig.batch); /* a row without an owner, which the store would refuse for ever */
    assert_null(core_outbox_find(rig.core, view_of("cam-1.sub.example.net"), RRTYPE_A));
}

/* The value before the held one is still under way: the new writer gets neither. */
static void a_reload_does_not_end_a_hold(void **state)
{
    (void)state;
    static const char damped[] =
        "  - name: cameras\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n";
    begin(NULL, damped, NULL);
    for (uint32_t seq = 1; rig_stats(&rig).records_held == 0; seq++) {
        assert_true(seq < 20);
        report(seq, seq % 2 == 0 ? NAT : "93.184.216.35");
        rig_commit_all(&rig);
    }
    size_t changes = rig.changes_len;
    (void)rig_reload(&rig, &(struct rig_config){.groups = damped});
    core_resubmit(rig.core, rig.now);
    assert_int_equal(rig.changes_len, changes);
    assert_int_equal(rig_stats(&rig).records_held, 1);
    rig_pass(&rig, UINT64_C(2) * 3600 * 1000);
    assert_int_equal(rig.changes_len, changes + 1);
    assert_int_equal(rig_stats(&rig).records_held, 0);
}

static void a_device_removed_leaves_a_tombstone(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    rig_reconcile(&rig, CAM, &record, 1);
    assert_true(rig_batch_want(&rig, NAME)->want_null);
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A)); /* the sweep deletes, under its guard */
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    record.want_null = true;
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_OK);
    rig_commit_all(&rig); /* after a reload the store is asked first */
    assert_true(rig_wants(&rig, NAME, NULL));
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_true(rig_batch_have(&rig, NAME)->forget);
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

/* What is retained at the broker must not go on to call a name applied that nobody keeps any more. */
static void a_removed_device_is_told_what_became_of_its_names(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_APPLIED);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    size_t acks = rig.acks;
    rig_reconcile(&rig, CAM, &record, 1);
    assert_int_equal(rig.acks, acks + 1);
    assert_true(rig.ack_retained);
    assert_string_equal(rig.ack.error, "unregistered");
    assert_int_equal(rig.ack.names_len, 1);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_PENDING); /* its deletion waits for the sweep */
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, "");
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->error, "unregistered");
    rig_commit_all(&rig);
    record.want_null = true;
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_OK);
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig.acks, acks + 2);
    assert_true(rig.ack_retained);
    assert_string_equal(rig.ack.error, "unregistered");
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_GONE);
    rig_commit_all(&rig);
}

static void a_removed_device_is_told_when_the_session_takes_it(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    size_t acks = rig.acks;
    rig.publish_err = ERR_LIMIT;
    rig_reconcile(&rig, CAM, &record, 1);
    assert_int_equal(rig.acks, acks);
    rig.publish_err = ERR_OK;
    rig_pass(&rig, 1000);
    assert_int_equal(rig.acks, acks + 1);
    assert_true(rig.ack_retained);
    assert_string_equal(rig.ack.error, "unregistered");
    assert_int_equal(rig.ack.names_len, 0); /* they are known to the store only */
    rig_commit_all(&rig);
}

/* The device stays; one of its names does not. */
static void a_name_given_up_leaves_the_answer(void **state)
{
    (void)state;
    begin(NULL, ROLES, "devices:\n" ROLE(CAM, "gate"));
    report(1, NAT);
    rig_settle_all(&rig);
    assert_non_null(rig_ack_name(&rig, "gate.example.net", "A"));
    (void)rig_reload(&rig, &(struct rig_config){.groups = ROLES, .devices = "devices:\n" ROLE(CAM, "door")});
    struct store_record record = rig_record("example.net", CAM, "gate.example.net", NAT);
    size_t acks = rig.acks;
    rig_reconcile(&rig, CAM, &record, 1);
    rig_settle_all(&rig);
    assert_true(rig.acks > acks);
    assert_string_equal(rig.ack.error, "");
    assert_int_equal(rig.ack.names_len, 1);
    assert_int_equal(rig_ack_name(&rig, "door.example.net", "A")->state, NAME_APPLIED);
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stop)
    const struct CMUnitTest tests[] = {
        TEST(what_the_store_has_not_heard_of_is_given_up),
        TEST(a_refused_claim_that_is_given_up_leaves_nothing),
        TEST(what_was_dropped_is_dropped_at_the_next_reload_too),
        TEST(a_reload_does_not_end_a_hold),
        TEST(a_device_removed_leaves_a_tombstone),
        TEST(a_removed_device_is_told_what_became_of_its_names),
        TEST(a_removed_device_is_told_when_the_session_takes_it),
        TEST(a_name_given_up_leaves_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
