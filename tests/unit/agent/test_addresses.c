/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOLD 60000ULL

static const struct address_policy both = {.ip4 = true, .ip6 = true, .hold_ms = HOLD};

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

static void link_event(struct addresses *addresses, uint32_t ifindex, const char *name, bool running)
{
    struct rt_event event = {.what = RT_LINK, .ifindex = ifindex, .link = {.up = true, .running = running}};
    (void)snprintf(event.ifname, sizeof(event.ifname), "%s", name);
    event.link.loopback = strcmp(name, "lo") == 0;
    addresses_apply(addresses, &event);
}

static void address_event(struct addresses *addresses, uint32_t ifindex, const char *text, uint32_t flags,
                          uint8_t scope, bool removed)
{
    struct rt_event event = {.what = RT_ADDR,
                             .ifindex = ifindex,
                             .removed = removed,
                             .addr = {.ip = ip_of(text),
                                      .prefix_len = 64,
                                      .scope = scope,
                                      .flags = flags,
                                      .preferred_s = RT_FOREVER,
                                      .valid_s = RT_FOREVER}};
    addresses_apply(addresses, &event);
}

/* An address as a router advertisement or a lease makes or refreshes it. */
static void lease(struct addresses *addresses, uint32_t ifindex, const char *text, uint8_t prefix_len, uint32_t flags,
                  uint32_t preferred_s)
{
    struct rt_event event = {.what = RT_ADDR,
                             .ifindex = ifindex,
                             .addr = {.ip = ip_of(text),
                                      .prefix_len = prefix_len,
                                      .flags = flags,
                                      .preferred_s = preferred_s,
                                      .valid_s = RT_FOREVER}};
    addresses_apply(addresses, &event);
}

static void add(struct addresses *addresses, uint32_t ifindex, const char *text, uint32_t flags)
{
    address_event(addresses, ifindex, text, flags, RT_ADDR_SCOPE_UNIVERSE, false);
}

static void drop(struct addresses *addresses, uint32_t ifindex, const char *text)
{
    address_event(addresses, ifindex, text, 0, RT_ADDR_SCOPE_UNIVERSE, true);
}

static void route_event(struct addresses *addresses, uint32_t ifindex, uint8_t family, uint32_t metric, bool removed)
{
    struct rt_event event = {
        .what = RT_ROUTE, .ifindex = ifindex, .removed = removed, .route = {.family = family, .metric = metric}};
    addresses_apply(addresses, &event);
}

static void routed_by(struct addresses *addresses, uint32_t ifindex, const char *gateway, uint32_t metric, bool removed)
{
    struct ip ip = ip_of(gateway);
    struct rt_event event = {.what = RT_ROUTE,
                             .ifindex = ifindex,
                             .removed = removed,
                             .route = {.family = ip.family, .metric = metric, .gateway = ip}};
    addresses_apply(addresses, &event);
}

/* "192.0.2.1", "null", "absent" */
static void assert_field(const struct address_field *field, const char *expected)
{
    char text[IP_TEXT_SIZE] = "absent";
    if (field->presence == FIELD_SET) {
        (void)ip_format(&field->ip, text);
    } else if (field->presence == FIELD_NULL) {
        memcpy(text, "null", sizeof("null"));
    }
    assert_string_equal(text, expected);
}

static uint64_t assert_set(struct addresses *addresses, const struct address_policy *policy, uint64_t now,
                           const char *ip4, const char *ip6)
{
    struct address_set set;
    uint64_t deadline = addresses_select(addresses, policy, now, &set);
    assert_field(&set.ip4, ip4);
    assert_field(&set.ip6, ip6);
    return deadline;
}

static int make(void **state)
{
    struct addresses *addresses = NULL;
    assert_int_equal(addresses_new(&addresses), ERR_OK);
    link_event(addresses, 1, "lo", true);
    address_event(addresses, 1, "127.0.0.1", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_HOST, false);
    link_event(addresses, 2, "eth0", true);
    *state = addresses;
    return 0;
}

static int unmake(void **state)
{
    addresses_free(*state);
    return 0;
}

