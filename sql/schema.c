/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/strbuf.h"

/* RFC 9562 5.4: random, version 4, variant 10. */
static enum err make_uuid(char ret_uuid[static SQL_UUID_SIZE], struct errinfo *info)
{
    uint8_t b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        return errinfo_set(info, ERR_IO, "store", 0, "no random bytes from the system");
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret_uuid, SQL_UUID_SIZE, /* exactly 36 characters */
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
                   b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return ERR_OK;
}

static enum err first_rows(sqlite3 *db, const struct sql_schema *schema, struct errinfo *info)
{
    char uuid[SQL_UUID_SIZE];
    struct strbuf sql;
    strbuf_init(&sql, SQL_UUID_SIZE + strlen(schema->first));
    struct view rest = view_of(schema->first), before, after;
    bool cut = view_next(&rest, '%', &before);
    after = cut && rest.len > 0 ? view_n(rest.ptr + 1, rest.len - 1) : view_of(NULL);
    enum err err = make_uuid(uuid, info);
    if (err == ERR_OK) {
        (void)strbuf_add(&sql, before); /* sticky */
        (void)strbuf_adds(&sql, uuid);
        (void)strbuf_add(&sql, after);
        err = strbuf_error(&sql);
    }
    if (err == ERR_OK) {
        err = sql_exec(db, strbuf_str(&sql), "name the store", info);
    }
    strbuf_deinit(&sql);
    return err;
}

static enum err migrate_one(sqlite3 *db, const struct sql_schema *schema, uint32_t version, struct errinfo *info)
{
    char pragma[64];
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", version + 1); /* bounded by its two numbers */
    enum err err = sql_exec(db, "BEGIN IMMEDIATE", "migrate the store", info);
    if (err != ERR_OK) {
        return err;
    }
    err = sql_exec(db, schema->migrations[version], "migrate the store", info);
    if (err == ERR_OK) {
        err = sql_exec(db, pragma, "number the schema", info);
    }
    if (err == ERR_OK && version == 0) {
        err = first_rows(db, schema, info); /* in the same transaction: there is no store without its uuid */
    }
    if (err == ERR_OK) {
        err = sql_exec(db, "COMMIT", "migrate the store", info);
    }
    if (err != ERR_OK && sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* the connection is closed after this */
    }
    return err;
}

enum err sql_migrate(sqlite3 *db, const struct sql_schema *schema, uint32_t *ret_from, struct errinfo *info)
{
    int64_t version = 0, objects = 0, application = 0;
    enum err err = sql_number(db, "PRAGMA user_version", &version, info);
    if (err == ERR_OK) {
        err = sql_number(db, "PRAGMA application_id", &application, info);
    }
    if (err == ERR_OK) {
        err = sql_number(db, "SELECT count(*) FROM sqlite_schema", &objects, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (application != schema->application_id && (version != 0 || objects != 0)) {
        return errinfo_set(info, ERR_INVALID, "store", 0, "%s", schema->not_us);
    }
    if (version < 0 || version > schema->len) {
        return errinfo_set(info, ERR_UNSUPPORTED, "store", (long)version,
                           "the store has schema %lld, made by a newer Muster; this one knows up to %u",
                           (long long)version, schema->len);
    }
    for (uint32_t at = (uint32_t)version; err == ERR_OK && at < schema->len; at++) {
        err = migrate_one(db, schema, at, info);
    }
    if (err == ERR_OK) {
        *ret_from = (uint32_t)version;
    }
    return err;
}

/* quick_check(1) stops at the first finding and returns it as text, or "ok". */
enum err sql_check(sqlite3 *db, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    enum err err = ERR_OK;
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (rc != SQLITE_ROW) {
        err = sql_error(db, rc, "check the store", info);
    } else if (text == NULL) {
        err = errinfo_set(info, ERR_NOMEM, "store", 0, "cannot check the store: out of memory");
    } else if (sqlite3_stricmp(text, "ok") != 0) {
        err = errinfo_set(info, ERR_CORRUPT, "store", SQLITE_CORRUPT, "the store is damaged: %s", text);
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return err;
}
