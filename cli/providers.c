/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/providers.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli/api.h"
#include "cli/grid.h"
#include "cli/report.h"
#include "providers/template.h"

enum { REPORT_MAX = 1 << 20 };

static const char *const status_choices[] = {"any", "ok", "planned", "dead", "undocumented", NULL};

#define FOLDER_ROW                                                                                                     \
    {                                                                                                                  \
        "dir", 'd', "DIR", ARGS_STRING, offsetof(struct provider_options, folder),                                     \
            .help = "Folder of templates of your own (default: " CATALOGUE_FOLDER ")"                                  \
    }
#define JSON_ROW                                                                                                       \
    {                                                                                                                  \
        "json", 'j', NULL, ARGS_FLAG, offsetof(struct provider_options, json), .help = "Print JSON"                    \
    }

const struct args_row provider_list_rows[] = {
    FOLDER_ROW,
    JSON_ROW,
    {"status", 0, "STATUS", ARGS_ENUM, offsetof(struct provider_options, status), .choices = status_choices,
     .help = "Only services of that state: ok, planned, dead, undocumented"},
    {0},
};
const struct args_row provider_show_rows[] = {FOLDER_ROW, JSON_ROW, {0}};
const struct provider_options provider_defaults = {.folder = CATALOGUE_FOLDER};
const struct args_row provider_schema_rows[] = {
    {"markdown", 0, NULL, ARGS_FLAG, offsetof(struct provider_schema_options, markdown),
     .help = "Print the keys as tables for people"},
    {0},
};

/** Opens the catalogue and tells what is wrong with it. */
static enum exit_code open_catalogue(const struct provider_options *options, struct catalogue **ret_catalogue,
                                     const struct catalogue_service **ret_services, size_t *ret_len)
{
    struct strbuf report;
    strbuf_init(&report, REPORT_MAX);
    enum err err = catalogue_new(options->folder, ret_catalogue, &report);
    if (err == ERR_OK) {
        err = catalogue_services(*ret_catalogue, ret_services, ret_len, &report);
    }
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s%s", report.len > 0 ? strbuf_str(&report) : err_text(err),
                      report.len > 0 ? "" : "\n"); /* the exit code says it, too */
    }
    strbuf_deinit(&report);
    return err == ERR_OK ? EXIT_OK : exit_code_of(err);
}

/* ---- list ---- */

static bool is_wanted(const struct provider_options *options, const struct catalogue_service *service)
{
    return options->status == 0 || options->status - 1 == (int)service->status;
}

/** How many rows from @p first on are of one service. */
static size_t count_same(const struct catalogue_service *services, size_t len, size_t first)
{
    size_t same = 1;
    while (first + same < len && strcmp(services[first].service, services[first + same].service) == 0) {
        same++;
    }
    return same;
}

static json_t *list_one(const struct catalogue_service *services, size_t same)
{
    const struct catalogue_service *first = services;
    json_t *names = json_array();
    for (size_t i = 0; i < same && services[i].ops != NULL; i++) {
        (void)json_array_append_new(names, json_string(services[i].ops->about.name)); /* json_pack sees a lack */
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:o}", "name", first->service, "class", first->class,
                     "status", catalogue_status_name(first->status), "since", first->since, "source", first->source,
                     "read", first->read, "provider", first->ops != NULL ? first->ops->about.name : NULL, "providers",
                     names);
}

static const struct grid_column columns[] = {
    {.title = "SERVICE"}, {.title = "CLASS"}, {.title = "STATUS", .state = true}, {.title = "PROVIDER"}, {0}};

static enum exit_code print_json(const struct provider_options *options, const struct catalogue_service *services,
                                 size_t len)
{
    json_t *all = json_array();
    enum exit_code code = EXIT_FAILED;
    for (size_t i = 0, same = 1; i < len; i += same) {
        same = count_same(services, len, i);
        if (is_wanted(options, &services[i]) && json_array_append_new(all, list_one(&services[i], same)) != 0) {
            goto out; /* without memory */
        }
    }
    code = api_print_json(all);
out:
    json_decref(all);
    return code;
}

