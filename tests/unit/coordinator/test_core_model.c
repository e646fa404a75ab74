/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories of the core with the real store: reports in any number, commits that fail, outcomes in any order,
 * reloads that split and merge a zone, move names between devices and remove devices, power cuts, prefixes of gateways
 * that come to their end. When all has come to rest, each zone serves what its devices reported last and nothing else,
 * and every device is acknowledged.
 *
 * MUSTER_MODEL_SEEDS=N runs N seeds of each kind instead of a few, MUSTER_MODEL_SEED=S begins with seed S.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/outbox.h"
#include "coordinator/plan.h"
#include "tests/lib/model_config.h"
#include "tests/lib/model_dns.h"
#include "tests/lib/model_store.h"

#define DEVICES   MODEL_DEVICES
#define SEEDS     30              /* of a kind: a second or so */
#define OTHERS    "93.184.216.34" /* another hand's */
#define NOT_READY (-1)

struct kind {
    const char *mode; /* of the zones */
    bool crashes;
    bool splits; /* zones come and go */
};

static struct {
    const struct kind *kind;
    struct rig rig;
    struct model_dns dns;
    struct model_store store;
    struct model_config config; /* in use */
    char address[DEVICES][24];
    char prefix[DEVICES][24], also[DEVICES][64]; /* of those in a group of gateways */
    bool also_ends[DEVICES];
    uint32_t seq[DEVICES]; /* 0 = has not reported */
    int reconcile_next;    /* device; NOT_READY = none runs */
    bool reconcile_again;
} model;

static unsigned pick(unsigned n)
{
    return model_pick(&model.dns, n);
}

static const char *id_of(int device)
{
    static char id[16];
    (void)snprintf(id, sizeof(id), "cam-%d", device); /* fits */
    return id;
}

static void commit(bool fails)
{
    struct errinfo info = {0};
    if (model.rig.batch != NULL) {
        enum err err = fails ? ERR_FULL : store_sqlite.commit(model.store.store, model.rig.batch, &info);
        assert_int_equal(err, fails ? ERR_FULL : ERR_OK);
        rig_commit(&model.rig, err);
    }
}

/* ---- what happens ---- */

#define ALSO_PREFIX "2a00:%d:ffff::/48"

/* Renumbered, and the old prefix stands beside the new one or not, for a while or for good. */
static void pick_prefixes(int device)
{
    char life[32] = "";
    unsigned kind = pick(3);
    (void)snprintf(model.prefix[device], sizeof(model.prefix[device]), "2a00:%d:%x::/48", device,
                   1 + pick(200)); /* fits */
    model.also_ends[device] = kind == 1;
    if (kind == 1) {
        (void)snprintf(life, sizeof(life), ",\"preferred\":%u", 1 + pick(3600)); /* fits */
    }
    (void)snprintf(model.also[device], sizeof(model.also[device]),
                   kind == 0 ? "[]" : "[{\"prefix\":\"" ALSO_PREFIX "\"%s}]", device, life); /* fits */
}

static void report(int device, bool fresh)
{
    if (fresh) {
        pick_prefixes(device);
        (void)snprintf(model.address[device], sizeof(model.address[device]), "93.184.%d.%u", device,
                       1 + pick(200)); /* fits */
        model.seq[device]++;
    }
    if (model.seq[device] > 0) {
        rig_state(&model.rig, &(struct rig_state){.id = id_of(device),
                                                  .boot = 1,
                                                  .conn = 1,
                                                  .seq = model.seq[device],
                                                  .observed = model.address[device],
                                                  .prefix6 = model.prefix[device],
                                                  .also6 = model.also[device],
                                                  .retained = !fresh && pick(2) == 0});
    }
}

static void report_all(void)
{
    for (int i = 0; i < DEVICES; i++) {
        report(i, false);
    }
}

