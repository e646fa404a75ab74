/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/devices.h"

#include <stdio.h>
#include <string.h>

static const char *const presences[] = {"online", "late", "lost", "off", "unknown", NULL};
static const char *const problems[] = {
    "any",       "mismatch",   "address-shared", "not-public",     "no-inbound-path", "unregistered", "not-in-ledger",
    "not-owned", "not-active", "suspended",      "cloned-suspect", "revoked",         "scrapped",     NULL};

const struct args_row device_list_rows[] = {
    LISTING_ROWS,
    {"presence", 'p', NULL, ARGS_ENUM, offsetof(struct device_list_options, presence), .choices = presences,
     .help = "Only devices of this presence"},
    {"problem", 0, NULL, ARGS_ENUM, offsetof(struct device_list_options, problem), .choices = problems,
     .help = "Only devices with this problem"},
    {"site", 0, "NAME", ARGS_STRING, offsetof(struct device_list_options, site), .help = "Only devices of this site"},
    {"group", 'g', "NAME", ARGS_STRING, offsetof(struct device_list_options, group),
     .help = "Only devices of this group"},
    {"match", 'm', "PATTERN", ARGS_STRING, offsetof(struct device_list_options, match),
     .help = "Only ids that fit, such as 'cam-1*'"},
    {0},
};
const struct device_list_options device_list_defaults = {.presence = -1, .problem = -1};

const struct args_row device_show_rows[] = {API_ROWS, {0}};

static const struct grid_column columns[] = {
    {.title = "DEVICE"},
    {.title = "PRESENCE", .state = true},
    {.title = "IPV4"},
    {.title = "IPV6"},
    {.title = "GROUP"},
    {.title = "SITE"},
    {.title = "OPEN", .right = true},
    {.title = "SEEN"},
    {.title = "PROBLEM"},
    {0},
};

static const char *problem_of(const json_t *device)
{
    return api_bool(device, "registered") ? api_text(device, "problem") : "unregistered";
}

static void device_row(struct grid *grid, const json_t *device)
{
    grid_text(grid, api_text(device, "id"));
    grid_text(grid, api_text(device, "presence"));
    grid_text(grid, api_text(device, "ip4"));
    grid_text(grid, api_text(device, "ip6"));
    grid_text(grid, api_text(device, "group"));
    grid_text(grid, api_text(device, "site"));
    grid_u64(grid, api_u64(device, "records_open"));
    grid_time(grid, api_text(device, "seen"));
    grid_text(grid, problem_of(device));
}

enum exit_code device_list_run(const struct command_call *call)
{
    static const struct listing listing = {.what = "the devices were not listed",
                                           .member = "devices",
                                           .none = "No device fits.",
                                           .columns = columns,
                                           .row = device_row};
    const struct device_list_options *options = call->options;
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/devices"); /* listing_run looks at the sticky error, of what follows too */
    api_add_query(&path, "presence", options->presence >= 0 ? presences[options->presence] : NULL);
    api_add_query(&path, "problem", options->problem >= 0 ? problems[options->problem] : NULL);
    api_add_query(&path, "site", options->site);
    api_add_query(&path, "group", options->group);
    api_add_query(&path, "match", options->match);
    enum exit_code code = listing_run(call, &options->listing, &listing, &path);
    strbuf_deinit(&path);
    return code;
}

/* ---- one device ---- */

static const struct grid_column facts_columns[] = {{.title = "DEVICE"}, {.title = "", .state = true}, {0}};

static void fact(struct grid *grid, const char *name, const char *text)
{
    grid_text(grid, name);
    grid_text(grid, text);
}

/* What the device's last state said; an agent that detects nothing says nothing. */
static void add_nat(struct grid *grid, const json_t *device)
{
    char text[64];
    const char *nat = api_text(device, "nat");
    const char *inbound = api_text(device, "inbound");
    if (strcmp(nat, "unknown") == 0 || nat[0] == '\0') {
        return;
    }
    (void)snprintf(text, sizeof(text), strcmp(inbound, "none") == 0 ? "%s, no inbound path" : "%s, inbound %s", nat,
                   inbound); /* fits */
    fact(grid, "NAT", text);
}

/* Of a gateway: the prefixes that its hosts live in. */
static void add_prefixes(struct grid *grid, const json_t *device)
{
    const json_t *also = json_object_get(device, "prefix6_also");
    if (api_text(device, "prefix6")[0] == '\0') {
        return;
    }
    fact(grid, "prefix", api_text(device, "prefix6"));
    for (size_t i = 0; i < json_array_size(also); i++) {
        const json_t *item = json_array_get(also, i);
        const char *until = api_text(item, "until");
        char text[128];
        (void)snprintf(text, sizeof(text), until[0] != '\0' ? "%s until %s" : "%s", api_text(item, "prefix"),
                       until); /* fits */
        fact(grid, "also", text);
    }
}

