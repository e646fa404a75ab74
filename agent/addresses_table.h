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
    bool stale; /* not named yet by the dump under way */
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
    bool has_last, address_waits, route_waits;
    struct rt_addr last;
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
