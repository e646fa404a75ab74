/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a record: held, refused, given up, taken over, written again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/topics.h"
#include "tests/lib/core_rig.h"

#define CAM  "cam-1"
#define NAME "cam-1.example.net"
#define NAT  "93.184.216.34"
#define NAT2 "93.184.216.35"

#define DAMPED "  - name: cameras\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"
#define ROLES                                                                                                          \
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{labels.role}.example.net\"\n        types: "  \
    "[A]\n"
#define SHARED         "  - name: example.net\n    account: dns\n    mode: shared\n"
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

static void flap_until_held(void)
{
    uint32_t seq = 0;
    while (rig_stats(&rig).records_held == 0) {
        seq++;
        report(seq, seq % 2 == 0 ? NAT2 : NAT);
        if (rig_stats(&rig).records_held == 0) {
            rig_settle_all(&rig);
        }
        assert_true(seq < 10);
    }
    for (int i = 0; i < 21; i++) { /* goes on flapping */
        seq++;
        report(seq, seq % 2 == 0 ? NAT2 : NAT);
        rig_commit_all(&rig);
    }
    report(++seq, "93.184.216.99");
    rig_commit_all(&rig);
}

static void a_flapping_device_is_held_with_its_newest_value(void **state)
{
    (void)state;
    begin(NULL, DAMPED, NULL);
    flap_until_held();
    assert_int_equal(rig_stats(&rig).records_held, 1);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_HELD);
    rig_pass(&rig, UINT64_C(2) * 3600 * 1000);
    assert_true(rig_wants(&rig, NAME, "93.184.216.99"));
    assert_int_equal(rig_stats(&rig).records_held, 0);
    size_t submitted = rig.changes_len;
    rig_settle_all(&rig);
    rig_pass(&rig, UINT64_C(2) * 3600 * 1000);
    assert_int_equal(rig.changes_len, submitted); /* once */
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

static void a_held_value_in_a_shared_zone_asks_the_store_first(void **state)
{
    (void)state;
    begin(SHARED, DAMPED, NULL);
    flap_until_held();
    rig_pass(&rig, UINT64_C(2) * 3600 * 1000);
    struct store_want *want = rig_batch_want(&rig, NAME);
    assert_non_null(want);
    want->have_known = true;
    want->have = rig_value(NAT);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_commit(&rig, ERR_OK);
    assert_true(rig_wants(&rig, NAME, "93.184.216.99"));
    struct rrset_value have = rig_value(NAT);
    assert_true(rrset_value_equal(&rig_change(&rig, NAME, RRTYPE_A)->change.have, &have));
}

static void a_held_record_can_be_given_up(void **state)
{
    (void)state;
    begin(NULL, DAMPED, NULL);
    flap_until_held();
    (void)rig_reload(&rig, &(struct rig_config){.groups = DAMPED, .devices = NOBODY}); /* nothing to replay */
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    rig_reconcile(&rig, CAM, &record, 1);
    assert_true(rig_batch_want(&rig, NAME)->want_null);
    rig_commit_all(&rig);
    assert_int_equal(rig_stats(&rig).records_held, 0);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A)); /* the sweep may have it */
    rig_pass(&rig, UINT64_C(2) * 3600 * 1000);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
}

static void a_shared_zone_waits_for_what_was_written_last(void **state)
{
    (void)state;
    begin(SHARED, NULL, NULL);
    report(1, NAT);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_commit(&rig, ERR_OK);
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    assert_true(change != NULL && !change->change.have_known); /* its first write requires an empty place */
    rig_settle_all(&rig);
    report(2, NAT2);
    struct store_want *want = rig_batch_want(&rig, NAME);
    want->have_known = true;
    want->have = rig_value(NAT);
    rig_commit(&rig, ERR_OK);
    struct rrset_value have = rig_value(NAT);
    change = rig_change(&rig, NAME, RRTYPE_A);
    assert_true(change->change.have_known && rrset_value_equal(&change->change.have, &have));
}

/* Two changes while the first commit runs: only the newest is submitted, once. */
static void a_shared_zone_gets_the_newest_value_only(void **state)
{
    (void)state;
    begin(SHARED, NULL, NULL);
    report(1, NAT);
    report(2, NAT2);
    rig_commit(&rig, ERR_OK);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_commit(&rig, ERR_OK);
    assert_true(rig_wants(&rig, NAME, NAT2));
    assert_int_equal(rig.changes_len, 1);
}

