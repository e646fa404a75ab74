/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "agent/addresses_table.h"

static const uint8_t families[FAMILIES] = {IP_V4, IP_V6};

/* One link as one selection sees it. */
struct candidate {
    const struct link *link;
    uint64_t metric[FAMILIES];
    struct ip gateway[FAMILIES];
    struct address_field field[FAMILIES];
    bool has_prefix;
    struct ip_prefix prefix; /* IPv6, of an address that is not a /128 */
    bool live[FAMILIES];     /* field is an address that the link has now, not one that is held */
    bool held[FAMILIES];     /* within the hold: nothing may be concluded yet */
};

static bool matches(const char *const *patterns, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++) {
        if (fnmatch(patterns[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

static bool eligible(const struct link *link, const struct address_policy *policy)
{
    if (link->link.loopback || matches(policy->exclude, policy->exclude_len, link->name)) {
        return false;
    }
    return policy->include_len == 0 || matches(policy->include, policy->include_len, link->name);
}

static const struct route *best_route(const struct addresses *addresses, uint32_t ifindex, uint8_t family)
{
    const struct route *best = NULL;
    for (size_t i = 0; i < addresses->routes_len; i++) {
        const struct route *route = &addresses->routes[i];
        if (route->ifindex == ifindex && route->family == family && (best == NULL || route->metric < best->metric)) {
            best = route;
        }
    }
    return best;
}

/* True while a wait that begins now or began at *since is within the hold; then *deadline is not after its end. */
static bool within_hold(bool *waits, uint64_t *since, uint64_t hold_ms, uint64_t now, uint64_t *deadline)
{
    if (!*waits) {
        *waits = true;
        *since = now;
    }
    if (now - *since >= hold_ms) {
        return false;
    }
    *deadline = MIN(*deadline, *since + hold_ms);
    return true;
}

static uint64_t effective_metric(struct memory *memory, const struct route *route, uint64_t hold_ms, uint64_t now,
                                 uint64_t *deadline)
{
    if (route != NULL) {
        memory->metric = route->metric;
        memory->gateway = route->gateway;
        memory->route_waits = false;
    } else if (memory->metric != NO_METRIC &&
               !within_hold(&memory->route_waits, &memory->route_since, hold_ms, now, deadline)) {
        memory->metric = NO_METRIC;
    }
    return memory->metric;
}

static void set_field(struct candidate *candidate, size_t f, const struct rt_addr *addr)
{
    candidate->field[f] = (struct address_field){.presence = FIELD_SET, .ip = addr->ip};
}

/* One selection: what all of its steps share. */
struct selection {
    struct addresses *addresses;
    const struct address_policy *policy;
    uint64_t now, deadline;
};

static const struct rt_addr *best_of(struct selection *selection, const struct link *link, size_t f, bool on_link)
{
    const struct memory *memory = &link->memory[f];
    const struct ip *last = memory->has_last ? &memory->last.ip : NULL;
    const struct ip *last_on_link = memory->has_on_link ? &memory->on_link.ip : NULL;
    const struct rank_query query = {.link = link,
                                     .family = families[f],
                                     .temporary = selection->policy->temporary,
                                     .on_link = on_link,
                                     .holder = on_link ? last_on_link : last};
    return rank_best(selection->addresses, &query, selection->now, &selection->deadline);
}

static void fill_on_link(struct selection *selection, struct link *link, struct candidate *candidate)
{
    struct memory *memory = &link->memory[1];
    const struct rt_addr *on_link = candidate->live[1] ? best_of(selection, link, 1, true) : NULL;
    if (on_link != NULL) {
        memory->on_link = *on_link;
    }
    memory->has_on_link = on_link != NULL || (memory->has_on_link && candidate->held[1]);
    candidate->has_prefix = memory->has_on_link;
    candidate->prefix = prefix_of(&memory->on_link.ip, memory->on_link.prefix_len);
}

static void fill_address(struct selection *selection, struct link *link, size_t f, struct candidate *candidate)
{
    struct memory *memory = &link->memory[f];
    const struct rt_addr *best = best_of(selection, link, f, false);
    if (best != NULL) {
        memory->last = *best;
        memory->has_last = true;
        memory->address_waits = false;
        candidate->live[f] = true;
        set_field(candidate, f, best);
    } else if (within_hold(&memory->address_waits, &memory->address_since, selection->policy->hold_ms, selection->now,
                           &selection->deadline)) {
        candidate->held[f] = true;
        if (memory->has_last) {
            set_field(candidate, f, &memory->last);
        }
    } else {
        memory->has_last = false;
        candidate->field[f].presence = FIELD_NULL;
    }
}

static void fill_family(struct selection *selection, struct link *link, size_t f, struct candidate *candidate)
{
    struct memory *memory = &link->memory[f];
    candidate->metric[f] = NO_METRIC;
    if (!link->link.running) {
        *memory = (struct memory){.metric = NO_METRIC};
        return;
    }
    const struct route *route = best_route(selection->addresses, link->ifindex, families[f]);
    candidate->metric[f] =
        effective_metric(memory, route, selection->policy->hold_ms, selection->now, &selection->deadline);
    candidate->gateway[f] = candidate->metric[f] != NO_METRIC ? memory->gateway : (struct ip){0};
    fill_address(selection, link, f, candidate);
    if (families[f] == IP_V6 && selection->policy->prefix6_from != NULL) {
        fill_on_link(selection, link, candidate);
    }
}

/* Order of links: metric of the families as listed, then the name. */
static bool ranks_before(const struct candidate *a, const struct candidate *b, size_t first, size_t second)
{
    if (a->metric[first] != b->metric[first]) {
        return a->metric[first] < b->metric[first];
    }
    if (a->metric[second] != b->metric[second]) {
        return a->metric[second] < b->metric[second];
    }
    return strcmp(a->link->name, b->link->name) < 0;
}

static void sort(struct candidate *candidates, size_t len, size_t first, size_t second)
{
    for (size_t i = 1; i < len; i++) {
        for (size_t j = i; j > 0 && ranks_before(&candidates[j], &candidates[j - 1], first, second); j--) {
            struct candidate swapped = candidates[j];
            candidates[j] = candidates[j - 1];
            candidates[j - 1] = swapped;
        }
    }
}

static const struct candidate *pick(const struct candidate *candidates, size_t len, size_t f, bool live)
{
    bool routed = len > 0 && candidates[0].metric[f] != NO_METRIC;
    for (size_t i = 0; i < len; i++) {
        const struct candidate *candidate = &candidates[i];
        if (candidate->field[f].presence != FIELD_SET || candidate->live[f] != live) {
            continue;
        }
        if (!routed || candidate->metric[f] != NO_METRIC || ip_is_public(&candidate->field[f].ip)) {
            return candidate;
        }
    }
    return NULL;
}

/* The family of the whole device; candidates are sorted for it. */
static struct address_field field_of_device(const struct candidate *candidates, size_t len, size_t f)
{
    const struct candidate *chosen = pick(candidates, len, f, true);
    if (chosen == NULL) {
        chosen = pick(candidates, len, f, false);
    }
    if (chosen != NULL) {
        return chosen->field[f];
    }
    bool up = false;
    for (size_t i = 0; i < len; i++) {
        if (candidates[i].held[f]) {
            return (struct address_field){.presence = FIELD_ABSENT};
        }
        up = up || candidates[i].link->link.running;
    }
    return (struct address_field){.presence = up ? FIELD_NULL : FIELD_ABSENT};
}

static void fill_prefix(const struct selection *selection, const struct candidate *candidates, size_t len,
                        struct address_set *set)
{
    const struct address_policy *policy = selection->policy;
    bool gone = false, held = false;
    for (size_t i = 0; i < len && policy->prefix6_from != NULL && !set->has_prefix6; i++) {
        const struct candidate *candidate = &candidates[i];
        if (fnmatch(policy->prefix6_from, candidate->link->name, 0) != 0) {
            continue;
        }
        if (candidate->has_prefix) {
            set->has_prefix6 = true;
            set->prefix6 = candidate->prefix;
            const struct rank_query query = {
                .link = candidate->link, .family = IP_V6, .temporary = policy->temporary, .on_link = true};
            prefix_fill(selection->addresses, &query, set);
        }
        gone = gone || candidate->field[1].presence == FIELD_NULL;
        held = held || candidate->held[1];
    }
    set->prefix6_gone = gone && !held && !set->has_prefix6;
}

/* The kernel takes nearly any bytes for a name, the contract printable ASCII. */
static void copy_name(char to[static RT_IFNAME_SIZE], const char from[static RT_IFNAME_SIZE])
{
    memcpy(to, from, RT_IFNAME_SIZE);
    for (char *c = to; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static bool has_route(const struct candidate *candidate)
{
    return candidate->metric[0] != NO_METRIC || candidate->metric[1] != NO_METRIC;
}

static struct uplink uplink_of(const struct candidate *candidate)
{
    uint64_t metric = candidate->metric[0] != NO_METRIC ? candidate->metric[0] : candidate->metric[1];
    struct uplink uplink = {.up = candidate->link->link.running,
                            .ip4 = candidate->field[0],
                            .ip6 = candidate->field[1],
                            .has_metric = metric != NO_METRIC,
                            .metric = metric != NO_METRIC ? (uint32_t)metric : 0};
    copy_name(uplink.name, candidate->link->name);
    return uplink;
}

/* What an uplink no longer has is not held where another one has the family: whoever named the device by it would name
 * nobody. Unknown is not gone: the hold goes on. */
static void drop_held(struct candidate *candidates, size_t len, size_t f)
{
    bool elsewhere = false;
    for (size_t i = 0; i < len; i++) {
        elsewhere = elsewhere || (candidates[i].live[f] && candidates[i].metric[f] != NO_METRIC);
    }
    for (size_t i = 0; i < len && elsewhere; i++) {
        if (candidates[i].held[f]) {
            candidates[i].field[f] = (struct address_field){.presence = FIELD_ABSENT};
        }
    }
}

static void fill_uplinks(struct candidate *candidates, size_t len, struct address_set *set)
{
    bool routed = false;
    for (size_t i = 0; i < len; i++) {
        routed = routed || has_route(&candidates[i]);
    }
    sort(candidates, len, 0, 1);
    for (size_t i = 0; i < len && set->uplinks_len < MQTT_UPLINKS_MAX; i++) {
        const struct candidate *candidate = &candidates[i];
        bool has_address = candidate->field[0].presence == FIELD_SET || candidate->field[1].presence == FIELD_SET;
        if (routed ? has_route(candidate) : has_address) {
            struct uplink_path *path = &set->paths[set->uplinks_len];
            *path = (struct uplink_path){.gateway4 = candidate->gateway[0], .gateway6 = candidate->gateway[1]};
            memcpy(path->name, candidate->link->name, sizeof(path->name));
            set->uplinks[set->uplinks_len++] = uplink_of(candidate);
        }
    }
}

uint64_t addresses_select(struct addresses *addresses, const struct address_policy *policy, uint64_t now,
                          struct address_set *ret_set)
{
    struct candidate candidates[ADDRESSES_INTERFACES_MAX];
    size_t len = 0;
    struct selection selection = {.addresses = addresses, .policy = policy, .now = now, .deadline = UINT64_MAX};
    const bool wanted[FAMILIES] = {policy->ip4, policy->ip6};
    rank_stamp(addresses, now);
    for (size_t i = 0; i < addresses->links_len; i++) {
        struct link *link = &addresses->links[i];
        if (!eligible(link, policy)) {
            continue;
        }
        struct candidate *candidate = &candidates[len++];
        *candidate = (struct candidate){.link = link, .metric = {NO_METRIC, NO_METRIC}};
        for (size_t f = 0; f < FAMILIES; f++) {
            if (wanted[f]) {
                fill_family(&selection, link, f, candidate);
            }
        }
    }
    struct address_set set = {0};
    sort(candidates, len, 0, 1);
    set.ip4 = policy->ip4 ? field_of_device(candidates, len, 0) : set.ip4;
    sort(candidates, len, 1, 0);
    set.ip6 = policy->ip6 ? field_of_device(candidates, len, 1) : set.ip6;
    fill_prefix(&selection, candidates, len, &set);
    drop_held(candidates, len, 0);
    drop_held(candidates, len, 1);
    fill_uplinks(candidates, len, &set);
    *ret_set = set;
    return selection.deadline;
}
