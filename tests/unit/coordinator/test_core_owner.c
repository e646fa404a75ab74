/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a name is: two devices that claim one, a name that moves between them, and the zone it lies in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/outbox.h"
#include "tests/lib/core_rig.h"

#define NAT  "93.184.216.34"
#define NAT2 "93.184.216.35"

/* cam-x1's own name is the one that x1 claims. */
#define CLASH_NAME "cam-x1.example.net"
#define CLASH_GROUPS                                                                                                   \
    "  - name: a\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"            \
    "  - name: b\n    damping: false\n    names:\n      - name: \"cam-{id}.example.net\"\n        types: [A]\n"
#define CLASH_DEVICES "devices:\n  - match: \"cam-*\"\n    group: a\n  - match: \"x*\"\n    group: b\n"

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

static const struct outbox_entry *entry_of(const char *name)
{
    return core_outbox_find(rig.core, view_of(name), RRTYPE_A);
}

/* cam-x1 is served, the store refuses x1 the same name. */
static void begin_with_a_refused_claim(void)
{
    begin(NULL, CLASH_GROUPS, CLASH_DEVICES);
    rig_report(&rig, "cam-x1", 1, NAT);
    rig_settle_all(&rig);
    rig_settle_all(&rig);
    rig_report(&rig, "x1", 1, NAT2);
    struct store_want *want = rig_batch_want(&rig, CLASH_NAME);
    assert_non_null(want);
    want->taken = true;
    rig_commit_all(&rig);
    assert_non_null(entry_of(CLASH_NAME));
}

static void a_reload_sends_the_dns_nothing_that_the_store_refused(void **state)
{
    (void)state;
    begin_with_a_refused_claim();
    size_t changes = rig.changes_len;
    (void)rig_reload(&rig, &(struct rig_config){.groups = CLASH_GROUPS, .devices = CLASH_DEVICES});
    core_resubmit(rig.core, rig.now);
    assert_int_equal(rig.changes_len, changes);
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    assert_int_equal(rig_stats(&rig).records_open, 0);
    rig_report(&rig, "cam-x1", 2, "93.184.216.99");
    rig_commit_all(&rig);
    rig_pass(&rig, 1000);
    assert_true(rig_wants(&rig, CLASH_NAME, "93.184.216.99"));
}

/* The owner's next address comes while the store has yet to refuse the claim. */
static void a_claim_that_is_refused_makes_way_for_the_owners_value(void **state)
{
    (void)state;
    begin(NULL, CLASH_GROUPS, CLASH_DEVICES);
    rig_report(&rig, "cam-x1", 1, NAT);
    rig_settle_all(&rig);
    rig_settle_all(&rig);
    rig_report(&rig, "x1", 1, NAT2);
    rig_report(&rig, "cam-x1", 2, "93.184.216.99");
    rig_report(&rig, "x1", 2, "93.184.216.98"); /* its claim again, with another value */
    rig_batch_want(&rig, CLASH_NAME)->taken = true;
    rig_commit(&rig, ERR_OK);
    rig_batch_want(&rig, CLASH_NAME)->taken = true;
    rig_commit_all(&rig);
    rig_pass(&rig, 1000);
    assert_non_null(rig_batch_want(&rig, CLASH_NAME));
    assert_string_equal(rig_batch_want(&rig, CLASH_NAME)->device, "cam-x1");
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, CLASH_NAME, "93.184.216.99"));
}

