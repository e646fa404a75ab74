/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/addresses_table.h"

/* Lifetimes come in whole seconds and a router tells those of all its prefixes at once. */
#define SAME_LIFETIME_MS 2000
/* Addresses that come up together, each after its own wait for duplicates, did not come one after the other. */
#define TOGETHER_MS 5000

static uint64_t end_of(uint32_t seconds, uint64_t now)
{
    return seconds == RT_FOREVER ? ADDRESSES_NO_END : now + (uint64_t)seconds * 1000;
}

void rank_stamp(struct addresses *addresses, uint64_t now)
{
    for (size_t i = 0; i < addresses->entries_len; i++) {
        struct entry *entry = &addresses->entries[i];
        if (entry->stamped) {
            continue;
        }
        entry->preferred_until_ms = end_of(entry->addr.preferred_s, now);
        entry->valid_until_ms = end_of(entry->addr.valid_s, now);
        entry->since_ms = entry->known ? entry->since_ms : now;
        entry->known = entry->stamped = true;
    }
}

/* A prefix that is advertised with a preferred lifetime of 0 is told without the flag first; the kernel's own timer
 * marks it a moment later, after each advertisement anew (seen on Linux with radvd). */
static bool is_deprecated(const struct rt_addr *addr)
{
    return (addr->flags & RT_ADDR_DEPRECATED) != 0 || addr->preferred_s == 0;
}

/* RFC 8981; for IPv4 the same bit says "secondary". */
static bool is_temporary(const struct rt_addr *addr)
{
    return addr->ip.family == IP_V6 && (addr->flags & RT_ADDR_TEMPORARY) != 0;
}

static bool usable(const struct rt_addr *addr, enum address_temporary temporary)
{
    const uint32_t unusable = RT_ADDR_TENTATIVE | RT_ADDR_DADFAILED | RT_ADDR_OPTIMISTIC;
    if (addr->scope != RT_ADDR_SCOPE_UNIVERSE || (addr->flags & unusable) != 0 || is_deprecated(addr) ||
        (temporary == ADDRESS_TEMPORARY_NEVER && is_temporary(addr))) {
        return false;
    }
    switch (ip_classify(&addr->ip)) {
    case IP_CLASS_PUBLIC:
    case IP_CLASS_DOCUMENTATION:
    case IP_CLASS_BENCHMARKING:
        return true;
    case IP_CLASS_PRIVATE:
    case IP_CLASS_CGNAT:
    case IP_CLASS_PROTOCOL: /* 192.0.0.0/24: DS-Lite's inner side, judged by the coordinator */
        return addr->ip.family == IP_V4;
    default:
        return false;
    }
}

static bool is_same_link(const struct ip *a, const struct ip *b)
{
    return memcmp(a->bytes, b->bytes, 8) == 0; /* a /64 */
}

bool addresses_outdated(const struct addresses *addresses, const struct ip *ip)
{
    const struct entry *own = NULL;
    for (size_t i = 0; i < addresses->entries_len; i++) {
        own = ip_equal(&addresses->entries[i].addr.ip, ip) ? &addresses->entries[i] : own;
    }
    if (own == NULL || ip->family != IP_V6 || !is_deprecated(&own->addr)) {
        return false;
    }
    bool other = false;
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        if (entry->ifindex != own->ifindex || entry->addr.ip.family != IP_V6 ||
            !usable(&entry->addr, ADDRESS_TEMPORARY_AVOID)) {
            continue;
        }
        if (is_same_link(&entry->addr.ip, ip)) {
            return false;
        }
        other = true;
    }
    return other;
}

/* What time does not change; lower is better. */
static unsigned class_of(const struct entry *entry, enum address_temporary temporary)
{
    bool second = (entry->addr.flags & RT_ADDR_TEMPORARY) != 0;
    if (entry->addr.ip.family == IP_V6 && temporary == ADDRESS_TEMPORARY_PREFER) {
        second = !second;
    }
    return (ip_is_public(&entry->addr.ip) ? 0U : 2U) + (second ? 1U : 0U);
}

/* Lifetimes rank IPv6 only: an IPv4 address with a lease is as good as one without. */
static uint64_t lifetime_end(const struct entry *entry)
{
    return entry->addr.ip.family == IP_V6 ? entry->preferred_until_ms : UINT64_MAX;
}

static bool longer(uint64_t a, uint64_t b)
{
    return a > b && a - b > SAME_LIFETIME_MS;
}

/* True when a is the better one to begin with. */
static bool better(const struct entry *a, const struct entry *b, enum address_temporary temporary)
{
    unsigned class_a = class_of(a, temporary), class_b = class_of(b, temporary);
    if (class_a != class_b) {
        return class_a < class_b;
    }
    uint64_t end_a = lifetime_end(a), end_b = lifetime_end(b);
    if (longer(end_a, end_b) || longer(end_b, end_a)) {
        return end_a > end_b;
    }
    return ip_compare(&a->addr.ip, &b->addr.ip) < 0;
}

/* True when @p entry takes the place of @p holder, which is as good but for time. One that came later and lives at
 * least as long is a renumbering (also where the old router just fell silent: RFC 8978); else the holder stays, or two
 * routers that advertise by turns would change the address each time. It goes when half of the other's time is more
 * than all of its own: nobody refreshes it any more. */
static bool displaces(const struct entry *entry, const struct entry *holder, uint64_t now, uint64_t *deadline)
{
    uint64_t end = lifetime_end(entry), holder_end = lifetime_end(holder);
    if (holder_end == UINT64_MAX) {
        return end == UINT64_MAX && ip_compare(&entry->addr.ip, &holder->addr.ip) < 0;
    }
    if (entry->since_ms > holder->since_ms && entry->since_ms - holder->since_ms >= TOGETHER_MS &&
        !longer(holder_end, end)) {
        return true;
    }
    if (end == UINT64_MAX) {
        return true;
    }
    if (end <= holder_end) {
        return false;
    }
    uint64_t apart = end - holder_end; /* what the holder has left is less than this: its end is nearer than half way */
    uint64_t due = holder_end > apart ? holder_end - apart : 0;
    if (due <= now) {
        return true;
    }
    *deadline = MIN(*deadline, due);
    return false;
}

bool rank_fits(const struct entry *entry, const struct rank_query *query)
{
    return entry->ifindex == query->link->ifindex && entry->addr.ip.family == query->family &&
           (!query->on_link || entry->addr.prefix_len < 128) && usable(&entry->addr, query->temporary);
}

const struct rt_addr *rank_best(const struct addresses *addresses, const struct rank_query *query, uint64_t now,
                                uint64_t *deadline)
{
    const struct entry *best = NULL;
    const struct entry *holder = NULL;
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        if (rank_fits(entry, query)) {
            holder = query->holder != NULL && ip_equal(&entry->addr.ip, query->holder) ? entry : holder;
            best = best == NULL || better(entry, best, query->temporary) ? entry : best;
        }
    }
    if (holder == NULL || class_of(holder, query->temporary) != class_of(best, query->temporary)) {
        return best != NULL ? &best->addr : NULL;
    }
    const unsigned class_best = class_of(best, query->temporary);
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        if (rank_fits(entry, query) && class_of(entry, query->temporary) == class_best &&
            displaces(entry, holder, now, deadline)) {
            holder = entry;
        }
    }
    return &holder->addr;
}
