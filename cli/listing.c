/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <stdlib.h>
#include <string.h>

#define REAL_DIGITS 12
#define CURSOR_MAX  600 /* zone, name and type of a record */

struct run {
    const struct listing_options *options;
    const struct listing *listing;
    struct api *api; /* owned */
    struct grid grid;
    uint64_t taken;
    char cursor[CURSOR_MAX]; /* "" = the first page */
    bool more;
    bool opened; /* the object of --json: not before the first answer, so a refusal leaves stdout empty */
};

static enum err print_item(struct run *run, const json_t *item)
{
    bool broken = false;
    if (!run->options->api.json && !run->options->ndjson) {
        run->listing->row(&run->grid, item);
        return ERR_OK;
    }
    if (run->options->api.json) {
        broken = fputs(run->taken > 0 ? ",\n" : "\n", stdout) < 0;
    }
    broken = broken || json_dumpf(item, stdout, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) != 0;
    if (run->options->ndjson) {
        broken = broken || putchar('\n') == EOF;
    }
    return broken ? ERR_IO : ERR_OK;
}

/* `next` of an answer is a number or a text; it goes back as it came. */
static enum err keep_cursor(struct run *run, const json_t *next)
{
    run->more = next != NULL;
    if (json_is_integer(next)) {
        int n = snprintf(run->cursor, sizeof(run->cursor), "%" JSON_INTEGER_FORMAT, json_integer_value(next));
        return n > 0 ? ERR_OK : ERR_PARSE;
    }
    return next == NULL ? ERR_OK : view_copy(view_of(json_string_value(next)), run->cursor, sizeof(run->cursor));
}

static bool is_full(const struct run *run)
{
    return run->options->limit != 0 && run->taken >= run->options->limit;
}

static enum err print_page(struct run *run, const json_t *body)
{
    enum err err = ERR_OK;
    if (run->options->api.json && !run->opened) {
        err = printf("{\"%s\":[", run->listing->member) > 0 ? ERR_OK : ERR_IO;
        run->opened = true;
    }
    const json_t *items = json_object_get(body, run->listing->member);
    for (size_t i = 0; i < json_array_size(items) && err == ERR_OK && !is_full(run); i++) {
        err = print_item(run, json_array_get(items, i));
        run->taken++;
    }
    if (err == ERR_OK) {
        err = grid_flush(&run->grid);
    }
    return err == ERR_OK ? keep_cursor(run, json_object_get(body, "next")) : err;
}

static enum exit_code fetch_page(struct run *run, const struct strbuf *base)
{
    uint64_t limit = LISTING_PAGE_MAX;
    if (run->options->limit != 0) {
        limit = MIN(limit, run->options->limit - run->taken);
    }
    char number[24];
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)limit); /* fits */
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_add(&path, strbuf_view(base)); /* sticky: api_request looks at it */
    api_add_query(&path, "limit", number);
    api_add_query(&path, "after", run->cursor[0] != '\0' ? run->cursor : NULL);
    json_t *body = NULL;
    enum exit_code code = api_request(run->api, "GET", &path, API_TIMEOUT_MS, &body);
    strbuf_deinit(&path);
    if (code == EXIT_OK) {
        enum err err = print_page(run, body);
        json_decref(body);
        if (err != ERR_OK) {
            code = api_report(run->api, EXIT_FAILED, "output", err_text(err), "make room where the output goes");
        }
    }
    return code;
}

static enum exit_code fetch_all(struct run *run, const struct strbuf *base)
{
    enum exit_code code;
    do {
        code = fetch_page(run, base);
    } while (code == EXIT_OK && run->more && !is_full(run));
    if (code == EXIT_OK && run->options->api.json) {
        code = puts("\n]}") >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    return code;
}

enum exit_code listing_run(const struct command_call *call, const struct listing_options *options,
                           const struct listing *listing, const struct strbuf *path)
{
    struct run run = {.options = options, .listing = listing};
    if (options->api.json && options->ndjson) {
        return command_misuse(call, "give either --json or --ndjson");
    }
    enum exit_code code = api_open(call, &options->api, listing->what, &run.api);
    if (code != EXIT_OK) {
        return code;
    }
    grid_init(&run.grid, listing->columns, stdout, false);
    code = strbuf_error(path) == ERR_OK ? fetch_all(&run, path)
                                        : api_report(run.api, EXIT_USAGE, "bad-request", "the filters are too long",
                                                     "shorten the names and filters");
    if (code == EXIT_OK && run.taken == 0 && run.grid.aligned && !options->api.json && !options->ndjson) {
        (void)fprintf(stderr, "%s\n", listing->none); /* message only */
    }
    grid_deinit(&run.grid);
    api_close(run.api);
    return code;
}
