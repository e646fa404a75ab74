/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PUB    "93.184.216.34"
#define PUB2   "93.184.216.35"
#define CGNAT  "100.64.1.1"
#define HOME   "192.168.1.5"
#define TEST   "198.51.100.7"
#define STABLE "2a00:1450:4001:81b::200e"
#define TEMP   "2a00:1450:4001:81b:dead:beef:1:2"
#define OTHER6 "2a00:1450:4001:81c::1"
#define ULA    "fd00::1"
#define KEEP   "keep"
#define CLEAR  "clear"

struct row {
    enum publish_mode mode;
    const char *observed, *ip4, *ip6; /* NULL = absent or unstamped, "null" = null */
    const char *want4, *want6;        /* an address, KEEP or CLEAR */
    bool mismatch, not_public, shared, gateway;
    uint32_t devices;
    const char *treat;
    /* one uplink, with ip4 as its own address; NULL and NAT_UNKNOWN: an agent that detects nothing has none */
    const char *seen;
    enum nat_class nat;
    bool publish_cgnat, no_inbound;
};

static const struct row rows[] = {
    /* auto: the observed one where it is public, else the reported one */
    {PUBLISH_AUTO, PUB, NULL, NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, PUB, PUB, NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, PUB, PUB2, NULL, .want4 = PUB, .want6 = KEEP, .mismatch = true},
    {PUBLISH_AUTO, PUB, "null", NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, CGNAT, PUB, NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, CGNAT, "null", NULL, .want4 = CLEAR, .want6 = KEEP},
    {PUBLISH_AGREE, PUB, "null", NULL, .want4 = CLEAR, .want6 = KEEP},
    {PUBLISH_AUTO, CGNAT, HOME, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    {PUBLISH_AUTO, HOME, NULL, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    {PUBLISH_AUTO, NULL, PUB, STABLE, .want4 = PUB, .want6 = STABLE},
    {PUBLISH_AUTO, NULL, "null", "null", .want4 = CLEAR, .want6 = CLEAR},
    {PUBLISH_AUTO, NULL, NULL, NULL, .want4 = KEEP, .want6 = KEEP},
    {PUBLISH_AUTO, NULL, HOME, ULA, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    /* the other family is not seen: the report decides */
    {PUBLISH_AUTO, PUB, NULL, STABLE, .want4 = PUB, .want6 = STABLE},
    {PUBLISH_AUTO, PUB, NULL, "null", .want4 = PUB, .want6 = CLEAR},
    {PUBLISH_AUTO, PUB, NULL, ULA, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AUTO, STABLE, PUB, NULL, .want4 = PUB, .want6 = STABLE},
    /* a temporary address on the link of the reported one: the stable one is published */
    {PUBLISH_AUTO, TEMP, NULL, STABLE, .want4 = KEEP, .want6 = STABLE},
    {PUBLISH_OBSERVED, TEMP, NULL, STABLE, .want4 = KEEP, .want6 = STABLE},
    {PUBLISH_AGREE, TEMP, NULL, STABLE, .want4 = KEEP, .want6 = STABLE},
    {PUBLISH_AUTO, OTHER6, NULL, STABLE, .want4 = KEEP, .want6 = OTHER6, .mismatch = true},
    {PUBLISH_AGREE, OTHER6, NULL, STABLE, .want4 = KEEP, .want6 = KEEP, .mismatch = true},
    /* observed only */
    {PUBLISH_OBSERVED, PUB, PUB2, NULL, .want4 = PUB, .want6 = KEEP, .mismatch = true},
    {PUBLISH_OBSERVED, CGNAT, PUB, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    {PUBLISH_OBSERVED, PUB, NULL, STABLE, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_OBSERVED, PUB, NULL, "null", .want4 = PUB, .want6 = CLEAR},
    /* reported only */
    {PUBLISH_REPORTED, PUB, PUB2, NULL, .want4 = PUB2, .want6 = KEEP, .mismatch = true},
    {PUBLISH_REPORTED, PUB, HOME, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    {PUBLISH_REPORTED, PUB, NULL, NULL, .want4 = KEEP, .want6 = KEEP},
    {PUBLISH_REPORTED, PUB, "null", NULL, .want4 = CLEAR, .want6 = KEEP},
    {PUBLISH_REPORTED, PUB, PUB2, NULL, .want4 = PUB2, .want6 = KEEP, .mismatch = true, .devices = 1000},
    /* both must say the same */
    {PUBLISH_AGREE, PUB, PUB, NULL, .want4 = PUB, .want6 = KEEP},
    {PUBLISH_AGREE, PUB, PUB2, NULL, .want4 = KEEP, .want6 = KEEP, .mismatch = true},
    {PUBLISH_AGREE, PUB, NULL, NULL, .want4 = KEEP, .want6 = KEEP},
    {PUBLISH_AGREE, PUB, NULL, STABLE, .want4 = KEEP, .want6 = KEEP},
    /* an address of too many */
    {PUBLISH_AUTO, PUB, NULL, NULL, .want4 = PUB, .want6 = KEEP, .devices = 50},
    {PUBLISH_AUTO, PUB, NULL, NULL, .want4 = KEEP, .want6 = KEEP, .devices = 51, .shared = true},
    {PUBLISH_OBSERVED, PUB, NULL, NULL, .want4 = KEEP, .want6 = KEEP, .devices = 51, .shared = true},
    {PUBLISH_AUTO, PUB, NULL, NULL, .want4 = PUB, .want6 = KEEP, .devices = 51, .gateway = true},
    {PUBLISH_AUTO, CGNAT, PUB, NULL, .want4 = PUB, .want6 = KEEP, .devices = 51},
    /* test networks, by exception only */
    {PUBLISH_AUTO, TEST, NULL, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true},
    {PUBLISH_AUTO, TEST, NULL, NULL, .want4 = TEST, .want6 = KEEP, .treat = "198.51.100.0/24"},
    {PUBLISH_AUTO, HOME, NULL, NULL, .want4 = KEEP, .want6 = KEEP, .not_public = true, .treat = "198.51.100.0/24"},
    {PUBLISH_AUTO, NULL, NULL, ULA, .want4 = KEEP, .want6 = ULA, .treat = "fd00::/8"},
    /* nobody outside can come in: no A, one that stood goes, AAAA as ever */
    {PUBLISH_AUTO, PUB, CGNAT, STABLE, .want4 = CLEAR, .want6 = STABLE, .seen = PUB, .nat = NAT_CGNAT,
     .no_inbound = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_DOUBLE, .no_inbound = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_DSLITE, .no_inbound = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_464XLAT, .no_inbound = true},
    {PUBLISH_AUTO, STABLE, HOME, STABLE, .want4 = CLEAR, .want6 = STABLE, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_AUTO, CGNAT, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_OBSERVED, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_REPORTED, PUB, PUB, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_AGREE, PUB, PUB, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true,
     .devices = 51}, /* a carrier's pool is no alarm */
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = CLEAR, .want6 = KEEP, .nat = NAT_CGNAT, .no_inbound = true,
     .gateway = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .nat = NAT_CGNAT, .publish_cgnat = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .nat = NAT_DSLITE, .publish_cgnat = true},
    /* unproven, possible or open: as if it were not said */
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .nat = NAT_NAT},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .seen = PUB, .nat = NAT_NAT},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .nat = NAT_PORT_CONTROL},
    {PUBLISH_AUTO, PUB, PUB, NULL, .want4 = PUB, .want6 = KEEP, .nat = NAT_PUBLIC},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = KEEP, .want6 = KEEP, .nat = NAT_NAT, .devices = 51, .shared = true},
    /* a path through a VPN or proxy: shown */
    {PUBLISH_AUTO, PUB, PUB2, NULL, .want4 = PUB, .want6 = KEEP, .seen = PUB, .nat = NAT_TUNNEL, .mismatch = true},
    {PUBLISH_REPORTED, PUB, PUB2, NULL, .want4 = PUB2, .want6 = KEEP, .seen = PUB, .nat = NAT_TUNNEL, .mismatch = true},
    {PUBLISH_AUTO, STABLE, PUB2, STABLE, .want4 = PUB2, .want6 = STABLE, .seen = PUB, .nat = NAT_TUNNEL,
     .mismatch = true},
    {PUBLISH_AUTO, PUB, HOME, NULL, .want4 = PUB, .want6 = KEEP, .seen = PUB2, .nat = NAT_NAT, .mismatch = true},
    {PUBLISH_AUTO, HOME, HOME, NULL, .want4 = KEEP, .want6 = KEEP, .seen = PUB2, .nat = NAT_NAT, .not_public = true},
};

