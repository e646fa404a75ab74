/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/doctor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/detect/child.h"
#include "agent/doctor/bundle.h"
#if MUSTER_PROVISIONING /* agent/CMakeLists.txt */
#include "agent/doctor/enrolled.h"
#endif
#include "agent/doctor/judge.h"
#include "agent/doctor/network.h"
#include "agent/identity.h"
#include "agent/ip_command.h"
#include "base/args.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "provisioning/certread.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"

#define TEXT_MAX       (1024 * 1024)
#define JSON_DEPTH     8
#define ACK_MS         10000 /* a coordinator answers within a second; a slow uplink twice */
#define ACK_STEP_MS    100
#define SINCE_SLACK_MS 2 /* the status turns monotonic moments into wall time: a millisecond either way */
#define ENDPOINTS_MAX  16
#define LOG_MAX        (256 * 1024)
#define LOG_MS         5000

struct doctor_options {
    const char *config, *bundle;
    bool json;
};

enum running { RUNNING_NO, RUNNING_YES, RUNNING_UNKNOWN };

struct doctor {
    const char *path; /* of the config */
    struct checks checks;
    struct arena arena;
    struct agent_config config;
    bool has_config, has_identity, has_validity;
    char device_id[DEVICE_ID_MAX + 1];
    struct cert_validity validity;
    enum running running;
#if MUSTER_PROVISIONING
    struct enrolled enrolled;
#endif
    struct strbuf status;  /* last one of the running agent, JSON; empty when there is none */
    struct strbuf sources; /* detect_json */
};

static const struct args_row doctor_rows[] = {
    {"config", 'c', "FILE", ARGS_STRING, offsetof(struct doctor_options, config),
     .help = "Config file (default " AGENT_CONFIG_PATH ")"},
    {"json", 0, NULL, ARGS_FLAG, offsetof(struct doctor_options, json), .help = "Print JSON"},
    {"bundle", 0, "FILE", ARGS_STRING, offsetof(struct doctor_options, bundle),
     .help = "Also write a tar archive for who helps: config without secrets, status, this output, log; no keys"},
    {0},
};

static enum check_verdict add(struct doctor *doctor, const char *name, const char *subject, struct finding finding)
{
    return checks_add(&doctor->checks, name, subject, &finding);
}

/* A report has a line an error; the first one is the reason of most of the others. */
static struct finding first_line(const char *hint, const struct strbuf *report, const char *otherwise)
{
    struct view rest = strbuf_view(report), line = {0};
    (void)view_next(&rest, '\n', &line); /* empty: the other text */
    return line.len > 0 ? finding_of(CHECK_FAIL, hint, "%.*s", VIEW_ARG(line))
                        : finding_of(CHECK_FAIL, hint, "%s", otherwise);
}

static void check_config(struct doctor *doctor)
{
    struct strbuf report;
    strbuf_init(&report, TEXT_MAX);
    arena_init(&doctor->arena, AGENT_CONFIG_ARENA_MAX);
    enum err err = config_load(agent_config_schema(), doctor->path, &doctor->arena, &doctor->config, &report);
    doctor->has_config = err == ERR_OK;
    if (err != ERR_OK) {
        (void)add(doctor, "config", doctor->path,
                  first_line("muster-agent --check-config shows every error; run as root or as the agent's user",
                             &report, err_text(err)));
    } else {
        (void)add(doctor, "config", doctor->path, finding_of(CHECK_OK, NULL, "good"));
    }
    strbuf_deinit(&report);
}

static void check_identity(struct doctor *doctor)
{
    struct strbuf report;
    struct errinfo info = {0};
    strbuf_init(&report, TEXT_MAX);
    doctor->has_identity =
        identity_check(&doctor->config, doctor->path, &report) == ERR_OK &&
        identity_read(doctor->config.device_id, doctor->config.tls.cert_file, doctor->device_id, &info) == ERR_OK;
    if (doctor->has_identity) {
        (void)add(doctor, "identity", doctor->device_id,
                  finding_of(CHECK_OK, NULL, "certificate, key and authority are there and fit"));
    } else {
        (void)add(
            doctor, "identity", NULL,
            first_line("issue them anew (muster ca issue --profile device), or run as root or as the agent's user",
                       &report, info.text));
    }
    strbuf_deinit(&report);
}

