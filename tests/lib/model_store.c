/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/model_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void open_file(struct model_store *store)
{
    struct errinfo info = {0};
    const struct store_options options = {.path = "/store.db", .vfs = POWERFS_NAME};
    assert_int_equal(store_sqlite.open(&options, &store->store, &info), ERR_OK);
}

void model_store_open(struct model_store *store, uint64_t seed)
{
    store->fs = powerfs_new(seed);
    store->rows_len = 0;
    open_file(store);
}

void model_store_close(struct model_store *store)
{
    store_sqlite.close(store->store);
    powerfs_free(store->fs);
}

static enum err keep_row(void *context, const struct store_record *record)
{
    struct model_store *store = context;
    assert_true(store->rows_len < MODEL_ROWS_MAX);
    struct model_store_texts *texts = &store->texts[store->rows_len];
    struct store_record *kept = &store->rows[store->rows_len++];
    *kept = *record;
    assert_int_equal(view_copy(view_of(record->zone), texts->zone, sizeof(texts->zone)), ERR_OK);
    assert_int_equal(view_copy(view_of(record->name), texts->name, sizeof(texts->name)), ERR_OK);
    kept->zone = texts->zone;
    kept->name = texts->name;
    kept->error = "";
    if (record->device != NULL) {
        assert_int_equal(view_copy(view_of(record->device), texts->device, sizeof(texts->device)), ERR_OK);
        kept->device = texts->device;
    }
    return ERR_OK;
}

void model_store_read(struct model_store *store, const struct store_record_query *query)
{
    store->rows_len = 0;
    assert_int_equal(store_sqlite.each_record(store->store, query, keep_row, store), ERR_OK);
}

void model_store_cut(struct model_store *store, enum powerfs_survival survival)
{
    powerfs_plan(store->fs, POWERFS_CUT, 1);
    store_sqlite.close(store->store);
    powerfs_reboot(store->fs, survival);
    open_file(store);
}
