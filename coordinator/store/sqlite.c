/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and the ops table. */
#include "coordinator/store/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000 /* how long a commit waits for another process (a backup, a shell) */

/* Pages of log (32 MiB) after which a commit also writes them into the file. Longer: fewer writes of the same page;
 * shorter: a shorter pause of the one commit that does it (50 ms with 100,000 records in random order). */
#define CHECKPOINT_PAGES 8000

/* Set before the first page exists. 1 KiB pages were no faster (60,000 random upserts a second both ways). */
#define PRAGMAS_FIRST "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE;"

/* synchronous=FULL: in WAL mode every commit syncs the log; NORMAL would not, and an acknowledged change could go.
 * secure_delete (on in Debian's build) would write zeros over every freed cell. */
#define PRAGMAS                                                                                                        \
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF; PRAGMA cache_size = -32768;"     \
    "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"

static void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->db != NULL && store->uuid[0] != '\0') {
        /* Without this mark (disk full) the next start only checks the file once more. */
        (void)sqlite3_exec(store->db, "UPDATE meta SET clean = 1", NULL, NULL, NULL);
    }
    for (size_t i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]); /* repeats the code of the last step */
    }
    sqlite_zone_forget_all(store);
    (void)sqlite3_close(store->db); /* nothing is open in it any more; what is committed is durable already */
    free(store);
}

/* Makes a statement's rows go by: journal_mode answers with the mode it has. */
static enum err set_wal(struct store *store, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    enum err err = ERR_OK;
    if (rc != SQLITE_ROW) {
        err = sqlite_db_error(store, rc, "open the store's log", info);
        (void)sqlite3_finalize(statement); /* repeats the code of the step */
        return err;
    }
    const char *mode;
    if (!sqlite_read_text(statement, 0, &mode)) {
        err = errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    } else if (sqlite3_stricmp(mode, "wal") != 0) {
        err = errinfo_set(info, ERR_UNSUPPORTED, "store", 0, "this file system cannot hold a write-ahead log");
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return err;
}

static enum err configure(struct store *store, uint32_t checkpoint_pages, struct errinfo *info)
{
    int rc = sqlite3_extended_result_codes(store->db, 1);
    rc |= sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    rc |= sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "typo" is an error, not a string */
    rc |= sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    rc |= sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc != SQLITE_OK) {
        return sqlite_db_error(store, rc, "configure the store", info);
    }
    enum err err = sqlite_db_exec(store, PRAGMAS_FIRST, "configure the store", info);
    if (err == ERR_OK) {
        err = set_wal(store, info);
    }
    if (err == ERR_OK) {
        err = sqlite_db_exec(store, PRAGMAS, "configure the store", info);
    }
    /* Cannot fail on an open connection. */
    (void)sqlite3_wal_autocheckpoint(store->db, checkpoint_pages != 0 ? (int)checkpoint_pages : CHECKPOINT_PAGES);
    return err;
}

/* Why a file cannot be opened, where its folder is to blame: SQLite tries again for reading only, and what it reports
 * then is that there is nothing to read. */
static enum err blame_folder(const char *path, enum err err, struct errinfo *info)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct view name = slash == NULL   ? VIEW_LITERAL(".")
                       : slash == path ? VIEW_LITERAL("/")
                                       : view_n(path, (size_t)(slash - path));
    if (view_copy(name, folder, sizeof(folder)) != ERR_OK || access(folder, W_OK) == 0) {
        return err;
    }
    int native = errno;
    return errinfo_set(info, err_from_errno(native), "store", native, "cannot open the store: folder %s: %s", folder,
                       err_text(err_from_errno(native)));
}

/* A new file is the owner's alone, whatever the umask; log and index get its bits from SQLite. An old one keeps what an
 * operator has given it. When this fails, SQLite says why. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd); /* empty; before SQLite has a lock that this would end */
    }
}

static enum err store_open(const struct store_options *options, struct store **ret_store, struct errinfo *info)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    }
    store->audit_keep_ms = options->audit_keep_ms != 0 ? options->audit_keep_ms : STORE_AUDIT_KEEP_MS;
    if (options->vfs == NULL) {
        make_private(options->path);
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(options->path, &store->db, flags, options->vfs);
    enum err err = rc == SQLITE_OK ? ERR_OK : sqlite_db_error(store, rc, "open the store", info);
    if ((rc & 0xff) == SQLITE_CANTOPEN && options->vfs == NULL) {
        err = blame_folder(options->path, err, info);
    }
    if (err == ERR_OK && sqlite3_db_readonly(store->db, "main") == 1) {
        /* SQLite falls back to reading when it may not write; we are of no use then. */
        err = errinfo_set(info, ERR_READONLY, "store", 0, "the store's file may not be written");
    }
    if (err == ERR_OK) {
        err = configure(store, options->checkpoint_pages, info);
    }
    if (err == ERR_OK) {
        err = sqlite_schema_open(store, info);
    }
    if (err != ERR_OK) {
        store->uuid[0] = '\0'; /* no mark of an orderly close: nothing was opened */
        store_close(store);
        return err;
    }
    *ret_store = store;
    return ERR_OK;
}

static void store_facts(struct store *store, struct store_facts *ret_facts)
{
    *ret_facts = store->facts;
}

static void store_uuid(struct store *store, char ret_uuid[static STORE_UUID_SIZE])
{
    memcpy(ret_uuid, store->uuid, STORE_UUID_SIZE);
}

static enum err store_last_rev(struct store *store, uint64_t *ret_rev)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_REV_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_rev = (uint64_t)sqlite3_column_int64(statement, 0);
    } else {
        err = sqlite_db_error(store, rc, "read the last revision", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err store_reconciled(struct store *store, uint64_t *ret_fingerprint)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_RECONCILED_GET, &statement, NULL);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_fingerprint = (uint64_t)sqlite3_column_int64(statement, 0);
    } else {
        err = sqlite_db_error(store, rc, "read the registry's fingerprint", NULL);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err store_set_reconciled(struct store *store, uint64_t fingerprint, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_RECONCILED_SET, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_bind_int64(statement, 1, (sqlite3_int64)fingerprint);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    if (rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "note the registry's fingerprint", info);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = store_open,
    .close = store_close,
    .commit = sqlite_commit,
    .facts = store_facts,
    .uuid = store_uuid,
    .last_rev = store_last_rev,
    .reconciled = store_reconciled,
    .set_reconciled = store_set_reconciled,
    .claim_zone = sqlite_zone_claim,
    .zone_epoch = sqlite_zone_epoch,
    .each_device = sqlite_each_device,
    .get_device = sqlite_get_device,
    .each_record = sqlite_each_record,
    .each_audit = sqlite_each_audit,
    .each_stop = sqlite_each_stop,
    .put_stop = sqlite_put_stop,
    .drop_stops = sqlite_drop_stops,
    .count = sqlite_count,
};
