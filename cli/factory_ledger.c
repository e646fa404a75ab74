/* SPDX-License-Identifier: Apache-2.0 */
/** `muster factory ledger verify|diff`: on files, without the provisioner. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/factory.h"
#include "provisioning/ledgerfile.h"
#include "provisioning/manifest.h"

const struct args_row factory_verify_rows[] = {
    {"manifest", 'm', "FILE", ARGS_STRING, offsetof(struct factory_ledger_options, manifest),
     .help = "The batch's manifest: station, serial numbers, ids and count are held against it"},
    {"factory-pub", 0, "FILE", ARGS_STRING, offsetof(struct factory_ledger_options, factory_pub),
     .help = "The factory's public key, which must have signed the manifest"},
    {"json", 'j', NULL, ARGS_FLAG, offsetof(struct factory_ledger_options, json), .help = "Print JSON"},
    {0},
};
const struct args_row factory_diff_rows[] = {
    {"json", 'j', NULL, ARGS_FLAG, offsetof(struct factory_ledger_options, json), .help = "Print JSON"},
    {0},
};

/* ---- verify ---- */

struct verifying {
    const struct command_call *call;
    const struct factory_ledger_options *options;
    struct manifest manifest;
    uint8_t digest[SHA256_SIZE];
    bool has_manifest;
    struct ledgerfile *files[ARGS_OPERANDS_MAX]; /* owned */
    size_t files_len;
    uint64_t made;
};

static enum err read_manifest(struct verifying *verifying, struct errinfo *info)
{
    const struct factory_ledger_options *options = verifying->options;
    uint8_t factory[KEY_POINT_SIZE];
    char *text = NULL;
    size_t len = 0;
    if (options->manifest == NULL) {
        return ERR_OK;
    }
    enum err err = options->factory_pub != NULL ? factory_public_key(options->factory_pub, factory, info) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    err = file_read(options->manifest, MANIFEST_MAX + 1, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "factory", 0, "%s: %s", options->manifest, err_text(err));
    }
    err = manifest_read(view_n(text, len), options->factory_pub != NULL ? factory : NULL, &verifying->manifest, info);
    manifest_digest(view_n(text, len), verifying->digest);
    verifying->has_manifest = true;
    free(text);
    return err;
}

static enum err check_head(const struct verifying *verifying, const char *path, const struct ledger_line *head,
                           struct errinfo *info)
{
    const struct manifest *m = &verifying->manifest;
    if (strcmp(head->batch, m->batch) != 0 || memcmp(head->manifest, verifying->digest, SHA256_SIZE) != 0) {
        return errinfo_set(info, ERR_CONFLICT, "factory", 0, "%s:1: is of another batch or manifest", path);
    }
    return manifest_has_station(m, head->key)
               ? ERR_OK
               : errinfo_set(info, ERR_AUTH, "factory", 0, "%s:1: the manifest names no such station", path);
}

/** Each device is one that the batch may have, and no other file has it. */
static enum err check_device(const struct verifying *verifying, const char *path, const struct ledger_device *device,
                             struct errinfo *info)
{
    char id[IDENTITY_MAX + 1];
    if (verifying->has_manifest && (manifest_device_id(&verifying->manifest, view_of(device->serial), id) != ERR_OK ||
                                    strcmp(id, device->id) != 0)) {
        return errinfo_set(info, ERR_CONFLICT, "factory", 0, "%s: %s (%s) is not of the batch", path, device->serial,
                           device->id);
    }
    for (size_t i = 0; i < verifying->files_len; i++) {
        if (ledgerfile_find(verifying->files[i], view_of(device->serial)) != NULL ||
            ledgerfile_find_key(verifying->files[i], device->key) != NULL) {
            return errinfo_set(info, ERR_CONFLICT, "factory", 0, "%s: %s, or its key, is in %s, too", path,
                               device->serial, verifying->call->operands[i]);
        }
    }
    return ERR_OK;
}

static enum err check_file(struct verifying *verifying, const char *path, const struct ledgerfile *file,
                           struct errinfo *info)
{
    enum err err = verifying->has_manifest ? check_head(verifying, path, ledgerfile_head(file), info) : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < ledgerfile_count(file); i++) {
        err = check_device(verifying, path, ledgerfile_at(file, i), info);
    }
    verifying->made += ledgerfile_count(file) - ledgerfile_voided(file);
    if (err == ERR_OK && verifying->has_manifest && verifying->made > verifying->manifest.count) {
        err = errinfo_set(info, ERR_RANGE, "factory", 0, "%s: more devices than the %u of batch %s", path,
                          verifying->manifest.count, verifying->manifest.batch);
    }
    return err;
}

