/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway whose network is renumbered: the hosts' old addresses stay for as long as they are preferred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/topics.h"
#include "tests/lib/core_rig.h"

#define GW       "gw-1"
#define OBSERVED "93.184.216.34"
#define NVR      "nvr.gw-1.example.net"
#define DOOR     "door.gw-1.example.net"
#define OLD      "2a00:1450:1::/48"
#define NEW      "2a00:1450:9::/48"
#define OLD_NVR  "2a00:1450:1::10"
#define NEW_NVR  "2a00:1450:9::10"
#define MINUTE   UINT64_C(60000)

#define GROUPS                                                                                                         \
    "  - name: gateways\n    gateway: true\n    damping: false\n    names:\n"                                          \
    "      - {name: \"{host}.{id}.example.net\", types: [AAAA], hosts: true}\n"
#define DEVICES                                                                                                        \
    "devices:\n  - id: gw-1\n    group: gateways\n    hosts:\n      - {name: nvr, suffix: \"::10\"}\n"                 \
    "      - {name: door, suffix: \"::11\"}\n"

static struct rig rig;
static struct store_device stored; /* as the last commit had it */

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.groups = GROUPS, .devices = DEVICES});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* One that comes from the device, or out of the broker's store. */
static void say(uint32_t seq, const char *prefix, const char *also, bool retained)
{
    rig_state(&rig, &(struct rig_state){.id = GW,
                                        .boot = 1,
                                        .conn = 1,
                                        .seq = seq,
                                        .ip6 = "2a00:1450::1",
                                        .observed = OBSERVED,
                                        .prefix6 = prefix,
                                        .also6 = also,
                                        .retained = retained});
}

static void settle(void)
{
    core_flush(rig.core, rig.now);
    while (rig.batch != NULL) {
        if (rig.batch->devices_len > 0) {
            stored = rig.batch->devices[0];
            stored.id = GW;
        }
        rig_commit(&rig, ERR_OK);
    }
    rig_settle_all(&rig);
}

static struct rrset_value addresses(const char *first, const char *second)
{
    struct rrset_value value = rig_value(first);
    const struct ip ip = rig_ip(second);
    assert_true(second == NULL || rrset_value_add(&value, RRTYPE_AAAA, &ip));
    return value;
}

static void assert_wanted(const char *name, const char *first, const char *second)
{
    const struct rig_change *change = rig_change(&rig, name, RRTYPE_AAAA);
    const struct rrset_value value = addresses(first, second);
    assert_non_null(change);
    assert_true(rrset_value_equal(&change->change.want, &value));
}

static void assert_nothing_wanted(void)
{
    assert_null(rig_change(&rig, NVR, RRTYPE_AAAA));
    assert_null(rig_change(&rig, DOOR, RRTYPE_AAAA));
}

#define ALSO_OLD "[{\"prefix\":\"" OLD "\",\"preferred\":600,\"valid\":7200}]"

/* The gateway has been renumbered, and the old prefix is preferred for ten minutes more. */
static void renumber(void)
{
    say(1, OLD, NULL, false);
    assert_wanted(NVR, OLD_NVR, NULL);
    settle();
    say(2, NEW, ALSO_OLD, false);
    assert_wanted(NVR, OLD_NVR, NEW_NVR);
    assert_wanted(DOOR, "2a00:1450:1::11", "2a00:1450:9::11");
    settle();
}

static void both_stand_until_the_old_one_is_not_said(void **state)
{
    (void)state;
    renumber();
    assert_int_equal(rig.ack.ack_seq, 2);
    rig_pass(&rig, 5 * MINUTE);
    assert_nothing_wanted();
    say(3, NEW, NULL, false);
    assert_wanted(NVR, NEW_NVR, NULL);
    assert_wanted(DOOR, "2a00:1450:9::11", NULL);
    settle();
    rig_pass(&rig, 60 * MINUTE);
    assert_nothing_wanted();
}

static void a_flash_leaves_nothing(void **state)
{
    (void)state;
    say(1, OLD, NULL, false);
    settle();
    say(2, NEW, NULL, false);
    assert_wanted(NVR, NEW_NVR, NULL);
}