static void judges_each_address(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint32_t flags;
        uint8_t scope;
        bool reported;
    } rows[] = {
        {"203.0.113.9", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_UNIVERSE, true},
        {"10.1.2.3", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_UNIVERSE, true},
        {"100.64.0.9", 0, RT_ADDR_SCOPE_UNIVERSE, true},
        {"198.18.0.1", 0, RT_ADDR_SCOPE_UNIVERSE, true},
        {"8.8.8.8", 0, RT_ADDR_SCOPE_LINK, false},
        {"169.254.3.4", 0, RT_ADDR_SCOPE_UNIVERSE, false},
        {"127.0.0.5", 0, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2001:db8::1", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_UNIVERSE, true},
        {"2a00::1", RT_ADDR_MANAGETEMPADDR | RT_ADDR_NOPREFIXROUTE, RT_ADDR_SCOPE_UNIVERSE, true},
        {"2a00::1", RT_ADDR_TEMPORARY, RT_ADDR_SCOPE_UNIVERSE, true}, /* better than none */
        {"2a00::1", RT_ADDR_TENTATIVE, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2a00::1", RT_ADDR_TENTATIVE | RT_ADDR_OPTIMISTIC, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2a00::1", RT_ADDR_OPTIMISTIC, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2a00::1", RT_ADDR_DADFAILED | RT_ADDR_TENTATIVE, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2a00::1", RT_ADDR_DEPRECATED, RT_ADDR_SCOPE_UNIVERSE, false},
        {"fe80::1", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_LINK, false},
        {"fd00::1", RT_ADDR_PERMANENT, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2002:c000:201::1", 0, RT_ADDR_SCOPE_UNIVERSE, false},
        {"2001:0:53aa::1", 0, RT_ADDR_SCOPE_UNIVERSE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *one = NULL;
        (void)make(&one);
        address_event(one, 2, rows[i].text, rows[i].flags, rows[i].scope, false);
        bool six = strchr(rows[i].text, ':') != NULL;
        const char *shown = rows[i].reported ? rows[i].text : "absent";
        print_message("%s flags %x\n", rows[i].text, rows[i].flags);
        (void)assert_set(one, &both, 0, six ? "absent" : shown, six ? shown : "absent");
        (void)unmake(&one);
    }
}

static void waits_for_duplicate_address_detection(void **state)
{
    struct addresses *addresses = *state;
    add(addresses, 2, "2a00::7", RT_ADDR_TENTATIVE);
    (void)assert_set(addresses, &both, 0, "absent", "absent");
    add(addresses, 2, "2a00::7", 0); /* the second event, after DAD */
    (void)assert_set(addresses, &both, 1500, "absent", "2a00::7");
    add(addresses, 2, "2a00::8", RT_ADDR_TENTATIVE);
    add(addresses, 2, "2a00::7", RT_ADDR_DEPRECATED); /* renumbering: the new one is not ready yet */
    (void)assert_set(addresses, &both, 2000, "absent", "2a00::7");
    add(addresses, 2, "2a00::8", 0);
    (void)assert_set(addresses, &both, 3500, "absent", "2a00::8");
}

/* Sources ask the router on the way out; a renewal that takes the route away for a moment is no other router. */
static void knows_the_way_out(void **state)
{
    struct addresses *addresses = *state;
    struct address_set set;
    link_event(addresses, 2, "eth0", true);
    add(addresses, 2, "192.168.1.5", 0);
    add(addresses, 2, "2001:db8::5", 0);
    routed_by(addresses, 2, "192.168.1.254", 200, false);
    routed_by(addresses, 2, "192.168.1.1", 100, false);
    routed_by(addresses, 2, "fe80::1", 1024, false);
    (void)addresses_select(addresses, &both, 0, &set);
    struct ip gateway4 = ip_of("192.168.1.1"), gateway6 = ip_of("fe80::1");
    assert_true(ip_equal(&set.paths[0].gateway4, &gateway4) && ip_equal(&set.paths[0].gateway6, &gateway6));
    routed_by(addresses, 2, "192.168.1.1", 100, true);
    routed_by(addresses, 2, "192.168.1.254", 200, true);
    (void)addresses_select(addresses, &both, 10, &set);
    assert_true(ip_equal(&set.paths[0].gateway4, &gateway4));
    (void)addresses_select(addresses, &both, 10 + HOLD, &set);
    assert_int_equal(set.paths[0].gateway4.family, IP_NONE);
    struct ip own = ip_of("192.168.1.5"), other = ip_of("192.0.2.1");
    assert_string_equal(addresses_owner(addresses, &own), "eth0");
    assert_string_equal(addresses_owner(addresses, &other), "");
}

static void ranks_the_same_in_any_order(void **state)
{
    (void)state;
    /* best first */
    const struct {
        const char *text;
        uint32_t flags;
    } rows[] = {{"2a00::2", 0},
                {"2a00::9", RT_ADDR_PERMANENT},
                {"2a00::1", RT_ADDR_TEMPORARY},
                {"2001:db8::1", 0},
                {"2001:db8::2", RT_ADDR_TEMPORARY}};
    for (size_t first = 0; first < ARRAY_LEN(rows); first++) {
        void *one = NULL;
        (void)make(&one);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            size_t at = (first + i * 2) % ARRAY_LEN(rows);
            add(one, 2, rows[at].text, rows[at].flags);
        }
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            (void)assert_set(one, &both, 0, "absent", rows[i].text);
            drop(one, 2, rows[i].text);
        }
        (void)unmake(&one);
    }
}

