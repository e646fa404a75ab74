/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rtparse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Captured from Linux 6 (x86-64) and cut down; little endian as the kernel sends it there. */
#define U16(v) (v) & 0xff, (v) >> 8
#define U32(v) (v) & 0xff, ((v) >> 8) & 0xff, ((v) >> 16) & 0xff, ((v) >> 24) & 0xff

static _Alignas(4) const unsigned char ADDR4_PPP[] = {
    U32(16 + 8 + 8 + 8 + 8 + 20),
    U16(20),
    U16(0),
    U32(0),
    U32(0), /* RTM_NEWADDR */
    2,
    32,
    0x80,
    0,
    U32(7), /* AF_INET, /32, PERMANENT, ifindex 7 */
    U16(8),
    U16(1),
    192,
    0,
    2,
    99, /* IFA_ADDRESS: the peer */
    U16(8),
    U16(2),
    203,
    0,
    113,
    5, /* IFA_LOCAL */
    U16(8),
    U16(8),
    U32(0x80), /* IFA_FLAGS */
    U16(20),
    U16(6),
    U32(0xffffffff),
    U32(0xffffffff),
    U32(1),
    U32(1), /* IFA_CACHEINFO */
};

static _Alignas(4) const unsigned char ADDR6_DEL[] = {
    U32(16 + 8 + 20 + 20 + 8),
    U16(21),
    U16(0),
    U32(9),
    U32(77), /* RTM_DELADDR */
    10,
    64,
    0x40,
    0,
    U32(2), /* AF_INET6 */
    U16(20),
    U16(1),
    0x20,
    1,
    0xd,
    0xb8,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1, /* IFA_ADDRESS */
    U16(20),
    U16(6),
    U32(100),
    U32(200),
    U32(1),
    U32(1),
    U16(8),
    U16(8),
    U32(0x140), /* lifetimes, flags */
};

static _Alignas(4) const unsigned char ADDR6_OF_RA[] = {
    U32(16 + 8 + 20 + 20 + 8),
    U16(20),
    U16(0),
    U32(0),
    U32(0), /* RTM_NEWADDR */
    10,
    64,
    0,
    0,
    U32(2), /* AF_INET6 */
    U16(20),
    U16(1),
    0x20,
    1,
    0xd,
    0xb8,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    2, /* IFA_ADDRESS */
    U16(20),
    U16(6),
    U32(1800),
    U32(7200),
    U32(4711),
    U32(4999), /* IFA_CACHEINFO */
    U16(5),
    U16(11),
    2,
    0,
    0,
    0, /* IFA_PROTO, and its padding */
};

static _Alignas(4) const unsigned char LINK[] = {
    U32(16 + 16 + 8), U16(16), U16(0), U32(0), U32(0), 0,   0,   U16(1), U32(3),
    U32(0x41),        U32(0),  U16(8), U16(3), 'e',    't', 'h', 0,
};

static _Alignas(4) const unsigned char BRIDGE_PORT_LEAVES[] = {
    U32(16 + 16 + 8), U16(17), U16(0), U32(0), U32(0), 7,   0,   U16(1), U32(3),
    U32(0x41),        U32(0),  U16(8), U16(3), 'e',    't', 'h', 0,
};

static _Alignas(4) const unsigned char ROUTE6_RA[] = {
    U32(16 + 12 + 8 + 8 + 20 + 8),
    U16(24),
    U16(0),
    U32(0),
    U32(0),
    10,
    0,
    0,
    0,
    254,
    9,
    0,
    1,
    U32(0),
    U16(8),
    U16(15),
    U32(254),
    U16(8),
    U16(6),
    U32(1024),
    U16(20),
    U16(5),
    0xfe,
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    U16(8),
    U16(4),
    U32(2),
};

#define HOP(link) U16(8), 0, 0, U32(link)

/* NLM_F_REPLACE; two gateways, their attributes cut away */
static _Alignas(4) const unsigned char ROUTE6_HOPS_OF_ONE_LINK[] = {
    U32(16 + 12 + 20), U16(24), U16(0x100), U32(0), U32(0), 10, 0, 0, 0, 254, 9, 0, 1, U32(0),
    U16(20),           U16(9),  HOP(2),     HOP(2),
};

static _Alignas(4) const unsigned char ROUTE6_HOPS_OF_TWO_LINKS[] = {
    U32(16 + 12 + 20), U16(24), U16(0), U32(0), U32(0), 10, 0, 0, 0, 254, 9, 0, 1, U32(0),
    U16(20),           U16(9),  HOP(2), HOP(3),
};

static _Alignas(4) const unsigned char ROUTE4_OTHER_TABLE[] = {
    U32(16 + 12 + 8), U16(24), U16(0), U32(0), U32(0), 2, 0, 0, 0, 252, 3, 0, 1, U32(0), U16(8), U16(15), U32(1000),
};

static _Alignas(4) const unsigned char ROUTE4_NET[] = {
    U32(16 + 12 + 8), U16(24), U16(0), U32(0), U32(0), 2, 8, 0, 0, 254, 2, 0, 1, U32(0), U16(8), U16(1), 10, 0, 0, 0,
};