/* The sweep has found the owner's record changed by hand, or about to expire. */
static void a_refused_claim_does_not_keep_the_sweep_from_the_owners_record(void **state)
{
    (void)state;
    begin_with_a_refused_claim();
    const struct store_record row = rig_record("example.net", "cam-x1", CLASH_NAME, NAT);
    const struct store_record claim = rig_record("example.net", "x1", CLASH_NAME, NAT2);
    assert_null(core_moving(rig.core, &row)); /* the owner's record rests: its repair is guarded */
    assert_non_null(core_moving(rig.core, &claim));
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, false), ERR_OK);
    core_flush(rig.core, rig.now);
    assert_string_equal(rig_batch_want(&rig, CLASH_NAME)->device, "cam-x1");
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, CLASH_NAME, NAT));
    assert_int_equal(rig_stats(&rig).records_refused, 0);
    rig_settle(&rig, rig_change(&rig, CLASH_NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

/* Templates that may clash, of devices that are damped. */
static void begin_damped(void)
{
    begin(NULL,
          "  - name: a\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"
          "  - name: b\n    names:\n      - name: \"cam-{id}.example.net\"\n        types: [A]\n",
          CLASH_DEVICES);
}

static uint32_t flap_until_held(const char *id)
{
    uint32_t seq = 0;
    uint32_t held = rig_stats(&rig).records_held;
    while (rig_stats(&rig).records_held == held) {
        assert_true(++seq < 20);
        if (seq > 1) {
            rig_settle_all(&rig);
        }
        rig_report(&rig, id, seq, seq % 2 == 0 ? NAT2 : NAT);
    }
    return seq;
}

static void a_held_claim_that_is_refused_is_held_no_more(void **state)
{
    (void)state;
    begin_damped();
    (void)flap_until_held("x1");
    rig_batch_want(&rig, CLASH_NAME)->taken = true;
    rig_commit_all(&rig);
    assert_int_equal(rig_stats(&rig).records_held, 0);
    assert_int_equal(rig_stats(&rig).records_refused, 1);
}

/* x1 was held with the name, then lost it to cam-x1, which is held longer: the end of x1's hold is not cam-x1's. */
static void a_hold_ends_when_its_own_device_is_released(void **state)
{
    (void)state;
    begin_damped();
    (void)flap_until_held("x1");
    rig_batch_want(&rig, CLASH_NAME)->taken = true;
    rig_commit_all(&rig);
    rig_pass(&rig, UINT64_C(600) * 1000);
    (void)flap_until_held("cam-x1");
    rig_commit_all(&rig);
    uint64_t release_ms = entry_of(CLASH_NAME)->not_before_ms;
    for (;;) {
        bool held = (entry_of(CLASH_NAME)->flags & OUTBOX_HELD) != 0;
        if (!held) {
            break;
        }
        rig_pass(&rig, 1000);
    }
    assert_true(rig.now.mono_ms >= release_ms);
}

#define ROLES                                                                                                          \
    "  - name: a\n    damping: false\n    names:\n      - name: \"{labels.role}.example.net\"\n        types: [A]\n"
#define IDS "  - name: a\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"

static void reconcile(const char *id, const struct store_record *records, size_t len)
{
    core_reconcile(rig.core, rig.now, device_find(core_devices(rig.core), view_of(id)), records, len);
    core_flush(rig.core, rig.now);
}

/* The name b moves from a to b at a reload whose templates promise that names never meet. */
static void a_name_that_moves_at_a_reload_reaches_its_new_owner(void **state)
{
    (void)state;
    const char *devices = "devices:\n  - id: b\n    group: a\n    labels: {role: x}\n"
                          "  - id: a\n    group: a\n    labels: {role: b}\n";
    begin(NULL, ROLES, devices);
    rig_report(&rig, "b", 1, NAT);
    rig_report(&rig, "a", 1, NAT2);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.groups = IDS, .devices = devices});
    const struct store_record x = rig_record("example.net", "b", "x.example.net", NAT);
    const struct store_record b = rig_record("example.net", "a", "b.example.net", NAT2);
    reconcile("b", &x, 1);
    assert_null(rig_change(&rig, "b.example.net", RRTYPE_A)); /* the store knows whose the name is */
    rig_batch_want(&rig, "b.example.net")->taken = true;
    rig_commit_all(&rig);
    reconcile("a", &b, 1);
    core_reconciled(rig.core);
    for (int i = 0; i < 5; i++) {
        rig_settle_all(&rig);
        rig_pass(&rig, 300);
    }
    const struct rig_change *last = NULL;
    for (size_t i = 0; i < rig.changes_len; i++) {
        last = strcmp(rig.changes[i].name, "b.example.net") == 0 ? &rig.changes[i] : last;
    }
    struct rrset_value value = rig_value(NAT);
    assert_true(last != NULL && rrset_value_equal(&last->change.want, &value));
    assert_int_equal(rig_stats(&rig).records_refused, 0);
}