static void obeys_the_policy_for_temporary_addresses(void **state)
{
    struct addresses *addresses = *state;
    struct address_policy avoid = both, prefer = both, never = both;
    prefer.temporary = ADDRESS_TEMPORARY_PREFER;
    never.temporary = ADDRESS_TEMPORARY_NEVER;
    lease(addresses, 2, "2a00::1", 64, RT_ADDR_TEMPORARY, 80000);
    (void)assert_set(addresses, &avoid, 0, "absent", "2a00::1"); /* better than none */
    (void)assert_set(addresses, &never, 1, "absent", "2a00::1"); /* held: as if it had gone just now */
    (void)assert_set(addresses, &never, 1 + HOLD, "null", "null");
    lease(addresses, 2, "2a00::2", 64, RT_ADDR_MANAGETEMPADDR, 80000);
    add(addresses, 2, "203.0.113.9", RT_ADDR_TEMPORARY); /* for IPv4 the bit says "secondary" */
    add(addresses, 2, "203.0.113.10", 0);
    (void)assert_set(addresses, &avoid, 2, "203.0.113.10", "2a00::2");
    (void)assert_set(addresses, &prefer, 3, "203.0.113.10", "2a00::1");
    (void)assert_set(addresses, &never, 4, "203.0.113.10", "2a00::2");
    drop(addresses, 2, "203.0.113.10");
    (void)assert_set(addresses, &never, 5, "203.0.113.9", "2a00::2");
    lease(addresses, 2, "2a00::3", 64, RT_ADDR_TEMPORARY, 86400); /* tomorrow's */
    (void)assert_set(addresses, &prefer, 80000000, "203.0.113.9", "2a00::3");
    (void)assert_set(addresses, &avoid, 80000001, "203.0.113.9", "2a00::2");
    drop(addresses, 2, "2a00::2");
    (void)assert_set(addresses, &prefer, 80000002, "203.0.113.9", "2a00::3");
}

static void follows_a_graceful_renumbering(void **state)
{
    struct addresses *addresses = *state;
    const struct address_policy ip6_only = {.ip6 = true, .hold_ms = HOLD};
    lease(addresses, 2, "2a00:1::5", 64, 0, 1800);
    (void)assert_set(addresses, &ip6_only, 0, "absent", "2a00:1::5");
    lease(addresses, 2, "2a00:9::5", 64, RT_ADDR_TENTATIVE, 1800);
    lease(addresses, 2, "2a00:1::5", 64, 0, 0); /* told before the kernel marks it */
    (void)assert_set(addresses, &ip6_only, 20000, "absent", "2a00:1::5");
    lease(addresses, 2, "2a00:1::5", 64, RT_ADDR_DEPRECATED, 0);
    lease(addresses, 2, "2a00:9::5", 64, 0, 1800);
    (void)assert_set(addresses, &ip6_only, 21500, "absent", "2a00:9::5");
    for (uint64_t now = 30000; now < 600000; now += 10000) { /* each advertisement names both again */
        lease(addresses, 2, "2a00:1::5", 64, 0, 0);
        (void)assert_set(addresses, &ip6_only, now, "absent", "2a00:9::5");
        lease(addresses, 2, "2a00:1::5", 64, RT_ADDR_DEPRECATED, 0);
        lease(addresses, 2, "2a00:9::5", 64, 0, 1800);
        (void)assert_set(addresses, &ip6_only, now + 1, "absent", "2a00:9::5");
    }
}

/* RFC 8978: the router came back with another prefix and says nothing of the old one, which looks as good as ever. */
static void follows_a_flash_renumbering_at_once(void **state)
{
    (void)state;
    static const uint64_t silences[] = {5000, 9000, 100000, 1799000}; /* since the old one's last advertisement */
    for (size_t i = 0; i < ARRAY_LEN(silences); i++) {
        void *one = NULL;
        (void)make(&one);
        struct address_set set;
        lease(one, 2, "2a00:1::5", 64, 0, 1800);
        (void)addresses_select(one, &both, 1000, &set);
        lease(one, 2, "2a00:9::5", 64, RT_ADDR_TENTATIVE, 1800);
        (void)addresses_select(one, &both, 1000 + silences[i], &set);
        assert_field(&set.ip6, "2a00:1::5");
        lease(one, 2, "2a00:9::5", 64, 0, 1799);
        (void)addresses_select(one, &both, 2500 + silences[i], &set);
        assert_field(&set.ip6, "2a00:9::5");
        (void)unmake(&one);
    }
}

