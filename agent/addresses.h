/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * addresses: which of the interfaces' addresses this device reports. A table fed by link, address and default-route
 * events; `addresses_select` is a pure function of the table and the time. Knows nothing of netlink sockets.
 *
 * What may be reported: scope universe; not TENTATIVE, DADFAILED, DEPRECATED (or with a preferred lifetime of 0) or
 * OPTIMISTIC; not loopback, link-local, multicast, and for IPv6 not unique-local, 6to4, Teredo or mapped. Private and
 * carrier-NAT IPv4 is reported as it is: the coordinator's policy decides, and behind a NAT the address that the broker
 * sees counts.
 * Which one, in this order: interface with the default route of the family (lowest metric), then name of the interface;
 * within an interface public before others, stable before temporary unless the policy says otherwise (RFC 6724 rule 7
 * turned round; IPv4: primary before secondary), for IPv6 the longest preferred lifetime, then the lowest number. How
 * the address was made (SLAAC, a /128 of DHCPv6, by hand) does not matter. Of those with a lifetime what was chosen
 * stays chosen until one comes later that lives as long, or until it was not refreshed for so long that it has less
 * than half of another's time: a renumbering counts at once, two routers that advertise by turns change nothing. An
 * interface without a default route, while another has one, only gives public addresses (a gateway's delegated prefix
 * on its LAN side).
 *
 * The prefix of a gateway's hosts is that of the address of its interface that ranks first. The others that are still
 * preferred are told beside it, and leave when they are not (docs/adr/0015-two-prefixes.md). One that the kernel made
 * of router advertisements counts only when one named it as that first prefix came, or since: a router that came back
 * with another prefix and says nothing of the old one (RFC 8978) has flashed it away.
 *
 * A link that loses its address or its default route while it stays up keeps both for `hold_ms` (renewals remove and
 * add); an address that another link has counts at once, and where that has a default route,
 * too, the one that is held is not reported of its uplink. After the hold the family is an explicit null; with no link
 * up it is absent, which means unknown and retracts nothing. When a null goes out is for agent/report.h to say.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "mqtt/messages.h"
#include "net/rtparse.h"

#define ADDRESSES_INTERFACES_MAX                                                                                       \
    64                           /* links beyond are not looked at (containers, tunnels); include picks which count */
#define ADDRESSES_MAX        256 /* addresses of all links; SLAAC with temporaries is about ten a link */
#define ADDRESSES_ROUTES_MAX 64  /* default routes of both families */

/** What leads out of an uplink: asked by sources (agent/detect/source.h), never reported. */
struct uplink_path {
    char
        name[RT_IFNAME_SIZE]; /* the kernel's: nearly any bytes, where the reported one has '?' for what is not ASCII */
    struct ip gateway4, gateway6; /* of the default route with the lowest metric; IP_NONE: none, or point-to-point */
};

/** When a prefix ceases to be preferred and valid: monotonic ms; ADDRESSES_NO_END. */
struct prefix_life {
    uint64_t preferred_until_ms, valid_until_ms;
};
#define ADDRESSES_NO_END UINT64_MAX

struct further_prefix {
    struct ip_prefix prefix;
    struct prefix_life life;
};

/** The part of a state that addresses make. An open value; compared to decide what is a change: all but `paths` and
 * lifetimes, which tick. */
struct address_set {
    struct address_field ip4, ip6;
    bool has_prefix6;
    bool prefix6_gone; /* an explicit null: its link is up and without one, for longer than the hold */
    struct ip_prefix prefix6;
    struct prefix_life prefix6_life;
    struct further_prefix prefix6_also[MQTT_ALSO_MAX]; /* by their numbers; only with has_prefix6 */
    size_t prefix6_also_len;
    struct uplink uplinks[MQTT_UPLINKS_MAX];    /* links with a default route, else links with an address */
    struct uplink_path paths[MQTT_UPLINKS_MAX]; /* of the uplinks */
    size_t uplinks_len;
};
bool address_set_equal(const struct address_set *a, const struct address_set *b);
/** Writes the set's prefixes into @p message, with what is left of their lifetimes at @p now. */
void address_set_tell_prefixes(const struct address_set *set, uint64_t now, struct state_message *message);

/** What counts for temporary addresses (RFC 8981), which change daily. */
enum address_temporary {
    ADDRESS_TEMPORARY_AVOID,  /* when there is no other */
    ADDRESS_TEMPORARY_PREFER, /* before the stable one */
    ADDRESS_TEMPORARY_NEVER,
};

struct address_policy {
    const char *const *include; /* glob patterns of interface names; none: all but loopback. Borrowed. */
    size_t include_len;
    const char *const *exclude; /* win over include */
    size_t exclude_len;
    const char *prefix6_from; /* glob of the interface whose IPv6 prefix is reported for the hosts behind; NULL: none */
    bool ip4, ip6;            /* families that are reported */
    enum address_temporary temporary;
    uint64_t hold_ms;
};

struct addresses;
enum err addresses_new(struct addresses **ret_addresses) MUST_CHECK;
void addresses_free(struct addresses *addresses); /* NULL allowed */

/** Takes one event of netlink: a link, address or default route that is new, changed or gone. A full table ignores what
 * is new and counts it. */
void addresses_apply(struct addresses *addresses, const struct rt_event *event);

/** True when only a full dump tells what stands after @p event (which is not taken yet). Of default routes the kernel
 * does not say when another one replaces them, or, for IPv4, when their link or address goes away; and of several
 * routers behind one link, one that goes leaves the others. */
bool addresses_doubts(const struct addresses *addresses, const struct rt_event *event);

/** A full dump follows (start, overrun of the socket): what it does not name again by addresses_resync_end is gone. */
void addresses_resync_begin(struct addresses *addresses);
void addresses_resync_end(struct addresses *addresses);

/** Computes the set. Remembers, for the hold, what each link last had.
 *  @return when the result can change by time alone (a hold ends), UINT64_MAX for never. */
uint64_t addresses_select(struct addresses *addresses, const struct address_policy *policy, uint64_t now,
                          struct address_set *ret_set);

/** @p ip can carry a connection: it stands on a running link, or is a loopback address, or the table cannot know. */
bool addresses_carries(const struct addresses *addresses, const struct ip *ip);

/** @p ip is an IPv6 address whose /64 its link no longer prefers, while it prefers another one: the line was
 * renumbered, and what stands on @p ip may lead nowhere. One temporary address after another (RFC 8981) is no such
 * thing. */
bool addresses_outdated(const struct addresses *addresses, const struct ip *ip);

/** Name of the link that has @p ip; "" when none does. Borrowed until the next event. */
const char *addresses_owner(const struct addresses *addresses, const struct ip *ip);

/** Links, addresses or routes that a full table ignored since start. */
uint64_t addresses_ignored(const struct addresses *addresses);
