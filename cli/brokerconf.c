/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerconf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FINDING_MAX 400

void brokerfindings_add(struct brokerfindings *findings, const char *file, unsigned line, const char *format, ...)
{
    char text[FINDING_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut where it is too long */
    va_end(args);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c; /* a file's own words are in it */
    }
    json_t *finding = json_pack("{s:s, s:i, s:s}", "file", file, "line", (int)line, "text", text);
    if (findings->list != NULL && json_array_append_new(findings->list, finding) != 0) {
        json_decref(findings->list);
        findings->list = NULL;
    }
}

enum kind { TEXT, BOOL, NUMBER, FILE_PATH };

/* Every option that mosquitto 2.0.11 knows and that has a place here; one that is not here is a mistake or a risk that
 * nobody has looked at. */
static const struct option {
    const char *name;
    enum kind kind;
} options[] = {
    {"acl_file", FILE_PATH},
    {"address", TEXT},
    {"allow_anonymous", BOOL},
    {"allow_duplicate_messages", BOOL},
    {"allow_zero_length_clientid", BOOL},
    {"autosave_interval", NUMBER},
    {"bind_interface", TEXT},
    {"bridge_cafile", FILE_PATH},
    {"bridge_certfile", FILE_PATH},
    {"bridge_keyfile", FILE_PATH},
    {"bridge_protocol_version", TEXT},
    {"cafile", FILE_PATH},
    {"certfile", FILE_PATH},
    {"check_retain_source", BOOL},
    {"ciphers", TEXT},
    {"ciphers_tls1.3", TEXT},
    {"cleansession", BOOL},
    {"connection", TEXT},
    {"connection_messages", BOOL},
    {"crlfile", FILE_PATH},
    {"dhparamfile", FILE_PATH},
    {"keepalive_interval", NUMBER},
    {"keyfile", FILE_PATH},
    {"listener", TEXT},
    {"local_clientid", TEXT},
    {"log_dest", TEXT},
    {"log_timestamp", BOOL},
    {"log_type", TEXT},
    {"max_connections", NUMBER},
    {"max_inflight_messages", NUMBER},
    {"max_keepalive", NUMBER},
    {"max_packet_size", NUMBER},
    {"max_queued_messages", NUMBER},
    {"memory_limit", NUMBER},
    {"notifications", BOOL},
    {"password_file", FILE_PATH},
    {"per_listener_settings", BOOL},
    {"persistence", BOOL},
    {"persistence_location", TEXT},
    {"pid_file", TEXT},
    {"plugin", FILE_PATH},
    {"plugin_opt_claim_ca", FILE_PATH},
    {"plugin_opt_deny_file", FILE_PATH},
    {"plugin_opt_device_ca", FILE_PATH},
    {"plugin_opt_file", TEXT},
    {"plugin_opt_key_file", FILE_PATH},
    {"plugin_opt_mode", TEXT},
    {"plugin_opt_service_ca", FILE_PATH},
    {"plugin_opt_viewers", TEXT},
    {"protocol", TEXT},
    {"remote_clientid", TEXT},
    {"require_certificate", BOOL},
    {"restart_timeout", TEXT},
    {"set_tcp_nodelay", BOOL},
    {"socket_domain", TEXT},
    {"sys_interval", NUMBER},
    {"tls_version", TEXT},
    {"topic", TEXT},
    {"try_private", BOOL},
    {"use_identity_as_username", BOOL},
    {"use_username_as_clientid", BOOL},
    {"user", TEXT},
    {"websockets_log_level", NUMBER},
};

#define IN(kind)  (1u << (kind))
#define IN_CORE   IN(BROKER_KIND_CORE)
#define IN_PROV   IN(BROKER_KIND_PROV)
#define IN_DASH   IN(BROKER_KIND_DASH)
#define IN_TLS    (IN_CORE | IN_PROV)
#define IN_ALL    (IN_TLS | IN_DASH)
#define ANY_VALUE ""
#define NOT_THERE NULL

