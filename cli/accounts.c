/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/accounts.h"

#include <stdio.h>

#include "cli/grid.h"

#define RATES_TEXT_MAX 4096

const struct args_row accounts_rows[] = {API_ROWS, {0}};

/* One question, its answer as a table of the items of @p member. */
struct table {
    const char *path, *what, *member, *none;
    const struct grid_column *columns;
    void (*row)(struct grid *grid, const json_t *item);
};

static const char *wanted(const struct command_call *call)
{
    return call->operands_len > 0 ? call->operands[0] : NULL;
}

static enum err print_items(const struct command_call *call, const struct table *table, const json_t *items)
{
    struct grid grid;
    grid_init(&grid, table->columns, stdout, false);
    for (size_t i = 0; i < json_array_size(items); i++) {
        table->row(&grid, json_array_get(items, i));
    }
    enum err err = grid_flush(&grid);
    if (json_array_size(items) == 0 && wanted(call) == NULL && grid.aligned) {
        (void)fprintf(stderr, "%s\n", table->none); /* message only */
    }
    grid_deinit(&grid);
    return err;
}

static enum exit_code show(const struct command_call *call, const struct table *table)
{
    const struct api_options *options = call->options;
    struct api *api = NULL;
    struct strbuf path;
    json_t *body = NULL;
    enum exit_code code = api_open(call, options, table->what, &api);
    if (code != EXIT_OK) {
        return code;
    }
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, table->path); /* api_request looks at the sticky error */
    code = api_request(api, "GET", &path, API_TIMEOUT_MS, &body);
    strbuf_deinit(&path);
    if (code == EXIT_OK) {
        json_t *items = json_object_get(body, table->member);
        api_keep(items, "name", wanted(call));
        if (wanted(call) != NULL && json_array_size(items) == 0) {
            code = api_report(api, EXIT_ABSENT, "no-such-account", "no account of that name is configured",
                              "list what there is: muster provider accounts");
        } else if (options->json) {
            code = api_print_json(body);
        } else {
            code = print_items(call, table, items) == ERR_OK ? EXIT_OK : EXIT_FAILED;
        }
    }
    json_decref(body);
    api_close(api);
    return code;
}

/* ---- accounts ---- */

static const struct grid_column account_columns[] = {{.title = "ACCOUNT"},
                                                     {.title = "PROVIDER"},
                                                     {.title = "STATE", .state = true},
                                                     {.title = "REQUESTS", .right = true},
                                                     {.title = "ZONES"},
                                                     {.title = "ERROR"},
                                                     {.title = "DETAIL"},
                                                     {0}};

static void account_row(struct grid *grid, const json_t *account)
{
    grid_text(grid, api_text(account, "name"));
    grid_text(grid, api_text(account, "provider"));
    grid_text(grid, api_text(account, "state"));
    grid_u64(grid, api_u64(account, "requests"));
    grid_texts(grid, json_object_get(account, "zones"));
    grid_text(grid, api_text(account, "error"));
    grid_text(grid, api_text(account, "detail"));
}

enum exit_code accounts_list_run(const struct command_call *call)
{
    static const struct table table = {.path = "/v1/accounts",
                                       .what = "the accounts were not listed",
                                       .member = "accounts",
                                       .none = "No account is configured.",
                                       .columns = account_columns,
                                       .row = account_row};
    return show(call, &table);
}

/* ---- limits ---- */

static const struct grid_column limit_columns[] = {{.title = "ACCOUNT"},
                                                   {.title = "PROVIDER"},
                                                   {.title = "BATCH", .right = true},
                                                   {.title = "DEPTH", .right = true},
                                                   {.title = "AT ONCE", .right = true},
                                                   {.title = "TTL"},
                                                   {.title = "REFRESH"},
                                                   {.title = "WAIT", .right = true},
                                                   {.title = "RATES (LEFT)"},
                                                   {0}};

/* 60000 as "1m"; what is no whole unit stays in the smaller one. */
static void add_period(struct strbuf *text, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        char unit;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            (void)strbuf_addf(text, "%llu%c", (unsigned long long)(ms / units[i].ms), units[i].unit); /* sticky: cut */
            return;
        }
    }
    (void)strbuf_addf(text, "%llums", (unsigned long long)ms);
}