static void the_old_one_ends_when_the_device_is_silent(void **state)
{
    (void)state;
    renumber();
    size_t acks = rig.acks;
    rig_pass(&rig, 10 * MINUTE - 100);
    assert_nothing_wanted();
    rig_pass(&rig, 200); /* not a second late */
    assert_wanted(NVR, NEW_NVR, NULL);
    assert_wanted(DOOR, "2a00:1450:9::11", NULL);
    settle();
    rig_pass(&rig, MINUTE);
    assert_int_equal(stored.also6.len, 0);
    assert_true(rig.acks > acks);
    assert_int_equal(rig.ack.ack_seq, 2);
    assert_true(core_is_durable(rig.core));
    say(2, NEW, ALSO_OLD, true); /* a replay brings nothing back */
    assert_nothing_wanted();
}

static void a_heartbeat_prolongs_and_ticking_is_no_work(void **state)
{
    (void)state;
    renumber();
    rig_pass(&rig, 5 * MINUTE);
    size_t acks = rig.acks;
    say(2, NEW, "[{\"prefix\":\"" OLD "\",\"preferred\":300,\"valid\":6900}]", false); /* what is left by now */
    assert_null(rig.batch);
    assert_int_equal(rig.acks, acks);
    say(2, NEW, "[{\"prefix\":\"" OLD "\",\"preferred\":900,\"valid\":7200}]", false); /* refreshed meanwhile */
    assert_nothing_wanted();
    assert_non_null(rig.batch);
    settle();
    assert_true(stored.also6.items[0].until_ms == rig.now.wall_ms + 900000);
    rig_pass(&rig, 15 * MINUTE - 100);
    assert_nothing_wanted();
    rig_pass(&rig, 200);
    assert_wanted(NVR, NEW_NVR, NULL);
}

/* The words are those of ten minutes ago, and so is their hash. */
static void the_same_words_later_mean_another_end(void **state)
{
    (void)state;
    renumber();
    rig_pass(&rig, 9 * MINUTE);
    say(3, NEW, ALSO_OLD, false);
    settle();
    rig_pass(&rig, 9 * MINUTE);
    say(3, NEW, ALSO_OLD, false); /* a heartbeat */
    settle();
    rig_pass(&rig, 10 * MINUTE - 100);
    assert_nothing_wanted();
    rig_pass(&rig, 200);
    assert_wanted(NVR, NEW_NVR, NULL);
}

static void restart(void)
{
    rig_restart(&rig, 1000);
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
}

static void a_restart_neither_forgets_nor_prolongs(void **state)
{
    (void)state;
    renumber();
    int64_t end = rig.now.wall_ms + 600000;
    assert_int_equal(stored.also6.len, 1);
    assert_true(stored.also6.items[0].until_ms == end);
    rig_pass(&rig, 4 * MINUTE);
    restart();
    say(2, NEW, ALSO_OLD, true);
    assert_nothing_wanted();
    rig_pass(&rig, 6 * MINUTE - 100);
    assert_nothing_wanted();
    rig_pass(&rig, 200);
    settle();
    assert_int_equal(stored.also6.len, 0);
    assert_int_equal(stored.seq, 2);
    restart();
    say(2, NEW, ALSO_OLD, true);
    rig_pass(&rig, MINUTE);
    assert_nothing_wanted();
}

static void what_ended_while_nobody_ran_leaves_at_the_start(void **state)
{
    (void)state;
    renumber();
    rig.now.wall_ms += (int64_t)(60 * MINUTE);
    rig.now.mono_ms += 60 * MINUTE;
    restart();
    rig_pass(&rig, 100);
    rig_commit_all(&rig); /* whose the names are, the store says first */
    assert_wanted(NVR, NEW_NVR, NULL);
    assert_wanted(DOOR, "2a00:1450:9::11", NULL);
}

static void unknown_is_not_gone(void **state)
{
    (void)state;
    renumber();
    say(3, NULL, NULL, false); /* the LAN's link is down */
    assert_nothing_wanted();
    rig_pass(&rig, 11 * MINUTE);
    assert_wanted(NVR, NEW_NVR, NULL); /* which prolongs nothing */
    settle();
    say(4, NEW, ALSO_OLD, false);
    assert_wanted(NVR, OLD_NVR, NEW_NVR);
    settle();
    say(5, "null", ALSO_OLD, false);
    assert_wanted(NVR, NULL, NULL);
    settle();
    assert_int_equal(stored.also6.len, 0);
}

