/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/collision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "coordinator/device.h"
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

#define GROUP(name, templates)   "  - name: " name "\n    names:\n" templates
#define GATEWAY(name, templates) "  - name: " name "\n    gateway: true\n    names:\n" templates
#define ID                       "      - name: \"{id}.example.net\"\n"
#define A                        "        types: [A]\n"
#define AAAA                     "        types: [AAAA]\n"
#define CAM                      "      - name: \"cam-{id}.example.net\"\n"
#define ROLE                     "      - name: \"{labels.role}.example.net\"\n"
#define HOST                     "      - name: \"{host}.example.net\"\n        hosts: true\n"
#define HOST_ID                  "      - name: \"{host}.{id}.example.net\"\n        hosts: true\n"

struct row {
    const char *groups, *devices;
    const char *error;    /* NULL = loads */
    const char *wants[6]; /* what the error or the warning must say; a row that loads without any: no warning */
};

/* Certain: known from the file. */
static const struct row errors[] = {
    {GROUP("g", ROLE),
     "devices:\n  - {id: a, group: g, labels: {role: x}}\n  - {id: b, group: g, labels: {role: X}}\n",
     "x.example.net belongs to a already",
     {"registry.yaml:3:5: ", "(/", "registry.yaml:2:5)", "coordinator.yaml:20:9)", "put {id} into the template"}},
    /* two groups, two templates */
    {GROUP("g", ROLE) GROUP("h", ID),
     "devices:\n  - {id: a, group: h}\n  - {id: b, group: g, labels: {role: a}}\n",
     "b: name a.example.net belongs to a already",
     {"registry.yaml:3:5: ", "registry.yaml:2:5)", "coordinator.yaml:20:9)", "coordinator.yaml:23:9)"}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {id: cam-1, group: g}\n  - {id: \"1\", group: h}\n",
     "1: name cam-1.example.net belongs to cam-1 already",
     {"registry.yaml:3:5: ", "registry.yaml:2:5)"}},
    /* a pattern without "*" is one device, whichever stands first */
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"1\", group: h}\n  - {id: cam-1, group: g}\n",
     "1: name cam-1.example.net belongs to cam-1 already",
     {"registry.yaml:2:5: ", "registry.yaml:3:5)"}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"1\", group: h}\n  - {match: cam-1, group: g}\n",
     "cam-1: name cam-1.example.net belongs to 1 already",
     {"registry.yaml:3:5: ", "registry.yaml:2:5)"}},
    /* a gateway and its host, two hosts of two gateways, two templates of one device */
    {GATEWAY("g", ID HOST),
     "devices:\n  - {id: a, group: g, hosts: [{name: a, suffix: \"::1\"}]}\n",
     "a: name a.example.net would have two addresses",
     {"registry.yaml:2:5: ", "{id}.example.net", "{host}.example.net", "rename a host"}},
    {GATEWAY("g", HOST),
     "devices:\n  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\"}]}\n"
     "  - {id: b, group: g, hosts: [{name: n, suffix: \"::1\"}]}\n",
     "b: name n.example.net belongs to a already",
     {"registry.yaml:3:5: ", "registry.yaml:2:5)"}},
    {GROUP("g", ID ROLE),
     "devices:\n  - {id: a, group: g, labels: {role: a}}\n",
     "a: name a.example.net would have two addresses",
     {"registry.yaml:2:5: "}},
    /* one name of two devices is one too many, also with a type each */
    {GROUP("g", ROLE A) GROUP("h", ROLE AAAA),
     "devices:\n  - {id: a, group: g, labels: {role: x}}\n  - {id: b, group: h, labels: {role: x}}\n",
     "b: name x.example.net belongs to a already",
     {"registry.yaml:3:5: "}},
};

