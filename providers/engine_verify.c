/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_verify: what became of an update with unknown outcome, for backends that cannot fence. The authoritative
 * server is asked, a few times with growing pauses, since a service needs a moment to publish. Only an authoritative
 * answer that still differs at the end lets the change be sent again; no answer lets nothing happen. Where the config
 * names no server to ask, the primary and the name servers of the zone that the name lies in are found and asked in
 * turn; when none of them could be asked for UNANSWERED_MAX times (a firewall that lets no DNS out), changes go out
 * again unverified: a name must not stay wrong for ever.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/stream.h"
#include "providers/dnswire.h"
#include "providers/engine_internal.h"

enum { TRIES = 4, UNANSWERED_MAX = 4, PAUSE_FACTOR = 4, QUERY_MAX = 512 };

struct engine_verify {
    struct engine_zone *zone;
    struct loop_timer *timer; /* owned */
    struct stream *stream;    /* owned; NULL = not connected */
    struct find *find;        /* owned; NULL where the config names the server */
    unsigned unanswered;      /* questions in a row, while we find the server ourselves */
    struct change *list;      /* by `next`: TAKEN, of the queue; time_ms is when to ask, tries how often it was */
    struct change *asked;     /* the one under way */
    uint16_t id;
};

static void arm(struct engine_verify *verify)
{
    uint64_t due = UINT64_MAX;
    for (const struct change *change = verify->list; change != NULL; change = change->next) {
        due = MIN(due, change->time_ms);
    }
    if (verify->asked == NULL) {
        loop_timer_at(verify->timer, due);
    }
}

static void hang_up(struct engine_verify *verify)
{
    stream_free(verify->stream);
    verify->stream = NULL;
    if (verify->find != NULL) {
        find_cancel(verify->find);
    }
}

static void unlink_change(struct engine_verify *verify, struct change *change)
{
    struct change **at = &verify->list;
    while (*at != change) {
        at = &(*at)->next;
    }
    *at = change->next;
    change->next = NULL;
    verify->asked = NULL;
}

/** APPLIED, or what is not known to be applied is sent again for @p error, each time after a longer wait: a page that
 * is not the service answers for ever. */
static void conclude(struct engine_verify *verify, struct change *change, const char *error, const char *detail)
{
    struct engine_zone *zone = verify->zone;
    struct batch_item item;
    bool applied = error == NULL;
    uint64_t retry_ms = applied ? 0 : zone_now(zone) + change_backoff(zone, change);
    change_unpack(change, &item);
    unlink_change(verify, change);
    struct engine_result result = {.name = item.name,
                                   .type = item.type,
                                   .rev = change->rev,
                                   .outcome = applied ? OUTCOME_APPLIED : OUTCOME_RETRY,
                                   .value = applied ? &item.want : NULL,
                                   .error = error,
                                   .detail = detail,
                                   .retry_ms = retry_ms,
                                   .attempts = change->attempts};
    zone->callbacks.settled(zone->context, &result, 1);
    if (applied) {
        zone->changes++;
        change_queue_settle(&zone->queue, change, true, zone_now(zone));
    } else {
        change_queue_delay(&zone->queue, change, retry_ms);
    }
    zone_kick(zone);
}

/** No authoritative answer: the same question later, unless there is nobody who can be asked. */
static void ask_later(struct engine_verify *verify)
{
    struct change *change = verify->asked;
    hang_up(verify);
    if (change != NULL && verify->find != NULL && ++verify->unanswered >= UNANSWERED_MAX) {
        verify->unanswered = UNANSWERED_MAX; /* the next ones need not wait as long */
        conclude(verify, change, "not-verified",
                 "no authoritative server could be asked what became of the update: allow DNS to it, or set "
                 "`verify_server`");
    } else if (change != NULL) {
        change->time_ms = zone_now(verify->zone) + verify->zone->account->retry_max_ms;
        verify->asked = NULL;
    }
    arm(verify);
}

static void try_next_server(struct engine_verify *verify);

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

static uint64_t pause_ms(const struct engine_verify *verify, const struct change *change)
{
    uint64_t pause = verify->zone->account->retry_min_ms;
    for (unsigned i = 0; i < change->tries; i++) {
        pause *= PAUSE_FACTOR;
    }
    return pause;
}

