/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct asked {
    struct source *source;
    struct asked *next;
    struct source_question question;
    struct child *child;
};

#define UPLINKS_MAX 8 /* whose last question is remembered, for services that want a pause */

/* When an uplink was asked last. */
struct last {
    char uplink[RT_IFNAME_SIZE];
    uint64_t at_ms; /* 0: the row is free */
};

struct source {
    struct loop *loop;
    const struct source_config *config; /* borrowed */
    const struct program_kind *kind;
    struct source_callbacks callbacks;
    struct child_pool *pool;
    struct asked *asked; /* owned; the questions under way */
    struct last last[UPLINKS_MAX];
};

int program_shown_len(const char *command)
{
    return (int)strcspn(command, " ");
}

const char *program_family(uint8_t family)
{
    return family == IP_V6 ? "IPv6" : "IPv4";
}

void program_detail(struct source_answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(answer->detail, sizeof(answer->detail), format, args); /* cut where it is too long */
    va_end(args);
    for (char *c = answer->detail; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

void program_judge_helper(const struct source_question *question, const char *who, struct view output,
                          struct source_answer *answer)
{
    struct ip ip;
    bool whole = output.len > 0 && output.ptr[output.len - 1] == '\n' &&
                 ip_parse(view_n(output.ptr, output.len - 1), &ip) == ERR_OK && ip.family == question->family;
    answer->status = whole ? SOURCE_ANSWER_ADDRESS : SOURCE_ANSWER_FAILED;
    if (whole) {
        answer->ip = ip;
        program_detail(answer, "%s", who);
    } else {
        program_detail(answer, "%s: its program printed something else than one %s address", who,
                       program_family(question->family));
    }
}

enum err program_helper_path(const char *name, char buffer[static PROGRAM_PATH_SIZE])
{
    ssize_t len = readlink("/proc/self/exe", buffer, PROGRAM_PATH_SIZE - 1);
    if (len > 0) {
        buffer[len] = '\0';
        char *slash = strrchr(buffer, '/');
        size_t used = slash != NULL ? (size_t)(slash - buffer) + 1 : 0;
        int n = snprintf(buffer + used, PROGRAM_PATH_SIZE - used, "%s", name);
        if (used > 0 && n > 0 && (size_t)n < PROGRAM_PATH_SIZE - used && access(buffer, X_OK) == 0) {
            return ERR_OK;
        }
    }
    int n = snprintf(buffer, PROGRAM_PATH_SIZE, "%s/%s", MUSTER_LIBEXEC, name);
    return n > 0 && n < PROGRAM_PATH_SIZE ? ERR_OK : ERR_LIMIT;
}

/* What a program complained about last: libraries chatter before. */
static struct view last_line(struct view errors)
{
    struct view line, last = {0};
    while (view_next(&errors, '\n', &line)) {
        line = view_trim(line);
        last = line.len > 0 ? line : last;
    }
    return last;
}

/* Why there is no output to judge; false when there is. */
static bool describe_failure(const struct child_result *result, const char *program, struct source_answer *answer)
{
    struct view line = last_line(result->errors);
    switch (result->err) {
    case ERR_OK:
        break;
    case ERR_TIMEOUT:
        program_detail(answer, "%s: no answer in %llu ms; it was killed", program,
                       (unsigned long long)result->elapsed_ms);
        return true;
    case ERR_LIMIT:
        program_detail(answer, "%s: printed more than %d bytes; it was killed", program, PROGRAM_OUTPUT_MAX);
        return true;
    default:
        program_detail(answer, "%s: cannot be run: %s", program, err_text(result->err));
        return true;
    }
    if (result->signal != 0) {
        program_detail(answer, "%s: ended by signal %d", program, result->signal);
    } else if (result->status != 0 && line.len > 0) {
        program_detail(answer, "%.*s", VIEW_ARG(line));
    } else if (result->status != 0) {
        program_detail(answer, "%s: exit status %d", program, result->status);
    } else {
        return false;
    }
    return true;
}

static void forget(struct asked *asked)
{
    struct asked **link = &asked->source->asked;
    while (*link != asked) {
        link = &(*link)->next;
    }
    *link = asked->next;
    free(asked);
}

static void on_done(void *context, const struct child_result *result)
{
    struct asked *asked = context;
    struct source *source = asked->source;
    struct source_question question = asked->question;
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED, .elapsed_ms = result->elapsed_ms};
    const char *whole = source->config->command_len > 0 ? source->config->command[0] : source->config->type;
    char program[PROGRAM_PATH_SIZE];
    (void)snprintf(program, sizeof(program), "%.*s", program_shown_len(whole), whole); /* it is shown only */
    if (!describe_failure(result, program, &answer)) {
        source->kind->judge(source->config, &question, result->output, &answer);
    }
    forget(asked); /* before the answer: it may ask anew */
    source->callbacks.answered(source->callbacks.context, &question, &answer);
}

enum err program_open(struct loop *loop, const struct source_config *config, const struct source_callbacks *callbacks,
                      const struct program_kind *kind, struct source **ret_source, struct errinfo *info)
{
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "%s", err_text(ERR_NOMEM));
    }
    *source = (struct source){.loop = loop, .config = config, .kind = kind, .callbacks = *callbacks};
    enum err err = child_pool_new(loop, PROGRAM_RUNNING_MAX, &source->pool);
    if (err != ERR_OK) {
        free(source);
        return errinfo_set(info, err, "detect", 0, "%s", err_text(err));
    }
    *ret_source = source;
    return ERR_OK;
}

