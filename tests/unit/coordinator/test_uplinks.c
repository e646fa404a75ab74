/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/uplinks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define A   "93.184.216.34"
#define B   "93.184.216.35"
#define A6  "2a00:1450:4001:81b::1"
#define LAN "192.168.1.5"

struct path {
    const char *name, *ip4, *ip6, *seen4, *seen6;
    bool down;
    int metric; /* 0 = none said */
};

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    assert_true(text == NULL || ip_parse(view_of(text), &ip) == ERR_OK);
    return ip;
}

static struct address_field field_of(const char *text)
{
    return (struct address_field){.presence = text != NULL ? FIELD_SET : FIELD_ABSENT, .ip = ip_of(text)};
}

static struct uplink uplink_of(const struct path *path)
{
    struct uplink uplink = {.up = !path->down,
                            .ip4 = field_of(path->ip4),
                            .ip6 = field_of(path->ip6),
                            .seen4 = ip_of(path->seen4),
                            .seen6 = ip_of(path->seen6),
                            .has_metric = path->metric != 0,
                            .metric = (uint32_t)path->metric};
    assert_int_equal(view_copy(view_of(path->name), uplink.name, sizeof(uplink.name)), ERR_OK);
    return uplink;
}

static const struct row {
    struct path paths[3];
    enum ip_family family; /* IP_NONE: the uplink of `of` is looked for, else the primary one */
    const char *of, *want; /* name of the uplink, NULL = none */
} rows[] = {
    {{{0}}, IP_V4, .want = NULL},
    {{{.name = "dsl", .ip4 = LAN, .metric = 100}}, IP_V4, .want = "dsl"},
    {{{.name = "dsl", .ip4 = LAN, .metric = 100}}, IP_V6, .want = NULL},
    {{{.name = "dsl", .ip4 = LAN, .metric = 100}, {.name = "lte", .ip4 = LAN, .metric = 50}}, IP_V4, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN, .metric = 100}, {.name = "lte", .ip4 = LAN, .metric = 50, .down = true}},
     IP_V4,
     .want = "dsl"},
    {{{.name = "dsl", .ip4 = LAN}, {.name = "lte", .ip4 = LAN, .metric = 900}}, IP_V4, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN}, {.name = "lte", .ip4 = LAN}}, IP_V4, .want = "dsl"},
    {{{.name = "dsl", .ip6 = A6, .metric = 1}, {.name = "lte", .ip4 = LAN, .metric = 2}}, IP_V4, .want = "lte"},
    {{{.name = "dsl", .ip6 = A6, .metric = 1}, {.name = "lte", .seen4 = A, .metric = 2}}, IP_V4, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN, .metric = 1}, {.name = "lte", .seen6 = A6, .metric = 2}}, IP_V6, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN, .down = true}}, IP_V4, .want = NULL},
    /* whose address it is */
    {{{.name = "dsl", .ip4 = LAN, .seen4 = A}, {.name = "lte", .ip4 = B}}, .of = A, .want = "dsl"},
    {{{.name = "dsl", .ip4 = LAN, .seen4 = A}, {.name = "lte", .ip4 = B}}, .of = B, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN, .seen4 = A}, {.name = "lte", .seen6 = A6}}, .of = A6, .want = "lte"},
    {{{.name = "dsl", .ip4 = LAN, .seen4 = A}}, .of = B, .want = NULL},
    {{{.name = "dsl"}}, .of = NULL, .want = NULL}, /* no address is nobody's */
    {{{.name = "dsl", .seen4 = A, .down = true}, {.name = "lte", .seen4 = A}}, .of = A, .want = "lte"},
    {{{.name = "dsl", .seen4 = A, .down = true}}, .of = A, .want = "dsl"},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct uplink uplinks[3];
        size_t len = 0;
        while (len < ARRAY_LEN(uplinks) && rows[i].paths[len].name != NULL) {
            uplinks[len] = uplink_of(&rows[i].paths[len]);
            len++;
        }
        struct ip of = ip_of(rows[i].of);
        const struct uplink *got =
            rows[i].family != IP_NONE ? uplinks_primary(uplinks, len, rows[i].family) : uplinks_find(uplinks, len, &of);
        const char *name = got != NULL ? got->name : "none";
        if (strcmp(name, rows[i].want != NULL ? rows[i].want : "none") != 0) {
            fail_msg("row %zu: %s", i, name);
        }
    }
}

static void a_family_that_is_not_said_is_as_the_other(void **state)
{
    (void)state;
    static const struct {
        enum alive alive4, alive6;
        bool dead4, dead6;
    } cases[] = {
        {ALIVE_UNKNOWN, ALIVE_UNKNOWN, false, false},
        {ALIVE_YES, ALIVE_UNKNOWN, false, false},
        {ALIVE_NO, ALIVE_UNKNOWN, true, true},
        {ALIVE_UNKNOWN, ALIVE_NO, true, true},
        {ALIVE_NO, ALIVE_YES, true, false},
        {ALIVE_YES, ALIVE_NO, false, true},
        {ALIVE_NO, ALIVE_NO, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct uplink uplink = {.alive4 = cases[i].alive4, .alive6 = cases[i].alive6};
        assert_true(uplink_is_dead(&uplink, IP_V4) == cases[i].dead4);
        assert_true(uplink_is_dead(&uplink, IP_V6) == cases[i].dead6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table),
                                       cmocka_unit_test(a_family_that_is_not_said_is_as_the_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
