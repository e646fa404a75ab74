/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sqlite_db: what the files of the SQLite store share: the handle, its cached statements, error mapping and the compact
 * forms of addresses. Private to coordinator/store/sqlite*.c. One thread.
 *
 * Compact forms: an address is a BLOB of 4 or 16 bytes, NULL for none; a prefix has its length as one more byte, a
 * further prefix then 8 bytes of its end (network order), one after the other, NULL for none; the
 * value of an RRset is its addresses one after the other (the type says how long each is), an empty BLOB for "no such
 * RRset", NULL for "unknown" (have) or "tombstone" (want).
 */
#include "coordinator/store/store.h"
#include "sql/sql.h"

#define SQLITE_STORE_STATEMENTS(X)                                                                                     \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
    X(COMMIT, "COMMIT")                                                                                                \
    X(DEVICE_PUT, "INSERT INTO device(id, shard, boot, conn, seq, content_hash, observed, ip4, ip6, prefix6, "         \
                  "presence, flags, seen_ms, changed_ms, also6) "                                                      \
                  "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15) "                                        \
                  "ON CONFLICT(id) DO UPDATE SET boot=?3, conn=?4, seq=?5, content_hash=?6, observed=?7, ip4=?8, "     \
                  "ip6=?9, prefix6=?10, presence=?11, flags=?12, seen_ms=?13, changed_ms=?14, also6=?15")              \
    X(DEVICE_DROP, "DELETE FROM device WHERE id = ?1")                                                                 \
    X(DEVICE_GET, "SELECT " SQLITE_DEVICE_COLUMNS " FROM device WHERE id = ?1")                                        \
    X(DEVICE_ALL, "SELECT " SQLITE_DEVICE_COLUMNS " FROM device")                                                      \
    X(DEVICE_SHARD, "SELECT " SQLITE_DEVICE_COLUMNS " FROM device WHERE shard = ?1")                                   \
    X(DEVICE_COUNT, "SELECT count(*) FROM device")                                                                     \
    X(REG_PUT, "INSERT INTO reg(id, shard, state, owned, rev, grp, site, suspect, suspect_ms, detail, due) "           \
               "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) ON CONFLICT(id) DO UPDATE SET state=?3, owned=?4, rev=?5, " \
               "grp=?6, site=?7, suspect=?8, suspect_ms=?9, detail=?10, due=?11")                                      \
    X(REG_ALL, "SELECT " SQLITE_REG_COLUMNS " FROM reg")                                                               \
    X(REG_SHARD, "SELECT " SQLITE_REG_COLUMNS " FROM reg WHERE shard = ?1")                                            \
    X(FEED_GET, "SELECT feed, feed_rev, feed_complete FROM meta")                                                      \
    X(FEED_OTHER, "UPDATE reg SET rev = 0 WHERE rev <> 0 AND ?1 <> (SELECT feed FROM meta)")                           \
    X(FEED_SET, "UPDATE meta SET feed = ?1, feed_rev = ?2, feed_complete = ?3")                                        \
    X(ZONE_FIND, "SELECT id, epoch FROM zone WHERE name = ?1")                                                         \
    X(ZONE_ADD, "INSERT INTO zone(name, epoch) VALUES(?1, 0)")                                                         \
    X(ZONE_RAISE, "UPDATE zone SET epoch = ?2 WHERE id = ?1")                                                          \
    X(ZONE_ALL, "SELECT id, name FROM zone WHERE name >= ?1 ORDER BY name")                                            \
    X(WANT_GET, "SELECT device, want IS NULL, want_rev, have, want_rev > have_rev, want, have_rev FROM record "        \
                "WHERE zone=?1 AND name=?2 AND type=?3")                                                               \
    X(WANT_ADD, "INSERT INTO record(zone, name, type, device, ttl, want, want_rev, changed_ms) "                       \
                "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")                                                                     \
    X(WANT_SET, "UPDATE record SET ttl=?5, want=?6, want_rev=?7, changed_ms=?8, not_before_ms=0, attempts=0, "         \
                "error='' WHERE zone=?1 AND name=?2 AND type=?3 AND device IS ?4")                                     \
    X(WANT_TAKE, "UPDATE record SET device=?4, ttl=?5, want=?6, want_rev=?7, changed_ms=?8, not_before_ms=0, "         \
                 "attempts=0, error='' WHERE zone=?1 AND name=?2 AND type=?3")                                         \
    X(BOTH_ADD, "INSERT INTO record(zone, name, type, device, ttl, want, want_rev, changed_ms, have, have_rev, "       \
                "applied_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?6,?7,?9)")                                                \
    X(BOTH_SET,                                                                                                        \
      "UPDATE record SET ttl=?5, want=?6, want_rev=?7, changed_ms=?8, not_before_ms=0, attempts=0, "                   \
      "error='', have=?6, have_rev=?7, applied_ms=?9 WHERE zone=?1 AND name=?2 AND type=?3 AND device IS ?4")          \
    X(HAVE_SET, "UPDATE record SET have=?4, have_rev=?5, attempts=?6, error=?7, not_before_ms=?8, applied_ms=?9 "      \
                "WHERE zone=?1 AND name=?2 AND type=?3 AND have_rev <= ?5")                                            \
    X(HAVE_FAILED, "UPDATE record SET attempts=?6, error=?7, not_before_ms=?8 "                                        \
                   "WHERE zone=?1 AND name=?2 AND type=?3 AND want_rev = ?5")                                          \
    X(HAVE_FORGET, "DELETE FROM record WHERE zone=?1 AND name=?2 AND type=?3 AND want IS NULL AND want_rev <= ?5 "     \
                   "AND have_rev <= ?5")                                                                               \
    X(REV_SET, "UPDATE meta SET last_rev = max(last_rev, ?1)")                                                         \
    X(REV_GET, "SELECT last_rev FROM meta")                                                                            \
    X(RECONCILED_GET, "SELECT reconciled FROM meta")                                                                   \
    X(RECONCILED_SET, "UPDATE meta SET reconciled = ?1")                                                               \
    X(RECORD_ZONE, SQLITE_RECORD_SELECT SQLITE_RECORD_ORDER)                                                           \
    X(RECORD_PENDING, SQLITE_RECORD_SELECT "AND want_rev > have_rev " SQLITE_RECORD_ORDER)                             \
    X(RECORD_DEVICE, SQLITE_RECORD_SELECT "AND device = ?4 " SQLITE_RECORD_ORDER)                                      \
    X(RECORD_DEVICE_PENDING, SQLITE_RECORD_SELECT "AND device = ?4 AND want_rev > have_rev " SQLITE_RECORD_ORDER)      \
    X(RECORD_COUNT, "SELECT count(*) FROM record")                                                                     \
    X(PENDING_COUNT, "SELECT count(*) FROM record WHERE want_rev > have_rev")                                          \
    X(AUDIT_ADD, "INSERT INTO audit(at_ms, event, subject, detail) VALUES(?1,?2,?3,?4)")                               \
    X(AUDIT_PRUNE, "DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?1) AND at_ms < ?2")         \
    X(AUDIT_ALL, "SELECT id, at_ms, event, subject, detail FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2")             \
    X(STOP_ALL, "SELECT account, name, type, both, error, detail, fingerprint, at_ms FROM stop "                       \
                "ORDER BY account, name, type")                                                                        \
    X(STOP_PUT, "INSERT OR REPLACE INTO stop(account, name, type, both, error, detail, fingerprint, at_ms) "           \
                "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")                                                                     \
    X(STOP_DROP, "DELETE FROM stop WHERE account = ?1 AND (?2 IS NULL OR name = ?2)")