/* The DNS was faster than the store. */
static void a_refused_claim_that_was_applied_stays_refused(void **state)
{
    (void)state;
    begin(NULL, IDS, "devices:\n  - id: b\n    group: a\n");
    rig_report(&rig, "b", 1, NAT);
    rig_batch_want(&rig, "b.example.net")->taken = true;
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, "b.example.net", RRTYPE_A), OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    assert_non_null(entry_of("b.example.net"));
    assert_true((entry_of("b.example.net")->flags & OUTBOX_TAKEN) != 0);
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    assert_int_equal(rig_ack_name(&rig, "b.example.net", "A")->state, NAME_REFUSED);
}

#define SPLIT_NAME "cam-1.cams.example.net"
#define SPLIT_GROUPS                                                                                                   \
    "  - name: a\n    damping: false\n    names:\n      - name: \"{id}.cams.example.net\"\n        types: [A]\n"
#define SPLIT_DEVICES "devices:\n  - match: \"cam-*\"\n    group: a\n"
#define SPLIT_ZONES   "  - name: example.net\n    account: dns\n  - name: cams.example.net\n    account: dns\n"

static void split(void)
{
    (void)rig_reload(&rig,
                     &(struct rig_config){.zones = SPLIT_ZONES, .groups = SPLIT_GROUPS, .devices = SPLIT_DEVICES});
    core_resubmit(rig.core, rig.now);
}

static void expect_moved(const char *address)
{
    const struct store_record row = rig_record("example.net", "cam-1", SPLIT_NAME, NAT);
    reconcile("cam-1", &row, 1);
    bool given_up = false;
    bool wanted = false;
    for (int i = 0; i < 20; i++) {
        const struct store_want *want = rig_batch_want(&rig, SPLIT_NAME);
        if (want != NULL && strcmp(want->zone, "example.net") == 0) {
            assert_true(want->want_null && !wanted);
            given_up = true;
        } else if (want != NULL) {
            assert_string_equal(want->zone, "cams.example.net");
            assert_false(want->want_null);
            assert_true(given_up);
            wanted = true;
        }
        if (rig.batch != NULL) {
            rig_commit(&rig, ERR_OK);
        } else {
            rig_pass(&rig, 100);
        }
    }
    assert_true(given_up && wanted);
    struct rig_change *change = rig_change(&rig, SPLIT_NAME, RRTYPE_A);
    struct rrset_value value = rig_value(address);
    assert_non_null(change);
    assert_int_equal(change->zone, 1);
    assert_true(rrset_value_equal(&change->change.want, &value));
    rig_settle(&rig, change, OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    assert_null(entry_of(SPLIT_NAME));
}

static void a_split_zone_gets_its_names(void **state)
{
    (void)state;
    begin(NULL, SPLIT_GROUPS, SPLIT_DEVICES);
    rig_report(&rig, "cam-1", 1, NAT);
    rig_settle_all(&rig);
    split();
    expect_moved(NAT);
    struct store_record row = rig_record("example.net", "cam-1", SPLIT_NAME, NAT);
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, false), ERR_AGAIN); /* read before the reload */
    row.want_null = true;
    size_t changes = rig.changes_len;
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, false), ERR_OK);
    rig_commit_all(&rig);
    assert_int_equal(rig.changes_len, changes + 1);
    assert_int_equal(rig.changes[changes].zone, 0); /* the sweep deletes where it stands */
    assert_int_equal(rig.changes[changes].change.want.len, 0);
    const struct store_record rows[] = {row, rig_record("cams.example.net", "cam-1", SPLIT_NAME, NAT)};
    rig_settle(&rig, &rig.changes[changes], OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    reconcile("cam-1", rows, 2);
    assert_null(rig.batch);
}