/* What the ledger says, and what is suspected; nothing where neither is known. */
static void add_ledger(struct grid *grid, const json_t *device)
{
    char text[256];
    const json_t *ledger = json_object_get(device, "ledger");
    const json_t *suspect = json_object_get(device, "suspect");
    const char *names = api_text(device, "names_are");
    if (ledger != NULL) {
        (void)snprintf(text, sizeof(text), "%s, %s", api_text(ledger, "state"),
                       api_bool(ledger, "owned") ? "owned" : "not owned"); /* fits */
        fact(grid, "ledger", text);
    }
    if (names[0] != '\0') {
        fact(grid, "names are", names);
    }
    if (suspect != NULL) {
        (void)snprintf(text, sizeof(text), "%s: %s", api_text(suspect, "kind"), api_text(suspect, "detail")); /* cut */
        fact(grid, "clone", text);
        grid_text(grid, "since");
        grid_time(grid, api_text(suspect, "since"));
    }
}

static void add_facts(struct grid *grid, const json_t *device)
{
    char text[64];
    fact(grid, "id", api_text(device, "id"));
    fact(grid, "presence", api_text(device, "presence"));
    fact(grid, "group", api_text(device, "group"));
    fact(grid, "site", api_text(device, "site"));
    fact(grid, "problem", problem_of(device));
    add_ledger(grid, device);
    fact(grid, "IPv4", api_text(device, "ip4"));
    fact(grid, "IPv6", api_text(device, "ip6"));
    fact(grid, "observed", api_text(device, "observed"));
    add_prefixes(grid, device);
    add_nat(grid, device);
    (void)snprintf(text, sizeof(text), "boot %llu, seq %llu, %s", (unsigned long long)api_u64(device, "boot"),
                   (unsigned long long)api_u64(device, "seq"),
                   api_bool(device, "durable") ? "durable" : "not yet durable"); /* fits */
    fact(grid, "last report", text);
    grid_text(grid, "seen");
    grid_time(grid, api_text(device, "seen"));
    grid_text(grid, "changed");
    grid_time(grid, api_text(device, "changed"));
    if (api_text(device, "name_error")[0] != '\0') {
        fact(grid, "name error", api_text(device, "name_error"));
    }
}

static const struct grid_column name_columns[] = {
    {.title = "NAME"},
    {.title = "TYPE"},
    {.title = "TTL", .right = true},
    {.title = "STATE", .state = true},
    {.title = "WANTED"},
    {.title = "ERROR"},
    {0},
};

static enum err print_names(const json_t *names)
{
    struct grid grid;
    grid_init(&grid, name_columns, stdout, true);
    grid.edge = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);
        grid_text(&grid, api_text(name, "name"));
        grid_text(&grid, api_text(name, "type"));
        grid_u64(&grid, api_u64(name, "ttl"));
        grid_text(&grid, api_text(name, "state"));
        grid_texts(&grid, json_object_get(name, "value"));
        grid_text(&grid, api_text(name, "error"));
    }
    bool none = grid.cells == 0;
    enum err err = none || putchar('\n') != EOF ? grid_flush(&grid) : ERR_IO;
    grid_deinit(&grid);
    return err;
}

static enum exit_code print_device(const json_t *device)
{
    struct grid grid;
    grid_init(&grid, facts_columns, stdout, true);
    grid.headed = true; /* the first column says it */
    grid.edge = 0;
    add_facts(&grid, device);
    enum err err = grid_flush(&grid);
    grid_deinit(&grid);
    if (err == ERR_OK) {
        err = print_names(json_object_get(device, "names"));
    }
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

/* Asks for "/v1/devices/<the operand><suffix>". @p failed is what an error begins with; *ret_body is the caller's on
 * EXIT_OK. */
static enum exit_code request_device(const struct command_call *call, const char *failed, const char *method,
                                     const char *suffix, json_t **ret_body)
{
    struct api *api = NULL;
    struct strbuf path;
    enum exit_code code = api_open(call, call->options, failed, &api);
    if (code != EXIT_OK) {
        return code;
    }
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/devices/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, call->operands[0]);
    (void)strbuf_adds(&path, suffix);
    code = api_request(api, method, &path, API_TIMEOUT_MS, ret_body);
    strbuf_deinit(&path);
    api_close(api);
    return code;
}

enum exit_code device_show_run(const struct command_call *call)
{
    const struct api_options *options = call->options;
    json_t *device = NULL;
    enum exit_code code = request_device(call, "the device was not shown", "GET", "", &device);
    if (code == EXIT_OK) {
        code = options->json ? api_print_json(device) : print_device(device);
    }
    json_decref(device);
    return code;
}

enum exit_code device_forget_run(const struct command_call *call)
{
    const struct api_options *options = call->options;
    json_t *body = NULL;
    enum exit_code code = request_device(call, "the device was not forgotten", "POST", "/forget", &body);
    if (code == EXIT_OK && options->json) {
        code = api_print_json(body);
    } else if (code == EXIT_OK) {
        bool good = printf("%s: %s; its next report is taken\n", call->operands[0], api_text(body, "state")) > 0;
        code = good && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    json_decref(body);
    return code;
}
