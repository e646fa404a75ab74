/* SPDX-License-Identifier: Apache-2.0 */
/** `muster factory station`: serial numbers in, from the command line or a scanner, devices out. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/factory.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/station.h"

#define LINE_SIZE  128 /* a serial number and its newline; longer lines are refused whole */
#define TIMEOUT_MS 60000

const struct args_row factory_station_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct factory_station_options, dir), .help = "Folder of the batch"},
    {"key", 'k', "KEY", ARGS_STRING, offsetof(struct factory_station_options, key), .help = "The station's key"},
    {"name", 0, "NAME", ARGS_STRING, offsetof(struct factory_station_options, name),
     .help = "The station's name: [a-z0-9-] (default: the key's file name)"},
    {"agent", 'a', "COMMAND", ARGS_STRING, offsetof(struct factory_station_options, agent),
     .help =
         "How the device is reached, {serial} in it replaced, as in \"ssh root@{serial}.line muster-agent factory\""},
    {"stdin", 0, NULL, ARGS_FLAG, offsetof(struct factory_station_options, from_stdin),
     .help = "One serial number a line from standard input, one JSON object a line out"},
    {"label", 'l', "FORMAT", ARGS_STRINGS, offsetof(struct factory_station_options, labels),
     .help = "png, svg or zpl; may be repeated (default: png)"},
    {"no-label", 0, NULL, ARGS_FLAG, offsetof(struct factory_station_options, no_label), .help = "Write no label file"},
    {"print", 'p', "FILE", ARGS_STRING, offsetof(struct factory_station_options, printer),
     .help = "Label printer that takes ZPL, as /dev/usb/lp0, or a file that is there"},
    {"keep-claim", 0, NULL, ARGS_FLAG, offsetof(struct factory_station_options, keep_claim),
     .help = "The image has the claim already: install none"},
    {"factory-pub", 0, "FILE", ARGS_STRING, offsetof(struct factory_station_options, factory_pub),
     .help = "The factory's public key, which must have signed the manifest"},
    {"timeout", 't', "DURATION", ARGS_DURATION, offsetof(struct factory_station_options, timeout_ms), .min = 1,
     .max = API_TIMEOUT_MAX_MS, .help = "How long the device may take for an answer (default: 60s)"},
    {"void", 0, "SERIAL", ARGS_STRING, offsetof(struct factory_station_options, void_serial),
     .help = "Declare a device that was made to be none; with --why"},
    {"why", 0, "TEXT", ARGS_STRING, offsetof(struct factory_station_options, why), .help = "The reason, for people"},
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct factory_station_options, dry_run),
     .help = "Say what would be done, ask no device"},
    {"json", 'j', NULL, ARGS_FLAG, offsetof(struct factory_station_options, json),
     .help = "One JSON object a line, also without --stdin"},
    {0},
};
const struct factory_station_options factory_station_defaults = {.timeout_ms = TIMEOUT_MS};

struct shift {
    const struct command_call *call;
    const struct factory_station_options *options;
    struct station *station;
    struct progress progress;
    bool json;
    uint64_t good, bad;
    enum exit_code last; /* of the last device that failed */
};

/* ---- options ---- */

static bool set_formats(const struct factory_station_options *options, struct station_options *station)
{
    station->formats[LABEL_PNG] = options->labels.len == 0 && !options->no_label;
    for (size_t i = 0; i < options->labels.len; i++) {
        int format = 0;
        while (label_formats[format] != NULL && strcmp(label_formats[format], options->labels.items[i]) != 0) {
            format++;
        }
        if (label_formats[format] == NULL) {
            return false;
        }
        station->formats[format] = true;
    }
    return true;
}

static const char *misuse(const struct command_call *call, const struct factory_station_options *options)
{
    if (options->dir == NULL || options->key == NULL) {
        return options->dir == NULL ? "--dir is missing" : "--key is missing";
    }
    if (options->void_serial != NULL) {
        return options->why == NULL                            ? "--why is missing"
               : options->from_stdin || call->operands_len > 0 ? "--void takes no other serial number"
                                                               : NULL;
    }
    if (options->from_stdin == (call->operands_len > 0)) {
        return "give either serial numbers or --stdin";
    }
    if (options->labels.len > 0 && options->no_label) {
        return "--label and --no-label exclude each other";
    }
    return options->agent == NULL && !options->dry_run ? "--agent is missing" : NULL;
}

/* ---- one device ---- */

static enum exit_code tell_good(const struct shift *shift, const char *serial, const struct station_result *result,
                                uint64_t took_ms)
{
    const char *state = station_outcome_name(result->outcome);
    if (shift->json) {
        return factory_print(json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "serial", serial, "id", result->id, "state",
                                       state, "key", result->tail, "dry_run", (int)shift->options->dry_run, "ms",
                                       (json_int_t)took_ms));
    }
    return printf("%s\t%s\t%s%s\n", serial, result->id, shift->options->dry_run ? "would be " : "", state) >= 0 &&
                   fflush(stdout) == 0
               ? EXIT_OK
               : EXIT_FAILED;
}

static enum exit_code tell_bad(const struct shift *shift, const char *serial, const struct errinfo *info)
{
    if (shift->json) {
        return factory_print(json_pack("{s:s, s:s, s:s, s:s}", "serial", serial, "state", "failed", "error",
                                       err_name(info->err), "cause", info->text));
    }
    (void)fprintf(stderr, "muster: %s: %s\n", serial, info->text); /* counted as well */
    return EXIT_OK;
}