/* What each kind of broker stands on. */
static const struct need {
    unsigned kinds;
    const char *name, *value, *why;
} needs[] = {
    {IN_ALL, "per_listener_settings", "false", "with true a listener added later comes without the plugin"},
    {IN_ALL, "plugin", ANY_VALUE, "without the plugin a broken ACL file opens the broker"},
    {IN_ALL, "pid_file", ANY_VALUE, "a reload signals the process that it names"},
    {IN_ALL, "log_dest", ANY_VALUE, "a reload watches it"},
    {IN_ALL, "allow_zero_length_clientid", "false", "names of clients are not to be made up by the broker"},
    {IN_TLS, "cafile", ANY_VALUE, "clients are known by their authority"},
    {IN_TLS, "certfile", ANY_VALUE, "the listener needs TLS"},
    {IN_TLS, "keyfile", ANY_VALUE, "the listener needs TLS"},
    {IN_TLS, "crlfile", ANY_VALUE, "without it nothing is revoked, and new authorities are not taken at SIGHUP"},
    {IN_TLS, "require_certificate", "true", "whoever has none would be let in"},
    {IN_TLS, "use_identity_as_username", "true", "the certificate says who a client is"},
    {IN_TLS, "tls_version", "tlsv1.2", "the default allows TLS 1.1"},
    {IN_TLS, "plugin_opt_service_ca", ANY_VALUE, "services are known by their authority"},
    {IN_TLS, "plugin_opt_deny_file", ANY_VALUE, "denials would end with the process"},
    {IN_CORE, "use_username_as_clientid", "true", "sessions could be taken over"},
    {IN_CORE, "plugin_opt_device_ca", ANY_VALUE, "devices are known by their authority"},
    {IN_CORE, "plugin_opt_key_file", ANY_VALUE, "the coordinator believes only stamped addresses"},
    {IN_CORE, "check_retain_source", "false", "true checks with a made-up client that has no certificate"},
    {IN_CORE, "plugin_opt_mode", NOT_THERE, "the core broker's is the default"},
    {IN_PROV, "use_username_as_clientid", NOT_THERE, "devices of a batch share their name and would end each other"},
    {IN_PROV, "plugin_opt_mode", "prov", "a claim would have a device's rights"},
    {IN_PROV, "plugin_opt_claim_ca", ANY_VALUE, "claims are known by their authority"},
    {IN_DASH, "plugin_opt_mode", "dash", "viewers would have no rights, or others"},
    {IN_DASH, "crlfile", NOT_THERE, "mosquitto 2.0.11 frees a websockets listener's context at SIGHUP"},
};

static const struct option *find_option(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (view_equals(name, options[i].name)) {
            return &options[i];
        }
    }
    return NULL;
}

bool brokerconf_is_file(struct view name)
{
    const struct option *option = find_option(name);
    return option != NULL && option->kind == FILE_PATH;
}

const struct brokerconf_line *brokerconf_find(const struct brokerconf *conf, const char *name)
{
    for (size_t i = 0; i < conf->len; i++) {
        if (view_equals(conf->lines[i].name, name)) {
            return &conf->lines[i];
        }
    }
    return NULL;
}

static bool has_comment(struct view value)
{
    for (size_t i = 1; i < value.len; i++) {
        if (value.ptr[i] == '#' && (value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t')) {
            return true;
        }
    }
    return false;
}

static void judge_line(const struct brokerconf_line *line, const char *file, struct brokerfindings *findings)
{
    const struct option *option = find_option(line->name);
    uint64_t number;
    if (option == NULL) {
        brokerfindings_add(findings, file, line->line, "unknown option \"%.*s\": mosquitto logs it and goes on without",
                           VIEW_ARG(line->name));
    } else if (line->value.len == 0) {
        brokerfindings_add(findings, file, line->line, "%s has no value", option->name);
    } else if (has_comment(line->value) && !view_equals(line->name, "topic")) {
        brokerfindings_add(findings, file, line->line, "a comment behind a value becomes part of it");
    } else if (option->kind == BOOL && !view_equals(line->value, "true") && !view_equals(line->value, "false")) {
        brokerfindings_add(findings, file, line->line, "%s is neither true nor false", option->name);
    } else if (option->kind == NUMBER && view_to_u64(line->value, UINT32_MAX, &number) != ERR_OK) {
        brokerfindings_add(findings, file, line->line, "%s is no number", option->name);
    } else if (option->kind == FILE_PATH && line->value.ptr[0] != '/') {
        brokerfindings_add(findings, file, line->line, "%s is not an absolute path", option->name);
    } else if (view_equals(line->name, "max_queued_messages") && view_equals(line->value, "0")) {
        brokerfindings_add(findings, file, line->line, "0 (no limit) breaks later 2.0 releases: 1000000");
    }
}

static void judge_needs(const struct brokerconf *conf, const char *file, enum broker_kind kind,
                        struct brokerfindings *findings)
{
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        const struct need *need = &needs[i];
        const struct brokerconf_line *line = brokerconf_find(conf, need->name);
        if ((need->kinds & IN(kind)) == 0) {
            continue;
        }
        if (need->value == NOT_THERE ? line != NULL : line == NULL) {
            brokerfindings_add(findings, file, line != NULL ? line->line : 0, "%s %s: %s", need->name,
                               line != NULL ? "does not belong here" : "is missing", need->why);
        } else if (line != NULL && need->value[0] != '\0' && !view_equals(line->value, need->value)) {
            brokerfindings_add(findings, file, line->line, "%s is not %s: %s", need->name, need->value, need->why);
        }
    }
}

