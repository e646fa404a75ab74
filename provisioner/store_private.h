/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** store_private: what the store's files share: the statements and how they are run. */
#include "provisioner/store.h"
#include "sql/schema.h"

#define BATCH_COLUMNS                                                                                                  \
    "id, digest, from_ms, to_ms, added_ms, closed_ms, activation_s, quota, disabled, "                                 \
    "(SELECT count(*) FROM device d WHERE d.batch = batch.id AND d.had_one), "                                         \
    "(SELECT count(*) FROM device d WHERE d.batch = batch.id), manifest"
#define DEVICE_COLUMNS                                                                                                 \
    "id, serial, batch, key, label, life, held, owner, grp, site, was_owner, was_grp, was_site, moved_ms, tested, "    \
    "had_one, made_ms, changed_ms, rev"
#define CERT_COLUMNS                                                                                                   \
    "issuer, serial, device, spki, state, not_before_s, not_after_s, renew_ms, issued_ms, attempted_ms, changed_ms, "  \
    "der"

/* In the order of enum cert_state: 0 issued, 1 stored, 2 attempted, 3 active, 4 superseded, 5 revoked. */
#define STORE_STATEMENTS(X)                                                                                            \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
    X(COMMIT, "COMMIT")                                                                                                \
    X(META_GET, "SELECT uuid, rev, told, secret FROM meta")                                                            \
    X(META_SECRET, "UPDATE meta SET secret = ?1")                                                                      \
    X(META_REV, "UPDATE meta SET rev = ?1")                                                                            \
    X(META_TOLD, "UPDATE meta SET told = ?1")                                                                          \
    X(BATCH_ADD, "INSERT INTO batch(id, digest, from_ms, to_ms, added_ms, closed_ms, activation_s, quota, disabled, "  \
                 "manifest) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")                                                   \
    X(BATCH_GET, "SELECT " BATCH_COLUMNS " FROM batch WHERE id = ?1")                                                  \
    X(BATCH_SET, "UPDATE batch SET quota = ?2, closed_ms = ?3, disabled = ?4 WHERE id = ?1")                           \
    X(BATCH_ALL, "SELECT " BATCH_COLUMNS " FROM batch WHERE id > ?1 ORDER BY id LIMIT ?2")                             \
    X(CHAIN_GET, "SELECT key, manifest, lines, last FROM station WHERE batch = ?1 AND name = ?2")                      \
    X(CHAIN_SET, "INSERT INTO station(batch, name, key, manifest, lines, last) VALUES(?1,?2,?3,?4,?5,?6) "             \
                 "ON CONFLICT(batch, name) DO UPDATE SET lines = ?5, last = ?6")                                       \
    X(CHAIN_ALL, "SELECT name, lines FROM station WHERE batch = ?1 ORDER BY name")                                     \
    X(DEVICE_ADD, "INSERT INTO device(" DEVICE_COLUMNS ", shard) "                                                     \
                  "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)")                    \
    X(DEVICE_SET, "UPDATE device SET label=?5, life=?6, held=?7, owner=?8, grp=?9, site=?10, was_owner=?11, "          \
                  "was_grp=?12, was_site=?13, moved_ms=?14, tested=?15, had_one=?16, changed_ms=?18, rev=?19 "         \
                  "WHERE id=?1 AND serial=?2 AND batch=?3 AND key=?4 AND made_ms=?17")                                 \
    X(DEVICE_GET, "SELECT " DEVICE_COLUMNS " FROM device WHERE id = ?1")                                               \
    X(DEVICE_SERIAL, "SELECT " DEVICE_COLUMNS " FROM device WHERE serial = ?1")                                        \
    X(DEVICE_ALL, "SELECT " DEVICE_COLUMNS " FROM device WHERE id > ?1 AND (?2 IS NULL OR id GLOB ?2) "                \
                  "AND (?3 < 0 OR life = ?3) ORDER BY id LIMIT ?4")                                                    \
    X(DEVICE_CHANGED, "SELECT " DEVICE_COLUMNS " FROM device WHERE rev > ?1 AND shard BETWEEN ?2 AND ?3 "              \
                      "ORDER BY rev LIMIT ?4")                                                                         \
    X(DEVICE_LIVES, "SELECT life, count(*) FROM device GROUP BY life")                                                 \
    X(CERT_ADD, "INSERT INTO certificate(" CERT_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)")            \
    X(CERT_SET, "UPDATE certificate SET state=?3, attempted_ms=?4, changed_ms=?5 WHERE issuer=?1 AND serial=?2")       \
    X(CERT_GET, "SELECT " CERT_COLUMNS " FROM certificate WHERE issuer=?1 AND serial=?2")                              \
    X(CERT_SPKI, "SELECT " CERT_COLUMNS " FROM certificate WHERE spki=?1 AND state < 5 "                               \
                 "ORDER BY issued_ms DESC, rowid DESC LIMIT 1")                                                        \
    X(CERT_DEVICE, "SELECT " CERT_COLUMNS " FROM certificate WHERE device=?1 AND state <= ?2 "                         \
                   "ORDER BY issued_ms DESC, rowid DESC")                                                              \
    X(CERT_LAPSED,                                                                                                     \
      "SELECT " CERT_COLUMNS " FROM certificate WHERE state = 2 AND attempted_ms < ?2 "                                \
      "UNION ALL SELECT " CERT_COLUMNS " FROM certificate WHERE state = 4 AND changed_ms < ?3 "                        \
      "UNION ALL SELECT c.issuer, c.serial, c.device, c.spki, c.state, c.not_before_s, c.not_after_s, c.renew_ms, "    \
      "c.issued_ms, c.attempted_ms, c.changed_ms, c.der "                                                              \
      "FROM batch b JOIN device d ON d.batch = b.id JOIN certificate c ON c.device = d.id "                            \
      "WHERE b.closed_ms > 0 AND b.closed_ms + b.activation_s * 1000 < ?1 AND c.state IN (0, 1) LIMIT ?4")             \
    X(CERT_ATTEMPTED, "SELECT " CERT_COLUMNS " FROM certificate WHERE state = 2")                                      \
    X(CERT_RECENT, "SELECT count(*) FROM certificate WHERE device=?1 AND issued_ms > ?2")                              \
    X(CERT_STATES, "SELECT state, count(*) FROM certificate GROUP BY state")                                           \
    X(CERT_DENIED, "SELECT " CERT_COLUMNS " FROM certificate WHERE state = 5 AND not_after_s > ?1")                    \
    X(AUTHORITY_ADD, "INSERT OR IGNORE INTO authority(key_id, der) VALUES(?1, ?2)")                                    \
    X(AUTHORITY_GET, "SELECT der FROM authority WHERE key_id = ?1")                                                    \
    X(REVOKING_ADD, "INSERT OR IGNORE INTO revoking(issuer, serial, device) VALUES(?1,?2,?3)")                         \
    X(REVOKING_DROP, "DELETE FROM revoking WHERE issuer=?1 AND serial=?2")                                             \
    X(REVOKING_ALL, "SELECT issuer, serial, device FROM revoking LIMIT ?1")                                            \
    X(REVOKING_COUNT, "SELECT count(*) FROM revoking")                                                                 \
    X(EVENT_LAST, "SELECT n, hash FROM event ORDER BY n DESC LIMIT 1")                                                 \
    X(EVENT_ADD, "INSERT INTO event(n, at_ms, actor, act, device, detail, hash) VALUES(?1,?2,?3,?4,?5,?6,?7)")         \
    X(EVENT_ALL, "SELECT n, at_ms, actor, act, device, detail, hash FROM event WHERE n > ?1 ORDER BY n LIMIT ?2")      \
    X(EVENT_DEVICE, "SELECT n, at_ms, actor, act, device, detail, hash FROM event WHERE device = ?3 AND n > ?1 "       \
                    "ORDER BY n LIMIT ?2")