static struct address_field field(const char *text)
{
    struct address_field field = {.presence = text == NULL ? FIELD_ABSENT : FIELD_NULL};
    if (text != NULL && strcmp(text, "null") != 0) {
        field.presence = FIELD_SET;
        assert_int_equal(ip_parse(view_of(text), &field.ip), ERR_OK);
    }
    return field;
}

static void describe(const struct policy_family *family, char text[static IP_TEXT_SIZE])
{
    if (family->action == POLICY_SET) {
        assert_int_equal(family->value.len, 1);
        (void)ip_format(&family->value.ips[0], text); /* length not needed */
    } else {
        (void)snprintf(text, IP_TEXT_SIZE, "%s", family->action == POLICY_CLEAR ? CLEAR : KEEP); /* fits */
    }
}

static void judge(size_t number, const struct row *row)
{
    struct ip_prefix treat = {0};
    struct policy policy = {.shared_limit = 50, .treat_as_public = &treat};
    if (row->treat != NULL) {
        assert_int_equal(ip_prefix_parse(view_of(row->treat), &treat), ERR_OK);
        policy.treat_as_public_len = 1;
    }
    struct address_field ip4 = field(row->ip4);
    struct address_field ip6 = field(row->ip6);
    const struct uplink uplink = {
        .name = "eth0", .up = true, .ip4 = ip4, .ip6 = ip6, .seen4 = field(row->seen).ip, .nat = row->nat};
    const struct policy_input input = {.mode = row->mode,
                                       .gateway = row->gateway,
                                       .observed = field(row->observed).ip,
                                       .observed_devices = row->devices,
                                       .ip4 = &ip4,
                                       .ip6 = &ip6,
                                       .publish_cgnat = row->publish_cgnat,
                                       .uplinks = &uplink,
                                       .uplinks_len = row->nat != NAT_UNKNOWN};
    struct policy_verdict verdict;
    policy_judge(&policy, &input, &verdict);
    char got4[IP_TEXT_SIZE], got6[IP_TEXT_SIZE];
    describe(&verdict.ip4, got4);
    describe(&verdict.ip6, got6);
    bool right = strcmp(got4, row->want4) == 0 && strcmp(got6, row->want6) == 0 && verdict.mismatch == row->mismatch &&
                 verdict.shared == row->shared && verdict.not_public == row->not_public &&
                 verdict.no_inbound == row->no_inbound && verdict.nat == row->nat;
    if (!right) {
        fail_msg("row %zu: %s %s mismatch=%d shared=%d not_public=%d no_inbound=%d nat=%s", number, got4, got6,
                 verdict.mismatch, verdict.shared, verdict.not_public, verdict.no_inbound, nat_class_name(verdict.nat));
    }
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        judge(i, &rows[i]);
    }
}

