/* SPDX-License-Identifier: Apache-2.0 */
/* What is acknowledged when, and what a device may and may not cause. */
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

static void report(uint32_t boot, uint32_t seq, const char *observed)
{
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = boot, .conn = 1, .seq = seq, .observed = observed});
}

static void repeat(uint32_t boot, uint32_t seq, const char *observed)
{
    rig_state(&rig, &(struct rig_state){
                        .id = CAM, .boot = boot, .conn = 1, .seq = seq, .observed = observed, .why = "repeat"});
}

static void settled(uint32_t boot, uint32_t seq, const char *observed)
{
    report(boot, seq, observed);
    rig_settle_all(&rig);
    rig_pass(&rig, 2000);
}

static void the_ack_waits_for_the_commit(void **state)
{
    (void)state;
    report(1, 1, NAT);
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    assert_non_null(change); /* the DNS may hear of it before the store has answered */
    rig_settle(&rig, change, OUTCOME_APPLIED, NULL);
    rig_pass(&rig, 1000);
    assert_int_equal(rig.acks, 0);
    rig_commit(&rig, ERR_OK);
    assert_int_equal(rig.acks, 1);
    assert_true(rig.ack.has_ack && rig.ack.ack_boot == 1 && rig.ack.ack_seq == 1);
    assert_string_equal(rig.ack.term, RIG_TERM);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_APPLIED);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, NAT);
    assert_true(rig.ack_retained);
}

static void an_outcome_within_the_join_travels_in_the_ack(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_pass(&rig, 200);
    assert_int_equal(rig.acks, 0);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig.acks, 1);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_APPLIED);
    rig_commit_all(&rig);
    rig_pass(&rig, 1000);
    assert_int_equal(rig.acks, 1);
}

static void a_later_outcome_updates_the_names(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_pass(&rig, 249);
    assert_int_equal(rig.acks, 0);
    rig_pass(&rig, 2);
    assert_int_equal(rig.acks, 1);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_PENDING);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_RETRY, "timeout");
    assert_int_equal(rig.acks, 1);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig.acks, 2);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_APPLIED);
    assert_int_equal(rig.ack.ack_seq, 1);
}

/* Codes of dyndns2 begin so; an answer that cannot be encoded would leave the device unacknowledged for ever. */
static void a_refusal_with_an_exclamation_mark_is_told(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "!yours");
    assert_int_equal(rig.acks, 1);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->error, "!yours");
}

static void a_refusal_is_told_and_kept(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_REFUSED, "foreign");
    assert_int_equal(rig.acks, 1);
    assert_int_equal(rig_ack_name(&rig, NAME, "A")->state, NAME_REFUSED);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->error, "foreign");
    const struct store_have *have = rig_batch_have(&rig, NAME);
    assert_true(have != NULL && !have->applied && !have->forget);
    rig_commit_all(&rig);
    assert_non_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).records_refused, 1);
    report(1, 2, NAT2);
    rig_settle_all(&rig);
    assert_int_equal(rig_stats(&rig).records_refused, 0);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

/* The first report is durable, the second one waits for a slow disk: nothing may name its seq. */
static void the_join_never_acks_a_newer_pair(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    report(1, 2, NAT2); /* its commit runs on */
    rig_pass(&rig, 5000);
    assert_int_equal(rig.acks, 0);
    rig_commit(&rig, ERR_OK);
    rig_pass(&rig, 300);
    assert_int_equal(rig.acks, 1);
    assert_int_equal(rig.ack.ack_seq, 2);
}

static void a_full_session_never_acks_a_newer_pair(void **state)
{
    (void)state;
    rig.publish_err = ERR_LIMIT;
    report(1, 1, NAT);
    rig_settle_all(&rig);
    report(1, 2, NAT2);
    rig.publish_err = ERR_OK;
    rig_pass(&rig, 5000);
    assert_int_equal(rig.acks, 0);
    rig_settle_all(&rig);
    rig_pass(&rig, 300);
    assert_true(rig.acks > 0 && rig.ack.ack_seq == 2);
}

static void a_lower_pair_never_acks_what_is_not_durable(void **state)
{
    (void)state;
    settled(3, 1, NAT);
    size_t before = rig.acks;
    report(3, 9, NAT2);
    rig_pass(&rig, 20000);
    report(3, 8, NAT2); /* a duplicate from the network, overtaken */
    assert_int_equal(rig.acks, before);
}

