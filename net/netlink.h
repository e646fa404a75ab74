/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * netlink: what the kernel knows and tells of this host's addresses, links and default routes, through libmnl on the
 * loop. At start it dumps all and then follows the events. When the kernel dropped events (ENOBUFS) or a dump was
 * interrupted (NLM_F_DUMP_INTR), it dumps again: so an owner keeps a set, clears it (or marks it) at `resync begin`,
 * adds what is delivered, and believes it at `resync end`. Threading: loop thread. Never logs.
 */
#include "base/err.h"
#include "net/loop.h"
#include "net/rtparse.h"

struct netlink;

struct netlink_options {
    /**
     * One event. Order within a resync: links, addresses, default routes; live events that arrive meanwhile are
     * delivered between them, so an address may be told twice: a set does not mind. Borrowed for the call.
     */
    void (*event)(void *context, const struct rt_event *event);
    /** @p begin true: all that was told before is void, a whole picture follows. False: the picture is complete.
     *  A begin may follow a begin, when a dump was interrupted. */
    void (*resync)(void *context, bool begin);
    /** The socket failed for good (@p info says how); no more calls follow; the owner frees it and may make another. */
    void (*failed)(void *context, const struct errinfo *info);
    void *context;
    int rcvbuf; /* bytes asked of SO_RCVBUF; 0 = 256 KiB. Tests ask for little. */
};

/** Opens the socket in the network namespace of the calling thread and begins the first dump; the first callback comes
 *  from the loop. @param options copied. @return ERR_NOMEM, ERR_IO, ERR_DENIED (address family forbidden), with info.
 */
enum err netlink_new(struct loop *loop, const struct netlink_options *options, struct netlink **ret_netlink,
                     struct errinfo *info) MUST_CHECK;
/** NULL allowed; also from inside a callback: no more calls follow. */
void netlink_free(struct netlink *netlink);

/** Dumps again, as after ENOBUFS: after a suspend, or by hand. */
void netlink_resync(struct netlink *netlink);

struct netlink_stats {
    uint64_t messages;  /* received, all kinds */
    uint64_t overruns;  /* ENOBUFS */
    uint64_t resyncs;   /* dumps begun, the first one included */
    uint64_t malformed; /* messages dropped */
};

struct netlink_stats netlink_stats(const struct netlink *netlink);
