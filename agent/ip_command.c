/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ip_command.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/daemon.h"
#include "agent/detect/detect.h"
#include "agent/interfaces.h"
#include "base/args.h"
#include "base/json.h"
#include "base/log.h"

#define TEXT_MAX    (1024 * 1024)
#define JSON_DEPTH  8
#define GRACE_MS    2000 /* beyond the time-out of a question: several wait for each other */
#define EX_DISAGREE 1

/* What `detect_settings` needs of a config when there is none: the rows that only a daemon needs, filled with nothing
 * of use. */
#define NO_CONFIG "{broker: {endpoints: ['localhost:1']}, tls: {ca_file: /, cert_file: /}}"

struct ip_options {
    const char *config;
    bool all, json;
};

struct run {
    struct loop *loop;
    struct interfaces *interfaces;
    struct detect *detect;
    const struct agent_config *config;
    struct ip observed;
    bool ready;
};

static const struct args_row ip_rows[] = {
    {"config", 'c', "FILE", ARGS_STRING, offsetof(struct ip_options, config),
     .help = "Config file with the sources (default " AGENT_CONFIG_PATH ", without it the default sources)"},
    {"all", 0, NULL, ARGS_FLAG, offsetof(struct ip_options, all),
     .help = "Also ask what needs no setting: the router (pcp, upnp) and public name servers (dns)"},
    {"json", 0, NULL, ARGS_FLAG, offsetof(struct ip_options, json), .help = "Print JSON"},
    {0},
};

/* Asked with --all, where the config does not have them. */
static const struct source_config extras[] = {
    {.type = "pcp"},
    {.type = "upnp"},
    {.type = "dns", .name = "opendns", .service = "opendns"},
    {.type = "dns", .name = "cloudflare", .service = "cloudflare"},
    {.type = "dns", .name = "google", .service = "google"},
};

static void fill_empty(struct source_config *config)
{
    const char **texts[] = {&config->name,    &config->server,   &config->server2,  &config->service,
                            &config->query,   &config->rrtype,   &config->url,      &config->format,
                            &config->ca_file, &config->address4, &config->address6, &config->uplink};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = *texts[i] != NULL ? *texts[i] : "";
    }
    config->ip4 = config->ip6 = true;
}

static bool has_like(const struct source_config *sources, size_t len, const struct source_config *extra)
{
    for (size_t i = 0; i < len; i++) {
        if (strcmp(sources[i].type, extra->type) == 0 && strcmp(sources[i].service, extra->service) == 0) {
            return true;
        }
    }
    return false;
}

static size_t add_extras(struct source_config sources[static FUSION_SOURCES_MAX], size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(extras) && len < FUSION_SOURCES_MAX; i++) {
        struct source_config extra = extras[i];
        struct errinfo info;
        bool left_out = false;
        fill_empty(&extra);
        const struct source_ops *ops = source_find(extra.type, &left_out);
        if (ops != NULL && !has_like(sources, len, &extra) && ops->check(&extra, &info) == ERR_OK) {
            sources[len++] = extra;
        }
    }
    return len;
}

static void stop_when_idle(void *context)
{
    struct run *run = context;
    if (run->ready && detect_is_idle(run->detect)) {
        loop_stop(run->loop);
    }
}

static void on_interfaces(void *context)
{
    struct run *run = context;
    struct address_policy policy = agent_config_policy(run->config);
    struct address_set set;
    interfaces_select(run->interfaces, &policy, &set);
    detect_addresses(run->detect, &set);
    if (run->observed.family != IP_NONE) {
        detect_observed(run->detect, &run->observed, "");
    }
}

/* Also without a netlink socket: then nothing is asked, and nothing is known. */
static void on_ready(void *context)
{
    struct run *run = context;
    run->ready = true;
    (void)detect_run(run->detect); /* its timer follows what it returns */
    stop_when_idle(run);
}

static void on_deadline(void *context)
{
    struct run *run = context;
    loop_stop(run->loop);
}

