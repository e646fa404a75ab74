/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * addresses_table: the table behind agent/addresses.h, shared by what fills it (addresses.c) and what reads it
 * (addresses_select.c). Nobody else includes it.
 */
#include "agent/addresses.h"

#define FAMILIES  2 /* index 0: IPv4, 1: IPv6 */
#define NO_METRIC UINT64_MAX

struct entry {
    uint32_t ifindex;
    struct rt_addr addr;
    bool stale;                  /* not named yet by the dump under way */
    bool known, stamped;         /* since_ms is set; preferred_until_ms is that of the last event */
    uint64_t since_ms;           /* monotonic; when it came, tentative included */
    uint64_t preferred_until_ms; /* ADDRESSES_NO_END: for ever */
    uint64_t valid_until_ms;     /* the same */
};

struct route {
    uint32_t ifindex;
    uint8_t family;
    uint32_t metric;
    struct ip gateway;
    bool stale;
};

/* What a link had of one family, kept for the hold. */
struct memory {
    bool has_last, has_on_link, address_waits, route_waits;
    struct rt_addr last;
    struct rt_addr on_link;              /* the address that tells the link's prefix */
    uint64_t address_since, route_since; /* monotonic ms; when the wait began */
    uint64_t metric;                     /* NO_METRIC: had no default route */
    struct ip gateway;                   /* of that route */
};

struct link {
    uint32_t ifindex;
    char name[RT_IFNAME_SIZE];
    struct rt_link link;
    bool stale;
    struct memory memory[FAMILIES];
};

struct addresses {
    struct link links[ADDRESSES_INTERFACES_MAX];
    size_t links_len;
    struct entry entries[ADDRESSES_MAX];
    size_t entries_len;
    struct route routes[ADDRESSES_ROUTES_MAX];
    size_t routes_len;
    uint64_t ignored;
};

/* addresses_rank.c: which of a link's addresses is the one to report. */
struct rank_query {
    const struct link *link;
    enum ip_family family;
    enum address_temporary temporary;
    bool on_link;            /* only addresses that tell a prefix: a /128, as DHCPv6 gives it, tells none */
    const struct ip *holder; /* the one that was chosen last; NULL: none */
};

/** Turns the lifetimes of events that came since the last call into times. Before rank_best. */
void rank_stamp(struct addresses *addresses, uint64_t now);
/** @return NULL: none may be reported. *deadline is not after the time at which time alone changes the answer. */
const struct rt_addr *rank_best(const struct addresses *addresses, const struct rank_query *query, uint64_t now,
                                uint64_t *deadline);
/** @p entry may be reported in answer to @p query. */
bool rank_fits(const struct entry *entry, const struct rank_query *query);

/* addresses_prefix.c */
/** The network of an address. */
struct ip_prefix prefix_of(const struct ip *ip, uint8_t len);
/** Fills lifetimes and `prefix6_also` of a set whose prefix6 is known. @param query what prefix6 was the answer to. */
void prefix_fill(const struct addresses *addresses, const struct rank_query *query, struct address_set *set);