struct path {
    const char *ip4, *ip6, *seen4; /* NULL = unknown */
    enum nat_class nat;
    uint32_t metric;
    bool down;
    enum alive alive4, alive6;
};

/* Several uplinks: what stands in the RRset, blanks in between; ip4 and ip6 are what the device reports as a whole. */
static const struct uplinks_row {
    enum uplinks_mode uplinks;
    enum publish_mode mode;
    const char *observed, *ip4, *ip6;
    struct path paths[6];
    const char *want4, *want6;
    bool no_inbound, publish_cgnat;
    uint32_t devices;
} uplinks_rows[] = {
    /* primary: whatever path the connection to the broker takes */
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB2,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .nat = NAT_NAT}, {.ip4 = HOME, .seen4 = PUB2, .metric = 2}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB2,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .down = true}, {.ip4 = HOME, .seen4 = PUB2, .metric = 2}},
     .want4 = PUB2,
     .want6 = KEEP},
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB2,
     HOME,
     NULL,
     {{.ip4 = HOME, .metric = 1}, {.ip4 = HOME, .seen4 = PUB2, .metric = 2}},
     .want4 = PUB2,
     .want6 = KEEP}, /* the first one's is unknown */
    {UPLINKS_PRIMARY,
     PUBLISH_OBSERVED,
     PUB2,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1}, {.ip4 = HOME, .seen4 = PUB2, .metric = 2}},
     .want4 = PUB2,
     .want6 = KEEP},
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB2,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .nat = NAT_CGNAT}, {.ip4 = PUB2, .metric = 2, .nat = NAT_PUBLIC}},
     .want4 = CLEAR,
     .want6 = KEEP,
     .no_inbound = true},
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     OTHER6,
     {{.ip4 = PUB, .ip6 = STABLE, .metric = 1}, {.ip6 = OTHER6, .metric = 2}},
     .want4 = PUB,
     .want6 = STABLE},
    /* all */
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2, .down = true}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .down = true}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB2,
     .want6 = KEEP}, /* the broker lags */
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .nat = NAT_CGNAT}, {.ip4 = PUB2, .metric = 2, .nat = NAT_PUBLIC}},
     .want4 = PUB2,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1, .nat = NAT_CGNAT}, {.ip4 = PUB2, .metric = 2, .nat = NAT_PUBLIC}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP,
     .publish_cgnat = true},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     STABLE,
     {{.ip4 = HOME, .ip6 = STABLE, .seen4 = PUB, .metric = 1, .nat = NAT_CGNAT},
      {.ip4 = HOME, .ip6 = OTHER6, .metric = 2, .nat = NAT_DOUBLE}},
     .want4 = CLEAR,
     .want6 = STABLE " " OTHER6,
     .no_inbound = true},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     HOME,
     HOME,
     NULL,
     {{.ip4 = HOME, .metric = 1}, {.ip4 = ULA, .metric = 2}},
     .want4 = KEEP,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     HOME,
     HOME,
     NULL,
     {{.ip4 = HOME, .metric = 1}, {.ip4 = HOME, .seen4 = PUB}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP}, /* the broker's is nobody's: it is kept */
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB2,
     .want6 = KEEP,
     .devices = 51},
    {UPLINKS_ALL,
     PUBLISH_OBSERVED,
     PUB,
     HOME,
     NULL,
     {{.ip4 = HOME, .seen4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AGREE,
     PUB,
     PUB,
     NULL,
     {{.ip4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_REPORTED,
     NULL,
     PUB,
     NULL,
     {{.ip4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_ALL, PUBLISH_AUTO, NULL, "null", "null", {{.down = true}}, .want4 = CLEAR, .want6 = CLEAR},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* four, the first ones */
     {{.ip4 = "93.184.216.45", .metric = 5},
      {.ip4 = "93.184.216.44", .metric = 4},
      {.ip4 = "93.184.216.43", .metric = 3},
      {.ip4 = "93.184.216.42", .metric = 2},
      {.ip4 = PUB, .metric = 1}},
     .want4 = PUB " 93.184.216.42 93.184.216.43 93.184.216.44",
     .want6 = KEEP},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     HOME,
     NULL, /* the broker's is nobody's, so the first one's: a pool's */
     {{.ip4 = HOME, .metric = 1, .nat = NAT_CGNAT}, {.ip4 = PUB2, .metric = 2, .nat = NAT_PUBLIC}},
     .want4 = PUB2,
     .want6 = KEEP},
    /* healthy */
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* nobody said */
     {{.ip4 = PUB, .metric = 1}, {.ip4 = PUB2, .metric = 2}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL,
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_YES}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL,
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_YES}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_NO}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB2,
     PUB,
     NULL, /* the primary one; the report came along the other */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB2,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* the broker lags */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB2,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* nothing to choose by */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_NO}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     NULL,
     PUB,
     NULL, /* the last one stays */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_YES, .down = true}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* the other one's is unknown */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = HOME, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* the other one has no way in */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO},
      {.ip4 = HOME, .seen4 = PUB2, .metric = 2, .nat = NAT_CGNAT, .alive4 = ALIVE_YES}},
     .want4 = PUB,
     .want6 = KEEP},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     STABLE, /* IPv6 is not asked: as IPv4 */
     {{.ip4 = PUB, .ip6 = STABLE, .metric = 1, .alive4 = ALIVE_NO},
      {.ip4 = PUB2, .ip6 = OTHER6, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB2,
     .want6 = OTHER6},
    {UPLINKS_HEALTHY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     STABLE, /* each family by itself */
     {{.ip4 = PUB, .ip6 = STABLE, .metric = 1, .alive4 = ALIVE_YES, .alive6 = ALIVE_NO},
      {.ip4 = PUB2, .ip6 = OTHER6, .metric = 2, .alive4 = ALIVE_YES, .alive6 = ALIVE_YES}},
     .want4 = PUB " " PUB2,
     .want6 = OTHER6},
    {UPLINKS_ALL,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL, /* all are all */
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_YES}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_NO}},
     .want4 = PUB " " PUB2,
     .want6 = KEEP},
    {UPLINKS_PRIMARY,
     PUBLISH_AUTO,
     PUB,
     PUB,
     NULL,
     {{.ip4 = PUB, .metric = 1, .alive4 = ALIVE_NO}, {.ip4 = PUB2, .metric = 2, .alive4 = ALIVE_YES}},
     .want4 = PUB,
     .want6 = KEEP},
};

