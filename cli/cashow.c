/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cashow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/api.h"
#include "cli/grid.h"
#include "provisioning/ca.h"
#include "provisioning/ceremony.h"

#define DAY_S         86400
#define CA_SOON_S     ((int64_t)180 * DAY_S) /* a rotation takes as long as the slowest device stays away */
#define LIST_SOON_S   ((int64_t)3 * DAY_S)   /* lists are made daily for seven days: four days of failures */
#define SHORT_KEY_ID  4
#define LOG_TEXT_SIZE (2 * SHA256_SIZE + 1)

const struct args_row ca_show_rows[] = {
    CA_ROW_DIR(struct ca_show_options),
    CA_ROW_JSON(struct ca_show_options),
    {0},
};

static const struct grid_column columns[] = {{.title = "WHAT"},    {.title = "STATE", .state = true},
                                             {.title = "KEY"},     {.title = "KEY-ID"},
                                             {.title = "EXPIRES"}, {.title = "REVOKED", .right = true},
                                             {.title = "LIST"},    {.title = "LIST-ENDS"},
                                             {.title = "NAME"},    {0}};

struct showing {
    struct ca_session session;
    struct grid grid;
    json_t *items;
    size_t care; /* items that need it */
};

/** A word for scripts and people. */
static const char *state_of(const struct ca_item *item, int64_t now_s)
{
    if (item->is_ca && item->not_after_s < now_s) {
        return "expired";
    }
    if (item->list_next_s != 0 && item->list_next_s < now_s) {
        return "list-expired";
    }
    if (item->list_next_s != 0 && item->list_next_s < now_s + LIST_SOON_S) {
        return "list-old";
    }
    if (item->revoked > 0 && item->list_next_s == 0) {
        return "list-missing";
    }
    if (item->key == CA_KEY_UNREADABLE) {
        return "key-unreadable";
    }
    return item->is_ca && item->not_after_s < now_s + CA_SOON_S ? "expires-soon" : "ok";
}

static void format_time(int64_t wall_s, char text[static CLOCK_RFC3339_SIZE])
{
    text[0] = '\0';
    if (wall_s != 0) {
        clock_rfc3339(wall_s * 1000, text);
    }
}

static enum err add_json(struct showing *showing, const struct ca_item *item, const char *state)
{
    char sha256[2 * SHA256_SIZE + 1];
    char key_id[2 * CERT_KEY_ID_SIZE + 1];
    char expires[CLOCK_RFC3339_SIZE];
    char made[CLOCK_RFC3339_SIZE];
    char ends[CLOCK_RFC3339_SIZE];
    crypto_hex(item->sha256, sizeof(item->sha256), sha256);
    crypto_hex(item->key_id, sizeof(item->key_id), key_id);
    format_time(item->not_after_s, expires);
    format_time(item->list_this_s, made);
    format_time(item->list_next_s, ends);
    json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "what", item->base, "state", state, "key",
                            ca_key_place_name(item->key), "sha256", sha256);
    if (one != NULL && item->is_ca) {
        json_t *more = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "name", item->name, "key_id", key_id, "expires",
                                 expires, "revoked", (json_int_t)item->revoked, "list_made", made, "list_ends", ends);
        (void)json_object_update(one, more); /* a lack shows below: the array has no such member then */
        json_decref(more);
    }
    return json_array_append_new(showing->items, one) == 0 ? ERR_OK : ERR_NOMEM;
}

static void add_row(struct showing *showing, const struct ca_item *item, const char *state)
{
    struct grid *grid = &showing->grid;
    char key_id[2 * SHORT_KEY_ID + 1];
    char time[CLOCK_RFC3339_SIZE];
    crypto_hex(item->is_ca ? item->key_id : item->sha256, SHORT_KEY_ID, key_id);
    grid_text(grid, item->base);
    grid_text(grid, state);
    grid_text(grid, ca_key_place_name(item->key));
    grid_text(grid, key_id);
    format_time(item->not_after_s, time);
    grid_text(grid, time);
    grid_u64(grid, item->revoked);
    format_time(item->list_this_s, time);
    grid_time(grid, time);
    format_time(item->list_next_s, time);
    grid_text(grid, time);
    grid_text(grid, item->name);
}

static enum err show_item(void *context, const struct ca_item *item)
{
    struct showing *showing = context;
    const char *state = state_of(item, showing->session.now_s);
    showing->care += strcmp(state, "ok") != 0;
    if (showing->session.common->json) {
        return add_json(showing, item, state);
    }
    add_row(showing, item, state);
    return ERR_OK;
}

static enum exit_code finish(struct showing *showing, const struct ceremony_state *log)
{
    char last[LOG_TEXT_SIZE];
    crypto_hex(log->last, sizeof(log->last), last);
    enum exit_code code = EXIT_FAILED;
    if (showing->session.common->json) {
        json_t *body = json_pack("{s:O, s:{s:I, s:s, s:s}}", "items", showing->items, "log", "lines",
                                 (json_int_t)log->lines, "time", log->time, "last", last);
        code = body != NULL ? api_print_json(body) : EXIT_FAILED;
        json_decref(body);
    } else if (grid_flush(&showing->grid) == ERR_OK) {
        (void)fprintf(stderr, "The log's %" PRIu64 " lines follow one another; the last is %s\n", log->lines,
                      last); /* advice only */
        code = fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    return code == EXIT_OK && showing->care > 0 ? EXIT_DIFFERS : code;
}

enum exit_code ca_show_run(const struct command_call *call)
{
    const struct ca_show_options *options = call->options;
    struct showing showing = {.items = json_array()};
    struct ceremony_state log;
    if (options->common.dir == NULL) {
        json_decref(showing.items);
        return command_misuse(call, "--dir is missing");
    }
    grid_init(&showing.grid, columns, stdout, false);
    enum err err = ca_session_begin(&showing.session, call, &options->common, false);
    if (err == ERR_OK) {
        err = ca_survey(options->common.dir, show_item, &showing, &showing.session.info);
    }
    if (err == ERR_OK) {
        err = ceremony_verify(options->common.dir, &log, &showing.session.info);
    }
    enum exit_code code = err == ERR_OK ? finish(&showing, &log)
                                        : ca_session_failed(&showing.session, "the certificate authority is not sound");
    ca_session_end(&showing.session);
    grid_deinit(&showing.grid);
    json_decref(showing.items);
    return code;
}
