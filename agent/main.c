/* SPDX-License-Identifier: Apache-2.0 */
/* muster-agent: the daemon on a device, and the small command line that asks it how it is. */
#include <stdio.h>
#include <sysexits.h>

#include "agent/control.h"
#include "agent/daemon.h"
#include "agent/doctor/doctor.h"
#include "agent/factory.h"
#include "agent/ip_command.h"
#include "agent/status.h"
#include "base/args.h"

#define TEXT_MAX (1024 * 1024)

struct options {
    const char *config;
    bool check, dump, reference;
};

struct query_options {
    const char *config, *socket;
    bool json;
};

static const struct args_row main_rows[] = {
    {"config", 'c', "FILE", ARGS_STRING, offsetof(struct options, config),
     .help = "Config file (default " AGENT_CONFIG_PATH ")"},
    {"check-config", 0, NULL, ARGS_FLAG, offsetof(struct options, check),
     .help = "Check the config and the files it names, then exit: 0 good, 78 bad"},
    {"dump-config", 0, NULL, ARGS_FLAG, offsetof(struct options, dump),
     .help = "Print the config with every default and exit"},
    {"config-reference", 0, NULL, ARGS_FLAG, offsetof(struct options, reference),
     .help = "Print the reference of all settings (Markdown) and exit"},
    {0},
};

static const struct args_command commands[] = {
    {"status", "Ask the running agent: addresses, connection, last answer, what DNS serves"},
    {"report", "Have the running agent report now"},
#if MUSTER_COMMAND_IP /* agent/CMakeLists.txt */
    {"ip", "Ask every source of this device's addresses once: who says what, and how it counts"},
#endif
#if MUSTER_COMMAND_DOCTOR
    {"doctor", "Walk what lies between this device and its names: what is good, what is not, what to do"},
#endif
#if MUSTER_COMMAND_FACTORY
    {"factory", "Answer a factory station: make the device's key, take its serial number and claim"},
#endif
    {0},
};

static const struct args_schema main_schema = {
    .program = "muster-agent",
    .operands = "[COMMAND]",
    .summary = "Reports this device's addresses to its coordinator. Without a command: runs as a daemon.",
    .rows = main_rows,
    .commands = commands,
    .operands_min = 0,
    .operands_max = 1,
};

static const struct args_row query_rows[] = {
    {"config", 'c', "FILE", ARGS_STRING, offsetof(struct query_options, config),
     .help = "Config file that names the socket (default: the standard socket)"},
    {"socket", 's', "PATH", ARGS_STRING, offsetof(struct query_options, socket), .help = "Control socket"},
    {"json", 0, NULL, ARGS_FLAG, offsetof(struct query_options, json), .help = "Print JSON"},
    {0},
};

/* Prints and frees; @return @p status, or EX_IOERR when stdout failed. */
static int finish(struct strbuf *text, FILE *stream, int status)
{
    bool good = fputs(strbuf_str(text), stream) >= 0 && fflush(stream) == 0;
    strbuf_deinit(text);
    return good ? status : EX_IOERR;
}

static int fail(struct strbuf *text, enum err err)
{
    (void)fprintf(stderr, "muster-agent: %s\n", err_text(err)); /* nowhere else to say it */
    strbuf_deinit(text);
    return EX_SOFTWARE;
}

static int print_reference(void)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    enum err err = config_reference(agent_config_schema(), &text);
    return err == ERR_OK ? finish(&text, stdout, EX_OK) : fail(&text, err);
}

static int check_config(const char *path, bool dump)
{
    struct daemon_config config;
    if ((dump ? daemon_config_load : daemon_config_load_whole)(&config, path) != ERR_OK) {
        return EX_CONFIG;
    }
    struct strbuf text, warnings;
    strbuf_init(&text, TEXT_MAX);
    strbuf_init(&warnings, TEXT_MAX);
    enum err err = dump ? config_dump(agent_config_schema(), &config.config, &text)
                        : detect_settings_warn(&config.config.detect, &warnings);
    if (err == ERR_OK && !dump) {
        (void)fputs(strbuf_str(&warnings), stderr); /* nowhere to report a closed terminal */
        err = strbuf_addf(&text, "%s: good\n", path);
    }
    strbuf_deinit(&warnings);
    daemon_config_deinit(&config);
    return err == ERR_OK ? finish(&text, stdout, EX_OK) : fail(&text, err);
}

/* One request to the running agent; its answer goes to stdout as JSON or as lines. */
static int ask(const char *socket, bool report, bool json)
{
    struct errinfo info = {0};
    struct strbuf body, text;
    strbuf_init(&body, TEXT_MAX);
    strbuf_init(&text, TEXT_MAX);
    enum err err = control_request(socket, report ? "POST" : "GET", report ? "/report-now" : "/status", &body, &info);
    if (err == ERR_OK && !json && !report) {
        err = agent_status_text(strbuf_view(&body), &text);
        (void)errinfo_set(&info, err, "control", 0, "the answer is not a status: %s", err_text(err)); /* said below */
    } else if (err == ERR_OK) {
        err = strbuf_add(&text, json ? strbuf_view(&body) : view_of("reported\n"));
    }
    strbuf_deinit(&body);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "muster-agent: %s\n", info.text); /* nowhere else to say it */
        strbuf_deinit(&text);
        return EX_UNAVAILABLE;
    }
    return finish(&text, stdout, EX_OK);
}

/* @p argv starts with the command's own name; @p config_path: what stood before it, NULL for nothing. */
static int query(const char *command, const char *config_path, int argc, char *const argv[])
{
    bool report = view_equals(view_of(command), "report");
    const struct args_schema schema = {.program = report ? "muster-agent report" : "muster-agent status",
                                       .summary = "Asks the running agent over its control socket.",
                                       .rows = query_rows};
    struct query_options options = {.config = config_path};
    struct args_result result;
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    if (options.socket != NULL || options.config == NULL) {
        return ask(options.socket != NULL ? options.socket : AGENT_CONTROL_SOCKET, report, options.json);
    }
    struct daemon_config config;
    if (daemon_config_load(&config, options.config) != ERR_OK) {
        return EX_CONFIG;
    }
    status = ask(config.config.control_socket, report, options.json);
    daemon_config_deinit(&config);
    return status;
}

/* @p argv starts with the command's own name. */
static int run_command(const char *command, const char *config_path, int argc, char *const argv[])
{
#if MUSTER_COMMAND_IP
    if (view_equals(view_of(command), "ip")) {
        return ip_command(config_path, argc, argv);
    }
#endif
#if MUSTER_COMMAND_DOCTOR
    if (view_equals(view_of(command), "doctor")) {
        return doctor_command(config_path, argc, argv);
    }
#endif
#if MUSTER_COMMAND_FACTORY
    if (view_equals(view_of(command), "factory")) {
        return factory_command(argc, argv);
    }
#endif
    return query(command, config_path, argc, argv);
}

int main(int argc, char *argv[])
{
    struct options options = {0};
    struct args_result result;
    int status = EX_OK;
    if (!args_run(&main_schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    if (result.command != NULL) {
        return run_command(result.command->name, options.config, argc - result.next + 1, argv + result.next - 1);
    }
    const char *path = options.config != NULL ? options.config : AGENT_CONFIG_PATH;
    if (options.reference) {
        return print_reference();
    }
    if (options.check || options.dump) {
        return check_config(path, options.dump);
    }
    return daemon_run(path);
}
