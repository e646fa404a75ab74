/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * lookup: look-ups on a thread of their own, and the pin that makes Paho use their result. Paho 1.3.12 takes one
 * address only (the first IPv4 one) and looks it up under the mutex that all its calls share, while its host name check
 * wants the name in the URI. So this file puts a getaddrinfo in front of the C library's: for a pinned host it answers
 * the pinned address at once, for anything else it passes on. See docs/adr/0011-mqtt-session.md.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"

#define LOOKUP_ADDRESSES_MAX 8 /* more addresses than anyone gives a broker */
#define LOOKUP_HOST_MAX      253

struct lookup; /* one look-up */

/** Starts a look-up. @param wake called once on the look-up's thread when it is through, never after lookup_free.
 * @return ERR_NOMEM, ERR_LIMIT (host name too long), ERR_AGAIN (no thread). */
enum err lookup_start(const char *host, void (*wake)(void *context), void *context,
                      struct lookup **ret_lookup) MUST_CHECK;

/** @return ERR_AGAIN while it runs, ERR_NOTFOUND, ERR_OK with 1 to LOOKUP_ADDRESSES_MAX addresses in the order of
 * RFC 6724. */
enum err lookup_result(struct lookup *lookup, struct ip ret_addresses[static LOOKUP_ADDRESSES_MAX],
                       size_t *ret_len) MUST_CHECK;

/** Forgets it; a look-up that hangs ends by itself later. Does not block. NULL allowed. */
void lookup_free(struct lookup *lookup);

/** From now on @p host is this address, for the whole process, until unpinned by the same owner. @return ERR_LIMIT (16
 * owners, or the host name is too long). Any thread. */
enum err lookup_pin(const void *owner, const char *host, const struct ip *ip) MUST_CHECK;
void lookup_unpin(const void *owner);