/* The zone is split while a value is under way to the old one, and another follows before the reconcile. */
static void a_split_zone_gets_what_was_moving(void **state)
{
    (void)state;
    begin(NULL, SPLIT_GROUPS, SPLIT_DEVICES);
    rig_report(&rig, "cam-1", 1, NAT);
    rig_settle_all(&rig);
    rig_report(&rig, "cam-1", 2, NAT2);
    rig_commit_all(&rig);
    split();
    rig_report(&rig, "cam-1", 3, "93.184.216.99");
    expect_moved("93.184.216.99");
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

/* The zone was split, merged and split: the name has a row in both, and its device goes. */
static void a_name_with_rows_in_two_zones_is_given_up_in_both(void **state)
{
    (void)state;
    begin(NULL, SPLIT_GROUPS, SPLIT_DEVICES);
    rig_report(&rig, "cam-1", 1, NAT);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.zones = SPLIT_ZONES,
                                                .groups = SPLIT_GROUPS,
                                                .devices = "devices:\n  - id: other\n    group: a\n"});
    core_resubmit(rig.core, rig.now);
    struct store_record rows[] = {rig_record("cams.example.net", "cam-1", SPLIT_NAME, NAT),
                                  rig_record("example.net", "cam-1", SPLIT_NAME, NAT)};
    assert_false(rig_reconcile(&rig, "cam-1", rows, 2));
    assert_string_equal(rig_batch_want(&rig, SPLIT_NAME)->zone, "cams.example.net");
    assert_true(rig_batch_want(&rig, SPLIT_NAME)->want_null);
    assert_false(rig_reconcile(&rig, "cam-1", rows, 2)); /* read before the commit */
    rig_commit_all(&rig);
    rows[0].want_null = true;
    assert_true(rig_reconcile(&rig, "cam-1", rows, 2));
    assert_string_equal(rig_batch_want(&rig, SPLIT_NAME)->zone, "example.net");
    assert_true(rig_batch_want(&rig, SPLIT_NAME)->want_null);
}

/* Merged again before the reconcile could give the name up. */
static void what_was_moving_in_a_split_zone_goes_on_when_it_is_merged(void **state)
{
    (void)state;
    begin(NULL, SPLIT_GROUPS, SPLIT_DEVICES);
    rig_report(&rig, "cam-1", 1, NAT);
    rig_commit_all(&rig);
    split();
    (void)rig_reload(&rig, &(struct rig_config){.groups = SPLIT_GROUPS, .devices = SPLIT_DEVICES});
    rig.changes_len = 0;
    core_resubmit(rig.core, rig.now);
    assert_true(rig_wants(&rig, SPLIT_NAME, NAT));
}

/* The name's tombstone waits for room on the disk when its device gets the name back. */
static void a_row_older_than_its_tombstone_is_no_reason_to_rest(void **state)
{
    (void)state;
    begin(NULL, SPLIT_GROUPS, SPLIT_DEVICES);
    rig_report(&rig, "cam-1", 1, NAT);
    rig_settle_all(&rig);
    const struct store_record row = rig_record("example.net", "cam-1", SPLIT_NAME, NAT);
    (void)rig_reload(
        &rig, &(struct rig_config){.groups = SPLIT_GROUPS, .devices = "devices:\n  - id: other\n    group: a\n"});
    reconcile("cam-1", &row, 1);
    assert_true(rig_batch_want(&rig, SPLIT_NAME)->want_null);
    (void)rig_reload(&rig, &(struct rig_config){.groups = SPLIT_GROUPS, .devices = SPLIT_DEVICES});
    core_resubmit(rig.core, rig.now);
    reconcile("cam-1", &row, 1);
    rig_commit(&rig, ERR_OK);
    assert_non_null(rig_batch_want(&rig, SPLIT_NAME));
    assert_false(rig_batch_want(&rig, SPLIT_NAME)->want_null);
}

static void expect_ack(const char *id, const char *name, enum name_state state)
{
    assert_string_equal(rig.ack_device, id);
    assert_non_null(rig_ack_name(&rig, name, "A"));
    assert_int_equal(rig_ack_name(&rig, name, "A")->state, state);
    assert_string_equal(rig_ack_name(&rig, name, "A")->error, state == NAME_REFUSED ? "taken" : "");
}

