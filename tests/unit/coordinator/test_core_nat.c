/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a device's records by what it says of NAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"

#define CAM  "cam-1"
#define NAME "cam-1.example.net"
#define POOL "93.184.216.34"
#define HOME "192.168.1.5"
#define V6   "2a00:1450:4001:81b::200e"

#define GROUP "  - name: cameras\n    names: [{name: \"{id}.example.net\"}]\n    damping: false\n"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.groups = GROUP});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* @param nat as on the wire, NULL: an agent that detects nothing. */
static void report(uint32_t seq, const char *nat, const char *ip6, bool retained)
{
    char uplinks[256];
    (void)snprintf(uplinks, sizeof(uplinks), "[{\"name\":\"eth0\",\"up\":true,\"ip4\":\"" HOME "\",\"nat\":\"%s\"}]",
                   nat != NULL ? nat : ""); /* fits */
    rig_state(&rig, &(struct rig_state){.id = CAM,
                                        .boot = 1,
                                        .conn = 1,
                                        .seq = seq,
                                        .ip4 = HOME,
                                        .ip6 = ip6,
                                        .uplinks = nat != NULL ? uplinks : NULL,
                                        .observed = POOL,
                                        .retained = retained});
}

static void settled(uint32_t seq, const char *nat, const char *ip6)
{
    report(seq, nat, ip6, false);
    rig_settle_all(&rig);
    rig_pass(&rig, 2000);
}

static void a_carriers_nat_takes_the_a_away_and_leaves_the_aaaa(void **state)
{
    (void)state;
    settled(1, "public", V6);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, POOL);
    assert_string_equal(rig.ack.error, "");
    size_t feeds = rig.feeds;
    report(2, "cgnat", V6, false);
    assert_true(rig_wants(&rig, NAME, NULL));
    assert_null(rig_change(&rig, NAME, RRTYPE_AAAA));
    assert_int_equal(rig.feeds, feeds + 1);
    assert_string_equal(rig.feed.event, "no-inbound-path");
    assert_string_equal(rig.feed.device, CAM);
    rig_settle_all(&rig);
    rig_pass(&rig, 2000);
    assert_string_equal(rig.ack.error, "no-inbound-path");
    assert_int_equal(rig_ack_name(&rig, NAME, "AAAA")->state, NAME_APPLIED);
    assert_true(rig_stats(&rig).no_inbound == 1 && rig_stats(&rig).nat[NAT_CGNAT] == 1);
    assert_int_equal(rig_stats(&rig).nat[NAT_PUBLIC], 0);
}

static void it_is_told_once_and_again_after_it_was_otherwise(void **state)
{
    (void)state;
    settled(1, "cgnat", NULL);
    assert_string_equal(rig.feed.event, "no-inbound-path");
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    size_t feeds = rig.feeds;
    settled(2, "double", NULL);
    assert_int_equal(rig.feeds, feeds);
    settled(3, "nat", NULL);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, POOL);
    assert_string_equal(rig.ack.error, "");
    assert_int_equal(rig_stats(&rig).no_inbound, 0);
    settled(4, "dslite", NULL);
    assert_int_equal(rig.ack.ack_seq, 4);
    assert_string_equal(rig.ack.error, "no-inbound-path");
    assert_true(rig_stats(&rig).no_inbound == 1 && rig_stats(&rig).nat[NAT_DSLITE] == 1);
}

static void an_agent_that_says_nothing_is_published_as_ever(void **state)
{
    (void)state;
    settled(1, NULL, NULL);
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, POOL);
    assert_int_equal(rig_stats(&rig).no_inbound, 0);
    for (size_t i = 0; i < NAT_CLASSES; i++) {
        assert_int_equal(rig_stats(&rig).nat[i], 0);
    }
}

static void a_group_may_publish_it_all_the_same(void **state)
{
    (void)state;
    settled(1, "cgnat", NULL);
    assert_null(rig_ack_name(&rig, NAME, "A"));
    bool replay = rig_reload(&rig, &(struct rig_config){.groups = GROUP "    publish_cgnat: true\n"});
    assert_true(replay);
    report(1, "cgnat", NULL, true); /* the retained state */
    assert_true(rig_wants(&rig, NAME, POOL));
    assert_int_equal(rig_stats(&rig).no_inbound, 0);
    assert_int_equal(rig_stats(&rig).nat[NAT_CGNAT], 1);
}

/* The store keeps what was told: the replay of retained states after a start is no news. */
static void a_restart_is_no_news(void **state)
{
    (void)state;
    report(1, "cgnat", NULL, false);
    assert_int_equal(rig.batch->devices_len, 1);
    assert_int_equal(rig.batch->devices[0].flags, STORE_DEVICE_NO_INBOUND);
    struct store_device stored = rig.batch->devices[0];
    stored.id = CAM;
    stored.content_hash ^= 1; /* another process has another seed */
    rig_commit_all(&rig);
    rig_stop(&rig);
    rig_start(&rig, &(struct rig_config){.groups = GROUP});
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    assert_int_equal(rig_stats(&rig).no_inbound, 1);
    size_t feeds = rig.feeds;
    report(1, "cgnat", NULL, true);
    rig_pass(&rig, 2000);
    assert_int_equal(rig.feeds, feeds);
    assert_true(rig_stats(&rig).no_inbound == 1 && rig_stats(&rig).nat[NAT_CGNAT] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_carriers_nat_takes_the_a_away_and_leaves_the_aaaa, start, stop),
        cmocka_unit_test_setup_teardown(it_is_told_once_and_again_after_it_was_otherwise, start, stop),
        cmocka_unit_test_setup_teardown(an_agent_that_says_nothing_is_published_as_ever, start, stop),
        cmocka_unit_test_setup_teardown(a_group_may_publish_it_all_the_same, start, stop),
        cmocka_unit_test_setup_teardown(a_restart_is_no_news, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
