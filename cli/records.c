/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"A", "AAAA", NULL};

#define TYPE_ROW(type_struct)                                                                                          \
    {                                                                                                                  \
        "type", 0, NULL, ARGS_ENUM, offsetof(struct type_struct, type),                                                \
            .choices = types, .help = "Only this type (default: each that the name has)"                               \
    }

const struct args_row record_list_rows[] = {
    LISTING_ROWS,
    {"zone", 'z', "ZONE", ARGS_STRING, offsetof(struct record_list_options, zone), .help = "Only records of this zone"},
    {"device", 'd', "ID", ARGS_STRING, offsetof(struct record_list_options, device),
     .help = "Only records of this device"},
    {"pending", 0, NULL, ARGS_FLAG, offsetof(struct record_list_options, pending),
     .help = "Only records whose wanted value is not in the DNS yet"},
    {0},
};

const struct args_row record_show_rows[] = {API_ROWS, TYPE_ROW(record_show_options), {0}};
const struct record_show_options record_show_defaults = {.type = -1};

const struct args_row record_write_rows[] = {
    API_ROWS,
    TYPE_ROW(record_write_options),
    {"wait", 'w', "DURATION", ARGS_DURATION, offsetof(struct record_write_options, wait_ms),
     .help = "How long to wait for the outcome (default 10s; 0s: not at all)"},
    {0},
};
const struct record_write_options record_write_defaults = {.type = -1, .wait_ms = 10000};

static const struct grid_column columns[] = {
    {.title = "NAME"},    {.title = "TYPE"},    {.title = "STATE", .state = true},
    {.title = "WANTED"},  {.title = "WRITTEN"}, {.title = "DEVICE"},
    {.title = "CHANGED"}, {.title = "ERROR"},   {0},
};

/* A record's life in one word: "served", or why not. */
static const char *state_of(const json_t *record)
{
    bool error = api_text(record, "error")[0] != '\0';
    if (!api_bool(record, "pending")) {
        return error ? "refused" : "served";
    }
    return api_bool(record, "tombstone") ? "delete" : error ? "refused" : "pending";
}

/* Its own error; of one that waits, what keeps its zone from being written. */
static const char *error_of(const json_t *record)
{
    const char *own = api_text(record, "error");
    return own[0] != '\0' ? own : api_text(record, "zone_error");
}

static void record_row(struct grid *grid, const json_t *record)
{
    grid_text(grid, api_text(record, "name"));
    grid_text(grid, api_text(record, "type"));
    grid_text(grid, state_of(record));
    grid_texts(grid, json_object_get(record, "want"));
    grid_texts(grid, json_object_get(record, "have"));
    grid_text(grid, api_text(record, "device"));
    grid_time(grid, api_text(record, "changed"));
    grid_text(grid, error_of(record));
}

enum exit_code record_list_run(const struct command_call *call)
{
    static const struct listing listing = {.what = "the records were not listed",
                                           .member = "records",
                                           .none = "No record fits.",
                                           .columns = columns,
                                           .row = record_row};
    const struct record_list_options *options = call->options;
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/records"); /* listing_run looks at the sticky error, of what follows too */
    api_add_query(&path, "zone", options->zone);
    api_add_query(&path, "device", options->device);
    api_add_query(&path, "pending", options->pending ? "1" : NULL);
    enum exit_code code = listing_run(call, &options->listing, &listing, &path);
    strbuf_deinit(&path);
    return code;
}

/* ---- one name ---- */

enum exit_code record_fetch(struct api *api, const struct command_call *call, int type, json_t **ret_body)
{
    struct strbuf path;
    json_t *body = NULL;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/records"); /* api_request looks at the sticky error */
    api_add_query(&path, "name", call->operands[0]);
    enum exit_code code = api_request(api, "GET", &path, API_TIMEOUT_MS, &body);
    strbuf_deinit(&path);
    api_keep(json_object_get(body, "records"), "type", type >= 0 ? types[type] : NULL);
    *ret_body = body;
    return code;
}

enum exit_code record_find(struct api *api, const struct command_call *call, int type, json_t **ret_body)
{
    enum exit_code code = record_fetch(api, call, type, ret_body);
    if (code == EXIT_OK && json_array_size(json_object_get(*ret_body, "records")) == 0) {
        code = api_report(api, EXIT_ABSENT, "no-such-record", "Muster holds no record of this name and type",
                          "list the names there are: muster record list");
    }
    return code;
}

static const struct grid_column facts_columns[] = {{.title = ""}, {.title = "", .state = true}, {0}};

static void add_facts(struct grid *grid, const json_t *record)
{
    static const char *const texts[][2] = {{"zone", "zone"}, {"device", "device"}};
    static const char *const numbers[][2] = {{"TTL", "ttl"}, {"attempts", "attempts"}};
    static const char *const times[][2] = {{"changed", "changed"}, {"written", "applied"}};
    grid_text(grid, api_text(record, "name"));
    grid_text(grid, api_text(record, "type"));
    grid_text(grid, "state");
    grid_text(grid, state_of(record));
    grid_text(grid, "wanted");
    grid_texts(grid, json_object_get(record, "want"));
    grid_text(grid, "written value");
    grid_texts(grid, json_object_get(record, "have"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        grid_text(grid, texts[i][0]);
        grid_text(grid, api_text(record, texts[i][1]));
    }
    grid_text(grid, "error");
    grid_text(grid, error_of(record));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        grid_text(grid, numbers[i][0]);
        grid_u64(grid, api_u64(record, numbers[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        grid_text(grid, times[i][0]);
        grid_time(grid, api_text(record, times[i][1]));
    }
}

static enum exit_code print_records(const json_t *records)
{
    struct grid grid;
    grid_init(&grid, facts_columns, stdout, true);
    grid.headed = true; /* the first row says it */
    grid.edge = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; i < json_array_size(records) && err == ERR_OK; i++) {
        add_facts(&grid, json_array_get(records, i));
        err = i == 0 || putchar('\n') != EOF ? grid_flush(&grid) : ERR_IO;
    }
    grid_deinit(&grid);
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

enum exit_code record_show_run(const struct command_call *call)
{
    const struct record_show_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    enum exit_code code = api_open(call, &options->api, "the record was not shown", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = record_find(api, call, options->type, &body);
    if (code == EXIT_OK && options->api.json) {
        code = api_print_json(body);
    } else if (code == EXIT_OK) {
        code = print_records(json_object_get(body, "records"));
    }
    json_decref(body);
    api_close(api);
    return code;
}