static void a_taken_name_is_refused(void **state)
{
    (void)state;
    begin(NULL, ROLES, "devices:\n" ROLE("cam-1", "gate"));
    report(1, NAT);
    rig_batch_want(&rig, "gate.example.net")->taken = true;
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, "gate.example.net", RRTYPE_A));
    assert_int_equal(rig_ack_name(&rig, "gate.example.net", "A")->state, NAME_REFUSED);
    assert_string_equal(rig_ack_name(&rig, "gate.example.net", "A")->error, "taken");
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

static void give_gate_to_the_new_camera(bool old_first)
{
    begin(NULL, ROLES, "devices:\n" ROLE("cam-1", "gate") ROLE("cam-2", "door"));
    rig_report(&rig, "cam-1", 1, NAT);
    rig_report(&rig, "cam-2", 1, NAT2);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.groups = ROLES,
                                                .devices = "devices:\n" ROLE("cam-1", "spare") ROLE("cam-2", "gate")});
    struct store_record gate = rig_record("example.net", "cam-1", "gate.example.net", NAT);
    struct store_record door = rig_record("example.net", "cam-2", "door.example.net", NAT2);
    if (old_first) {
        rig_reconcile(&rig, "cam-1", &gate, 1);
        rig_reconcile(&rig, "cam-2", &door, 1);
    } else {
        rig_reconcile(&rig, "cam-2", &door, 1);
        struct store_want *want = rig_batch_want(&rig, "gate.example.net");
        if (want != NULL && !want->want_null) {
            want->taken = true; /* the store still holds it for cam-1 */
        }
        rig_reconcile(&rig, "cam-1", &gate, 1);
    }
    for (int i = 0; i < 10; i++) {
        rig_settle_all(&rig);
        rig_pass(&rig, 300);
    }
    const struct rig_change *last = NULL;
    for (size_t i = 0; i < rig.changes_len; i++) {
        last = strcmp(rig.changes[i].name, "gate.example.net") == 0 ? &rig.changes[i] : last;
    }
    struct rrset_value value = rig_value(NAT2);
    assert_true(last != NULL && rrset_value_equal(&last->change.want, &value));
    assert_int_equal(rig_stats(&rig).records_refused, 0);
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

static void a_name_moves_to_another_device(void **state)
{
    (void)state;
    give_gate_to_the_new_camera(true);
}

static void a_name_moves_whoever_is_looked_at_first(void **state)
{
    (void)state;
    give_gate_to_the_new_camera(false);
}

/* Given up while its value is on its way to the server: the value arrives, and the tombstone must outlive that. */
static void a_tombstone_outlives_a_value_under_way(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_commit_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    rig_reconcile(&rig, CAM, &record, 1);
    rig_commit_all(&rig);
    assert_non_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A)); /* the engine still has it */
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_false(rig_batch_have(&rig, NAME)->forget);
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

static void a_tombstone_outlives_a_refusal_under_way(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_commit_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    rig_reconcile(&rig, CAM, &record, 1);
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "refused");
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).records_refused, 0);
}

static void a_device_that_returns_is_wanted_again(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    (void)rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    rig_reconcile(&rig, CAM, &record, 1);
    rig_commit_all(&rig);
    assert_true(rig_reload(&rig, &(struct rig_config){0}));
    record.want_null = true;
    rig_reconcile(&rig, CAM, &record, 1);
    assert_false(rig_batch_want(&rig, NAME)->want_null);
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, NAME, NAT));
}

static void an_orphan_is_given_up_by_its_owner(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    struct store_record record = rig_record("example.net", "cam-77", "cam-77.example.net", NAT);
    core_reconcile_orphan(rig.core, rig.now, &record);
    core_flush(rig.core, rig.now);
    const struct store_want *want = rig_batch_want(&rig, "cam-77.example.net");
    assert_true(want->want_null);
    assert_string_equal(want->device, "cam-77"); /* the store lets nobody else */
}

static void a_row_read_too_long_ago_is_not_written(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    report(2, NAT2); /* comes and goes while the sweep pages on */
    rig_settle_all(&rig);
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_AGAIN);
    record.want_null = true;
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_AGAIN);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    record = rig_record("example.net", CAM, NAME, NAT2);
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_OK);
    assert_true(rig_wants(&rig, NAME, NAT2));
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_EXISTS);
}