/* As the loader does it, a device a time. */
static void reconcile_step(void)
{
    if (model.reconcile_next == NOT_READY) {
        return;
    }
    if (model.reconcile_next == DEVICES && model.reconcile_again) {
        model.reconcile_again = false;
        model.reconcile_next = 0;
    }
    if (model.reconcile_next == DEVICES) {
        core_reconciled(model.rig.core);
        model.reconcile_next = NOT_READY;
        return;
    }
    const char *id = id_of(model.reconcile_next++);
    struct device_table *devices = core_devices(model.rig.core);
    uint32_t index = device_find(devices, view_of(id));
    if (index != DEVICE_NONE && (device_at(devices, index)->flags & DEVICE_KNOWN) != 0) {
        model_store_read(&model.store, &(struct store_record_query){.device = id});
        bool all = rig_reconcile(&model.rig, id, model.store.rows, model.store.rows_len);
        model.reconcile_again = model.reconcile_again || !all;
    }
}

static void begin_reconcile(void)
{
    model.reconcile_next = 0;
    model.reconcile_again = false;
}

/* What coordinator/sweep.c does with a listing, without its guard. */
static void sweep(void)
{
    model_store_read(&model.store, &(struct store_record_query){.limit = 0});
    for (size_t i = 0; i < model.store.rows_len; i++) {
        const struct store_record *record = &model.store.rows[i];
        const struct outbox_entry *entry = core_moving(model.rig.core, record);
        bool refused = entry != NULL && (entry->flags & OUTBOX_SETTLED) != 0 && !entry->have_applied;
        const struct model_value *at = model_value(&model.dns, record->zone, record->name);
        bool right = !record->want_null && rrset_value_equal(&at->value, &record->want);
        if ((entry == NULL || refused) && !right) {
            (void)!core_rewrite(model.rig.core, model.rig.now, record, false); /* the next sweep tries again */
        }
    }
    core_flush(model.rig.core, model.rig.now);
}

static void reload(void)
{
    struct rig_config config;
    model_config_make(&model.config, &model.dns, model.kind->mode, model.kind->splits, &config);
    bool replay = rig_reload(&model.rig, &config);
    model_forget(&model.dns);
    core_resubmit(model.rig.core, model.rig.now);
    begin_reconcile();
    if (replay) {
        report_all();
    }
}

static enum err load_device(void *context, const struct store_device *device)
{
    (void)context;
    return core_load_device(model.rig.core, device);
}

static void power_cut(void)
{
    struct errinfo info = {0};
    if (model.rig.batch != NULL && pick(2) == 0) {
        (void)!store_sqlite.commit(model.store.store, model.rig.batch, &info); /* nobody is left to hear of it */
    }
    model_store_cut(&model.store, (enum powerfs_survival)pick(POWERFS_SURVIVALS_));
    uint64_t rev;
    assert_int_equal(store_sqlite.last_rev(model.store.store, &rev), ERR_OK);
    model_forget(&model.dns);
    rig_restart(&model.rig, rev);
    assert_int_equal(store_sqlite.each_device(model.store.store, STORE_ALL_SHARDS, load_device, NULL), ERR_OK);
    model_store_read(&model.store, &(struct store_record_query){.pending_only = true});
    for (size_t i = 0; i < model.store.rows_len; i++) {
        (void)!core_load_pending(model.rig.core, model.rig.now, &model.store.rows[i]); /* its zone may be away */
    }
    core_flush(model.rig.core, model.rig.now);
    begin_reconcile();
    report_all();
}

static void step(void)
{
    unsigned event = pick(16);
    if (event < 4) {
        report((int)pick(DEVICES), event < 3);
    } else if (event < 8) {
        commit(pick(16) == 0);
    } else if (event < 11) {
        model_settle(&model.dns, true);
    } else if (event == 11) {
        rig_pass(&model.rig, pick(1500));
    } else if (event == 12) {
        reconcile_step();
        reconcile_step();
    } else if (event == 13 && pick(4) == 0) {
        reload();
    } else if (event == 14 && pick(3) == 0 && model.reconcile_next == NOT_READY) {
        sweep();
    } else if (event == 15 && model.kind->crashes && pick(5) == 0) {
        power_cut();
    }
}

