/* SPDX-License-Identifier: Apache-2.0 */
/* Zones: their row numbers (cached, they never change) and the epochs that fence a deposed writer. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/sqlite_db.h"

/* Index of the first zone not below @p name. */
static size_t zone_position(const struct store *store, const char *name)
{
    size_t low = 0, high = store->zones_len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(store->zones[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct sqlite_zone *zone_remember(struct store *store, size_t at, const char *name, int64_t id)
{
    if (store->zones_len == store->zones_size) {
        size_t size = store->zones_size == 0 ? 8 : store->zones_size * 2;
        struct sqlite_zone *zones = realloc(store->zones, size * sizeof(*zones));
        if (zones == NULL) {
            return NULL;
        }
        store->zones = zones;
        store->zones_size = size;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return NULL;
    }
    memmove(store->zones + at + 1, store->zones + at, (store->zones_len - at) * sizeof(*store->zones));
    store->zones[at] = (struct sqlite_zone){.name = copy, .id = id};
    store->zones_len++;
    return &store->zones[at];
}

void sqlite_zone_forget_all(struct store *store)
{
    for (size_t i = 0; i < store->zones_len; i++) {
        free(store->zones[i].name);
    }
    free(store->zones);
    store->zones = NULL;
    store->zones_len = store->zones_size = 0;
}

/* @param ret_id 0 when there is no such zone. */
static enum err zone_read(struct store *store, const char *name, int64_t *ret_id, uint64_t *ret_epoch,
                          struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_ZONE_FIND, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    (void)sql_bind_text(statement, 1, name); /* a borrowed text cannot fail to bind */
    int rc = sqlite3_step(statement);
    *ret_id = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    *ret_epoch = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 1) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "read a zone", info);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err zone_add(struct store *store, const char *name, int64_t *ret_id, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_ZONE_ADD, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    (void)sql_bind_text(statement, 1, name); /* a borrowed text cannot fail to bind */
    err = sqlite_db_run(store, statement, "add a zone", info);
    *ret_id = sqlite3_last_insert_rowid(store->db);
    return err;
}

enum err sqlite_zone_find(struct store *store, const char *name, bool create, struct sqlite_zone **ret_zone,
                          struct errinfo *info)
{
    size_t at = zone_position(store, name);
    if (at < store->zones_len && strcmp(store->zones[at].name, name) == 0) {
        *ret_zone = &store->zones[at];
        return ERR_OK;
    }
    int64_t id;
    uint64_t epoch;
    enum err err = zone_read(store, name, &id, &epoch, info);
    if (err == ERR_OK && id == 0 && create) {
        err = zone_add(store, name, &id, info);
    }
    *ret_zone = NULL;
    if (err == ERR_OK && id != 0) {
        *ret_zone = zone_remember(store, at, name, id);
        err = *ret_zone != NULL ? ERR_OK : errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    }
    return err;
}

enum err sqlite_zone_fence(struct store *store, struct sqlite_zone *zone, uint64_t epoch, struct errinfo *info)
{
    if (epoch == 0) {
        return ERR_OK;
    }
    if (zone->epoch_tx != store->tx) {
        int64_t id;
        enum err err = zone_read(store, zone->name, &id, &zone->epoch, info);
        if (err != ERR_OK) {
            return err;
        }
        zone->epoch_tx = store->tx;
    }
    if (zone->epoch > epoch) {
        return errinfo_set(info, ERR_FENCED, "store", 0, "zone %s is at epoch %llu, this writer holds %llu", zone->name,
                           (unsigned long long)zone->epoch, (unsigned long long)epoch);
    }
    return ERR_OK;
}

/* Inside a transaction that holds the write lock, so reading and writing are one step. */
static enum err raise_epoch(struct store *store, const char *name, uint64_t seen, uint64_t *ret_epoch,
                            struct errinfo *info)
{
    struct sqlite_zone *zone;
    int64_t id;
    uint64_t stored;
    enum err err = sqlite_zone_find(store, name, true, &zone, info);
    if (err == ERR_OK) {
        err = zone_read(store, name, &id, &stored, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint64_t base = MAX(stored, seen);
    if (base >= INT64_MAX) {
        return errinfo_set(info, ERR_RANGE, "store", 0, "the epoch of zone %s cannot rise any more", name);
    }
    sqlite3_stmt *statement;
    err = sqlite_db_statement(store, STMT_ZONE_RAISE, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    (void)sqlite3_bind_int64(statement, 1, id); /* a number cannot fail to bind */
    (void)sqlite3_bind_int64(statement, 2, (int64_t)(base + 1));
    *ret_epoch = base + 1;
    return sqlite_db_run(store, statement, "raise an epoch", info);
}

enum err sqlite_zone_claim(struct store *store, const char *zone, uint64_t seen_epoch, uint64_t *ret_epoch,
                           struct errinfo *info)
{
    uint64_t epoch = 0;
    enum err err = sqlite_begin(store, info);
    if (err != ERR_OK) {
        return err;
    }
    err = sqlite_end(store, raise_epoch(store, zone, seen_epoch, &epoch, info), info);
    if (err == ERR_OK) {
        *ret_epoch = epoch;
    }
    return err;
}

enum err sqlite_zone_epoch(struct store *store, const char *zone, uint64_t *ret_epoch)
{
    int64_t id;
    uint64_t epoch;
    enum err err = zone_read(store, zone, &id, &epoch, NULL);
    if (err == ERR_OK) {
        *ret_epoch = epoch;
    }
    return err;
}
