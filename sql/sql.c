/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/view.h"

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

/* SQLite keeps the errno of a failed open, not that of a failed COMMIT; the VFS still knows the latter. */
static int system_errno(sqlite3 *db)
{
    sqlite3_vfs *vfs = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) == SQLITE_OK && vfs != NULL &&
        vfs->xGetLastError != NULL) {
        return vfs->xGetLastError(vfs, 0, NULL);
    }
    return sqlite3_system_errno(db);
}

static enum err err_from_system(sqlite3 *db, enum err otherwise)
{
    int native = system_errno(db);
    enum err err = native != 0 ? err_from_errno(native) : otherwise;
    return err == ERR_NOTFOUND || err == ERR_AGAIN || err == ERR_OK ? otherwise : err;
}

static enum err err_from_sqlite(sqlite3 *db, int rc)
{
    if (rc == SQLITE_IOERR_NOMEM) {
        return ERR_NOMEM;
    }
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERR_READONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_AGAIN;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return ERR_INVALID;
    case SQLITE_CANTOPEN:
        return db != NULL ? err_from_system(db, ERR_NOTFOUND) : ERR_IO;
    default:
        return db != NULL ? err_from_system(db, ERR_IO) : ERR_IO;
    }
}

enum err sql_error(sqlite3 *db, int rc, const char *doing, struct errinfo *info)
{
    const char *text = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    return errinfo_set(info, err_from_sqlite(db, rc), "store", rc, "cannot %s: %s", doing, text);
}

enum err sql_exec(sqlite3 *db, const char *sql, const char *doing, struct errinfo *info)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : sql_error(db, rc, doing, info);
}

enum err sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    enum err err = ERR_OK;
    if (rc == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
    } else if (rc == SQLITE_DONE) {
        err = errinfo_set(info, ERR_CORRUPT, "store", 0, "the store lacks a row that it always has");
    } else {
        err = sql_error(db, rc, "read the store", info);
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return err;
}

bool sql_read_text(sqlite3_stmt *statement, int column, const char **ret_text)
{
    bool null = sqlite3_column_type(statement, column) == SQLITE_NULL; /* before the conversion, which may change it */
    *ret_text = (const char *)sqlite3_column_text(statement, column);
    return null || *ret_text != NULL;
}

int sql_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    return text == NULL ? sqlite3_bind_null(statement, index)
                        : sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* Makes a statement's rows go by: journal_mode answers with the mode it has. */
static enum err set_wal(sqlite3 *db, struct errinfo *info)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    enum err err = ERR_OK;
    if (rc != SQLITE_ROW) {
        err = sql_error(db, rc, "open the store's log", info);
        (void)sqlite3_finalize(statement); /* repeats the code of the step */
        return err;
    }
    const char *mode;
    if (!sql_read_text(statement, 0, &mode)) {
        err = errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    } else if (sqlite3_stricmp(mode, "wal") != 0) {
        err = errinfo_set(info, ERR_UNSUPPORTED, "store", 0, "this file system cannot hold a write-ahead log");
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return err;
}

static enum err configure(sqlite3 *db, uint32_t checkpoint_pages, struct errinfo *info)
{
    int rc = sqlite3_extended_result_codes(db, 1);
    rc |= sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    rc |= sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "typo" is an error, not a string */
    rc |= sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    rc |= sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc != SQLITE_OK) {
        return sql_error(db, rc, "configure the store", info);
    }
    enum err err = sql_exec(db, PRAGMAS_FIRST, "configure the store", info);
    if (err == ERR_OK) {
        err = set_wal(db, info);
    }
    if (err == ERR_OK) {
        err = sql_exec(db, PRAGMAS, "configure the store", info);
    }
    /* Cannot fail on an open connection. */
    (void)sqlite3_wal_autocheckpoint(db, checkpoint_pages != 0 ? (int)checkpoint_pages : CHECKPOINT_PAGES);
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

enum err sql_open(const struct sql_options *options, sqlite3 **ret_db, struct errinfo *info)
{
    sqlite3 *db = NULL;
    if (options->vfs == NULL) {
        make_private(options->path);
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(options->path, &db, flags, options->vfs);
    enum err err = rc == SQLITE_OK ? ERR_OK : sql_error(db, rc, "open the store", info);
    if ((rc & 0xff) == SQLITE_CANTOPEN && options->vfs == NULL) {
        err = blame_folder(options->path, err, info);
    }
    if (err == ERR_OK && sqlite3_db_readonly(db, "main") == 1) {
        /* SQLite falls back to reading when it may not write; we are of no use then. */
        err = errinfo_set(info, ERR_READONLY, "store", 0, "the store's file may not be written");
    }
    if (err == ERR_OK) {
        err = configure(db, options->checkpoint_pages, info);
    }
    if (err != ERR_OK) {
        (void)sqlite3_close(db); /* nothing was done in it */
        return err;
    }
    *ret_db = db;
    return ERR_OK;
}
