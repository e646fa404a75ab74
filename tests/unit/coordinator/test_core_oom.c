/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends at the n-th allocation of the core: nothing breaks or leaks, and once there is memory again, the
 * device's repeats bring the last truth to the DNS and an ack to the device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"
#include "tests/lib/scarce.h"

#define CAM    "cam-1"
#define NAME   "cam-1.example.net"
#define OLD    "93.184.216.34"
#define FRESH  "93.184.216.35"
#define FRESH6 "2a00:1450:4001:81b::200e"

static struct rig rig;

static void in_core(bool inside)
{
    (inside ? scarce_resume : scarce_pause)();
}

static void report(const char *id, uint32_t seq, const char *ip4, const char *ip6, const char *why)
{
    rig_state(&rig,
              &(struct rig_state){
                  .id = id, .boot = 1, .conn = 1, .seq = seq, .observed = ip4, .ip4 = ip4, .ip6 = ip6, .why = why});
}

static void arm(unsigned long n)
{
    scarce_arm(n);
    scarce_pause();
    rig.in_core = in_core;
}

static bool disarm(void)
{
    rig.in_core = NULL;
    return scarce_disarm();
}

/* The newest change of a name that was applied; NULL: none. */
static const struct rrset_value *applied(const char *name, enum rrtype type)
{
    const struct rrset_value *value = NULL;
    for (size_t i = 0; i < rig.changes_len; i++) {
        const struct rig_change *change = &rig.changes[i];
        if (change->settled && change->change.type == type && strcmp(change->name, name) == 0) {
            value = &change->change.want;
        }
    }
    return value;
}

/* What the zone serves at the end. */
static const char *served(enum rrtype type)
{
    static char text[IP_TEXT_SIZE];
    const struct rrset_value *value = applied(NAME, type);
    if (value == NULL || value->len != 1) {
        return "";
    }
    ip_format(&value->ips[0], text);
    return text;
}

static void expect_last_truth(unsigned long n)
{
    for (unsigned i = 0; i < 3; i++) { /* a device repeats until it is acknowledged */
        report(CAM, 2, FRESH, FRESH6, "repeat");
        rig_settle_all(&rig);
        rig_pass(&rig, 3000);
        rig_settle_all(&rig);
        rig_pass(&rig, 3000);
    }
    if (strcmp(served(RRTYPE_A), FRESH) != 0 || strcmp(served(RRTYPE_AAAA), FRESH6) != 0) {
        fail_msg("allocation %lu failed: %s and %s are served", n, served(RRTYPE_A), served(RRTYPE_AAAA));
    }
    if (!rig.ack.has_ack || rig.ack.ack_seq != 2 || strcmp(rig.ack_device, CAM) != 0) {
        fail_msg("allocation %lu failed: no ack", n);
    }
}

static bool first_reports(void *context, unsigned long n)
{
    (void)context;
    rig_start(&rig, &(struct rig_config){0});
    arm(n);
    report(CAM, 1, OLD, NULL, "birth");
    rig_settle_all(&rig);
    report(CAM, 2, FRESH, FRESH6, "change");
    rig_settle_all(&rig);
    rig_pass(&rig, 2000);
    bool reached = disarm();
    expect_last_truth(n);
    rig_stop(&rig);
    return reached;
}

static void a_device_survives_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(scarce_each(first_reports, NULL) > 20);
}

/* The fleet is there, then comes what everyday life has: a stale will, a heartbeat, bad input, a stranger. */
static bool everyday(void *context, unsigned long n)
{
    (void)context;
    rig_start(&rig, &(struct rig_config){0});
    report(CAM, 1, OLD, NULL, "birth");
    rig_settle_all(&rig);
    arm(n);
    rig_message(&rig, "muster/v1/up/00/nobody/state", VIEW_LITERAL("{"), NULL);
    report("stranger", 1, OLD, NULL, "birth");
    rig_gone(&rig, CAM, 1, 1);
    rig_pass(&rig, 120000);
    report(CAM, 2, FRESH, FRESH6, "change");
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    if (change != NULL) {
        rig_settle(&rig, change, OUTCOME_RETRY, "server-failure");
    }
    rig_pass(&rig, 2000);
    bool reached = disarm();
    expect_last_truth(n);
    rig_stop(&rig);
    return reached;
}

static void everyday_life_survives_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(scarce_each(everyday, NULL) > 20);
}

#define HOST_NAME "nvr.cam-1.example.net"

/* Nobody repeats what only time says. */
static bool a_prefix_ends(void *context, unsigned long n)
{
    (void)context;
    rig_start(&rig, &(struct rig_config){.groups = "  - name: gateways\n    gateway: true\n    names:\n"
                                                   "      - {name: \"{host}.{id}.example.net\", hosts: true}\n",
                                         .devices = "devices:\n  - id: cam-1\n    group: gateways\n    hosts:\n"
                                                    "      - {name: nvr, suffix: \"::10\"}\n"});
    rig_state(&rig, &(struct rig_state){.id = CAM,
                                        .boot = 1,
                                        .conn = 1,
                                        .seq = 1,
                                        .observed = OLD,
                                        .prefix6 = "2a00:1450:9::/48",
                                        .also6 = "[{\"prefix\":\"2a00:1450:1::/48\",\"preferred\":60}]"});
    rig_settle_all(&rig);
    assert_int_equal(applied(HOST_NAME, RRTYPE_AAAA)->len, 2);
    arm(n);
    rig_pass(&rig, 90000);
    bool reached = disarm();
    rig_pass(&rig, 3000);
    rig_settle_all(&rig);
    const struct rrset_value last = rig_value("2a00:1450:9::10");
    if (!rrset_value_equal(applied(HOST_NAME, RRTYPE_AAAA), &last)) {
        fail_msg("allocation %lu failed: the old address stayed", n);
    }
    rig_stop(&rig);
    return reached;
}

