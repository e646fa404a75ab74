/* SPDX-License-Identifier: Apache-2.0 */
/* A storm is many records that move: then commits and acks yield to the DNS. Records that only wait for a server that
 * is away slow nobody down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"

#define CALM  "calm-1"
#define NAT   "93.184.216.34"
#define MANY  300
#define ZONES "  - name: example.net\n    account: dns\n"
#define BOTH  ZONES "  - name: other.net\n    account: dns\n"
#define ONE_GROUP                                                                                                      \
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"
#define ONE_DEVICE "devices:\n  - match: \"calm-*\"\n    group: cameras\n"
#define GROUPS                                                                                                         \
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"      \
    "  - name: others\n    damping: false\n    names:\n      - name: \"{id}.other.net\"\n        types: [A]\n"
#define DEVICES                                                                                                        \
    "devices:\n  - match: \"calm-*\"\n    group: cameras\n  - match: \"cam-*\"\n    group: cameras\n"                  \
    "  - match: \"far-*\"\n    group: others\n"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.zones = BOTH, .groups = GROUPS, .devices = DEVICES});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void report(const char *id, uint32_t seq, const char *observed)
{
    rig_state(&rig, &(struct rig_state){.id = id, .boot = 1, .conn = seq, .seq = seq, .observed = observed});
}

static void report_many(const char *prefix, uint32_t seq)
{
    for (int i = 0; i < MANY; i++) {
        char id[DEVICE_ID_MAX + 1], nat[IP_TEXT_SIZE];
        (void)snprintf(id, sizeof(id), "%s%d", prefix, i);                               /* fits */
        (void)snprintf(nat, sizeof(nat), "93.%d.%d.%d", (int)seq, i / 200, 1 + i % 200); /* fits */
        report(id, seq, nat);
    }
}

static void commits_end_quickly(uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 10) {
        while (rig.batch != NULL) {
            rig_commit(&rig, ERR_OK);
        }
        rig_pass(&rig, 10);
    }
}

static struct rig_change *open_change(const char *part)
{
    for (size_t i = 0; i < rig.changes_len; i++) {
        if (!rig.changes[i].settled && strstr(rig.changes[i].name, part) != NULL) {
            return &rig.changes[i];
        }
    }
    fail_msg("no change of %s is open", part);
    abort(); /* not reached; cmocka's header does not say so */
}

static bool calm_is_acked(uint32_t seq)
{
    return strcmp(rig.ack_device, CALM) == 0 && rig.ack.ack_seq == seq;
}

/* A device with nothing for the DNS reports while others wait: its ack comes with its commit, and that at once. */
static void expect_calm(uint32_t seq)
{
    report(CALM, seq, NAT);
    assert_non_null(rig.batch);
    commits_end_quickly(20);
    assert_true(calm_is_acked(seq));
}

static void calm_device_settled(void)
{
    report(CALM, 1, NAT);
    rig_settle_all(&rig);
    commits_end_quickly(500);
    assert_true(calm_is_acked(1));
}

static void a_dead_server_slows_no_ack(void **state)
{
    (void)state;
    calm_device_settled();
    report_many("cam-", 1);
    commits_end_quickly(2000);
    assert_int_equal(rig_stats(&rig).records_open, MANY);
    expect_calm(2);
    report_many("cam-", 2); /* goes on changing */
    commits_end_quickly(500);
    expect_calm(3);
}

static void a_dead_zone_beside_a_living_one_slows_no_ack(void **state)
{
    (void)state;
    calm_device_settled();
    report_many("far-", 1);
    for (uint32_t seq = 1; seq < 30; seq++) {
        report("cam-1", seq, seq % 2 == 0 ? "93.1.1.1" : "93.1.1.2");
        commits_end_quickly(100);
        rig_settle(&rig, open_change("cam-1"), OUTCOME_APPLIED, NULL);
    }
    expect_calm(2);
}

