/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, their migrations and the check at start. A migration is never changed once released: add the next. */
#include "base/clock.h"
#include "coordinator/store/sqlite_db.h"
#include "sql/schema.h"

#define APPLICATION_ID 1297306706 /* 0x4d535452, "MSTR" in the file header: tells our files from others */

/* WITHOUT ROWID: every write finds its row by its natural key, so one tree instead of two. The natural order also keeps
 * neighbours (a site's devices, a zone's names) on the same pages, and the number of pages a batch touches is most of
 * its cost. `shard` and `device` are never in an UPDATE of a standing row: their indexes cost only when a row is made.
 * `record_pending` holds the open part of the outbox only. */
static const char *const migrations[] = {
    "PRAGMA application_id = 1297306706;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), uuid TEXT NOT NULL, last_rev INTEGER NOT NULL,"
    "  clean INTEGER NOT NULL) STRICT;"
    "CREATE TABLE zone(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL CHECK(epoch >= 0))"
    "  STRICT;"
    "CREATE TABLE device(id TEXT NOT NULL PRIMARY KEY, shard INTEGER NOT NULL CHECK(shard BETWEEN 0 AND 255),"
    "  boot INTEGER NOT NULL, conn INTEGER NOT NULL, seq INTEGER NOT NULL, content_hash INTEGER NOT NULL,"
    "  observed BLOB, ip4 BLOB, ip6 BLOB, prefix6 BLOB, presence INTEGER NOT NULL, flags INTEGER NOT NULL,"
    "  seen_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX device_shard ON device(shard);"
    "CREATE TABLE record(zone INTEGER NOT NULL REFERENCES zone(id), name TEXT NOT NULL,"
    "  type INTEGER NOT NULL CHECK(type IN (1, 28)), device TEXT, ttl INTEGER NOT NULL, want BLOB,"
    "  want_rev INTEGER NOT NULL, have BLOB, have_rev INTEGER NOT NULL DEFAULT 0,"
    "  not_before_ms INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',"
    "  changed_ms INTEGER NOT NULL, applied_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY(zone, name, type), CHECK(device IS NOT NULL OR want IS NULL)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX record_device ON record(device, zone, name, type);"
    "CREATE INDEX record_pending ON record(zone, name, type) WHERE want_rev > have_rev;",

    ("CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, event TEXT NOT NULL,"
     "  subject TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"),

    "ALTER TABLE meta ADD COLUMN reconciled INTEGER NOT NULL DEFAULT 0;",

    /* The counter of starts stood in a row that a zone could have had. It must not fall; a zone's row stays. */
    ("INSERT INTO zone(name, epoch) SELECT '" STORE_TERM_NAME "', epoch FROM zone WHERE name = 'coordinator';"
     "DELETE FROM zone WHERE name = 'coordinator' AND id NOT IN (SELECT zone FROM record);"),

    "ALTER TABLE device ADD COLUMN also6 BLOB;",

    ("CREATE TABLE stop(account TEXT NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL CHECK(type IN (1, 28)),"
     "  both INTEGER NOT NULL, error TEXT NOT NULL, detail TEXT NOT NULL, fingerprint BLOB NOT NULL,"
     "  at_ms INTEGER NOT NULL, PRIMARY KEY(account, name, type)) STRICT, WITHOUT ROWID;"),

    /* A table of its own: the ledger knows devices that never reported, and what it says changes once in a blue moon,
     * while a device's row is written with each report. */
    ("CREATE TABLE reg(id TEXT NOT NULL PRIMARY KEY, shard INTEGER NOT NULL CHECK(shard BETWEEN 0 AND 255),"
     "  state INTEGER NOT NULL, owned INTEGER NOT NULL, rev INTEGER NOT NULL CHECK(rev >= 0), grp TEXT NOT NULL,"
     "  site TEXT NOT NULL, suspect INTEGER NOT NULL, suspect_ms INTEGER NOT NULL, detail TEXT NOT NULL,"
     "  due INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE INDEX reg_shard ON reg(shard);"
     "ALTER TABLE meta ADD COLUMN feed TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE meta ADD COLUMN feed_rev INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE meta ADD COLUMN feed_complete INTEGER NOT NULL DEFAULT 0;"),
};

static const struct sql_schema schema = {
    .application_id = APPLICATION_ID,
    .migrations = migrations,
    .len = ARRAY_LEN(migrations),
    .first = "INSERT INTO meta(id, uuid, last_rev, clean) VALUES(1, '%s', 0, 1)",
    .not_us = "this SQLite file is not a Muster store",
};

static enum err check(struct store *store, struct errinfo *info)
{
    uint64_t start = clock_mono_ms();
    enum err err = sql_check(store->db, info);
    store->facts.checked = err == ERR_OK;
    store->facts.check_ms = clock_mono_ms() - start;
    return err;
}

static enum err read_meta(struct store *store, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, "SELECT uuid, last_rev, clean FROM meta", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    enum err err = ERR_OK;
    if (rc == SQLITE_ROW) {
        const char *uuid = (const char *)sqlite3_column_text(statement, 0);
        store->last_rev = (uint64_t)sqlite3_column_int64(statement, 1);
        store->facts.was_clean = sqlite3_column_int64(statement, 2) != 0;
        err = uuid != NULL ? view_copy(view_of(uuid), store->uuid, sizeof(store->uuid))
                           : errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    } else {
        err = rc == SQLITE_DONE ? errinfo_set(info, ERR_CORRUPT, "store", 0, "the store has lost its uuid")
                                : sqlite_db_error(store, rc, "read the store", info);
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return err;
}

enum err sqlite_schema_open(struct store *store, struct errinfo *info)
{
    enum err err = sql_migrate(store->db, &schema, &store->facts.schema_from, info);
    store->facts.schema = schema.len;
    if (err == ERR_OK) {
        err = read_meta(store, info);
    }
    if (err == ERR_OK) {
        err = check(store, info);
    }
    if (err == ERR_OK) {
        err = sqlite_db_exec(store, "UPDATE meta SET clean = 0", "write to the store", info);
    }
    return err;
}