/* Possible: depends on the devices that come. */
static const struct row warnings[] = {
    /* a pattern and a device with an id */
    {GROUP("g", ROLE) GROUP("h", ID),
     "devices:\n  - {id: a, group: g, labels: {role: cam-7}}\n  - {match: \"cam-*\", group: h}\n",
     NULL,
     {"registry.yaml:3:5: devices: cam-*: a device cam-7 would have the name cam-7.example.net, as a has (",
      "registry.yaml:2:5)", "coordinator.yaml:23:9) and {labels.role}.example.net (", "coordinator.yaml:20:9)",
      "narrow the pattern"}},
    {GATEWAY("g", HOST) GROUP("h", ID),
     "devices:\n  - {match: \"*\", group: h}\n"
     "  - {id: a, group: g, hosts: [{name: n, suffix: \"::1\"}]}\n",
     NULL,
     {"registry.yaml:2:5: devices: *: a device n would have the name n.example.net, as a has ("}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: cam-1, group: g}\n  - {match: \"*\", group: h}\n",
     NULL,
     {"registry.yaml:3:5: devices: *: a device 1 would have the name cam-1.example.net, as cam-1 has ("}},
    /* two patterns */
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"cam-*\", group: g}\n  - {match: \"d*\", group: h}\n",
     NULL,
     {"registry.yaml:2:5: devices: cam-*: a device cam-d1 would have the name cam-d1.example.net, as d1 of d* would (",
      "registry.yaml:3:5)", "coordinator.yaml:20:9) and cam-{id}.example.net (", "coordinator.yaml:23:9)"}},
    /* one pattern, two templates */
    {GROUP("g", ID CAM),
     "devices:\n  - {match: \"*\", group: g}\n",
     NULL,
     {"registry.yaml:2:5: devices: *: a device cam-1 would have the name cam-1.example.net, as 1 of * would ("}},
    /* the id in another label */
    {GROUP("g", "      - name: \"{id}.a.example.net\"\n") GROUP("h", "      - name: \"b.{id}.example.net\"\n"),
     "devices:\n  - {match: \"b*\", group: g}\n  - {match: \"a*\", group: h}\n",
     NULL,
     {"a device b would have the name b.a.example.net, as a of a* would ("}},
    {GATEWAY("g", HOST_ID) GROUP("h", "      - name: \"{id}.{site}.example.net\"\n"),
     "devices:\n  - {match: \"gw-*\", group: g, hosts: [{name: n, suffix: \"::1\"}]}\n"
     "  - {match: \"*\", group: h, site: gw-1}\n",
     NULL,
     {"a device n would have the name n.gw-1.example.net, as gw-1 of gw-* would ("}},
    /* hosts of a pattern */
    {GATEWAY("g", "      - name: \"{host}-{id}.example.net\"\n        hosts: true\n"),
     "devices:\n  - {match: \"*\", group: g, hosts: [{name: a, suffix: \"::1\"}, {name: a-b, suffix: \"::2\"}]}\n",
     NULL,
     {"as "}},
};

/* Nothing to say. */
static const struct row good[] = {
    {GROUP("g", ID), "devices:\n  - {match: \"*\", group: g}\n  - {id: a, group: g}\n", NULL, {NULL}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"cam-*\", group: g}\n  - {match: \"a*\", group: g}\n",
     NULL,
     {NULL}}, /* nobody is in h */
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"door-*\", group: g}\n  - {match: \"*\", group: h}\n",
     NULL,
     {NULL}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"cam-d*\", group: g}\n  - {match: \"a*\", group: h}\n",
     NULL,
     {NULL}},
    /* the id is another row's */
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {id: cam-1, group: g}\n  - {id: \"1\", group: g}\n  - {match: \"1*\", group: h}\n"
     "  - {match: \"2*\", group: h}\n",
     NULL,
     {NULL}},
    {GROUP("g", ID) GROUP("h", CAM),
     "devices:\n  - {match: \"d*\", group: g}\n  - {match: \"d*\", group: h}\n  - {match: \"cam-*\", group: g}\n",
     NULL,
     {NULL}},
    /* other labels, sites, zones' names */
    {GROUP("g", "      - name: \"{id}-{site}.example.net\"\n"),
     "devices:\n  - {match: \"a*\", group: g, site: s}\n  - {match: \"b*\", group: g, site: t}\n",
     NULL,
     {NULL}},
    {GROUP("g", ID) GROUP("h", "      - name: \"x-{id}.sub.example.net\"\n"),
     "devices:\n  - {match: \"a*\", group: g}\n  - {match: \"*\", group: h}\n",
     NULL,
     {NULL}},
    /* one device, one name, a type each */
    {GROUP("g", ID A ROLE AAAA), "devices:\n  - {id: a, group: g, labels: {role: a}}\n", NULL, {NULL}},
    {GROUP("g", ROLE), "devices:\n  - {id: a, group: g, labels: {role: x}}\n", NULL, {NULL}},
};

static struct settings *load(const char *groups, const char *devices, struct strbuf *report)
{
    struct settings *settings = NULL;
    strbuf_init(report, 64 * 1024);
    enum err err = rig_load(&rig, &(struct rig_config){.groups = groups, .devices = devices}, &settings, report);
    assert_int_equal(err == ERR_OK, settings != NULL);
    return settings;
}