/* The store was read before the report that is on its way. */
static void a_reconcile_writes_nothing_twice(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    struct store_record row = rig_record("example.net", CAM, NAME, NAT);
    report(2, NAT2);
    size_t changes = rig.changes_len;
    core_reconcile(rig.core, rig.now, 0, &row, 1); /* the want is dirty */
    rig_commit(&rig, ERR_OK);
    core_reconcile(rig.core, rig.now, 0, &row, 1); /* with the engine */
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    core_reconcile(rig.core, rig.now, 0, &row, 1); /* served, and not in the store yet */
    rig_commit_all(&rig);
    assert_int_equal(rig.changes_len, changes);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    row = rig_record("example.net", CAM, NAME, NAT2);
    core_reconcile(rig.core, rig.now, 0, &row, 1);
    assert_int_equal(rig.changes_len, changes);
}

/* The registry that is compared with gives the record another TTL. */
static void a_reconcile_corrects_what_is_on_its_way(void **state)
{
    (void)state;
    begin(NULL, DAMPED, NULL);
    report(1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_reload(&rig, &(struct rig_config){.groups = DAMPED "        ttl: 90\n"});
    core_reconcile(rig.core, rig.now, 0, NULL, 0); /* read before the first commit */
    core_flush(rig.core, rig.now);
    assert_int_equal(rig_batch_want(&rig, NAME)->ttl, 90);
    rig_settle_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

/* A row that says "tombstone" was read, then the device returned and the server refused its record. */
static void an_old_tombstone_takes_nothing_from_a_device_that_returned(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    struct store_record row = rig_record("example.net", CAM, NAME, NAT);
    row.want_null = true;
    row.want = (struct rrset_value){0};
    report(2, NAT2);
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "refused");
    rig_commit_all(&rig);
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, false), ERR_AGAIN);
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, true), ERR_AGAIN);
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    row = rig_record("example.net", CAM, NAME, NAT); /* an older value: what the entry wants goes out */
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, false), ERR_OK);
    core_flush(rig.core, rig.now);
    assert_false(rig_batch_want(&rig, NAME)->want_null);
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, NAME, NAT2));
}

/* The other way round: an operator adopts what the registry has given up since. */
static void a_tombstone_is_not_deleted_past_the_guard(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_settle_all(&rig);
    struct store_record row = rig_record("example.net", CAM, NAME, NAT);
    rig_reload(&rig, &(struct rig_config){.devices = NOBODY});
    core_reconcile(rig.core, rig.now, 0, &row, 1);
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, true), ERR_AGAIN);
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, true), ERR_AGAIN); /* at rest, too */
}

static void adopting_a_held_record_ends_its_hold(void **state)
{
    (void)state;
    begin(NULL, DAMPED, NULL);
    uint32_t seq = 1;
    while (rig_stats(&rig).records_held == 0) {
        assert_true(seq < 20);
        report(seq, seq % 2 == 0 ? NAT : NAT2);
        rig_settle_all(&rig);
        seq++;
    }
    struct store_record row = rig_record("example.net", CAM, NAME, NAT);
    assert_int_equal(core_rewrite(rig.core, rig.now, &row, true), ERR_OK);
    assert_int_equal(rig_stats(&rig).records_held, 0);
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_settle_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

static void a_refused_record_is_tried_again_by_the_sweep(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    report(1, NAT);
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "refused");
    rig_commit_all(&rig);
    struct store_record record = rig_record("example.net", CAM, NAME, NAT);
    assert_int_equal(core_rewrite(rig.core, rig.now, &record, false), ERR_OK);
    assert_int_equal(rig_stats(&rig).records_refused, 0);
    rig_settle_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

static void a_change_the_engine_did_not_take_is_offered_again(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    rig.submit_err = ERR_NOMEM;
    report(1, NAT);
    rig_commit_all(&rig);
    rig.submit_err = ERR_OK;
    rig_pass(&rig, 2000);
    assert_true(rig_wants(&rig, NAME, NAT));
    rig_settle_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

static void what_was_pending_at_the_end_is_resumed(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    const struct store_device stored = {
        .id = CAM, .boot = 1, .seq = 1, .observed = rig_ip(NAT2), .ip4 = rig_value(NAT2)};
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    struct store_record record = rig_record("example.net", CAM, NAME, NAT2);
    record.have = rig_value(NAT);
    record.want_rev = 60;
    assert_int_equal(core_load_pending(rig.core, rig.now, &record), ERR_OK);
    assert_int_equal(rig_change(&rig, NAME, RRTYPE_A)->change.rev, 60);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig_batch_have(&rig, NAME)->have_rev, 60);
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

static void an_absent_family_stays_and_a_null_one_goes(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    rig_state(&rig,
              &(struct rig_state){.id = CAM, .boot = 1, .seq = 1, .observed = NAT, .ip6 = "2a00:1450:4001:81b::200e"});
    rig_settle_all(&rig);
    report(2, NAT);
    rig_settle_all(&rig);
    assert_string_equal(rig_ack_name(&rig, NAME, "AAAA")->value, "2a00:1450:4001:81b::200e");
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 1, .seq = 3, .observed = NAT, .ip6 = "null"});
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_AAAA);
    assert_true(change != NULL && change->change.want.len == 0);
    assert_false(rig_batch_want(&rig, NAME)->want_null); /* withdrawn, not given up */
    rig_commit_all(&rig);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_AAAA), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig_ack_name(&rig, NAME, "AAAA")->state, NAME_GONE);
}

