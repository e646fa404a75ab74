/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts and failing disks at every single step of a workload: what was committed is there, nothing is there in
 * part, the database is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/powerfs.h"
#include "tests/lib/store_script.h"

#define BATCHES 7

/* A short log, so that checkpoints and the log's next round are among the steps. */
static const struct store_options options = {.path = "/store.db", .vfs = POWERFS_NAME, .checkpoint_pages = 24};

struct run {
    uint64_t acked; /* last batch whose commit returned ERR_OK */
    uint64_t epoch; /* last epoch that was claimed */
};

/* Opens, claims, commits batches from where the store stands until @p until or the first failure, closes. */
static enum err run_until(struct run *run, uint64_t until)
{
    struct store *store;
    enum err err = store_sqlite.open(&options, &store, NULL);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t epoch = 0, k = 0;
    err = store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL);
    if (err == ERR_OK) {
        run->epoch = epoch;
        err = store_sqlite.last_rev(store, &k);
    }
    while (err == ERR_OK && k < until) {
        err = script_commit(&store_sqlite, store, ++k, epoch, NULL);
        if (err == ERR_OK) {
            run->acked = k;
        }
    }
    store_sqlite.close(store);
    return err;
}

/* Opening checks the whole file (quick_check); the script's oracle checks every row. */
static void verify(const struct run *run, uint64_t attempted)
{
    struct store *store;
    struct errinfo info = {0};
    enum err err = store_sqlite.open(&options, &store, &info);
    if (err != ERR_OK) {
        fail_msg("cannot open after the fault: %s", info.text);
    }
    uint64_t k = script_check(&store_sqlite, store), epoch = 0;
    assert_true(k >= run->acked && k <= attempted);
    assert_int_equal(store_sqlite.zone_epoch(store, SCRIPT_ZONE, &epoch), ERR_OK);
    assert_true(epoch >= run->epoch);
    struct store_facts facts;
    store_sqlite.facts(store, &facts);
    assert_true(facts.checked);
    store_sqlite.close(store);
}

/* Grows n until the whole workload passes without reaching the fault. */
static void cut_at_every_step(enum powerfs_survival survival, uint64_t first_batches)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct powerfs *fs = powerfs_new(n);
        struct run run = {0};
        if (first_batches > 0) {
            assert_int_equal(run_until(&run, first_batches), ERR_OK);
        }
        powerfs_plan(fs, POWERFS_CUT, n);
        enum err err = run_until(&run, BATCHES);
        struck = powerfs_struck(fs);
        assert_true(struck || err == ERR_OK);
        powerfs_reboot(fs, survival);
        verify(&run, run.acked + 1);
        assert_int_equal(run_until(&run, BATCHES + 2), ERR_OK); /* and it goes on from there */
        verify(&run, BATCHES + 2);
        powerfs_free(fs);
    }
}

static void power_cut_at_every_step_of_a_new_store(void **state)
{
    (void)state;
    for (int survival = 0; survival < POWERFS_SURVIVALS_; survival++) {
        cut_at_every_step((enum powerfs_survival)survival, 0);
    }
}

static void power_cut_at_every_step_of_a_standing_store(void **state)
{
    (void)state;
    for (int survival = 0; survival < POWERFS_SURVIVALS_; survival++) {
        cut_at_every_step((enum powerfs_survival)survival, 3);
    }
}

/* A step that fails once; then the power goes too, at the end of the workload, and takes what no sync made durable. */
static void fail_at_every_step(enum powerfs_fault fault, enum powerfs_survival survival)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct powerfs *fs = powerfs_new(n);
        struct run run = {0};
        powerfs_plan(fs, fault, n);
        enum err err = run_until(&run, BATCHES);
        struck = powerfs_struck(fs) || powerfs_steps(fs) >= n;
        if (err != ERR_OK) {
            assert_true(err == (fault == POWERFS_EIO ? ERR_IO : ERR_FULL));
            err = run_until(&run, BATCHES); /* the caller tries again */
        }
        assert_int_equal(err, ERR_OK);
        assert_int_equal(run.acked, BATCHES);
        powerfs_reboot(fs, survival);
        verify(&run, BATCHES);
        powerfs_free(fs);
    }
}

