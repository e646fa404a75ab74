/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source exec: a program of the operator's that knows the address, a router's status page scraped for instance. It is
 * told MUSTER_FAMILY (4 or 6) and MUSTER_UPLINK (interface, "" for any) in its environment. What counts is the exit
 * status 0 and the first line that is, without the blanks around it, one address of the asked family and nothing else.
 */
#include <stdio.h>

#include "agent/detect/program.h"
#include "agent/detect/rows.h"
#include "agent/detect/sources.h"

static enum err check(const struct source_config *config, struct errinfo *info)
{
    enum err err = rows_check(config, ROWS_COMMAND, ROWS_COMMAND, info);
    if (err != ERR_OK) {
        return err;
    }
    if (config->command[0][0] != '/') {
        return errinfo_set(info, ERR_INVALID, "detect", 0,
                           "command: %.*s is no absolute path; no shell and no search path is used",
                           MIN(program_shown_len(config->command[0]), 100), config->command[0]);
    }
    if (config->command_len > CHILD_ARGS_MAX - 2) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "command: more than %d arguments", CHILD_ARGS_MAX - 2);
    }
    return ERR_OK;
}

static enum err call(const struct source_config *config, const struct source_question *question,
                     struct program_call *ret_call)
{
    ret_call->arguments_len = config->command_len;
    for (size_t i = 0; i < config->command_len; i++) {
        ret_call->arguments[i] = config->command[i];
    }
    (void)snprintf(ret_call->texts[0], sizeof(ret_call->texts[0]), "MUSTER_FAMILY=%u", question->family);
    (void)snprintf(ret_call->texts[1], sizeof(ret_call->texts[1]), "MUSTER_UPLINK=%s", question->uplink); /* both fit */
    ret_call->variables[0] = ret_call->texts[0];
    ret_call->variables[1] = ret_call->texts[1];
    ret_call->variables_len = 2;
    return ERR_OK;
}

static void judge(const struct source_config *config, const struct source_question *question, struct view output,
                  struct source_answer *answer)
{
    struct view line;
    while (view_next(&output, '\n', &line)) {
        if (ip_parse(view_trim(line), &answer->ip) == ERR_OK && answer->ip.family == question->family) {
            answer->status = SOURCE_ANSWER_ADDRESS;
            program_detail(answer, "%.*s", program_shown_len(config->command[0]), config->command[0]);
            return;
        }
    }
    answer->status = SOURCE_ANSWER_FAILED;
    answer->ip = (struct ip){0};
    program_detail(answer, "%.*s: printed no line that is one %s address", program_shown_len(config->command[0]),
                   config->command[0], program_family(question->family));
}

static enum err open_exec(struct loop *loop, const struct source_config *config,
                          const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    static const struct program_kind kind = {.call = call, .judge = judge};
    return program_open(loop, config, callbacks, &kind, ret_source, info);
}

const struct source_ops source_exec = {
    .type = "exec",
    .view = SOURCE_VIEW_DECLARED,
    .min_every_ms = 5000,
    .default_every_ms = 5 * 60 * 1000,
    .check = check,
    .open = open_exec,
    .ask = program_ask,
    .cancel = program_cancel,
    .close = program_close,
};
