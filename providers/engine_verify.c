/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_verify: what became of an update with unknown outcome, for backends that cannot fence. The authoritative
 * server is asked, a few times with growing pauses, since a service needs a moment to publish. Only an authoritative
 * answer that still differs at the end lets the change be sent again; no answer lets nothing happen.
 */
#include <stdlib.h>
#include <string.h>

#include "net/stream.h"
#include "providers/dnswire.h"
#include "providers/engine_internal.h"

enum { TRIES = 4, PAUSE_FACTOR = 4, QUERY_MAX = 512 };

struct pending {
    struct pending *next;
    struct change *change; /* TAKEN */
    uint64_t due_ms, pause_ms;
    unsigned tries;
};

struct engine_verify {
    struct engine_zone *zone;
    struct loop_timer *timer; /* owned */
    struct stream *stream;    /* owned; NULL = not connected */
    struct pending *list;     /* owned */
    struct pending *asked;    /* the one under way */
    uint16_t id;
};

static void arm(struct engine_verify *verify)
{
    uint64_t due = UINT64_MAX;
    for (const struct pending *pending = verify->list; pending != NULL; pending = pending->next) {
        due = MIN(due, pending->due_ms);
    }
    if (verify->asked == NULL) {
        loop_timer_at(verify->timer, due);
    }
}

static void hang_up(struct engine_verify *verify)
{
    stream_free(verify->stream);
    verify->stream = NULL;
}

/** No authoritative answer: the same question later. */
static void ask_later(struct engine_verify *verify)
{
    hang_up(verify);
    if (verify->asked != NULL) {
        verify->asked->due_ms = zone_now(verify->zone) + verify->zone->account->retry_max_ms;
        verify->asked = NULL;
    }
    arm(verify);
}

static void unlink_pending(struct engine_verify *verify, struct pending *pending)
{
    struct pending **at = &verify->list;
    while (*at != pending) {
        at = &(*at)->next;
    }
    *at = pending->next;
    verify->asked = NULL;
}

static void conclude(struct engine_verify *verify, struct pending *pending, bool applied)
{
    struct engine_zone *zone = verify->zone;
    struct change *change = pending->change;
    struct batch_item item;
    change_unpack(change, &item);
    unlink_pending(verify, pending);
    free(pending);
    struct engine_result result = {.name = item.name,
                                   .type = item.type,
                                   .rev = change->rev,
                                   .outcome = applied ? OUTCOME_APPLIED : OUTCOME_RETRY,
                                   .value = applied ? &item.want : NULL,
                                   .error = applied ? NULL : "not-applied",
                                   .detail = applied ? "" : "the authoritative server answers with another address",
                                   .retry_ms = applied ? 0 : zone_now(zone),
                                   .attempts = change->attempts};
    zone->callbacks.settled(zone->context, &result, 1);
    if (applied) {
        zone->changes++;
        change_queue_settle(&zone->queue, change, true, zone_now(zone));
    } else {
        (void)change_queue_put_back(&zone->queue, change, zone_now(zone)); /* found again by taking */
    }
    zone_kick(zone);
}

static void collect(void *context, const struct dnsmsg_record *record)
{
    struct rrset_value *value = context;
    struct ip ip = {.family = record->type == DNSMSG_TYPE_A ? IP_V4 : IP_V6};
    size_t len = record->type == DNSMSG_TYPE_A ? 4 : 16;
    if ((record->type == DNSMSG_TYPE_A || record->type == DNSMSG_TYPE_AAAA) && record->rdata.len == len) {
        memcpy(ip.bytes, record->rdata.ptr, len);
        (void)rrset_value_add(value, (enum rrtype)record->type, &ip); /* a set that overflows equals nothing of ours */
    }
}

static void judge(struct engine_verify *verify, const struct dnsmsg *message)
{
    struct pending *pending = verify->asked;
    struct rrset_value found = {0};
    struct batch_item item;
    bool answered = message->rcode == DNSMSG_NOERROR || message->rcode == DNSMSG_NXDOMAIN;
    if (!answered || !message->authoritative || message->truncated) {
        ask_later(verify);
        return;
    }
    dnsmsg_each_answer(message, collect, &found);
    change_unpack(pending->change, &item);
    if (rrset_value_equal(&found, &item.want)) {
        conclude(verify, pending, true);
    } else if (++pending->tries >= TRIES) {
        conclude(verify, pending, false);
    } else {
        pending->pause_ms *= PAUSE_FACTOR;
        pending->due_ms = zone_now(verify->zone) + pending->pause_ms;
        verify->asked = NULL;
    }
    arm(verify);
}

