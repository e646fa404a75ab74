/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * resolve: the addresses of a host by the system's resolver, asked on a thread of its own so that a slow one holds up
 * neither the loop nor the end of the process. Threading: loop thread.
 */
#include <sys/socket.h>

#include "net/loop.h"

#define RESOLVE_ADDRESSES_MAX 8   /* a name with more is served by its first ones */
#define RESOLVE_HOST_MAX      253 /* longest DNS name as text */

struct resolve_result {
    /** With the port asked for. Families alternate, beginning with the one that the resolver puts first (RFC 6724). */
    struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
    size_t len;
};

struct resolve; /* one question under way */

/** @p result borrowed for the call; on a failure it is empty and @p info tells (layer "dns"). */
typedef void (*resolve_fn)(void *context, const struct resolve_result *result, const struct errinfo *info);

/** Whether @p host is an address as it stands: then @p ret_result is filled at once and nobody is asked. */
bool resolve_numeric(const char *host, uint16_t port, struct resolve_result *ret_result);

/** Asks; @p fn is called once, from the loop, unless it is cancelled. The handle is void from that call on.
 *  @return ERR_NOMEM, ERR_INVALID (empty or over RESOLVE_HOST_MAX bytes). */
enum err resolve_start(struct loop *loop, const char *host, uint16_t port, resolve_fn fn, void *context,
                       struct resolve **ret_resolve) MUST_CHECK;
/** No call follows. The question runs on to its end unseen, and holds up nobody; before loop_free. NULL allowed. */
void resolve_cancel(struct resolve *resolve);