static void a_gateways_prefix_renumbers_its_hosts(void **state)
{
    (void)state;
    begin(NULL,
          "  - name: cameras\n    gateway: true\n    names:\n      - name: \"{host}.{id}.example.net\"\n        hosts: "
          "true\n",
          "devices:\n  - id: cam-1\n    group: cameras\n    hosts:\n      - {name: nvr, suffix: \"::10\"}\n"
          "      - {name: door, suffix: \"::11\"}\n");
    rig_state(&rig,
              &(struct rig_state){.id = CAM, .boot = 1, .seq = 1, .observed = NAT, .prefix6 = "2a00:1450:1:2::/64"});
    struct ip nvr = rig_ip("2a00:1450:1:2::10");
    assert_true(ip_equal(&rig_change(&rig, "nvr.cam-1.example.net", RRTYPE_AAAA)->change.want.ips[0], &nvr));
    rig_settle_all(&rig);
    rig_state(&rig,
              &(struct rig_state){.id = CAM, .boot = 1, .seq = 2, .observed = NAT, .prefix6 = "2a00:1450:9:9::/64"});
    struct ip door = rig_ip("2a00:1450:9:9::11");
    assert_true(ip_equal(&rig_change(&rig, "door.cam-1.example.net", RRTYPE_AAAA)->change.want.ips[0], &door));
    assert_non_null(rig_change(&rig, "nvr.cam-1.example.net", RRTYPE_AAAA));
}

static void gateway_says(uint32_t seq, const char *prefix)
{
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 1, .seq = seq, .observed = NAT, .prefix6 = prefix});
}

#define NVR  "nvr.cam-1.example.net"
#define DOOR "door.cam-1.example.net"

#define GATEWAY                                                                                                        \
    "  - name: cameras\n    gateway: true\n    damping: false\n    names:\n"                                           \
    "      - name: \"{host}.{id}.example.net\"\n        hosts: true\n"
#define GATEWAY_DEVICES(suffix)                                                                                        \
    "devices:\n  - id: cam-1\n    group: cameras\n    hosts:\n      - {name: nvr, suffix: \"" suffix "\"}\n"

static void a_prefix_that_is_not_public_is_not_published(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"fe80::/64", "fd00:1::/64", "::/0", "2001:db8:1::/64", "ff02::/64"};
    begin(NULL, GATEWAY, GATEWAY_DEVICES("::10"));
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        gateway_says(1 + (uint32_t)i, prefixes[i]);
        rig_commit_all(&rig);
        assert_null(rig_change(&rig, NVR, RRTYPE_AAAA));
        assert_true((device_at(core_devices(rig.core), 0)->flags & DEVICE_NOT_PUBLIC) != 0);
    }
    gateway_says(9, "2a00:1450:1:2::/64");
    struct rrset_value nvr = rig_value("2a00:1450:1:2::10");
    assert_true(rrset_value_equal(&rig_change(&rig, NVR, RRTYPE_AAAA)->change.want, &nvr));
    rig_settle_all(&rig);
    gateway_says(10, "fe80::/64"); /* as with an address: what was good before stays */
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NVR, RRTYPE_AAAA));
}