/* Two prefixes of one advertisement: each waits for its own duplicates. */
static void what_comes_up_together_is_no_renumbering(void **state)
{
    struct addresses *addresses = *state;
    struct address_set set;
    lease(addresses, 2, "2a00:9::5", 64, 0, 1800);
    (void)addresses_select(addresses, &both, 1000, &set);
    assert_field(&set.ip6, "2a00:9::5");
    lease(addresses, 2, "2a00:1::5", 64, 0, 1800);
    (void)addresses_select(addresses, &both, 2700, &set);
    assert_field(&set.ip6, "2a00:9::5");
}

static void an_address_that_is_not_preferred_is_not_reported(void **state)
{
    struct addresses *addresses = *state;
    const struct address_policy ip6_only = {.ip6 = true, .hold_ms = HOLD};
    lease(addresses, 2, "2a00:1::5", 64, 0, 0); /* as the kernel tells it before it sets the flag */
    (void)assert_set(addresses, &ip6_only, 0, "absent", "absent");
    (void)assert_set(addresses, &ip6_only, HOLD, "absent", "null");
}

static void two_routers_that_take_turns_change_nothing(void **state)
{
    struct addresses *addresses = *state;
    struct address_set set;
    lease(addresses, 2, "2a00:1::5", 64, 0, 1800);
    lease(addresses, 2, "2a00:9::5", 64, 0, 1800);
    (void)addresses_select(addresses, &both, 0, &set);
    assert_field(&set.ip6, "2a00:1::5");
    uint64_t now = 0;
    for (; now < 24 * 3600000ULL; now += 300000) {
        lease(addresses, 2, (now / 300000) % 2 == 0 ? "2a00:9::5" : "2a00:1::5", 64, 0, 1800);
        (void)addresses_select(addresses, &both, now, &set);
        assert_field(&set.ip6, "2a00:1::5");
    }
    now -= 300000; /* 2a00:1:: was told now; from here on only the other one is */
    for (uint64_t since = 0; since < 900000; since += 300000) {
        lease(addresses, 2, "2a00:9::5", 64, 0, 1800);
        (void)addresses_select(addresses, &both, now + since, &set);
        assert_field(&set.ip6, "2a00:1::5");
    }
    uint64_t deadline = addresses_select(addresses, &both, now + 900000, &set);
    assert_int_equal(deadline, now + 1200000); /* 600 s left of 1800, when the other has 1200 */
    (void)addresses_select(addresses, &both, deadline, &set);
    assert_field(&set.ip6, "2a00:9::5");
}

static void ranks_by_lifetime_then_number(void **state)
{
    (void)state;
    /* best first; the lengths say how the address was made and do not matter */
    const struct {
        const char *text;
        uint32_t preferred_s;
        uint8_t prefix_len;
    } rows[] = {{"2a00::9", RT_FOREVER, 64}, {"2a00::8", 604800, 128}, {"2a00::3", 7200, 64},
                {"2a00::1", 1800, 128},      {"2a00::2", 1800, 64},    {"2a00::4", 60, 64}};
    for (size_t first = 0; first < ARRAY_LEN(rows); first++) {
        void *one = NULL;
        (void)make(&one);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            size_t at = (first + i) % ARRAY_LEN(rows);
            lease(one, 2, rows[at].text, rows[at].prefix_len, 0, rows[at].preferred_s);
        }
        lease(one, 2, "fd00::1", 64, 0, RT_FOREVER);
        lease(one, 2, "2a00::7", 64, RT_ADDR_DEPRECATED, RT_FOREVER);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            (void)assert_set(one, &both, 0, "absent", rows[i].text);
            drop(one, 2, rows[i].text);
        }
        (void)unmake(&one);
    }
}

/* Without lifetimes the set alone decides, not its history: another start gives the same answer. */
static void the_lowest_number_counts_where_nothing_ends(void **state)
{
    struct addresses *addresses = *state;
    add(addresses, 2, "10.77.0.2", 0);
    add(addresses, 2, "2a00::5", 0);
    (void)assert_set(addresses, &both, 0, "10.77.0.2", "2a00::5");
    add(addresses, 2, "10.78.0.1", 0);
    add(addresses, 2, "2a00::6", 0);
    (void)assert_set(addresses, &both, 60000, "10.77.0.2", "2a00::5");
    lease(addresses, 2, "10.1.0.9", 24, 0, 3600); /* a lease of IPv4 is as good */
    add(addresses, 2, "2a00::4", 0);
    lease(addresses, 2, "2a00::1", 64, 0, 3600);
    (void)assert_set(addresses, &both, 120000, "10.1.0.9", "2a00::4");
    drop(addresses, 2, "10.1.0.9");
    (void)assert_set(addresses, &both, 180000, "10.77.0.2", "2a00::4");
}

