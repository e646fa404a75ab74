/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/importer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/hostport.h"
#include "cli/import_plan.h"
#include "cli/report.h"
#include "mqtt/topics.h"

#define CERTS_DEFAULT  "/etc/muster/coordinator"
#define BROKER_DEFAULT "broker.example.net:8883"
#define DEVICE_DEFAULT "imported-1"
#define FOLDER_MODE    0700
#define CONFIG_MODE    0644
#define SECRET_MODE    0600

const struct args_row importer_rows[] = {
    {"out", 'o', "DIR", ARGS_STRING, offsetof(struct importer_options, out),
     .help = "Folder for coordinator.yaml, registry.yaml and the files of secrets; made with mode 0700"},
    {"device", 'd', "ID", ARGS_STRING, offsetof(struct importer_options, device),
     .help = "Id of the device that has the names (default " DEVICE_DEFAULT ")"},
    {"each", 0, NULL, ARGS_FLAG, offsetof(struct importer_options, each),
     .help = "Every name is a device of its own, whose id is the name's first label"},
    {"broker", 0, "HOST:PORT", ARGS_STRING, offsetof(struct importer_options, broker),
     .help = "Broker to write into the configuration (default " BROKER_DEFAULT ")"},
    {"certs", 0, "DIR", ARGS_STRING, offsetof(struct importer_options, certs),
     .help = "Folder of the coordinator's certificate and keys (default " CERTS_DEFAULT ")"},
    {"verify", 0, "[ACCOUNT=]HOST:PORT", ARGS_STRINGS, offsetof(struct importer_options, verify),
     .help = "Authoritative server of the account's zones (verify_server); may be repeated"},
    {"force", 0, NULL, ARGS_FLAG, offsetof(struct importer_options, force), .help = "Replace files that are there"},
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct importer_options, dry_run),
     .help = "Print the files, without those of secrets, and write nothing"},
    {0},
};
const struct importer_options importer_defaults = {
    .device = DEVICE_DEFAULT, .broker = BROKER_DEFAULT, .certs = CERTS_DEFAULT};

struct job {
    const struct command_call *call;
    const struct importer_options *options;
    const struct import_client *client;
    struct import_file file;
    struct import_plan plan;
    char folder[PATH_MAX], source[PATH_MAX]; /* that the result goes to, and that the file is in */
    struct strbuf coordinator, registry;
};

static enum exit_code failed(const struct job *job, enum err err, const char *what, const char *cause, const char *hint)
{
    struct strbuf error;
    strbuf_init(&error, PATH_MAX);
    (void)strbuf_addf(&error, "%s: %s", what, "nothing was imported"); /* a long name is cut */
    const struct report report = {.error = strbuf_str(&error), .cause = cause, .hint = hint, .docs = job->call->name};
    report_print(&report, stderr);
    strbuf_deinit(&error);
    return exit_code_of(err);
}

static enum err read_included(const char *path, char **ret_text, size_t *ret_len)
{
    return file_read(path, IMPORT_FILE_MAX, ret_text, ret_len);
}

static enum exit_code read_file(struct job *job)
{
    const char *path = job->call->operands[0];
    char *text = NULL;
    size_t len = 0;
    struct errinfo info = {0};
    enum err err = file_read(path, IMPORT_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return failed(job, err, path, err_text(err), "name the configuration file of the other client");
    }
    const char *slash = strrchr(path, '/');
    (void)snprintf(job->source, sizeof(job->source), "%.*s", slash != NULL ? (int)(slash - path) : 1,
                   slash != NULL ? path : "."); /* it was opened by its whole name, so it fits */
    job->file.folder = job->source;
    job->file.read = read_included;
    err = job->client->parse(view_n(text, len), &job->file, &info);
    crypto_zeroise(text, len); /* it holds passwords */
    free(text);
    return err == ERR_OK ? EXIT_OK : failed(job, err, path, info.text, "correct the line, or leave it out");
}

static void print_notes(const struct job *job)
{
    for (size_t i = 0; i < job->plan.notes_len; i++) {
        const struct import_note *note = &job->plan.notes[i];
        (void)fprintf(stderr, "%s:%u: %s%s\n", note->path != NULL ? note->path : job->call->operands[0],
                      (unsigned)note->line, note->lost ? "left out: " : "", note->text); /* message only */
    }
}

static enum exit_code make_plan(struct job *job)
{
    struct catalogue *catalogue = NULL;
    struct strbuf mistakes;
    strbuf_init(&mistakes, IMPORT_TEXT_MAX);
    enum err err = catalogue_new(CATALOGUE_FOLDER, &catalogue, &mistakes);
    if (err != ERR_OK) {
        (void)fputs(strbuf_str(&mistakes), stderr); /* the user's own templates, which nothing here needs */
    }
    strbuf_deinit(&mistakes);
    const struct import_options options = {
        .verify = job->options->verify.items,
        .verify_len = job->options->verify.len,
        .catalogue = catalogue,
        .folder = job->folder,
        .device = job->options->device,
        .each = job->options->each,
        .broker = job->options->broker,
        .certs = job->options->certs,
    };
    err = import_plan_make(job->client, &job->file, &options, &job->plan);
    err = err == ERR_OK ? import_plan_coordinator(&job->plan, job->client, &options, &job->coordinator) : err;
    err = err == ERR_OK ? import_plan_registry(&job->plan, &options, &job->registry) : err;
    catalogue_unref(catalogue);
    print_notes(job);
    if (err != ERR_OK) {
        return failed(job, err, job->call->operands[0], err_text(err), "split the file");
    }
    if (job->plan.names_len == 0) {
        return failed(job, ERR_NOTFOUND, job->call->operands[0], "no host name is left",
                      "the lines above say why each was left out");
    }
    return EXIT_OK;
}

