/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * engine_find: finds who answers for a name, where the config does not say: the SOA's primary and, for questions, the
 * zone's name servers, by the system's resolvers. Kept for the SOA's TTL (authority.h bounds it), longer while the
 * resolvers do not answer; forgotten when what was found turned out to be of no use. Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

struct find;

/** @p info: NULL = found; else why not. Never from inside find_start. */
typedef void (*find_fn)(void *context, const struct errinfo *info);

/** @param servers the name servers too, after the primary: for questions, not for updates. */
enum err find_new(struct loop *loop, bool servers, find_fn fn, void *context, struct find **ret_find) MUST_CHECK;
void find_free(struct find *find); /* also inside its own callback; NULL allowed */

/** Asks who answers for @p name; replaces a question that is under way. @return ERR_NOMEM, ERR_INVALID. */
enum err find_start(struct find *find, const char *name) MUST_CHECK;
/** The question under way comes to nothing. */
void find_cancel(struct find *find);
/** Is it known, and fresh, for @p name? */
bool find_known(const struct find *find, const char *name);
/** The zone found; "" when nothing is known. */
const char *find_zone(const struct find *find);
/** The host to go to; "" when nothing is known. */
const char *find_host(const struct find *find);
/** On to the next host. False: that was the last one, and all are forgotten. */
bool find_next(struct find *find);
/** What was found is of no use. NULL allowed. */
void find_forget(struct find *find);
