/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over devices, records and the audit trail. */
#include <string.h>

#include "coordinator/store/sqlite_db.h"

/* The texts of the row live until the statement moves on, which is after the callback. */
static bool device_of_row(sqlite3_stmt *row, struct store_device *ret_device)
{
    bool known; /* NULL and an empty value are one here */
    *ret_device = (struct store_device){
        .id = (const char *)sqlite3_column_text(row, 0),
        .shard = (uint8_t)sqlite3_column_int(row, 1),
        .boot = (uint32_t)sqlite3_column_int64(row, 2),
        .conn = (uint32_t)sqlite3_column_int64(row, 3),
        .seq = (uint32_t)sqlite3_column_int64(row, 4),
        .content_hash = (uint64_t)sqlite3_column_int64(row, 5),
        .presence = (uint8_t)sqlite3_column_int(row, 10),
        .flags = (uint8_t)sqlite3_column_int(row, 11),
        .seen_ms = sqlite3_column_int64(row, 12),
        .changed_ms = sqlite3_column_int64(row, 13),
    };
    return ret_device->id != NULL && sqlite_read_ip(row, 6, &ret_device->observed) &&
           sqlite_read_value(row, 7, RRTYPE_A, &known, &ret_device->ip4) &&
           sqlite_read_value(row, 8, RRTYPE_AAAA, &known, &ret_device->ip6) &&
           sqlite_read_prefix(row, 9, &ret_device->prefix6) && sqlite_read_also6(row, 14, &ret_device->also6);
}