static void describe_all(const struct policy_family *family, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; family->action == POLICY_SET && i < family->value.len; i++) {
        char one[IP_TEXT_SIZE];
        (void)ip_format(&family->value.ips[i], one); /* length not needed */
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? " " : "", one);
    }
    if (family->action != POLICY_SET) {
        (void)snprintf(text, size, "%s", family->action == POLICY_CLEAR ? CLEAR : KEEP); /* fits */
    }
}

static size_t fill_uplinks(const struct path *paths, size_t paths_len, struct uplink *uplinks)
{
    size_t len = 0;
    for (; len < paths_len && (paths[len].ip4 != NULL || paths[len].ip6 != NULL || paths[len].down); len++) {
        uplinks[len] = (struct uplink){.up = !paths[len].down,
                                       .seen4 = field(paths[len].seen4).ip,
                                       .nat = paths[len].nat,
                                       .alive4 = paths[len].alive4,
                                       .alive6 = paths[len].alive6,
                                       .has_metric = paths[len].metric != 0,
                                       .metric = paths[len].metric};
        bool other = paths[len].ip4 != NULL && strchr(paths[len].ip4, ':') != NULL;
        uplinks[len].ip4 = other ? field(NULL) : field(paths[len].ip4);
        uplinks[len].ip6 = other ? field(paths[len].ip4) : field(paths[len].ip6);
    }
    return len;
}