static void a_lower_pair_is_answered_with_the_stored_one(void **state)
{
    (void)state;
    settled(7, 3, NAT);
    size_t before = rig.acks;
    rig_pass(&rig, 60000);
    report(1, 1, NAT2);
    assert_int_equal(rig.acks, before + 1);
    assert_true(rig.ack.ack_boot == 7 && rig.ack.ack_seq == 3);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    for (int i = 0; i < 5; i++) {
        report(1, 1, NAT2); /* at most one in ten seconds */
        rig_pass(&rig, 1000);
    }
    assert_int_equal(rig.acks, before + 1);
    rig_pass(&rig, 6000);
    report(1, 1, NAT2);
    assert_int_equal(rig.acks, before + 2);
    report(8, 1, NAT2); /* as the device then does */
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A));
}

static void a_larger_boot_is_always_taken(void **state)
{
    (void)state;
    settled(7, 4000000000u, NAT);
    report(8, 1, NAT2);
    rig_settle_all(&rig);
    assert_int_equal(rig.ack.ack_boot, 8);
    report(UINT32_MAX, 1, NAT);
    rig_settle_all(&rig);
    assert_true(rig.ack.ack_boot == UINT32_MAX);
}

static void a_pair_that_nobody_can_rise_above_can_be_forgotten(void **state)
{
    (void)state;
    settled(UINT32_MAX, UINT32_MAX, NAT);
    rig_pass(&rig, 60000);
    report(1, 1, NAT2);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    uint32_t index = device_find(core_devices(rig.core), view_of(CAM));
    assert_int_equal(core_forget_pair(rig.core, rig.now, index), ERR_OK);
    assert_true(rig.batch != NULL && rig.batch->devices_len == 1 && rig.batch->devices[0].boot == 0 &&
                rig.batch->devices[0].seq == 0 &&
                rrset_value_equal(&rig.batch->devices[0].ip4, &(struct rrset_value[]){rig_value(NAT)}[0]));
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A)); /* the record stays */
    report(1, 1, NAT2);
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_settle_all(&rig);
    rig_pass(&rig, 1000);
    assert_true(rig.ack.ack_boot == 1 && rig.ack.ack_seq == 1);
    rig_state(&rig, &(struct rig_state){.id = "toaster", .boot = 1, .seq = 1, .observed = NAT});
    index = device_find(core_devices(rig.core), view_of("toaster"));
    assert_int_equal(core_forget_pair(rig.core, rig.now, index), ERR_NOTFOUND);
}

/* The `gone` of the connection before waits for its debounce while the device is connected anew, and is forgotten. */
static void forgetting_a_pair_does_not_make_its_device_lost(void **state)
{
    (void)state;
    settled(1, 1, NAT);
    uint32_t index = device_find(core_devices(rig.core), view_of(CAM));
    rig_gone(&rig, CAM, 1, 1);
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 1, .seq = 2, .conn = 2, .observed = NAT});
    assert_int_equal(core_forget_pair(rig.core, rig.now, index), ERR_OK);
    rig_pass(&rig, 20000);
    assert_true(rig_stats(&rig).lost == 0 && rig_stats(&rig).online == 1);
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 1, .seq = 2, .conn = 2, .observed = NAT});
    rig_gone(&rig, CAM, 1, 2); /* of its last connection */
    assert_int_equal(core_forget_pair(rig.core, rig.now, index), ERR_OK);
    rig_pass(&rig, 20000);
    assert_true(rig_stats(&rig).lost == 1 && rig_stats(&rig).online == 0);
}

static void a_replayed_lower_state_says_nothing(void **state)
{
    (void)state;
    settled(7, 3, NAT);
    size_t before = rig.acks;
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 6, .seq = 9, .observed = NAT2, .retained = true});
    assert_int_equal(rig_stats(&rig).stale, 1);
    assert_int_equal(rig.acks, before);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
}

static void a_heartbeat_is_not_answered_and_a_repeat_is(void **state)
{
    (void)state;
    settled(1, 1, NAT);
    size_t before = rig.acks;
    rig_state(&rig,
              &(struct rig_state){.id = CAM, .boot = 1, .conn = 1, .seq = 1, .observed = NAT, .why = "heartbeat"});
    assert_int_equal(rig.acks, before);
    rig_pass(&rig, 2000);
    repeat(1, 1, NAT);
    assert_int_equal(rig.acks, before + 1);
    repeat(1, 1, NAT); /* one answer a second to a device that insists */
    assert_int_equal(rig.acks, before + 1);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
}

static void a_repeat_after_a_restart_is_answered_at_once(void **state)
{
    (void)state;
    const struct store_device stored = {
        .id = CAM, .boot = 4, .conn = 1, .seq = 2, .content_hash = 99, .observed = rig_ip(NAT), .ip4 = rig_value(NAT)};
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    repeat(4, 2, NAT);
    assert_int_equal(rig.acks, 1);
    assert_int_equal(rig.ack.ack_seq, 2);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
}

