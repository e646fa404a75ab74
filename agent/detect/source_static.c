/* SPDX-License-Identifier: Apache-2.0 */
/* source static: addresses that a person wrote into the config, for a line whose address never changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/rows.h"
#include "agent/detect/sources.h"

#define PENDING_MAX 64 /* questions between two turns of the loop: families times uplinks */

struct source {
    const struct source_config *config; /* borrowed */
    struct source_callbacks callbacks;
    struct loop_timer *timer;
    struct source_question pending[PENDING_MAX];
    size_t pending_len;
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum err check_address(const char *row, const char *text, uint8_t family, struct errinfo *info)
{
    struct ip ip;
    if (is_set(text) && (ip_parse(view_of(text), &ip) != ERR_OK || ip.family != family)) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "%s: \"%.60s\" is no IPv%u address", row, text, family);
    }
    return ERR_OK;
}

static enum err check(const struct source_config *config, struct errinfo *info)
{
    enum err err = rows_check(config, ROWS_ADDRESS4 | ROWS_ADDRESS6, 0, info);
    if (err == ERR_OK && !is_set(config->address4) && !is_set(config->address6)) {
        return errinfo_set(info, ERR_INVALID, "detect", 0,
                           "address4, address6: missing; a source of type static needs one of them");
    }
    err = err != ERR_OK ? err : check_address("address4", config->address4, IP_V4, info);
    return err != ERR_OK ? err : check_address("address6", config->address6, IP_V6, info);
}

static const char *text_of(const struct source *source, uint8_t family)
{
    return family == IP_V6 ? source->config->address6 : source->config->address4;
}

static void answer_one(struct source *source, const struct source_question *question)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_ADDRESS, .detail = "configured"};
    enum err err = ip_parse(view_of(text_of(source, question->family)), &answer.ip);
    assert(err == ERR_OK); /* checked when the config was read */
    (void)err;
    source->callbacks.answered(source->callbacks.context, question, &answer);
}

/* One a turn: an answer may cancel the rest. */
static void on_timer(void *context)
{
    struct source *source = context;
    struct source_question question = source->pending[0];
    source->pending_len--;
    memmove(&source->pending[0], &source->pending[1], source->pending_len * sizeof(source->pending[0]));
    if (source->pending_len > 0) {
        loop_timer_after(source->timer, 0);
    }
    answer_one(source, &question);
}

static enum err open_static(struct loop *loop, const struct source_config *config,
                            const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "%s", err_text(ERR_NOMEM));
    }
    source->config = config;
    source->callbacks = *callbacks;
    enum err err = loop_timer_new(loop, on_timer, source, &source->timer);
    if (err != ERR_OK) {
        free(source);
        return errinfo_set(info, err, "detect", 0, "%s", err_text(err));
    }
    *ret_source = source;
    return ERR_OK;
}

static enum err ask(struct source *source, const struct source_question *question)
{
    if (!is_set(text_of(source, question->family))) {
        return ERR_UNSUPPORTED;
    }
    for (size_t i = 0; i < source->pending_len; i++) {
        if (source->pending[i].family == question->family && strcmp(source->pending[i].uplink, question->uplink) == 0) {
            return ERR_AGAIN;
        }
    }
    if (source->pending_len == PENDING_MAX) {
        return ERR_LIMIT;
    }
    source->pending[source->pending_len++] = *question;
    loop_timer_after(source->timer, 0);
    return ERR_OK;
}

static void cancel(struct source *source)
{
    source->pending_len = 0;
    loop_timer_stop(source->timer);
}

static void close_static(struct source *source)
{
    if (source != NULL) {
        loop_timer_free(source->timer);
        free(source);
    }
}

const struct source_ops source_static = {
    .type = "static",
    .view = SOURCE_VIEW_DECLARED,
    .check = check,
    .open = open_static,
    .ask = ask,
    .cancel = cancel,
    .close = close_static,
};