/* @return false: not there, or of a kind that is not read here. */
static bool read_validity(const char *file, struct cert_validity *ret_validity)
{
    char *text = NULL;
    size_t len = 0, der_len = 0;
    uint8_t der[CERT_DER_MAX];
    struct certread cert;
    if (file_read(file, PEM_FILE_MAX, &text, &len) != ERR_OK) {
        return false;
    }
    enum err err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, sizeof(der), &der_len);
    crypto_zeroise(text, len); /* the key may be in the same file */
    free(text);
    if (err != ERR_OK || certread_parse(view_n((const char *)der, der_len), &cert) != ERR_OK) {
        return false;
    }
    *ret_validity = cert.validity;
    return true;
}

static void check_dates(struct doctor *doctor)
{
    int64_t now_s = clock_wall_ms() / 1000;
    doctor->has_validity = doctor->has_config && read_validity(doctor->config.tls.cert_file, &doctor->validity);
    const struct cert_validity *validity = doctor->has_validity ? &doctor->validity : NULL;
    (void)add(doctor, "clock", NULL, judge_clock(now_s, clock_wall_is_set(), validity));
    if (validity != NULL) {
        (void)add(doctor, "device-cert", doctor->config.tls.cert_file, judge_validity(now_s, validity));
    } else if (doctor->has_config) {
        (void)checks_skip(&doctor->checks, "device-cert", doctor->config.tls.cert_file,
                          "not there, or of a kind that is not read here");
    }
}

/* @return borrowed from nobody: json_decref; NULL when the agent does not answer. */
static json_t *ask_status(struct doctor *doctor, struct errinfo *info)
{
    json_t *status = NULL;
    strbuf_clear(&doctor->status);
    enum err err = control_request(doctor->config.control_socket, "GET", "/status", &doctor->status, info);
    if (err == ERR_OK && json_parse(strbuf_view(&doctor->status), TEXT_MAX, JSON_DEPTH, &status, info) != ERR_OK) {
        return NULL;
    }
    return status;
}

static void check_agent(struct doctor *doctor)
{
    struct errinfo info = {0};
    CLEANUP(json_decref_p) json_t *status = ask_status(doctor, &info);
    if (status != NULL) {
        doctor->running = RUNNING_YES;
        const char *version = json_string_value(json_object_get(status, "version"));
        (void)add(doctor, "agent", NULL,
                  finding_of(CHECK_OK, NULL, "runs, version %s", version != NULL ? version : "unknown"));
    } else if (info.err == ERR_NOTFOUND || info.err == ERR_CLOSED) {
        doctor->running = RUNNING_NO;
        (void)add(doctor, "agent", NULL,
                  finding_of(CHECK_WARN, "start it: systemctl enable --now muster-agent", "no agent runs here"));
    } else {
        doctor->running = RUNNING_UNKNOWN;
        (void)add(doctor, "agent", NULL,
                  finding_of(info.err == ERR_DENIED ? CHECK_WARN : CHECK_FAIL,
                             "run as root or as a member of the socket's group; an agent that hangs is ended by its "
                             "service manager",
                             "cannot be asked: %s", info.text));
    }
}

static void check_connection(struct doctor *doctor, const char *const *endpoints, size_t len)
{
    struct errinfo info = {0};
    CLEANUP(json_decref_p) json_t *status = doctor->running == RUNNING_YES ? ask_status(doctor, &info) : NULL;
    if (status != NULL) {
        (void)add(doctor, "connack", doctor->device_id, judge_connection(status));
    } else if (doctor->running != RUNNING_NO) {
        (void)checks_skip(&doctor->checks, "connack", doctor->device_id,
                          "an agent may run, and a second connection would throw it out");
    } else if (!doctor->has_identity || len == 0) {
        (void)checks_skip(&doctor->checks, "connack", doctor->device_id, "needs what failed above");
    } else {
        network_session(&doctor->checks, &doctor->config, doctor->device_id, endpoints, len);
    }
}

