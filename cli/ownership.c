/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ownership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "cli/provisioner.h"

#define CODE_FILE_MAX  1024
#define ORDER_FILE_MAX ((size_t)64 << 20)
#define PIECE_MAX      ((size_t)512 << 10) /* of an order file in one request, which is one transaction */

#define DRY_RUN_ROW                                                                                                    \
    {                                                                                                                  \
        "dry-run", 0, NULL, ARGS_FLAG, offsetof(struct ownership_options, dry_run),                                    \
            .help = "Let the provisioner check it, and change nothing"                                                 \
    }

const struct args_row ownership_claim_rows[] = {
    PROVISIONER_ROWS,
    {"owner", 'o', "NAME", ARGS_STRING, offsetof(struct ownership_options, owner), .help = "Whose it is from now on"},
    {"group", 'g', "NAME", ARGS_STRING, offsetof(struct ownership_options, group),
     .help = "Group of the coordinator's config that gives it names (default: the registry's)"},
    {"site", 0, "NAME", ARGS_STRING, offsetof(struct ownership_options, site),
     .help = "Where it stands (default: the registry's)"},
    {"code-file", 'c', "FILE", ARGS_STRING, offsetof(struct ownership_options, code_file),
     .help =
         "File with the owner code, or the whole text, of the label; - for standard input (default: without a code, "
         "on the operator's own word)"},
    {"reason", 'r', "TEXT", ARGS_STRING, offsetof(struct ownership_options, reason), .help = "Noted in the history"},
    DRY_RUN_ROW,
    {0},
};
const struct args_row ownership_act_rows[] = {
    PROVISIONER_ROWS,
    {"reason", 'r', "TEXT", ARGS_STRING, offsetof(struct ownership_options, reason), .help = "Noted in the history"},
    DRY_RUN_ROW,
    {0},
};
const struct args_row ownership_order_rows[] = {PROVISIONER_ROWS, DRY_RUN_ROW, {0}};
const struct args_row ownership_history_rows[] = {
    PROVISIONER_ROWS,
    {"ndjson", 0, NULL, ARGS_FLAG, offsetof(struct listing_options, ndjson), .help = "Print one JSON object a line"},
    {"limit", 'n', "N", ARGS_U32, offsetof(struct listing_options, limit), .min = 1,
     .help = "Stop after N rows (default: all)"},
    {0},
};
const struct ownership_options ownership_defaults = {
    .api = {.socket = PROVISIONER_SOCKET_DEFAULT, .server = "provisioner"}};
const struct listing_options ownership_history_defaults = {
    .api = {.socket = PROVISIONER_SOCKET_DEFAULT, .server = "provisioner"}};

/* ---- one device ---- */

/** The code of a file: its first line, or what stands behind the last colon of a label's text. Never from the command
 * line, which every user of the machine can read. @param ret_code zeroised by the caller. */
static enum err read_code(const char *path, char ret_code[static CODE_FILE_MAX])
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, CODE_FILE_MAX - 1, &text, &len);
    if (err != ERR_OK) {
        return err;
    }
    struct view rest = view_n(text, len), line;
    (void)view_next(&rest, '\n', &line); /* an empty file is an empty line */
    line = view_trim(line);
    for (size_t i = line.len; i > 0; i--) {
        if (line.ptr[i - 1] == ':') {
            line = view_n(line.ptr + i, line.len - i);
            break;
        }
    }
    err = line.len > 0 ? view_copy(line, ret_code, CODE_FILE_MAX) : ERR_INVALID;
    crypto_zeroise(text, len);
    free(text);
    return err;
}

static bool add_text(json_t *body, const char *key, const char *text)
{
    return text == NULL || json_object_set_new(body, key, json_string(text)) == 0;
}

/** @param ret_text owned; zeroised and freed by the caller. */
static enum err make_body(const struct ownership_options *options, const char *code, char **ret_text)
{
    json_t *body = json_object();
    bool all = body != NULL && add_text(body, "owner", options->owner) && add_text(body, "group", options->group) &&
               add_text(body, "site", options->site) && add_text(body, "detail", options->reason) &&
               add_text(body, "code", code);
    *ret_text = all ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return *ret_text != NULL ? ERR_OK : ERR_INVALID; /* a text that is not UTF-8, or no memory */
}

