/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * err: the one error type. 0 is ok; names and texts come once from ERR_TABLE. Not for outcomes: a provider's "refused"
 * is a value, an `enum err` says that we could not do our part.
 */
#include <stdbool.h>

#include "base/macros.h"

#define ERR_TABLE(X)                                                                                                   \
    X(OK, "ok")                                                                                                        \
    X(NOMEM, "out of memory")                                                                                          \
    X(LIMIT, "a limit was exceeded")                                                                                   \
    X(PARSE, "malformed input")                                                                                        \
    X(INVALID, "invalid value")                                                                                        \
    X(RANGE, "value out of range")                                                                                     \
    X(EXISTS, "already exists")                                                                                        \
    X(NOTFOUND, "not found")                                                                                           \
    X(IO, "input/output error")                                                                                        \
    X(FULL, "no space left")                                                                                           \
    X(READONLY, "read-only")                                                                                           \
    X(TIMEOUT, "timed out")                                                                                            \
    X(CLOSED, "closed")                                                                                                \
    X(AGAIN, "try again later")                                                                                        \
    X(AUTH, "authentication failed")                                                                                   \
    X(DENIED, "not permitted")                                                                                         \
    X(CRYPTO, "cryptographic failure")                                                                                 \
    X(FENCED, "deposed: another writer holds a newer epoch")                                                           \
    X(CONFLICT, "conflicts with the present state")                                                                    \
    X(UNSUPPORTED, "not supported")                                                                                    \
    X(STATE, "not possible in this state")                                                                             \
    X(CORRUPT, "stored data is damaged")

enum err {
#define X(name, text) ERR_##name,
    ERR_TABLE(X)
#undef X
};

/** The constant without its prefix ("NOMEM"), for logs and JSON. Static storage, never NULL. */
const char *err_name(enum err err);

/** One English phrase for a person. Static storage, never NULL. */
const char *err_text(enum err err);

/** ERR_FULL, ERR_READONLY, ERR_NOMEM, ERR_DENIED, ERR_NOTFOUND, ERR_EXISTS, ERR_TIMEOUT or ERR_IO for an errno value.
 */
enum err err_from_errno(int errno_value);

#define ERRINFO_TEXT_MAX 256

/** Human detail of a failure, filled at boundaries where a person reads it. Optional everywhere: pass NULL to decline.
 */
struct errinfo {
    enum err err;
    const char *layer;           /* "config", "tls", "store", "dns", ...; static storage */
    long native;                 /* errno, RCODE, curl or SQLite code; 0 when there is none */
    char text[ERRINFO_TEXT_MAX]; /* one line, no trailing newline */
};

/** Fills @p info (NULL allowed) and returns @p err, so a failure is recorded and returned in one expression. */
enum err errinfo_set(struct errinfo *info, enum err err, const char *layer, long native, const char *format, ...)
    PRINTF_LIKE(5, 6);
