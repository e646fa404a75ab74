/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"

struct zone {
    struct config_position position;
    const char *name;
    uint32_t ttl;
    struct config_map labels;
};
struct broker {
    struct config_position position;
    const char *endpoint;
    const char *ca_file;
    uint64_t keepalive_ms;
};
struct root {
    bool on;
    uint32_t count;
    uint64_t big;
    uint64_t wait_ms;
    uint64_t size;
    const char *text;
    const char *mode;
    const char *password;
    const char *domain;
    struct ip address;
    int level;
    struct config_strings types;
    struct config_map labels;
    struct broker broker;
    struct broker spare;
    struct config_list zones;
};

static enum err refuse_bad(struct view value, struct errinfo *info)
{
    return view_equals(value, "bad") ? errinfo_set(info, ERR_INVALID, "test", 0, "is the bad one") : ERR_OK;
}

static const char *const levels[] = {"error", "info", "debug", NULL};
#define AT(member) .offset = offsetof(struct root, member)
static const struct config_row zone_rows[] = {
    {.name = "name", .type = CONFIG_NAME, .offset = offsetof(struct zone, name), .flags = CONFIG_REQUIRED, .help = "n"},
    {.name = "ttl",
     .type = CONFIG_U32,
     .offset = offsetof(struct zone, ttl),
     .unit = "seconds",
     .min = 30,
     .max = 86400,
     .def = "60",
     .flags = CONFIG_RELOADABLE,
     .help = "time to live"},
    {.name = "labels", .type = CONFIG_MAP, .offset = offsetof(struct zone, labels), .max = 2, .help = "l"},
    {0},
};
static const struct config_row broker_rows[] = {
    {.name = "endpoint",
     .type = CONFIG_HOSTPORT,
     .offset = offsetof(struct broker, endpoint),
     .flags = CONFIG_REQUIRED,
     .help = "where"},
    {.name = "ca_file", .type = CONFIG_PATH, .offset = offsetof(struct broker, ca_file), .help = "CA"},
    {.name = "keepalive",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct broker, keepalive_ms),
     .min = 1000,
     .max = 60000,
     .def = "30s",
     .help = "keep-alive"},
    {0},
};
static const struct config_row rows[] = {
    {.name = "on", .type = CONFIG_BOOL, AT(on), .def = "true", .help = "switch"},
    {.name = "count", .type = CONFIG_U32, AT(count), .min = 1, .max = 10, .def = "3", .unit = "items", .help = "c"},
    {.name = "big", .type = CONFIG_U64, AT(big), .help = "b"},
    {.name = "wait", .type = CONFIG_DURATION, AT(wait_ms), .min = 1000, .max = 3600000, .def = "15m", .help = "w"},
    {.name = "size", .type = CONFIG_SIZE, AT(size), .max = 1048576, .def = "64KiB", .help = "s"},
    {.name = "text", .type = CONFIG_STRING, AT(text), .max = 20, .check = refuse_bad, .help = "a | b"},
    {.name = "mode", .type = CONFIG_STRING, AT(mode), .def = "\"0660\"", .help = "m"},
    {.name = "password", .type = CONFIG_STRING, AT(password), .flags = CONFIG_SECRET, .help = "p"},
    {.name = "domain", .type = CONFIG_NAME, AT(domain), .help = "d"},
    {.name = "address", .type = CONFIG_ADDRESS, AT(address), .help = "a"},
    {.name = "level", .type = CONFIG_ENUM, AT(level), .choices = levels, .def = "info", .help = "l"},
    {.name = "types",
     .type = CONFIG_STRINGS,
     AT(types),
     .min = 1,
     .max = 3,
     .def = "[A, AAAA]",
     .check = refuse_bad,
     .help = "t"},
    {.name = "labels", .type = CONFIG_MAP, AT(labels), .help = "l"},
    {.name = "broker",
     .type = CONFIG_SECTION,
     AT(broker),
     .rows = broker_rows,
     .flags = CONFIG_REQUIRED,
     .position_offset = offsetof(struct broker, position),
     .help = "the broker"},
    {.name = "spare",
     .type = CONFIG_SECTION,
     AT(spare),
     .rows = broker_rows,
     .position_offset = offsetof(struct broker, position),
     .help = "another broker"},
    {.name = "zones",
     .type = CONFIG_LIST,
     AT(zones),
     .max = 3,
     .rows = zone_rows,
     .element_size = sizeof(struct zone),
     .position_offset = offsetof(struct zone, position),
     .help = "the zones"},
    {0},
};

