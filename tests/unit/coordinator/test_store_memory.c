/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out inside SQLite at growing n: told as ERR_NOMEM, nothing in part, and the same batch goes through
 * afterwards. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/powerfs.h"
#include "tests/lib/store_script.h"

#define BATCHES 4

static sqlite3_mem_methods system_memory;
static uint64_t allocations, fail_at;
static bool fail_on; /* from fail_at on, not only there */

static bool refused(void)
{
    allocations++;
    return fail_at != 0 && (allocations == fail_at || (fail_on && allocations > fail_at));
}

static void *meagre_malloc(int size)
{
    return refused() ? NULL : system_memory.xMalloc(size);
}

static void *meagre_realloc(void *pointer, int size)
{
    return refused() ? NULL : system_memory.xRealloc(pointer, size);
}

static void plan(uint64_t at, bool on)
{
    allocations = 0;
    fail_at = at;
    fail_on = on;
}

static struct store *open_store(uint64_t *failures)
{
    struct store_options options = {.path = "/store.db", .vfs = POWERFS_NAME};
    struct store *store = NULL;
    enum err err = store_sqlite.open(&options, &store, NULL);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_NOMEM);
        (*failures)++;
        plan(0, false);
        assert_int_equal(store_sqlite.open(&options, &store, NULL), ERR_OK);
    }
    return store;
}

/* One life of a store with allocation @p n failing. @return false when n is past the last allocation. */
static bool live_with(uint64_t n, bool on, uint64_t *failures)
{
    struct powerfs *fs = powerfs_new(n);
    plan(n, on);
    struct store *store = open_store(failures);
    uint64_t epoch = 0;
    enum err err = store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_NOMEM);
        (*failures)++;
        plan(0, false);
        assert_int_equal(store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL), ERR_OK);
    }
    for (uint64_t k = 1; k <= BATCHES; k++) {
        err = script_commit(&store_sqlite, store, k, epoch, NULL);
        if (err != ERR_OK) {
            assert_int_equal(err, ERR_NOMEM);
            (*failures)++;
            plan(0, false);
            assert_int_equal(script_check(&store_sqlite, store), k - 1);
            assert_int_equal(script_commit(&store_sqlite, store, k, epoch, NULL), ERR_OK);
        }
    }
    bool reached = fail_at == 0 || allocations >= n;
    plan(0, false);
    assert_int_equal(script_check(&store_sqlite, store), BATCHES);
    store_sqlite.close(store);
    powerfs_reboot(fs, POWERFS_LOSE_ALL);
    uint64_t none = 0;
    store = open_store(&none);
    assert_int_equal(script_check(&store_sqlite, store), BATCHES);
    store_sqlite.close(store);
    powerfs_free(fs);
    return reached;
}

static void loop(bool on)
{
    uint64_t failures = 0, n = 1;
    while (live_with(n, on, &failures)) {
        n += 1 + n / 128; /* every one at first, then closely */
    }
    assert_true(n > 1000 && failures > 300);
}

static void one_allocation_fails(void **state)
{
    (void)state;
    loop(false);
}

static void all_allocations_fail_from_there_on(void **state)
{
    (void)state;
    loop(true);
}

int main(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) != SQLITE_OK) {
        return 1;
    }
    sqlite3_mem_methods meagre = system_memory;
    meagre.xMalloc = meagre_malloc;
    meagre.xRealloc = meagre_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &meagre) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_fails),
        cmocka_unit_test(all_allocations_fail_from_there_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