static enum exit_code print_file(const struct verifying *verifying, const char *path, const struct ledgerfile *file,
                                 size_t torn)
{
    const struct ledger_line *head = ledgerfile_head(file);
    if (verifying->options->json) {
        return factory_print(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "file", path, "batch", head->batch,
                                       "station", head->station, "lines", (json_int_t)ledgerfile_chain(file)->next,
                                       "devices", (json_int_t)ledgerfile_count(file), "void",
                                       (json_int_t)ledgerfile_voided(file), "torn", (json_int_t)torn));
    }
    return printf("%s: good: batch %s, station %s: %" PRIu64 " lines, %zu devices, %zu void, %zu bytes torn\n", path,
                  head->batch, head->station, ledgerfile_chain(file)->next, ledgerfile_count(file),
                  ledgerfile_voided(file), torn) >= 0
               ? EXIT_OK
               : EXIT_FAILED;
}

static enum err verify_all(struct verifying *verifying, struct errinfo *info)
{
    enum err err = read_manifest(verifying, info);
    for (size_t i = 0; err == ERR_OK && i < verifying->call->operands_len; i++) {
        const char *path = verifying->call->operands[i];
        struct ledgerfile *file = NULL;
        size_t torn = 0;
        err = ledgerfile_open(path, NULL, NULL, &torn, &file, info);
        if (err == ERR_OK) {
            err = check_file(verifying, path, file, info);
            verifying->files[verifying->files_len++] = file;
        }
        if (err == ERR_OK && print_file(verifying, path, file, torn) != EXIT_OK) {
            err = errinfo_set(info, ERR_IO, "factory", 0, "standard output takes no more");
        }
    }
    return err;
}

enum exit_code factory_ledger_verify_run(const struct command_call *call)
{
    struct verifying *verifying = calloc(1, sizeof(*verifying));
    struct errinfo info = {0};
    if (verifying == NULL) {
        return EXIT_FAILED;
    }
    verifying->call = call;
    verifying->options = call->options;
    enum err err = verify_all(verifying, &info);
    enum exit_code code = EXIT_OK;
    if (err != ERR_OK) {
        info.err = err;
        code = factory_failed(call, verifying->options->json, "the ledger does not hold", &info);
    }
    for (size_t i = 0; i < verifying->files_len; i++) {
        ledgerfile_close(verifying->files[i]);
    }
    free(verifying);
    return fflush(stdout) == 0 ? code : EXIT_FAILED;
}

/* ---- diff ---- */

static const char *state_of(const struct ledger_device *device)
{
    return device == NULL ? "absent" : device->voided ? "void" : device->tested ? "tested" : "made";
}

static bool differ(const struct ledger_device *a, const struct ledger_device *b)
{
    return b == NULL || strcmp(a->id, b->id) != 0 || memcmp(a->key, b->key, sizeof(a->key)) != 0 ||
           memcmp(a->owner, b->owner, sizeof(a->owner)) != 0 || a->tested != b->tested || a->voided != b->voided;
}

static const char *kind_of(const struct ledger_device *a, const struct ledger_device *b)
{
    if (a == NULL || b == NULL) {
        return a == NULL ? "added" : "removed";
    }
    return memcmp(a->key, b->key, sizeof(a->key)) != 0 || strcmp(a->id, b->id) != 0 ||
                   memcmp(a->owner, b->owner, sizeof(a->owner)) != 0
               ? "another"
               : "state";
}

static void print_difference(bool json, const char *serial, const struct ledger_device *a,
                             const struct ledger_device *b)
{
    (void)printf(json ? "{\"kind\":\"%s\",\"serial\":\"%s\",\"before\":\"%s\",\"after\":\"%s\"}\n" : "%s\t%s\t%s\t%s\n",
                 kind_of(a, b), serial, state_of(a), state_of(b)); /* flushed at the end */
}

static size_t print_differences(bool json, const struct ledgerfile *a, const struct ledgerfile *b)
{
    size_t differences = 0;
    for (size_t i = 0; i < ledgerfile_count(a); i++) {
        const struct ledger_device *device = ledgerfile_at(a, i);
        const struct ledger_device *other = ledgerfile_find(b, view_of(device->serial));
        if (differ(device, other)) {
            print_difference(json, device->serial, device, other);
            differences++;
        }
    }
    for (size_t i = 0; i < ledgerfile_count(b); i++) {
        const struct ledger_device *device = ledgerfile_at(b, i);
        if (ledgerfile_find(a, view_of(device->serial)) == NULL) {
            print_difference(json, device->serial, NULL, device);
            differences++;
        }
    }
    return differences;
}

enum exit_code factory_ledger_diff_run(const struct command_call *call)
{
    const struct factory_ledger_options *options = call->options;
    struct ledgerfile *files[2] = {NULL, NULL};
    struct errinfo info = {0};
    enum exit_code code;
    enum err err = ledgerfile_open(call->operands[0], NULL, NULL, NULL, &files[0], &info);
    if (err == ERR_OK) {
        err = ledgerfile_open(call->operands[1], NULL, NULL, NULL, &files[1], &info);
    }
    if (err != ERR_OK) {
        code = factory_failed(call, options->json, "the ledgers were not compared", &info);
    } else {
        code = print_differences(options->json, files[0], files[1]) > 0 ? EXIT_DIFFERS : EXIT_OK;
    }
    ledgerfile_close(files[0]);
    ledgerfile_close(files[1]);
    return fflush(stdout) == 0 ? code : EXIT_FAILED;
}