void brokerconf_lint(struct view text, const char *file, enum broker_kind kind, struct brokerconf *ret_conf,
                     struct brokerfindings *findings)
{
    struct view raw;
    unsigned number = 0;
    ret_conf->len = 0;
    while (view_next(&text, '\n', &raw)) {
        struct brokerconf_line line = {.line = ++number};
        struct view rest = view_trim(raw);
        if (rest.len == 0 || rest.ptr[0] == '#') {
            continue;
        }
        if (ret_conf->len == BROKERCONF_LINES_MAX) {
            brokerfindings_add(findings, file, number, "more than %d lines", BROKERCONF_LINES_MAX);
            break;
        }
        if (view_next(&rest, ' ', &line.name)) {
            line.value = view_trim(rest);
        }
        judge_line(&line, file, findings);
        ret_conf->lines[ret_conf->len++] = line;
    }
    judge_needs(ret_conf, file, kind, findings);
}

/** MQTT 4.7.1: '#' alone in the last level, '+' alone in its own. */
static bool filter_valid(struct view filter)
{
    struct view level;
    struct view rest = filter;
    bool last = false;
    while (view_next(&rest, '/', &level)) {
        bool hash = memchr(level.ptr, '#', level.len) != NULL;
        bool plus = memchr(level.ptr, '+', level.len) != NULL;
        if (last || ((hash || plus) && level.len != 1)) {
            return false;
        }
        last = hash;
    }
    return filter.len > 0;
}

static void judge_topic(struct view rest, const char *file, unsigned number, struct brokerfindings *findings)
{
    static const char *const accesses[] = {"read", "write", "readwrite", "deny"};
    struct view word = rest;
    struct view filter = rest;
    bool named = false;
    if (view_next(&filter, ' ', &word)) {
        for (size_t i = 0; i < ARRAY_LEN(accesses); i++) {
            named = named || view_equals(word, accesses[i]);
        }
    }
    if (!named) {
        brokerfindings_add(findings, file, number, "say read, write, readwrite or deny");
    } else if (!filter_valid(filter) || memchr(filter.ptr, ' ', filter.len) != NULL) {
        brokerfindings_add(findings, file, number, "\"%.*s\" is no topic filter", VIEW_ARG(filter));
    } else if (view_equals(filter, "#") || view_equals(filter, "+/#") || view_equals(filter, "muster/v1/#")) {
        brokerfindings_add(findings, file, number, "\"%.*s\" is everything", VIEW_ARG(filter));
    }
}

static void judge_user(struct view name, const char *file, unsigned number, const struct config_strings *names,
                       struct brokerfindings *findings)
{
    for (size_t i = 0; i < names->len; i++) {
        if (view_equals(name, names->items[i])) {
            return;
        }
    }
    brokerfindings_add(findings, file, number, "user \"%.*s\" is none of the description's services", VIEW_ARG(name));
}

void brokerconf_lint_acl(struct view text, const char *file, const struct config_strings *names,
                         struct brokerfindings *findings)
{
    struct view raw;
    unsigned number = 0;
    while (view_next(&text, '\n', &raw)) {
        struct view rest = view_trim(raw);
        struct view word;
        number++;
        if (rest.len == 0 || rest.ptr[0] == '#' || !view_next(&rest, ' ', &word)) {
            continue;
        }
        if (view_equals(word, "user")) {
            judge_user(rest, file, number, names, findings);
        } else if (view_equals(word, "topic") || view_equals(word, "pattern")) {
            judge_topic(rest, file, number, findings);
        } else {
            brokerfindings_add(findings, file, number,
                               "\"%.*s\" is none of user, topic, pattern: mosquitto drops the whole file at SIGHUP",
                               VIEW_ARG(word));
        }
    }
}
