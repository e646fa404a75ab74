/* SPDX-License-Identifier: Apache-2.0 */
/* The file, its tables, and how statements are run. */
#include "provisioner/store.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "provisioner/store_private.h"

#define APPLICATION_ID 1297306704 /* 0x4d535450: "MSTP" */

static const char *const migrations[] = {
    "PRAGMA application_id = 1297306704;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), uuid TEXT NOT NULL, rev INTEGER NOT NULL,"
    "  told INTEGER NOT NULL, secret BLOB NOT NULL) STRICT;"
    "CREATE TABLE batch(id TEXT PRIMARY KEY, digest BLOB NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    "  added_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, activation_s INTEGER NOT NULL, quota INTEGER NOT NULL,"
    "  disabled INTEGER NOT NULL, manifest TEXT NOT NULL) STRICT;"
    "CREATE TABLE station(batch TEXT NOT NULL REFERENCES batch(id), name TEXT NOT NULL, key BLOB NOT NULL,"
    "  manifest BLOB NOT NULL, lines INTEGER NOT NULL, last BLOB NOT NULL, PRIMARY KEY(batch, name)) STRICT;"
    "CREATE TABLE device(id TEXT PRIMARY KEY, serial TEXT NOT NULL UNIQUE, batch TEXT NOT NULL REFERENCES batch(id),"
    "  key BLOB NOT NULL UNIQUE, label BLOB NOT NULL, life INTEGER NOT NULL, held INTEGER NOT NULL,"
    "  owner TEXT NOT NULL, grp TEXT NOT NULL, site TEXT NOT NULL, was_owner TEXT NOT NULL, was_grp TEXT NOT NULL,"
    "  was_site TEXT NOT NULL, moved_ms INTEGER NOT NULL, tested INTEGER NOT NULL, had_one INTEGER NOT NULL,"
    "  made_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, rev INTEGER NOT NULL, shard INTEGER NOT NULL) STRICT;"
    "CREATE INDEX device_rev ON device(rev);"
    "CREATE INDEX device_batch ON device(batch, had_one);"
    "CREATE TABLE certificate(issuer TEXT NOT NULL, serial TEXT NOT NULL, device TEXT NOT NULL REFERENCES device(id),"
    "  spki BLOB NOT NULL, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 5), not_before_s INTEGER NOT NULL,"
    "  not_after_s INTEGER NOT NULL, renew_ms INTEGER NOT NULL, issued_ms INTEGER NOT NULL,"
    "  attempted_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, der BLOB NOT NULL, PRIMARY KEY(issuer, serial))"
    "  STRICT;"
    "CREATE INDEX certificate_device ON certificate(device, issued_ms);"
    "CREATE INDEX certificate_spki ON certificate(spki);"
    "CREATE INDEX certificate_waits ON certificate(state, attempted_ms, changed_ms) WHERE state <> 3;"
    "CREATE TABLE authority(key_id TEXT PRIMARY KEY, der BLOB NOT NULL) STRICT;"
    "CREATE TABLE revoking(issuer TEXT NOT NULL, serial TEXT NOT NULL, device TEXT NOT NULL,"
    "  PRIMARY KEY(issuer, serial)) STRICT;"
    "CREATE TABLE event(n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL,"
    "  device TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_device ON event(device, n);",
};

static const struct sql_schema schema = {
    .application_id = APPLICATION_ID,
    .migrations = migrations,
    .len = ARRAY_LEN(migrations),
    .first = "INSERT INTO meta(id, uuid, rev, told, secret) VALUES(1, '%s', 0, 0, x'')",
    .not_us = "this SQLite file is not a provisioner's",
};

static const char *const statement_sql[] = {
#define X(name, sql) sql,
    STORE_STATEMENTS(X)
#undef X
};

/* ---- statements ---- */

static int bind_all(sqlite3_stmt *statement, const char *format, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 0; format[i] != '\0'; i++) {
        if (format[i] == 't') {
            rc |= sql_bind_text(statement, i + 1, va_arg(args, const char *));
        } else if (format[i] == 'i') {
            rc |= sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
        } else {
            const void *ptr = va_arg(args, const void *);
            rc |= sqlite3_bind_blob64(statement, i + 1, ptr, va_arg(args, size_t), SQLITE_STATIC);
        }
    }
    return rc;
}