static void come_to_rest(void)
{
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 60; i++) {
            commit(false);
            model_settle(&model.dns, false);
            reconcile_step();
            rig_pass(&model.rig, 100);
        }
        if (round == 0) {
            report_all(); /* devices repeat what is not acknowledged */
        } else if (round == 1) {
            rig_pass(&model.rig, UINT64_C(2) * 3600 * 1000); /* what is damped comes out */
        } else if (round < 10) {
            sweep();
        }
    }
}

/* ---- what must be ---- */

static struct {
    char name[DNSNAME_SIZE];
    struct rrset_value value;
} claims[DEVICES * 2];
static size_t claims_len;

/* All that ends has ended. */
static struct plan_addresses addresses_of(int device)
{
    struct plan_addresses addresses = {.ip4 = rig_value(model.address[device])};
    char also[sizeof(model.also[0])];
    (void)snprintf(also, sizeof(also), ALSO_PREFIX, device); /* fits */
    assert_int_equal(ip_prefix_parse(view_of(model.prefix[device]), &addresses.prefix6), ERR_OK);
    assert_int_equal(ip_prefix_parse(view_of(also), &addresses.also6.items[0].prefix), ERR_OK);
    addresses.also6.len = strcmp(model.also[device], "[]") != 0 && !model.also_ends[device];
    return addresses;
}

static void claim_names(void)
{
    static struct plan plan;
    const struct registry *registry = model.rig.settings->registry;
    struct device_table *devices = core_devices(model.rig.core);
    claims_len = 0;
    for (int i = 0; i < DEVICES; i++) {
        uint32_t index = device_find(devices, view_of(id_of(i)));
        if (index == DEVICE_NONE || model.seq[i] == 0 || device_at(devices, index)->registry_ref == DEVICE_NONE) {
            continue;
        }
        if ((device_at(devices, index)->flags & DEVICE_DURABLE) == 0) {
            fail_msg("%s is not acknowledged", id_of(i));
        }
        const struct plan_addresses addresses = addresses_of(i);
        plan_device(registry, registry_entry_at(registry, device_at(devices, index)->registry_ref), view_of(id_of(i)),
                    &addresses, &plan);
        for (size_t k = 0; k < plan.len; k++) {
            assert_true(claims_len < ARRAY_LEN(claims));
            claims[claims_len].value = plan.items[k].value;
            memcpy(claims[claims_len++].name, plan.items[k].name, strlen(plan.items[k].name) + 1);
        }
    }
}

/* Where two devices claim a name, either may have it. */
static void expect_right(const struct model_value *at)
{
    const struct registry *registry = model.rig.settings->registry;
    int zone = registry_zone_of(registry, view_of(at->name));
    bool here = zone >= 0 && strcmp(model_zone_name(&model.dns, (uint16_t)zone), at->zone) == 0;
    bool claimed = false;
    bool right = false;
    for (size_t i = 0; here && i < claims_len; i++) {
        if (strcmp(claims[i].name, at->name) == 0) {
            claimed = true;
            right = right || rrset_value_equal(&claims[i].value, &at->value);
        }
    }
    if (!right && (claimed || at->value.len > 0)) {
        char text[IP_TEXT_SIZE] = "nothing";
        if (at->value.len > 0) {
            ip_format(&at->value.ips[0], text);
        }
        fail_msg("%s in zone %s is %s: %s", at->name, at->zone, text, claimed ? "not the last report" : "nobody's");
    }
}

static bool is_configured(const char *zone)
{
    for (size_t i = 0; i < model.rig.settings->config.zones.len; i++) {
        if (strcmp(model_zone_name(&model.dns, (uint16_t)i), zone) == 0) {
            return true;
        }
    }
    return false;
}