static enum err walk_devices(struct store *store, sqlite3_stmt *statement, size_t *ret_rows,
                             enum err (*each)(void *context, const struct store_device *device), void *context)
{
    enum err err = ERR_OK;
    int rc = SQLITE_DONE;
    while (err == ERR_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_device device;
        err = device_of_row(statement, &device) ? each(context, &device) : sqlite_row_error(store);
        (*ret_rows)++;
    }
    if (err == ERR_OK && rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "read devices", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

enum err sqlite_each_device(struct store *store, int shard,
                            enum err (*each)(void *context, const struct store_device *device), void *context)
{
    sqlite3_stmt *statement;
    size_t rows = 0;
    enum err err =
        sqlite_db_statement(store, shard == STORE_ALL_SHARDS ? STMT_DEVICE_ALL : STMT_DEVICE_SHARD, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    if (shard != STORE_ALL_SHARDS) {
        (void)sqlite3_bind_int(statement, 1, shard); /* a number cannot fail to bind */
    }
    return walk_devices(store, statement, &rows, each, context);
}

enum err sqlite_get_device(struct store *store, const char *id,
                           enum err (*each)(void *context, const struct store_device *device), void *context)
{
    sqlite3_stmt *statement;
    size_t rows = 0;
    enum err err = sqlite_db_statement(store, STMT_DEVICE_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    (void)sql_bind_text(statement, 1, id); /* a borrowed text cannot fail to bind */
    err = walk_devices(store, statement, &rows, each, context);
    return err == ERR_OK && rows == 0 ? ERR_NOTFOUND : err;
}

static bool record_of_row(sqlite3_stmt *row, const char *zone, struct store_record *ret_record)
{
    bool want_known;
    *ret_record = (struct store_record){
        .zone = zone,
        .name = (const char *)sqlite3_column_text(row, 0),
        .type = (enum rrtype)sqlite3_column_int(row, 1),
        .ttl = (uint32_t)sqlite3_column_int64(row, 3),
        .want_rev = (uint64_t)sqlite3_column_int64(row, 5),
        .have_rev = (uint64_t)sqlite3_column_int64(row, 7),
        .not_before_ms = sqlite3_column_int64(row, 8),
        .attempts = (uint32_t)sqlite3_column_int64(row, 9),
        .error = (const char *)sqlite3_column_text(row, 10),
        .changed_ms = sqlite3_column_int64(row, 11),
        .applied_ms = sqlite3_column_int64(row, 12),
    };
    if (ret_record->name == NULL || ret_record->error == NULL || !sql_read_text(row, 2, &ret_record->device) ||
        !sqlite_read_value(row, 4, ret_record->type, &want_known, &ret_record->want) ||
        !sqlite_read_value(row, 6, ret_record->type, &ret_record->have_known, &ret_record->have)) {
        return false;
    }
    ret_record->want_null = !want_known;
    return true;
}

struct record_walk {
    const struct store_record_query *query;
    enum err (*each)(void *context, const struct store_record *record);
    void *context;
    size_t left; /* SIZE_MAX = no limit */
};

static enum sqlite_statement record_statement(const struct store_record_query *query)
{
    if (query->device != NULL) {
        return query->pending_only ? STMT_RECORD_DEVICE_PENDING : STMT_RECORD_DEVICE;
    }
    return query->pending_only ? STMT_RECORD_PENDING : STMT_RECORD_ZONE;
}

static enum err walk_zone(struct store *store, struct record_walk *walk, int64_t id, const char *zone)
{
    const struct store_record_query *query = walk->query;
    bool resumed = query->after_zone != NULL && query->after_name != NULL && strcmp(zone, query->after_zone) == 0;
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, record_statement(query), &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_bind_int64(statement, 1, id);
    rc |= sql_bind_text(statement, 2, resumed ? query->after_name : "");
    rc |= sqlite3_bind_int(statement, 3, resumed ? (int)query->after_type : 0);
    if (query->device != NULL) {
        rc |= sql_bind_text(statement, 4, query->device);
    }
    err = rc == SQLITE_OK ? ERR_OK : sqlite_db_error(store, rc, "bind a query", NULL);
    for (bool more = true; err == ERR_OK && more && walk->left > 0;) {
        rc = sqlite3_step(statement);
        more = rc == SQLITE_ROW;
        if (more) {
            struct store_record record;
            err =
                record_of_row(statement, zone, &record) ? walk->each(walk->context, &record) : sqlite_row_error(store);
            walk->left -= walk->left != SIZE_MAX;
        } else if (rc != SQLITE_DONE) {
            err = sqlite_db_error(store, rc, "read records", NULL);
        }
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err walk_zones(struct store *store, struct record_walk *walk)
{
    const char *after = walk->query->after_zone;
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_ZONE_ALL, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    (void)sql_bind_text(statement, 1, after != NULL ? after : ""); /* a borrowed text cannot fail to bind */
    for (bool more = true; err == ERR_OK && more && walk->left > 0;) {
        int rc = sqlite3_step(statement);
        const char *zone = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 1) : NULL;
        more = rc == SQLITE_ROW;
        if (more) {
            err = zone != NULL ? walk_zone(store, walk, sqlite3_column_int64(statement, 0), zone) : ERR_NOMEM;
        } else if (rc != SQLITE_DONE) {
            err = sqlite_db_error(store, rc, "read zones", NULL);
        }
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

enum err sqlite_each_record(struct store *store, const struct store_record_query *query,
                            enum err (*each)(void *context, const struct store_record *record), void *context)
{
    struct record_walk walk = {
        .query = query, .each = each, .context = context, .left = query->limit != 0 ? query->limit : SIZE_MAX};
    if (query->zone == NULL) {
        return walk_zones(store, &walk);
    }
    struct sqlite_zone *zone;
    enum err err = sqlite_zone_find(store, query->zone, false, &zone, NULL);
    if (err != ERR_OK || zone == NULL) {
        return err;
    }
    if (query->after_zone != NULL && strcmp(query->zone, query->after_zone) < 0) {
        return ERR_OK; /* the whole zone lies before the place to go on from */
    }
    return walk_zone(store, &walk, zone->id, query->zone);
}

enum err sqlite_each_audit(struct store *store, uint64_t after, size_t limit,
                           enum err (*each)(void *context, const struct store_audit *audit), void *context)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_AUDIT_ALL, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    (void)sqlite3_bind_int64(statement, 1, (int64_t)MIN(after, (uint64_t)INT64_MAX)); /* numbers cannot fail to bind */
    (void)sqlite3_bind_int64(statement, 2, limit == 0 || limit > INT64_MAX ? -1 : (int64_t)limit);
    for (bool more = true; err == ERR_OK && more;) {
        int rc = sqlite3_step(statement);
        more = rc == SQLITE_ROW;
        if (more) {
            struct store_audit audit = {
                .id = (uint64_t)sqlite3_column_int64(statement, 0),
                .at_ms = sqlite3_column_int64(statement, 1),
                .event = (const char *)sqlite3_column_text(statement, 2),
                .subject = (const char *)sqlite3_column_text(statement, 3),
                .detail = (const char *)sqlite3_column_text(statement, 4),
            };
            bool whole = audit.event != NULL && audit.subject != NULL && audit.detail != NULL;
            err = whole ? each(context, &audit) : ERR_NOMEM;
        } else if (rc != SQLITE_DONE) {
            err = sqlite_db_error(store, rc, "read the audit", NULL);
        }
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err count_rows(struct store *store, enum sqlite_statement which, uint64_t *ret_count)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, which, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    } else {
        err = sqlite_db_error(store, rc, "count", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

enum err sqlite_count(struct store *store, uint64_t *ret_devices, uint64_t *ret_records, uint64_t *ret_pending)
{
    uint64_t devices = 0, records = 0, pending = 0;
    enum err err = count_rows(store, STMT_DEVICE_COUNT, &devices);
    if (err == ERR_OK) {
        err = count_rows(store, STMT_RECORD_COUNT, &records);
    }
    if (err == ERR_OK) {
        err = count_rows(store, STMT_PENDING_COUNT, &pending);
    }
    if (err == ERR_OK) {
        *ret_devices = devices;
        *ret_records = records;
        *ret_pending = pending;
    }
    return err;
}
