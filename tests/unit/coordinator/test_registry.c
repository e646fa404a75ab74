/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "coordinator/device.h"
#include "coordinator/plan.h"
#include "tests/lib/core_rig.h"

#define ENTRIES 100000

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, &(struct rig_config){0}); /* for its folder */
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

#define GROUP(name, templates) "  - name: " name "\n    names:\n" templates
#define ID                     "      - name: \"{id}.example.net\"\n"
#define ROLE                   "      - name: \"{labels.role}.example.net\"\n"
#define HOSTS                  "      - name: \"{host}.{id}.example.net\"\n        hosts: true\n"
#define HOSTS_AAAA             HOSTS "        types: [AAAA]\n"
#define SITE                   "      - name: \"{id}.{site}.example.net\"\n"

static struct settings *load(const char *groups, const char *devices, struct strbuf *report)
{
    struct settings *settings = NULL;
    strbuf_init(report, 64 * 1024);
    enum err err = rig_load(&rig, &(struct rig_config){.groups = groups, .devices = devices}, &settings, report);
    assert_int_equal(err == ERR_OK, settings != NULL);
    return settings;
}

struct bad {
    const char *groups, *devices;
    const char *wants[3]; /* what the report must say, each with its place */
};

static const struct bad bad_files[] = {
    {GROUP("g", ID), "devices:\n  - id: Cam\n    group: g\n", {"registry.yaml:2:", "device id"}},
    {GROUP("g", ID), "devices:\n  - id: svc-x\n    group: g\n", {"registry.yaml:2:", "svc-"}},
    {GROUP("g", ID), "devices:\n  - id: a\n    group: h\n", {"registry.yaml:2:", "group \"h\""}},
    {GROUP("g", ID), "devices:\n  - group: g\n", {"registry.yaml:2:", "either id or match"}},
    {GROUP("g", ID),
     "devices:\n  - id: a\n    match: \"b*\"\n    group: g\n",
     {"registry.yaml:2:", "either id or match"}},
    {GROUP("g", ID),
     "devices:\n  - id: a\n    group: g\n  - id: a\n    group: g\n",
     {"registry.yaml:4:", "stands twice"}},
    {GROUP("g", ID), "devices:\n  - id: a\n    gruop: g\n", {"registry.yaml:3:", "group"}},
    {GROUP("g", ROLE),
     "devices:\n  - {id: a, group: g, labels: {role: x}}\n  - {id: b, group: g, labels: {role: x}}\n",
     {"registry.yaml:3:", "x.example.net belongs to a already"}},
    {GROUP("g", ROLE),
     "devices:\n  - {id: a, group: g, labels: {role: X}}\n  - {id: b, group: g, labels: {role: x}}\n",
     {"registry.yaml:3:", "belongs to a already"}},
    {GROUP("g", ROLE), "devices:\n  - {id: a, group: g}\n", {"registry.yaml:2:", "role"}},
    {GROUP("g", ROLE), "devices:\n  - {id: a, group: g, labels: {role: \"a_b\"}}\n", {"registry.yaml:2:"}},
    {GROUP("g", ROLE), "devices:\n  - {id: a, group: g, labels: {role: \"a.b\"}}\n", {"registry.yaml:2:", "dot"}},
    {GROUP("g", ROLE),
     "devices:\n  - {match: \"a*\", group: g, labels: {role: x}}\n",
     {"registry.yaml:2:", "put {id}"}},
    {GROUP("g", SITE), "devices:\n  - {id: a, group: g}\n", {"registry.yaml:2:", "{site}"}},
    {GROUP("g", SITE), "devices:\n  - {id: a, group: g, site: a.b}\n", {"registry.yaml:2:", "no dots"}},
    {GROUP("g", ID),
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\"}]}\n",
     {"registry.yaml:2:", "gateway: true"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: 10.0.0.1}]}\n",
     {"registry.yaml:2:", "IPv6"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::\"}]}\n",
     {"registry.yaml:2:", "host n: a suffix of zeros"}},
    {"  - name: g\n    gateway: true\n    names:\n" ID,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\"}]}\n",
     {"registry.yaml:2:", "hosts need names: give group g"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS_AAAA,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\", ip4: true}]}\n",
     {"registry.yaml:2:", "need type A in a template of group g"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\"}, {name: n, suffix: \"::2\"}]}\n",
     {"registry.yaml:2:", "host n stands twice"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n}]}\n",
     {"registry.yaml:2:", "host n: give either suffix or mac"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\", mac: \"00:11:22:33:44:55\"}]}\n",
     {"registry.yaml:2:", "host n: give either suffix or mac"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, mac: \"00:11:22:33:44\"}]}\n",
     {"registry.yaml:2:", "such as 00:11:22:aa:bb:cc"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, mac: \"33:33:00:00:00:01\"}]}\n",
     {"registry.yaml:2:", "not a group's"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1:0:0:0:1\", subnet: 2}]}\n",
     {"registry.yaml:2:", "at most 64 bits"}},
    {"  - name: g\n    gateway: true\n    names:\n" HOSTS,
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\", subnet: 4294967296}]}\n",
     {"registry.yaml:2:", "subnet"}},
    {GROUP("g", "      - name: \"{id}.example.org\"\n"), "devices:\n  - {id: a, group: g}\n", {"example.org"}},
    /* the zone's own name is nobody's */
    {GROUP("g", "      - name: \"example.net\"\n"), "devices: []\n", {"coordinator.yaml:", "is the zone itself"}},
    {GROUP("g", "      - name: \"{labels.role}.net\"\n"),
     "devices:\n  - {id: a, group: g, labels: {role: example}}\n",
     {"registry.yaml:2:", "example.net is the zone itself"}},
    {GROUP("g", "      - name: \"{id}.net\"\n"),
     "devices:\n  - {id: example, group: g}\n",
     {"registry.yaml:2:", "example.net is the zone itself"}},
    /* nor are those of its name servers */
    {GROUP("g", ID),
     "devices:\n  - {id: ns1, group: g}\n",
     {"registry.yaml:2:", "ns1.example.net is reserved by its zone"}},
    /* all errors of a file at once */
    {GROUP("g", ID),
     "devices:\n  - id: A\n    group: g\n  - id: b\n    group: h\n  - id: -c\n    group: g\n",
     {"registry.yaml:2:", "registry.yaml:4:", "registry.yaml:6:"}},
};

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
        struct strbuf report;
        struct settings *settings = load(bad_files[i].groups, bad_files[i].devices, &report);
        bool said = settings == NULL;
        for (size_t k = 0; k < ARRAY_LEN(bad_files[i].wants) && bad_files[i].wants[k] != NULL; k++) {
            said = said && strstr(strbuf_str(&report), bad_files[i].wants[k]) != NULL;
        }
        if (!said) {
            fail_msg("file %zu: %s\n%s", i, settings != NULL ? "loaded" : "refused", strbuf_str(&report));
        }
        settings_free(settings);
        strbuf_deinit(&report);
    }
}

/* @return whether a gateway with so many hosts under three templates loads. */
static bool loads_with_hosts(size_t hosts, const char *suffix, struct strbuf *report)
{
    static char devices[65536];
    char groups[1024];
    (void)snprintf(groups, sizeof(groups),
                   "  - name: g\n    gateway: true\n    names:\n"
                   "      - name: \"{host}.{id}.example.net\"\n        hosts: true\n"
                   "      - name: \"{host}.{id}.b%s.example.net\"\n        hosts: true\n"
                   "      - name: \"{host}.{id}.c%s.example.net\"\n        hosts: true\n" ID,
                   suffix, suffix); /* fits */
    int len = snprintf(devices, sizeof(devices), "devices:\n  - id: gw-1\n    group: g\n    hosts:\n");
    for (size_t i = 0; i < hosts; i++) {
        len += snprintf(devices + len, sizeof(devices) - (size_t)len, "      - {name: h%zu, suffix: \"::%zx\"}\n", i,
                        i + 16);
    }
    struct settings *settings = load(groups, devices, report);
    bool loaded = settings != NULL;
    if (loaded) {
        static struct plan plan;
        const struct registry_entry *entry = registry_entry_at(settings->registry, 0);
        plan_device(settings->registry, entry, view_of("gw-1"), &(struct plan_addresses){0}, &plan);
        assert_int_equal(plan.len, hosts * 3 + 2);
        assert_string_equal(plan.error, "");
    }
    settings_free(settings);
    return loaded;
}

static void assert_planned(const struct plan *plan, const char *name, enum rrtype type, const char *expected)
{
    const struct plan_item *item = plan_find(plan, view_of(name), type);
    char text[IP_TEXT_SIZE] = "";
    if (item != NULL && item->value.len > 0) {
        (void)ip_format(&item->value.ips[0], text);
    }
    assert_string_equal(item != NULL ? text : "not planned", expected);
}

static void hosts_get_their_addresses_from_the_gateways_prefix(void **state)
{
    (void)state;
    static struct plan plan;
    struct strbuf report;
    struct settings *settings =
        load("  - name: g\n    gateway: true\n    names:\n" HOSTS,
             "devices:\n  - id: gw\n    group: g\n    hosts:\n      - {name: low, suffix: \"::10\"}\n"
             "      - {name: mac, mac: 34-56-78-9A-BC-DE, subnet: 7, ip4: true}\n"
             "      - {name: far, suffix: \"::10\", subnet: 300}\n",
             &report);
    assert_non_null(settings);
    struct plan_addresses addresses = {.ip4 =
                                           rrset_value_of((struct ip){.family = IP_V4, .bytes = {93, 184, 216, 34}})};
    const struct registry_entry *entry = registry_entry_at(settings->registry, 0);
    assert_int_equal(ip_prefix_parse(view_of("2a00:1:2::/48"), &addresses.prefix6), ERR_OK);
    plan_device(settings->registry, entry, view_of("gw"), &addresses, &plan);
    assert_planned(&plan, "low.gw.example.net", RRTYPE_AAAA, "2a00:1:2::10");
    assert_planned(&plan, "low.gw.example.net", RRTYPE_A, "not planned");
    assert_planned(&plan, "mac.gw.example.net", RRTYPE_AAAA, "2a00:1:2:7:3656:78ff:fe9a:bcde");
    assert_planned(&plan, "mac.gw.example.net", RRTYPE_A, "93.184.216.34");
    assert_planned(&plan, "far.gw.example.net", RRTYPE_AAAA, "2a00:1:2:12c::10");
    assert_string_equal(plan.error, "");
    assert_int_equal(ip_prefix_parse(view_of("2a00:1:2:f00::/56"), &addresses.prefix6), ERR_OK);
    plan_device(settings->registry, entry, view_of("gw"), &addresses, &plan);
    assert_planned(&plan, "mac.gw.example.net", RRTYPE_AAAA, "2a00:1:2:f07:3656:78ff:fe9a:bcde");
    assert_planned(&plan, "far.gw.example.net", RRTYPE_AAAA, ""); /* not another subnet's host */
    assert_string_equal(plan.error, "host far: no room for subnet 300 and 64 bits in 2a00:1:2:f00::/56");
    settings_free(settings);
    strbuf_deinit(&report);
}

static uint64_t fingerprint_of_host(const char *host)
{
    char devices[256];
    struct strbuf report;
    (void)snprintf(devices, sizeof(devices), "devices:\n  - {id: gw, group: g, hosts: [{name: n, %s}]}\n",
                   host); /* fits */
    struct settings *settings = load("  - name: g\n    gateway: true\n    names:\n" HOSTS, devices, &report);
    assert_non_null(settings);
    uint64_t fingerprint = registry_fingerprint(settings->registry);
    settings_free(settings);
    strbuf_deinit(&report);
    return fingerprint;
}

/* Else a start would not see that the records are to change. */
static void what_gives_a_host_its_address_is_in_the_fingerprint(void **state)
{
    (void)state;
    static const char *const hosts[] = {"suffix: \"::1\"",
                                        "suffix: \"::2\"",
                                        "suffix: \"::1\", subnet: 1",
                                        "suffix: \"::1\", ip4: true",
                                        "mac: \"00:11:22:33:44:55\"",
                                        "suffix: \"::211:22ff:fe33:4455\""};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        for (size_t k = 0; k < ARRAY_LEN(hosts); k++) {
            assert_int_equal(fingerprint_of_host(hosts[i]) == fingerprint_of_host(hosts[k]), i == k);
        }
    }
}