static void check_root(void *object, struct config_errors *errors)
{
    const struct root *root = object;
    const struct zone *zones = root->zones.items;
    for (size_t i = 0; i < root->zones.len; i++) {
        if (zones[i].ttl == 999) {
            config_error(errors, &zones[i].position, "zones: %s: 999 is not liked", zones[i].name);
        }
    }
}

static const struct config_schema schema = {
    .title = "tool", .rows = rows, .size = sizeof(struct root), .check = check_root};

struct loaded {
    struct arena arena;
    struct root root;
    struct strbuf report;
    enum err err;
};

static void load(struct view text, struct loaded *ret)
{
    arena_init(&ret->arena, 1 << 20);
    strbuf_init(&ret->report, 1 << 16);
    ret->err = config_load_text(&schema, "f", text, &ret->arena, &ret->root, &ret->report);
}

static void unload(struct loaded *loaded)
{
    arena_deinit(&loaded->arena);
    strbuf_deinit(&loaded->report);
}

#define BROKER "broker: {endpoint: 'h:1'}\n"

static const char full_text[] = "---\n"
                                "on: false\n"
                                "count: 10\n"
                                "big: 18446744073709551615\n"
                                "wait: 90s\n"
                                "size: 1MiB\n"
                                "text: \"q\\\"\\\\ \\u00e9: # 1\"\n"
                                "password: secret\n"
                                "domain: Cams.Example.NET.\n"
                                "address: 2001:DB8::1\n"
                                "level: debug\n"
                                "types: [TXT]\n"
                                "labels: {z: 'last', \"a b\": 5, m: null text}\n"
                                "broker:\n"
                                "  endpoint: '[2001:db8::1]:8883'\n"
                                "  ca_file: /etc/ca.pem\n"
                                "  keepalive: 5s\n"
                                "zones:\n"
                                "  - name: a.example\n"
                                "    labels: {x: y}\n"
                                "  - {name: b.example, ttl: 300}\n";

static void reads_every_type(void **state)
{
    (void)state;
    struct loaded got;
    load(view_of(full_text), &got);
    assert_string_equal(strbuf_str(&got.report), "");
    assert_int_equal(got.err, ERR_OK);
    const struct root *root = &got.root;
    assert_false(root->on);
    assert_int_equal(root->count, 10);
    assert_true(root->big == UINT64_MAX);
    assert_int_equal(root->wait_ms, 90000);
    assert_int_equal(root->size, 1048576);
    assert_string_equal(root->text, "q\"\\ \xc3\xa9: # 1");
    assert_string_equal(root->mode, "0660");
    assert_string_equal(root->domain, "cams.example.net");
    assert_int_equal(root->address.family, IP_V6);
    assert_int_equal(root->level, 2);
    assert_int_equal(root->types.len, 1);
    assert_int_equal(root->labels.len, 3);
    assert_string_equal(root->labels.items[0].key, "a b"); /* sorted */
    assert_string_equal(root->labels.items[0].value, "5");
    assert_string_equal(root->labels.items[2].key, "z");
    assert_string_equal(root->broker.endpoint, "[2001:db8::1]:8883");
    assert_int_equal(root->broker.position.line, 15);
    assert_int_equal(root->broker.position.column, 3);
    assert_int_equal(root->spare.position.line, 0);
    assert_int_equal(root->spare.keepalive_ms, 30000); /* defaults of an absent section */
    const struct zone *zones = root->zones.items;
    assert_int_equal(root->zones.len, 2);
    assert_int_equal(zones[0].ttl, 60);
    assert_int_equal(zones[1].ttl, 300);
    assert_int_equal(zones[1].position.line, 21);
    assert_int_equal(zones[1].position.column, 5);
    unload(&got);
}

static void fills_defaults(void **state)
{
    (void)state;
    struct loaded got;
    load(view_of(BROKER "labels:\nzones:\n"), &got); /* keys whose content is commented out */
    assert_int_equal(got.err, ERR_OK);
    assert_string_equal(got.root.mode, "0660");
    assert_true(got.root.on && got.root.count == 3 && got.root.level == 1);
    assert_int_equal(got.root.wait_ms, 900000);
    assert_int_equal(got.root.types.len, 2);
    assert_string_equal(got.root.types.items[1], "AAAA");
    assert_null(got.root.text);
    assert_int_equal(got.root.address.family, IP_NONE);
    assert_true(got.root.labels.len == 0 && got.root.zones.len == 0);
    unload(&got);
}