static void check(const struct row *row, size_t index)
{
    struct strbuf report;
    struct settings *settings = load(row->groups, row->devices, &report);
    const char *text = settings != NULL ? registry_warnings(settings->registry) : strbuf_str(&report);
    bool right = (settings == NULL) == (row->error != NULL) &&
                 (row->error == NULL || strstr(text, row->error) != NULL) && (row->wants[0] != NULL || text[0] == '\0');
    for (size_t i = 0; i < ARRAY_LEN(row->wants) && row->wants[i] != NULL; i++) {
        right = right && strstr(text, row->wants[i]) != NULL;
    }
    const char *newline = strchr(text, '\n');
    right = right && (newline == NULL || newline[1] == '\0'); /* said once */
    if (!right) {
        fail_msg("row %zu: %s\n%s", index, settings != NULL ? "loaded" : "refused", text);
    }
    settings_free(settings);
    strbuf_deinit(&report);
}

static void what_is_certain_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        check(&errors[i], i);
    }
}

static void what_is_possible_is_a_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(warnings); i++) {
        check(&warnings[i], i);
    }
}

static void what_cannot_be_is_not_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        check(&good[i], i);
    }
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* Each two templates once, and not without an end. */
static void many_are_said_in_few_words(void **state)
{
    (void)state;
    static char groups[65536], devices[65536];
    size_t groups_len = (size_t)snprintf(groups, sizeof(groups), GROUP("all", ID));
    size_t len = (size_t)snprintf(devices, sizeof(devices), "devices:\n  - {match: \"x*\", group: all}\n");
    for (int i = 0; i < 30; i++) {
        groups_len += (size_t)snprintf(groups + groups_len, sizeof(groups) - groups_len,
                                       GROUP("g%d", "      - name: \"x%d-{id}.example.net\"\n"), i, i);
        for (int k = 0; k < 3; k++) {
            len += (size_t)snprintf(devices + len, sizeof(devices) - len, "  - {match: \"%c%d-*\", group: g%d}\n",
                                    'a' + k, i, i);
        }
    }
    struct strbuf report;
    struct settings *settings = load(groups, devices, &report);
    assert_non_null(settings);
    const char *text = registry_warnings(settings->registry);
    assert_int_equal(lines_of(text), COLLISION_WARNINGS_MAX + 1);
    assert_non_null(strstr(text, "not all patterns were compared"));
    settings_free(settings);
    strbuf_deinit(&report);
}

#define SEEDS 300

static uint32_t seed;

static const char *pick(const char *const *texts, size_t len)
{
    seed = seed * 1664525u + 1013904223u;
    return texts[(seed >> 16) % len];
}

/* Every id of one to three letters, as the devices that come. */
static size_t make_ids(char (*ids)[4])
{
    static const char letters[] = "ab-";
    size_t len = 0;
    for (unsigned i = 0; i < 4 * 4 * 4; i++) {
        const unsigned parts[] = {i % 4, i / 4 % 4, i / 16};
        if (parts[0] == 3 || (parts[1] == 3 && parts[2] != 3)) {
            continue;
        }
        size_t at = 0;
        for (size_t k = 0; k < 3 && parts[k] != 3; k++) {
            ids[len][at++] = letters[parts[k]];
        }
        ids[len++][at] = '\0';
    }
    return len;
}

struct given {
    const char *id;
    char name[DNSNAME_SIZE];
};

/* Two devices of different ids with one name; NULL = none. */
static const struct given *find_collision(const struct registry *registry, const struct given **ret_other)
{
    static char ids[64][4];
    static struct given given[64 * TEMPLATES_MAX];
    size_t ids_len = make_ids(ids);
    size_t len = 0;
    for (size_t i = 0; i < ids_len; i++) {
        uint32_t ref = registry_find(registry, view_of(ids[i]));
        const struct registry_entry *entry = ref != DEVICE_NONE ? registry_entry_at(registry, ref) : NULL;
        for (size_t k = 0; entry != NULL && k < entry->group->templates_len; k++) {
            given[len].id = ids[i];
            len += registry_render(entry, &entry->group->templates[k], view_of(ids[i]), NULL, given[len].name, NULL) ==
                   ERR_OK;
        }
    }
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(given[i].name, given[k].name) == 0 && strcmp(given[i].id, given[k].id) != 0) {
                *ret_other = &given[k];
                return &given[i];
            }
        }
    }
    return NULL;
}

