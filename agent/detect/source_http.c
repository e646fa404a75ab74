/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source http: an echo service, which answers a GET with the address that it came from. TLS, HTTP and what strangers
 * send stay in a program of its own, muster-echo, which runs for one question: a camera's daemon needs no curl for it.
 */
#include <stdio.h>
#include <string.h>

#include "agent/detect/echobody.h"
#include "agent/detect/program.h"
#include "agent/detect/rows.h"
#include "agent/detect/sources.h"

/* checkip.dyndns.com wants one question in 10 minutes at most; the safety poll comes up to a fifth early. */
#define DYNDNS_PAUSE_MS (10u * 60 * 1000)
#define DYNDNS_EVERY_MS (13u * 60 * 1000)

static bool is_dyndns(const struct source_config *config)
{
    return config->format != NULL && strcmp(config->format, "dyndns") == 0;
}

static enum err check(const struct source_config *config, struct errinfo *info)
{
    struct echo_format format;
    char host[ECHO_HOST_SIZE];
    enum err err = rows_check(config, ROWS_URL | ROWS_FORMAT | ROWS_CA_FILE, ROWS_URL, info);
    err = err != ERR_OK ? err : echo_url_host(view_of(config->url), host, info);
    err = err != ERR_OK ? err : echo_format_parse(view_of(config->format), &format, info);
    if (err == ERR_OK && is_dyndns(config) && config->every_ms != 0 && config->every_ms < DYNDNS_EVERY_MS) {
        return errinfo_set(info, ERR_INVALID, "detect", 0,
                           "every: at least 13m, checkip.dyndns.com allows one question in 10 minutes");
    }
    return err;
}

static void add(struct program_call *call, const char *option, const char *value)
{
    call->arguments[call->arguments_len++] = option;
    if (value != NULL) {
        call->arguments[call->arguments_len++] = value;
    }
}

static enum err call(const struct source_config *config, const struct source_question *question,
                     struct program_call *ret_call)
{
    if (is_dyndns(config) && question->family != IP_V4) {
        return ERR_UNSUPPORTED; /* checkip.dyndns.com knows IPv4 only */
    }
    enum err err = program_helper_path("muster-echo", ret_call->path);
    if (err != ERR_OK) {
        return err;
    }
    add(ret_call, ret_call->path, NULL);
    add(ret_call, "--family", question->family == IP_V6 ? "6" : "4");
    /* A little less than ours, so that it can still say what it waited for. */
    (void)snprintf(ret_call->texts[0], sizeof(ret_call->texts[0]), "%ums",
                   MAX(question->timeout_ms - question->timeout_ms / 10, 1u)); /* fits */
    add(ret_call, "--timeout", ret_call->texts[0]);
    if (config->format != NULL && config->format[0] != '\0') {
        add(ret_call, "--format", config->format);
    }
    if (config->ca_file != NULL && config->ca_file[0] != '\0') {
        add(ret_call, "--ca-file", config->ca_file);
    }
    if (question->uplink[0] != '\0') {
        (void)snprintf(ret_call->texts[1], sizeof(ret_call->texts[1]), "%s", question->uplink); /* fits */
        add(ret_call, "--interface", ret_call->texts[1]);
    }
    if (question->local.family == question->family) {
        (void)ip_format(&question->local, ret_call->texts[2]);
        add(ret_call, "--local", ret_call->texts[2]);
    }
    /* Everybody on this machine may read arguments, and a URL may have a token in it. */
    int len = snprintf(ret_call->long_text, sizeof(ret_call->long_text), "MUSTER_URL=%s", config->url);
    ret_call->variables[ret_call->variables_len++] = ret_call->long_text;
    return len > 0 && (size_t)len < sizeof(ret_call->long_text) ? ERR_OK : ERR_LIMIT;
}

static void judge(const struct source_config *config, const struct source_question *question, struct view output,
                  struct source_answer *answer)
{
    char shown[SOURCE_DETAIL_SIZE];
    (void)snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(config->url, "?"), config->url); /* cut at worst */
    program_judge_helper(question, shown, output, answer);
}

static uint32_t pause_ms(const struct source_config *config)
{
    return is_dyndns(config) ? DYNDNS_PAUSE_MS : 0;
}

static enum err open_http(struct loop *loop, const struct source_config *config,
                          const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    static const struct program_kind kind = {.call = call, .judge = judge, .pause_ms = pause_ms};
    return program_open(loop, config, callbacks, &kind, ret_source, info);
}

const struct source_ops source_http = {
    .type = "http",
    .view = SOURCE_VIEW_PATH,
    .min_every_ms = 30 * 1000, /* checkipv4.dedyn.io allows three a minute */
    .default_every_ms = 15 * 60 * 1000,
    .pause_ms = pause_ms,
    .check = check,
    .open = open_http,
    .ask = program_ask,
    .cancel = program_cancel,
    .close = program_close,
};