static const struct {
    const char *text, *report;
} wrong[] = {
    /* values; `broker` on line 1 so that nothing else is wrong */
    {BROKER "on: yes", "f:2:5: on: `yes` is not a boolean; write true or false\n"},
    {BROKER "on: 'true'", "f:2:5: on: `true` is not a boolean; write true or false\n"},
    {BROKER "count: 11", "f:2:8: count: 11 is out of range; allowed are 1 to 10 items\n"},
    {BROKER "count: 0", "f:2:8: count: 0 is out of range; allowed are 1 to 10 items\n"},
    {BROKER "count: 99999999999999999999", "f:2:8: count: 99999999999999999999 is out of range; allowed are 1 to 10 "
                                           "items\n"},
    {BROKER "count: 010", "f:2:8: count: `010` is not a number; write digits only, without quotes, sign, unit or "
                          "leading zeros\n"},
    {BROKER "count: '5'", "f:2:8: count: `5` is not a number; write digits only, without quotes, sign, unit or "
                          "leading zeros\n"},
    {BROKER "count: 5m", "f:2:8: count: `5m` is not a number; write digits only, without quotes, sign, unit or "
                         "leading zeros\n"},
    {BROKER "count: -1", "f:2:8: count: `-1` is not a number; write digits only, without quotes, sign, unit or "
                         "leading zeros\n"},
    {BROKER "count:", "f:2:7: count: has no value; write one or remove the key\n"},
    {BROKER "count: ~", "f:2:8: count: has no value; write one or remove the key\n"},
    {BROKER "count: [1]", "f:2:8: count: a single value is expected here\n"},
    {BROKER "big: 18446744073709551616", "f:2:6: big: 18446744073709551616 is out of range; allowed are 0 to "
                                         "18446744073709551615\n"},
    {BROKER "wait: 5", "f:2:7: wait: `5` has no unit; write a duration such as 250ms, 60s, 15m, 1h or 25d\n"},
    {BROKER "wait: 5 m", "f:2:7: wait: `5 m` is not a duration; write a number and a unit, such as 250ms, 60s, 15m, "
                         "1h or 25d\n"},
    {BROKER "wait: 1.5h", "f:2:7: wait: `1.5h` is not a duration; write a number and a unit, such as 250ms, 60s, 15m, "
                          "1h or 25d\n"},
    {BROKER "wait: 2h", "f:2:7: wait: 2h is out of range; allowed are 1s to 1h\n"},
    {BROKER "wait: 99999999999999999999d", "f:2:7: wait: 99999999999999999999d is out of range; allowed are 1s to "
                                           "1h\n"},
    {BROKER "size: 2MB", "f:2:7: size: `2MB` is not a size; write a number of bytes or one with a unit, such as "
                         "64KiB, 1MiB or 2GiB\n"},
    {BROKER "size: 2MiB", "f:2:7: size: 2MiB is out of range; allowed are 0 to 1MiB\n"},
    {BROKER "text: 123456789012345678901", "f:2:7: text: is 21 bytes long; allowed are 0 to 20\n"},
    {BROKER "text: \"a\\nb\"", "f:2:7: text: holds a control character; remove it\n"},
    {BROKER "text: \"a\\x85b\"", "f:2:7: text: holds a control character; remove it\n"},
    {BROKER "text: bad", "f:2:7: text: `bad`: is the bad one\n"},
    {BROKER "domain: a..b", "f:2:9: domain: `a..b` is not a DNS name: label \"\" is empty\n"},
    {BROKER "address: 192.0.2.01", "f:2:10: address: `192.0.2.01` is not an IP address; write one such as 192.0.2.1 "
                                   "or 2001:db8::1\n"},
    {BROKER "level: inof", "f:2:8: level: `inof` is not a choice; did you mean `info`?\n"},
    {BROKER "level: loud", "f:2:8: level: `loud` is not a choice; allowed are error, info, debug\n"},
    {BROKER "types: A", "f:2:8: types: a list is expected: [a, b]\n"},
    {BROKER "types: [A, bad]", "f:2:12: types[1]: `bad`: is the bad one\n"},
    {BROKER "types: [[A]]", "f:2:9: types[0]: a single value is expected here\n"},
    {BROKER "types: []", "f:2:8: types: has 0 items; allowed are 1 to 3\n"},
    {BROKER "types: [a, b, c, d]", "f:2:8: types: has 4 items; allowed are 1 to 3\n"},
    {BROKER "labels: [a]", "f:2:9: labels: keys with values are expected: {key: value}\n"},
    {BROKER "labels: {a: [b]}", "f:2:13: labels.a: a single value is expected here\n"},
    {BROKER "zones: 5", "f:2:8: zones: a list is expected: lines that start with \"- \"\n"},
    {BROKER "zones: [5]", "f:2:9: zones[0]: a section is expected: keys with values\n"},
    {BROKER "zones:\n- {name: a}\n- {nam: b}\n",
     "f:4:3: zones[1]: required key `name` is missing\nf:4:4: zones[1].nam: unknown key; did you mean `name`?\n"},
    {BROKER "zones: [{name: a, labels: {a: 1, b: 2, c: 3}}]",
     "f:2:27: zones[0].labels: has 3 items; allowed are 0 to 2\n"},
    {BROKER "zones: [{name: a, ttl: 999}]", "f:2:9: zones: a: 999 is not liked\n"},
    /* sections and keys */
    {"on: true", "f:1:1: required key `broker` is missing, with what belongs under it\n"},
    {"", "f:1:1: required key `broker` is missing, with what belongs under it\n"},
    {"# nothing", "f:1:1: required key `broker` is missing, with what belongs under it\n"},
    {"[]", "f:1:1: a section is expected: keys with values\n"},
    {"broker: h:1", "f:1:9: broker: a section is expected: keys with values\n"},
    {"broker:", "f:1:8: broker: required key `endpoint` is missing\n"},
    {"broker: {endpoint: h}", "f:1:20: broker.endpoint: `h`: the port is missing: write host:port\n"},
    {"broker: {endpoint: 'h:0'}", "f:1:20: broker.endpoint: `h:0`: the port is not a number from 1 to 65535\n"},
    {"broker: {endpoint: '::1:5'}",
     "f:1:20: broker.endpoint: `::1:5`: an IPv6 address stands in brackets: [2001:db8::1]:8883\n"},
    {"broker: {endpoint: 'h:1', ca_file: ca.pem}",
     "f:1:36: broker.ca_file: `ca.pem` is not an absolute path; start it with /\n"},
    {BROKER "spare: {keepalive: 2s}", "f:2:8: spare: required key `endpoint` is missing\n"},
    {BROKER "cuont: 5", "f:2:1: cuont: unknown key; did you mean `count`?\n"},
    {BROKER "broker2: 5", "f:2:1: broker2: unknown key; did you mean `broker`?\n"},
    {"broker: {endpoint: 'h:1', nothing: 1}",
     "f:1:27: broker.nothing: unknown key; known here are endpoint, ca_file, keepalive\n"},
    {BROKER "count: 1\ncount: 2", "f:3:1: count: stands twice, first at line 2; remove one\n"},
    {BROKER "labels: {a: 1, a: 2}", "f:2:16: a: stands twice, first at line 2; remove one\n"},
    {BROKER "? [a]\n: b", "f:2:3: a key must be a single word\n"},
    {BROKER "<<: {on: true}",
     "f:2:1: <<: unknown key; known here are on, count, big, wait, size, text, mode, password, "
     "domain, address, level, types, labels, broker, spare, zones\n"},
    {BROKER "\"o\\en\": 5", "f:2:1: o?n: unknown key; did you mean `on`?\n"},
    /* outside the subset */
    {BROKER "on: &a true", "f:2:5: anchors (&) are not supported; write the value out where it is used\n"},
    {BROKER "on: *a", "f:2:5: aliases (*) are not supported; write the value out\n"},
    {BROKER "on: !!bool true", "f:2:5: tags (!) are not supported; remove it\n"},
    {BROKER "types: &a [*a]", "f:2:8: anchors (&) are not supported; write the value out where it is used\n"
                              "f:2:12: aliases (*) are not supported; write the value out\n"},
    {BROKER "labels: !x {a: b}", "f:2:9: tags (!) are not supported; remove it\n"},
    {"%YAML 1.1\n---\n" BROKER, "f:1:1: directives (%) are not supported; remove them\n"},
    {BROKER "---\non: true", "f:2:1: a second document starts here; one file holds one document\n"},
    {BROKER "labels: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "f:2:24: nested too deeply\n"},
    /* not YAML */
    {BROKER "on: [true", "f:3:1: did not find expected ',' or ']', while parsing a flow sequence that starts at line "
                         "2\n"},
    {BROKER "\ton: true",
     "f:2:1: found character that cannot start any token; quote the value, and indent with blanks, "
     "never with tabs\n"},
    {BROKER "text: \xff", "f: invalid leading UTF-8 octet at byte 32; the file must be UTF-8 text without control "
                          "characters\n"},
    {BROKER "text: \x01", "f: control characters are not allowed at byte 32; the file must be UTF-8 text without "
                          "control characters\n"},
};

static void reports_each_error_with_place_and_remedy(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct loaded got;
        load(view_of(wrong[i].text), &got);
        if (got.err != ERR_INVALID || strcmp(strbuf_str(&got.report), wrong[i].report) != 0) {
            print_error("%s\n--- want\n%s--- got %s\n%s\n", wrong[i].text, wrong[i].report, err_name(got.err),
                        strbuf_str(&got.report));
            failed++;
        }
        unload(&got);
    }
    assert_int_equal(failed, 0);
}