static void only_the_router_moved(void **state)
{
    (void)state;
    settled(1, 1, NAT);
    rig_state(&rig,
              &(struct rig_state){.id = CAM, .boot = 1, .conn = 1, .seq = 1, .observed = NAT2, .why = "heartbeat"});
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    assert_non_null(change);
    struct rrset_value want = rig_value(NAT2);
    assert_true(rrset_value_equal(&change->change.want, &want));
}

static void a_failed_commit_keeps_everything(void **state)
{
    (void)state;
    report(1, 1, NAT);
    struct store_batch *batch = rig.batch;
    rig_commit(&rig, ERR_FULL);
    assert_string_equal(rig_stats(&rig).store_state, err_name(ERR_FULL));
    rig_state(&rig, &(struct rig_state){.id = "cam-2", .boot = 1, .seq = 1, .observed = NAT2});
    for (int i = 0; i < 5; i++) {
        rig_pass(&rig, 1100);
        assert_ptr_equal(rig.batch, batch);
        assert_non_null(rig_batch_want(&rig, NAME));
        rig_commit(&rig, ERR_FULL);
    }
    assert_int_equal(rig.acks, 0);
    rig_pass(&rig, 1100);
    rig_commit(&rig, ERR_OK); /* there is room again */
    assert_string_equal(rig_stats(&rig).store_state, "ok");
    assert_non_null(rig_batch_want(&rig, "cam-2.example.net")); /* what had gathered meanwhile goes next */
    rig_settle_all(&rig);
    rig_pass(&rig, 300);
    assert_true(rig.acks >= 2);
}

/* Reloads while a batch waits for the disk: it must not look into a config that is gone (a sanitizer sees it). */
static void a_waiting_batch_outlives_reloads(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_FULL);
    (void)rig_reload(&rig, &(struct rig_config){0}); /* nothing to replay for it */
    (void)rig_reload(&rig, &(struct rig_config){0});
    rig_pass(&rig, 1100);
    assert_string_equal(rig_batch_want(&rig, NAME)->zone, "example.net");
    rig_settle_all(&rig);
}

/* Outcomes settled before the engine claimed the zone anew are ours all the same. */
static void our_own_new_epoch_does_not_fence_us(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_int_equal(rig_batch_have(&rig, NAME)->epoch, 1);
    core_zone_claimed(rig.core, 0, 2);
    rig_commit(&rig, ERR_FENCED);
    assert_non_null(rig.batch); /* at once, under the new epoch */
    assert_int_equal(rig_batch_have(&rig, NAME)->epoch, 2);
    rig_commit_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
    assert_int_equal(rig_stats(&rig).commit_failures, 0);
}

static void a_deposed_writer_gives_its_changes_back(void **state)
{
    (void)state;
    report(1, 1, NAT);
    rig_commit(&rig, ERR_OK);
    rig_settle(&rig, rig_change(&rig, NAME, RRTYPE_A), OUTCOME_APPLIED, NULL);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_commit(&rig, ERR_FENCED);
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A)); /* the engine has it again */
    rig_pass(&rig, 1100);
    rig_commit_all(&rig);
    rig_settle_all(&rig);
    assert_null(core_outbox_find(rig.core, view_of(NAME), RRTYPE_A));
}

/* More wants than one batch holds: no device counts as durable before all of its records. */
static void a_full_batch_takes_wants_before_devices(void **state)
{
    (void)state;
    report(1, 1, NAT); /* its commit holds the others up until all have reported */
    for (int i = 0; i < 5000; i++) {
        char id[DEVICE_ID_MAX + 1];
        char nat[IP_TEXT_SIZE];
        (void)snprintf(id, sizeof(id), "cam-x%d", i);                       /* fits */
        (void)snprintf(nat, sizeof(nat), "93.184.%d.%d", i / 200, i % 200); /* fits */
        rig_state(&rig, &(struct rig_state){
                            .id = id, .boot = 1, .seq = 1, .ip6 = "2a00:1450:4001:81b::200e", .observed = nat});
    }
    rig_commit(&rig, ERR_OK);
    size_t devices = 0;
    size_t wants = 0;
    while (rig.batch != NULL) {
        wants += rig.batch->wants_len;
        devices += rig.batch->devices_len;
        assert_true(devices * 2 <= wants);
        rig_commit(&rig, ERR_OK);
        if (rig.batch == NULL) {
            rig_pass(&rig,
                     200); /* so many open records are a storm: a batch that is not full gathers a little longer */
        }
    }
    assert_int_equal(wants, 10000);
    assert_int_equal(devices, 5000);
}