static enum err prepare(struct store *store, enum store_statement which, sqlite3_stmt **ret_statement,
                        const char *format, va_list args)
{
    sqlite3_stmt **slot = &store->statements[which];
    int rc = SQLITE_OK;
    if (*slot == NULL) {
        rc = sqlite3_prepare_v3(store->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    }
    rc = rc == SQLITE_OK ? bind_all(*slot, format, args) : rc;
    if (rc != SQLITE_OK) {
        return sql_error(store->db, rc, "prepare a statement", &store->info);
    }
    *ret_statement = *slot;
    return ERR_OK;
}

enum err store_bind(struct store *store, enum store_statement which, sqlite3_stmt **ret_statement, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    enum err err = prepare(store, which, ret_statement, format, args);
    va_end(args);
    return err;
}

enum err store_run(struct store *store, enum store_statement which, const char *format, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list args;
    va_start(args, format);
    enum err err = prepare(store, which, &statement, format, args);
    va_end(args);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_DONE) {
        err = sql_error(store->db, rc, "write to the store", &store->info);
        bool taken = rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY;
        err = taken ? ERR_EXISTS : err;
    }
    store_done(statement);
    return err;
}

bool store_next(struct store *store, sqlite3_stmt *statement, enum err *err)
{
    int rc = *err == ERR_OK ? sqlite3_step(statement) : SQLITE_DONE;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        *err = sql_error(store->db, rc, "read the store", &store->info);
    }
    return rc == SQLITE_ROW;
}

void store_done(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);          /* repeats the code of the step, which is already judged */
    (void)sqlite3_clear_bindings(statement); /* cannot fail */
}

bool store_text(sqlite3_stmt *statement, int column, char *buffer, size_t size)
{
    const char *text = NULL;
    return sql_read_text(statement, column, &text) && text != NULL && view_copy(view_of(text), buffer, size) == ERR_OK;
}

bool store_blob(sqlite3_stmt *statement, int column, uint8_t *buffer, size_t len)
{
    const void *blob = sqlite3_column_blob(statement, column);
    if (blob == NULL || (size_t)sqlite3_column_bytes(statement, column) != len) {
        return false;
    }
    memcpy(buffer, blob, len);
    return true;
}

/* ---- life ---- */

static enum err read_events_end(struct store *store)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_EVENT_LAST, &statement, "");
    if (err != ERR_OK) {
        return err;
    }
    if (store_next(store, statement, &err)) {
        store->events = (uint64_t)sqlite3_column_int64(statement, 0);
        if (!store_blob(statement, 1, store->last_hash, sizeof(store->last_hash))) {
            err = errinfo_set(&store->info, ERR_CORRUPT, "store", 0, "the last event has no digest");
        }
    }
    store_done(statement);
    return err;
}

static enum err read_meta(struct store *store, bool *ret_has_secret)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_META_GET, &statement, "");
    if (err != ERR_OK) {
        return err;
    }
    if (!store_next(store, statement, &err) || !store_text(statement, 0, store->uuid, sizeof(store->uuid))) {
        err = err != ERR_OK ? err : errinfo_set(&store->info, ERR_CORRUPT, "store", 0, "the store has lost its uuid");
    } else {
        store->rev = (uint64_t)sqlite3_column_int64(statement, 1);
        store->told = (uint64_t)sqlite3_column_int64(statement, 2);
        *ret_has_secret = store_blob(statement, 3, store->secret, sizeof(store->secret));
    }
    store_done(statement);
    return err;
}

static enum err load(struct store *store)
{
    bool has_secret = false;
    uint32_t from = 0;
    enum err err = sql_migrate(store->db, &schema, &from, &store->info);
    if (err == ERR_OK) {
        err = sql_check(store->db, &store->info);
    }
    if (err == ERR_OK) {
        err = read_meta(store, &has_secret);
    }
    if (err == ERR_OK && !has_secret) {
        crypto_random(store->secret, sizeof(store->secret));
        err = store_run(store, STMT_META_SECRET, "b", store->secret, sizeof(store->secret));
    }
    return err == ERR_OK ? read_events_end(store) : err;
}

enum err store_open(const char *path, struct store **ret_store, struct errinfo *info)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    }
    enum err err = sql_open(&(const struct sql_options){.path = path}, &store->db, &store->info);
    if (err == ERR_OK) {
        err = load(store);
    }
    if (err != ERR_OK) {
        if (info != NULL) {
            *info = store->info;
        }
        store_close(store);
        return err;
    }
    *ret_store = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]); /* repeats the code of the last step */
    }
    (void)sqlite3_close(store->db); /* nothing is open in it any more; what is committed is durable already */
    crypto_zeroise(store->secret, sizeof(store->secret));
    free(store);
}

