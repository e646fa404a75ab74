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

/* An address that a program or a person set. */
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
    lease(addresses, ifindex, text, 64, flags, RT_FOREVER);
}

static void drop(struct addresses *addresses, uint32_t ifindex, const char *text)
{
    struct rt_event event = {.what = RT_ADDR, .ifindex = ifindex, .removed = true, .addr.ip = ip_of(text)};
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

static int make(void **state)
{
    struct addresses *addresses = NULL;
    assert_int_equal(addresses_new(&addresses), ERR_OK);
    link_event(addresses, 2, "eth0", true);
    link_event(addresses, 3, "wwan0", true);
    *state = addresses;
    return 0;
}

static int unmake(void **state)
{
    addresses_free(*state);
    return 0;
}

/* One address of a prefix of eth0 as the kernel made it of router advertisements, in hundredths of a second. */
struct advertised {
    const char *ip;
    uint32_t created_cs, updated_cs, preferred_s;
    uint32_t flags;
};

static void advertise(struct addresses *addresses, struct advertised one)
{
    struct rt_event event = {.what = RT_ADDR,
                             .ifindex = 2,
                             .addr = {.ip = ip_of(one.ip),
                                      .prefix_len = 64,
                                      .flags = one.flags,
                                      .preferred_s = one.preferred_s,
                                      .valid_s = 7200,
                                      .created_cs = one.created_cs,
                                      .updated_cs = one.updated_cs,
                                      .from_ra = true}};
    addresses_apply(addresses, &event);
}

static const struct address_policy gateway = {.ip4 = true, .ip6 = true, .hold_ms = HOLD, .prefix6_from = "eth*"};

/* "2a00:9::/64 beside 2a00:1::/64 2a00:2::/64" */
static struct address_set assert_prefixes(struct addresses *addresses, uint64_t now, const char *expected)
{
    struct address_set set;
    char text[5 * IP_PREFIX_TEXT_SIZE] = "none";
    size_t len = 0;
    (void)addresses_select(addresses, &gateway, now, &set);
    if (set.has_prefix6) {
        len = ip_prefix_format(&set.prefix6, text);
    }
    for (size_t i = 0; i < set.prefix6_also_len; i++) {
        char also[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&set.prefix6_also[i].prefix, also);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i == 0 ? " beside " : " ", also); /* fits */
    }
    assert_string_equal(text, expected);
    return set;
}

static void two_preferred_prefixes_are_told_until_one_is_not(void **state)
{
    struct addresses *addresses = *state;
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 50000, 1800, 0});
    (void)assert_prefixes(addresses, 500000, "2a00:1::/64");
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 70000, 600, 0}); /* one advertisement names both */
    advertise(addresses, (struct advertised){"2a00:9::5", 70000, 70000, 1800, RT_ADDR_TENTATIVE});
    (void)assert_prefixes(addresses, 700000, "2a00:1::/64");
    advertise(addresses, (struct advertised){"2a00:9::5", 70000, 70000, 1799, 0});
    struct address_set set = assert_prefixes(addresses, 701500, "2a00:9::/64 beside 2a00:1::/64");
    assert_field(&set.ip6, "2a00:9::5");
    assert_true(set.prefix6_life.preferred_until_ms == 701500 + 1799000);
    assert_true(set.prefix6_life.valid_until_ms == 701500 + 7200000);
    assert_true(set.prefix6_also[0].life.preferred_until_ms == 700000 + 600000);
    struct address_set ticked = assert_prefixes(addresses, 900000, "2a00:9::/64 beside 2a00:1::/64");
    assert_true(address_set_equal(&set, &ticked));
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 95000, 600, 0}); /* the next one: no change either */
    ticked = assert_prefixes(addresses, 950000, "2a00:9::/64 beside 2a00:1::/64");
    assert_true(address_set_equal(&set, &ticked));
    assert_true(ticked.prefix6_also[0].life.preferred_until_ms == 950000 + 600000);
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 99000, 0, 0}); /* before the kernel marks it */
    ticked = assert_prefixes(addresses, 990000, "2a00:9::/64");
    assert_false(address_set_equal(&set, &ticked));
}

static void a_prefix_that_ends_by_itself_leaves_at_once(void **state)
{
    struct addresses *addresses = *state;
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 1000, 600, 0});
    advertise(addresses, (struct advertised){"2a00:9::5", 1000, 1000, 1800, 0});
    (void)assert_prefixes(addresses, 10000, "2a00:9::/64 beside 2a00:1::/64");
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 1000, 0, RT_ADDR_DEPRECATED});
    (void)assert_prefixes(addresses, 610000, "2a00:9::/64");
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 62000, 600, 0}); /* refreshed: it counts again */
    (void)assert_prefixes(addresses, 620000, "2a00:9::/64 beside 2a00:1::/64");
    drop(addresses, 2, "2a00:1::5");
    (void)assert_prefixes(addresses, 630000, "2a00:9::/64");
}

/* RFC 8978: the router came back and says nothing of the old prefix, which the kernel calls preferred. */
static void a_prefix_that_was_flashed_away_is_not_told(void **state)
{
    struct addresses *addresses = *state;
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 69800, 1800, 0}); /* 2 s before */
    (void)assert_prefixes(addresses, 600000, "2a00:1::/64");
    advertise(addresses, (struct advertised){"2a00:9::5", 70000, 70000, 1800, 0});
    (void)assert_prefixes(addresses, 700000, "2a00:9::/64");
    for (uint32_t cs = 70000; cs < 200000; cs += 20000) {
        advertise(addresses, (struct advertised){"2a00:9::5", 70000, cs, 1800, 0});
        (void)assert_prefixes(addresses, cs * 10, "2a00:9::/64");
    }
    /* a second router that only speaks by turns */
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 201000, 1800, 0});
    (void)assert_prefixes(addresses, 2010000, "2a00:9::/64 beside 2a00:1::/64");
}

