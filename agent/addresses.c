/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addresses.h"

#include <stdlib.h>
#include <string.h>

#include "agent/addresses_table.h"

static bool field_equal(const struct address_field *a, const struct address_field *b)
{
    return a->presence == b->presence && (a->presence != FIELD_SET || ip_equal(&a->ip, &b->ip));
}

static bool uplink_equal(const struct uplink *a, const struct uplink *b)
{
    return strcmp(a->name, b->name) == 0 && a->up == b->up && field_equal(&a->ip4, &b->ip4) &&
           field_equal(&a->ip6, &b->ip6) && ip_equal(&a->seen4, &b->seen4) && ip_equal(&a->seen6, &b->seen6) &&
           a->nat == b->nat && a->alive4 == b->alive4 && a->alive6 == b->alive6 && a->has_metric == b->has_metric &&
           a->metric == b->metric;
}

static bool prefixes_equal(const struct address_set *a, const struct address_set *b)
{
    if (a->has_prefix6 != b->has_prefix6 || a->prefix6_gone != b->prefix6_gone ||
        a->prefix6_also_len != b->prefix6_also_len || (a->has_prefix6 && !ip_prefix_equal(&a->prefix6, &b->prefix6))) {
        return false;
    }
    for (size_t i = 0; i < a->prefix6_also_len; i++) {
        if (!ip_prefix_equal(&a->prefix6_also[i].prefix, &b->prefix6_also[i].prefix)) {
            return false;
        }
    }
    return true;
}

bool address_set_equal(const struct address_set *a, const struct address_set *b)
{
    if (!field_equal(&a->ip4, &b->ip4) || !field_equal(&a->ip6, &b->ip6) || !prefixes_equal(a, b) ||
        a->uplinks_len != b->uplinks_len) {
        return false;
    }
    for (size_t i = 0; i < a->uplinks_len; i++) {
        if (!uplink_equal(&a->uplinks[i], &b->uplinks[i])) {
            return false;
        }
    }
    return true;
}

enum err addresses_new(struct addresses **ret_addresses)
{
    struct addresses *addresses = calloc(1, sizeof(*addresses));
    if (addresses == NULL) {
        return ERR_NOMEM;
    }
    *ret_addresses = addresses;
    return ERR_OK;
}

void addresses_free(struct addresses *addresses)
{
    free(addresses);
}

uint64_t addresses_ignored(const struct addresses *addresses)
{
    return addresses->ignored;
}

static struct link *find_link(struct addresses *addresses, uint32_t ifindex)
{
    for (size_t i = 0; i < addresses->links_len; i++) {
        if (addresses->links[i].ifindex == ifindex) {
            return &addresses->links[i];
        }
    }
    return NULL;
}

static void set_link(struct addresses *addresses, const struct rt_event *event)
{
    struct link *slot = find_link(addresses, event->ifindex);
    if (slot == NULL) {
        if (addresses->links_len == ADDRESSES_INTERFACES_MAX) {
            addresses->ignored++;
            return;
        }
        slot = &addresses->links[addresses->links_len++];
        *slot = (struct link){.ifindex = event->ifindex, .memory = {{.metric = NO_METRIC}, {.metric = NO_METRIC}}};
    }
    memcpy(slot->name, event->ifname, sizeof(slot->name)); /* a rename is an event too */
    slot->link = event->link;
    slot->stale = false;
}

static struct entry *find_entry(struct addresses *addresses, uint32_t ifindex, const struct ip *ip)
{
    for (size_t i = 0; i < addresses->entries_len; i++) {
        struct entry *entry = &addresses->entries[i];
        if (entry->ifindex == ifindex && ip_equal(&entry->addr.ip, ip)) {
            return entry;
        }
    }
    return NULL;
}

static void set_entry(struct addresses *addresses, const struct rt_event *event)
{
    struct entry *slot = find_entry(addresses, event->ifindex, &event->addr.ip);
    if (slot == NULL) {
        if (addresses->entries_len == ADDRESSES_MAX) {
            addresses->ignored++;
            return;
        }
        slot = &addresses->entries[addresses->entries_len++];
        *slot = (struct entry){.known = false};
    }
    slot->ifindex = event->ifindex;
    slot->addr = event->addr;
    slot->stale = slot->stamped = false;
}

static void remove_entry(struct addresses *addresses, const struct rt_event *event)
{
    struct entry *entry = find_entry(addresses, event->ifindex, &event->addr.ip);
    if (entry != NULL) {
        *entry = addresses->entries[--addresses->entries_len];
    }
}

static struct route *find_route(struct addresses *addresses, const struct rt_event *event)
{
    for (size_t i = 0; i < addresses->routes_len; i++) {
        struct route *route = &addresses->routes[i];
        if (route->ifindex == event->ifindex && route->family == event->route.family &&
            route->metric == event->route.metric) {
            return route;
        }
    }
    return NULL;
}

