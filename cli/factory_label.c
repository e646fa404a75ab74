/* SPDX-License-Identifier: Apache-2.0 */
/** `muster factory label`: one label anew, of an owner code that is known. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "cli/factory.h"
#include "cli/label.h"
#include "provisioning/factoryline.h"
#include "provisioning/ledgerfile.h"

#define LABEL_MODE 0600
#define LINE_SIZE  64

const struct args_row factory_label_rows[] = {
    {"format", 'f', NULL, ARGS_ENUM, offsetof(struct factory_label_options, format), .choices = label_formats,
     .help = "What to write (default: png)"},
    {"out", 'o', "FILE", ARGS_STRING, offsetof(struct factory_label_options, out),
     .help = "File to replace (default: standard output)"},
    {"model", 'm', "TEXT", ARGS_STRING, offsetof(struct factory_label_options, model), .help = "Line above the serial"},
    {"ledger", 0, "FILE", ARGS_STRING, offsetof(struct factory_label_options, ledger),
     .help = "The station's ledger: the owner code must be the device's"},
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct factory_label_options, dry_run), .help = "Check, write nothing"},
    {0},
};

/** A secret is no argument, which every user of the machine could read: it comes on standard input. */
static enum err read_code(struct ownercode *ret_code, struct errinfo *info)
{
    char line[LINE_SIZE] = "";
    enum err err = fgets(line, sizeof(line), stdin) != NULL ? ownercode_read(view_of(line), ret_code) : ERR_PARSE;
    crypto_zeroise(line, sizeof(line));
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(info, err, "factory", 0,
                                       err == ERR_INVALID ? "the owner code on standard input is mistyped"
                                                          : "no owner code on standard input");
}

static enum err check_ledger(const char *path, const struct label *label, char ret_tail[static FACTORY_TAIL_SIZE],
                             struct errinfo *info)
{
    struct ledgerfile *file = NULL;
    uint8_t digest[SHA256_SIZE];
    enum err err = ledgerfile_open(path, NULL, NULL, NULL, &file, info);
    if (err != ERR_OK) {
        return err;
    }
    const struct ledger_device *device = ledgerfile_find(file, view_of(label->serial));
    ownercode_digest(label->code, view_of(label->serial), digest);
    if (device == NULL) {
        err = errinfo_set(info, ERR_NOTFOUND, "factory", 0, "%s: no device %s", path, label->serial);
    } else if (memcmp(device->owner, digest, sizeof(digest)) != 0) {
        err = errinfo_set(info, ERR_CONFLICT, "factory", 0, "the owner code is not that of %s", label->serial);
    } else {
        factory_tail(device->key, ret_tail);
    }
    ledgerfile_close(file);
    return err;
}

static enum err write_out(const struct factory_label_options *options, struct view text, struct errinfo *info)
{
    if (options->dry_run) {
        return ERR_OK;
    }
    if (options->out == NULL) {
        return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0
                   ? ERR_OK
                   : errinfo_set(info, ERR_IO, "factory", 0, "standard output takes no more");
    }
    enum err err = file_replace(options->out, text, LABEL_MODE);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "factory", 0, "%s: %s", options->out, err_text(err));
}

enum exit_code factory_label_run(const struct command_call *call)
{
    const struct factory_label_options *options = call->options;
    struct errinfo info = {0};
    struct ownercode code;
    struct strbuf text;
    char tail[FACTORY_TAIL_SIZE] = "";
    struct label label = {.serial = call->operands[0],
                          .model = options->model != NULL ? options->model : "",
                          .tail = tail,
                          .code = &code};
    if (!ledger_serial_valid(view_of(label.serial))) {
        return command_misuse(call, "SERIAL is not a serial number");
    }
    strbuf_init(&text, LABEL_MAX);
    enum err err = read_code(&code, &info);
    if (err == ERR_OK && options->ledger != NULL) {
        err = check_ledger(options->ledger, &label, tail, &info);
    }
    if (err == ERR_OK) {
        err = label_write(&label, (enum label_format)options->format, &text);
    }
    if (err == ERR_OK) {
        err = write_out(options, strbuf_view(&text), &info);
    }
    if (text.ptr != NULL) {
        crypto_zeroise(text.ptr, text.size);
    }
    strbuf_deinit(&text);
    crypto_zeroise(&code, sizeof(code));
    info.err = err;
    return err == ERR_OK ? EXIT_OK : factory_failed(call, false, "no label was written", &info);
}
