/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source upnp: the router's own word for the address of its far side, over UPnP IGD. Asked by a program of its own,
 * muster-igd: the library blocks, and it reads XML that any host of the local network may send. Private addresses are
 * handed on as they are: they show a second NAT. So does a router's word that it has no address at all.
 */
#include <stdio.h>

#include "agent/detect/program.h"
#include "agent/detect/rows.h"
#include "agent/detect/sources.h"

static enum err check(const struct source_config *config, struct errinfo *info)
{
    return rows_check(config, 0, 0, info);
}

static enum err call(const struct source_config *config, const struct source_question *question,
                     struct program_call *ret_call)
{
    (void)config;
    if (question->family != IP_V4) {
        return ERR_UNSUPPORTED; /* a router has no say in what IPv6 address a host has */
    }
    if (question->gateway.family != IP_V4) {
        return ERR_NOTFOUND; /* without a router to believe, anybody on the link would be */
    }
    enum err err = program_helper_path("muster-igd", ret_call->path);
    if (err != ERR_OK) {
        return err;
    }
    const char **next = ret_call->arguments;
    *next++ = ret_call->path;
    (void)snprintf(ret_call->texts[0], sizeof(ret_call->texts[0]), "%ums", MAX(question->timeout_ms, 100u)); /* fits */
    *next++ = "--timeout";
    *next++ = ret_call->texts[0];
    if (question->uplink[0] != '\0') {
        (void)snprintf(ret_call->texts[1], sizeof(ret_call->texts[1]), "%s", question->uplink); /* fits */
        *next++ = "--interface";
        *next++ = ret_call->texts[1];
    }
    (void)ip_format(&question->gateway, ret_call->texts[2]);
    *next++ = "--gateway";
    *next++ = ret_call->texts[2];
    ret_call->arguments_len = (size_t)(next - ret_call->arguments);
    return ERR_OK;
}

static void judge(const struct source_config *config, const struct source_question *question, struct view output,
                  struct source_answer *answer)
{
    (void)config;
    if (view_equals(output, "none\n")) {
        answer->status = SOURCE_ANSWER_FAILED;
        answer->no_outside = true;
        program_detail(answer, "upnp: the router has no address on its far side, or a private one, which some hide");
        return;
    }
    program_judge_helper(question, "the router, over UPnP", output, answer);
    answer->port_control = answer->status == SOURCE_ANSWER_ADDRESS;
}

static enum err open_upnp(struct loop *loop, const struct source_config *config,
                          const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    static const struct program_kind kind = {.call = call, .judge = judge};
    return program_open(loop, config, callbacks, &kind, ret_source, info);
}

const struct source_ops source_upnp = {
    .type = "upnp",
    .view = SOURCE_VIEW_ROUTER,
    .min_every_ms = 10 * 1000,
    .default_every_ms = 15 * 60 * 1000,
    .check = check,
    .open = open_upnp,
    .ask = program_ask,
    .cancel = program_cancel,
    .close = program_close,
};
