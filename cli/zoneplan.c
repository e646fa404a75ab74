/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/zoneplan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/grid.h"

#define PLAN_VERSION   1
#define PLAN_MAX       ((size_t)1 << 20)
#define PLAN_DEPTH_MAX 4
#define PLAN_MODE      0644
#define HOUR_MS        3600000u

const struct args_row zone_plan_rows[] = {
    API_ROWS,
    {"out", 'o', "FILE", ARGS_STRING, offsetof(struct zone_plan_options, out),
     .help = "File of the plan (default: standard output)"},
    {"valid", 0, "DURATION", ARGS_DURATION, offsetof(struct zone_plan_options, valid_ms), .min = 1000,
     .max = 7ull * 24 * HOUR_MS, .help = "How long the plan may be applied (default 1h, at most 7d)"},
    {0},
};
const struct zone_plan_options zone_plan_defaults = {.valid_ms = HOUR_MS};

const struct args_row zone_apply_rows[] = {
    API_ROWS,
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct zone_apply_options, dry_run),
     .help = "Say what would be done, and do nothing"},
    {"force", 0, NULL, ARGS_FLAG, offsetof(struct zone_apply_options, force),
     .help = "Apply even when more than 30 % of the zone would change, or all of it go"},
    {0},
};

/* What Muster leaves alone: shown in a plan, but no change. */
static bool is_left(const json_t *difference)
{
    const char *kind = api_text(difference, "kind");
    return strcmp(kind, "foreign") == 0 || strcmp(kind, "unknown") == 0;
}

/* @return owned; NULL without memory. */
static json_t *plan_of(const struct zone_plan_options *options, const json_t *body)
{
    json_t *changes = json_array(), *left = json_array();
    const json_t *differences = json_object_get(body, "differences");
    for (size_t i = 0; i < json_array_size(differences); i++) {
        json_t *difference = json_array_get(differences, i);
        (void)json_array_append(is_left(difference) ? left : changes, difference); /* counted below */
    }
    if (json_array_size(changes) + json_array_size(left) != json_array_size(differences)) {
        json_decref(changes);
        json_decref(left);
        return NULL;
    }
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:s, s:I, s:o, s:o}", "muster_plan",
        PLAN_VERSION, "zone", api_text(body, "name"), "store", api_text(body, "store"), "made", api_text(body, "time"),
        "made_ms", (json_int_t)api_u64(body, "time_ms"), "valid_s", (json_int_t)(options->valid_ms / 1000), "compared",
        "the zone as it was listed, with what the coordinator's devices want", "counts", "existing",
        (json_int_t)api_u64(body, "existing"), "missing", (json_int_t)api_u64(body, "missing"), "wrong",
        (json_int_t)api_u64(body, "wrong"), "deletions", (json_int_t)api_u64(body, "deletions"), "refreshed",
        (json_int_t)api_u64(body, "refreshed"), "foreign", (json_int_t)api_u64(body, "foreign"), "unknown",
        (json_int_t)api_u64(body, "unknown"), "guard", api_text(body, "reason"), "more",
        (json_int_t)api_u64(body, "more"), "changes", changes, "left", left);
}

static enum exit_code write_plan(struct api *api, const struct zone_plan_options *options, const json_t *plan)
{
    char *text = json_dumps(plan, JSON_INDENT(2));
    enum err err = text == NULL ? ERR_NOMEM : ERR_OK;
    if (err == ERR_OK && options->out == NULL) {
        err = puts(text) >= 0 && fflush(stdout) == 0 ? ERR_OK : ERR_IO;
    } else if (err == ERR_OK) {
        struct strbuf line;
        strbuf_init(&line, PLAN_MAX);
        err = strbuf_addf(&line, "%s\n", text);
        err = err == ERR_OK ? file_replace(options->out, strbuf_view(&line), PLAN_MODE) : err;
        strbuf_deinit(&line);
    }
    free(text);
    return err == ERR_OK ? EXIT_OK
                         : api_report(api, EXIT_FAILED, "output", err_text(err), "make room where the plan goes");
}

static void tell_plan(const json_t *plan)
{
    unsigned long long more = api_u64(plan, "more");
    const char *guard = api_text(plan, "guard");
    (void)fprintf(stderr, "%s: %zu changes, %zu records left alone%s\n", api_text(plan, "zone"),
                  json_array_size(json_object_get(plan, "changes")), json_array_size(json_object_get(plan, "left")),
                  guard[0] != '\0' ? "; the guard will want --force" : ""); /* message only, here and below */
    if (more > 0) {
        (void)fprintf(stderr, "%llu more differences are not in the plan: apply it, then plan again\n", more);
    }
}

static enum exit_code fetch(struct api *api, const char *zone, json_t **ret_body)
{
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/zones/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, zone);
    (void)strbuf_adds(&path, "/diff");
    enum exit_code code = api_request(api, "GET", &path, API_LONG_TIMEOUT_MS, ret_body);
    strbuf_deinit(&path);
    return code;
}