static enum exit_code print_table(const struct provider_options *options, const struct catalogue_service *services,
                                  size_t len)
{
    struct grid grid;
    grid_init(&grid, columns, stdout, false);
    for (size_t i = 0; i < len; i++) {
        if (is_wanted(options, &services[i])) {
            grid_text(&grid, services[i].service);
            grid_text(&grid, services[i].class);
            grid_text(&grid, catalogue_status_name(services[i].status));
            grid_text(&grid, services[i].ops != NULL ? services[i].ops->about.name : "");
        }
    }
    enum err err = grid_flush(&grid);
    grid_deinit(&grid);
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

enum exit_code provider_list_run(const struct command_call *call)
{
    const struct provider_options *options = call->options;
    const struct catalogue_service *services = NULL;
    struct catalogue *catalogue = NULL;
    size_t len = 0;
    enum exit_code code = open_catalogue(options, &catalogue, &services, &len);
    if (code == EXIT_OK) {
        code = options->json ? print_json(options, services, len) : print_table(options, services, len);
    }
    catalogue_unref(catalogue);
    return code;
}

/* ---- show ---- */

static bool is_named(const struct catalogue_service *service, const char *name)
{
    return strcasecmp(service->service, name) == 0 ||
           (service->ops != NULL && strcmp(service->ops->about.name, name) == 0);
}

static enum exit_code show(const struct provider_options *options, const struct catalogue_service *service)
{
    json_t *about = provider_describe(service);
    if (about == NULL) {
        return EXIT_FAILED;
    }
    enum exit_code code = options->json                             ? api_print_json(about)
                          : provider_print(about, stdout) == ERR_OK ? EXIT_OK
                                                                    : EXIT_FAILED;
    json_decref(about);
    return code;
}

static enum exit_code report_unknown(const struct command_call *call, struct catalogue *catalogue)
{
    const struct provider_ops *ops;
    const struct template *template;
    struct errinfo info = {0};
    enum err err = catalogue_get(catalogue, call->operands[0], &ops, &template, &info);
    struct report report = {.error = "there is no such provider",
                            .cause = info.text[0] != '\0' ? info.text : err_text(err),
                            .hint = "see all of them: muster provider list",
                            .docs = call->name};
    report_print(&report, stderr);
    return EXIT_ABSENT;
}

enum exit_code provider_show_run(const struct command_call *call)
{
    const struct provider_options *options = call->options;
    const struct catalogue_service *services = NULL;
    struct catalogue *catalogue = NULL;
    size_t len = 0, shown = 0;
    enum exit_code code = open_catalogue(options, &catalogue, &services, &len);
    for (size_t i = 0; code == EXIT_OK && i < len; i++) {
        if (is_named(&services[i], call->operands[0]) && (shown == 0 || !options->json)) {
            (void)(shown++ > 0 && putchar('\n')); /* show tells when stdout is broken */
            code = show(options, &services[i]);
        }
    }
    if (code == EXIT_OK && shown == 0) {
        code = report_unknown(call, catalogue);
    }
    catalogue_unref(catalogue);
    return code;
}

/* ---- templates ---- */

static bool lint(const char *path, struct strbuf *report)
{
    struct template *template = NULL;
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)strbuf_addf(report, "%s: is a folder: name its files, %s/*.yaml\n", path, path); /* cut is fine */
        return false;
    }
    bool good = template_load(path, &template, report) == ERR_OK && template_lint(template, path, report);
    template_unref(template);
    return good;
}

enum exit_code provider_lint_run(const struct command_call *call)
{
    struct strbuf report;
    size_t wrong = 0;
    strbuf_init(&report, REPORT_MAX);
    for (size_t i = 0; i < call->operands_len; i++) {
        wrong += !lint(call->operands[i], &report);
    }
    (void)fputs(strbuf_str(&report), stderr); /* the exit code says it, too */
    strbuf_deinit(&report);
    return wrong == 0 ? EXIT_OK : wrong < call->operands_len ? EXIT_PARTLY : EXIT_FAILED;
}

enum exit_code provider_schema_run(const struct command_call *call)
{
    const struct provider_schema_options *options = call->options;
    struct strbuf out;
    strbuf_init(&out, REPORT_MAX);
    enum err err = options->markdown ? config_reference_section(template_schema.rows, "Keys of a template", "", &out)
                                     : template_json_schema(&out);
    bool good = err == ERR_OK && fputs(strbuf_str(&out), stdout) >= 0 && fflush(stdout) == 0;
    strbuf_deinit(&out);
    return good ? EXIT_OK : EXIT_FAILED;
}
