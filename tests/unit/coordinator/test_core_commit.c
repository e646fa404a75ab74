/* SPDX-License-Identifier: Apache-2.0 */
/* What one group commit holds: a device and all that follows from its state stand in the same transaction, so that no
 * crash leaves one without the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mqtt/topics.h"
#include "tests/lib/core_rig.h"

#define CAM  "cam-1"
#define NAME "cam-1.example.net"
#define NAT  "93.184.216.34"
#define NAT2 "93.184.216.35"
#define IP6  "2a00:1450:4001:81b::200e"
#define IP6B "2a00:1450:4001:81b::200f"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){0});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void report(const char *id, uint32_t seq, const char *observed, const char *ip6)
{
    rig_state(&rig,
              &(struct rig_state){.id = id, .boot = 1, .conn = seq, .seq = seq, .observed = observed, .ip6 = ip6});
}

static void report_many(int count, uint32_t seq, int net, const char *ip6)
{
    for (int i = 0; i < count; i++) {
        char id[DEVICE_ID_MAX + 1];
        char nat[IP_TEXT_SIZE];
        (void)snprintf(id, sizeof(id), "cam-x%d", i);                           /* fits */
        (void)snprintf(nat, sizeof(nat), "93.%d.%d.%d", net, i / 200, i % 200); /* fits */
        report(id, seq, nat, ip6);
    }
}