static void reports_all_errors_at_once_in_file_order(void **state)
{
    (void)state;
    struct loaded got;
    load(view_of("zones:\n- {name: a..b, ttl: 1, x: 1}\ncount: 0\nwait: 5\nlabels: {a: 1, a: 2}\n"), &got);
    assert_int_equal(got.err, ERR_INVALID);
    assert_string_equal(strbuf_str(&got.report),
                        "f:1:1: required key `broker` is missing, with what belongs under it\n"
                        "f:2:10: zones[0].name: `a..b` is not a DNS name: label \"\" is empty\n"
                        "f:2:21: zones[0].ttl: 1 is out of range; allowed are 30 to 86400 seconds\n"
                        "f:2:24: zones[0].x: unknown key; known here are name, ttl, labels\n"
                        "f:3:8: count: 0 is out of range; allowed are 1 to 10 items\n"
                        "f:4:7: wait: `5` has no unit; write a duration such as 250ms, 60s, 15m, 1h or 25d\n"
                        "f:5:16: a: stands twice, first at line 5; remove one\n");
    unload(&got);
}

static void counts_what_it_does_not_print(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 100000);
    (void)strbuf_adds(&text, BROKER);
    for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 7; i++) {
        (void)strbuf_addf(&text, "unknown%u: 1\n", i);
    }
    struct loaded got;
    load(strbuf_view(&text), &got);
    assert_int_equal(got.err, ERR_INVALID);
    assert_non_null(strstr(strbuf_str(&got.report), "f: 7 further errors\n"));
    unload(&got);
    strbuf_deinit(&text);
}