static void one_failing_write_or_sync_loses_nothing(void **state)
{
    (void)state;
    fail_at_every_step(POWERFS_EIO, POWERFS_LOSE_ALL);
    fail_at_every_step(POWERFS_EIO, POWERFS_KEEP_SOME);
}

static void one_write_without_space_loses_nothing(void **state)
{
    (void)state;
    fail_at_every_step(POWERFS_FULL_ONCE, POWERFS_LOSE_ALL);
}

/* The same batch, on the same handle, until the cause is gone: an open store must recover without a restart. */
static void recovers_on_the_same_handle(enum powerfs_fault fault, enum err expected)
{
    for (uint64_t n = 1; n <= 12; n++) {
        struct powerfs *fs = powerfs_new(n);
        struct store *store;
        uint64_t epoch, failures = 0;
        assert_int_equal(store_sqlite.open(&options, &store, NULL), ERR_OK);
        assert_int_equal(store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL), ERR_OK);
        powerfs_plan(fs, fault, n);
        for (uint64_t k = 1; k <= BATCHES; k++) {
            struct errinfo info = {0};
            enum err err = script_commit(&store_sqlite, store, k, epoch, &info);
            if (err != ERR_OK) {
                failures++;
                assert_int_equal(err, expected);
                assert_int_equal(info.err, expected);
                assert_int_equal(script_check(&store_sqlite, store), k - 1); /* readable, and nothing of batch k */
                if (fault != POWERFS_EIO) { /* that one strikes once, the others stay */
                    assert_int_equal(script_commit(&store_sqlite, store, k, epoch, NULL), expected);
                }
                powerfs_plan(fs, POWERFS_NONE, 0);
                assert_int_equal(script_commit(&store_sqlite, store, k, epoch, NULL), ERR_OK);
            }
            assert_int_equal(script_check(&store_sqlite, store), k);
        }
        assert_true(failures > 0);
        store_sqlite.close(store);
        powerfs_reboot(fs, POWERFS_LOSE_ALL);
        verify(&(struct run){.acked = BATCHES, .epoch = epoch}, BATCHES);
        powerfs_free(fs);
    }
}

static void a_full_disk_is_told_and_recovered_from(void **state)
{
    (void)state;
    recovers_on_the_same_handle(POWERFS_FULL, ERR_FULL);
}

static void a_read_only_file_system_is_told_and_recovered_from(void **state)
{
    (void)state;
    recovers_on_the_same_handle(POWERFS_READONLY, ERR_READONLY);
}

static void a_failing_sync_is_told_and_recovered_from(void **state)
{
    (void)state;
    recovers_on_the_same_handle(POWERFS_EIO, ERR_IO);
}

static void damage_is_told(void **state)
{
    (void)state;
    struct powerfs *fs = powerfs_new(1);
    struct run run = {0};
    assert_int_equal(run_until(&run, BATCHES), ERR_OK);
    unsigned char noise[512];
    memset(noise, 0x5a, sizeof(noise));
    powerfs_damage(fs, "store.db", UINT64_C(3) * 4096, noise, sizeof(noise));
    struct store *store;
    struct errinfo info = {0};
    assert_int_equal(store_sqlite.open(&options, &store, &info), ERR_CORRUPT);
    assert_string_equal(info.layer, "store");
    assert_true(info.text[0] != '\0');
    powerfs_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cut_at_every_step_of_a_new_store),
        cmocka_unit_test(power_cut_at_every_step_of_a_standing_store),
        cmocka_unit_test(one_failing_write_or_sync_loses_nothing),
        cmocka_unit_test(one_write_without_space_loses_nothing),
        cmocka_unit_test(a_full_disk_is_told_and_recovered_from),
        cmocka_unit_test(a_read_only_file_system_is_told_and_recovered_from),
        cmocka_unit_test(a_failing_sync_is_told_and_recovered_from),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
