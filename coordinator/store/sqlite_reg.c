/* SPDX-License-Identifier: Apache-2.0 */
/* What the provisioner's ledger said of devices, and how much of it is here. */
#include <string.h>

#include "coordinator/store/sqlite_db.h"

static enum err put_reg(struct store *store, const struct store_reg *reg, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_REG_PUT, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sql_bind_text(statement, 1, reg->id);
    rc |= sqlite3_bind_int(statement, 2, reg->shard);
    rc |= sqlite3_bind_int(statement, 3, reg->state);
    rc |= sqlite3_bind_int(statement, 4, reg->owned);
    rc |= sqlite3_bind_int64(statement, 5, (sqlite3_int64)reg->rev);
    rc |= sql_bind_text(statement, 6, reg->group);
    rc |= sql_bind_text(statement, 7, reg->site);
    rc |= sqlite3_bind_int(statement, 8, reg->suspect);
    rc |= sqlite3_bind_int64(statement, 9, reg->suspect_ms);
    rc |= sql_bind_text(statement, 10, reg->detail);
    rc |= sqlite3_bind_int(statement, 11, reg->due);
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind a ledger's word", info)
                           : sqlite_db_run(store, statement, "write a ledger's word", info);
}

static enum err run_on_feed(struct store *store, enum sqlite_statement which, const struct store_feed *feed,
                            struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, which, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sql_bind_text(statement, 1, feed->feed);
    if (which == STMT_FEED_SET) {
        rc |= sqlite3_bind_int64(statement, 2, (sqlite3_int64)feed->rev);
        rc |= sqlite3_bind_int(statement, 3, feed->complete);
    }
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind the ledger's position", info)
                           : sqlite_db_run(store, statement, "note the ledger's position", info);
}

enum err sqlite_put_regs(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    enum err err = ERR_OK;
    if (batch->feed != NULL) { /* first: revisions of another ledger do not compare with what follows */
        err = run_on_feed(store, STMT_FEED_OTHER, batch->feed, info);
        if (err == ERR_OK) {
            err = run_on_feed(store, STMT_FEED_SET, batch->feed, info);
        }
    }
    for (size_t i = 0; err == ERR_OK && i < batch->regs_len; i++) {
        err = batch->regs[i].rev > INT64_MAX
                  ? errinfo_set(info, ERR_RANGE, "store", 0, "revision of %s is out of range", batch->regs[i].id)
                  : put_reg(store, &batch->regs[i], info);
    }
    return err;
}

static bool reg_of_row(sqlite3_stmt *row, struct store_reg *ret_reg)
{
    *ret_reg = (struct store_reg){
        .shard = (uint8_t)sqlite3_column_int(row, 1),
        .state = (uint8_t)sqlite3_column_int(row, 2),
        .owned = sqlite3_column_int(row, 3) != 0,
        .rev = (uint64_t)sqlite3_column_int64(row, 4),
        .suspect = (uint8_t)sqlite3_column_int(row, 7),
        .suspect_ms = sqlite3_column_int64(row, 8),
        .due = sqlite3_column_int(row, 10) != 0,
    };
    return sql_read_text(row, 0, &ret_reg->id) && sql_read_text(row, 5, &ret_reg->group) &&
           sql_read_text(row, 6, &ret_reg->site) && sql_read_text(row, 9, &ret_reg->detail);
}

enum err sqlite_each_reg(struct store *store, int shard, enum err (*each)(void *context, const struct store_reg *reg),
                         void *context)
{
    sqlite3_stmt *statement;
    enum err err =
        sqlite_db_statement(store, shard == STORE_ALL_SHARDS ? STMT_REG_ALL : STMT_REG_SHARD, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    if (shard != STORE_ALL_SHARDS) {
        (void)sqlite3_bind_int(statement, 1, shard); /* a number cannot fail to bind */
    }
    int rc = SQLITE_DONE;
    while (err == ERR_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_reg reg;
        err = reg_of_row(statement, &reg) ? each(context, &reg) : sqlite_row_error(store);
    }
    if (err == ERR_OK && rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "read the ledger's words", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

enum err sqlite_feed(struct store *store, struct store_feed *ret_feed)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_FEED_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    struct store_feed feed = {.rev = 0};
    const char *text = NULL;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW) {
        err = sqlite_db_error(store, rc, "read the ledger's position", NULL);
    } else if (!sql_read_text(statement, 0, &text) ||
               view_copy(view_of(text), feed.feed, sizeof(feed.feed)) != ERR_OK) {
        err = sqlite_row_error(store);
    } else {
        feed.rev = (uint64_t)sqlite3_column_int64(statement, 1);
        feed.complete = sqlite3_column_int(statement, 2) != 0;
        *ret_feed = feed;
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}
