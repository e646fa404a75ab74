/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/brokerlint.h"
#include "cli/brokerreload.h"
#include "cli/report.h"

#define ARENA_MAX  (4u << 20)
#define REPORT_MAX (256u << 10)

static const char *const broker_choices[] = {"all", "core", "prov", "dash", NULL};

#define COMMON_ROWS                                                                                                    \
    {"config",                                                                                                         \
     'c',                                                                                                              \
     "FILE",                                                                                                           \
     ARGS_STRING,                                                                                                      \
     offsetof(struct broker_options, config),                                                                          \
     .help = "Description of the brokers (default: " BROKERDESC_DEFAULT ")"},                                          \
        {"broker",                                                                                                     \
         'b',                                                                                                          \
         "NAME",                                                                                                       \
         ARGS_ENUM,                                                                                                    \
         offsetof(struct broker_options, broker),                                                                      \
         .choices = broker_choices,                                                                                    \
         .help = "One of them: core, prov or dash (default: all)"},                                                    \
    {                                                                                                                  \
        "json", 0, NULL, ARGS_FLAG, offsetof(struct broker_options, json), .help = "Print one JSON document"           \
    }
#define DRY_RUN_ROW                                                                                                    \
    {                                                                                                                  \
        "dry-run", 0, NULL, ARGS_FLAG, offsetof(struct broker_options, dry_run),                                       \
            .help = "Say what would be done, and do nothing"                                                           \
    }
#define TIMEOUT_ROW                                                                                                    \
    {                                                                                                                  \
        "timeout", 0, "DURATION", ARGS_DURATION, offsetof(struct broker_options, timeout_ms),                          \
            .min = 100, .max = 600000, .help = "How long a broker may take to answer (default: 15s)"                   \
    }

const struct broker_options broker_defaults = {.config = BROKERDESC_DEFAULT, .timeout_ms = 15000};
const struct args_row broker_render_rows[] = {COMMON_ROWS, DRY_RUN_ROW, {0}};
const struct args_row broker_lint_rows[] = {COMMON_ROWS, {0}};
const struct args_row broker_reload_rows[] = {COMMON_ROWS, DRY_RUN_ROW, TIMEOUT_ROW, {0}};
const struct args_row broker_probe_rows[] = {COMMON_ROWS, TIMEOUT_ROW, {0}};

/** One command over the brokers of the description. */
struct task {
    const struct command_call *call;
    const struct broker_options *options;
    const struct brokerdesc *desc;
    const char *failed;  /* "no configuration was written" */
    struct errinfo info; /* of the broker that is worked on */
};

/** Does one broker. @param result object to fill for --json. @return EXIT_OK, or what the command ends with. */
typedef enum exit_code (*broker_fn)(struct task *task, enum broker_kind kind, json_t *result);

static enum exit_code complain(const struct task *task, enum exit_code code, const char *cause, const char *hint)
{
    const struct report report = {
        .error = task->failed, .cause = cause, .hint = hint, .docs = task->call->name, .id = "broker"};
    if (task->options->json) {
        report_print_json(&report, stderr);
    } else {
        report_print(&report, stderr);
    }
    return code;
}

static enum exit_code complain_info(const struct task *task)
{
    return complain(task, exit_code_of(task->info.err), task->info.text,
                    "correct what the cause names, and run the command again");
}

/** A member of a result; json_dumps says it when there was no memory. */
static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value); /* releases the value on failure */
}

static bool is_wanted(const struct task *task, size_t kind)
{
    return task->desc->part[kind].position.line != 0 &&
           (task->options->broker == 0 || task->options->broker == (int)kind + 1);
}

static enum exit_code print_json(json_t *results)
{
    json_t *document = json_pack("{s:O}", "brokers", results);
    char *text = document != NULL ? json_dumps(document, JSON_INDENT(2)) : NULL;
    bool printed = text != NULL && puts(text) >= 0;
    free(text);
    json_decref(document);
    return printed ? EXIT_OK : EXIT_FAILED;
}

/** The first broker that fails ends the command: core goes before prov and dash. */
static enum exit_code each_broker(struct task *task, broker_fn fn)
{
    json_t *results = json_array();
    enum exit_code code = EXIT_OK;
    size_t done = 0;
    for (size_t kind = 0; kind < BROKER_KINDS && code == EXIT_OK; kind++) {
        if (!is_wanted(task, kind)) {
            continue;
        }
        json_t *result = json_pack("{s:s}", "broker", broker_kind_name((enum broker_kind)kind));
        code = fn(task, (enum broker_kind)kind, result);
        if (json_array_append_new(results, result) != 0) {
            code = EXIT_FAILED;
        }
        done++;
    }
    if (done == 0) {
        code = complain(task, EXIT_ABSENT, "the description has no such broker",
                        "name one that it has, or add the section");
    } else if (task->options->json && print_json(results) != EXIT_OK) {
        code = EXIT_FAILED;
    }
    json_decref(results);
    return fflush(stdout) == 0 ? code : EXIT_FAILED;
}