/* One file into the folder. */
static enum err put(struct job *job, const char *name, struct view content, mode_t mode, char *path, size_t size)
{
    int len = snprintf(path, size, "%s/%s", job->folder, name);
    if (len < 0 || (size_t)len >= size) {
        return ERR_LIMIT;
    }
    if (!job->options->force && access(path, F_OK) == 0) {
        return ERR_EXISTS;
    }
    return file_replace(path, content, mode);
}

static enum err put_secret(struct job *job, const struct import_account *account, char *path, size_t size)
{
    char name[64];
    struct strbuf line;
    if (!import_secret_name(account, name, sizeof(name))) {
        return ERR_OK; /* it stays where it is */
    }
    if (account->service->secret == IMPORT_HOSTS) {
        return put(job, name, strbuf_view(&account->hosts), SECRET_MODE, path, size);
    }
    strbuf_init(&line, IMPORT_FILE_MAX + 1);
    enum err err = strbuf_addf(&line, "%s\n", account->password);
    err = err == ERR_OK ? put(job, name, strbuf_view(&line), SECRET_MODE, path, size) : err;
    if (line.ptr != NULL) {
        crypto_zeroise(line.ptr, line.size);
    }
    strbuf_deinit(&line);
    return err;
}

static enum exit_code write_files(struct job *job)
{
    char path[PATH_MAX] = "";
    enum err err = ERR_OK;
    for (size_t i = 0; i < job->plan.accounts_len && err == ERR_OK; i++) {
        err = put_secret(job, &job->plan.accounts[i], path, sizeof(path));
    }
    if (err == ERR_OK) {
        err = put(job, "registry.yaml", strbuf_view(&job->registry), CONFIG_MODE, path, sizeof(path));
    }
    if (err == ERR_OK) {
        err = put(job, "coordinator.yaml", strbuf_view(&job->coordinator), CONFIG_MODE, path, sizeof(path));
    }
    if (err != ERR_OK) {
        return failed(job, err, path, err_text(err),
                      err == ERR_EXISTS ? "choose an empty folder, or replace the files with --force"
                                        : "make room where the files go");
    }
    (void)fprintf(stderr,
                  "%zu names, %zu zones, %zu accounts in %s. The coordinator's user must be able to read the folder; "
                  "then: muster-coordinator --check-config -c %s/coordinator.yaml\n",
                  job->plan.names_len, job->plan.zones_len, job->plan.accounts_len, job->folder,
                  job->folder); /* advice only */
    return EXIT_OK;
}

/* The folder's absolute name, which stands in the configuration. */
static enum exit_code make_folder(struct job *job)
{
    const char *out = job->options->out;
    if (out == NULL) {
        (void)snprintf(job->folder, sizeof(job->folder), "%s", "/etc/muster/imported"); /* of a dry run */
        return EXIT_OK;
    }
    if (!job->options->dry_run && mkdir(out, FOLDER_MODE) != 0 && errno != EEXIST) {
        return failed(job, ERR_IO, out, strerror(errno), "name a folder that can be made");
    }
    char *real = realpath(out, NULL);
    int len = snprintf(job->folder, sizeof(job->folder), "%s", real != NULL ? real : out);
    free(real);
    return len > 0 && (size_t)len < sizeof(job->folder)
               ? EXIT_OK
               : failed(job, ERR_LIMIT, out, "its path is too long", "name another folder");
}

static enum exit_code work(struct job *job)
{
    enum exit_code code = read_file(job);
    code = code == EXIT_OK ? make_folder(job) : code;
    code = code == EXIT_OK ? make_plan(job) : code;
    if (code == EXIT_OK && job->options->dry_run) {
        bool good = printf("--- coordinator.yaml\n%s--- registry.yaml\n%s", strbuf_str(&job->coordinator),
                           strbuf_str(&job->registry)) > 0;
        code = good && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    } else if (code == EXIT_OK) {
        code = write_files(job);
    }
    return code == EXIT_OK && import_plan_lost(&job->plan) ? EXIT_PARTLY : code;
}

/* What is wrong with the options, or NULL. */
static const char *misuse(const struct importer_options *options)
{
    if (options->out == NULL && !options->dry_run) {
        return "--out is missing";
    }
    if (!device_id_valid(view_of(options->device))) {
        return "--device: not the id of a device";
    }
    if (options->certs[0] != '/') {
        return "--certs: not an absolute path";
    }
    for (size_t i = 0; i < options->verify.len; i++) {
        const char *server = strchr(options->verify.items[i], '=');
        server = server != NULL ? server + 1 : options->verify.items[i];
        if (hostport_check(view_of(server), NULL) != ERR_OK) {
            return "--verify: not host:port";
        }
    }
    return hostport_check(view_of(options->broker), NULL) == ERR_OK ? NULL : "--broker: not host:port";
}

static enum exit_code run(const struct command_call *call, const struct import_client *client)
{
    struct job job = {.call = call, .options = call->options, .client = client};
    const char *wrong = misuse(job.options);
    if (wrong != NULL) {
        return command_misuse(call, wrong);
    }
    import_file_init(&job.file);
    strbuf_init(&job.coordinator, IMPORT_TEXT_MAX);
    strbuf_init(&job.registry, IMPORT_TEXT_MAX);
    enum exit_code code = work(&job);
    import_plan_deinit(&job.plan);
    import_file_deinit(&job.file);
    strbuf_deinit(&job.coordinator);
    strbuf_deinit(&job.registry);
    return code;
}

enum exit_code import_inadyn_run(const struct command_call *call)
{
    return run(call, &import_inadyn);
}

enum exit_code import_ddclient_run(const struct command_call *call)
{
    return run(call, &import_ddclient);
}
