/* SPDX-License-Identifier: Apache-2.0 */
/* Stops: what services told us never to ask for again. Few rows, rarely written, each at once. */
#include <string.h>

#include "coordinator/store/sqlite_db.h"

enum err sqlite_each_stop(struct store *store, enum err (*each)(void *context, const struct store_stop *stop),
                          void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = sqlite_db_statement(store, STMT_STOP_ALL, &statement, NULL);
    for (bool more = err == ERR_OK; err == ERR_OK && more;) {
        int rc = sqlite3_step(statement);
        more = rc == SQLITE_ROW;
        if (!more) {
            err = rc == SQLITE_DONE ? ERR_OK : sqlite_db_error(store, rc, "read the stops", NULL);
            break;
        }
        struct store_stop stop = {.type = (enum rrtype)sqlite3_column_int(statement, 2),
                                  .both = sqlite3_column_int(statement, 3) != 0,
                                  .at_ms = sqlite3_column_int64(statement, 7)};
        bool whole = sql_read_text(statement, 0, &stop.account) && sql_read_text(statement, 1, &stop.name) &&
                     sql_read_text(statement, 4, &stop.error) && sql_read_text(statement, 5, &stop.detail);
        if (!whole || sqlite3_column_bytes(statement, 6) != STORE_FINGERPRINT_SIZE) {
            err = sqlite_row_error(store);
            break;
        }
        memcpy(stop.fingerprint, sqlite3_column_blob(statement, 6), STORE_FINGERPRINT_SIZE);
        err = each(context, &stop);
    }
    if (statement != NULL) {
        (void)sqlite3_reset(statement); /* repeats the code of the step */
    }
    return err;
}

enum err sqlite_put_stop(struct store *store, const struct store_stop *stop, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_STOP_PUT, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sql_bind_text(statement, 1, stop->account);
    rc |= sql_bind_text(statement, 2, stop->name);
    rc |= sqlite3_bind_int(statement, 3, (int)stop->type);
    rc |= sqlite3_bind_int(statement, 4, stop->both);
    rc |= sql_bind_text(statement, 5, stop->error);
    rc |= sql_bind_text(statement, 6, stop->detail);
    rc |= sqlite3_bind_blob(statement, 7, stop->fingerprint, STORE_FINGERPRINT_SIZE, SQLITE_STATIC);
    rc |= sqlite3_bind_int64(statement, 8, stop->at_ms);
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind a stop", info)
                           : sqlite_db_run(store, statement, "note a stop", info);
}

enum err sqlite_drop_stops(struct store *store, const char *account, const char *name, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_STOP_DROP, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sql_bind_text(statement, 1, account);
    rc |= name != NULL ? sql_bind_text(statement, 2, name) : sqlite3_bind_null(statement, 2);
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind a stop", info)
                           : sqlite_db_run(store, statement, "clear stops", info);
}
