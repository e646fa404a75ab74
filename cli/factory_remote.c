/* SPDX-License-Identifier: Apache-2.0 */
/** What changes the provisioner's state: batches are made known, closed, disabled; ledgers are imported. What is sent
 * is checked here first, so that a mistake is told with its file and line. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/factory.h"
#include "cli/provisioner.h"
#include "cli/station_files.h"
#include "provisioning/ledgerfile.h"
#include "provisioning/manifest.h"

#define PIECE_MAX ((size_t)512 << 10) /* of a ledger in one request; a server takes 1 MiB */

const struct args_row factory_batch_rows[] = {
    PROVISIONER_ROWS,
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct factory_batch_options, dry_run),
     .help = "Check what would be sent, send nothing"},
    {0},
};
const struct factory_batch_options factory_batch_defaults = {
    .api = {.socket = PROVISIONER_SOCKET_DEFAULT, .server = "provisioner"}};

/* ---- one request ---- */

struct order {
    const struct command_call *call;
    const struct factory_batch_options *options;
    const char *what; /* what was not done, for a report */
    struct api *api;
};

static enum exit_code order_open(const struct command_call *call, const char *what, struct order *order)
{
    *order = (struct order){.call = call, .options = call->options, .what = what};
    return order->options->dry_run ? EXIT_OK : api_open(call, &order->options->api, what, &order->api);
}

/** Sends, and prints the answer where it was asked for as JSON. @param ret_body owned; NULL after a dry run. */
static enum exit_code order_send(struct order *order, const char *path, struct view body, json_t **ret_body)
{
    struct strbuf text;
    if (order->options->dry_run) {
        return EXIT_OK;
    }
    strbuf_init(&text, API_PATH_MAX);
    (void)strbuf_adds(&text, path); /* api_send judges the buffer */
    enum exit_code code = api_send(order->api, "POST", &text, body, API_LONG_TIMEOUT_MS, ret_body);
    strbuf_deinit(&text);
    return code;
}

static enum exit_code print_answer(const struct order *order, const json_t *body, const char *words)
{
    if (body != NULL && order->options->api.json) {
        return api_print_json(body);
    }
    (void)printf("%s%s\n", order->options->dry_run ? "would be " : "", words); /* flushed below */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- batches ---- */

static enum exit_code change_batch(const struct command_call *call, const char *verb, struct view body,
                                   const char *words)
{
    struct order order;
    CLEANUP(json_decref_p) json_t *answer = NULL;
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/batches/"); /* judged when it is sent */
    api_add_encoded(&path, call->operands[0]);
    (void)strbuf_addf(&path, "/%s", verb);
    enum exit_code code = order_open(call, "the batch was not changed", &order);
    if (code == EXIT_OK) {
        code = order_send(&order, strbuf_str(&path), body, &answer);
    }
    if (code == EXIT_OK) {
        code = print_answer(&order, answer, words);
    }
    api_close(order.api);
    strbuf_deinit(&path);
    return code;
}

enum exit_code factory_batch_close_run(const struct command_call *call)
{
    return change_batch(call, "close", (struct view){0}, "closed");
}

enum exit_code factory_batch_disable_run(const struct command_call *call)
{
    return change_batch(call, "disable", (struct view){0}, "disabled");
}

enum exit_code factory_batch_enable_run(const struct command_call *call)
{
    return change_batch(call, "enable", (struct view){0}, "enabled");
}

enum exit_code factory_batch_quota_run(const struct command_call *call)
{
    uint64_t quota = 0;
    char body[64];
    if (view_to_u64(view_of(call->operands[1]), MANIFEST_COUNT_MAX, &quota) != ERR_OK) {
        return command_misuse(call, "N is not a number from 0 to 1000000");
    }
    int n = snprintf(body, sizeof(body), "{\"quota\":%" PRIu64 "}", quota);
    return change_batch(call, "quota", view_n(body, (size_t)n), "changed");
}

/** A batch's folder, or the manifest itself. */
static enum err read_manifest(const char *path, char **ret_text, size_t *ret_len, struct errinfo *info)
{
    struct manifest manifest;
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        enum err err = station_files_manifest(path, ret_text, ret_len, info);
        return err != ERR_OK ? err : manifest_read(view_n(*ret_text, *ret_len), NULL, &manifest, info);
    }
    enum err err = file_read(path, MANIFEST_MAX + 1, ret_text, ret_len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "factory", 0, "%s: %s", path, err_text(err));
    }
    return manifest_read(view_n(*ret_text, *ret_len), NULL, &manifest, info);
}

enum exit_code factory_batch_import_run(const struct command_call *call)
{
    static const char what[] = "the batch was not made known";
    const struct factory_batch_options *options = call->options;
    struct errinfo info = {0};
    struct order order = {0};
    CLEANUP(json_decref_p) json_t *answer = NULL;
    char *text = NULL;
    size_t len = 0;
    enum err err = read_manifest(call->operands[0], &text, &len, &info);
    if (err != ERR_OK) {
        free(text);
        return factory_failed(call, options->api.json, what, &info);
    }
    enum exit_code code = order_open(call, what, &order);
    if (code == EXIT_OK) {
        code = order_send(&order, "/v1/batches", view_n(text, len), &answer);
    }
    if (code == EXIT_OK) {
        code = print_answer(&order, answer, "imported");
    }
    api_close(order.api);
    free(text);
    return code;
}