/* What the broker sees only the running agent knows; nobody there: then that source has no answer. */
static struct ip ask_agent(const char *socket)
{
    struct strbuf body;
    struct errinfo info;
    struct ip observed = {0};
    CLEANUP(json_decref_p) json_t *root = NULL;
    strbuf_init(&body, TEXT_MAX);
    if (access(socket, R_OK | W_OK) == 0 && control_request(socket, "GET", "/status", &body, &info) == ERR_OK &&
        json_parse(strbuf_view(&body), TEXT_MAX, JSON_DEPTH, &root, NULL) == ERR_OK) {
        const char *state = json_string_value(json_object_get(json_object_get(root, "connection"), "state"));
        const char *text = json_string_value(json_object_get(json_object_get(root, "dns"), "observed"));
        bool stands = state != NULL && strcmp(state, "connected") == 0;
        if (!stands || text == NULL || ip_parse(view_of(text), &observed) != ERR_OK) {
            observed = (struct ip){0};
        }
    }
    strbuf_deinit(&body);
    return observed;
}

static enum err run_once(struct run *run, bool all, struct strbuf *json, struct errinfo *info)
{
    struct source_config sources[FUSION_SOURCES_MAX];
    const struct detect_settings *settings = &run->config->detect;
    size_t len = detect_settings_sources(settings, sources);
    struct loop_timer *deadline = NULL;
    const struct detect_options options = {.sources = sources,
                                           .sources_len = all ? add_extras(sources, len) : len,
                                           .policy = detect_settings_policy(settings),
                                           .timeout_ms = (uint32_t)settings->timeout_ms,
                                           .changed = stop_when_idle,
                                           .context = run};
    const struct interfaces_options watch = {.changed = on_interfaces, .ready = on_ready, .context = run};
    enum err err = loop_new(&run->loop);
    err = err != ERR_OK ? err : interfaces_new(run->loop, &watch, &run->interfaces);
    err = err != ERR_OK ? err : loop_timer_new(run->loop, on_deadline, run, &deadline);
    err = err != ERR_OK ? errinfo_set(info, err, "ip", 0, "%s", err_text(err))
                        : detect_new(run->loop, &options, &run->detect, info);
    if (err == ERR_OK) {
        loop_timer_after(deadline, settings->timeout_ms + GRACE_MS);
        interfaces_start(run->interfaces);
        loop_run(run->loop);
        err = detect_json(run->detect, json);
    }
    detect_free(run->detect);
    interfaces_free(run->interfaces);
    loop_free(run->loop);
    return err;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : "-";
}

static void add_answer(const json_t *uplink, const json_t *answer, struct strbuf *out)
{
    char took[32] = "-";
    if (json_object_get(answer, "status") != NULL) {
        (void)snprintf(took, sizeof(took), "%" JSON_INTEGER_FORMAT " ms",
                       json_integer_value(json_object_get(answer, "elapsed_ms"))); /* fits */
    }
    (void)strbuf_addf(out, "%-10s %-12s %8s  %-39s %-11s %s\n", text_at(uplink, "name"), text_at(answer, "source"),
                      took, text_at(answer, "ip"), text_at(answer, "verdict"), text_at(answer, "why"));
}

static void add_answers(const json_t *uplink, const char *family, struct strbuf *out)
{
    const json_t *answers = json_object_get(json_object_get(uplink, family), "answers");
    for (size_t i = 0; i < json_array_size(answers); i++) {
        add_answer(uplink, json_array_get(answers, i), out);
    }
}

static void add_outcome(const json_t *uplink, struct strbuf *out)
{
    static const char *const families[] = {"ip4", "ip6"}, *const names[] = {"IPv4", "IPv6"};
    for (size_t f = 0; f < ARRAY_LEN(families); f++) {
        const json_t *family = json_object_get(uplink, families[f]);
        if (family != NULL) {
            bool disputed = json_is_true(json_object_get(family, "disputed"));
            (void)strbuf_addf(out, "%s %s: %s, %s from %s%s\n", text_at(uplink, "name"), names[f],
                              text_at(family, "value"), text_at(family, "state"), text_at(family, "source"),
                              disputed ? ", disputed" : "");
        }
    }
    (void)strbuf_addf(out, "%s NAT: %s, inbound %s\n", text_at(uplink, "name"), text_at(uplink, "nat"),
                      text_at(uplink, "inbound"));
}

