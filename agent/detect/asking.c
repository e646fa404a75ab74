/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/asking.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hostport.h"
#include "base/macros.h"
#include "net/sockaddr.h"

static bool same_path(const struct source_question *a, const struct source_question *b)
{
    return a->family == b->family && strcmp(a->uplink, b->uplink) == 0;
}

static void drop(struct asking *asking)
{
    asking->askings->release(asking);
    resolve_cancel(TAKE(asking->resolve));
    loop_timer_free(TAKE(asking->timer));
    free(asking);
}

enum err asking_begin(struct askings *askings, const struct source_question *question, struct asking *asking)
{
    enum err err = ERR_OK;
    for (const struct asking *at = askings->first; at != NULL; at = at->next) {
        err = same_path(&at->question, question) ? ERR_AGAIN : err;
    }
    if (err == ERR_OK) {
        err = loop_timer_new(askings->loop, askings->on_timer, asking, &asking->timer);
    }
    if (err != ERR_OK) {
        free(asking);
        return err;
    }
    asking->askings = askings;
    asking->question = *question;
    asking->started_ms = clock_mono_ms();
    asking->deadline_ms = asking->started_ms + question->timeout_ms;
    asking->next = askings->first;
    askings->first = asking;
    loop_timer_at(asking->timer, 0);
    return ERR_OK;
}

static void unlink_asking(struct asking *asking)
{
    struct asking **at = &asking->askings->first;
    while (*at != asking) {
        at = &(*at)->next;
    }
    *at = asking->next;
}

void asking_end(struct asking *asking, const struct source_answer *answer)
{
    struct source_question question = asking->question;
    struct source_answer told = *answer;
    const struct source_callbacks *callbacks = &asking->askings->callbacks;
    told.elapsed_ms = clock_mono_ms() - asking->started_ms;
    unlink_asking(asking);
    drop(asking);
    callbacks->answered(callbacks->context, &question, &told);
}

static PRINTF_LIKE(2, 0) void write_detail(struct source_answer *answer, const char *format, va_list args)
{
    (void)vsnprintf(answer->detail, sizeof(answer->detail), format, args); /* a cut text is still the best we have */
}

void asking_detail(struct source_answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_detail(answer, format, args);
    va_end(args);
}

void asking_fail(struct asking *asking, const char *format, ...)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED};
    va_list args;
    va_start(args, format);
    write_detail(&answer, format, args);
    va_end(args);
    asking_end(asking, &answer);
}

void asking_wake_at(struct asking *asking, uint64_t mono_ms)
{
    loop_timer_at(asking->timer, MIN(mono_ms, asking->deadline_ms));
}

bool asking_is_late(const struct asking *asking)
{
    return clock_mono_ms() >= asking->deadline_ms;
}

void asking_cancel(struct source *source)
{
    struct askings *askings = (struct askings *)source; /* its first member */
    while (askings->first != NULL) {
        struct asking *asking = askings->first;
        askings->first = asking->next;
        drop(asking);
    }
}

void asking_close(struct source *source)
{
    if (source != NULL) {
        asking_cancel(source);
        free(source);
    }
}

bool asking_may_know(const char *server, uint8_t family)
{
    struct view host;
    struct ip ip;
    uint16_t port;
    bool numeric = hostport_parse(view_of(server), &host, &port, NULL) == ERR_OK && ip_parse(host, &ip) == ERR_OK;
    return !numeric || ip.family == family;
}

struct ip asking_address(const struct source_question *question, const struct resolve_result *result,
                         uint16_t *ret_port)
{
    for (size_t i = 0; i < result->len; i++) {
        struct ip ip = sockaddr_ip(&result->addresses[i]);
        if (ip.family == question->family) {
            *ret_port = sockaddr_port(&result->addresses[i]);
            return ip;
        }
    }
    return (struct ip){0};
}
