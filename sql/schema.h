/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * schema: the tables of a file, by numbered migrations, and its check at start. A migration is never changed once
 * released: add the next.
 */
#include "sql/sql.h"

#define SQL_UUID_SIZE 37 /* 36 characters and the NUL */

struct sql_schema {
    int64_t application_id;        /* in the file header: tells our files from others; set by the first migration */
    const char *const *migrations; /* the n-th makes version n + 1 */
    uint32_t len;
    const char *first;  /* statements of the first rows, run with the first migration; with one %s, a new UUID */
    const char *not_us; /* said of a file of another application */
};

/** Brings the file to the newest version, each step in a transaction. @param ret_from version that was found.
 * @return ERR_INVALID (not such a file), ERR_UNSUPPORTED (made by a newer program), and SQLite's. */
enum err sql_migrate(sqlite3 *db, const struct sql_schema *schema, uint32_t *ret_from, struct errinfo *info) MUST_CHECK;

/** Looks at the whole file. @return ERR_CORRUPT with the first finding. */
enum err sql_check(sqlite3 *db, struct errinfo *info) MUST_CHECK;