static enum exit_code run(const struct command_call *call, const char *failed, broker_fn fn)
{
    const struct broker_options *options = call->options;
    struct brokerdesc desc;
    struct arena arena;
    struct strbuf report;
    struct task task = {.call = call, .options = options, .desc = &desc, .failed = failed};
    arena_init(&arena, ARENA_MAX);
    strbuf_init(&report, REPORT_MAX);
    enum err err = config_load(&brokerdesc_schema, options->config, &arena, &desc, &report);
    enum exit_code code = EXIT_FAILED;
    if (err == ERR_OK) {
        code = each_broker(&task, fn);
    } else {
        char cause[BROKERVERSION_PATH_MAX];
        (void)fputs(strbuf_str(&report), stderr); /* each mistake by line, before the four lines */
        (void)snprintf(cause, sizeof(cause), "%s: %s", options->config, err_text(err)); /* may be cut */
        code = complain(&task, exit_code_of(err), cause, "name the description with --config, or correct it");
    }
    strbuf_deinit(&report);
    arena_deinit(&arena);
    return code;
}

/* ---- render ---- */

/** The plugin takes no broker up without its file. */
static enum err make_deny_file(struct task *task, enum broker_kind kind)
{
    const char *path = task->desc->part[kind].deny_file;
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    if (fd >= 0) {
        (void)close(fd); /* nothing was written */
    } else if (path != NULL && errno != EEXIST) {
        return errinfo_set(&task->info, err_from_errno(errno), "broker", errno, "%s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

static enum exit_code render_one(struct task *task, enum broker_kind kind, json_t *result)
{
    struct brokerfiles files = {.len = 0};
    struct brokerversion version = {.newest = 0};
    bool dry = task->options->dry_run;
    enum err err = brokerversion_look(task->desc->directory, kind, &version, &task->info);
    if (err == ERR_OK) {
        err = brokerrender_files(task->desc, kind, &files, &task->info);
    }
    bool fresh = err == ERR_OK && !brokerversion_same(&version, version.newest, &files);
    if (err == ERR_OK && fresh && !dry) {
        err = brokerversion_add(&version, &files, &task->info);
    }
    if (err == ERR_OK && !dry) {
        err = make_deny_file(task, kind);
    }
    brokerfiles_deinit(&files);
    if (err != ERR_OK) {
        return complain_info(task);
    }
    unsigned number = fresh && dry ? version.newest + 1 : version.newest;
    set(result, "folder", json_string(version.folder));
    set(result, "version", json_integer(number));
    set(result, "current", json_integer(version.current));
    set(result, "written", json_boolean(fresh && !dry));
    if (!task->options->json) {
        (void)printf("%s/v%u%s\n", version.folder, number,
                     !fresh ? " (unchanged)"
                     : dry  ? " (would be written)"
                            : ""); /* fflush tells */
    }
    return EXIT_OK;
}

enum exit_code broker_render_run(const struct command_call *call)
{
    return run(call, "no configuration was written", render_one);
}

/* ---- lint ---- */

/** Judges the newest version. @param ret_version where it is. */
static enum exit_code judge(struct task *task, enum broker_kind kind, json_t *result, struct brokerversion *ret_version)
{
    if (!clock_wall_is_set()) {
        return complain(task, EXIT_FAILED, "the clock of this machine is not set",
                        "set it: lists and certificates end");
    }
    if (brokerversion_look(task->desc->directory, kind, ret_version, &task->info) != ERR_OK) {
        return complain_info(task);
    }
    if (ret_version->newest == 0) {
        return complain(task, EXIT_ABSENT, "there is no version of its files", "write one: muster broker render");
    }
    struct brokerfindings findings = {.list = json_array()};
    brokerlint_version(task->desc, kind, ret_version, ret_version->newest, clock_wall_ms() / 1000, &findings);
    bool good = findings.list != NULL && json_array_size(findings.list) == 0;
    size_t i;
    json_t *finding;
    json_array_foreach(findings.list, i, finding)
    {
        json_int_t line = json_integer_value(json_object_get(finding, "line"));
        const char *file = json_string_value(json_object_get(finding, "file"));
        const char *text = json_string_value(json_object_get(finding, "text"));
        if (!task->options->json && line > 0) {
            (void)fprintf(stderr, "%s:%d: %s\n", file, (int)line, text); /* the exit code says it, too */
        } else if (!task->options->json) {
            (void)fprintf(stderr, "%s: %s\n", file, text);
        }
    }
    set(result, "version", json_integer(ret_version->newest));
    set(result, "findings", findings.list != NULL ? findings.list : json_null());
    return good ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code lint_one(struct task *task, enum broker_kind kind, json_t *result)
{
    struct brokerversion version;
    enum exit_code code = judge(task, kind, result, &version);
    if (code == EXIT_OK && !task->options->json) {
        (void)printf("%s/v%u: good\n", version.folder, version.newest); /* fflush tells */
    }
    return code;
}

enum exit_code broker_lint_run(const struct command_call *call)
{
    return run(call, "the brokers' files were not judged", lint_one);
}

/* ---- probe ---- */

static void show_probe(const struct task *task, const struct brokerprobe *probe, json_t *result)
{
    static const char *const verdicts[] = {"unknown", "passed", "failed", "skipped"};
    json_t *checks = json_array();
    for (size_t i = 0; i < BROKERPROBE_CHECKS; i++) {
        const char *verdict = verdicts[probe->verdict[i]];
        const char *text = brokerprobe_check_text((enum brokerprobe_check)i);
        (void)json_array_append_new(checks, json_pack("{s:s, s:s, s:s}", "check", text, "verdict", verdict, "detail",
                                                      probe->detail[i])); /* json_dumps tells */
        if (!task->options->json) {
            (void)printf("  %-8s%s%s%s\n", verdict, text, probe->detail[i][0] != '\0' ? ": " : "",
                         probe->detail[i]); /* fflush tells */
        }
    }
    set(result, "checks", checks);
}

static enum exit_code probe_one(struct task *task, enum broker_kind kind, json_t *result)
{
    const struct broker_trial *trial = &task->desc->part[kind].trial;
    struct brokerprobe probe;
    if (trial->position.line == 0) {
        set(result, "result", json_string("skipped"));
        if (!task->options->json) {
            (void)printf("%s: not probed: the description has no probe section\n", broker_kind_name(kind));
        }
        return task->options->broker == 0 ? EXIT_OK : EXIT_ABSENT;
    }
    if (brokerprobe_run(kind, trial, task->options->timeout_ms, &probe, &task->info) != ERR_OK) {
        return complain_info(task);
    }
    bool passed = brokerprobe_passed(&probe);
    set(result, "result", json_string(passed ? "passed" : "failed"));
    if (!task->options->json) {
        (void)printf("%s: %s\n", broker_kind_name(kind), passed ? "passed" : "failed");
    }
    show_probe(task, &probe, result);
    return passed ? EXIT_OK : EXIT_FAILED;
}

enum exit_code broker_probe_run(const struct command_call *call)
{
    return run(call, "the broker was not probed", probe_one);
}

/* ---- reload ---- */

static enum exit_code show_reload(const struct task *task, enum broker_kind kind, const struct brokerreload *reload,
                                  json_t *result)
{
    static const char *const ends[] = {"done", "restored", "broken"};
    set(result, "result", json_string(ends[reload->end]));
    set(result, "before", json_integer(reload->before));
    set(result, "after", json_integer(reload->after));
    set(result, "restart", json_boolean(reload->restart && reload->end == BROKERRELOAD_DONE));
    set(result, "cause", json_string(reload->cause));
    if (!task->options->json) {
        (void)printf("%s: %s, v%u in use\n", broker_kind_name(kind), ends[reload->end], reload->after);
    }
    if (reload->probed) {
        show_probe(task, &reload->probe, result);
    }
    if (reload->end == BROKERRELOAD_DONE) {
        if (reload->restart) { /* advice only */
            (void)fputs("mosquitto.conf has changed: listeners and the plugin's options take effect at a restart\n",
                        stderr);
        }
        return EXIT_OK;
    }
    return complain(task, EXIT_CONFLICT, reload->cause,
                    reload->end == BROKERRELOAD_RESTORED
                        ? "the version before it is in use again; correct the cause and render anew"
                        : "the version before it does not work either: look at the broker's log now");
}

static enum exit_code reload_one(struct task *task, enum broker_kind kind, json_t *result)
{
    struct brokerversion version;
    struct brokerreload reload;
    enum exit_code code = judge(task, kind, result, &version);
    if (code != EXIT_OK) {
        return code != EXIT_FAILED ? code
                                   : complain(task, EXIT_FAILED, "the newest version has mistakes",
                                              "correct what was named: muster broker lint");
    }
    if (task->options->dry_run) {
        set(result, "result", json_string("dry-run"));
        if (!task->options->json) {
            (void)printf("%s: v%u is in use, v%u would be\n", broker_kind_name(kind), version.current, version.newest);
        }
        return EXIT_OK;
    }
    enum err err = brokerreload_run(task->desc, kind, &version, task->options->timeout_ms, &reload, &task->info);
    return err == ERR_OK ? show_reload(task, kind, &reload, result) : complain_info(task);
}

enum exit_code broker_reload_run(const struct command_call *call)
{
    return run(call, "the broker was not reloaded", reload_one);
}