static void an_unregistered_device_is_told_hourly(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        rig_state(&rig, &(struct rig_state){.id = "toaster", .boot = 1, .seq = 1, .observed = NAT, .why = "repeat"});
        rig_pass(&rig, 30000);
    }
    assert_int_equal(rig.acks, 1); /* fifty minutes */
    assert_string_equal(rig.ack.error, "unregistered");
    assert_false(rig.ack_retained);
    rig_pass(&rig, 11 * 60000);
    rig_state(&rig, &(struct rig_state){.id = "toaster", .boot = 1, .seq = 1, .observed = NAT, .why = "repeat"});
    assert_int_equal(rig.acks, 2);
    assert_null(rig.batch);
    assert_int_equal(rig.changes_len, 0);
    assert_int_equal(rig_stats(&rig).unregistered_states, 101);
}

static void a_stamp_is_needed_to_change_anything(void **state)
{
    (void)state;
    settled(1, 1, NAT);
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 2, .conn = 2, .seq = 1, .ip4 = NAT2});
    rig_state(&rig, &(struct rig_state){
                        .id = CAM, .boot = 2, .conn = 2, .seq = 1, .ip4 = NAT2, .observed = NAT2, .forged = true});
    assert_null(rig.batch);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_int_equal(rig_stats(&rig).no_stamp, 1);
    assert_int_equal(rig_stats(&rig).bad_stamp, 1);
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 1, .conn = 1, .seq = 1, .off = true});
    assert_int_equal(rig_stats(&rig).off, 1); /* presence at most */
}

static void a_new_stamp_key_ends_the_old_one(void **state)
{
    (void)state;
    static const uint8_t bytes[32] = "the next key of broker and core";
    struct crypto_hmac *old = rig.key;
    struct crypto_hmac *next = NULL;
    assert_int_equal(crypto_hmac_new(bytes, sizeof(bytes), &next), ERR_OK);
    settled(1, 1, NAT);
    core_set_stamp_key(rig.core, next);
    report(1, 2, NAT); /* the very stamp that was good before, too */
    report(1, 3, NAT2);
    assert_int_equal(rig_stats(&rig).bad_stamp, 2);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig.key = next;
    report(1, 3, NAT2);
    assert_int_equal(rig_stats(&rig).bad_stamp, 2);
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A));
    crypto_hmac_free(old);
}

static void presence_follows_births_and_wills(void **state)
{
    (void)state;
    settled(2, 1, NAT);
    assert_int_equal(rig_stats(&rig).online, 1);
    rig_gone(&rig, CAM, 1, 1); /* of a life before */
    rig_pass(&rig, 20000);
    assert_int_equal(rig_stats(&rig).online, 1);
    rig_gone(&rig, CAM, 2, 1);
    rig_pass(&rig, 5000);
    assert_int_equal(rig_stats(&rig).online, 1); /* a reconnect in time is no outage */
    rig_pass(&rig, 6000);
    assert_int_equal(rig_stats(&rig).lost, 1);
    rig_state(&rig, &(struct rig_state){.id = CAM, .boot = 2, .conn = 2, .seq = 2, .observed = NAT, .why = "birth"});
    assert_int_equal(rig_stats(&rig).online, 1);
    assert_int_equal(rig_stats(&rig).lost, 0);
    rig_settle_all(&rig);
    rig_pass(&rig, UINT64_C(4) * 3600 * 1000); /* three heartbeats missed */
    assert_int_equal(rig_stats(&rig).late, 1);
}

struct bad {
    const char *what;
    const char *topic; /* NULL: the right one */
    const char *body;
    size_t len; /* 0: of the text */
    bool bad_topic, oversized;
};

#define BODY(rest) "{\"v\":1,\"s\":\"on\",\"boot\":10,\"conn\":1,\"seq\":1" rest "}"