static void caps_size_keys_and_nesting_cost(void **state)
{
    (void)state;
    struct strbuf text;
    struct loaded got;
    strbuf_init(&text, CONFIG_FILE_MAX * 2);
    (void)strbuf_addf(&text, BROKER "#%0*d", (int)CONFIG_FILE_MAX, 0);
    load(strbuf_view(&text), &got);
    assert_int_equal(got.err, ERR_LIMIT);
    assert_string_equal(strbuf_str(&got.report), "f: the file is larger than 256 KiB\n");
    unload(&got);
    strbuf_clear(&text);
    while (text.len < CONFIG_FILE_MAX) { /* would cost minutes if libyaml were left alone with it */
        (void)strbuf_adds(&text, "[\n");
    }
    load(strbuf_view(&text), &got);
    assert_int_equal(got.err, ERR_INVALID);
    assert_string_equal(strbuf_str(&got.report), "f:17:1: nested too deeply\n");
    unload(&got);
    strbuf_clear(&text);
    (void)strbuf_adds(&text, BROKER "labels:\n");
    for (unsigned i = 0; i <= 1024; i++) {
        (void)strbuf_addf(&text, " k%u: 1\n", i);
    }
    load(strbuf_view(&text), &got);
    assert_string_equal(strbuf_str(&got.report), "f:1027:2: more keys in one mapping than are allowed\n");
    unload(&got);
    strbuf_deinit(&text);
}