enum err store_begin(struct store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0) { /* an earlier one could not even be rolled back */
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    store->rev_before = store->rev;
    store->events_before = store->events;
    memcpy(store->hash_before, store->last_hash, SHA256_SIZE);
    return store_run(store, STMT_BEGIN, "");
}

enum err store_end(struct store *store, enum err err)
{
    if (err == ERR_OK && store->rev != store->rev_before) {
        err = store_run(store, STMT_META_REV, "i", (int64_t)store->rev);
    }
    if (err == ERR_OK) {
        err = store_run(store, STMT_COMMIT, "");
    }
    if (err != ERR_OK) {
        if (sqlite3_get_autocommit(store->db) == 0) { /* some errors have rolled back already */
            (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        }
        store->rev = store->rev_before;
        store->events = store->events_before;
        memcpy(store->last_hash, store->hash_before, SHA256_SIZE);
    }
    return err;
}

const struct errinfo *store_error(const struct store *store)
{
    return &store->info;
}

const char *store_uuid(const struct store *store)
{
    return store->uuid;
}

const uint8_t *store_secret(const struct store *store)
{
    return store->secret;
}

uint64_t store_rev(const struct store *store)
{
    return store->rev;
}

uint64_t store_told(const struct store *store)
{
    return store->told;
}

enum err store_set_told(struct store *store, uint64_t rev)
{
    enum err err = store_run(store, STMT_META_TOLD, "i", (int64_t)rev);
    if (err == ERR_OK) {
        store->told = rev;
    }
    return err;
}

/* ---- events ---- */

void event_hash(const uint8_t prev[static SHA256_SIZE], const struct event_row *event,
                uint8_t ret_hash[static SHA256_SIZE])
{
    struct strbuf text;
    char hex[2 * SHA256_SIZE + 1];
    crypto_hex(prev, SHA256_SIZE, hex);
    strbuf_init(&text, 8192); /* an event's texts are far below; what did not fit would not be covered */
    (void)strbuf_addf(&text, "%s\n%llu\n%lld\n%s\n%s\n%s\n%s\n", hex, (unsigned long long)event->n,
                      (long long)event->at_ms, event->actor, event->act, event->device, event->detail);
    crypto_sha256(strbuf_view(&text), ret_hash);
    strbuf_deinit(&text);
}

enum err store_add_event(struct store *store, const struct event_row *event)
{
    struct event_row row = *event;
    row.n = store->events + 1;
    event_hash(store->last_hash, &row, row.hash);
    enum err err = store_run(store, STMT_EVENT_ADD, "iittttb", (int64_t)row.n, row.at_ms, row.actor, row.act,
                             row.device, row.detail, row.hash, sizeof(row.hash));
    if (err == ERR_OK) {
        store->events = row.n;
        memcpy(store->last_hash, row.hash, SHA256_SIZE);
    }
    return err;
}

static bool read_event(sqlite3_stmt *statement, struct event_row *row)
{
    const char **texts[] = {&row->actor, &row->act, &row->device, &row->detail};
    row->n = (uint64_t)sqlite3_column_int64(statement, 0);
    row->at_ms = sqlite3_column_int64(statement, 1);
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++) {
        if (!sql_read_text(statement, 2 + i, texts[i]) || *texts[i] == NULL) {
            return false;
        }
    }
    return store_blob(statement, 6, row->hash, sizeof(row->hash));
}

enum err store_each_event(struct store *store, const char *device, uint64_t after, size_t limit,
                          enum err (*each)(void *context, const struct event_row *event), void *context)
{
    sqlite3_stmt *statement = NULL;
    bool all = device[0] == '\0';
    enum err err =
        all ? store_bind(store, STMT_EVENT_ALL, &statement, "ii", (int64_t)after, (int64_t)limit)
            : store_bind(store, STMT_EVENT_DEVICE, &statement, "iit", (int64_t)after, (int64_t)limit, device);
    if (err != ERR_OK) {
        return err;
    }
    while (store_next(store, statement, &err)) {
        struct event_row row = {0};
        err = read_event(statement, &row) ? each(context, &row)
                                          : errinfo_set(&store->info, ERR_CORRUPT, "store", 0, "an event is damaged");
    }
    store_done(statement);
    return err;
}
