/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/zones.h"

#include <stdio.h>
#include <string.h>

const struct args_row zone_list_rows[] = {LISTING_ROWS, {0}};
const struct args_row zone_rows[] = {API_ROWS, {0}};
const struct args_row zone_sweep_rows[] = {
    API_ROWS,
    {"force", 0, NULL, ARGS_FLAG, offsetof(struct zone_sweep_options, force),
     .help = "Repair even when more than 30 % of the zone would change, or all of it go"},
    {0},
};

const struct grid_column zone_columns[] = {
    {.title = "ZONE"},
    {.title = "STATE", .state = true},
    {.title = "MODE"},
    {.title = "EPOCH", .right = true},
    {.title = "BATCH", .right = true},
    {.title = "DEPTH", .right = true},
    {.title = "WAITING", .right = true},
    {.title = "CHANGES", .right = true},
    {.title = "FAILURES", .right = true},
    {.title = "SERVICE", .right = true},
    {.title = "SWEPT"},
    {.title = "LAST ERROR"},
    {0},
};

void zone_row(struct grid *grid, const json_t *zone)
{
    grid_text(grid, api_text(zone, "zone"));
    grid_text(grid, api_text(zone, "state"));
    grid_text(grid, api_text(zone, "mode"));
    grid_u64(grid, api_u64(zone, "epoch"));
    grid_u64(grid, api_u64(zone, "batch_size"));
    grid_u64(grid, api_u64(zone, "depth"));
    grid_u64(grid, api_u64(zone, "waiting") + api_u64(zone, "in_flight"));
    grid_u64(grid, api_u64(zone, "changes"));
    grid_u64(grid, api_u64(zone, "failures"));
    grid_ms(grid, api_number(zone, "service_ms"));
    grid_time(grid, api_text(zone, "swept"));
    grid_text(grid, api_bool(zone, "sweep_stopped") ? "sweep stopped by its guard" : api_text(zone, "last_error"));
}

enum exit_code zone_list_run(const struct command_call *call)
{
    static const struct listing listing = {.what = "the zones were not listed",
                                           .member = "zones",
                                           .none = "No zone is configured.",
                                           .columns = zone_columns,
                                           .row = zone_row};
    const struct listing_options *options = call->options;
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/zones"); /* listing_run looks at the sticky error */
    enum exit_code code = listing_run(call, options, &listing, &path);
    strbuf_deinit(&path);
    return code;
}

/* ---- one zone ---- */

static enum exit_code request(struct api *api, const char *method, const char *zone, const char *verb,
                              uint64_t timeout_ms, json_t **ret_body)
{
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/zones/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, zone);
    (void)strbuf_adds(&path, verb);
    enum exit_code code = api_request(api, method, &path, timeout_ms, ret_body);
    strbuf_deinit(&path);
    return code;
}

static const struct grid_column difference_columns[] = {{.title = "KIND", .state = true},
                                                        {.title = "NAME"},
                                                        {.title = "TYPE"},
                                                        {.title = "IN ZONE"},
                                                        {.title = "WANTED"},
                                                        {0}};

static enum err print_differences(const json_t *body)
{
    struct grid grid;
    grid_init(&grid, difference_columns, stdout, false);
    grid.edge = 0;
    const json_t *differences = json_object_get(body, "differences");
    for (size_t i = 0; i < json_array_size(differences); i++) {
        const json_t *difference = json_array_get(differences, i);
        grid_text(&grid, api_text(difference, "kind"));
        grid_text(&grid, api_text(difference, "name"));
        grid_text(&grid, api_text(difference, "type"));
        grid_texts(&grid, json_object_get(difference, "zone"));
        grid_texts(&grid, json_object_get(difference, "want"));
    }
    enum err err = grid_flush(&grid);
    grid_deinit(&grid);
    return err;
}

/** What a sweep would change or may not touch; a record that is not Muster's is no difference, a refresh neither. */
static uint64_t differences(const json_t *body)
{
    return api_u64(body, "missing") + api_u64(body, "wrong") + api_u64(body, "deletions") + api_u64(body, "foreign");
}

static void print_counts(const char *zone, const json_t *body)
{
    (void)fprintf(stderr,
                  "%s: %llu records; missing %llu, wrong %llu, to delete %llu, foreign %llu, not ours %llu, "
                  "refreshed %llu\n",
                  zone, (unsigned long long)api_u64(body, "existing"), (unsigned long long)api_u64(body, "missing"),
                  (unsigned long long)api_u64(body, "wrong"), (unsigned long long)api_u64(body, "deletions"),
                  (unsigned long long)api_u64(body, "foreign"), (unsigned long long)api_u64(body, "unknown"),
                  (unsigned long long)api_u64(body, "refreshed")); /* message only */
}

/** The report of a comparison: differences on stdout, the counts on stderr. */
static enum exit_code print_result(const struct api_options *options, const char *zone, const json_t *body)
{
    if (options->json) {
        return api_print_json(body);
    }
    enum err err = print_differences(body);
    print_counts(zone, body);
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

enum exit_code zone_diff_run(const struct command_call *call)
{
    const struct api_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    enum exit_code code = api_open(call, options, "the zone was not compared", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = request(api, "GET", call->operands[0], "/diff", API_LONG_TIMEOUT_MS, &body);
    if (code == EXIT_OK) {
        code = print_result(options, call->operands[0], body);
    }
    if (code == EXIT_OK && differences(body) > 0) {
        code = EXIT_DIFFERS;
    }
    json_decref(body);
    api_close(api);
    return code;
}

static enum exit_code report_stopped(const struct api *api, const char *zone, const json_t *body)
{
    bool all = strcmp(api_text(body, "reason"), "all-deleted") == 0;
    struct strbuf hint;
    strbuf_init(&hint, API_PATH_MAX);
    (void)strbuf_addf(&hint, "look at it: muster zone diff %s; if it is right: muster zone sweep %s --force", zone,
                      zone); /* a hint that was cut is still one */
    enum exit_code code = api_report(api, EXIT_CONFLICT, "sweep-stopped",
                                     all ? "all of Muster's records in the zone would be deleted"
                                         : "more than 30 % of the zone's records would be updated or deleted",
                                     strbuf_str(&hint));
    strbuf_deinit(&hint);
    return code;
}

enum exit_code zone_sweep_run(const struct command_call *call)
{
    const struct zone_sweep_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    enum exit_code code = api_open(call, &options->api, "the zone was not repaired", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = request(api, "POST", call->operands[0], options->force ? "/sweep?force=1" : "/sweep", API_LONG_TIMEOUT_MS,
                   &body);
    if (code == EXIT_OK) {
        code = print_result(&options->api, call->operands[0], body);
    }
    if (code == EXIT_OK && api_bool(body, "stopped")) {
        code = report_stopped(api, call->operands[0], body);
    }
    json_decref(body);
    api_close(api);
    return code;
}

enum exit_code zone_resume_run(const struct command_call *call)
{
    const struct api_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    enum exit_code code = api_open(call, options, "the zone's writer was not resumed", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = request(api, "POST", call->operands[0], "/resume", API_TIMEOUT_MS, &body);
    if (code == EXIT_OK && options->json) {
        code = api_print_json(body);
    } else if (code == EXIT_OK) {
        bool good = printf("%s: %s; see muster zone list\n", call->operands[0], api_text(body, "state")) > 0;
        code = good && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    json_decref(body);
    api_close(api);
    return code;
}
