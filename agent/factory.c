/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/factory.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/args.h"
#include "base/file.h"
#include "provisioning/keyopen.h"
#include "provisioning/ledger.h"

#define FILE_MODE   0644
#define SECRET_MODE 0600

static void refuse(struct factory_answer *answer, const char *why)
{
    *answer = (struct factory_answer){.op = FACTORY_NO};
    (void)snprintf(answer->why, sizeof(answer->why), "%.*s", FACTORY_WHY_MAX, why); /* cut to fit */
}

static void refuse_for(struct factory_answer *answer, const char *what, enum err err)
{
    char why[FACTORY_WHY_MAX + 1];
    (void)snprintf(why, sizeof(why), "%.*s: %s", FACTORY_WHY_MAX / 2, what, err_text(err)); /* cut to fit */
    refuse(answer, why);
}

/* ---- key ---- */

static enum err open_key(const struct factory_device *device, struct key **ret_key, struct errinfo *info)
{
    const struct key_opening opening = {.rng = device->rng};
    return key_open(device->key, &opening, ret_key, info);
}

/** The key that is there, else a new one: a device has one key for life. */
static enum err need_key(const struct factory_device *device, struct key **ret_key, struct errinfo *info)
{
    enum err err = access(device->key, F_OK) == 0 ? open_key(device, ret_key, info) : ERR_NOTFOUND;
    if (err != ERR_NOTFOUND) {
        return err;
    }
    err = file_make_parents(device->key);
    if (err == ERR_OK) {
        err = key_make(device->rng, ret_key);
    }
    if (err == ERR_OK) {
        err = key_save(*ret_key, device->key);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "factory", 0, "%s: %s", device->key, err_text(err));
}

static void serve_key(const struct factory_device *device, struct factory_answer *answer)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    struct errinfo info = {0};
    if (need_key(device, &key, &info) != ERR_OK) {
        refuse(answer, info.text);
        return;
    }
    key_public(key, answer->key);
}

static void serve_proof(const struct factory_device *device, const struct factory_request *request,
                        struct factory_answer *answer)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    struct errinfo info = {0};
    if (open_key(device, &key, &info) != ERR_OK) {
        refuse(answer, info.text);
        return;
    }
    enum err err = factory_proof_sign(key, request, answer->signature, &answer->signature_len);
    if (err != ERR_OK) {
        refuse_for(answer, "not signed", err);
    }
}

/* ---- serial number ---- */

static enum err read_serial(const struct factory_device *device, char ret_serial[static LEDGER_SERIAL_MAX + 1])
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(device->serial_file, LEDGER_SERIAL_MAX + 2, &text, &len);
    if (err != ERR_OK) {
        return err;
    }
    struct view serial = view_trim(view_n(text, len));
    err = ledger_serial_valid(serial) ? view_copy(serial, ret_serial, LEDGER_SERIAL_MAX + 1) : ERR_CORRUPT;
    free(text);
    return err;
}

static void serve_serial(const struct factory_device *device, const struct factory_request *request,
                         struct factory_answer *answer)
{
    char serial[LEDGER_SERIAL_MAX + 1];
    char text[LEDGER_SERIAL_MAX + 2];
    enum err err = read_serial(device, serial);
    if (err == ERR_OK) {
        if (strcmp(serial, request->serial) != 0) {
            refuse(answer, "this device has another serial number already");
        }
        return;
    }
    int len = snprintf(text, sizeof(text), "%s\n", request->serial);
    if (err == ERR_NOTFOUND) {
        err = file_make_parents(device->serial_file);
    }
    if (err == ERR_OK) {
        err = file_replace(device->serial_file, view_n(text, (size_t)len), FILE_MODE);
    }
    if (err != ERR_OK) {
        refuse_for(answer, device->serial_file, err);
    }
}

/* ---- claim ---- */

static bool claim_path(const struct factory_device *device, const char *file, char ret_path[static PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s", device->claim_dir, file);
    return n > 0 && n < PATH_MAX;
}

static void serve_install(const struct factory_device *device, const struct factory_request *request,
                          struct factory_answer *answer)
{
    char path[PATH_MAX];
    if (!claim_path(device, request->file, path)) {
        refuse(answer, "path too long");
        return;
    }
    enum err err = file_make_parents(path);
    if (err == ERR_OK) {
        mode_t mode = strcmp(request->file, "claim.key") == 0 ? SECRET_MODE : FILE_MODE;
        err = file_replace(path, view_n((const char *)request->data, request->data_len), mode);
    }
    if (err != ERR_OK) {
        refuse_for(answer, path, err);
    }
}

/** A device with a part of a claim would come back from its first customer. */
static const char *claim_missing(const struct factory_device *device)
{
    char path[PATH_MAX];
    size_t there = 0;
    const char *missing = NULL;
    for (const char *const *file = factory_files; *file != NULL; file++) {
        if (claim_path(device, *file, path) && access(path, R_OK) == 0) {
            there++;
        } else {
            missing = *file;
        }
    }
    return there == 0 ? "no claim is installed" : missing;
}

/* ---- end of the line ---- */

static void serve_tail(const struct factory_device *device, struct factory_answer *answer)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    struct errinfo info = {0};
    uint8_t point[KEY_POINT_SIZE];
    enum err err = read_serial(device, answer->serial);
    if (err != ERR_OK) {
        refuse_for(answer, device->serial_file, err);
        return;
    }
    if (open_key(device, &key, &info) != ERR_OK) {
        refuse(answer, info.text);
        return;
    }
    key_public(key, point);
    factory_tail(point, answer->tail);
}