#define SQLITE_DEVICE_COLUMNS                                                                                          \
    "id, shard, boot, conn, seq, content_hash, observed, ip4, ip6, prefix6, presence, flags, seen_ms, changed_ms, "    \
    "also6"
#define SQLITE_REG_COLUMNS "id, shard, state, owned, rev, grp, site, suspect, suspect_ms, detail, due"
#define SQLITE_RECORD_SELECT                                                                                           \
    "SELECT name, type, device, ttl, want, want_rev, have, have_rev, not_before_ms, attempts, error, changed_ms, "     \
    "applied_ms FROM record WHERE zone = ?1 AND (name, type) > (?2, ?3) "
#define SQLITE_RECORD_ORDER "ORDER BY name, type"

enum sqlite_statement {
#define X(name, sql) STMT_##name,
    SQLITE_STORE_STATEMENTS(X)
#undef X
        STMT_COUNT,
};

/** A zone the store has met: its row number never changes. */
struct sqlite_zone {
    char *name; /* owned */
    int64_t id;
    uint64_t epoch;    /* as read in transaction `epoch_tx` */
    uint64_t epoch_tx; /* 0 = never read */
};

struct store {
    sqlite3 *db;                          /* owned */
    sqlite3_stmt *statements[STMT_COUNT]; /* owned, prepared at first use */
    struct sqlite_zone *zones;            /* owned, sorted by name */
    size_t zones_len, zones_size;
    uint64_t tx;       /* number of the present write transaction */
    bool in_tx;        /* between sqlite_begin and sqlite_end */
    uint64_t last_rev; /* highest rev known to be in meta */
    int64_t audit_keep_ms;
    char uuid[STORE_UUID_SIZE];
    struct store_facts facts;
};

/** The present error of the connection as ours, with SQLite's text in @p info; @p doing completes "cannot ...". */
enum err sqlite_db_error(struct store *store, int rc, const char *doing, struct errinfo *info);

/** The cached statement, reset and ready to bind. @return ERR_NOMEM, ERR_CORRUPT, ERR_IO. */
enum err sqlite_db_statement(struct store *store, enum sqlite_statement which, sqlite3_stmt **ret_statement,
                             struct errinfo *info) MUST_CHECK;
/** Runs a statement without result rows and resets it. */
enum err sqlite_db_run(struct store *store, sqlite3_stmt *statement, const char *doing,
                       struct errinfo *info) MUST_CHECK;