static void set_route(struct addresses *addresses, const struct rt_event *event)
{
    struct route *slot = find_route(addresses, event);
    if (slot == NULL) {
        if (addresses->routes_len == ADDRESSES_ROUTES_MAX) {
            addresses->ignored++;
            return;
        }
        slot = &addresses->routes[addresses->routes_len++];
    }
    *slot = (struct route){.ifindex = event->ifindex,
                           .family = event->route.family,
                           .metric = event->route.metric,
                           .gateway = event->route.gateway};
}

static void remove_route(struct addresses *addresses, const struct rt_event *event)
{
    struct route *route = find_route(addresses, event);
    if (route != NULL) {
        *route = addresses->routes[--addresses->routes_len];
    }
}

static void remove_link(struct addresses *addresses, uint32_t ifindex)
{
    struct link *link = find_link(addresses, ifindex);
    if (link != NULL) {
        *link = addresses->links[--addresses->links_len];
    }
    for (size_t i = addresses->entries_len; i-- > 0;) {
        if (addresses->entries[i].ifindex == ifindex) {
            addresses->entries[i] = addresses->entries[--addresses->entries_len];
        }
    }
    for (size_t i = addresses->routes_len; i-- > 0;) {
        if (addresses->routes[i].ifindex == ifindex) {
            addresses->routes[i] = addresses->routes[--addresses->routes_len];
        }
    }
}

void addresses_apply(struct addresses *addresses, const struct rt_event *event)
{
    switch (event->what) {
    case RT_LINK:
        if (event->removed) {
            remove_link(addresses, event->ifindex);
        } else {
            set_link(addresses, event);
        }
        break;
    case RT_ADDR:
        (event->removed ? remove_entry : set_entry)(addresses, event);
        break;
    case RT_ROUTE:
        (event->removed ? remove_route : set_route)(addresses, event);
        break;
    case RT_OTHER:
        break;
    }
}

static bool has_route4(const struct addresses *addresses, uint32_t ifindex)
{
    for (size_t i = 0; i < addresses->routes_len; i++) {
        if (addresses->routes[i].ifindex == ifindex && addresses->routes[i].family == IP_V4) {
            return true;
        }
    }
    return false;
}

/* A route that only renews itself, as with each router advertisement, takes nobody's place. */
static bool displaces(const struct addresses *addresses, const struct rt_event *event)
{
    for (size_t i = 0; event->replaces && i < addresses->routes_len; i++) {
        const struct route *route = &addresses->routes[i];
        if (route->family == event->route.family && route->metric == event->route.metric &&
            route->ifindex != event->ifindex) {
            return true;
        }
    }
    return false;
}

bool addresses_doubts(const struct addresses *addresses, const struct rt_event *event)
{
    switch (event->what) {
    case RT_ROUTE:
        return event->removed || displaces(addresses, event);
    case RT_ADDR:
        return event->removed && event->addr.ip.family == IP_V4 && has_route4(addresses, event->ifindex);
    case RT_LINK:
        return !event->removed && !event->link.up && has_route4(addresses, event->ifindex);
    case RT_OTHER:
        break;
    }
    return false;
}

void addresses_resync_begin(struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->links_len; i++) {
        addresses->links[i].stale = true;
    }
    for (size_t i = 0; i < addresses->entries_len; i++) {
        addresses->entries[i].stale = true;
    }
    for (size_t i = 0; i < addresses->routes_len; i++) {
        addresses->routes[i].stale = true;
    }
}

void addresses_resync_end(struct addresses *addresses)
{
    for (size_t i = addresses->links_len; i-- > 0;) {
        if (addresses->links[i].stale) {
            remove_link(addresses, addresses->links[i].ifindex);
        }
    }
    for (size_t i = addresses->entries_len; i-- > 0;) {
        if (addresses->entries[i].stale) {
            addresses->entries[i] = addresses->entries[--addresses->entries_len];
        }
    }
    for (size_t i = addresses->routes_len; i-- > 0;) {
        if (addresses->routes[i].stale) {
            addresses->routes[i] = addresses->routes[--addresses->routes_len];
        }
    }
}

const char *addresses_owner(const struct addresses *addresses, const struct ip *ip)
{
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        for (size_t j = 0; ip_equal(&entry->addr.ip, ip) && j < addresses->links_len; j++) {
            if (addresses->links[j].ifindex == entry->ifindex) {
                return addresses->links[j].name;
            }
        }
    }
    return "";
}

bool addresses_carries(const struct addresses *addresses, const struct ip *ip)
{
    if (addresses->ignored > 0 || ip_classify(ip) == IP_CLASS_LOOPBACK) {
        return true;
    }
    for (size_t i = 0; i < addresses->entries_len; i++) {
        const struct entry *entry = &addresses->entries[i];
        for (size_t j = 0; ip_equal(&entry->addr.ip, ip) && j < addresses->links_len; j++) {
            if (addresses->links[j].ifindex == entry->ifindex && addresses->links[j].link.running) {
                return true;
            }
        }
    }
    return false;
}