static void messages_become_values(void **state)
{
    (void)state;
    const struct {
        const unsigned char *bytes;
        size_t len;
        uint32_t ifindex;
        const char *text;
    } rows[] = {
        {ADDR4_PPP, sizeof(ADDR4_PPP), 7,
         "addr add  203.0.113.5/32 scope=0 flags=0x80 preferred_s=4294967295 valid_s=4294967295"},
        {ADDR6_DEL, sizeof(ADDR6_DEL), 2, "addr del  2001:db8::1/64 scope=0 flags=0x140 preferred_s=100 valid_s=200"},
        {ADDR6_OF_RA, sizeof(ADDR6_OF_RA), 2,
         "addr add  2001:db8::2/64 scope=0 flags=0x0 preferred_s=1800 valid_s=7200 ra=1"},
        {LINK, sizeof(LINK), 3, "link add eth up=1 running=1 loopback=0"},
        {BRIDGE_PORT_LEAVES, sizeof(BRIDGE_PORT_LEAVES), 0, "other"},
        {ROUTE6_RA, sizeof(ROUTE6_RA), 2, "route add v6  via=fe80::1 metric=1024 ra=1"},
        {ROUTE6_HOPS_OF_ONE_LINK, sizeof(ROUTE6_HOPS_OF_ONE_LINK), 2, "route add v6  via= metric=0 ra=1"},
        {ROUTE6_HOPS_OF_TWO_LINKS, sizeof(ROUTE6_HOPS_OF_TWO_LINKS), 0, "route add v6  via= metric=0 ra=1"},
        {ROUTE4_OTHER_TABLE, sizeof(ROUTE4_OTHER_TABLE), 0, "other"},
        {ROUTE4_NET, sizeof(ROUTE4_NET), 0, "other"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rt_event event;
        char text[RT_TEXT_SIZE];
        assert_int_equal(rt_parse(rows[i].bytes, rows[i].len, &event), ERR_OK);
        (void)rt_describe(&event, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(event.ifindex, rows[i].ifindex);
        assert_int_equal(event.what == RT_ROUTE && event.replaces, rows[i].bytes == ROUTE6_HOPS_OF_ONE_LINK);
    }
}

static void an_address_tells_its_age_and_its_maker(void **state)
{
    (void)state;
    struct rt_event event;
    assert_int_equal(rt_parse(ADDR6_OF_RA, sizeof(ADDR6_OF_RA), &event), ERR_OK);
    assert_true(event.addr.from_ra);
    assert_int_equal(event.addr.created_cs, 4711);
    assert_int_equal(event.addr.updated_cs, 4999);
    _Alignas(4) unsigned char bytes[sizeof(ADDR6_OF_RA)];
    memcpy(bytes, ADDR6_OF_RA, sizeof(bytes));
    bytes[sizeof(bytes) - 4] = 0; /* by a program */
    assert_int_equal(rt_parse(bytes, sizeof(bytes), &event), ERR_OK);
    assert_false(event.addr.from_ra);
    assert_int_equal(rt_parse(ADDR6_DEL, sizeof(ADDR6_DEL), &event), ERR_OK); /* as before Linux 5.18 */
    assert_false(event.addr.from_ra);
}

/* Every truncation, and every byte set to every value, in memory of exactly that size: the sanitizer judges. */
static void no_bytes_are_read_that_are_not_there(void **state)
{
    (void)state;
    static const struct {
        const unsigned char *bytes;
        size_t len;
    } seeds[] = {{ADDR4_PPP, sizeof(ADDR4_PPP)},     {ADDR6_DEL, sizeof(ADDR6_DEL)},
                 {ADDR6_OF_RA, sizeof(ADDR6_OF_RA)}, {LINK, sizeof(LINK)},
                 {ROUTE6_RA, sizeof(ROUTE6_RA)},     {ROUTE6_HOPS_OF_ONE_LINK, sizeof(ROUTE6_HOPS_OF_ONE_LINK)}};
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        for (size_t len = 0; len < seeds[i].len; len++) {
            struct rt_event event;
            unsigned char *copy = malloc(len + 1);
            memcpy(copy, seeds[i].bytes, len);
            assert_int_equal(rt_parse(copy, len, &event), ERR_PARSE);
            free(copy);
        }
        unsigned char *copy = malloc(seeds[i].len);
        for (size_t at = 0; at < seeds[i].len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct rt_event event = {.what = RT_OTHER};
                char text[RT_TEXT_SIZE];
                memcpy(copy, seeds[i].bytes, seeds[i].len);
                copy[at] = (unsigned char)value;
                if (rt_parse(copy, seeds[i].len, &event) == ERR_OK) {
                    assert_true(rt_describe(&event, text) < RT_TEXT_SIZE);
                }
            }
        }
        free(copy);
    }
}

static void wrong_sizes_are_malformed(void **state)
{
    (void)state;
    struct rt_event event;
    _Alignas(4) unsigned char bytes[sizeof(ADDR4_PPP)];
    memcpy(bytes, ADDR4_PPP, sizeof(bytes));
    bytes[17] = 33; /* prefix length of an IPv4 address */
    assert_int_equal(rt_parse(bytes, sizeof(bytes), &event), ERR_PARSE);
    memcpy(bytes, ADDR4_PPP, sizeof(bytes));
    bytes[24] = 3; /* attribute shorter than its own header */
    assert_int_equal(rt_parse(bytes, sizeof(bytes), &event), ERR_PARSE);
    memcpy(bytes, ADDR4_PPP, sizeof(bytes));
    bytes[24 + 16] = 6; /* flags of two bytes: the attributes behind are out of step, too */
    assert_int_equal(rt_parse(bytes, sizeof(bytes), &event), ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_become_values),
        cmocka_unit_test(an_address_tells_its_age_and_its_maker),
        cmocka_unit_test(no_bytes_are_read_that_are_not_there),
        cmocka_unit_test(wrong_sizes_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