static void check(void)
{
    const struct registry *registry = model.rig.settings->registry;
    const struct rrset_value others = rig_value(OTHERS);
    claim_names();
    for (size_t i = 0; i < claims_len; i++) { /* so that each has a value, if an empty one */
        uint16_t zone = (uint16_t)registry_zone_of(registry, view_of(claims[i].name));
        (void)model_value(&model.dns, model_zone_name(&model.dns, zone), claims[i].name);
    }
    for (size_t i = 0; i < model.dns.values_len; i++) {
        const struct model_value *at = &model.dns.values[i];
        if (at->foreign) {
            assert_true(rrset_value_equal(&at->value, &others));
        } else if (is_configured(at->zone)) {
            expect_right(at);
        }
    }
    struct core_stats stats = rig_stats(&model.rig);
    assert_int_equal(stats.records_open, 0);
    assert_int_equal(stats.records_held, 0);
    assert_true(core_is_durable(model.rig.core));
    assert_string_equal(stats.store_state, "ok");
}

/* ---- one history ---- */

/* In a shared zone one of the names is somebody else's. */
static void plant_foreign(void)
{
    if (strcmp(model.kind->mode, "shared") == 0) {
        char name[DNSNAME_SIZE];
        (void)snprintf(name, sizeof(name), "cam-%u.example.net", pick(DEVICES)); /* fits */
        struct model_value *at = model_value(&model.dns, "example.net", name);
        at->foreign = true;
        at->value = rig_value(OTHERS);
    }
}

static void run(const struct kind *kind, unsigned long seed)
{
    struct rig_config config;
    memset(&model, 0, sizeof(model));
    model.kind = kind;
    model.dns.random = seed * 7919 + 13;
    model.reconcile_next = NOT_READY;
    model.dns.rig = &model.rig;
    model_store_open(&model.store, seed);
    model_config_first(&model.config, &model.dns, kind->mode, kind->splits, &config);
    rig_start(&model.rig, &config);
    plant_foreign();
    for (unsigned left = 60 + pick(120); left > 0; left--) {
        step();
    }
    come_to_rest();
    check();
    model_store_close(&model.store);
    rig_stop(&model.rig);
    model_config_deinit(&model.config);
}

static unsigned long running; /* seed; 0 = none */

static unsigned long number_of(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static void run_seeds(void **state)
{
    const struct kind *kind = *state;
    unsigned long first = number_of("MUSTER_MODEL_SEED", 1);
    unsigned long count = number_of("MUSTER_MODEL_SEEDS", SEEDS);
    for (unsigned long seed = first; seed < first + count; seed++) {
        running = seed;
        run(kind, seed);
    }
    running = 0;
}

static int tell_seed(void **state)
{
    const struct kind *kind = *state;
    if (running != 0) {
        print_error("%s zones%s: MUSTER_MODEL_SEED=%lu\n", kind->mode, kind->crashes ? " with power cuts" : "",
                    running);
    }
    running = 0;
    return 0;
}

int main(void)
{
    static struct kind dedicated = {.mode = "dedicated", .splits = true};
    static struct kind crashing = {.mode = "dedicated", .splits = true, .crashes = true};
    static struct kind shared = {.mode = "shared"}; /* of what ADR 5 leaves open, nothing is in it */
    const struct CMUnitTest tests[] = {
        {.name = "dedicated_zones_end_right",
         .test_func = run_seeds,
         .teardown_func = tell_seed,
         .initial_state = &dedicated},
        {.name = "dedicated_zones_end_right_after_power_cuts",
         .test_func = run_seeds,
         .teardown_func = tell_seed,
         .initial_state = &crashing},
        {.name = "shared_zones_end_right",
         .test_func = run_seeds,
         .teardown_func = tell_seed,
         .initial_state = &shared},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