static void judge_uplinks(size_t number, const struct uplinks_row *row)
{
    const struct policy policy = {.shared_limit = 50};
    struct uplink uplinks[ARRAY_LEN(row->paths)];
    struct address_field ip4 = field(row->ip4);
    struct address_field ip6 = field(row->ip6);
    const struct policy_input input = {.mode = row->mode,
                                       .uplinks_mode = row->uplinks,
                                       .publish_cgnat = row->publish_cgnat,
                                       .observed = field(row->observed).ip,
                                       .observed_devices = row->devices,
                                       .ip4 = &ip4,
                                       .ip6 = &ip6,
                                       .uplinks_len = fill_uplinks(row->paths, ARRAY_LEN(row->paths), uplinks),
                                       .uplinks = uplinks};
    struct policy_verdict verdict;
    policy_judge(&policy, &input, &verdict);
    char got4[256], got6[256];
    describe_all(&verdict.ip4, got4, sizeof(got4));
    describe_all(&verdict.ip6, got6, sizeof(got6));
    if (strcmp(got4, row->want4) != 0 || strcmp(got6, row->want6) != 0 || verdict.no_inbound != row->no_inbound) {
        fail_msg("row %zu: %s, %s no_inbound=%d", number, got4, got6, verdict.no_inbound);
    }
}

static void several_uplinks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(uplinks_rows); i++) {
        judge_uplinks(i, &uplinks_rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(several_uplinks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
