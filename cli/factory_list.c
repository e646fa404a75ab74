/* SPDX-License-Identifier: Apache-2.0 */
/** `muster factory batch list`: the batches of a folder with what their ledgers say, or those of the provisioner. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/factory.h"
#include "cli/grid.h"
#include "cli/provisioner.h"
#include "cli/station_files.h"
#include "provisioning/ledgerfile.h"
#include "provisioning/manifest.h"

#define BATCHES_MAX 10000
#define TEXT_MAX    ((size_t)8 << 20)

const struct args_row factory_list_rows[] = {
    PROVISIONER_ROWS,
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct factory_list_options, dir),
     .help = "Folder of all batches: nothing is asked over the network (default: ask the provisioner)"},
    {0},
};
const struct factory_list_options factory_list_defaults = {
    .listing = {.api = {.socket = PROVISIONER_SOCKET_DEFAULT, .server = "provisioner"}}};

static const struct grid_column columns[] = {
    {.title = "BATCH"},
    {.title = "MODEL"},
    {.title = "COUNT", .right = true},
    {.title = "QUOTA", .right = true},
    {.title = "MADE", .right = true},
    {.title = "TESTED", .right = true},
    {.title = "VOID", .right = true},
    {.title = "UNTIL"},
    {0},
};

struct totals {
    uint64_t made, tested, voided;
};

static void add_ledger(const struct ledgerfile *file, struct totals *totals)
{
    for (size_t i = 0; i < ledgerfile_count(file); i++) {
        const struct ledger_device *device = ledgerfile_at(file, i);
        totals->made++;
        totals->tested += device->tested && !device->voided;
        totals->voided += device->voided;
    }
}

static bool ends_with(const char *name, const char *end)
{
    return view_ends_with(view_of(name), view_of(end));
}

/** Sums up the ledgers in a batch's folder. */
static enum err count_ledgers(const char *folder, struct totals *totals, struct errinfo *info)
{
    DIR *dir = opendir(folder);
    enum err err = dir != NULL ? ERR_OK : errinfo_set(info, err_from_errno(errno), "factory", errno, "%s", folder);
    for (const struct dirent *entry = dir != NULL ? readdir(dir) : NULL; err == ERR_OK && entry != NULL;
         entry = readdir(dir)) {
        struct ledgerfile *file = NULL;
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (!ends_with(entry->d_name, ".ledger") || n < 0 || (size_t)n >= sizeof(path)) {
            continue;
        }
        err = ledgerfile_open(path, NULL, NULL, NULL, &file, info);
        if (err == ERR_OK) {
            add_ledger(file, totals);
        }
        ledgerfile_close(file);
    }
    if (dir != NULL) {
        (void)closedir(dir); /* only read */
    }
    return err;
}

struct offline {
    struct grid *grid;
    struct strbuf *json; /* NULL: a table */
    size_t count;
};

static void show(struct offline *listing, const struct manifest *m, const struct totals *totals)
{
    char until[CLOCK_RFC3339_SIZE];
    clock_rfc3339(m->to_ms, until);
    if (listing->json != NULL) {
        (void)strbuf_addf(listing->json,
                          "%s{\"batch\":\"%s\",\"model\":\"%s\",\"count\":%" PRIu32 ",\"quota\":%" PRIu32
                          ",\"made\":%" PRIu64 ",\"tested\":%" PRIu64 ",\"void\":%" PRIu64 ",\"until\":\"%s\"}",
                          listing->count > 0 ? "," : "", m->batch, m->model, m->count, m->quota, totals->made,
                          totals->tested, totals->voided, until); /* sticky: asked for at the end */
    } else {
        grid_text(listing->grid, m->batch);
        grid_text(listing->grid, m->model);
        grid_u64(listing->grid, m->count);
        grid_u64(listing->grid, m->quota);
        grid_u64(listing->grid, totals->made);
        grid_u64(listing->grid, totals->tested);
        grid_u64(listing->grid, totals->voided);
        grid_text(listing->grid, until);
    }
    listing->count++;
}