static void judge(struct engine_verify *verify, const struct dnsmsg *message)
{
    struct change *change = verify->asked;
    struct rrset_value found = {0};
    struct batch_item item;
    bool answered = message->rcode == DNSMSG_NOERROR || message->rcode == DNSMSG_NXDOMAIN;
    if (!answered || !message->authoritative || message->truncated) {
        try_next_server(verify);
        return;
    }
    verify->unanswered = 0;
    dnsmsg_each_answer(message, collect, &found);
    change_unpack(change, &item);
    if (rrset_value_equal(&found, &item.want)) {
        conclude(verify, change, NULL, "");
    } else if (change->tries + 1 >= TRIES) {
        conclude(verify, change, "not-applied", "the authoritative server answers with another address");
    } else {
        change->tries++;
        change->time_ms = zone_now(verify->zone) + pause_ms(verify, change);
        verify->asked = NULL;
    }
    arm(verify);
}

static size_t verify_read(void *context, struct view data)
{
    struct engine_verify *verify = context;
    struct view rest = data, wire;
    struct dnsmsg message;
    struct stream *stream = verify->stream; /* the data is its own, and the next server has another */
    while (verify->stream == stream && stream_next_framed(&rest, &wire)) {
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
    struct engine_verify *verify = context;
    if (verify->asked != NULL) {
        try_next_server(verify);
    } else {
        hang_up(verify);
    }
}

static enum err open_stream(struct engine_verify *verify)
{
    const struct engine_account *account = verify->zone->account;
    struct stream_options options = {.host = verify->find != NULL ? find_host(verify->find) : account->verify_host,
                                     .port = account->verify_port,
                                     .connect_ms = (uint32_t)account->timeout_ms,
                                     .connected = verify_connected,
                                     .read = verify_read,
                                     .closed = verify_closed,
                                     .context = verify};
    return stream_new(verify->zone->engine->loop, &options, &verify->stream);
}

/** The question about the change under way, to the server known. */
static enum err send_question(struct engine_verify *verify)
{
    uint8_t data[QUERY_MAX];
    struct dnswire wire;
    struct change *change = verify->asked;
    verify->id = verify->zone->engine->next_id++;
    dnswire_query(&wire, data, sizeof(data), verify->id, view_of(change_name(change)), change->type);
    enum err err = dnswire_finish(&wire);
    if (err == ERR_OK && verify->stream == NULL) {
        err = open_stream(verify);
    }
    if (err == ERR_OK) {
        err = stream_write_framed(verify->stream, view_n((const char *)data, wire.len));
    }
    loop_timer_after(verify->timer, verify->zone->account->timeout_ms);
    return err;
}

/** This one did not answer, or is none of those who may. */
static void try_next_server(struct engine_verify *verify)
{
    bool more = verify->find != NULL && verify->asked != NULL && find_next(verify->find);
    hang_up(verify);
    if (!more || send_question(verify) != ERR_OK) {
        ask_later(verify);
    }
}

static void found(void *context, const struct errinfo *info)
{
    struct engine_verify *verify = context;
    if (info != NULL || send_question(verify) != ERR_OK) {
        ask_later(verify);
    }
}

static enum err ask(struct engine_verify *verify, struct change *change)
{
    verify->asked = change;
    if (verify->find == NULL || find_known(verify->find, change_name(change))) {
        return send_question(verify);
    }
    hang_up(verify);
    loop_timer_stop(verify->timer); /* the resolvers have time limits of their own */
    return find_start(verify->find, change_name(change));
}

/** Next question, or the deadline of the one under way. */
static void verify_timer(void *context)
{
    struct engine_verify *verify = context;
    if (verify->asked != NULL) {
        try_next_server(verify);
        return;
    }
    uint64_t now = zone_now(verify->zone);
    struct change *change = verify->list;
    while (change != NULL && change->time_ms > now) {
        change = change->next;
    }
    if (change == NULL) {
        arm(verify);
    } else if (ask(verify, change) != ERR_OK) {
        ask_later(verify);
    }
}

enum err verify_new(struct engine_zone *zone)
{
    struct engine_verify *verify = calloc(1, sizeof(*verify));
    if (verify == NULL) {
        return ERR_NOMEM;
    }
    verify->zone = zone;
    enum err err = loop_timer_new(zone->engine->loop, verify_timer, verify, &verify->timer);
    if (err == ERR_OK && zone->account->verify_host[0] == '\0') {
        err = find_new(zone->engine->loop, true, found, verify, &verify->find);
    }
    if (err != ERR_OK) {
        loop_timer_free(verify->timer);
        free(verify);
        return err;
    }
    zone->verify = verify;
    return ERR_OK;
}

void verify_start(struct engine_zone *zone, struct change *change)
{
    struct engine_verify *verify = zone->verify;
    assert(change->state == CHANGE_TAKEN && change->next == NULL);
    change->tries = 0;
    change->time_ms = zone_now(zone) + pause_ms(verify, change);
    change->next = verify->list;
    verify->list = change;
    arm(verify);
}

void verify_stop(struct engine_zone *zone)
{
    struct engine_verify *verify = zone->verify;
    if (verify == NULL) {
        return;
    }
    zone->verify = NULL;
    hang_up(verify);
    find_free(verify->find);
    loop_timer_free(verify->timer);
    free(verify);
}

static void note(struct engine_zone *zone, const struct change *change)
{
    struct unsettled *entry = malloc(sizeof(*entry));
    if (entry == NULL) {
        return; /* it is sent without asking, as if nobody could be asked */
    }
    *entry = (struct unsettled){
        .next = zone->engine->unsettled, .until_ms = zone_now(zone) + ENGINE_HAND_OVER_MS, .type = change->type};
    memcpy(entry->zone, zone->name, sizeof(entry->zone));
    memcpy(entry->name, change_name(change), change->name_len + 1u);
    zone->engine->unsettled = entry;
}

void verify_hand_over(struct engine_zone *zone)
{
    verify_forget(zone->engine, zone_now(zone));
    if (zone->account->ops->transport != PROVIDER_HTTP) {
        return; /* its epoch is raised first */
    }
    for (const struct exchange *exchange = zone->in_flight; exchange != NULL; exchange = exchange->next) {
        for (size_t i = 0; i < exchange->batch.len; i++) {
            note(zone, exchange->changes[i]);
        }
    }
    for (const struct change *change = zone->queue.delayed.head; change != NULL; change = change->next) {
        if (change->lost) {
            note(zone, change);
        }
    }
    for (const struct change *change = zone->verify != NULL ? zone->verify->list : NULL; change != NULL;
         change = change->next) {
        note(zone, change);
    }
}

/** The tail of what waits: asked for, or out of the way until what may be on its way to the service has come. */
static void settle_first(struct engine_zone *zone, struct change *change)
{
    change_queue_take(&zone->queue, change);
    if (zone->verify != NULL) {
        verify_start(zone, change);
    } else {
        change->lost = true;
        change_queue_delay(&zone->queue, change, zone_now(zone) + zone->account->retry_min_ms);
    }
}

void verify_take_over(struct engine_zone *zone)
{
    struct change *change = zone->queue.waiting.tail; /* a change that the zone did not know goes to the end */
    struct unsettled **at = &zone->engine->unsettled;
    if (*at == NULL || zone->account->ops->transport != PROVIDER_HTTP || change == NULL) {
        return;
    }
    if ((*at)->until_ms <= zone_now(zone)) { /* the newest one */
        verify_forget(zone->engine, zone_now(zone));
    }
    while (*at != NULL && ((*at)->type != change->type || strcmp((*at)->name, change_name(change)) != 0 ||
                           strcmp((*at)->zone, zone->name) != 0)) {
        at = &(*at)->next;
    }
    struct unsettled *entry = *at;
    if (entry != NULL) {
        *at = entry->next;
        free(entry);
        settle_first(zone, change);
    }
}

void verify_ask_first(struct engine_zone *zone, const struct rrset_change *submitted)
{
    struct change *change = zone->queue.waiting.tail; /* as above; one that the zone knew already has its place */
    if (zone->account->ops->transport == PROVIDER_HTTP && change != NULL && change->rev == submitted->rev &&
        change->type == submitted->type && strcmp(change_name(change), submitted->name) == 0) {
        settle_first(zone, change);
    }
}

void verify_forget(struct engine *engine, uint64_t now_ms)
{
    for (struct unsettled **at = &engine->unsettled; *at != NULL;) {
        struct unsettled *entry = *at;
        if (entry->until_ms <= now_ms) {
            *at = entry->next;
            free(entry);
        } else {
            at = &entry->next;
        }
    }
}