/* ---- ledgers ---- */

struct import {
    struct order *order;
    const char *path;
    struct view head; /* first line, with its newline */
    struct strbuf piece;
    uint64_t lines, added, duplicates;
};

static enum exit_code send_piece(struct import *import)
{
    CLEANUP(json_decref_p) json_t *answer = NULL;
    enum err err = strbuf_error(&import->piece);
    if (err != ERR_OK) {
        const struct errinfo info = {.err = err};
        return factory_failed(import->order->call, import->order->options->api.json, import->order->what, &info);
    }
    enum exit_code code = order_send(import->order, "/v1/ledger", strbuf_view(&import->piece), &answer);
    if (code == EXIT_OK && answer != NULL) {
        import->added += api_u64(answer, "added");
        import->duplicates += api_u64(answer, "duplicates");
    }
    strbuf_clear(&import->piece);
    (void)strbuf_add(&import->piece, import->head); /* of the next one; asked for above */
    return code;
}

/** Whole lines, as many as a request takes, each time behind the head that says whose they are. */
static enum exit_code send_lines(struct import *import, struct view text)
{
    enum exit_code code = EXIT_OK;
    (void)strbuf_add(&import->piece, import->head); /* as above */
    while (code == EXIT_OK && text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        if (newline == NULL) {
            break; /* torn: the station sets it aside at its next start */
        }
        size_t len = (size_t)(newline - text.ptr) + 1;
        if (import->piece.len + len > PIECE_MAX) {
            code = send_piece(import);
        }
        (void)strbuf_add(&import->piece, view_n(text.ptr, len)); /* as above */
        text = view_n(newline + 1, text.len - len);
        import->lines++;
    }
    return code == EXIT_OK ? send_piece(import) : code;
}

static enum exit_code send_file(struct import *import)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(import->path, LEDGER_FILE_MAX, &text, &len);
    const char *newline = err == ERR_OK ? memchr(text, '\n', len) : NULL;
    if (newline == NULL) {
        struct errinfo info = {0};
        (void)errinfo_set(&info, err == ERR_OK ? ERR_CORRUPT : err, "factory", 0, "%s: not readable any more",
                          import->path); /* reported next */
        free(text);
        return factory_failed(import->order->call, import->order->options->api.json, import->order->what, &info);
    }
    import->head = view_n(text, (size_t)(newline - text) + 1);
    strbuf_init(&import->piece, PIECE_MAX + LEDGER_LINE_MAX + 1);
    enum exit_code code = send_lines(import, view_n(newline + 1, len - import->head.len));
    strbuf_deinit(&import->piece);
    free(text);
    return code;
}

static enum exit_code tell_import(const struct import *import, const struct ledgerfile *file)
{
    const struct ledger_line *head = ledgerfile_head(file);
    if (import->order->options->api.json) {
        return factory_print(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "file", import->path, "batch",
                                       head->batch, "station", head->station, "lines", (json_int_t)import->lines,
                                       "added", (json_int_t)import->added, "duplicates", (json_int_t)import->duplicates,
                                       "devices", (json_int_t)ledgerfile_count(file)));
    }
    return printf("%s: batch %s, station %s: %" PRIu64 " lines, %" PRIu64 " added, %" PRIu64
                  " held before, %zu devices\n",
                  import->path, head->batch, head->station, import->lines, import->added, import->duplicates,
                  ledgerfile_count(file)) >= 0
               ? EXIT_OK
               : EXIT_FAILED;
}

static enum exit_code import_one(struct order *order, const char *path)
{
    struct errinfo info = {0};
    struct ledgerfile *file = NULL;
    struct import import = {.order = order, .path = path, .lines = 1}; /* the head */
    if (ledgerfile_open(path, NULL, NULL, NULL, &file, &info) != ERR_OK) {
        return factory_failed(order->call, order->options->api.json, order->what, &info);
    }
    enum exit_code code = send_file(&import);
    if (code == EXIT_OK) {
        code = tell_import(&import, file);
    }
    ledgerfile_close(file);
    return code;
}

enum exit_code factory_ledger_import_run(const struct command_call *call)
{
    struct order order;
    size_t done = 0;
    enum exit_code first = EXIT_OK;
    enum exit_code code = order_open(call, "the ledger was not imported", &order);
    if (code != EXIT_OK) {
        return code;
    }
    for (size_t i = 0; i < call->operands_len; i++) {
        code = import_one(&order, call->operands[i]);
        done += code == EXIT_OK;
        first = first == EXIT_OK ? code : first;
    }
    api_close(order.api);
    if (fflush(stdout) != 0) {
        return EXIT_FAILED;
    }
    return first != EXIT_OK && done > 0 ? EXIT_PARTLY : first;
}