/* A device whose names do not all fit would lose some of them without a word. */
static void more_names_than_a_device_may_have_are_refused(void **state)
{
    (void)state;
    struct strbuf report;
    assert_true(loads_with_hosts((PLAN_MAX - 2) / 3, "", &report));
    strbuf_deinit(&report);
    assert_false(loads_with_hosts(HOSTS_MAX, "", &report));
    assert_non_null(strstr(strbuf_str(&report), "registry.yaml:2:"));
    assert_non_null(strstr(strbuf_str(&report), "gw-1: 770 records; a device may have 640: remove hosts"));
    strbuf_deinit(&report);
    char label[61] = "";
    memset(label, 'x', sizeof(label) - 1);
    char labels[130];
    (void)snprintf(labels, sizeof(labels), "%s.%s", label, label); /* fits */
    assert_false(loads_with_hosts(200, labels, &report));
    assert_non_null(strstr(strbuf_str(&report), "shorten them"));
    strbuf_deinit(&report);
}

static void an_id_wins_over_patterns_in_order(void **state)
{
    (void)state;
    struct strbuf report;
    struct settings *settings =
        load(GROUP("g", ID),
             "devices:\n  - {match: \"cam-1*\", group: g, site: one}\n"
             "  - {match: \"cam-*\", group: g, site: all}\n  - {id: cam-11, group: g, site: own}\n",
             &report);
    assert_non_null(settings);
    static const struct {
        const char *id, *site;
    } rows[] = {{"cam-11", "own"}, {"cam-12", "one"}, {"cam-2", "all"},
                {"door-1", NULL},  {"cam-", "all"},   {"cam", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t ref = registry_find(settings->registry, view_of(rows[i].id));
        assert_int_equal(ref == DEVICE_NONE, rows[i].site == NULL);
        if (ref != DEVICE_NONE) {
            assert_string_equal(registry_entry_at(settings->registry, ref)->site, rows[i].site);
        }
    }
    settings_free(settings);
    strbuf_deinit(&report);
}

static void patterns_match_as_shells_do(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *id;
        bool match;
    } rows[] = {
        {"*", "a", true},
        {"*", "", true},
        {"a*", "a", true},
        {"a*", "ba", false},
        {"*a", "ba", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "axxbxxc", true},
        {"a*b*c", "axxc", false},
        {"**a**", "xax", true},
        {"a", "ab", false},
        {"*ab", "aab", true},
        {"*aab", "aaaab", true},
        {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(registry_pattern_match(view_of(rows[i].pattern), view_of(rows[i].id)), rows[i].match);
    }
}

static void the_longest_zone_counts(void **state)
{
    (void)state;
    static const char zones[] = "  - {name: example.net, account: dns}\n  - {name: cams.example.net, account: dns}\n";
    struct strbuf report;
    struct settings *settings = NULL;
    strbuf_init(&report, 4096);
    assert_int_equal(rig_load(&rig, &(struct rig_config){.zones = zones}, &settings, &report), ERR_OK);
    assert_int_equal(registry_zone_of(settings->registry, VIEW_LITERAL("a.example.net")), 0);
    assert_int_equal(registry_zone_of(settings->registry, VIEW_LITERAL("a.cams.example.net")), 1);
    assert_int_equal(registry_zone_of(settings->registry, VIEW_LITERAL("acams.example.net")), 0);
    assert_int_equal(registry_zone_of(settings->registry, VIEW_LITERAL("badexample.net")), -1);
    settings_free(settings);
    strbuf_deinit(&report);
}

static void names_are_exclusive_when_the_id_is_a_label(void **state)
{
    (void)state;
    static const struct {
        const char *groups;
        bool exclusive;
    } rows[] = {
        {GROUP("cameras", ID), true},
        {GROUP("cameras", ID SITE), true},
        {GROUP("cameras", ID) GROUP("h", SITE), true},
        {GROUP("cameras", ROLE), false},
        {GROUP("cameras", ID ROLE), false},
        {GROUP("cameras", "      - name: \"{site}-{id}.example.net\"\n"), false},
        {GROUP("cameras", ID "      - name: \"x.{id}.example.net\"\n"), false}, /* another place: "a.b" and "x.a" */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf report;
        struct settings *settings =
            load(rows[i].groups, "devices:\n  - {id: a, group: cameras, site: s, labels: {role: r}}\n", &report);
        assert_non_null(settings);
        if (registry_names_exclusive(settings->registry) != rows[i].exclusive) {
            fail_msg("groups %zu", i);
        }
        settings_free(settings);
        strbuf_deinit(&report);
    }
}

static uint64_t fingerprint(const char *groups, const char *devices)
{
    struct strbuf report;
    struct settings *settings = load(groups, devices, &report);
    assert_non_null(settings);
    uint64_t print = registry_fingerprint(settings->registry);
    settings_free(settings);
    strbuf_deinit(&report);
    return print;
}

static void the_fingerprint_sees_what_changes_names(void **state)
{
    (void)state;
    static const char one[] = "devices:\n  - {id: a, group: g, site: s}\n";
    uint64_t print = fingerprint(GROUP("g", ID), one);
    assert_true(print == fingerprint(GROUP("g", ID), "devices:\n  - site: s\n    id: a   # as before\n    group: g\n"));
    assert_true(print != fingerprint(GROUP("g", ID), "devices:\n  - {id: b, group: g, site: s}\n"));
    assert_true(print != fingerprint(GROUP("g", ID), "devices:\n  - {id: a, group: g, site: t}\n"));
    assert_true(print != fingerprint(GROUP("g", ID "        ttl: 90\n"), one));
    assert_true(print != fingerprint(GROUP("g", ID "        types: [A]\n"), one));
    assert_true(print != fingerprint(GROUP("g", SITE), one));
}

static void a_hundred_thousand_entries(void **state)
{
    (void)state;
    size_t size = (size_t)ENTRIES * 64;
    char *text = malloc(size);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, size, "devices:\n");
    for (int i = 0; i < ENTRIES; i++) {
        len += (size_t)snprintf(text + len, size - len, "  - {id: cam-%06d, group: g, site: s%d}\n", i, i / 100);
    }
    struct strbuf report;
    uint64_t before = clock_mono_ms();
    struct settings *settings = load(GROUP("g", SITE), text, &report);
    print_message("%d entries loaded in %llu ms\n", ENTRIES, (unsigned long long)(clock_mono_ms() - before));
    assert_non_null(settings);
    assert_int_equal(registry_count(settings->registry), ENTRIES);
    uint32_t ref = registry_find(settings->registry, VIEW_LITERAL("cam-099999"));
    assert_string_equal(registry_entry_at(settings->registry, ref)->site, "s999");
    settings_free(settings);
    strbuf_deinit(&report);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(mistakes_are_told_with_their_place),
        TEST(hosts_get_their_addresses_from_the_gateways_prefix),
        TEST(what_gives_a_host_its_address_is_in_the_fingerprint),
        TEST(more_names_than_a_device_may_have_are_refused),
        TEST(an_id_wins_over_patterns_in_order),
        TEST(patterns_match_as_shells_do),
        TEST(the_longest_zone_counts),
        TEST(names_are_exclusive_when_the_id_is_a_label),
        TEST(the_fingerprint_sees_what_changes_names),
        TEST(a_hundred_thousand_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
