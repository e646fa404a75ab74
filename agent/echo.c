/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster-echo: asks one echo service once for the address that it sees, prints it and ends. Started by the agent's
 * source "http", which hands it the URL as MUSTER_URL; nothing else of the agent links curl. Exit status: 0 with one
 * line of output, 1 with one line of errors, 64 for a wrong call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "agent/detect/echobody.h"
#include "base/args.h"
#include "net/http.h"

struct options {
    const char *format, *interface, *local, *ca_file;
    int family; /* index into families */
    uint64_t timeout_ms;
};

static const char *const families[] = {"4", "6", NULL};

static const struct args_row rows[] = {
    {"family", 0, "4|6", ARGS_ENUM, offsetof(struct options, family), .choices = families,
     .help = "IP version of the connection and of the answer (default 4)"},
    {"format", 0, "FORMAT", ARGS_STRING, offsetof(struct options, format),
     .help = "What the service answers: text, trace, json:<field>, dyndns (default text)"},
    {"interface", 0, "NAME", ARGS_STRING, offsetof(struct options, interface), .help = "Leave through this interface"},
    {"local", 0, "ADDRESS", ARGS_STRING, offsetof(struct options, local), .help = "Leave from this address"},
    {"ca-file", 0, "FILE", ARGS_STRING, offsetof(struct options, ca_file),
     .help = "Trust these certificates (PEM) instead of the system's"},
    {"timeout", 0, "DURATION", ARGS_DURATION, offsetof(struct options, timeout_ms), .min = 1, .max = 600000,
     .help = "Deadline of the whole question (default 10s)"},
    {0},
};

static const struct args_schema schema = {
    .program = "muster-echo",
    .operands = "[URL]",
    .summary = "Asks an echo service for the address that it sees and prints it. Started by muster-agent.",
    .rows = rows,
    .operands_max = 1,
};

struct question {
    struct loop *loop;
    struct echo_format format;
    uint8_t family;
    char host[ECHO_HOST_SIZE];
    struct ip ip; /* the answer; IP_NONE: see info */
    struct errinfo info;
};

/* What is to be said of a whole reply before its body is looked at. */
static enum err check_reply(struct question *question, const struct http_result *result)
{
    struct view encoding;
    if (result->status != 200) {
        bool moved = result->status >= 300 && result->status < 400;
        return errinfo_set(&question->info, ERR_PARSE, "echo", (long)result->status, "status %u instead of 200%s",
                           result->status, moved ? ", a redirect: a login page, or the wrong URL" : "");
    }
    if (result->peer.family != question->family) {
        return errinfo_set(&question->info, ERR_PARSE, "echo", 0, "the connection was not over IPv%u",
                           question->family);
    }
    if (http_result_header(result, "content-encoding", &encoding) &&
        !view_equal_nocase(encoding, view_of("identity"))) {
        return errinfo_set(&question->info, ERR_PARSE, "echo", 0, "a compressed body that was not asked for");
    }
    return ERR_OK;
}

static void on_done(void *context, const struct http_result *result)
{
    struct question *question = context;
    enum err err = result->err;
    if (err != ERR_OK) {
        question->info = result->info;
    } else {
        err = check_reply(question, result);
    }
    if (err == ERR_OK) {
        err = echo_body_parse(&question->format, view_of(question->host), question->family, result->body, &question->ip,
                              &question->info);
    }
    if (err != ERR_OK) {
        question->ip = (struct ip){0};
    }
    loop_stop(question->loop);
}

static enum err read_question(const struct options *options, const char *url, struct question *question,
                              struct http_request *request)
{
    struct errinfo *info = &question->info;
    question->family = options->family == 1 ? IP_V6 : IP_V4;
    enum err err = echo_url_host(view_of(url), question->host, info);
    err = err != ERR_OK ? err : echo_format_parse(view_of(options->format), &question->format, info);
    *request = (struct http_request){.url = url,
                                     .timeout_ms = options->timeout_ms != 0 ? (uint32_t)options->timeout_ms : 10000,
                                     .reply_max = ECHO_BODY_MAX,
                                     .family = question->family,
                                     .interface = options->interface,
                                     .done = on_done,
                                     .context = question};
    if (err == ERR_OK && options->local != NULL &&
        (ip_parse(view_of(options->local), &request->local) != ERR_OK || request->local.family != question->family)) {
        return errinfo_set(info, ERR_INVALID, "echo", 0, "--local: no IPv%u address", question->family);
    }
    return err;
}

static enum err ask(struct question *question, const struct options *options, const struct http_request *request)
{
    struct http_client *client = NULL;
    const struct http_client_options client_options = {
        .ca_file = options->ca_file,
        .allow_http = view_starts_with(view_of(request->url), VIEW_LITERAL("http://")),
        .connections_max = 1,
    };
    enum err err = loop_new(&question->loop);
    err = err != ERR_OK ? err : http_client_new(question->loop, &client_options, &client);
    err = err != ERR_OK ? err : http_start(client, request, NULL);
    if (err == ERR_OK) {
        loop_run(question->loop);
    } else {
        (void)errinfo_set(&question->info, err, "echo", 0, "cannot ask: %s", err_text(err)); /* said by the caller */
    }
    http_client_free(client);
    loop_free(question->loop);
    return err;
}

static int say(const struct question *question)
{
    char text[IP_TEXT_SIZE];
    if (question->ip.family == IP_NONE) {
        (void)fprintf(stderr, "%s: %s\n", question->host, question->info.text); /* nowhere else to say it */
        return 1;
    }
    (void)ip_format(&question->ip, text);
    return printf("%s\n", text) > 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char *argv[])
{
    struct options options = {0};
    struct args_result result;
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    struct question question = {0};
    struct http_request request;
    const char *url = result.operands_len > 0 ? result.operands[0] : getenv("MUSTER_URL");
    if (read_question(&options, url != NULL ? url : "", &question, &request) != ERR_OK) {
        (void)fprintf(stderr, "muster-echo: %s\n", question.info.text); /* nowhere else to say it */
        return EX_USAGE;
    }
    (void)ask(&question, &options, &request); /* a failure is in the question's info */
    return say(&question);
}