static size_t verify_read(void *context, struct view data)
{
    struct engine_verify *verify = context;
    struct view rest = data, wire;
    struct dnsmsg message;
    while (verify->stream != NULL && stream_next_framed(&rest, &wire)) {
        if (verify->asked == NULL || dnsmsg_parse(wire, NULL, NULL, &message) != ERR_OK) {
            continue;
        }
        if (message.response && message.id == verify->id) {
            judge(verify, &message);
        }
        dnsmsg_deinit(&message);
    }
    return data.len - rest.len;
}

static void verify_connected(void *context)
{
    (void)context; /* the question was written before */
}

static void verify_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    (void)why;
    (void)info; /* the change keeps its first error: what matters is that nobody knows yet */
    ask_later(context);
}

static enum err open_stream(struct engine_verify *verify)
{
    const struct engine_account *account = verify->zone->account;
    struct stream_options options = {.host = account->verify_host,
                                     .port = account->verify_port,
                                     .connect_ms = (uint32_t)account->timeout_ms,
                                     .connected = verify_connected,
                                     .read = verify_read,
                                     .closed = verify_closed,
                                     .context = verify};
    return stream_new(verify->zone->engine->loop, &options, &verify->stream);
}

static enum err ask(struct engine_verify *verify, struct pending *pending)
{
    uint8_t data[QUERY_MAX];
    struct dnswire wire;
    verify->asked = pending;
    verify->id = verify->zone->engine->next_id++;
    dnswire_query(&wire, data, sizeof(data), verify->id, view_of(change_name(pending->change)), pending->change->type);
    enum err err = dnswire_finish(&wire);
    if (err == ERR_OK && verify->stream == NULL) {
        err = open_stream(verify);
    }
    return err == ERR_OK ? stream_write_framed(verify->stream, view_n((const char *)data, wire.len)) : err;
}

/** Next question, or the deadline of the one under way. */
static void verify_timer(void *context)
{
    struct engine_verify *verify = context;
    if (verify->asked != NULL) {
        ask_later(verify);
        return;
    }
    uint64_t now = zone_now(verify->zone);
    struct pending *pending = verify->list;
    while (pending != NULL && pending->due_ms > now) {
        pending = pending->next;
    }
    if (pending == NULL) {
        arm(verify);
    } else if (ask(verify, pending) != ERR_OK) {
        ask_later(verify);
    } else {
        loop_timer_after(verify->timer, verify->zone->account->timeout_ms);
    }
}

static enum err verify_new(struct engine_zone *zone)
{
    struct engine_verify *verify = calloc(1, sizeof(*verify));
    if (verify == NULL) {
        return ERR_NOMEM;
    }
    verify->zone = zone;
    enum err err = loop_timer_new(zone->engine->loop, verify_timer, verify, &verify->timer);
    if (err != ERR_OK) {
        free(verify);
        return err;
    }
    zone->verify = verify;
    return ERR_OK;
}

enum err verify_start(struct engine_zone *zone, struct change *change)
{
    if (zone->account->verify_port == 0) {
        return ERR_UNSUPPORTED;
    }
    enum err err = zone->verify == NULL ? verify_new(zone) : ERR_OK;
    struct pending *pending = err == ERR_OK ? calloc(1, sizeof(*pending)) : NULL;
    if (pending == NULL) {
        return err != ERR_OK ? err : ERR_NOMEM;
    }
    pending->change = change;
    pending->pause_ms = zone->account->retry_min_ms;
    pending->due_ms = zone_now(zone) + pending->pause_ms;
    pending->next = zone->verify->list;
    zone->verify->list = pending;
    arm(zone->verify);
    return ERR_OK;
}

void verify_stop(struct engine_zone *zone)
{
    struct engine_verify *verify = zone->verify;
    if (verify == NULL) {
        return;
    }
    zone->verify = NULL;
    hang_up(verify);
    loop_timer_free(verify->timer);
    while (verify->list != NULL) {
        struct pending *pending = verify->list;
        verify->list = pending->next;
        free(pending);
    }
    free(verify);
}