static void only_public_ones_count(void **state)
{
    (void)state;
    say(1, NEW,
        "[{\"prefix\":\"fd00:1::/48\",\"preferred\":600},{\"prefix\":\"" OLD "\",\"preferred\":600},"
        "{\"prefix\":\"2001:db8::/48\"}]",
        false);
    assert_wanted(NVR, OLD_NVR, NEW_NVR);
    settle();
    say(2, "fe80::/64", NULL, false); /* as with an address: what was good before stays, until its end */
    assert_nothing_wanted();
    rig_pass(&rig, 11 * MINUTE);
    assert_wanted(NVR, NEW_NVR, NULL);
}

/* The host has no room in the new prefix, yet it has in the old one. */
static void a_host_has_an_address_of_each_prefix_that_it_fits_in(void **state)
{
    (void)state;
    rig_stop(&rig);
    rig_start(&rig, &(struct rig_config){.groups = GROUPS,
                                         .devices = "devices:\n  - id: gw-1\n    group: gateways\n    hosts:\n"
                                                    "      - {name: nvr, suffix: \"::10\", subnet: 300}\n"});
    say(1, "2a00:1450:9:100::/56", ALSO_OLD, false);
    assert_wanted(NVR, "2a00:1450:1:12c::10", NULL);
}

static void a_service_with_one_address_a_name_has_the_new_one(void **state)
{
    (void)state;
    rig_stop(&rig);
    rig_start(&rig, &(struct rig_config){
                        .zones = "  - name: example.net\n    account: one\n", .groups = GROUPS, .devices = DEVICES});
    say(1, OLD, NULL, false);
    settle();
    say(2, NEW, ALSO_OLD, false);
    assert_wanted(NVR, NEW_NVR, NULL);
    settle();
    rig_pass(&rig, 11 * MINUTE);
    assert_nothing_wanted();
}

static void a_device_that_was_removed_wants_nothing_at_the_end(void **state)
{
    (void)state;
    renumber();
    const struct rig_config config = {.groups = GROUPS, .devices = "devices:\n  - {id: gw-2, group: gateways}\n"};
    (void)rig_reload(&rig, &config);
    rig_pass(&rig, 11 * MINUTE);
    assert_nothing_wanted();
    assert_true(device_also6_due(core_devices(rig.core)) == ALSO6_NO_END);
}

#define PLAIN "  - name: cameras\n    damping: false\n    names: [{name: \"{id}.example.net\", types: [A]}]\n"

/* What it said as a camera it is asked again as a gateway, also when it was nobody's for a while. */
static void a_device_that_comes_back_in_another_group_is_judged_anew(void **state)
{
    (void)state;
    const struct rig_config camera = {.groups = GROUPS PLAIN, .devices = "devices:\n  - {id: gw-1, group: cameras}\n"};
    const struct rig_config nobody = {.groups = GROUPS PLAIN, .devices = "devices:\n  - {id: gw-2, group: cameras}\n"};
    const struct rig_config back = {.groups = GROUPS PLAIN, .devices = DEVICES};
    rig_stop(&rig);
    rig_start(&rig, &camera);
    say(1, NEW, ALSO_OLD, false);
    settle();
    (void)rig_reload(&rig, &nobody);
    assert_true(rig_reload(&rig, &back));
    say(1, NEW, ALSO_OLD, true);
    rig_commit_all(&rig); /* whose the names are, the store says first */
    assert_wanted(NVR, OLD_NVR, NEW_NVR);
    settle();
    rig_pass(&rig, 11 * MINUTE);
    rig_commit_all(&rig);
    assert_wanted(NVR, NEW_NVR, NULL);
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_RIG(both_stand_until_the_old_one_is_not_said),
        WITH_RIG(a_flash_leaves_nothing),
        WITH_RIG(the_old_one_ends_when_the_device_is_silent),
        WITH_RIG(a_heartbeat_prolongs_and_ticking_is_no_work),
        WITH_RIG(the_same_words_later_mean_another_end),
        WITH_RIG(a_restart_neither_forgets_nor_prolongs),
        WITH_RIG(what_ended_while_nobody_ran_leaves_at_the_start),
        WITH_RIG(unknown_is_not_gone),
        WITH_RIG(only_public_ones_count),
        WITH_RIG(a_host_has_an_address_of_each_prefix_that_it_fits_in),
        WITH_RIG(a_service_with_one_address_a_name_has_the_new_one),
        WITH_RIG(a_device_that_was_removed_wants_nothing_at_the_end),
        WITH_RIG(a_device_that_comes_back_in_another_group_is_judged_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