static enum exit_code print_device(const struct ownership_options *options, const json_t *answer)
{
    if (options->api.json) {
        return api_print_json(answer);
    }
    const char *owner = api_text(answer, "owner");
    (void)printf("%s: %s%s, %s%s%s\n", api_text(answer, "device"), options->dry_run ? "would be " : "",
                 api_text(answer, "state"), owner[0] != '\0' ? "owner " : "not owned", owner,
                 api_bool(answer, "changed") ? "" : " (as before)"); /* flushed below */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code act(const struct command_call *call, const char *verb, const char *failed)
{
    const struct ownership_options *options = call->options;
    char code[CODE_FILE_MAX] = "";
    char *body = NULL;
    json_t *answer = NULL;
    struct api *api = NULL;
    enum exit_code exit_code = api_open(call, &options->api, failed, &api);
    if (exit_code != EXIT_OK) {
        return exit_code;
    }
    enum err err = options->code_file != NULL ? read_code(options->code_file, code) : ERR_OK;
    if (err != ERR_OK) {
        exit_code =
            api_report(api, exit_code_of(err), "no-code", err_text(err), "give a file with the code of the label");
    } else if (make_body(options, options->code_file != NULL ? code : NULL, &body) != ERR_OK) {
        exit_code = api_report(api, EXIT_USAGE, "bad-text", "a text is not UTF-8", "correct the options");
    } else {
        struct strbuf path;
        strbuf_init(&path, API_PATH_MAX);
        (void)strbuf_adds(&path, "/v1/devices/"); /* api_send looks at the sticky error */
        api_add_encoded(&path, call->operands[0]);
        (void)strbuf_addf(&path, "/%s", verb);
        api_add_query(&path, "dry_run", options->dry_run ? "1" : NULL);
        exit_code = api_send(api, "POST", &path, view_of(body), API_TIMEOUT_MS, &answer);
        strbuf_deinit(&path);
    }
    if (body != NULL) {
        crypto_zeroise(body, strlen(body));
        free(body);
    }
    crypto_zeroise(code, sizeof(code));
    exit_code = exit_code == EXIT_OK ? print_device(options, answer) : exit_code;
    json_decref(answer);
    api_close(api);
    return exit_code;
}

static enum exit_code act_with_owner(const struct command_call *call, const char *verb, const char *failed)
{
    const struct ownership_options *options = call->options;
    return options->owner != NULL ? act(call, verb, failed) : command_misuse(call, "--owner NAME is missing");
}

enum exit_code device_claim_run(const struct command_call *call)
{
    return act_with_owner(call, "claim", "the device was not claimed");
}

enum exit_code device_transfer_run(const struct command_call *call)
{
    return act_with_owner(call, "transfer", "the device was not transferred");
}

enum exit_code device_undo_transfer_run(const struct command_call *call)
{
    return act(call, "undo-transfer", "the transfer was not undone");
}

enum exit_code device_suspend_run(const struct command_call *call)
{
    return act(call, "suspend", "the device was not suspended");
}

enum exit_code device_resume_run(const struct command_call *call)
{
    return act(call, "resume", "the device was not resumed");
}

enum exit_code device_revoke_run(const struct command_call *call)
{
    return act(call, "revoke", "the device was not revoked");
}

enum exit_code device_rekey_run(const struct command_call *call)
{
    return act(call, "rekey", "the device's key was not ended");
}

enum exit_code device_scrap_run(const struct command_call *call)
{
    return act(call, "scrap", "the device was not scrapped");
}

/* ---- an order file ---- */

struct order {
    const struct ownership_options *options;
    struct api *api;
    uint64_t orders, changed;
};

/** The next lines of @p rest, as many as one request takes. @param lines counts them. */
static struct view next_piece(struct view *rest, uint64_t *lines)
{
    struct view piece = {.ptr = rest->ptr, .len = 0};
    *lines = 0;
    while (rest->len > 0) {
        const char *end = memchr(rest->ptr, '\n', rest->len);
        size_t len = end != NULL ? (size_t)(end - rest->ptr) + 1 : rest->len;
        if (piece.len > 0 && piece.len + len > PIECE_MAX) {
            break;
        }
        piece.len += len;
        *rest = view_n(rest->ptr + len, rest->len - len);
        (*lines)++;
    }
    return piece;
}

static enum exit_code send_piece(struct order *order, struct view piece, bool dry)
{
    struct strbuf path;
    json_t *answer = NULL;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/orders"); /* api_send looks at the sticky error */
    api_add_query(&path, "dry_run", dry ? "1" : NULL);
    enum exit_code code = api_send(order->api, "POST", &path, piece, API_LONG_TIMEOUT_MS, &answer);
    if (code == EXIT_OK) {
        order->orders += api_u64(answer, "orders");
        order->changed += api_u64(answer, "changed");
    }
    json_decref(answer);
    strbuf_deinit(&path);
    return code;
}

/** All pieces, each checked or carried out as a whole. */
static enum exit_code send_all(struct order *order, struct view text, bool dry)
{
    enum exit_code code = EXIT_OK;
    uint64_t line = 1, lines;
    order->orders = order->changed = 0;
    while (code == EXIT_OK && text.len > 0) {
        struct view piece = next_piece(&text, &lines);
        code = send_piece(order, piece, dry);
        if (code != EXIT_OK && line > 1) {
            (void)fprintf(stderr, "  line 1 of the cause is line %llu of the file\n",
                          (unsigned long long)line); /* nobody to tell when stderr is broken */
        }
        line += lines;
    }
    return code;
}

static enum exit_code print_order(const struct order *order)
{
    int n = order->options->api.json
                ? printf("{\"orders\":%llu,\"changed\":%llu,\"dry_run\":%s}\n", (unsigned long long)order->orders,
                         (unsigned long long)order->changed, order->options->dry_run ? "true" : "false")
                : printf("%llu orders, %llu %s\n", (unsigned long long)order->orders,
                         (unsigned long long)order->changed, order->options->dry_run ? "would change" : "changed");
    return n > 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code device_order_run(const struct command_call *call)
{
    struct order order = {.options = call->options};
    const char *path = strcmp(call->operands[0], "-") == 0 ? "/dev/stdin" : call->operands[0];
    char *text = NULL;
    size_t len = 0;
    enum exit_code code = api_open(call, &order.options->api, "the order was not carried out", &order.api);
    if (code != EXIT_OK) {
        return code;
    }
    enum err err = file_read(path, ORDER_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        code = api_report(order.api, exit_code_of(err), "no-file", err_text(err),
                          "give a CSV file: serial,owner,group,site");
    } else {
        code = send_all(&order, view_n(text, len), true); /* nothing is changed when a line is wrong */
        if (code == EXIT_OK && !order.options->dry_run) {
            code = send_all(&order, view_n(text, len), false);
        }
    }
    code = code == EXIT_OK ? print_order(&order) : code;
    free(text);
    api_close(order.api);
    return code;
}

/* ---- history ---- */

static const struct grid_column columns[] = {
    {.title = "N", .right = true}, {.title = "AT"}, {.title = "ACT"}, {.title = "BY"}, {.title = "DETAIL"}, {0},
};

static void event_row(struct grid *grid, const json_t *event)
{
    grid_u64(grid, api_u64(event, "n"));
    grid_time(grid, api_text(event, "at"));
    grid_text(grid, api_text(event, "act"));
    grid_text(grid, api_text(event, "actor"));
    grid_text(grid, api_text(event, "detail"));
}

enum exit_code device_history_run(const struct command_call *call)
{
    static const struct listing listing = {.what = "the history was not shown",
                                           .member = "events",
                                           .none = "Nothing is noted of this device.",
                                           .columns = columns,
                                           .row = event_row};
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/events"); /* listing_run looks at the sticky error */
    api_add_query(&path, "device", call->operands[0]);
    enum exit_code code = listing_run(call, call->options, &listing, &path);
    strbuf_deinit(&path);
    return code;
}