/* The kernel's hundredths wrap every 497 days; a restarted agent has only them to tell the same. */
static void what_was_flashed_away_stays_so_over_a_restart_and_a_wrap(void **state)
{
    struct addresses *addresses = *state;
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, UINT32_MAX - 500, 1700, 0});
    advertise(addresses, (struct advertised){"2a00:9::5", 200, 300, 1800, 0});
    (void)assert_prefixes(addresses, 5, "2a00:9::/64");
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, UINT32_MAX - 500, 1700, RT_ADDR_DEPRECATED});
    advertise(addresses, (struct advertised){"2a00:2::5", UINT32_MAX - 9000, 200, 900, 0});
    (void)assert_prefixes(addresses, 6, "2a00:9::/64 beside 2a00:2::/64");
}

/* What a program or a person set is true as it stands: nothing else tells it. */
static void prefixes_set_by_hand_need_no_advertisement(void **state)
{
    struct addresses *addresses = *state;
    add(addresses, 2, "2a00:1::5", RT_ADDR_PERMANENT);
    add(addresses, 2, "2a00:9::5", RT_ADDR_PERMANENT);
    struct address_set set = assert_prefixes(addresses, 5, "2a00:1::/64 beside 2a00:9::/64");
    assert_true(set.prefix6_also[0].life.preferred_until_ms == ADDRESSES_NO_END);
    lease(addresses, 2, "2a00:1::5", 64, RT_ADDR_DEPRECATED, 0);
    (void)assert_prefixes(addresses, 6, "2a00:9::/64");
    lease(addresses, 2, "2a00:1::5", 64, 0, 1800); /* delegated: preferred for half an hour more */
    (void)assert_prefixes(addresses, 7, "2a00:9::/64 beside 2a00:1::/64");
    lease(addresses, 2, "2a00:8::77", 128, 0, 1800); /* tells no prefix */
    lease(addresses, 3, "2a00:7::5", 64, 0, 1800);   /* nor does another link */
    lease(addresses, 2, "2a00:9::8", 64, 0, 1800);   /* one prefix, two addresses */
    lease(addresses, 2, "fd00::8", 64, 0, 1800);     /* not public */
    (void)assert_prefixes(addresses, 8, "2a00:9::/64 beside 2a00:1::/64");
}

/* A temporary address of today is younger than its prefix. */
static void a_prefix_is_as_old_as_its_first_address(void **state)
{
    struct addresses *addresses = *state;
    struct address_policy policy = gateway;
    struct address_set set;
    policy.temporary = ADDRESS_TEMPORARY_PREFER;
    advertise(addresses, (struct advertised){"2a00:9::5", 1000, 900000, 1800, 0});
    advertise(addresses, (struct advertised){"2a00:9::7777", 900000, 900000, 1700, RT_ADDR_TEMPORARY});
    advertise(addresses, (struct advertised){"2a00:1::5", 1000, 890000, 1500, 0});
    (void)addresses_select(addresses, &policy, 5, &set);
    assert_field(&set.ip6, "2a00:9::7777");
    assert_int_equal(set.prefix6_also_len, 1);
    assert_true(set.prefix6_life.preferred_until_ms == 5 + 1800000); /* of the one that lives longest */
}

static void of_many_prefixes_the_first_ones_count(void **state)
{
    struct addresses *addresses = *state;
    static const char *const texts[] = {"2a00:6::5", "2a00:3::5", "2a00:5::5", "2a00:2::5", "2a00:4::5"};
    lease(addresses, 2, "2a00:9::5", 64, 0, 7200);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        lease(addresses, 2, texts[i], 64, 0, 1800 + (uint32_t)i);
    }
    (void)assert_prefixes(addresses, 5, "2a00:9::/64 beside 2a00:2::/64 2a00:3::/64 2a00:4::/64");
}

static void lifetimes_are_told_in_seconds_that_are_left(void **state)
{
    (void)state;
    struct state_message message = {.on = true};
    struct address_set set = {.prefix6_also_len = 1};
    set.prefix6_life = (struct prefix_life){5001, ADDRESSES_NO_END};
    address_set_tell_prefixes(&set, 2000, &message);
    assert_int_equal(message.prefix6_life.preferred_s, 0); /* without a prefix nothing */
    assert_int_equal(message.prefix6_also_len, 0);
    set.has_prefix6 = true;
    set.prefix6_also[0].life = (struct prefix_life){1999, UINT64_MAX - 1};
    address_set_tell_prefixes(&set, 2000, &message);
    assert_int_equal(message.prefix6_life.preferred_s, 4);
    assert_int_equal(message.prefix6_life.valid_s, 0);
    assert_int_equal(message.prefix6_also[0].life.preferred_s, 1);
    assert_true(message.prefix6_also[0].life.valid_s == UINT32_MAX);
}

#define WITH_TABLE(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(two_preferred_prefixes_are_told_until_one_is_not),
        WITH_TABLE(a_prefix_that_ends_by_itself_leaves_at_once),
        WITH_TABLE(a_prefix_that_was_flashed_away_is_not_told),
        WITH_TABLE(what_was_flashed_away_stays_so_over_a_restart_and_a_wrap),
        WITH_TABLE(prefixes_set_by_hand_need_no_advertisement),
        WITH_TABLE(a_prefix_is_as_old_as_its_first_address),
        WITH_TABLE(of_many_prefixes_the_first_ones_count),
        cmocka_unit_test(lifetimes_are_told_in_seconds_that_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
