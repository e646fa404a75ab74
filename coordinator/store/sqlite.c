/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and the ops table. */
#include "coordinator/store/sqlite_db.h"

#include <stdlib.h>
#include <string.h>

static void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->db != NULL && store->uuid[0] != '\0') {
        /* Without this mark (disk full) the next start only checks the file once more. */
        (void)sqlite3_exec(store->db, "UPDATE meta SET clean = 1", NULL, NULL, NULL);
    }
    for (size_t i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]); /* repeats the code of the last step */
    }
    sqlite_zone_forget_all(store);
    (void)sqlite3_close(store->db); /* nothing is open in it any more; what is committed is durable already */
    free(store);
}

static enum err store_open(const struct store_options *options, struct store **ret_store, struct errinfo *info)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    }
    store->audit_keep_ms = options->audit_keep_ms != 0 ? options->audit_keep_ms : STORE_AUDIT_KEEP_MS;
    const struct sql_options how = {
        .path = options->path, .vfs = options->vfs, .checkpoint_pages = options->checkpoint_pages};
    enum err err = sql_open(&how, &store->db, info);
    if (err == ERR_OK) {
        err = sqlite_schema_open(store, info);
    }
    if (err != ERR_OK) {
        store->uuid[0] = '\0'; /* no mark of an orderly close: nothing was opened */
        store_close(store);
        return err;
    }
    *ret_store = store;
    return ERR_OK;
}

static void store_facts(struct store *store, struct store_facts *ret_facts)
{
    *ret_facts = store->facts;
}

static void store_uuid(struct store *store, char ret_uuid[static STORE_UUID_SIZE])
{
    memcpy(ret_uuid, store->uuid, STORE_UUID_SIZE);
}

static enum err store_last_rev(struct store *store, uint64_t *ret_rev)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_REV_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_rev = (uint64_t)sqlite3_column_int64(statement, 0);
    } else {
        err = sqlite_db_error(store, rc, "read the last revision", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err store_reconciled(struct store *store, uint64_t *ret_fingerprint)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_RECONCILED_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_fingerprint = (uint64_t)sqlite3_column_int64(statement, 0);
    } else {
        err = sqlite_db_error(store, rc, "read the registry's fingerprint", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err store_set_reconciled(struct store *store, uint64_t fingerprint, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_RECONCILED_SET, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_bind_int64(statement, 1, (sqlite3_int64)fingerprint);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    if (rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "note the registry's fingerprint", info);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = store_open,
    .close = store_close,
    .commit = sqlite_commit,
    .facts = store_facts,
    .uuid = store_uuid,
    .last_rev = store_last_rev,
    .reconciled = store_reconciled,
    .set_reconciled = store_set_reconciled,
    .claim_zone = sqlite_zone_claim,
    .zone_epoch = sqlite_zone_epoch,
    .each_device = sqlite_each_device,
    .get_device = sqlite_get_device,
    .each_reg = sqlite_each_reg,
    .feed = sqlite_feed,
    .each_record = sqlite_each_record,
    .each_audit = sqlite_each_audit,
    .each_stop = sqlite_each_stop,
    .put_stop = sqlite_put_stop,
    .drop_stops = sqlite_drop_stops,
    .count = sqlite_count,
};
