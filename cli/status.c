/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/age.h"
#include "cli/zones.h"

#define TROUBLES_MAX 65536 /* a thousand zones in trouble */
#define LINE_SIZE    256

const struct args_row status_rows[] = {
    API_ROWS,
    {"check", 0, NULL, ARGS_FLAG, offsetof(struct status_options, check),
     .help = "Print one line; exit with 0 when names follow addresses, with 1 when not"},
    {0},
};

static void PRINTF_LIKE(2, 3) trouble(struct strbuf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)strbuf_adds(out, out->len > 0 ? "; " : ""); /* what does not fit is left out: there is trouble anyway */
    (void)strbuf_addv(out, format, args);
    va_end(args);
}

void status_troubles(const json_t *status, struct strbuf *out)
{
    const char *state = api_text(status, "state");
    if (strcmp(state, "loading") == 0) {
        trouble(out, "coordinator is loading");
    }
    if (!api_bool(status, "broker_connected")) {
        trouble(out, "broker is not connected");
    }
    if (strcmp(api_text(status, "store"), "ok") != 0) {
        trouble(out, "store fails: %s", api_text(status, "store"));
    }
    const json_t *zones = json_object_get(status, "zones");
    for (size_t i = 0; i < json_array_size(zones); i++) {
        const json_t *zone = json_array_get(zones, i);
        const char *error = api_text(zone, "last_error");
        if (strcmp(api_text(zone, "state"), "running") != 0) {
            trouble(out, "zone %s is %s%s%s", api_text(zone, "zone"), api_text(zone, "state"),
                    error[0] != '\0' ? ": " : "", error);
        } else if (api_bool(zone, "sweep_stopped")) {
            trouble(out, "zone %s: sweep stopped by its guard", api_text(zone, "zone"));
        }
    }
}

