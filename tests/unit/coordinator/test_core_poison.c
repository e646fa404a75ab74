/* SPDX-License-Identifier: Apache-2.0 */
/* A row that the store refuses for good, in the real one, and what stood in a batch with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/core_rig.h"

#define DEVICES 100

static struct rig rig;
static struct store *store;
static char path[128];

static int start(void **state)
{
    (void)state;
    struct errinfo info = {0};
    rig_start(&rig, &(struct rig_config){0});
    (void)snprintf(path, sizeof(path), "%s/store.db", rig.folder); /* fits */
    assert_int_equal(store_sqlite.open(&(struct store_options){.path = path}, &store, &info), ERR_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    store_sqlite.close(store);
    (void)unlink(path); /* else the rig's folder stays, and shows itself */
    rig_stop(&rig);
    return 0;
}

static const char *id_of(int number)
{
    static char id[16];
    (void)snprintf(id, sizeof(id), "cam-%d", number); /* fits */
    return id;
}

static const char *name_of(int number)
{
    static char name[32];
    (void)snprintf(name, sizeof(name), "cam-%d.example.net", number); /* fits */
    return name;
}

static void report(int number, uint32_t seq)
{
    char address[24];
    (void)snprintf(address, sizeof(address), "93.184.%u.%d", seq, 1 + number); /* fits */
    rig_report(&rig, id_of(number), seq, address);
}

static bool is_poisoned(int number)
{
    return number == 3 || number == 4 || number == 57 || number == 99;
}

/* Whatever batch it comes in. */
static void poison_wants(void)
{
    for (int i = 0; i < DEVICES; i++) {
        struct store_want *want = is_poisoned(i) ? rig_batch_want(&rig, name_of(i)) : NULL;
        if (want != NULL) {
            want->device = NULL; /* nobody's, and not a tombstone */
        }
    }
}

/* @return how often the store was asked. */
static unsigned commit_all(void (*spoil)(void))
{
    unsigned asked = 0;
    core_flush(rig.core, rig.now);
    while (rig.batch != NULL) {
        struct errinfo info = {0};
        if (spoil != NULL) {
            spoil();
        }
        rig_commit(&rig, store_sqlite.commit(store, rig.batch, &info));
        assert_true(asked++ < 10 * DEVICES);
    }
    return asked;
}

static bool is_durable(int number)
{
    struct device_table *devices = core_devices(rig.core);
    return (device_at(devices, device_find(devices, view_of(id_of(number))))->flags & DEVICE_DURABLE) != 0;
}

static enum err count(void *context, const struct store_record *record)
{
    (void)record;
    ++*(unsigned *)context;
    return ERR_OK;
}

static unsigned rows(void)
{
    unsigned rows = 0;
    assert_int_equal(store_sqlite.each_record(store, &(struct store_record_query){.device = NULL}, count, &rows),
                     ERR_OK);
    return rows;
}

static void a_want_that_cannot_be_stored_stops_no_other(void **state)
{
    (void)state;
    rig_report(&rig, id_of(0), 1, "93.184.0.1"); /* its commit gathers the others */
    for (int i = 1; i < DEVICES; i++) {
        report(i, 1);
    }
    assert_true(commit_all(poison_wants) < 60);
    for (int i = 0; i < DEVICES; i++) {
        assert_int_equal(is_durable(i), !is_poisoned(i));
    }
    unsigned stored = rows();
    assert_true(stored >= DEVICES - 4 && stored % (DEVICES - 4) == 0);
    assert_string_equal(rig_stats(&rig).store_state, "ok");
    report(57, 1); /* repeated, and the cause is mended */
    assert_true(commit_all(NULL) < 4);
    assert_true(is_durable(57));
    assert_int_equal(rows(), stored / (DEVICES - 4) * (DEVICES - 3));
}

/* The zone's owner record holds what no integer of the database can. */
static void outcomes_that_cannot_be_stored_stop_no_want(void **state)
{
    (void)state;
    rig.epoch = UINT64_MAX;
    for (int i = 0; i < DEVICES; i++) {
        report(i, 1);
        rig_settle(&rig, rig_change(&rig, name_of(i), RRTYPE_A), OUTCOME_APPLIED, NULL);
    }
    assert_true(commit_all(NULL) < 5 * DEVICES);
    for (int i = 0; i < DEVICES; i++) {
        assert_true(is_durable(i));
    }
    assert_true(core_is_durable(rig.core));
}

static void a_full_disk_in_between_harms_nothing(void **state)
{
    (void)state;
    report(0, 1);
    for (int i = 1; i < 8; i++) {
        report(i, 1);
    }
    for (int i = 0; rig.batch != NULL || !core_is_durable(rig.core); i++) {
        struct errinfo info = {0};
        if (rig.batch == NULL) {
            rig_pass(&rig, 1000); /* the next try */
            continue;
        }
        poison_wants();
        rig_commit(&rig, i % 3 == 1 ? ERR_FULL : store_sqlite.commit(store, rig.batch, &info));
        assert_true(i < 200);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(is_durable(i), !is_poisoned(i));
    }
    assert_string_equal(rig_stats(&rig).store_state, "ok");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_want_that_cannot_be_stored_stops_no_other),
        TEST(outcomes_that_cannot_be_stored_stop_no_want),
        TEST(a_full_disk_in_between_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
