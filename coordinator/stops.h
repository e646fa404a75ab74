/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * stops: what services told us never to ask for again (a blocked name, a wrong password), kept in the store so that a
 * restart does not ask once more. A stop holds until a person clears it or the account's config changes, the content of
 * its files included. Loop thread; the store is written by the worker.
 */
#include "coordinator/coordinator_private.h"

struct stops;

/** Reads what is kept; before the loop runs. @return ERR_NOMEM and what the store says. */
enum err stops_new(struct coordinator *coordinator, struct stops **ret_stops) MUST_CHECK;
void stops_free(struct stops *stops); /* NULL allowed */
/** Gives each account of the present config what is kept for it; forgets what is of another config or account. */
void stops_restore(struct stops *stops);
/** A person cleared it. @param name NULL = the account and all its names. @return how many were lifted, as stops_each
 * tells them. */
size_t stops_clear(struct stops *stops, size_t account, const char *name);
/** In no order; texts live as long as the stop. */
void stops_each(const struct stops *stops, void (*each)(void *context, const struct store_stop *stop), void *context);