static void a_file_that_is_not_there_is_said(void **state)
{
    (void)state;
    struct arena arena;
    struct root root;
    struct strbuf report;
    arena_init(&arena, 1000);
    strbuf_init(&report, 1000);
    assert_int_equal(config_load(&schema, "/nonexistent/x.yaml", &arena, &root, &report), ERR_NOTFOUND);
    assert_string_equal(strbuf_str(&report),
                        "tool: /nonexistent/x.yaml: not found; write it, or name another with --config\n");
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

static void a_full_arena_is_no_memory(void **state)
{
    (void)state;
    size_t good = 0;
    for (size_t cap = 0; cap < 3000; cap += 16) {
        struct arena arena;
        struct root root;
        struct strbuf report;
        arena_init(&arena, cap);
        strbuf_init(&report, 1000);
        enum err err = config_load_text(&schema, "f", view_of(full_text), &arena, &root, &report);
        assert_true(err == ERR_OK || err == ERR_NOMEM);
        assert_true(err == ERR_OK || good == 0); /* once it is enough, it stays enough */
        good += err == ERR_OK;
        strbuf_deinit(&report);
        arena_deinit(&arena);
    }
    assert_true(good > 0);
}

static void dump_into(const struct root *root, struct strbuf *out)
{
    strbuf_init(out, 10000);
    assert_int_equal(config_dump(&schema, root, out), ERR_OK);
}

/* The same values give the same dump, so a dump of the re-loaded dump shows every field. */
static void a_dump_loads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {full_text, BROKER, BROKER "spare: {endpoint: 'x:2'}\ntext: ''\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct loaded first;
        struct loaded second;
        struct strbuf dump;
        struct strbuf again;
        load(view_of(texts[i]), &first);
        assert_int_equal(first.err, ERR_OK);
        dump_into(&first.root, &dump);
        load(strbuf_view(&dump), &second);
        assert_string_equal(strbuf_str(&second.report), "");
        dump_into(&second.root, &again);
        assert_string_equal(strbuf_str(&dump), strbuf_str(&again));
        assert_true(first.root.on == second.root.on && first.root.big == second.root.big);
        assert_true(first.root.wait_ms == second.root.wait_ms && first.root.level == second.root.level);
        assert_true((first.root.text == NULL) == (second.root.text == NULL));
        assert_true(first.root.text == NULL || strcmp(first.root.text, second.root.text) == 0);
        assert_true(ip_equal(&first.root.address, &second.root.address));
        assert_int_equal(first.root.zones.len, second.root.zones.len);
        strbuf_deinit(&dump);
        strbuf_deinit(&again);
        unload(&first);
        unload(&second);
    }
}

static void a_dump_hides_secrets_and_shows_what_is_not_set(void **state)
{
    (void)state;
    struct loaded got;
    struct strbuf dump;
    load(view_of(full_text), &got);
    dump_into(&got.root, &dump);
    assert_null(strstr(strbuf_str(&dump), "secret"));
    assert_non_null(strstr(strbuf_str(&dump), "password: \"<redacted>\"\n"));
    assert_non_null(strstr(strbuf_str(&dump), "# spare: not set\n"));
    assert_non_null(strstr(strbuf_str(&dump), "wait: 90s\nsize: 1MiB\n"));
    assert_non_null(strstr(strbuf_str(&dump), "zones:\n  -\n    name: \"a.example\"\n    ttl: 60\n"));
    strbuf_deinit(&dump);
    unload(&got);
}

static void the_reference_comes_from_the_rows(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 20000);
    assert_int_equal(config_reference(&schema, &out), ERR_OK);
    static const char *const lines[] = {
        "# Configuration of tool\n",
        "\n## Top level\n",
        "\n## zones[]\n\nthe zones\n",
        "| `count` | number (items) | `3` | 1 to 10 | | c |\n",
        "| `wait` | duration | `15m` | 1s to 1h | | w |\n",
        "| `text` | text |  | 0 to 20 bytes | | a \\| b |\n",
        "| `level` | choice: `error`, `info`, `debug` | `info` |  | | l |\n",
        "| `endpoint` | host:port | **required** |  | | where |\n",
        "| `ttl` | number (seconds) | `60` | 30 to 86400 | yes | time to live |\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strstr(strbuf_str(&out), lines[i]) == NULL) {
            fail_msg("missing: %s in\n%s", lines[i], strbuf_str(&out));
        }
    }
    strbuf_clear(&out);
    assert_int_equal(config_dictionary(&schema, &out), ERR_OK);
    assert_non_null(strstr(strbuf_str(&out), "\"keepalive:\"\n"));
    strbuf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(fills_defaults),
        cmocka_unit_test(reports_each_error_with_place_and_remedy),
        cmocka_unit_test(reports_all_errors_at_once_in_file_order),
        cmocka_unit_test(counts_what_it_does_not_print),
        cmocka_unit_test(caps_size_keys_and_nesting_cost),
        cmocka_unit_test(a_file_that_is_not_there_is_said),
        cmocka_unit_test(a_full_arena_is_no_memory),
        cmocka_unit_test(a_dump_loads_back),
        cmocka_unit_test(a_dump_hides_secrets_and_shows_what_is_not_set),
        cmocka_unit_test(the_reference_comes_from_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