/* cam-x1's record is with the DNS still. */
static void a_name_of_another_device_is_acked_as_taken(void **state)
{
    (void)state;
    begin(NULL, CLASH_GROUPS, CLASH_DEVICES);
    rig_report(&rig, "cam-x1", 1, NAT);
    rig_commit_all(&rig);
    rig_report(&rig, "x1", 1, NAT2);
    rig_commit_all(&rig);
    expect_ack("x1", CLASH_NAME, NAME_REFUSED);
    rig_settle(&rig, rig_change(&rig, CLASH_NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    rig_pass(&rig, 300); /* the claim is the store's to judge now */
    assert_string_equal(rig_batch_want(&rig, CLASH_NAME)->device, "x1");
    rig_batch_want(&rig, CLASH_NAME)->taken = true;
    rig_commit_all(&rig);
    expect_ack("x1", CLASH_NAME, NAME_REFUSED);
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    assert_null(rig_change(&rig, CLASH_NAME, RRTYPE_A));
    size_t commits = (size_t)rig_stats(&rig).commits;
    rig_pass(&rig, 5000);
    assert_int_equal(rig_stats(&rig).commits, commits); /* told once */
    assert_true(core_is_durable(rig.core));
}

/* The name moves from a to b at a reload; b reports before the store has heard that a gave it up. */
static void nothing_is_acked_before_its_name_can_be_wanted(void **state)
{
    (void)state;
    begin(NULL, ROLES,
          "devices:\n  - id: a\n    group: a\n    labels: {role: gate}\n"
          "  - id: b\n    group: a\n    labels: {role: door}\n");
    rig_report(&rig, "a", 1, NAT);
    rig_settle_all(&rig);
    (void)rig_reload(&rig,
                     &(struct rig_config){.groups = ROLES,
                                          .devices = "devices:\n  - id: a\n    group: a\n    labels: {role: old}\n"
                                                     "  - id: b\n    group: a\n    labels: {role: gate}\n"});
    const struct store_record gate = rig_record("example.net", "a", "gate.example.net", NAT);
    reconcile("a", &gate, 1);
    rig_report(&rig, "b", 1, NAT2);
    size_t acks = rig.acks;
    while (rig.batch != NULL) {
        assert_null(rig_change(&rig, "gate.example.net", RRTYPE_A));
        rig_commit(&rig, ERR_OK);
    }
    assert_true(rig.acks == acks || strcmp(rig.ack_device, "b") != 0);
    assert_false(core_is_durable(rig.core));
    rig_pass(&rig, 300);
    rig_settle_all(&rig);
    expect_ack("b", "gate.example.net", NAME_APPLIED);
    assert_string_equal(rig_ack_name(&rig, "gate.example.net", "A")->value, NAT2);
    assert_true(rig.ack.has_ack && rig.ack.ack_seq == 1);
    assert_true(core_is_durable(rig.core));
}

/* A pattern admits ids that nobody looked at: the zone's name servers are no device's, whatever it is called. */
static void a_reserved_name_is_no_devices(void **state)
{
    (void)state;
    begin(NULL, NULL, "devices:\n  - match: \"*\"\n    group: cameras\n");
    rig_report(&rig, "ns1", 1, NAT);
    rig_commit_all(&rig);
    assert_int_equal(rig.changes_len, 0);
    assert_null(entry_of("ns1.example.net"));
    rig_report(&rig, "ns10", 1, NAT);
    assert_true(rig_wants(&rig, "ns10.example.net", NAT));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_reload_sends_the_dns_nothing_that_the_store_refused),
        TEST(a_claim_that_is_refused_makes_way_for_the_owners_value),
        TEST(a_refused_claim_does_not_keep_the_sweep_from_the_owners_record),
        TEST(a_held_claim_that_is_refused_is_held_no_more),
        TEST(a_hold_ends_when_its_own_device_is_released),
        TEST(a_name_that_moves_at_a_reload_reaches_its_new_owner),
        TEST(a_refused_claim_that_was_applied_stays_refused),
        TEST(a_split_zone_gets_its_names),
        TEST(a_split_zone_gets_what_was_moving),
        TEST(what_was_moving_in_a_split_zone_goes_on_when_it_is_merged),
        TEST(a_row_older_than_its_tombstone_is_no_reason_to_rest),
        TEST(a_name_with_rows_in_two_zones_is_given_up_in_both),
        TEST(a_name_of_another_device_is_acked_as_taken),
        TEST(nothing_is_acked_before_its_name_can_be_wanted),
        TEST(a_reserved_name_is_no_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
