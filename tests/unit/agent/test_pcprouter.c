/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/detect/pcprouter.h"

#define MINUTE 60000u

static struct pcp_routers routers;
static uint64_t now;

static const struct ip home = {.family = IP_V4, .bytes = {192, 168, 1, 1}};
static const struct ip stranger = {.family = IP_V4, .bytes = {192, 168, 1, 66}};
static const struct ip outer = {.family = IP_V4, .bytes = {84, 8, 1, 1}};
static const struct ip renumbered = {.family = IP_V4, .bytes = {84, 8, 1, 2}};

static int set_up(void **state)
{
    (void)state;
    routers = (struct pcp_routers){0};
    now = 1000000;
    return 0;
}

static bool answered(const char *uplink, enum pcp_version version, uint32_t epoch, struct ip external)
{
    const struct pcp_reply reply = {.version = version, .epoch = epoch, .external = external};
    return pcp_router_answered(pcp_router_get(&routers, uplink, &home, now), &reply, now);
}

static bool announced(const struct ip *from, enum pcp_version version, uint32_t epoch, struct ip external)
{
    const struct pcp_reply reply = {.version = version, .epoch = epoch, .external = external};
    return pcp_routers_announced(&routers, from, &reply, now);
}

static void an_answer_tells_a_restart(void **state)
{
    (void)state;
    assert_false(answered("eth0", PCP_V2, 5000, outer));
    now += 15 * MINUTE;
    assert_false(answered("eth0", PCP_V2, 5900, outer));
    now += MINUTE;
    assert_false(answered("wwan0", PCP_V2, 3, outer)); /* another uplink's router, though of the same address */
    assert_true(answered("eth0", PCP_V2, 20, renumbered));
    assert_false(answered("eth0", PCP_V2, 20, renumbered));
    assert_false(answered("eth0", PCP_NATPMP, 1, renumbered)); /* the first of this version */
}

static void an_announcement_and_its_repeats_are_one_piece_of_news(void **state)
{
    (void)state;
    assert_false(answered("eth0", PCP_V2, 5000, outer));
    now += 5 * MINUTE;
    assert_true(announced(&home, PCP_V2, 0, (struct ip){0}));
    uint64_t first = now;
    for (uint64_t wait = 250; wait <= 64000; wait *= 2) { /* RFC 6886 3.2.1 */
        now += wait;
        assert_false(announced(&home, PCP_V2, (uint32_t)((now - first) / 1000), (struct ip){0}));
        if (wait == 250) { /* we have asked: the restart is in the answer, and believed now */
            assert_true(answered("eth0", PCP_V2, 0, renumbered));
        }
    }
    now += 30 * MINUTE; /* the next one is news, even of a router that leaves its epoch as it is */
    assert_true(announced(&home, PCP_V2, (uint32_t)((now - first) / 1000), (struct ip){0}));
}

static void another_address_is_news(void **state)
{
    (void)state;
    assert_false(answered("eth0", PCP_NATPMP, 5000, outer));
    assert_true(announced(&home, PCP_NATPMP, 5000, outer)); /* the first ever heard */
    now += 1000;
    assert_false(announced(&home, PCP_NATPMP, 5001, outer));
    now += 1000;
    assert_true(announced(&home, PCP_NATPMP, 5002, renumbered));
    assert_false(announced(&home, PCP_NATPMP, 5002, renumbered));
    assert_false(answered("eth0", PCP_NATPMP, 5002, renumbered)); /* what was announced is no answer */
}

static void others_are_not_heard(void **state)
{
    (void)state;
    assert_false(announced(&home, PCP_V2, 0, (struct ip){0})); /* never asked */
    assert_false(answered("eth0", PCP_V2, 5000, outer));
    for (uint32_t epoch = 0; epoch < 1000; epoch++) {
        assert_false(announced(&stranger, PCP_V2, epoch * 7919 % 1000, (struct ip){0}));
    }
    assert_true(announced(&home, PCP_V2, 0, (struct ip){0}));
}

static void what_is_announced_is_not_believed(void **state)
{
    (void)state;
    assert_false(answered("eth0", PCP_V2, 5000, outer));
    now += MINUTE;
    assert_true(announced(&home, PCP_V2, 0, (struct ip){0})); /* a forged one */
    assert_false(answered("eth0", PCP_V2, 5060, outer));      /* the router did not restart */
}

static void the_router_not_asked_for_longest_makes_room(void **state)
{
    (void)state;
    char name[RT_IFNAME_SIZE];
    for (unsigned i = 0; i < PCP_ROUTERS_MAX; i++, now += MINUTE) {
        (void)snprintf(name, sizeof(name), "ppp%u", i);
        (void)pcp_router_get(&routers, name, &home, now);
    }
    struct pcp_router *first = pcp_router_get(&routers, "ppp0", &home, now += MINUTE);
    assert_ptr_equal(first, &routers.items[0]);
    assert_ptr_equal(pcp_router_get(&routers, "new", &home, now), &routers.items[1]);
    assert_ptr_equal(pcp_router_get(&routers, "ppp0", &home, now), first);
    assert_int_equal(routers.len, PCP_ROUTERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_answer_tells_a_restart, set_up),
        cmocka_unit_test_setup(an_announcement_and_its_repeats_are_one_piece_of_news, set_up),
        cmocka_unit_test_setup(another_address_is_news, set_up),
        cmocka_unit_test_setup(others_are_not_heard, set_up),
        cmocka_unit_test_setup(what_is_announced_is_not_believed, set_up),
        cmocka_unit_test_setup(the_router_not_asked_for_longest_makes_room, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