static void assert_prefix(const struct address_set *set, const char *expected)
{
    char text[IP_PREFIX_TEXT_SIZE] = "none";
    if (set->has_prefix6) {
        (void)ip_prefix_format(&set->prefix6, text);
    }
    assert_string_equal(text, expected);
}

static void a_lone_address_of_dhcp_tells_no_prefix(void **state)
{
    struct addresses *addresses = *state;
    struct address_policy policy = both;
    struct address_set set;
    policy.prefix6_from = "eth*";
    lease(addresses, 2, "2a00:1::77", 128, 0, RT_FOREVER);
    (void)addresses_select(addresses, &policy, 0, &set);
    assert_field(&set.ip6, "2a00:1::77");
    assert_prefix(&set, "none");
    assert_false(set.prefix6_gone);
    lease(addresses, 2, "2a00:1::5", 64, 0, 1800);
    (void)addresses_select(addresses, &policy, 1, &set);
    assert_field(&set.ip6, "2a00:1::77");
    assert_prefix(&set, "2a00:1::/64");
    lease(addresses, 2, "2a00:9:0:80::5", 60, 0, 1800); /* renumbered: both follow */
    lease(addresses, 2, "2a00:1::5", 64, RT_ADDR_DEPRECATED, 0);
    (void)addresses_select(addresses, &policy, 2, &set);
    assert_prefix(&set, "2a00:9:0:80::/60");
    drop(addresses, 2, "2a00:1::77");
    drop(addresses, 2, "2a00:9:0:80::5");
    (void)addresses_select(addresses, &policy, 3, &set);
    assert_prefix(&set, "2a00:9:0:80::/60"); /* held */
    (void)addresses_select(addresses, &policy, 3 + HOLD, &set);
    assert_prefix(&set, "none");
    assert_true(set.prefix6_gone);
}

static void prefers_the_default_route(void **state)
{
    struct addresses *addresses = *state;
    link_event(addresses, 3, "docker0", true);
    link_event(addresses, 4, "wwan0", true);
    add(addresses, 2, "192.168.1.9", 0);
    add(addresses, 3, "172.17.0.1", 0);
    add(addresses, 4, "100.64.0.1", 0);
    (void)assert_set(addresses, &both, 0, "172.17.0.1", "absent"); /* nothing known of routes: by name */
    route_event(addresses, 4, IP_V4, 700, false);
    (void)assert_set(addresses, &both, 0, "100.64.0.1", "absent");
    route_event(addresses, 2, IP_V4, 100, false);
    (void)assert_set(addresses, &both, 0, "192.168.1.9", "absent");
    struct address_set set;
    (void)addresses_select(addresses, &both, 0, &set);
    assert_int_equal(set.uplinks_len, 2);
    assert_string_equal(set.uplinks[0].name, "eth0");
    assert_string_equal(set.uplinks[1].name, "wwan0");
    assert_field(&set.uplinks[1].ip4, "100.64.0.1");
    assert_true(set.uplinks[0].has_metric && set.uplinks[0].metric == 100);
    assert_true(set.uplinks[1].has_metric && set.uplinks[1].metric == 700);
    link_event(addresses, 2, "eth0", false); /* the cable is pulled: at once to the other uplink */
    (void)assert_set(addresses, &both, 10, "100.64.0.1", "absent");
}