static void a_prefix_ends_after_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(scarce_each(a_prefix_ends, NULL) > 0);
}

static enum err publish(void *context, const struct core_publish *message)
{
    (void)context;
    (void)message;
    return ERR_OK;
}

static bool make(void *context, unsigned long n)
{
    (void)context;
    const struct core_options options = {.config = &rig.settings->config,
                                         .registry = rig.settings->registry,
                                         .stamp_key = rig.key,
                                         .term = RIG_TERM,
                                         .ops = {.publish = publish}};
    struct core *core = NULL;
    scarce_arm(n);
    enum err err = core_new(&options, &core);
    bool reached = scarce_disarm();
    assert_int_equal(err, reached ? ERR_NOMEM : ERR_OK);
    assert_true((core == NULL) == reached);
    core_free(core);
    return reached;
}

static void a_core_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){0});
    assert_true(scarce_each(make, NULL) > 10);
    rig_stop(&rig);
}

static bool load(void *context, unsigned long n)
{
    (void)context;
    struct settings *settings = NULL;
    struct strbuf report;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/coordinator.yaml", rig.folder); /* fits */
    strbuf_init(&report, 64 * 1024);
    scarce_arm(n);
    enum err err = settings_read(path, &settings, &report);
    bool reached = scarce_disarm();
    assert_true((settings != NULL) == (err == ERR_OK));
    assert_true(err == (reached ? ERR_NOMEM : ERR_OK));
    strbuf_deinit(&report);
    settings_free(settings);
    return reached;
}

static void settings_load_whole_or_not_at_all(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){.devices = "devices:\n  - match: \"cam-*\"\n    group: cameras\n"
                                                    "  - id: front\n    group: cameras\n    labels: {site: a}\n"});
    assert_true(scarce_each(load, NULL) > 50);
    rig_stop(&rig);
}

/* The search for names that two devices could have needs memory, too. */
static void warnings_come_whole_or_not_at_all(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){
                        .groups = "  - name: cameras\n    names:\n      - name: \"{id}.example.net\"\n"
                                  "  - name: doors\n    names:\n      - name: \"cam-{id}.example.net\"\n",
                        .devices = "devices:\n  - match: \"cam-*\"\n    group: cameras\n"
                                   "  - match: \"d*\"\n    group: doors\n  - match: x\n    group: cameras\n",
                    });
    if (strstr(registry_warnings(rig.settings->registry), "cam-d1.example.net") == NULL) {
        fail_msg("warnings: %s", registry_warnings(rig.settings->registry));
    }
    assert_true(scarce_each(load, NULL) > 50);
    rig_stop(&rig);
}

#define ZONE(name) "  - name: " name ".example.net\n    account: dns\n"

/* A reload whose new zones find no room: the old config must stay in use, since its owner frees the new one. */
static bool reload(void *context, unsigned long n)
{
    (void)context;
    rig_start(&rig, &(struct rig_config){0});
    report(CAM, 1, OLD, NULL, "birth");
    rig_settle_all(&rig);
    struct settings *fresh = NULL;
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    const struct rig_config config = {.zones = ZONE("a") ZONE("b") "  - name: example.net\n    account: dns\n"};
    assert_int_equal(rig_load(&rig, &config, &fresh, &text), ERR_OK);
    bool replay = false;
    scarce_arm(n);
    enum err err = core_reconfigure(rig.core, &fresh->config, fresh->registry, &replay);
    bool reached = scarce_disarm();
    assert_int_equal(err, reached ? ERR_NOMEM : ERR_OK);
    settings_free(err == ERR_OK ? TAKE(rig.settings) : TAKE(fresh));
    rig.settings = err == ERR_OK ? fresh : rig.settings;
    report(CAM, 2, FRESH, FRESH6, "change");
    rig_commit_all(&rig); /* another registry: the store is asked first */
    struct rig_change *change = rig_change(&rig, NAME, RRTYPE_A);
    assert_non_null(change);
    assert_int_equal(change->zone, err == ERR_OK ? 2 : 0);
    expect_last_truth(n);
    strbuf_deinit(&text);
    rig_stop(&rig);
    return reached;
}

static void a_reload_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(scarce_each(reload, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_survives_every_failed_allocation),
        cmocka_unit_test(everyday_life_survives_every_failed_allocation),
        cmocka_unit_test(a_prefix_ends_after_every_failed_allocation),
        cmocka_unit_test(a_core_is_made_whole_or_not_at_all),
        cmocka_unit_test(settings_load_whole_or_not_at_all),
        cmocka_unit_test(warnings_come_whole_or_not_at_all),
        cmocka_unit_test(a_reload_is_taken_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
