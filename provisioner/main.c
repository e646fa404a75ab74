/* SPDX-License-Identifier: Apache-2.0 */
/* muster-provisioner: gives devices their identity, and takes it away. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/args.h"
#include "base/log.h"
#include "provisioner/provisioner.h"
#include "provisioner/settings.h"

#define REPORT_MAX     (256 * 1024)
#define DEFAULT_CONFIG "/etc/muster/provisioner.yaml"

struct options {
    const char *config;
    bool check, dump, reference;
};

static const struct args_row rows[] = {
    {.name = "config",
     .letter = 'c',
     .argument = "FILE",
     .type = ARGS_STRING,
     .offset = offsetof(struct options, config),
     .help = "Config file (" DEFAULT_CONFIG ")"},
    {.name = "check-config",
     .type = ARGS_FLAG,
     .offset = offsetof(struct options, check),
     .help = "Check config and the files that it names, then exit: 0 good, 78 bad"},
    {.name = "dump-config",
     .type = ARGS_FLAG,
     .offset = offsetof(struct options, dump),
     .help = "Print every key with its effective value, secrets redacted"},
    {.name = "config-reference",
     .type = ARGS_FLAG,
     .offset = offsetof(struct options, reference),
     .help = "Print the reference of all keys as Markdown"},
    {0},
};

static int exit_code(enum err err)
{
    switch (err) {
    case ERR_OK:
        return EX_OK;
    case ERR_INVALID:
    case ERR_NOTFOUND:
    case ERR_LIMIT:
    case ERR_PARSE:
        return EX_CONFIG;
    case ERR_DENIED:
        return EX_NOPERM;
    default:
        return EX_TEMPFAIL;
    }
}

static int print(struct strbuf *text, FILE *to, int code)
{
    (void)fputs(strbuf_str(text), to); /* nowhere to report a closed terminal */
    strbuf_deinit(text);
    return code;
}

static int check_config(const struct options *options, struct strbuf *report)
{
    struct settings *settings = NULL;
    enum err err = (options->dump ? settings_read : settings_load)(options->config, &settings, report);
    if (err == ERR_OK && options->dump) {
        err = config_dump(&provisioner_config_schema, &settings->config, report);
    }
    settings_free(settings);
    if (err != ERR_OK) {
        return print(report, stderr, exit_code(err));
    }
    if (!options->dump) {
        (void)strbuf_addf(report, "%s: good\n", options->config); /* sticky */
    }
    return print(report, stdout, EX_OK);
}

static int run(const struct options *options, struct strbuf *report)
{
    struct provisioner *provisioner = NULL;
    enum err err = provisioner_new(options->config, &provisioner, report);
    if (err != ERR_OK) {
        return print(report, stderr, exit_code(err));
    }
    strbuf_deinit(report);
    err = provisioner_run(provisioner);
    provisioner_free(provisioner);
    return exit_code(err);
}

int main(int argc, char *argv[])
{
    struct options options = {.config = DEFAULT_CONFIG};
    const struct args_schema schema = {
        .program = "muster-provisioner",
        .summary = "Enrols devices, renews and revokes their certificates, and knows who owns them.",
        .rows = rows};
    struct strbuf report;
    struct args_result args;
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &args, &status)) {
        return status;
    }
    strbuf_init(&report, REPORT_MAX);
    log_init("muster-provisioner", LOG_LEVEL_INFO);
    if (options.reference) {
        enum err err = config_reference(&provisioner_config_schema, &report);
        return print(&report, stdout, exit_code(err));
    }
    if (options.check || options.dump) {
        return check_config(&options, &report);
    }
    return run(&options, &report);
}