static void check_network(struct doctor *doctor)
{
    const struct config_strings *endpoints = &doctor->config.broker.endpoints;
    const char *ca_file = access(doctor->config.tls.ca_file, R_OK) == 0 ? doctor->config.tls.ca_file : NULL;
    const char *good[ENDPOINTS_MAX];
    size_t good_len = 0;
    for (size_t i = 0; i < endpoints->len; i++) {
        bool usable = network_check(&doctor->checks, endpoints->items[i], ca_file, clock_wall_ms() / 1000);
        if (usable && good_len < ENDPOINTS_MAX) {
            good[good_len++] = endpoints->items[i];
        }
    }
    check_connection(doctor, good, good_len);
}

static void wait_for_ack(struct doctor *doctor, const char *since)
{
    uint64_t end_ms = clock_mono_ms() + ACK_MS;
    struct errinfo info = {0};
    for (;;) {
        CLEANUP(json_decref_p) json_t *status = ask_status(doctor, &info);
        bool is_last = status == NULL || judge_ack_is_final(status, since) || clock_mono_ms() >= end_ms;
        if (is_last && status != NULL) {
            if (add(doctor, "ack", NULL, judge_ack(status, since)) == CHECK_OK) {
                (void)add(doctor, "names", NULL, judge_names(status));
            } else {
                (void)checks_skip(&doctor->checks, "names", NULL, "needs what failed above");
            }
            return;
        }
        if (is_last) {
            (void)add(doctor, "ack", NULL, finding_of(CHECK_FAIL, "see its log", "the agent went away: %s", info.text));
            (void)checks_skip(&doctor->checks, "names", NULL, "needs what failed above");
            return;
        }
        (void)poll(NULL, 0, ACK_STEP_MS); /* cut short by a signal: asked sooner */
    }
}

static void check_ack(struct doctor *doctor)
{
    char since[CLOCK_RFC3339_SIZE] = "";
    struct errinfo info = {0};
    struct strbuf body;
    if (doctor->running != RUNNING_YES) {
        (void)checks_skip(&doctor->checks, "ack", NULL, "needs a running agent");
        (void)checks_skip(&doctor->checks, "names", NULL, "needs a running agent");
        return;
    }
    if (clock_wall_is_set()) {
        clock_rfc3339(clock_wall_ms() - SINCE_SLACK_MS, since);
    }
    strbuf_init(&body, TEXT_MAX);
    enum err err = control_request(doctor->config.control_socket, "POST", "/report-now", &body, &info);
    strbuf_deinit(&body);
    if (err == ERR_OK) {
        wait_for_ack(doctor, since);
        return;
    }
    (void)checks_skip(&doctor->checks, "ack", NULL, err == ERR_STATE ? "needs a connection" : info.text);
    (void)checks_skip(&doctor->checks, "names", NULL, "needs a connection");
}

static void check_sources(struct doctor *doctor)
{
    CLEANUP(json_decref_p) json_t *root = NULL;
    struct errinfo info = {0};
    if (ip_command_ask(&doctor->config, false, &doctor->sources, &info) != ERR_OK ||
        json_parse(strbuf_view(&doctor->sources), TEXT_MAX, JSON_DEPTH, &root, &info) != ERR_OK) {
        (void)add(doctor, "sources", NULL, finding_of(CHECK_FAIL, "see muster-agent ip", "%s", info.text));
        return;
    }
    const json_t *uplinks = json_object_get(root, "uplinks");
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        const json_t *uplink = json_array_get(uplinks, i);
        const char *name = json_string_value(json_object_get(uplink, "name"));
        (void)add(doctor, "sources", name, judge_sources(uplink));
        (void)add(doctor, "nat", name, judge_nat(uplink));
    }
    if (json_array_size(uplinks) == 0) {
        (void)add(doctor, "sources", NULL,
                  finding_of(CHECK_FAIL,
                             "see `ip address` and `ip route`; addresses.include and exclude may leave out all",
                             "no interface has an address or a default route"));
        (void)checks_skip(&doctor->checks, "nat", NULL, "needs what failed above");
    }
}