static void add_table(const json_t *root, struct strbuf *out)
{
    const json_t *uplinks = json_object_get(root, "uplinks");
    (void)strbuf_addf(out, "%-10s %-12s %8s  %-39s %-11s %s\n", "UPLINK", "SOURCE", "TIME", "ANSWER", "VERDICT", "WHY");
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        add_answers(json_array_get(uplinks, i), "ip4", out);
        add_answers(json_array_get(uplinks, i), "ip6", out);
    }
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        add_outcome(json_array_get(uplinks, i), out);
    }
    if (json_array_size(uplinks) == 0) {
        (void)strbuf_adds(out, "no interface has an address or a default route; see `ip address` and `ip route`\n");
    }
}

static void judge_family(const json_t *family, bool *known, bool *disagree)
{
    const char *state = text_at(family, "state");
    *known = *known || json_object_get(family, "value") != NULL;
    *disagree = *disagree || strcmp(state, "disagree") == 0 || json_is_true(json_object_get(family, "disputed"));
}

static int judge(const json_t *root)
{
    const json_t *uplinks = json_object_get(root, "uplinks");
    bool known = false, disagree = false;
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        judge_family(json_object_get(json_array_get(uplinks, i), "ip4"), &known, &disagree);
        judge_family(json_object_get(json_array_get(uplinks, i), "ip6"), &known, &disagree);
    }
    return disagree ? EX_DISAGREE : known ? EX_OK : EX_UNAVAILABLE;
}

static int print(const struct strbuf *json, bool as_json)
{
    CLEANUP(json_decref_p) json_t *root = NULL;
    struct strbuf text;
    if (json_parse(strbuf_view(json), TEXT_MAX, JSON_DEPTH, &root, NULL) != ERR_OK) {
        return EX_SOFTWARE; /* we wrote it ourselves: no memory */
    }
    strbuf_init(&text, TEXT_MAX);
    if (as_json) {
        (void)strbuf_addf(&text, "%s\n", strbuf_str(json)); /* sticky, as below: asked at the end */
    } else {
        add_table(root, &text);
    }
    bool good = strbuf_error(&text) == ERR_OK && fputs(strbuf_str(&text), stdout) >= 0 && fflush(stdout) == 0;
    strbuf_deinit(&text);
    return good ? judge(root) : EX_IOERR;
}

enum err ip_command_ask(const struct agent_config *config, bool all, struct strbuf *json, struct errinfo *info)
{
    struct run run = {.config = config, .observed = ask_agent(config->control_socket)};
    return run_once(&run, all, json, info);
}

static int run_with(const struct agent_config *config, const struct ip_options *options)
{
    struct errinfo info = {0};
    struct strbuf json;
    strbuf_init(&json, TEXT_MAX);
    int status = EX_OSERR;
    if (ip_command_ask(config, options->all, &json, &info) == ERR_OK) {
        status = print(&json, options->json);
    } else {
        (void)fprintf(stderr, "muster-agent ip: %s\n", info.text); /* nowhere else to say it */
    }
    strbuf_deinit(&json);
    return status;
}

static enum err load(const char *path, struct daemon_config *config)
{
    if (path != NULL || access(AGENT_CONFIG_PATH, F_OK) == 0) {
        return daemon_config_load(config, path != NULL ? path : AGENT_CONFIG_PATH);
    }
    struct strbuf report;
    strbuf_init(&report, TEXT_MAX);
    arena_init(&config->arena, AGENT_CONFIG_ARENA_MAX);
    enum err err = config_load_text(agent_config_schema(), "defaults", view_of(NO_CONFIG), &config->arena,
                                    &config->config, &report);
    if (err != ERR_OK) {
        arena_deinit(&config->arena);
    }
    strbuf_deinit(&report);
    return err;
}

int ip_command(const char *config_path, int argc, char *const argv[])
{
    static const struct args_schema schema = {
        .program = "muster-agent ip", .summary = "Asks every source once and shows who said what.", .rows = ip_rows};
    struct ip_options options = {.config = config_path};
    struct args_result result;
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    log_init("muster-agent", LOG_LEVEL_ERROR); /* the table says it */
    struct daemon_config config;
    if (load(options.config, &config) != ERR_OK) {
        return EX_CONFIG;
    }
    status = run_with(&config.config, &options);
    daemon_config_deinit(&config);
    return status;
}