static bool is_asked(const struct source *source, const struct source_question *question)
{
    for (const struct asked *asked = source->asked; asked != NULL; asked = asked->next) {
        if (asked->question.family == question->family && strcmp(asked->question.uplink, question->uplink) == 0) {
            return true;
        }
    }
    return false;
}

/* False while the service's pause on this uplink lasts; notes the question otherwise. */
static bool is_due(struct source *source, const struct source_question *question)
{
    uint32_t pause_ms = source->kind->pause_ms != NULL ? source->kind->pause_ms(source->config) : 0;
    uint64_t now = loop_now_ms(source->loop);
    struct last *row = &source->last[0]; /* the uplink's, or the oldest */
    for (size_t i = 0; pause_ms > 0 && i < UPLINKS_MAX; i++) {
        struct last *last = &source->last[i];
        if (last->at_ms != 0 && strcmp(last->uplink, question->uplink) == 0) {
            row = last;
            break;
        }
        row = last->at_ms < row->at_ms ? last : row;
    }
    if (pause_ms > 0 && row->at_ms != 0 && strcmp(row->uplink, question->uplink) == 0 && now - row->at_ms < pause_ms) {
        return false;
    }
    (void)snprintf(row->uplink, sizeof(row->uplink), "%s", question->uplink); /* of the same size */
    row->at_ms = MAX(now, (uint64_t)1);
    return true;
}

static enum err start(struct asked *asked)
{
    struct program_call call = {0};
    struct source *source = asked->source;
    enum err err = source->kind->call(source->config, &asked->question, &call);
    if (err != ERR_OK) {
        return err;
    }
    if (!is_due(source, &asked->question)) {
        return ERR_LIMIT;
    }
    struct child_options options = {
        .arguments = call.arguments,
        .arguments_len = call.arguments_len,
        .variables = call.variables,
        .variables_len = call.variables_len,
        .timeout_ms = asked->question.timeout_ms,
        .output_max = PROGRAM_OUTPUT_MAX,
        .done = on_done,
        .context = asked,
    };
    return child_start(source->pool, &options, &asked->child);
}

enum err program_ask(struct source *source, const struct source_question *question)
{
    if (is_asked(source, question)) {
        return ERR_AGAIN;
    }
    struct asked *asked = calloc(1, sizeof(*asked));
    if (asked == NULL) {
        return ERR_NOMEM;
    }
    *asked = (struct asked){.source = source, .question = *question};
    enum err err = start(asked);
    if (err != ERR_OK) {
        free(asked);
        return err;
    }
    asked->next = source->asked;
    source->asked = asked;
    return ERR_OK;
}

void program_cancel(struct source *source)
{
    for (struct asked *asked = TAKE(source->asked), *next = NULL; asked != NULL; asked = next) {
        next = asked->next;
        child_cancel(asked->child);
        free(asked);
    }
}

void program_close(struct source *source)
{
    if (source != NULL) {
        program_cancel(source);
        child_pool_free(source->pool);
        free(source);
    }
}