/* "calls 120/1m of account (118)" */
static void add_rate(struct strbuf *text, const json_t *rate)
{
    (void)strbuf_addf(text, "%s%s %llu/", text->len > 0 ? ", " : "", api_text(rate, "what"),
                      (unsigned long long)api_u64(rate, "units")); /* sticky: cut */
    add_period(text, api_u64(rate, "period_ms"));
    (void)strbuf_addf(text, " of %s", api_text(rate, "of"));
    if (json_is_integer(json_object_get(rate, "left"))) {
        (void)strbuf_addf(text, " (%llu)", (unsigned long long)api_u64(rate, "left"));
    }
}

static void ttl_text(const json_t *limits, struct strbuf *text)
{
    uint64_t min = api_u64(limits, "ttl_min"), max = api_u64(limits, "ttl_max");
    if (min == 0 && max == 0) {
        (void)strbuf_adds(text, "any"); /* short, here and below */
    } else if (min == max) {
        (void)strbuf_addf(text, "%llus", (unsigned long long)min);
    } else {
        (void)strbuf_addf(text, "%llus..", (unsigned long long)min);
        if (max != 0) {
            (void)strbuf_addf(text, "%llus", (unsigned long long)max);
        }
    }
}

static void limit_row(struct grid *grid, const json_t *account)
{
    const json_t *limits = json_object_get(account, "limits"), *rates = json_object_get(limits, "rates");
    struct strbuf text;
    strbuf_init(&text, RATES_TEXT_MAX);
    grid_text(grid, api_text(account, "name"));
    grid_text(grid, api_text(account, "provider"));
    grid_u64(grid, api_u64(limits, "batch_max"));
    grid_u64(grid, api_u64(limits, "depth_max"));
    grid_u64(grid, api_u64(limits, "account_max"));
    ttl_text(limits, &text);
    grid_text(grid, strbuf_str(&text));
    strbuf_clear(&text);
    if (api_u64(limits, "refresh_s") != 0) {
        add_period(&text, api_u64(limits, "refresh_s") * 1000);
    }
    grid_text(grid, strbuf_str(&text));
    grid_ms(grid, api_number(account, "wait_ms"));
    strbuf_clear(&text);
    for (size_t i = 0; i < json_array_size(rates); i++) {
        add_rate(&text, json_array_get(rates, i));
    }
    grid_text(grid, strbuf_str(&text));
    strbuf_deinit(&text);
}

enum exit_code accounts_limits_run(const struct command_call *call)
{
    static const struct table table = {.path = "/v1/accounts",
                                       .what = "the limits were not read",
                                       .member = "accounts",
                                       .none = "No account is configured.",
                                       .columns = limit_columns,
                                       .row = limit_row};
    return show(call, &table);
}

/* ---- stops ---- */

static const struct grid_column stop_columns[] = {{.title = "ACCOUNT"},
                                                  {.title = "NAME"},
                                                  {.title = "TYPE"},
                                                  {.title = "SINCE"},
                                                  {.title = "ERROR"},
                                                  {.title = "DETAIL"},
                                                  {0}};

static void stop_row(struct grid *grid, const json_t *stop)
{
    grid_text(grid, api_text(stop, "account"));
    grid_text(grid, api_text(stop, "name"));
    grid_text(grid, api_text(stop, "type"));
    grid_time(grid, api_text(stop, "since"));
    grid_text(grid, api_text(stop, "error"));
    grid_text(grid, api_text(stop, "detail"));
}

enum exit_code accounts_stops_run(const struct command_call *call)
{
    static const struct table table = {.path = "/v1/stops",
                                       .what = "the stops were not listed",
                                       .member = "stops",
                                       .none = "No service has stopped anything.",
                                       .columns = stop_columns,
                                       .row = stop_row};
    return show(call, &table);
}

enum exit_code accounts_resume_run(const struct command_call *call)
{
    const struct api_options *options = call->options;
    struct api *api = NULL;
    struct strbuf path;
    json_t *body = NULL;
    enum exit_code code = api_open(call, options, "nothing was resumed", &api);
    if (code != EXIT_OK) {
        return code;
    }
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/accounts/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, call->operands[0]);
    (void)strbuf_adds(&path, "/resume");
    api_add_query(&path, "name", call->operands_len > 1 ? call->operands[1] : NULL);
    code = api_request(api, "POST", &path, API_TIMEOUT_MS, &body);
    strbuf_deinit(&path);
    if (code == EXIT_OK && options->json) {
        code = api_print_json(body);
    } else if (code == EXIT_OK) {
        uint64_t lifted = api_u64(body, "lifted");
        bool good = printf("%s: %llu %s lifted\n", call->operands[0], (unsigned long long)lifted,
                           lifted == 1 ? "stop" : "stops") > 0;
        code = good && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    json_decref(body);
    api_close(api);
    return code;
}