/* The prefix may be published, and a host in it may not. */
static void a_host_that_is_not_public_is_not_published(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.groups = GATEWAY,
                                         .devices = GATEWAY_DEVICES("::1:0:0:10"),
                                         .more = "policy:\n  treat_as_public: [\"fd00:1::/96\"]\n"});
    gateway_says(1, "fd00:1::/64");
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NVR, RRTYPE_AAAA));
}

/* A provider that hands out a longer prefix than the plan needs: the hosts that have room go on. */
static void a_host_without_room_keeps_nobody_from_their_address(void **state)
{
    (void)state;
    begin(NULL, GATEWAY,
          "devices:\n  - id: cam-1\n    group: cameras\n    hosts:\n      - {name: nvr, suffix: \"::10\"}\n"
          "      - {name: door, mac: 34-56-78-9A-BC-DE, subnet: 2}\n");
    gateway_says(1, "2a00:1450:1::/48");
    struct rrset_value nvr = rig_value("2a00:1450:1::10");
    struct rrset_value door = rig_value("2a00:1450:1:2:3656:78ff:fe9a:bcde");
    assert_true(rrset_value_equal(&rig_change(&rig, NVR, RRTYPE_AAAA)->change.want, &nvr));
    assert_true(rrset_value_equal(&rig_change(&rig, DOOR, RRTYPE_AAAA)->change.want, &door));
    rig_settle_all(&rig);
    gateway_says(2, "2a00:1450:2::/64");
    nvr = rig_value("2a00:1450:2::10");
    assert_true(rrset_value_equal(&rig_change(&rig, NVR, RRTYPE_AAAA)->change.want, &nvr));
    assert_int_equal(rig_change(&rig, DOOR, RRTYPE_AAAA)->change.want.len, 0);
    assert_int_equal(device_at(core_devices(rig.core), 0)->flags & DEVICE_NOT_PUBLIC, 0);
}

static void a_prefix_that_is_gone_takes_its_hosts_along(void **state)
{
    (void)state;
    begin(NULL, GATEWAY, GATEWAY_DEVICES("::10"));
    gateway_says(1, "2a00:1450:1:2::/64");
    rig_settle_all(&rig);
    gateway_says(2, NULL); /* unknown: records stay */
    assert_null(rig_change(&rig, NVR, RRTYPE_AAAA));
    rig_settle_all(&rig);
    gateway_says(3, "null");
    struct rig_change *change = rig_change(&rig, NVR, RRTYPE_AAAA);
    assert_true(change != NULL && change->change.want.len == 0);
}

static void a_crowd_behind_one_address_is_not_published(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    char id[DEVICE_ID_MAX + 1];
    for (int i = 1; i <= 51; i++) {
        (void)snprintf(id, sizeof(id), "cam-%d", i); /* fits */
        rig_report(&rig, id, 1, NAT);
        rig_settle_all(&rig);
    }
    assert_null(rig_change(&rig, "cam-51.example.net", RRTYPE_A));
    assert_string_equal(rig.ack.error, "address-shared");
    rig_report(&rig, "cam-1", 2, NAT2); /* one leaves */
    rig_settle_all(&rig);
    rig_state(&rig,
              &(struct rig_state){.id = "cam-51", .boot = 1, .conn = 1, .seq = 1, .observed = NAT, .why = "heartbeat"});
    assert_true(rig_wants(&rig, "cam-51.example.net", NAT));
}

#define NEW_CAMERA "devices:\n  - id: new\n    group: cameras\n  - id: other\n    group: cameras\n"

static void a_crowd_that_was_removed_is_none(void **state)
{
    (void)state;
    begin(NULL, NULL, NULL);
    char id[DEVICE_ID_MAX + 1];
    for (int i = 1; i <= 50; i++) {
        (void)snprintf(id, sizeof(id), "cam-%d", i); /* fits */
        rig_report(&rig, id, 1, NAT);
        rig_settle_all(&rig);
    }
    (void)rig_reload(&rig, &(struct rig_config){.devices = NEW_CAMERA});
    rig_report(&rig, "new", 1, NAT);
    rig_commit_all(&rig); /* after a reload the store is asked first */
    assert_true(rig_wants(&rig, "new.example.net", NAT));
    rig_settle_all(&rig);
    assert_true(rig_reload(&rig, &(struct rig_config){0})); /* they come back, and count again */
    rig_report(&rig, "cam-51", 1, NAT);
    assert_null(rig_change(&rig, "cam-51.example.net", RRTYPE_A));
}