static void acks_and_commits_yield_while_records_move(void **state)
{
    (void)state;
    calm_device_settled();
    report_many("cam-", 1);
    commits_end_quickly(100);
    report(CALM, 2, NAT);
    assert_null(rig.batch); /* gathers */
    size_t acks = rig.acks;
    for (int i = 0; i < 20; i++) {
        commits_end_quickly(350);
        assert_int_equal(rig.acks, acks);
        rig_settle(&rig, open_change("cam-"), OUTCOME_APPLIED, NULL);
    }
    assert_true(rig_stats(&rig).records_open > 256);
    commits_end_quickly(1500); /* past the longest yield */
    assert_int_equal(rig.acks, acks + MANY + 1);
}

/* A server that comes back after an outage: what it serves then is a storm again. */
static void a_server_that_answers_again_has_its_storm(void **state)
{
    (void)state;
    calm_device_settled();
    report_many("cam-", 1);
    commits_end_quickly(2000);
    rig_settle(&rig, open_change("cam-"), OUTCOME_APPLIED, NULL);
    rig_commit_all(&rig);
    size_t acks = rig.acks;
    report(CALM, 2, NAT);
    commits_end_quickly(900);
    assert_int_equal(rig.acks, acks);
    rig_settle_all(&rig);
    commits_end_quickly(100);
    assert_true(rig.acks > acks + MANY);
}

static void reload(bool both)
{
    (void)rig_reload(&rig, &(struct rig_config){.zones = both ? BOTH : ZONES,
                                                .groups = both ? GROUPS : ONE_GROUP,
                                                .devices = both ? DEVICES : ONE_DEVICE}); /* nothing is replayed */
    core_resubmit(rig.core, rig.now);
}

static size_t entries(const char *zone)
{
    size_t found = 0;
    for (int i = 0; i < MANY; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "far-%d.%s", i, zone); /* fits */
        found += core_outbox_find(rig.core, view_of(name), RRTYPE_A) != NULL;
    }
    return found;
}

static void a_removed_zone_leaves_nothing_open(void **state)
{
    (void)state;
    calm_device_settled();
    report_many("far-", 1);
    assert_non_null(rig.batch); /* of the first device; those of the others wait */
    rig_settle(&rig, open_change("far-299"), OUTCOME_REFUSED, "badauth");
    assert_int_equal(rig_stats(&rig).records_open, MANY - 1);
    reload(false);
    assert_int_equal(rig_stats(&rig).records_open, 0);
    assert_int_equal(rig_stats(&rig).records_refused, 0);
    assert_int_equal(entries("other.net"), 1); /* under commit */
    rig_commit_all(&rig);
    assert_int_equal(entries("other.net"), 0);
    assert_true(core_is_durable(rig.core));
    expect_calm(2);
}

static void a_zone_that_comes_back_is_sent_what_was_pending(void **state)
{
    (void)state;
    report_many("far-", 1);
    rig_commit_all(&rig);
    reload(false);
    rig_pass(&rig, 10);
    assert_int_equal(entries("other.net"), 0);
    size_t changes = rig.changes_len;
    reload(true);
    const struct store_record record = {.zone = "other.net",
                                        .name = "far-0.other.net",
                                        .type = RRTYPE_A,
                                        .device = "far-0",
                                        .ttl = open_change("far-0")->change.ttl,
                                        .want = open_change("far-0")->change.want,
                                        .want_rev = 50,
                                        .error = ""};
    for (int i = 0; i < 2; i++) { /* once is enough */
        core_reconcile(rig.core, rig.now, device_find(core_devices(rig.core), VIEW_LITERAL("far-0")), &record, 1);
        assert_int_equal(rig.changes_len, changes + 1);
    }
    assert_string_equal(rig.changes[changes].name, "far-0.other.net");
    rig_settle_all(&rig);
    assert_int_equal(entries("other.net"), 0);
    assert_int_equal(rig_stats(&rig).records_open, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_dead_server_slows_no_ack),
        TEST(a_dead_zone_beside_a_living_one_slows_no_ack),
        TEST(acks_and_commits_yield_while_records_move),
        TEST(a_server_that_answers_again_has_its_storm),
        TEST(a_removed_zone_leaves_nothing_open),
        TEST(a_zone_that_comes_back_is_sent_what_was_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
