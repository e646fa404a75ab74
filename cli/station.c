/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/station.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "cli/devicelink.h"
#include "cli/station_files.h"
#include "provisioning/keyopen.h"
#include "provisioning/ledger.h"

static const char *const outcomes[] = {"made", "resumed", "already"};

const char *station_outcome_name(enum station_outcome outcome)
{
    return outcomes[outcome];
}

struct station {
    const struct station_options *options; /* borrowed */
    struct key_rng *rng;
    struct key *key;
    struct manifest manifest;
    struct ledgerfile *file;
    struct station_files files;
    bool broken;
};

/* ---- opening ---- */

static enum err read_manifest(struct station *station, struct ledger_line *head, struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = station_files_manifest(station->options->dir, &text, &len, info);
    if (err == ERR_OK) {
        err = manifest_read(view_n(text, len), station->options->factory, &station->manifest, info);
        manifest_digest(view_n(text, len), head->manifest);
        free(text);
    }
    return err;
}

/** "line-1" of "keys/line-1.key". */
static void name_of_key(const char *key, char ret_name[static LEDGER_STATION_MAX + 1])
{
    const char *slash = strrchr(key, '/');
    const char *start = slash != NULL ? slash + 1 : key;
    (void)snprintf(ret_name, LEDGER_STATION_MAX + 1, "%.*s", (int)strcspn(start, "."),
                   start); /* judged by the ledger */
}

static enum err check_key(struct station *station, struct errinfo *info)
{
    uint8_t point[KEY_POINT_SIZE];
    key_public(station->key, point);
    return manifest_has_station(&station->manifest, point)
               ? ERR_OK
               : errinfo_set(info, ERR_AUTH, "station", 0, "%s: batch %s names no station with this key",
                             station->options->key, station->manifest.batch);
}

static enum err open_ledger(struct station *station, struct ledger_line *head, size_t *ret_torn, struct errinfo *info)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s.%s.ledger", station->options->dir, head->batch, head->station);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return errinfo_set(info, ERR_LIMIT, "station", 0, "path too long");
    }
    return ledgerfile_open(path, head, station->key, ret_torn, &station->file, info);
}

static enum station_serial state_of(void *context, const char *serial)
{
    const struct ledger_device *device = ledgerfile_find(context, view_of(serial));
    return device == NULL ? STATION_UNKNOWN : device->tested || device->voided ? STATION_DONE : STATION_OPEN;
}

