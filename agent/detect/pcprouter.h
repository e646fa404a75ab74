/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pcprouter: what is known of the routers that were asked, so that an answer tells whether the router restarted and an
 * announcement tells whether it is news. Announcements are anybody's on the link: what they say is never believed, it
 * only makes us ask. Pure, with the caller's clock, which must run during suspend: the router's does.
 */
#include "agent/detect/pcpwire.h"
#include "net/rtparse.h"

#define PCP_ROUTERS_MAX 16 /* an IPv4 and an IPv6 router for each of 8 uplinks */

/** Open value, written by the functions below only. */
struct pcp_router {
    char uplink[RT_IFNAME_SIZE];
    struct ip address;
    uint64_t asked_ms;
    struct pcp_epoch answered; /* of answers, which are believed */
    struct pcp_epoch
        heard[2];          /* NAT-PMP's and PCP's, of answers and announcements: tells a repeat from news, no more */
    struct ip external;    /* the last that either told; IP_NONE = none did */
    bool announced;        /* an announcement was heard ... */
    uint64_t announced_ms; /* ... last at */
    bool natpmp;           /* it answers NAT-PMP only: asked first with that */
};

/** Open value; zeroed = none. */
struct pcp_routers {
    struct pcp_router items[PCP_ROUTERS_MAX];
    size_t len;
};

/** The router of an uplink that is asked now; takes the place of the one that was not asked for longest when there is
 * no room. @return valid until the next call. */
struct pcp_router *pcp_router_get(struct pcp_routers *routers, const char *uplink, const struct ip *address,
                                  uint64_t now_ms);

/** An answer that is believed and has an address. @return the router has restarted or was renumbered since the last
 * one: its epoch does not go on from there. */
bool pcp_router_answered(struct pcp_router *router, const struct pcp_reply *reply, uint64_t now_ms);

/** An announcement. Routers repeat each ten times over some two minutes (RFC 6886 3.2.1); only the first is news.
 * @return ask again; false also when @p from is no router of ours. */
bool pcp_routers_announced(struct pcp_routers *routers, const struct ip *from, const struct pcp_reply *reply,
                           uint64_t now_ms);