/* Whatever a small world can bring about is said. */
static void no_collision_of_a_small_world_is_missed(void **state)
{
    (void)state;
    static const char *const templates[] = {"{id}",   "a-{id}", "{id}-b", "a-{id}-b", "{id}.a",
                                            "a.{id}", "b.{id}", "{id}b",  "a{id}"};
    static const char *const patterns[] = {"*", "a*", "*b", "b", "a*b", "*-*", "b-*", "aa*", "*ba"};
    size_t found = 0;
    for (uint32_t i = 0; i < SEEDS; i++) {
        seed = i;
        char groups[512], devices[512];
        (void)snprintf(groups, sizeof(groups),
                       GROUP("g", "      - name: \"%s.example.net\"\n")
                           GROUP("h", "      - name: \"%s.example.net\"\n      - name: \"%s.example.net\"\n"),
                       pick(templates, ARRAY_LEN(templates)), pick(templates, ARRAY_LEN(templates)),
                       pick(templates, ARRAY_LEN(templates)));
        (void)snprintf(devices, sizeof(devices),
                       "devices:\n  - {match: \"%s\", group: g}\n  - {match: \"%s\", group: h}\n"
                       "  - {match: \"%s\", group: g}\n",
                       pick(patterns, ARRAY_LEN(patterns)), pick(patterns, ARRAY_LEN(patterns)),
                       pick(patterns, ARRAY_LEN(patterns)));
        struct strbuf report;
        struct settings *settings = load(groups, devices, &report);
        const struct given *other = NULL;
        const struct given *one = settings != NULL ? find_collision(settings->registry, &other) : NULL;
        if (one != NULL && registry_warnings(settings->registry)[0] == '\0') {
            fail_msg("seed %u: %s and %s are both %s, and nothing was said of\n%s%s", i, one->id, other->id, one->name,
                     groups, devices);
        }
        found += one != NULL;
        settings_free(settings);
        strbuf_deinit(&report);
    }
    print_message("%zu of %d registries collide\n", found, SEEDS);
    assert_true(found > SEEDS / 20);
}

static long cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void time_load(const char *what, const char *groups, const char *text, size_t warned)
{
    struct strbuf report;
    long before = cpu_ms();
    struct settings *settings = load(groups, text, &report);
    print_message("%s: loaded in %ld ms of CPU\n", what, cpu_ms() - before);
    if (settings == NULL) {
        fail_msg("%s: %.500s", what, strbuf_str(&report));
    }
    assert_int_equal(lines_of(registry_warnings(settings->registry)), warned);
    settings_free(settings);
    strbuf_deinit(&report);
}

static void a_hundred_thousand_names_are_compared(void **state)
{
    (void)state;
    static const char groups[] = GROUP("g", ID) GROUP("h", CAM) GROUP("r", ROLE);
    size_t size = (size_t)ENTRIES * 80;
    char *text = malloc(size);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, size, "devices:\n");
    for (int i = 0; i < ENTRIES; i++) {
        len += (size_t)snprintf(text + len, size - len, "  - {id: cam-%06d, group: g}\n", i);
    }
    time_load("100000 ids", groups, text, 0);
    size_t ids_len = len;
    for (int i = 0; i < 200; i++) {
        len += (size_t)snprintf(text + len, size - len, "  - {match: \"d%d-*\", group: h}\n", i);
    }
    time_load("with 200 patterns", groups, text, 0);
    (void)snprintf(text + len, size - len, "  - {match: \"0*\", group: h}\n"); /* cam-0* are taken */
    time_load("and one that collides", groups, text, 1);
    len = (size_t)snprintf(text, size, "devices:\n");
    for (int i = 0; i < 2000; i++) { /* as bad as it gets: patterns of one tail and many shapes */
        len +=
            (size_t)snprintf(text + len, size - len, "  - {match: \"d%d-*\", group: s, labels: {role: r%d}}\n", i, i);
    }
    assert_true(len < ids_len);
    time_load("2000 patterns", GROUP("s", "      - name: \"{labels.role}-{id}.example.net\"\n"), text, 0);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(what_is_certain_is_an_error),
        TEST(what_is_possible_is_a_warning),
        TEST(what_cannot_be_is_not_said),
        TEST(many_are_said_in_few_words),
        TEST(no_collision_of_a_small_world_is_missed),
        TEST(a_hundred_thousand_names_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