static void takes_a_gateways_address_from_its_lan_side(void **state)
{
    struct addresses *addresses = *state;
    link_event(addresses, 3, "br-lan", true);
    route_event(addresses, 2, IP_V4, 0, false);
    route_event(addresses, 2, IP_V6, 1024, false); /* the uplink itself has only a link-local address */
    add(addresses, 3, "192.168.7.1", 0);
    add(addresses, 3, "2a00:1:2:3ff::1", 0);
    struct address_policy policy = both;
    policy.prefix6_from = "br-*";
    struct address_set set;
    (void)addresses_select(addresses, &policy, 0, &set);
    assert_field(&set.ip4, "absent"); /* never the LAN's private one */
    assert_field(&set.ip6, "2a00:1:2:3ff::1");
    assert_true(set.has_prefix6);
    char text[IP_PREFIX_TEXT_SIZE];
    (void)ip_prefix_format(&set.prefix6, text);
    assert_string_equal(text, "2a00:1:2:3ff::/64");
    drop(addresses, 3, "2a00:1:2:3ff::1");
    (void)addresses_select(addresses, &policy, 1, &set);
    assert_true(set.has_prefix6 && !set.prefix6_gone);
    (void)addresses_select(addresses, &policy, 1 + HOLD, &set);
    assert_true(!set.has_prefix6 && set.prefix6_gone);
    link_event(addresses, 3, "br-lan", false); /* the LAN's switch is off: nothing is known */
    (void)addresses_select(addresses, &policy, 2 + HOLD, &set);
    assert_true(!set.has_prefix6 && !set.prefix6_gone);
}

static void holds_an_address_through_a_renewal(void **state)
{
    struct addresses *addresses = *state;
    link_event(addresses, 3, "docker0", true);
    add(addresses, 3, "172.17.0.1", 0);
    add(addresses, 2, "203.0.113.1", 0);
    route_event(addresses, 2, IP_V4, 100, false);
    uint64_t deadline = assert_set(addresses, &both, 1000, "203.0.113.1", "absent");
    assert_int_equal(deadline, 1000 + HOLD); /* of the missing IPv6 */
    drop(addresses, 2, "203.0.113.1");
    route_event(addresses, 2, IP_V4, 100, true);
    (void)assert_set(addresses, &both, 2000, "203.0.113.1", "absent");
    (void)assert_set(addresses, &both, 2000 + HOLD - 1, "203.0.113.1", "null");
    add(addresses, 2, "203.0.113.2", 0);
    route_event(addresses, 2, IP_V4, 100, false);
    deadline = assert_set(addresses, &both, 2000 + HOLD, "203.0.113.2", "null");
    assert_int_equal(deadline, UINT64_MAX); /* at rest nothing is timed */
}

static void holds_nothing_of_an_uplink_where_another_has_the_family(void **state)
{
    struct addresses *addresses = *state;
    struct address_set set;
    link_event(addresses, 4, "wwan0", true);
    add(addresses, 2, "203.0.113.1", 0);
    add(addresses, 2, "2a00:1::1", 0);
    route_event(addresses, 2, IP_V4, 100, false);
    route_event(addresses, 2, IP_V6, 100, false);
    (void)addresses_select(addresses, &both, 0, &set);
    drop(addresses, 2, "203.0.113.1");
    (void)addresses_select(addresses, &both, 10, &set);
    assert_field(&set.uplinks[0].ip4, "203.0.113.1"); /* there is no other */
    add(addresses, 4, "192.0.0.2", 0);
    (void)addresses_select(addresses, &both, 20, &set);
    assert_field(&set.uplinks[0].ip4, "203.0.113.1"); /* a link that leads nowhere: as a LAN */
    route_event(addresses, 4, IP_V4, 700, false);
    (void)addresses_select(addresses, &both, 30, &set);
    assert_string_equal(set.uplinks[0].name, "eth0");
    assert_field(&set.ip4, "192.0.0.2");
    assert_field(&set.uplinks[0].ip4, "absent");
    assert_field(&set.uplinks[0].ip6, "2a00:1::1"); /* the other family stands as it did */
    assert_field(&set.uplinks[1].ip4, "192.0.0.2");
    (void)addresses_select(addresses, &both, 10 + HOLD, &set);
    assert_field(&set.uplinks[0].ip4, "null");
}

static void knows_what_was_renumbered(void **state)
{
    struct addresses *addresses = *state;
    struct ip old, temporary, ip4;
    assert_int_equal(ip_parse(view_of("2a00:1::5"), &old), ERR_OK);
    assert_int_equal(ip_parse(view_of("2a00:1::77"), &temporary), ERR_OK);
    assert_int_equal(ip_parse(view_of("192.168.1.9"), &ip4), ERR_OK);
    add(addresses, 2, "192.168.1.9", 0);
    add(addresses, 2, "2a00:1::5", 0);
    add(addresses, 2, "2a00:1::77", RT_ADDR_TEMPORARY | RT_ADDR_DEPRECATED);
    assert_false(addresses_outdated(addresses, &old));
    assert_false(addresses_outdated(addresses, &temporary)); /* its time was over */
    add(addresses, 2, "2a00:1::5", RT_ADDR_DEPRECATED);
    assert_false(addresses_outdated(addresses, &old)); /* there is no other yet */
    add(addresses, 2, "2a00:2::5", RT_ADDR_TENTATIVE);
    assert_false(addresses_outdated(addresses, &old));
    link_event(addresses, 3, "docker0", true);
    add(addresses, 3, "2a00:3::5", 0);
    assert_false(addresses_outdated(addresses, &old)); /* another link's */
    add(addresses, 2, "2a00:2::5", 0);
    assert_true(addresses_outdated(addresses, &old) && addresses_outdated(addresses, &temporary));
    assert_false(addresses_outdated(addresses, &ip4));
    drop(addresses, 2, "2a00:1::5");
    assert_false(addresses_outdated(addresses, &old)); /* gone: addresses_carries tells */
}