static void a_removed_device_of_the_store_does_not_count(void **state)
{
    (void)state;
    begin(NULL, NULL, NEW_CAMERA);
    char id[DEVICE_ID_MAX + 1];
    for (int i = 1; i <= 50; i++) {
        (void)snprintf(id, sizeof(id), "cam-%d", i); /* fits */
        const struct store_device stored = {.id = id, .boot = 1, .seq = 1, .observed = rig_ip(NAT)};
        assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    }
    rig_report(&rig, "new", 1, NAT);
    assert_true(rig_wants(&rig, "new.example.net", NAT));
}

#define TWO_GROUPS                                                                                                     \
    "  - name: cameras\n    publish: observed\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n"   \
    "        types: [A]\n"                                                                                             \
    "  - name: trusted\n    publish: reported\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n"   \
    "        types: [A]\n"

static void a_device_moved_to_a_group_with_another_policy_is_judged_anew(void **state)
{
    (void)state;
    static const struct rig_config before = {.groups = TWO_GROUPS,
                                             .devices = "devices:\n  - id: cam-1\n    group: cameras\n"};
    static const struct rig_config after = {.groups = TWO_GROUPS,
                                            .devices = "devices:\n  - id: cam-1\n    group: trusted\n"};
    const struct rig_state says = {
        .id = CAM, .boot = 1, .conn = 1, .seq = 1, .ip4 = NAT2, .observed = NAT, .retained = true};
    rig_start(&rig, &before);
    rig_state(&rig, &says);
    assert_true(rig_wants(&rig, NAME, NAT));
    rig_settle_all(&rig);
    assert_false(rig_reload(&rig, &before));
    rig_state(&rig, &says);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_true(rig_reload(&rig, &after));
    rig_state(&rig, &says); /* replayed */
    rig_commit_all(&rig);   /* after a reload the store is asked first */
    assert_true(rig_wants(&rig, NAME, NAT2));
}

static void an_ack_too_long_is_cut_and_blocks_nobody(void **state)
{
    (void)state;
    static char devices[16384];
    const char *groups =
        "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"
        "  - name: long\n    damping: false\n    gateway: true\n    names:\n      - name: "
        "\"{host}.{id}.building-twelve-second-floor.frankfurt-am-main.department-of-surveillance-cameras.customer-with-"
        "a-long-name-gmbh.example.net\"\n        types: [AAAA]\n        hosts: true\n";
    size_t n = (size_t)snprintf(devices, sizeof(devices), "devices:\n  - id: big\n    group: long\n    hosts:\n");
    for (int i = 0; i < 40; i++) {
        n += (size_t)snprintf(devices + n, sizeof(devices) - n, "      - name: camera-%02d\n        suffix: \"::%d\"\n",
                              i, 10 + i);
    }
    (void)snprintf(devices + n, sizeof(devices) - n, "  - match: \"cam-*\"\n    group: cameras\n");
    begin(NULL, groups, devices);
    rig_state(&rig, &(struct rig_state){.id = "big",
                                        .boot = 1,
                                        .conn = 1,
                                        .seq = 1,
                                        .ip4 = "93.184.216.40",
                                        .ip6 = "2606:2800:220:1111:2222:3333:4444:5555",
                                        .prefix6 = "2606:2800:220:1111::/64",
                                        .observed = "93.184.216.40"});
    rig_settle_all(&rig);
    rig_pass(&rig, 5000);
    for (uint32_t i = 0; i < 3; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "cam-%u", i);
        rig_state(&rig, &(struct rig_state){.id = id, .boot = 1, .conn = 1, .seq = 1, .observed = NAT});
    }
    rig_settle_all(&rig);
    rig_pass(&rig, 30000);
    assert_true(rig.acks >= 3);
}