static enum err list_batch(struct offline *listing, const char *folder, struct errinfo *info)
{
    struct manifest manifest;
    struct totals totals = {0};
    char *text = NULL;
    size_t len = 0;
    enum err err = station_files_manifest(folder, &text, &len, info);
    if (err == ERR_NOTFOUND || err == ERR_IO) {
        return ERR_OK; /* another folder, or a file */
    }
    if (err == ERR_OK) {
        err = manifest_read(view_n(text, len), NULL, &manifest, info);
        free(text);
    }
    if (err == ERR_OK) {
        err = count_ledgers(folder, &totals, info);
    }
    if (err == ERR_OK) {
        show(listing, &manifest, &totals);
    }
    return err;
}

static enum err list_folders(struct offline *listing, const char *dir, struct errinfo *info)
{
    struct dirent **entries = NULL;
    int len = scandir(dir, &entries, NULL, alphasort);
    if (len < 0) {
        enum err err = err_from_errno(errno);
        return errinfo_set(info, err, "factory", errno, "%s: %s", dir, err_text(err));
    }
    enum err err = ERR_OK;
    for (int i = 0; i < len; i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
        if (err == ERR_OK && entries[i]->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(path)) {
            err = listing->count < BATCHES_MAX ? list_batch(listing, path, info) : ERR_LIMIT;
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

static enum exit_code list_offline(const struct command_call *call, const struct factory_list_options *options)
{
    struct errinfo info = {0};
    struct grid grid;
    struct strbuf json;
    struct offline listing = {.grid = &grid, .json = options->listing.api.json ? &json : NULL};
    grid_init(&grid, columns, stdout, false);
    strbuf_init(&json, TEXT_MAX);
    (void)strbuf_adds(&json, "{\"batches\":["); /* sticky, as above */
    enum err err = list_folders(&listing, options->dir, &info);
    if (err == ERR_OK) {
        err = options->listing.api.json ? strbuf_adds(&json, "]}\n") : grid_flush(&grid);
    }
    if (err == ERR_OK && options->listing.api.json) {
        (void)fputs(strbuf_str(&json), stdout); /* flushed below */
    }
    grid_deinit(&grid);
    strbuf_deinit(&json);
    if (err != ERR_OK) {
        info.err = err;
        return factory_failed(call, options->listing.api.json, "the batches were not listed", &info);
    }
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static void show_remote(struct grid *grid, const json_t *batch)
{
    grid_text(grid, api_text(batch, "batch"));
    grid_u64(grid, api_u64(batch, "quota"));
    grid_u64(grid, api_u64(batch, "used"));
    grid_u64(grid, api_u64(batch, "devices"));
    grid_text(grid, api_text(batch, "to"));
    grid_text(grid, api_bool(batch, "disabled")            ? "disabled"
                    : api_text(batch, "closed")[0] != '\0' ? "closed"
                                                           : "open");
}

enum exit_code factory_list_run(const struct command_call *call)
{
    static const struct grid_column remote[] = {
        {.title = "BATCH"},
        {.title = "QUOTA", .right = true},
        {.title = "USED", .right = true},
        {.title = "DEVICES", .right = true},
        {.title = "UNTIL"},
        {.title = "STATE", .state = true},
        {0},
    };
    static const struct listing listing = {.what = "the batches were not listed",
                                           .member = "batches",
                                           .none = "The provisioner knows no batch.",
                                           .columns = remote,
                                           .row = show_remote};
    const struct factory_list_options *options = call->options;
    struct strbuf path;
    if (options->dir != NULL) {
        return list_offline(call, options);
    }
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/batches"); /* listing_run judges the buffer */
    enum exit_code code = listing_run(call, &options->listing, &listing, &path);
    strbuf_deinit(&path);
    return code;
}