enum store_statement {
#define X(name, sql) STMT_##name,
    STORE_STATEMENTS(X)
#undef X
        STMT_COUNT,
};

struct store {
    sqlite3 *db;                          /* owned */
    sqlite3_stmt *statements[STMT_COUNT]; /* owned, prepared at first use */
    struct errinfo info;                  /* of the last failure */
    char uuid[SQL_UUID_SIZE];
    uint8_t secret[STORE_SECRET_SIZE];
    uint64_t rev, told;
    uint64_t rev_before, events_before; /* as of the transaction's begin: back to them when it fails */
    uint64_t events;                    /* number of the last event */
    uint8_t last_hash[SHA256_SIZE], hash_before[SHA256_SIZE];
};

/** The statement, reset and bound by @p format: t text (NULL allowed), i int64_t, b pointer and size_t. */
enum err store_bind(struct store *store, enum store_statement which, sqlite3_stmt **ret_statement, const char *format,
                    ...) MUST_CHECK;
/** The same, run; it has no rows. @return ERR_EXISTS: something is not unique. */
enum err store_run(struct store *store, enum store_statement which, const char *format, ...) MUST_CHECK;
/** Whether there is a next row; @p err gets why the query broke. */
bool store_next(struct store *store, sqlite3_stmt *statement, enum err *err);
/** Ends a query. */
void store_done(sqlite3_stmt *statement);
/** Copies a column; a row that does not fit is damaged. */
bool store_text(sqlite3_stmt *statement, int column, char *buffer, size_t size);
bool store_blob(sqlite3_stmt *statement, int column, uint8_t *buffer, size_t len);
