/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/store/sqlite_db.h"

#include <string.h>

static const char *const statement_sql[] = {
#define X(name, sql) sql,
    SQLITE_STORE_STATEMENTS(X)
#undef X
};

enum err sqlite_db_error(struct store *store, int rc, const char *doing, struct errinfo *info)
{
    return sql_error(store->db, rc, doing, info);
}

/* Rolling back takes memory, too. Where it fails the transaction stays open, unseen by anyone: the next use of the
 * store tries again before it reads or writes. */
static void roll_back(struct store *store)
{
    (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

enum err sqlite_db_statement(struct store *store, enum sqlite_statement which, sqlite3_stmt **ret_statement,
                             struct errinfo *info)
{
    if (!store->in_tx && sqlite3_get_autocommit(store->db) == 0) {
        roll_back(store);
        if (sqlite3_get_autocommit(store->db) == 0) {
            return sqlite_db_error(store, sqlite3_errcode(store->db), "roll back", info);
        }
    }
    sqlite3_stmt **slot = &store->statements[which];
    if (*slot == NULL) {
        int rc = sqlite3_prepare_v3(store->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
        if (rc != SQLITE_OK) {
            return sqlite_db_error(store, rc, "prepare a statement", info);
        }
    }
    *ret_statement = *slot;
    return ERR_OK;
}

enum err sqlite_db_run(struct store *store, sqlite3_stmt *statement, const char *doing, struct errinfo *info)
{
    int rc = sqlite3_step(statement);
    enum err err = rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : sqlite_db_error(store, rc, doing, info);
    (void)sqlite3_reset(statement); /* repeats the code of the step, which is already judged */
    return err;
}

enum err sqlite_db_simple(struct store *store, enum sqlite_statement which, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    enum err err = sqlite_db_statement(store, which, &statement, info);
    return err != ERR_OK ? err : sqlite_db_run(store, statement, statement_sql[which], info);
}

enum err sqlite_db_exec(struct store *store, const char *sql, const char *doing, struct errinfo *info)
{
    return sql_exec(store->db, sql, doing, info);
}

enum err sqlite_begin(struct store *store, struct errinfo *info)
{
    store->tx++;
    enum err err = sqlite_db_simple(store, STMT_BEGIN, info);
    store->in_tx = err == ERR_OK;
    return err;
}

enum err sqlite_end(struct store *store, enum err err, struct errinfo *info)
{
    if (err == ERR_OK) {
        err = sqlite_db_simple(store, STMT_COMMIT, info);
    }
    if (err != ERR_OK) {
        sqlite_zone_forget_all(store);                /* rows made in this transaction are gone */
        if (sqlite3_get_autocommit(store->db) == 0) { /* some errors have rolled back already */
            roll_back(store);
        }
    }
    store->in_tx = false;
    return err;
}

static int ip_size(uint8_t family)
{
    return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

int sqlite_bind_ip(sqlite3_stmt *statement, int index, const struct ip *ip)
{
    return ip->family == IP_NONE ? sqlite3_bind_null(statement, index)
                                 : sqlite3_bind_blob(statement, index, ip->bytes, ip_size(ip->family), SQLITE_STATIC);
}

int sqlite_bind_value(sqlite3_stmt *statement, int index, uint8_t buffer[static RRSET_VALUES_MAX * 16],
                      const struct rrset_value *value)
{
    int len = 0;
    for (uint8_t i = 0; i < value->len && i < RRSET_VALUES_MAX; i++) {
        int size = ip_size(value->ips[i].family);
        memcpy(buffer + len, value->ips[i].bytes, (size_t)size);
        len += size;
    }
    return sqlite3_bind_blob(statement, index, buffer, len, SQLITE_STATIC);
}

int sqlite_bind_prefix(sqlite3_stmt *statement, int index, uint8_t buffer[static 17], const struct ip_prefix *prefix)
{
    int size = ip_size(prefix->ip.family);
    if (size == 0) {
        return sqlite3_bind_null(statement, index);
    }
    memcpy(buffer, prefix->ip.bytes, (size_t)size);
    buffer[size] = prefix->len;
    return sqlite3_bind_blob(statement, index, buffer, size + 1, SQLITE_STATIC);
}

int sqlite_bind_also6(sqlite3_stmt *statement, int index, uint8_t buffer[static ALSO6_MAX * SQLITE_ALSO6_SIZE],
                      const struct also6 *also)
{
    uint8_t *at = buffer;
    for (size_t i = 0; i < also->len; i++) {
        memcpy(at, also->items[i].prefix.ip.bytes, 16);
        at[16] = also->items[i].prefix.len;
        for (unsigned k = 0; k < 8; k++) {
            at[17 + k] = (uint8_t)((uint64_t)also->items[i].until_ms >> (56 - 8 * k));
        }
        at += SQLITE_ALSO6_SIZE;
    }
    return at == buffer ? sqlite3_bind_null(statement, index)
                        : sqlite3_bind_blob(statement, index, buffer, (int)(at - buffer), SQLITE_STATIC);
}

enum err sqlite_row_error(struct store *store)
{
    return sqlite3_errcode(store->db) == SQLITE_NOMEM ? ERR_NOMEM : ERR_CORRUPT;
}

static bool ip_from(const uint8_t *bytes, int size, struct ip *ret_ip)
{
    *ret_ip = (struct ip){.family = size == 4 ? IP_V4 : size == 16 ? IP_V6 : IP_NONE};
    if (size != 4 && size != 16) {
        return size == 0;
    }
    memcpy(ret_ip->bytes, bytes, (size_t)size);
    return true;
}

bool sqlite_read_ip(sqlite3_stmt *statement, int column, struct ip *ret_ip)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    return ip_from(bytes, sqlite3_column_bytes(statement, column), ret_ip);
}

bool sqlite_read_prefix(sqlite3_stmt *statement, int column, struct ip_prefix *ret_prefix)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    *ret_prefix = (struct ip_prefix){0};
    if (bytes == NULL || size == 0) {
        return true;
    }
    ret_prefix->len = bytes[size - 1];
    return size > 1 && ip_from(bytes, size - 1, &ret_prefix->ip);
}

bool sqlite_read_also6(sqlite3_stmt *statement, int column, struct also6 *ret_also)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    *ret_also = (struct also6){.len = 0};
    if (size % SQLITE_ALSO6_SIZE != 0 || size / SQLITE_ALSO6_SIZE > ALSO6_MAX) {
        return false;
    }
    for (int i = 0; bytes != NULL && i < size / SQLITE_ALSO6_SIZE; i++, bytes += SQLITE_ALSO6_SIZE) {
        struct also6_item *item = &ret_also->items[ret_also->len++];
        uint64_t until_ms = 0;
        for (unsigned k = 0; k < 8; k++) {
            until_ms = until_ms << 8 | bytes[17 + k];
        }
        item->until_ms = (int64_t)until_ms;
        item->prefix.len = bytes[16];
        if (item->prefix.len > 128 || !ip_from(bytes, 16, &item->prefix.ip)) {
            return false;
        }
    }
    return true;
}

bool sqlite_read_value(sqlite3_stmt *statement, int column, enum rrtype type, bool *ret_known,
                       struct rrset_value *ret_value)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    int each = type == RRTYPE_A ? 4 : 16;
    *ret_known = sqlite3_column_type(statement, column) != SQLITE_NULL;
    *ret_value = (struct rrset_value){0};
    if (size % each != 0 || size / each > RRSET_VALUES_MAX) {
        return false;
    }
    for (int at = 0; at < size; at += each) {
        (void)ip_from(bytes + at, each, &ret_value->ips[ret_value->len++]); /* 4 and 16 are both fine */
    }
    return true;
}
