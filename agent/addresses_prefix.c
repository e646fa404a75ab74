/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addresses_table.h"

/* Prefixes of one advertisement are taken in within a few milliseconds; the kernel tells hundredths of a second. */
#define TOGETHER_CS 100

/* What the addresses of one prefix on one link say of it. */
struct span {
    bool found, preferred, from_ra;
    uint32_t created_cs, updated_cs; /* first and last; the kernel's clock wraps */
    struct prefix_life life;         /* the longest of those that may be reported */
};

struct ip_prefix prefix_of(const struct ip *ip, uint8_t len)
{
    struct ip_prefix prefix = {.ip = *ip, .len = len};
    for (unsigned i = 0; i < sizeof(prefix.ip.bytes); i++) {
        unsigned keep = len > i * 8 ? MIN(len - i * 8, 8U) : 0;
        prefix.ip.bytes[i] &= (uint8_t)(0xff00U >> keep);
    }
    return prefix;
}

static bool lies_in(const struct entry *entry, const struct rank_query *query, const struct ip_prefix *prefix)
{
    if (entry->ifindex != query->link->ifindex || entry->addr.ip.family != query->family ||
        entry->addr.prefix_len != prefix->len) {
        return false;
    }
    struct ip_prefix own = prefix_of(&entry->addr.ip, entry->addr.prefix_len);
    return ip_equal(&own.ip, &prefix->ip);
}

static bool before(uint32_t a_cs, uint32_t b_cs)
{
    return (int32_t)(a_cs - b_cs) < 0;
}

static void widen(struct span *span, const struct rt_addr *addr)
{
    if (!span->found || before(addr->created_cs, span->created_cs)) {
        span->created_cs = addr->created_cs;
    }
    if (!span->found || before(span->updated_cs, addr->updated_cs)) {
        span->updated_cs = addr->updated_cs;
    }
    span->from_ra = (!span->found || span->from_ra) && addr->from_ra; /* what a program gave, the program takes back */
    span->found = true;
}

static struct span span_of(const struct addresses *addresses, const struct rank_query *query,
                           const struct ip_prefix *prefix)
{
    struct span span = {.found = false};
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        if (!lies_in(entry, query, prefix)) {
            continue;
        }
        widen(&span, &entry->addr);
        if (rank_fits(entry, query)) {
            span.preferred = true;
            span.life.preferred_until_ms = MAX(span.life.preferred_until_ms, entry->preferred_until_ms);
            span.life.valid_until_ms = MAX(span.life.valid_until_ms, entry->valid_until_ms);
        }
    }
    return span;
}

static bool is_told(const struct address_set *set, const struct ip_prefix *prefix)
{
    bool told = ip_prefix_equal(&set->prefix6, prefix);
    for (size_t i = 0; i < set->prefix6_also_len; i++) {
        told = told || ip_prefix_equal(&set->prefix6_also[i].prefix, prefix);
    }
    return told;
}

/* By their numbers, so that ticking lifetimes reorder nothing; of too many the first ones count. */
static void tell(struct address_set *set, const struct further_prefix *further)
{
    size_t at = set->prefix6_also_len;
    while (at > 0 && ip_compare(&further->prefix.ip, &set->prefix6_also[at - 1].prefix.ip) < 0) {
        at--;
    }
    if (at == MQTT_ALSO_MAX) {
        return;
    }
    size_t len = MIN(set->prefix6_also_len + 1, (size_t)MQTT_ALSO_MAX);
    for (size_t i = len - 1; i > at; i--) {
        set->prefix6_also[i] = set->prefix6_also[i - 1];
    }
    set->prefix6_also[at] = *further;
    set->prefix6_also_len = len;
}

void prefix_fill(const struct addresses *addresses, const struct rank_query *query, struct address_set *set)
{
    const struct span first = span_of(addresses, query, &set->prefix6);
    set->prefix6_life = first.preferred ? first.life : (struct prefix_life){ADDRESSES_NO_END, ADDRESSES_NO_END};
    for (size_t i = 0; i < addresses->entries_len && first.preferred; i++) {
        const struct entry *entry = &addresses->entries[i];
        if (!rank_fits(entry, query)) {
            continue;
        }
        struct further_prefix further = {.prefix = prefix_of(&entry->addr.ip, entry->addr.prefix_len)};
        const struct span span = span_of(addresses, query, &further.prefix);
        bool flashed = span.from_ra && before(span.updated_cs + TOGETHER_CS, first.created_cs);
        if (!flashed && !is_told(set, &further.prefix)) {
            further.life = span.life;
            tell(set, &further);
        }
    }
}

/* At least one: what is told is not over yet. */
static uint32_t seconds_left(uint64_t until_ms, uint64_t now_ms)
{
    if (until_ms == ADDRESSES_NO_END) {
        return 0;
    }
    uint64_t left = until_ms > now_ms ? (until_ms - now_ms + 999) / 1000 : 1;
    return (uint32_t)MIN(left, (uint64_t)UINT32_MAX);
}

static struct lifetime lifetime_of(const struct prefix_life *life, uint64_t now_ms)
{
    return (struct lifetime){.preferred_s = seconds_left(life->preferred_until_ms, now_ms),
                             .valid_s = seconds_left(life->valid_until_ms, now_ms)};
}

void address_set_tell_prefixes(const struct address_set *set, uint64_t now_ms, struct state_message *message)
{
    message->has_prefix6 = set->has_prefix6;
    message->prefix6_gone = set->prefix6_gone;
    message->prefix6 = set->prefix6;
    if (!set->has_prefix6) {
        return;
    }
    message->prefix6_life = lifetime_of(&set->prefix6_life, now_ms);
    message->prefix6_also_len = set->prefix6_also_len;
    for (size_t i = 0; i < set->prefix6_also_len; i++) {
        const struct further_prefix *further = &set->prefix6_also[i];
        message->prefix6_also[i] =
            (struct also_prefix){.prefix = further->prefix, .life = lifetime_of(&further->life, now_ms)};
    }
}