static void tells_gone_from_unknown(void **state)
{
    struct addresses *addresses = *state;
    add(addresses, 2, "203.0.113.1", 0);
    (void)assert_set(addresses, &both, 0, "203.0.113.1", "absent");
    drop(addresses, 2, "203.0.113.1");
    uint64_t deadline = assert_set(addresses, &both, 10, "203.0.113.1", "absent");
    assert_int_equal(deadline, HOLD);
    deadline = assert_set(addresses, &both, HOLD + 10, "null", "null");
    assert_int_equal(deadline, UINT64_MAX);
    link_event(addresses, 2, "eth0", false);
    (void)assert_set(addresses, &both, HOLD + 20, "absent", "absent");
    link_event(addresses, 2, "eth0", true); /* a new hold: DHCP has its time */
    (void)assert_set(addresses, &both, HOLD + 30, "absent", "absent");
    (void)assert_set(addresses, &both, 2 * HOLD + 30, "null", "null");
}

static void obeys_patterns_and_families(void **state)
{
    struct addresses *addresses = *state;
    link_event(addresses, 3, "wg0", true);
    add(addresses, 2, "203.0.113.1", 0);
    add(addresses, 3, "203.0.113.3", 0);
    add(addresses, 3, "2a00::3", 0);
    const char *const wg[] = {"wg*"}, *const all[] = {"*"}, *const eth[] = {"eth?"};
    struct address_policy policy = {.ip4 = true, .ip6 = true, .include = wg, .include_len = 1};
    (void)assert_set(addresses, &policy, 0, "203.0.113.3", "2a00::3");
    policy = (struct address_policy){.ip4 = true, .ip6 = true, .exclude = wg, .exclude_len = 1};
    (void)assert_set(addresses, &policy, 0, "203.0.113.1", "null");
    policy = (struct address_policy){
        .ip4 = true, .ip6 = true, .include = all, .include_len = 1, .exclude = eth, .exclude_len = 1};
    (void)assert_set(addresses, &policy, 0, "203.0.113.3", "2a00::3");
    policy = (struct address_policy){.ip6 = true};
    (void)assert_set(addresses, &policy, 0, "absent", "2a00::3"); /* a family not reported is unknown, never gone */
}

static void forgets_what_a_resync_does_not_name(void **state)
{
    struct addresses *addresses = *state;
    link_event(addresses, 3, "wwan0", true);
    add(addresses, 2, "203.0.113.1", 0);
    add(addresses, 3, "203.0.113.3", 0);
    route_event(addresses, 3, IP_V4, 5, false);
    (void)assert_set(addresses, &both, 0, "203.0.113.3", "absent");
    addresses_resync_begin(addresses);
    link_event(addresses, 2, "eth0", true);
    add(addresses, 2, "203.0.113.1", 0);
    addresses_resync_end(addresses);
    (void)assert_set(addresses, &both, 0, "203.0.113.1", "absent");
    struct address_set set;
    (void)addresses_select(addresses, &both, 0, &set);
    assert_int_equal(set.uplinks_len, 1);
    assert_string_equal(set.uplinks[0].name, "eth0");
}

static void knows_what_carries_a_connection(void **state)
{
    struct addresses *addresses = *state;
    const struct ip here = ip_of("192.168.1.9"), gone = ip_of("192.168.1.8"), local = ip_of("127.3.2.1");
    add(addresses, 2, "192.168.1.9", 0);
    assert_true(addresses_carries(addresses, &here));
    assert_false(addresses_carries(addresses, &gone));
    assert_true(addresses_carries(addresses, &local));
    link_event(addresses, 2, "eth0", false);
    assert_false(addresses_carries(addresses, &here));
    for (uint32_t i = 0; i <= ADDRESSES_INTERFACES_MAX; i++) {
        link_event(addresses, 100 + i, "many", true);
    }
    assert_true(addresses_carries(addresses, &gone)); /* the table is not the whole truth any more */
}