static enum exit_code check(const json_t *status)
{
    struct strbuf out;
    strbuf_init(&out, TROUBLES_MAX);
    status_troubles(status, &out);
    bool good = out.len == 0;
    char devices[AGE_TEXT_SIZE];
    char open[AGE_TEXT_SIZE];
    int n = good ? printf("ok: %s devices online, %s records open\n",
                          age_count(api_u64(json_object_get(status, "devices"), "online"), devices),
                          age_count(api_u64(json_object_get(status, "records"), "open"), open))
                 : printf("FAIL: %s\n", strbuf_str(&out));
    strbuf_deinit(&out);
    return good && n > 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- the screen ---- */

static const struct grid_column columns[] = {{.title = ""}, {.title = "", .state = true}, {.title = ""}, {0}};

static void add_heads(struct grid *grid, const json_t *status)
{
    char line[LINE_SIZE];
    char span[AGE_TEXT_SIZE];
    char entries[AGE_TEXT_SIZE];
    (void)snprintf(line, sizeof(line), "version %s, up %s, term %s", api_text(status, "version"),
                   age_span(api_u64(status, "uptime_ms"), span), api_text(status, "term")); /* cut at worst */
    grid_text(grid, "coordinator");
    grid_text(grid, api_text(status, "state"));
    grid_text(grid, line);
    grid_text(grid, "broker");
    grid_text(grid, api_bool(status, "broker_connected") ? "connected" : "disconnected");
    (void)snprintf(line, sizeof(line), "%s states taken, %s unchanged",
                   age_count(api_u64(json_object_get(status, "states"), "taken"), span),
                   age_count(api_u64(json_object_get(status, "states"), "same"), entries)); /* fits */
    grid_text(grid, line);
    grid_text(grid, "store");
    grid_text(grid, api_text(status, "store"));
    (void)snprintf(line, sizeof(line), "%s registry entries",
                   age_count(api_u64(status, "registry_entries"), entries)); /* fits */
    grid_text(grid, line);
}

/* "online 9,998, late 2": the words of @p keys that are not 0, or "none". */
static void add_counts(const json_t *counts, const char *const *keys, char line[static LINE_SIZE])
{
    struct strbuf out;
    char number[AGE_TEXT_SIZE];
    strbuf_init(&out, LINE_SIZE - 1);
    for (size_t i = 0; keys[i] != NULL; i++) {
        uint64_t count = api_u64(counts, keys[i]);
        if (count > 0) {
            (void)strbuf_addf(&out, "%s%s %s", out.len > 0 ? ", " : "", keys[i], age_count(count, number)); /* fits */
        }
    }
    (void)snprintf(line, LINE_SIZE, "%s", out.len > 0 ? strbuf_str(&out) : "none"); /* fits, see the cap */
    strbuf_deinit(&out);
}

/* Only where there is something to say: the ledger where owners are required, clones where one is suspected. */
static void add_owners(struct grid *grid, const json_t *status)
{
    static const char *const states[] = {"made",           "issued",  "active",   "suspended",
                                         "cloned-suspect", "revoked", "scrapped", NULL};
    const json_t *ledger = json_object_get(status, "ledger");
    char line[LINE_SIZE];
    char number[AGE_TEXT_SIZE];
    if (ledger != NULL) {
        (void)snprintf(line, sizeof(line), "%s owned", age_count(api_u64(ledger, "owned"), number)); /* fits */
        grid_text(grid, "ledger");
        grid_text(grid, !api_bool(ledger, "complete") ? "unknown" : api_bool(ledger, "late") ? "late" : line);
        add_counts(ledger, states, line);
        grid_text(grid, line);
    }
    if (api_u64(status, "suspects") > 0) {
        (void)snprintf(line, sizeof(line), "%s suspected", age_count(api_u64(status, "suspects"), number)); /* fits */
        grid_text(grid, "clones");
        grid_text(grid, line);
        grid_text(grid, "muster device list --problem cloned-suspect");
    }
}

static void add_fleet(struct grid *grid, const json_t *status)
{
    static const char *const presences[] = {"online", "late", "lost", "off", "registered", NULL};
    static const char *const open[] = {"refused", "held", "changes", "applied", NULL};
    const json_t *devices = json_object_get(status, "devices");
    const json_t *records = json_object_get(status, "records");
    char line[LINE_SIZE];
    char number[AGE_TEXT_SIZE];
    (void)snprintf(line, sizeof(line), "%s known", age_count(api_u64(devices, "known"), number)); /* fits */
    grid_text(grid, "devices");
    grid_text(grid, line);
    add_counts(devices, presences, line);
    grid_text(grid, line);
    (void)snprintf(line, sizeof(line), "%s open", age_count(api_u64(records, "open"), number)); /* fits */
    grid_text(grid, "records");
    grid_text(grid, line);
    add_counts(records, open, line);
    grid_text(grid, line);
    add_owners(grid, status);
    grid_text(grid, "change");
    (void)snprintf(line, sizeof(line), "p50 %.1f ms", api_number(status, "change_p50_ms")); /* fits */
    grid_text(grid, line);
    (void)snprintf(line, sizeof(line), "p99 %.1f ms, from report to answer",
                   api_number(status, "change_p99_ms")); /* fits */
    grid_text(grid, line);
}

static enum err print_zones(const json_t *zones)
{
    struct grid grid;
    grid_init(&grid, zone_columns, stdout, true);
    for (size_t i = 0; i < json_array_size(zones); i++) {
        zone_row(&grid, json_array_get(zones, i));
    }
    enum err err = putchar('\n') != EOF ? grid_flush(&grid) : ERR_IO;
    grid_deinit(&grid);
    return err;
}

/** What to look at next, for what is out of order but no trouble. */
static enum err print_hints(const json_t *status)
{
    const json_t *devices = json_object_get(status, "devices");
    bool refused = api_u64(json_object_get(status, "records"), "refused") > 0;
    bool strangers = api_u64(devices, "known") > api_u64(devices, "registered");
    int n = 0;
    if (refused) {
        n = printf("\nrefused records:      muster record list --pending\n");
    }
    if (strangers && n >= 0) {
        n = printf("%sunregistered devices: muster device list --problem unregistered\n", refused ? "" : "\n");
    }
    return n >= 0 && fflush(stdout) == 0 ? ERR_OK : ERR_IO;
}

static enum exit_code print_status(const json_t *status)
{
    struct grid grid;
    grid_init(&grid, columns, stdout, true);
    grid.headed = true; /* the first column says it */
    add_heads(&grid, status);
    add_fleet(&grid, status);
    enum err err = grid_flush(&grid);
    grid_deinit(&grid);
    if (err == ERR_OK) {
        err = print_zones(json_object_get(status, "zones"));
    }
    if (err == ERR_OK) {
        err = print_hints(status);
    }
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

enum exit_code status_run(const struct command_call *call)
{
    const struct status_options *options = call->options;
    struct api *api = NULL;
    json_t *status = NULL;
    struct strbuf path;
    enum exit_code code = api_open(call, &options->api, "the coordinator does not say how it is", &api);
    if (code != EXIT_OK) {
        return code;
    }
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/status"); /* api_request looks at the sticky error */
    code = api_request(api, "GET", &path, API_TIMEOUT_MS, &status);
    strbuf_deinit(&path);
    if (code != EXIT_OK && options->check) {
        code = EXIT_FAILED;                                  /* a monitor knows 0 and 1 */
        (void)puts("FAIL: the coordinator does not answer"); /* the report stands on stderr, and the code counts */
    } else if (code == EXIT_OK && options->check) {
        code = check(status);
    } else if (code == EXIT_OK) {
        code = options->api.json ? api_print_json(status) : print_status(status);
    }
    json_decref(status);
    api_close(api);
    return code;
}