static enum err open_all(struct station *station, size_t *ret_torn, struct errinfo *info)
{
    const struct station_options *options = station->options;
    struct ledger_line head = {.event = LEDGER_HEAD};
    const struct key_opening opening = {.rng = station->rng};
    enum err err = read_manifest(station, &head, info);
    if (err == ERR_OK) {
        err = key_open(options->key, &opening, &station->key, info);
    }
    if (err == ERR_OK) {
        err = check_key(station, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    memcpy(head.batch, station->manifest.batch, sizeof(head.batch));
    head.ts = station->manifest.made_ms; /* a station's clock may be wrong; the head needs no time of its own */
    if (options->name != NULL) {
        (void)snprintf(head.station, sizeof(head.station), "%s", options->name); /* judged by the ledger */
    } else {
        name_of_key(options->key, head.station);
    }
    err = open_ledger(station, &head, ret_torn, info);
    if (err != ERR_OK) {
        return err;
    }
    station->files = (struct station_files){options->dir, ledgerfile_head(station->file)->station};
    return station_files_sweep(&station->files, state_of, station->file, info);
}

enum err station_open(const struct station_options *options, struct station **ret_station, size_t *ret_torn,
                      struct errinfo *info)
{
    struct station *station = calloc(1, sizeof(*station));
    if (station == NULL || key_rng_new(&station->rng) != ERR_OK) {
        free(station);
        return errinfo_set(info, ERR_NOMEM, "station", 0, "out of memory, or no random numbers");
    }
    station->options = options;
    enum err err = open_all(station, ret_torn, info);
    if (err != ERR_OK) {
        station_close(station);
        return err;
    }
    *ret_station = station;
    return ERR_OK;
}

void station_close(struct station *station)
{
    if (station != NULL) {
        ledgerfile_close(station->file);
        key_free(station->key);
        key_rng_free(station->rng);
        free(station);
    }
}

const struct manifest *station_manifest(const struct station *station)
{
    return &station->manifest;
}

const struct ledgerfile *station_ledger(const struct station *station)
{
    return station->file;
}

bool station_is_broken(const struct station *station)
{
    return station->broken;
}

/* ---- planning ---- */

static enum err plan_new(const struct station *station, int64_t now_ms, const char *serial,
                         struct station_result *result, struct errinfo *info)
{
    const struct manifest *m = &station->manifest;
    if (manifest_device_id(m, view_of(serial), result->id) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "station", 0, "%s is not a serial number of batch %s", serial, m->batch);
    }
    if (now_ms < m->from_ms || now_ms >= m->to_ms) {
        return errinfo_set(info, ERR_RANGE, "station", 0, "batch %s is outside its window, or the clock is wrong",
                           m->batch);
    }
    if (ledgerfile_count(station->file) - ledgerfile_voided(station->file) >= m->count) {
        return errinfo_set(info, ERR_RANGE, "station", 0, "batch %s is full: %u devices", m->batch, m->count);
    }
    result->outcome = STATION_MADE;
    return ERR_OK;
}

enum err station_plan(const struct station *station, int64_t now_ms, const char *serial,
                      struct station_result *ret_result, struct errinfo *info)
{
    const struct ledger_device *device = ledgerfile_find(station->file, view_of(serial));
    *ret_result = (struct station_result){.outcome = STATION_ALREADY};
    if (device == NULL) {
        return plan_new(station, now_ms, serial, ret_result, info);
    }
    if (device->voided) {
        return errinfo_set(info, ERR_STATE, "station", 0, "%s is void", serial);
    }
    memcpy(ret_result->id, device->id, sizeof(ret_result->id));
    factory_tail(device->key, ret_result->tail);
    ret_result->outcome = device->tested ? STATION_ALREADY : STATION_RESUMED;
    return ERR_OK;
}

/* ---- making ---- */

struct making {
    struct station *station;
    struct devicelink *link;
    const char *serial;
    int64_t now_ms;
    struct station_result *result;
    uint8_t key[KEY_POINT_SIZE]; /* the device's */
    struct ownercode code;
    struct errinfo *info;
};

/** What the disk says no to ends the shift, not the device. */
static enum err of_disk(struct making *making, enum err err)
{
    if (err == ERR_FULL || err == ERR_READONLY || err == ERR_IO || err == ERR_STATE) {
        making->station->broken = true;
    }
    return err;
}

/** Asks for a proof and verifies it. @param op FACTORY_PROVE or FACTORY_TEST. */
static enum err prove(struct making *making, enum factory_op op)
{
    struct factory_request request = {.op = op};
    struct factory_answer answer;
    (void)snprintf(request.serial, sizeof(request.serial), "%s", making->serial); /* judged by station_plan */
    crypto_random(request.nonce, sizeof(request.nonce));
    enum err err = devicelink_ask(making->link, &request, &answer, making->info);
    if (err != ERR_OK) {
        return err;
    }
    err = factory_proof_verify(making->key, &request, view_n((const char *)answer.signature, answer.signature_len));
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(making->info, err == ERR_NOMEM ? err : ERR_AUTH, "station", 0,
                                       "the device does not prove the key it shows");
}

static enum err get_key(struct making *making)
{
    const struct factory_request request = {.op = FACTORY_KEY};
    struct factory_answer answer;
    enum err err = devicelink_ask(making->link, &request, &answer, making->info);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(making->key, answer.key, sizeof(making->key));
    const struct ledger_device *known = ledgerfile_find(making->station->file, view_of(making->serial));
    if (known != NULL && memcmp(known->key, making->key, sizeof(making->key)) != 0) {
        return errinfo_set(making->info, ERR_CONFLICT, "station", 0, "%s was begun with another device",
                           making->serial);
    }
    known = ledgerfile_find_key(making->station->file, making->key);
    if (known != NULL && strcmp(known->serial, making->serial) != 0) {
        return errinfo_set(making->info, ERR_CONFLICT, "station", 0, "this device is %s already", known->serial);
    }
    return prove(making, FACTORY_PROVE);
}

static enum err write_made(struct making *making)
{
    struct ledger_line line = {.event = LEDGER_MADE, .ts = making->now_ms};
    (void)snprintf(line.serial, sizeof(line.serial), "%s", making->serial); /* as above */
    memcpy(line.id, making->result->id, sizeof(line.id));
    memcpy(line.key, making->key, sizeof(line.key));
    ownercode_digest(&making->code, view_of(making->serial), line.owner);
    return of_disk(making, ledgerfile_add(making->station->file, &line, making->info));
}

/** The code that is pending is the one that the ledger has the digest of: else the label would be worth nothing. */
static enum err check_code(struct making *making, const struct ledger_device *device)
{
    uint8_t digest[SHA256_SIZE];
    ownercode_digest(&making->code, view_of(making->serial), digest);
    return memcmp(digest, device->owner, sizeof(digest)) == 0
               ? ERR_OK
               : errinfo_set(making->info, ERR_STATE, "station", 0,
                             "%s: the pending owner code is not the ledger's: declare the device void", making->serial);
}

/** Code and ledger line, each once. */
static enum err begin(struct making *making)
{
    const struct station_files *files = &making->station->files;
    const struct ledger_device *device = ledgerfile_find(making->station->file, view_of(making->serial));
    enum err err = station_files_code(files, making->serial, &making->code, making->info);
    if (device != NULL) {
        if (err == ERR_NOTFOUND) {
            return errinfo_set(making->info, ERR_STATE, "station", 0,
                               "%s: its owner code is lost: declare the device void", making->serial);
        }
        return err == ERR_OK ? check_code(making, device) : err;
    }
    if (err == ERR_NOTFOUND) {
        ownercode_make(&making->code);
        err = of_disk(making, station_files_keep_code(files, making->serial, &making->code, making->info));
    }
    return err == ERR_OK ? write_made(making) : err;
}

static enum err write_labels(struct making *making)
{
    const struct station_options *options = making->station->options;
    const struct label label = {.serial = making->serial,
                                .model = making->station->manifest.model,
                                .tail = making->result->tail,
                                .code = &making->code};
    enum err err = ERR_OK;
    for (int format = 0; err == ERR_OK && format < LABEL_FORMATS; format++) {
        if (options->formats[format]) {
            err = station_files_label(&making->station->files, &label, (enum label_format)format, making->info);
        }
    }
    if (err == ERR_OK && options->printer != NULL) {
        err = station_files_print(options->printer, &label, making->info);
    }
    return of_disk(making, err);
}

static enum err install_file(struct making *making, const char *file)
{
    struct factory_request request = {.op = FACTORY_INSTALL};
    struct factory_answer answer;
    (void)snprintf(request.file, sizeof(request.file), "%s", file); /* of factory_files */
    enum err err =
        station_files_claim(making->station->options->dir, file, request.data, &request.data_len, making->info);
    if (err == ERR_OK) {
        err = devicelink_ask(making->link, &request, &answer, making->info);
    }
    crypto_zeroise(request.data, sizeof(request.data));
    return err;
}

static enum err equip(struct making *making)
{
    enum err err = ERR_OK;
    struct factory_request request = {.op = FACTORY_SERIAL};
    struct factory_answer answer;
    for (size_t i = 0; err == ERR_OK && !making->station->options->keep_claim && factory_files[i] != NULL; i++) {
        err = install_file(making, factory_files[i]);
    }
    (void)snprintf(request.serial, sizeof(request.serial), "%s", making->serial); /* as above */
    return err == ERR_OK ? devicelink_ask(making->link, &request, &answer, making->info) : err;
}

/** What is on the label must be what the device says of itself. */
static enum err compare_label(struct making *making)
{
    const struct factory_request request = {.op = FACTORY_LABEL_TAIL};
    struct factory_answer answer;
    enum err err = devicelink_ask(making->link, &request, &answer, making->info);
    if (err != ERR_OK) {
        return err;
    }
    return strcmp(answer.serial, making->serial) == 0 && strcmp(answer.tail, making->result->tail) == 0
               ? ERR_OK
               : errinfo_set(making->info, ERR_CONFLICT, "station", 0, "the device says %s %s, the label %s %s",
                             answer.serial, answer.tail, making->serial, making->result->tail);
}

static enum err end_test(struct making *making)
{
    enum err err = prove(making, FACTORY_TEST);
    if (err == ERR_OK) {
        err = compare_label(making);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct ledger_line line = {.event = LEDGER_TESTED, .ts = making->now_ms};
    (void)snprintf(line.serial, sizeof(line.serial), "%s", making->serial); /* as above */
    err = of_disk(making, ledgerfile_add(making->station->file, &line, making->info));
    return err == ERR_OK ? station_files_drop_code(&making->station->files, making->serial, making->info) : err;
}

static enum err run(struct making *making)
{
    enum err err = get_key(making);
    factory_tail(making->key, making->result->tail);
    static enum err (*const steps[])(struct making *) = {begin, write_labels, equip, end_test};
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(steps); i++) {
        err = steps[i](making);
    }
    return err;
}

enum err station_make(struct station *station, int64_t now_ms, const char *serial, struct station_result *ret_result,
                      struct errinfo *info)
{
    struct making making = {.station = station, .serial = serial, .now_ms = now_ms, .result = ret_result, .info = info};
    station->broken = false;
    enum err err = station_plan(station, now_ms, serial, ret_result, info);
    if (err != ERR_OK || ret_result->outcome == STATION_ALREADY) {
        return err;
    }
    err = devicelink_open(station->options->agent, serial, station->options->timeout_ms, &making.link, info);
    if (err == ERR_OK) {
        err = run(&making);
    }
    devicelink_close(making.link);
    crypto_zeroise(&making.code, sizeof(making.code));
    return err;
}

enum err station_void(struct station *station, int64_t now_ms, const char *serial, const char *why,
                      struct errinfo *info)
{
    struct ledger_line line = {.event = LEDGER_VOID, .ts = now_ms};
    if (view_copy(view_of(serial), line.serial, sizeof(line.serial)) != ERR_OK ||
        view_copy(view_of(why), line.why, sizeof(line.why)) != ERR_OK) {
        return errinfo_set(info, ERR_LIMIT, "station", 0, "serial number or reason is too long");
    }
    enum err err = ledgerfile_add(station->file, &line, info);
    return err == ERR_OK ? station_files_drop_code(&station->files, serial, info) : err;
}