enum exit_code zone_plan_run(const struct command_call *call)
{
    const struct zone_plan_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    enum exit_code code = api_open(call, &options->api, "the zone was not compared", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = fetch(api, call->operands[0], &body);
    if (code == EXIT_OK) {
        json_t *plan = plan_of(options, body);
        code = plan != NULL ? write_plan(api, options, plan)
                            : api_report(api, EXIT_FAILED, "internal", err_text(ERR_NOMEM), "run the command again");
        if (code == EXIT_OK) {
            tell_plan(plan);
        }
        json_decref(plan);
    }
    json_decref(body);
    api_close(api);
    return code;
}

/* ---- apply ---- */

static const struct grid_column fate_columns[] = {{.title = "RESULT", .state = true},
                                                  {.title = "KIND"},
                                                  {.title = "NAME"},
                                                  {.title = "TYPE"},
                                                  {.title = "IN ZONE"},
                                                  {.title = "WANTED"},
                                                  {0}};

static enum err print_fates(const json_t *body)
{
    struct grid grid;
    const json_t *changes = json_object_get(body, "changes");
    grid_init(&grid, fate_columns, stdout, false);
    grid.edge = 0;
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        grid_text(&grid, api_text(change, "result"));
        grid_text(&grid, api_text(change, "kind"));
        grid_text(&grid, api_text(change, "name"));
        grid_text(&grid, api_text(change, "type"));
        grid_texts(&grid, json_object_get(change, "zone"));
        grid_texts(&grid, json_object_get(change, "want"));
    }
    enum err err = grid_flush(&grid);
    grid_deinit(&grid);
    return err;
}

/* What needs no change any more is done: a plan may be applied again, and is then as good as the first time. */
static size_t count_settled(const json_t *body)
{
    const json_t *changes = json_object_get(body, "changes");
    size_t settled = 0;
    for (size_t i = 0; i < json_array_size(changes); i++) {
        settled += strcmp(api_text(json_array_get(changes, i), "result"), "settled") == 0;
    }
    return settled;
}

/* What a script is told: all of the plan was done, some of it was left, or the guard held it. */
static enum exit_code judge(struct api *api, const struct zone_apply_options *options, const json_t *body)
{
    size_t len = json_array_size(json_object_get(body, "changes"));
    uint64_t applied = api_u64(body, "applied");
    if (api_bool(body, "stopped")) {
        bool all = strcmp(api_text(body, "reason"), "all-deleted") == 0;
        return api_report(api, EXIT_CONFLICT, "apply-stopped",
                          all ? "all of Muster's records in the zone would be deleted"
                              : "more than 30 % of the zone's records would be updated or deleted",
                          "nothing was done; when the plan is right: --force");
    }
    size_t settled = count_settled(body);
    (void)fprintf(stderr, "%s: %llu of %zu changes %s, %zu needed no more\n", api_text(body, "name"),
                  (unsigned long long)applied, len, options->dry_run ? "would be made" : "handed to the zone's writer",
                  settled); /* message only */
    if (applied + settled < len) {
        (void)fprintf(stderr,
                      "%s: the others were left, as their lines say; what there is to do now: muster zone "
                      "plan %s -o FILE\n",
                      api_text(body, "name"), api_text(body, "name")); /* the same */
    }
    return applied + settled == len ? EXIT_OK : EXIT_PARTLY;
}

/* The file's text and its zone. */
static enum exit_code read_plan(struct api *api, const char *path, char **ret_text, json_t **ret_plan)
{
    size_t len = 0;
    struct errinfo info = {0};
    enum err err = file_read(path, PLAN_MAX, ret_text, &len);
    if (err != ERR_OK) {
        return api_report(api, exit_code_of(err), "no-plan", err_text(err), "muster zone plan ZONE -o FILE makes one");
    }
    err = json_parse(view_n(*ret_text, len), PLAN_MAX, PLAN_DEPTH_MAX, ret_plan, &info);
    if (err != ERR_OK || api_text(*ret_plan, "zone")[0] == '\0') {
        return api_report(api, EXIT_USAGE, "bad-plan", err != ERR_OK ? info.text : "it names no zone",
                          "muster zone plan ZONE -o FILE makes one");
    }
    return EXIT_OK;
}

static enum exit_code send(struct api *api, const struct zone_apply_options *options, const char *zone,
                           const char *text, json_t **ret_body)
{
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/zones/"); /* api_send looks at the sticky error */
    api_add_encoded(&path, zone);
    (void)strbuf_adds(&path, "/apply");
    api_add_query(&path, "force", options->force ? "1" : NULL);
    api_add_query(&path, "dry_run", options->dry_run ? "1" : NULL);
    enum exit_code code = api_send(api, "POST", &path, view_of(text), API_LONG_TIMEOUT_MS, ret_body);
    strbuf_deinit(&path);
    return code;
}

enum exit_code zone_apply_run(const struct command_call *call)
{
    const struct zone_apply_options *options = call->options;
    struct api *api = NULL;
    char *text = NULL;
    json_t *plan = NULL, *body = NULL;
    enum exit_code code = api_open(call, &options->api, "the plan was not applied", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = read_plan(api, call->operands[0], &text, &plan);
    code = code == EXIT_OK ? send(api, options, api_text(plan, "zone"), text, &body) : code;
    if (code == EXIT_OK) {
        bool good = options->api.json ? api_print_json(body) == EXIT_OK : print_fates(body) == ERR_OK;
        code = good ? judge(api, options, body) : EXIT_FAILED;
    }
    json_decref(body);
    json_decref(plan);
    free(text);
    api_close(api);
    return code;
}