static void bounds_its_tables(void **state)
{
    struct addresses *addresses = *state;
    for (uint32_t i = 0; i < 2 * ADDRESSES_MAX; i++) {
        char text[32], name[RT_IFNAME_SIZE];
        (void)snprintf(text, sizeof(text), "10.1.%u.%u", i / 256, i % 256);
        (void)snprintf(name, sizeof(name), "if%u", i);
        link_event(addresses, 100 + i, name, true);
        add(addresses, 100 + i, text, 0);
        route_event(addresses, 100 + i, IP_V4, i, false);
    }
    assert_int_equal(addresses_ignored(addresses), 3 * 2 * ADDRESSES_MAX - (ADDRESSES_INTERFACES_MAX - 2) -
                                                       (ADDRESSES_MAX - 1) - ADDRESSES_ROUTES_MAX);
    struct address_set set;
    (void)addresses_select(addresses, &both, 0, &set);
    assert_int_equal(set.uplinks_len, MQTT_UPLINKS_MAX);
    assert_field(&set.ip4, "10.1.0.0");
}

static void reports_names_as_the_contract_can_carry_them(void **state)
{
    struct addresses *addresses = *state;
    struct address_set set;
    link_event(addresses, 3, "a\xff\xc3\xbc\x01", true);
    add(addresses, 3, "203.0.113.3", 0);
    (void)addresses_select(addresses, &both, 0, &set);
    assert_field(&set.ip4, "203.0.113.3");
    assert_true(set.uplinks_len == 1 && strcmp(set.uplinks[0].name, "a????") == 0);
    assert_string_equal(set.paths[0].name, "a\xff\xc3\xbc\x01"); /* what a socket is bound to */
}

static void doubts_only_what_the_kernel_does_not_tell(void **state)
{
    struct addresses *addresses = *state;
    struct rt_event route = {.what = RT_ROUTE, .ifindex = 2, .replaces = true, .route = {.family = IP_V4, .metric = 5}};
    struct rt_event address = {.what = RT_ADDR, .ifindex = 2, .removed = true, .addr = {.ip = {.family = IP_V4}}};
    struct rt_event link = {.what = RT_LINK, .ifindex = 2};
    assert_false(addresses_doubts(addresses, &route) || addresses_doubts(addresses, &address) ||
                 addresses_doubts(addresses, &link));
    route_event(addresses, 2, IP_V4, 5, false);
    assert_false(addresses_doubts(addresses, &route)); /* renewed */
    assert_true(addresses_doubts(addresses, &address) && addresses_doubts(addresses, &link));
    address.addr.ip.family = IP_V6;
    link.link.up = true;
    assert_false(addresses_doubts(addresses, &address) || addresses_doubts(addresses, &link));
    route.ifindex = 3;
    assert_true(addresses_doubts(addresses, &route));
    route.route.metric = 6;
    assert_false(addresses_doubts(addresses, &route));
    route.removed = true;
    route.replaces = false;
    assert_true(addresses_doubts(addresses, &route));
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_each_address),
        WITH_TABLE(waits_for_duplicate_address_detection),
        cmocka_unit_test(ranks_the_same_in_any_order),
        WITH_TABLE(knows_the_way_out),
        WITH_TABLE(obeys_the_policy_for_temporary_addresses),
        WITH_TABLE(follows_a_graceful_renumbering),
        cmocka_unit_test(follows_a_flash_renumbering_at_once),
        WITH_TABLE(what_comes_up_together_is_no_renumbering),
        WITH_TABLE(an_address_that_is_not_preferred_is_not_reported),
        WITH_TABLE(two_routers_that_take_turns_change_nothing),
        cmocka_unit_test(ranks_by_lifetime_then_number),
        WITH_TABLE(the_lowest_number_counts_where_nothing_ends),
        WITH_TABLE(a_lone_address_of_dhcp_tells_no_prefix),
        WITH_TABLE(prefers_the_default_route),
        WITH_TABLE(takes_a_gateways_address_from_its_lan_side),
        WITH_TABLE(holds_an_address_through_a_renewal),
        WITH_TABLE(holds_nothing_of_an_uplink_where_another_has_the_family),
        WITH_TABLE(knows_what_was_renumbered),
        WITH_TABLE(tells_gone_from_unknown),
        WITH_TABLE(obeys_patterns_and_families),
        WITH_TABLE(forgets_what_a_resync_does_not_name),
        WITH_TABLE(knows_what_carries_a_connection),
        WITH_TABLE(doubts_only_what_the_kernel_does_not_tell),
        WITH_TABLE(bounds_its_tables),
        WITH_TABLE(reports_names_as_the_contract_can_carry_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