/** @return EXIT_FAILED when stdout is broken: whoever scans would not hear of the next ones. */
static enum exit_code make_one(struct shift *shift, const char *serial)
{
    struct station_result result = {.outcome = STATION_MADE};
    struct errinfo info = {0};
    uint64_t begun_ms = clock_mono_ms();
    enum err err = shift->options->dry_run ? station_plan(shift->station, clock_wall_ms(), serial, &result, &info)
                                           : station_make(shift->station, clock_wall_ms(), serial, &result, &info);
    uint64_t now_ms = clock_mono_ms();
    info.err = err;
    progress_clear(&shift->progress);
    if (err != ERR_OK) {
        shift->bad++;
        shift->last = exit_code_of(err);
        progress_step(&shift->progress, PROGRESS_FAILED, now_ms);
        return tell_bad(shift, serial, &info);
    }
    shift->good++;
    progress_step(&shift->progress, result.outcome == STATION_ALREADY ? PROGRESS_SKIPPED : PROGRESS_DONE, now_ms);
    return tell_good(shift, serial, &result, now_ms - begun_ms);
}

/* ---- a shift ---- */

/** As a scanner types: the next line without its newline, control characters as "?". Of an overlong line come
 * LINE_SIZE - 1 bytes, which no serial number is. @return false at the end. */
static bool read_serial(char line[static LINE_SIZE])
{
    size_t len = 0;
    int c = fgetc(stdin);
    bool any = c != EOF;
    for (; c != EOF && c != '\n'; c = fgetc(stdin)) {
        if (len < LINE_SIZE - 1 && c != '\r') {
            line[len++] = c < ' ' || c > '~' ? '?' : (char)c;
        }
    }
    line[len] = '\0';
    return any;
}

static enum exit_code work_through(struct shift *shift)
{
    char line[LINE_SIZE];
    enum exit_code code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < shift->call->operands_len && !station_is_broken(shift->station); i++) {
        code = make_one(shift, shift->call->operands[i]);
    }
    while (shift->options->from_stdin && code == EXIT_OK && !station_is_broken(shift->station) && read_serial(line)) {
        code = line[0] != '\0' ? make_one(shift, line) : EXIT_OK;
    }
    return code;
}

static enum exit_code report_broken(const struct shift *shift)
{
    const struct report report = {
        .error = "the shift was stopped",
        .cause = "the station's disk or printer takes no more",
        .hint = "make room or mend it, then run the command again: it goes on where it stopped",
        .docs = shift->call->name,
        .id = "disk",
    };
    report_print(&report, stderr);
    return EXIT_FAILED;
}

static enum exit_code run_shift(struct shift *shift)
{
    const struct manifest *m = station_manifest(shift->station);
    uint64_t total = shift->options->from_stdin ? m->count : shift->call->operands_len;
    bool shown = shift->options->from_stdin || shift->call->operands_len > 1;
    progress_init(&shift->progress, shown ? stderr : NULL, total, clock_mono_ms());
    enum exit_code code = work_through(shift);
    progress_end(&shift->progress, clock_mono_ms());
    if (code != EXIT_OK || station_is_broken(shift->station)) {
        return station_is_broken(shift->station) ? report_broken(shift) : code;
    }
    return shift->bad == 0 ? EXIT_OK : shift->good > 0 ? EXIT_PARTLY : shift->last;
}

static enum exit_code declare_void(struct shift *shift)
{
    const struct factory_station_options *options = shift->options;
    struct errinfo info = {0};
    if (options->dry_run) {
        const struct ledger_device *device =
            ledgerfile_find(station_ledger(shift->station), view_of(options->void_serial));
        (void)printf("%s\t%s\n", options->void_serial,
                     device != NULL ? "would be void" : "unknown"); /* flushed below */
        return fflush(stdout) == 0 ? (device != NULL ? EXIT_OK : EXIT_ABSENT) : EXIT_FAILED;
    }
    enum err err = station_void(shift->station, clock_wall_ms(), options->void_serial, options->why, &info);
    if (err != ERR_OK) {
        info.err = err;
        return factory_failed(shift->call, options->json, "the device was not declared void", &info);
    }
    if (shift->json) {
        return factory_print(json_pack("{s:s, s:s}", "serial", options->void_serial, "state", "void"));
    }
    return printf("%s\tvoid\n", options->void_serial) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code factory_station_run(const struct command_call *call)
{
    const struct factory_station_options *options = call->options;
    struct station_options station = {.dir = options->dir,
                                      .key = options->key,
                                      .name = options->name,
                                      .agent = options->agent,
                                      .printer = options->printer,
                                      .keep_claim = options->keep_claim,
                                      .timeout_ms = options->timeout_ms};
    struct shift shift = {.call = call, .options = options, .json = options->json || options->from_stdin};
    struct errinfo info = {0};
    uint8_t factory[KEY_POINT_SIZE];
    size_t torn = 0;
    const char *wrong = misuse(call, options);
    if (wrong != NULL || !set_formats(options, &station)) {
        return command_misuse(call, wrong != NULL ? wrong : "--label: not png, svg or zpl");
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a device that goes away is an answer, not our end; cannot fail for this one */
    enum err err = options->factory_pub != NULL ? factory_public_key(options->factory_pub, factory, &info) : ERR_OK;
    station.factory = options->factory_pub != NULL ? factory : NULL;
    if (err == ERR_OK) {
        err = station_open(&station, &shift.station, &torn, &info);
    }
    if (err != ERR_OK) {
        info.err = err;
        return factory_failed(call, options->json, "the station does not begin", &info);
    }
    if (torn > 0) {
        (void)fprintf(stderr,
                      "muster: a line that a power cut tore was set aside; its device comes again\n"); /* news */
    }
    enum exit_code code = options->void_serial != NULL ? declare_void(&shift) : run_shift(&shift);
    station_close(shift.station);
    return code;
}
