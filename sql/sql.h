/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sql: what every SQLite file of ours has in common: how it is opened (write-ahead log, each commit on the disk when it
 * returns), what its errors mean, and small queries. What is in the tables is its owner's. One thread a connection;
 * blocks on the disk.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sql_options {
    const char *path;          /* made with mode 0600 when it is not there */
    const char *vfs;           /* of SQLite, for tests; NULL = the system's */
    uint32_t checkpoint_pages; /* of log after which a commit also writes the file; 0 = 8,000 */
};

/** @return ERR_READONLY, ERR_UNSUPPORTED (no log on this file system), ERR_NOTFOUND or ERR_DENIED (folder),
 * ERR_CORRUPT, ERR_NOMEM, ERR_IO, ERR_FULL, with the words of SQLite in @p info (layer "store"). */
enum err sql_open(const struct sql_options *options, sqlite3 **ret_db, struct errinfo *info) MUST_CHECK;

/** The present error of the connection as ours, with SQLite's text in @p info; @p doing completes "cannot ...".
 * @param db NULL allowed. */
enum err sql_error(sqlite3 *db, int rc, const char *doing, struct errinfo *info);

/** Statements without parameters or rows. */
enum err sql_exec(sqlite3 *db, const char *sql, const char *doing, struct errinfo *info) MUST_CHECK;
/** First column of the first row of @p sql as a number. @return also ERR_CORRUPT: no row. */
enum err sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, struct errinfo *info) MUST_CHECK;

/** A text column, borrowed until the statement moves. False when memory is short; NULL text for SQL NULL. */
bool sql_read_text(sqlite3_stmt *statement, int column, const char **ret_text);
/** Binds a text that lives until the statement is reset, or NULL. @return SQLite's code. */
int sql_bind_text(sqlite3_stmt *statement, int index, const char *text);