/** One statement without parameters: BEGIN, COMMIT. */
enum err sqlite_db_simple(struct store *store, enum sqlite_statement which, struct errinfo *info) MUST_CHECK;
enum err sqlite_db_exec(struct store *store, const char *sql, const char *doing, struct errinfo *info) MUST_CHECK;

enum err sqlite_begin(struct store *store, struct errinfo *info) MUST_CHECK;
/** Ends the transaction: commits when @p err is ERR_OK, else (or when the commit fails) rolls back. @return @p err or
 * why the commit failed. */
enum err sqlite_end(struct store *store, enum err err, struct errinfo *info) MUST_CHECK;

/* Binding cannot fail but for memory or a wrong index: SQLite remembers that and step reports it as NULL or misuse, so
 * each returns SQLite's code ORed by the caller. Texts and blobs are borrowed until the statement is reset. */
int sqlite_bind_ip(sqlite3_stmt *statement, int index, const struct ip *ip);
int sqlite_bind_value(sqlite3_stmt *statement, int index, uint8_t buffer[static RRSET_VALUES_MAX * 16],
                      const struct rrset_value *value);
int sqlite_bind_prefix(sqlite3_stmt *statement, int index, uint8_t buffer[static 17], const struct ip_prefix *prefix);
#define SQLITE_ALSO6_SIZE 25 /* 16 address, 1 length, 8 end */
int sqlite_bind_also6(sqlite3_stmt *statement, int index, uint8_t buffer[static ALSO6_MAX * SQLITE_ALSO6_SIZE],
                      const struct also6 *also);

/** Why a row could not be read: ERR_NOMEM when SQLite ran short while converting a column, else ERR_CORRUPT. */
enum err sqlite_row_error(struct store *store);
/** False when the BLOB has no valid length. */
bool sqlite_read_ip(sqlite3_stmt *statement, int column, struct ip *ret_ip);
bool sqlite_read_prefix(sqlite3_stmt *statement, int column, struct ip_prefix *ret_prefix);
bool sqlite_read_also6(sqlite3_stmt *statement, int column, struct also6 *ret_also);
/** @param ret_known false where the column is NULL. */
bool sqlite_read_value(sqlite3_stmt *statement, int column, enum rrtype type, bool *ret_known,
                       struct rrset_value *ret_value);

/* sqlite_schema.c */
/** Checks, migrates and makes the first rows. Fills store->facts and store->uuid. */
enum err sqlite_schema_open(struct store *store, struct errinfo *info) MUST_CHECK;

/* sqlite_zone.c */
/** The zone of that name, made when @p create, inside the present transaction; NULL when there is none. The pointer
 * lives until the next call. */
enum err sqlite_zone_find(struct store *store, const char *name, bool create, struct sqlite_zone **ret_zone,
                          struct errinfo *info) MUST_CHECK;
/** @return ERR_FENCED when the zone's epoch is newer than @p epoch. Reads it once a transaction. */
enum err sqlite_zone_fence(struct store *store, struct sqlite_zone *zone, uint64_t epoch,
                           struct errinfo *info) MUST_CHECK;
void sqlite_zone_forget_all(struct store *store);
enum err sqlite_zone_claim(struct store *store, const char *zone, uint64_t seen_epoch, uint64_t *ret_epoch,
                           struct errinfo *info);
enum err sqlite_zone_epoch(struct store *store, const char *zone, uint64_t *ret_epoch);

/* sqlite_write.c */
enum err sqlite_commit(struct store *store, const struct store_batch *batch, struct errinfo *info);

/* sqlite_read.c, and of the ledger's words sqlite_reg.c */
enum err sqlite_each_device(struct store *store, int shard,
                            enum err (*each)(void *context, const struct store_device *device), void *context);
enum err sqlite_get_device(struct store *store, const char *id,
                           enum err (*each)(void *context, const struct store_device *device), void *context);
enum err sqlite_each_reg(struct store *store, int shard, enum err (*each)(void *context, const struct store_reg *reg),
                         void *context);
enum err sqlite_feed(struct store *store, struct store_feed *ret_feed);
/** The regs and the feed of a batch, inside the present transaction. */
enum err sqlite_put_regs(struct store *store, const struct store_batch *batch, struct errinfo *info) MUST_CHECK;
enum err sqlite_each_record(struct store *store, const struct store_record_query *query,
                            enum err (*each)(void *context, const struct store_record *record), void *context);
enum err sqlite_each_stop(struct store *store, enum err (*each)(void *context, const struct store_stop *stop),
                          void *context);
enum err sqlite_put_stop(struct store *store, const struct store_stop *stop, struct errinfo *info);
enum err sqlite_drop_stops(struct store *store, const char *account, const char *name, struct errinfo *info);
enum err sqlite_each_audit(struct store *store, uint64_t after, size_t limit,
                           enum err (*each)(void *context, const struct store_audit *audit), void *context);
enum err sqlite_count(struct store *store, uint64_t *ret_devices, uint64_t *ret_records, uint64_t *ret_pending);