static void examine(struct doctor *doctor)
{
    static const char *const rest[] = {"identity", "device-cert", "agent", "resolver", "connack", "ack", "sources"};
    check_config(doctor);
    if (!doctor->has_config) {
        check_dates(doctor);
        for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
            (void)checks_skip(&doctor->checks, rest[i], NULL, "needs the config");
        }
        return;
    }
#if MUSTER_PROVISIONING
    if (agent_config_is_provisioned(&doctor->config) &&
        !enrolled_check(&doctor->checks, &doctor->config, clock_wall_ms() / 1000, &doctor->enrolled)) {
        (void)checks_skip(&doctor->checks, "identity", NULL, "needs what failed above");
    } else
#endif
    {
        check_identity(doctor);
    }
    check_dates(doctor);
    check_agent(doctor);
    check_network(doctor);
    check_ack(doctor);
    check_sources(doctor);
}

struct log_read {
    struct loop *loop;
    struct strbuf *out;
};

static void on_log(void *context, const struct child_result *result)
{
    struct log_read *read = context;
    if (result->err != ERR_OK || result->status != 0) {
        (void)strbuf_addf(read->out, "not readable: %s\n", err_text(result->err)); /* sticky, as below */
    }
    (void)strbuf_add(read->out, result->output);
    loop_stop(read->loop);
}

/* The last lines of the service's journal; where there is none, the file says so. */
static void read_log(struct strbuf *out)
{
    static const char *const arguments[] = {
        "/usr/bin/journalctl", "--unit=muster-agent", "--lines=500", "--no-pager", "--quiet", "--output=short-iso"};
    struct log_read read = {.out = out};
    struct child_pool *pool = NULL;
    struct child *child = NULL;
    enum err err = loop_new(&read.loop);
    err = err != ERR_OK ? err : child_pool_new(read.loop, 1, &pool);
    err = err != ERR_OK ? err
                        : child_start(pool,
                                      &(struct child_options){.arguments = arguments,
                                                              .arguments_len = ARRAY_LEN(arguments),
                                                              .timeout_ms = LOG_MS,
                                                              .output_max = LOG_MAX,
                                                              .done = on_log,
                                                              .context = &read},
                                      &child);
    if (err == ERR_OK) {
        loop_run(read.loop);
    } else {
        (void)strbuf_addf(out, "not readable: %s\n", err_text(err));
    }
    child_pool_free(pool);
    loop_free(read.loop);
}

static enum err add_config(const struct doctor *doctor, struct strbuf *out)
{
    struct strbuf dump;
    if (!doctor->has_config) {
        return ERR_OK; /* what does not load cannot be redacted */
    }
    strbuf_init(&dump, TEXT_MAX);
    enum err err = config_dump(agent_config_schema(), &doctor->config, &dump);
    err = err != ERR_OK ? err : strbuf_add(out, strbuf_view(&dump));
    strbuf_deinit(&dump);
    return err;
}

static enum err add_versions(struct strbuf *out)
{
    struct utsname name;
    char now[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall_ms(), now);
    return uname(&name) == 0 ? strbuf_addf(out, "muster-agent %s\n%s %s %s\n%s\n", MUSTER_VERSION, name.sysname,
                                           name.release, name.machine, now)
                             : ERR_IO;
}

