/* SPDX-License-Identifier: Apache-2.0 */
/* A device with several paths to the internet. */
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
#define DSL  "93.184.216.34"
#define LTE  "93.184.216.35"

#define PRIMARY "  - name: cameras\n    names: [{name: \"{id}.example.net\"}]\n    damping: false\n"
#define ALL     PRIMARY "    uplinks: all\n"
#define HEALTHY PRIMARY "    uplinks: healthy\n"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.groups = ALL});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void report(uint32_t seq, bool dsl, bool lte, bool retained)
{
    char uplinks[256];
    (void)snprintf(uplinks, sizeof(uplinks),
                   "[{\"name\":\"dsl\",\"up\":%s,\"metric\":100,\"ip4\":\"" DSL "\"},"
                   "{\"name\":\"lte\",\"up\":%s,\"metric\":200,\"ip4\":\"10.0.0.2\",\"seen4\":\"" LTE "\"}]",
                   dsl ? "true" : "false", lte ? "true" : "false"); /* fits */
    rig_state(&rig, &(struct rig_state){.id = CAM,
                                        .boot = 1,
                                        .conn = 1,
                                        .seq = seq,
                                        .ip4 = dsl ? DSL : "10.0.0.2",
                                        .uplinks = uplinks,
                                        .observed = dsl ? DSL : LTE,
                                        .retained = retained});
}

static struct rrset_value both(void)
{
    struct rrset_value value = rig_value(DSL);
    const struct ip lte = rig_ip(LTE);
    assert_true(rrset_value_add(&value, RRTYPE_A, &lte));
    return value;
}

static void assert_wanted(struct rrset_value value)
{
    const struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    assert_non_null(change);
    assert_true(rrset_value_equal(&change->change.want, &value));
}

/* The set is one change, so that the name is never without an address: the old one leaves with the new set. */
static void all_are_published_and_one_leaves_at_a_time(void **state)
{
    (void)state;
    report(1, true, true, false);
    assert_wanted(both());
    rig_settle_all(&rig);
    report(2, false, true, false);
    assert_wanted(rig_value(LTE));
    rig_settle_all(&rig);
    size_t changes = rig.changes_len;
    report(3, true, true, false);
    assert_wanted(both());
    assert_int_equal(rig.changes_len, changes + 1);
}

static void the_store_knows_all_of_them(void **state)
{
    (void)state;
    report(1, true, true, false);
    struct store_device stored = rig.batch->devices[0];
    struct rrset_value expected = both();
    assert_true(rrset_value_equal(&stored.ip4, &expected));
    stored.id = CAM;
    stored.content_hash ^= 1; /* another process has another seed */
    rig_settle_all(&rig);
    rig_stop(&rig);
    rig_start(&rig, &(struct rig_config){.groups = ALL});
    assert_int_equal(core_load_device(rig.core, &stored), ERR_OK);
    report(1, true, true, true);
    assert_null(rig_change(&rig, NAME, RRTYPE_A)); /* nothing has changed */
    report(2, true, false, false);
    assert_wanted(rig_value(DSL));
}

static void the_policy_is_changed_by_a_reload(void **state)
{
    (void)state;
    report(1, true, true, false);
    rig_settle_all(&rig);
    assert_true(rig_reload(&rig, &(struct rig_config){.groups = PRIMARY}));
    report(1, true, true, true);
    assert_wanted(rig_value(DSL));
}

static void report_health(uint32_t seq, const char *dsl, const char *lte)
{
    char uplinks[256];
    (void)snprintf(uplinks, sizeof(uplinks),
                   "[{\"name\":\"dsl\",\"up\":true,\"metric\":100,\"ip4\":\"" DSL "\",\"alive4\":%s},"
                   "{\"name\":\"lte\",\"up\":true,\"metric\":200,\"ip4\":\"" LTE "\",\"alive4\":%s}]",
                   dsl, lte); /* fits */
    rig_state(&rig, &(struct rig_state){
                        .id = CAM, .boot = 1, .conn = 1, .seq = seq, .ip4 = DSL, .uplinks = uplinks, .observed = LTE});
}

static void a_dead_path_leaves_and_the_last_one_stays(void **state)
{
    (void)state;
    assert_true(rig_reload(&rig, &(struct rig_config){.groups = HEALTHY}));
    report_health(1, "true", "true");
    assert_wanted(both());
    rig_settle_all(&rig);
    report_health(2, "false", "true");
    assert_wanted(rig_value(LTE));
    rig_settle_all(&rig);
    report_health(3, "false", "false");
    assert_wanted(both());
    rig_settle_all(&rig);
    report_health(4, "true", "false");
    assert_wanted(rig_value(DSL));
    for (size_t i = 0; i < rig.changes_len; i++) { /* never without an address, each change one RRset */
        assert_true(rig.changes[i].change.want.len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_published_and_one_leaves_at_a_time, start, stop),
        cmocka_unit_test_setup_teardown(the_store_knows_all_of_them, start, stop),
        cmocka_unit_test_setup_teardown(the_policy_is_changed_by_a_reload, start, stop),
        cmocka_unit_test_setup_teardown(a_dead_path_leaves_and_the_last_one_stays, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
