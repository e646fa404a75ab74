/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnsask: one DNS question to the system's resolvers, for what getaddrinfo cannot tell (SOA, NS). The servers of
 * /etc/resolv.conf are read anew for each question and asked in turn over UDP, over TCP where an answer is cut off or
 * its question came back in another case (a resolver of that kind, or a forgery: RFC 5452). No search list, no cache,
 * no /etc/hosts: a name is asked for as it stands. Threading: loop thread; nothing here blocks but the reading of that
 * small file.
 */
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/loop.h"

#define DNSASK_SERVERS_MAX 3    /* as many as the C library takes (MAXNS) */
#define DNSASK_TRY_MS      2000 /* for one server; all are asked twice */

struct dnsask; /* one question under way */

/** @p reply: the whole message, borrowed for the call: NOERROR or NXDOMAIN, to this question. Empty when no server gave
 *  one: @p info tells (layer "dns"). */
typedef void (*dnsask_fn)(void *context, struct view reply, const struct errinfo *info);

/** Asks for @p name, which is canonical, and @p type in class IN. @p fn is called once, from the loop, unless it is
 *  cancelled. The handle is void from that call on. @return ERR_NOMEM, ERR_INVALID (no name). */
enum err dnsask_start(struct loop *loop, const char *name, uint16_t type, dnsask_fn fn, void *context,
                      struct dnsask **ret_ask) MUST_CHECK;
/** No call follows. NULL allowed. */
void dnsask_cancel(struct dnsask *ask);

/** The `nameserver` lines of @p text, a resolv.conf, at most @p max; what is no address (or one with a scope) is left
 *  out. @return how many; without any it is 127.0.0.1, as the C library does (resolv.conf(5)). Pure. */
size_t dnsask_servers(struct view text, struct ip *ret_servers, size_t max);