/* A source says its URL in its answers too, and with them in status and log. */
static enum err redact_all(struct strbuf *parts, size_t len)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < len; i++) {
        struct strbuf clean;
        strbuf_init(&clean, BUNDLE_MAX);
        err = bundle_redact(strbuf_view(&parts[i]), &clean);
        strbuf_deinit(&parts[i]);
        parts[i] = clean;
    }
    return err;
}

static enum err write_bundle(const struct doctor *doctor, const char *path)
{
    enum { TEXT, JSON, CONFIG, STATUS, SOURCES, LOG, VERSION, TAR, COUNT };
    static const char *const names[TAR] = {"doctor.txt",   "doctor.json", "config.yaml", "status.json",
                                           "sources.json", "log.txt",     "version.txt"};
    struct strbuf parts[COUNT];
    struct bundle_file files[TAR];
    for (size_t i = 0; i < COUNT; i++) {
        strbuf_init(&parts[i], BUNDLE_MAX);
    }
    enum err err = checks_text(&doctor->checks, &parts[TEXT]);
    err = err != ERR_OK ? err : checks_json(&doctor->checks, &parts[JSON]);
    err = err != ERR_OK ? err : add_config(doctor, &parts[CONFIG]);
    err = err != ERR_OK ? err : strbuf_add(&parts[STATUS], strbuf_view(&doctor->status));
    err = err != ERR_OK ? err : strbuf_add(&parts[SOURCES], strbuf_view(&doctor->sources));
    err = err != ERR_OK ? err : add_versions(&parts[VERSION]);
    if (err == ERR_OK) {
        read_log(&parts[LOG]);
        err = redact_all(parts, TAR);
        for (size_t i = 0; i < TAR; i++) {
            files[i] = (struct bundle_file){.name = names[i], .content = strbuf_view(&parts[i])};
        }
        err = err != ERR_OK ? err : bundle_tar(files, TAR, clock_wall_ms() / 1000, &parts[TAR]);
    }
    err = err != ERR_OK ? err : file_replace(path, strbuf_view(&parts[TAR]), 0600);
    for (size_t i = 0; i < COUNT; i++) {
        strbuf_deinit(&parts[i]);
    }
    return err;
}

static int tell(const struct doctor *doctor, const struct doctor_options *options)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    enum err err = options->json ? checks_json(&doctor->checks, &text) : checks_text(&doctor->checks, &text);
    bool good = err == ERR_OK && fputs(strbuf_str(&text), stdout) >= 0 && fflush(stdout) == 0;
    strbuf_deinit(&text);
    err = options->bundle != NULL ? write_bundle(doctor, options->bundle) : ERR_OK;
    if (err != ERR_OK) {
        (void)fprintf(stderr, "muster-agent doctor: %s: %s\n", options->bundle, err_text(err)); /* nowhere else */
    }
    return good && err == ERR_OK ? checks_status(&doctor->checks) : EX_IOERR;
}

static int run(const struct doctor_options *options)
{
    struct doctor *doctor = calloc(1, sizeof(*doctor));
    if (doctor == NULL) {
        (void)fprintf(stderr, "muster-agent doctor: %s\n", err_text(ERR_NOMEM)); /* nowhere else to say it */
        return EX_OSERR;
    }
    doctor->path = options->config != NULL ? options->config : AGENT_CONFIG_PATH;
    strbuf_init(&doctor->status, TEXT_MAX);
    strbuf_init(&doctor->sources, TEXT_MAX);
    examine(doctor);
    int status = tell(doctor, options);
    strbuf_deinit(&doctor->status);
    strbuf_deinit(&doctor->sources);
    arena_deinit(&doctor->arena);
    free(doctor);
    return status;
}

int doctor_command(const char *config_path, int argc, char *const argv[])
{
    static const struct args_schema schema = {
        .program = "muster-agent doctor",
        .summary = "Walks what lies between this device and its DNS names: what is good, what is not, what to do.",
        .rows = doctor_rows};
    struct doctor_options options = {.config = config_path};
    struct args_result result;
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    log_init("muster-agent", LOG_LEVEL_ERROR); /* the lines say it */
    return run(&options);
}