static void bad_input_costs_a_counter(void **state)
{
    (void)state;
    static char huge[9000], name[1 << 20];
    memset(huge, 'x', sizeof(huge));
    memset(name, 'a', sizeof(name));
    memcpy(name, "muster/v1/up/00/", 16);
    name[sizeof(name) - 1] = '\0';
    static const struct bad rows[] = {
        {.what = "oversized", .body = huge, .len = sizeof(huge), .oversized = true},
        {.what = "empty", .body = ""},
        {.what = "truncated", .body = "{\"v\":1,\"s\":\"on\",\"boot\":1,"},
        {.what = "number over u32", .body = "{\"v\":1,\"s\":\"on\",\"boot\":4294967296,\"conn\":1,\"seq\":1}"},
        {.what = "negative", .body = "{\"v\":1,\"s\":\"on\",\"boot\":-1,\"conn\":1,\"seq\":1}"},
        {.what = "fraction", .body = "{\"v\":1,\"s\":\"on\",\"boot\":1.5,\"conn\":1,\"seq\":1}"},
        {.what = "NaN", .body = "{\"v\":1,\"s\":\"on\",\"boot\":NaN,\"conn\":1,\"seq\":1}"},
        {.what = "duplicate key", .body = BODY(",\"boot\":2")},
        {.what = "duplicate unknown key", .body = BODY(",\"z\":2,\"z\":3")},
        {.what = "bad UTF-8", .body = BODY(",\"fw\":\"\xff\xfe\"")},
        {.what = "NUL inside", .body = "{\"v\":1\0}", .len = 8},
        {.what = "depth", .body = BODY(",\"z\":[[[[[[1]]]]]]")},
        {.what = "wrong family", .body = BODY(",\"ip4\":\"::1\"")},
        {.what = "array", .body = "[]"},
        {.what = "wrong shard", .topic = "muster/v1/up/00/cam-1/state", .body = BODY(""), .bad_topic = true},
        {.what = "shard in capitals", .topic = "muster/v1/up/AB/cam-1/state", .body = BODY(""), .bad_topic = true},
        {.what = "id in capitals", .topic = "muster/v1/up/00/Cam/state", .body = BODY(""), .bad_topic = true},
        {.what = "other root", .topic = "mustard/v1/up/00/cam-1/state", .body = BODY(""), .bad_topic = true},
        {.what = "no leaf", .topic = "muster/v1/up/00/cam-1", .body = BODY(""), .bad_topic = true},
        {.what = "a name of 1 MB", .topic = name, .body = BODY(""), .bad_topic = true},
    };
    char topic[TOPIC_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_STATE, VIEW_LITERAL(CAM), topic), ERR_OK);
    settled(9, 9, NAT);
    size_t acks = rig.acks;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct core_stats before = rig_stats(&rig);
        size_t len = rows[i].len != 0 ? rows[i].len : strlen(rows[i].body);
        rig_message(&rig, rows[i].topic != NULL ? rows[i].topic : topic, view_n(rows[i].body, len), NAT);
        struct core_stats after = rig_stats(&rig);
        uint64_t bad_topic = after.bad_topic - before.bad_topic;
        uint64_t oversized = after.oversized - before.oversized;
        uint64_t bad_payload = after.bad_payload - before.bad_payload;
        bool counted = bad_topic == rows[i].bad_topic && oversized == rows[i].oversized &&
                       bad_payload == !(rows[i].bad_topic || rows[i].oversized);
        if (!counted || rig.batch != NULL || rig.acks != acks) {
            fail_msg("%s: topic %d size %d payload %d", rows[i].what, (int)bad_topic, (int)oversized, (int)bad_payload);
        }
    }
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    report(11, 1, NAT2); /* and the device is as welcome as before */
    assert_non_null(rig_change(&rig, NAME, RRTYPE_A));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(the_ack_waits_for_the_commit),
        TEST(an_outcome_within_the_join_travels_in_the_ack),
        TEST(a_later_outcome_updates_the_names),
        TEST(a_refusal_with_an_exclamation_mark_is_told),
        TEST(a_refusal_is_told_and_kept),
        TEST(the_join_never_acks_a_newer_pair),
        TEST(a_full_session_never_acks_a_newer_pair),
        TEST(a_lower_pair_never_acks_what_is_not_durable),
        TEST(a_lower_pair_is_answered_with_the_stored_one),
        TEST(a_larger_boot_is_always_taken),
        TEST(a_pair_that_nobody_can_rise_above_can_be_forgotten),
        TEST(forgetting_a_pair_does_not_make_its_device_lost),
        TEST(a_replayed_lower_state_says_nothing),
        TEST(a_heartbeat_is_not_answered_and_a_repeat_is),
        TEST(a_repeat_after_a_restart_is_answered_at_once),
        TEST(only_the_router_moved),
        TEST(a_failed_commit_keeps_everything),
        TEST(a_waiting_batch_outlives_reloads),
        TEST(our_own_new_epoch_does_not_fence_us),
        TEST(a_deposed_writer_gives_its_changes_back),
        TEST(a_full_batch_takes_wants_before_devices),
        TEST(an_unregistered_device_is_told_hourly),
        TEST(a_stamp_is_needed_to_change_anything),
        TEST(a_new_stamp_key_ends_the_old_one),
        TEST(presence_follows_births_and_wills),
        TEST(bad_input_costs_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
