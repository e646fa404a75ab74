/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, their migrations and the check at start. A migration is never changed once released: add the next. */
#include <sys/random.h>

#include <stdio.h>

#include "base/clock.h"
#include "coordinator/store/sqlite_db.h"

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
};

/* RFC 9562 5.4: random, version 4, variant 10. */
static enum err make_uuid(char ret_uuid[static STORE_UUID_SIZE], struct errinfo *info)
{
    uint8_t b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        return errinfo_set(info, ERR_IO, "store", 0, "no random bytes from the system");
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret_uuid, STORE_UUID_SIZE, /* exactly 36 characters */
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
                   b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return ERR_OK;
}

static enum err make_meta(struct store *store, struct errinfo *info)
{
    char uuid[STORE_UUID_SIZE], sql[160];
    enum err err = make_uuid(uuid, info);
    if (err != ERR_OK) {
        return err;
    }
    (void)snprintf(sql, sizeof(sql), /* 36 hex digits and dashes: fits, nothing to quote */
                   "INSERT INTO meta(id, uuid, last_rev, clean) VALUES(1, '%s', 0, 1)", uuid);
    return sqlite_db_exec(store, sql, "name the store", info);
}

static enum err migrate_one(struct store *store, uint32_t version, struct errinfo *info)
{
    char pragma[64];
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", version + 1); /* bounded by its two numbers */
    enum err err = sqlite_begin(store, info);
    if (err != ERR_OK) {
        return err;
    }
    err = sqlite_db_exec(store, migrations[version], "migrate the store", info);
    if (err == ERR_OK) {
        err = sqlite_db_exec(store, pragma, "number the schema", info);
    }
    if (err == ERR_OK && version == 0) {
        err = make_meta(store, info); /* in the same transaction: there is no store without its uuid */
    }
    return sqlite_end(store, err, info);
}

static enum err migrate(struct store *store, struct errinfo *info)
{
    int64_t version = 0, objects = 0, application = 0;
    enum err err = sqlite_db_number(store, "PRAGMA user_version", &version, info);
    if (err == ERR_OK) {
        err = sqlite_db_number(store, "PRAGMA application_id", &application, info);
    }
    if (err == ERR_OK) {
        err = sqlite_db_number(store, "SELECT count(*) FROM sqlite_schema", &objects, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (application != APPLICATION_ID && (version != 0 || objects != 0)) {
        return errinfo_set(info, ERR_INVALID, "store", 0, "this SQLite file is not a Muster store");
    }
    if (version < 0 || (size_t)version > ARRAY_LEN(migrations)) {
        return errinfo_set(info, ERR_UNSUPPORTED, "store", (long)version,
                           "the store has schema %lld, made by a newer Muster; this one knows up to %zu",
                           (long long)version, ARRAY_LEN(migrations));
    }
    store->facts.schema_from = (uint32_t)version;
    for (uint32_t at = (uint32_t)version; err == ERR_OK && at < ARRAY_LEN(migrations); at++) {
        err = migrate_one(store, at, info);
    }
    store->facts.schema = ARRAY_LEN(migrations);
    return err;
}

/* quick_check(1) stops at the first finding and returns it as text, or "ok". */
static enum err check(struct store *store, struct errinfo *info)
{
    uint64_t start = clock_mono_ms();
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    enum err err = ERR_OK;
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (rc != SQLITE_ROW) {
        err = sqlite_db_error(store, rc, "check the store", info);
    } else if (text == NULL) {
        err = errinfo_set(info, ERR_NOMEM, "store", 0, "cannot check the store: out of memory");
    } else if (sqlite3_stricmp(text, "ok") != 0) {
        err = errinfo_set(info, ERR_CORRUPT, "store", SQLITE_CORRUPT, "the store is damaged: %s", text);
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
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
    enum err err = migrate(store, info);
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