static void serve_test(const struct factory_device *device, const struct factory_request *request,
                       struct factory_answer *answer)
{
    char serial[LEDGER_SERIAL_MAX + 1];
    enum err err = read_serial(device, serial);
    const char *missing = claim_missing(device);
    if (err != ERR_OK) {
        refuse_for(answer, device->serial_file, err);
    } else if (strcmp(serial, request->serial) != 0) {
        refuse(answer, "this device has another serial number");
    } else if (missing != NULL) {
        refuse_for(answer, missing, ERR_NOTFOUND);
    } else {
        serve_proof(device, request, answer);
    }
}

void factory_serve(const struct factory_device *device, const struct factory_request *request,
                   struct factory_answer *ret_answer)
{
    *ret_answer = (struct factory_answer){.op = request->op};
    switch (request->op) {
    case FACTORY_KEY:
        serve_key(device, ret_answer);
        break;
    case FACTORY_PROVE:
        serve_proof(device, request, ret_answer);
        break;
    case FACTORY_INSTALL:
        serve_install(device, request, ret_answer);
        break;
    case FACTORY_SERIAL:
        serve_serial(device, request, ret_answer);
        break;
    case FACTORY_LABEL_TAIL:
        serve_tail(device, ret_answer);
        break;
    case FACTORY_TEST:
        serve_test(device, request, ret_answer);
        break;
    case FACTORY_NO:
        refuse(ret_answer, "not a request");
        break;
    }
}

/* ---- command ---- */

struct factory_options {
    const char *state_dir, *key, *serial_file, *claim_dir;
};

static const struct args_row factory_rows[] = {
    {"state-dir", 0, "DIR", ARGS_STRING, offsetof(struct factory_options, state_dir),
     .help = "Where the agent keeps its state (default " FACTORY_STATE_DIR ")"},
    {"key", 0, "KEY", ARGS_STRING, offsetof(struct factory_options, key),
     .help = "The device's key: a file, made if absent (default device.key in the state folder)"},
    {"serial-file", 0, "FILE", ARGS_STRING, offsetof(struct factory_options, serial_file),
     .help = "Where the serial number goes (default serial in the state folder)"},
    {"claim-dir", 0, "DIR", ARGS_STRING, offsetof(struct factory_options, claim_dir),
     .help = "Where the claim's files go (default " FACTORY_CLAIM_DIR ")"},
    {0},
};

/** @return false when stdout is broken. */
static bool answer_line(const struct factory_device *device, struct view line)
{
    struct factory_request request = {.op = FACTORY_NO};
    struct factory_answer answer;
    struct errinfo info = {0};
    struct strbuf text;
    strbuf_init(&text, FACTORY_LINE_MAX);
    enum err err = factory_request_read(line, &request, &info);
    if (err == ERR_OK) {
        factory_serve(device, &request, &answer);
    } else {
        refuse(&answer, info.text[0] != '\0' ? info.text : err_text(err));
    }
    crypto_zeroise(request.data, sizeof(request.data));
    bool good =
        factory_answer_write(&answer, &text) == ERR_OK && fputs(strbuf_str(&text), stdout) >= 0 && fflush(stdout) == 0;
    strbuf_deinit(&text);
    return good;
}

static int serve_lines(const struct factory_device *device)
{
    static char line[FACTORY_LINE_MAX + 2]; /* newline and NUL */
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct view text = view_of(line);
        if (!view_ends_with(text, VIEW_LITERAL("\n")) && feof(stdin) == 0) {
            (void)fprintf(stderr, "muster-agent factory: a line is too long\n"); /* nowhere else to say it */
            return EX_DATAERR;
        }
        if (!answer_line(device, view_trim(text))) {
            return EX_IOERR;
        }
    }
    crypto_zeroise(line, sizeof(line));
    return ferror(stdin) == 0 ? EX_OK : EX_IOERR;
}

/** What was not given lies in the state folder. */
static bool default_path(const char *given, const char *state_dir, const char *name, char ret_path[static PATH_MAX])
{
    int n = given != NULL ? snprintf(ret_path, PATH_MAX, "%s", given)
                          : snprintf(ret_path, PATH_MAX, "%s/%s", state_dir, name);
    return n > 0 && n < PATH_MAX;
}

int factory_command(int argc, char *const argv[])
{
    static const struct args_schema schema = {
        .program = "muster-agent factory",
        .summary = "Answers a factory station: requests on standard input, answers on standard output.",
        .rows = factory_rows,
    };
    struct factory_options options = {.state_dir = FACTORY_STATE_DIR, .claim_dir = FACTORY_CLAIM_DIR};
    struct args_result result;
    char key[PATH_MAX], serial_file[PATH_MAX];
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    struct factory_device device = {.key = key, .serial_file = serial_file, .claim_dir = options.claim_dir};
    if (!default_path(options.key, options.state_dir, "device.key", key) ||
        !default_path(options.serial_file, options.state_dir, "serial", serial_file) ||
        key_rng_new(&device.rng) != ERR_OK) {
        (void)fprintf(stderr, "muster-agent factory: a path is too long, or there are no random numbers\n");
        return EX_SOFTWARE;
    }
    status = serve_lines(&device);
    key_rng_free(device.rng);
    return status;
}