static void a_stored_device_is_not_believed_without_its_stamp(void **state)
{
    (void)state;
    begin(NULL,
          "  - name: cameras\n    damping: false\n    publish: reported\n    names:\n      - name: "
          "\"{id}.example.net\"\n        types: [A]\n",
          NULL);
    struct store_device stored = {.id = CAM,
                                  .shard = topic_shard(view_of(CAM)),
                                  .boot = 1,
                                  .conn = 1,
                                  .seq = 1,
                                  .observed = rig_ip(NAT),
                                  .ip4 = rig_value(NAT)};
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    char topic[TOPIC_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_STATE, view_of(CAM), topic), ERR_OK);
    const char *body = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":1,\"seq\":9,\"ts\":0,\"tsq\":\"none\",\"ip4\":\"93."
                       "184.216.77\",\"src\":\"interface\",\"why\":\"change\",\"agent\":\"1\"}";
    const struct core_message message = {
        .topic = view_of(topic),
        .payload = view_of(body),
        .observed = view_of(NAT " 0000000000000000000000000000000000000000000000000000000000000000"),
        .received_ms = rig.now.mono_ms};
    core_message(rig.core, rig.now, &message);
    core_flush(rig.core, rig.now);
    assert_false(rig_wants(&rig, NAME, "93.184.216.77"));
    assert_int_equal(rig_stats(&rig).bad_stamp, 1);
}

static void a_refused_claim_does_not_silence_the_owner(void **state)
{
    (void)state;
    begin(NULL,
          "  - name: a\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n  - "
          "name: b\n    damping: false\n    names:\n      - name: \"cam-{id}.example.net\"\n        types: [A]\n",
          "devices:\n  - match: \"cam-*\"\n    group: a\n  - match: \"d*\"\n    group: b\n");
    rig_report(&rig, "cam-d1", 1, NAT);
    rig_settle_all(&rig);
    rig_settle_all(&rig);
    rig_report(&rig, "d1", 1, NAT2);
    struct store_want *want = rig_batch_want(&rig, "cam-d1.example.net");
    assert_non_null(want);
    want->taken = true;
    rig_commit_all(&rig);
    rig_report(&rig, "cam-d1", 2, "93.184.216.99");
    rig_commit_all(&rig);
    rig_pass(&rig, 5000);
    rig_commit_all(&rig);
    assert_true(rig_wants(&rig, "cam-d1.example.net", "93.184.216.99"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_flapping_device_is_held_with_its_newest_value),
        TEST(a_held_value_in_a_shared_zone_asks_the_store_first),
        TEST(a_held_record_can_be_given_up),
        TEST(a_shared_zone_waits_for_what_was_written_last),
        TEST(a_shared_zone_gets_the_newest_value_only),
        TEST(a_taken_name_is_refused),
        TEST(a_name_moves_to_another_device),
        TEST(a_name_moves_whoever_is_looked_at_first),
        TEST(a_tombstone_outlives_a_value_under_way),
        TEST(a_tombstone_outlives_a_refusal_under_way),
        TEST(a_device_that_returns_is_wanted_again),
        TEST(an_orphan_is_given_up_by_its_owner),
        TEST(a_row_read_too_long_ago_is_not_written),
        TEST(a_refused_claim_does_not_silence_the_owner),
        TEST(a_crowd_that_was_removed_is_none),
        TEST(a_removed_device_of_the_store_does_not_count),
        TEST(a_device_moved_to_a_group_with_another_policy_is_judged_anew),
        TEST(an_ack_too_long_is_cut_and_blocks_nobody),
        TEST(a_stored_device_is_not_believed_without_its_stamp),
        TEST(a_reconcile_writes_nothing_twice),
        TEST(a_reconcile_corrects_what_is_on_its_way),
        TEST(an_old_tombstone_takes_nothing_from_a_device_that_returned),
        TEST(a_tombstone_is_not_deleted_past_the_guard),
        TEST(adopting_a_held_record_ends_its_hold),
        TEST(a_refused_record_is_tried_again_by_the_sweep),
        TEST(a_change_the_engine_did_not_take_is_offered_again),
        TEST(what_was_pending_at_the_end_is_resumed),
        TEST(an_absent_family_stays_and_a_null_one_goes),
        TEST(a_gateways_prefix_renumbers_its_hosts),
        TEST(a_prefix_that_is_not_public_is_not_published),
        TEST(a_host_that_is_not_public_is_not_published),
        TEST(a_host_without_room_keeps_nobody_from_their_address),
        TEST(a_prefix_that_is_gone_takes_its_hosts_along),
        TEST(a_crowd_behind_one_address_is_not_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