static bool has_row(const char *id)
{
    for (size_t i = 0; i < rig.batch->devices_len; i++) {
        if (strcmp(rig.batch->devices[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Commits until all rests. Every want of a device that reported stands beside the row of that device, and the row
 * beside as many wants as the device has. */
static void commit_whole(size_t wants_each, size_t *ret_wants, size_t *ret_devices)
{
    *ret_wants = *ret_devices = 0;
    for (int i = 0; i < 50; i++) {
        if (rig.batch == NULL) {
            rig_pass(&rig, 200);
            continue;
        }
        for (size_t k = 0; k < rig.batch->wants_len; k += rig.batch->wants_len / 64 + 1) {
            if (!has_row(rig.batch->wants[k].device)) {
                fail_msg("%s is wanted without the row of %s", rig.batch->wants[k].name, rig.batch->wants[k].device);
            }
        }
        assert_true(rig.batch->wants_len >= rig.batch->devices_len * wants_each || rig.batch->wants_len == 0);
        *ret_wants += rig.batch->wants_len;
        *ret_devices += rig.batch->devices_len;
        rig_commit(&rig, ERR_OK);
    }
}

/* A device that waits for a later batch holds up no other one's row. */
static void a_device_whose_want_comes_late_stops_no_other(void **state)
{
    (void)state;
    report("cam-head", 1, NAT, NULL);
    rig_settle_all(&rig);
    report(CAM, 1, NAT, NULL); /* its commit runs on */
    report("cam-head", 2, NAT, NULL);
    report_many(4200, 1, 200, NULL);
    report("cam-head", 3, NAT2, NULL);
    rig_commit(&rig, ERR_OK);
    assert_non_null(rig.batch);
    assert_true(rig.batch->wants_len > 4000);
    assert_int_equal(rig.batch->devices_len, rig.batch->wants_len);
    assert_false(has_row("cam-head"));
    size_t wants, devices;
    commit_whole(1, &wants, &devices);
    assert_int_equal(wants, 4201);
    assert_int_equal(devices, 4201);
}

static void a_device_is_never_cut_by_a_full_batch(void **state)
{
    (void)state;
    report(CAM, 1, NAT, NULL); /* its commit runs on */
    report("cam-odd", 1, NAT2, NULL);
    report_many(4200, 1, 200, IP6); /* with one record in front, an even limit falls between the two of a device */
    rig_commit(&rig, ERR_OK);
    size_t wants, devices;
    commit_whole(1, &wants, &devices);
    assert_int_equal(wants, 8401);
    assert_int_equal(devices, 4201);
}

/* An outcome puts one record of a device early into the list, the other one comes late. */
static void records_that_stand_far_apart_are_committed_together(void **state)
{
    (void)state;
    report_many(4200, 1, 200, IP6);
    rig_settle_all(&rig);
    report_many(4200, 2, 201, IP6); /* the first of them is being committed */
    for (size_t i = 0; i < rig.changes_len; i++) {
        if (!rig.changes[i].settled && rig.changes[i].change.type == RRTYPE_A) {
            rig_settle(&rig, &rig.changes[i], OUTCOME_APPLIED, NULL);
        }
    }
    report_many(4200, 3, 202, IP6B);
    rig_commit(&rig, ERR_OK);
    size_t wants, devices;
    commit_whole(2, &wants, &devices);
    assert_int_equal(wants, 8400);
    assert_int_equal(devices, 4200);
}

static struct store_device stored_device(void)
{
    return (struct store_device){
        .id = CAM, .boot = 1, .conn = 1, .seq = 1, .content_hash = 99, .observed = rig_ip(NAT), .ip4 = rig_value(NAT)};
}

static struct store_record pending_record(const char *address)
{
    return (struct store_record){.zone = "example.net",
                                 .name = NAME,
                                 .type = RRTYPE_A,
                                 .device = CAM,
                                 .ttl = 300,
                                 .want = rig_value(address),
                                 .want_rev = 50,
                                 .error = ""};
}

static const char *submitted(void)
{
    static char text[IP_TEXT_SIZE];
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    text[0] = '\0';
    if (change != NULL && change->change.want.len == 1) {
        (void)ip_format(&change->change.want.ips[0], text); /* length not needed */
    }
    return text;
}

/* A record without the state it followed from: a restored file, or one written before both went together. */
static void a_pending_record_beside_another_address_is_planned_anew(void **state)
{
    static const struct {
        bool settled, state_first, repeated;
    } rows[] = {{false, false, false}, {true, false, false}, {false, true, false}, {false, false, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)(i == 0 ? 0 : (stop(state), start(state)));
        const struct store_device device = stored_device();
        const struct store_record record = pending_record(NAT2);
        assert_int_equal(core_load_device(rig.core, &device), ERR_OK);
        if (rows[i].state_first) {
            report(CAM, 3, NAT, NULL);
            assert_int_equal(core_load_pending(rig.core, rig.now, &record), ERR_OK);
            core_flush(rig.core, rig.now);
        } else {
            assert_int_equal(core_load_pending(rig.core, rig.now, &record), ERR_OK);
            if (rows[i].settled) {
                rig_settle_all(&rig);
                assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
            }
            rig.acks = 0; /* the outcome was told beside the stored pair */
            report(CAM, rows[i].repeated ? 1 : 3, NAT, NULL);
        }
        assert_string_equal(submitted(), NAT);
        rig_commit_all(&rig);
        assert_int_equal(rig.acks, 0); /* joined with the outcome */
        rig_settle_all(&rig);
        rig_pass(&rig, 300);
        assert_int_equal(rig.ack.ack_seq, rows[i].repeated ? 1 : 3);
        size_t changes = rig.changes_len;
        report(CAM, 4, NAT, NULL); /* once is enough */
        assert_int_equal(rig.changes_len, changes);
        rig_commit_all(&rig);
    }
}

static void a_pending_record_of_the_stored_address_is_sent_once(void **state)
{
    (void)state;
    const struct store_device device = stored_device();
    const struct store_record record = pending_record(NAT);
    assert_int_equal(core_load_device(rig.core, &device), ERR_OK);
    assert_int_equal(core_load_pending(rig.core, rig.now, &record), ERR_OK);
    report(CAM, 3, NAT, NULL);
    assert_int_equal(rig.changes_len, 1);
}

static enum err commit_to(struct store *store)
{
    struct errinfo info = {0};
    enum err err = store_sqlite.commit(store, rig.batch, &info);
    rig_commit(&rig, err);
    return err;
}

/* A zone that was written by rfc2136, which claims it, and is written by dyndns2 now, which cannot: after a restart. */
static void a_zone_that_cannot_be_fenced_any_more_settles(void **state)
{
    (void)state;
    char path[128];
    struct store *store;
    struct errinfo info = {0};
    uint64_t claimed;
    (void)snprintf(path, sizeof(path), "%s/store.db", rig.folder); /* fits */
    const struct store_options options = {.path = path};
    assert_int_equal(store_sqlite.open(&options, &store, &info), ERR_OK);
    assert_int_equal(store_sqlite.claim_zone(store, "example.net", 0, &claimed, &info), ERR_OK);
    rig.epoch = 0;
    report(CAM, 1, NAT, NULL);
    for (int i = 0; i < 20; i++) {
        while (rig.batch != NULL) {
            assert_int_equal(commit_to(store), ERR_OK);
        }
        struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
        if (change != NULL) {
            rig_settle(&rig, change, OUTCOME_APPLIED, NULL);
        }
        rig_pass(&rig, 1000);
    }
    store_sqlite.close(store);
    (void)unlink(path); /* else the rig's folder stays, and shows itself */
    assert_int_equal(rig.changes_len, 1);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).commit_failures, 0);
}

/* A new zone writer knows no epoch until its claim is answered; what it settles before does not lower ours. */
static void a_known_epoch_is_never_lowered(void **state)
{
    (void)state;
    core_zone_claimed(rig.core, 0, 5);
    rig.epoch = 0;
    report(CAM, 1, NAT, NULL);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "badauth");
    assert_int_equal(rig_batch_have(&rig, NAME)->epoch, 5);
    core_zone_claimed(rig.core, 0, 4); /* an answer that was overtaken */
    report(CAM, 2, NAT2, NULL);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "badauth");
    rig_commit(&rig, ERR_OK);
    assert_int_equal(rig_batch_have(&rig, NAME)->epoch, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_device_whose_want_comes_late_stops_no_other),
        TEST(a_device_is_never_cut_by_a_full_batch),
        TEST(records_that_stand_far_apart_are_committed_together),
        TEST(a_pending_record_beside_another_address_is_planned_anew),
        TEST(a_pending_record_of_the_stored_address_is_sent_once),
        TEST(a_zone_that_cannot_be_fenced_any_more_settles),
        TEST(a_known_epoch_is_never_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
