/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_batch: which changes go into one message: those that wait in the queue, and the parts of a batch that is being
 * bisected, which wait outside of it.
 */
#include <stdlib.h>
#include <string.h>

#include "providers/engine_internal.h"

struct exchange *exchange_new(struct engine_zone *zone, enum exchange_kind kind, size_t len)
{
    struct exchange *exchange =
        calloc(1, sizeof(*exchange) + len * (sizeof(struct batch_item) + sizeof(struct change *)));
    if (exchange == NULL) {
        return NULL;
    }
    exchange->zone = zone;
    exchange->kind = kind;
    exchange->batch.items = (struct batch_item *)(exchange + 1);
    exchange->changes = (struct change **)(exchange->batch.items + len);
    exchange->deadline_ms = zone_now(zone) + zone->account->timeout_ms;
    provider_request_init(&exchange->request);
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    provider_request_deinit(&exchange->request);
    free(exchange);
}

static void link_in(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    exchange->next = zone->in_flight;
    zone->in_flight = exchange;
    if (exchange->kind == EXCHANGE_CHANGES) {
        zone->messages_in_flight++;
        zone->changes_in_flight += exchange->batch.len;
    }
}

void exchange_unlink(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    for (struct exchange **at = &zone->in_flight; *at != NULL; at = &(*at)->next) {
        if (*at == exchange) {
            *at = exchange->next;
            if (exchange->kind == EXCHANGE_CHANGES) {
                zone->messages_in_flight--;
                zone->changes_in_flight -= exchange->batch.len;
            }
            return;
        }
    }
}

void exchange_put_back(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    exchange_unlink(exchange);
    for (size_t i = exchange->batch.len; i > 0; i--) { /* last first: each goes to the front */
        (void)change_queue_put_back(&zone->queue, exchange->changes[i - 1], zone_now(zone)); /* found again by taking */
    }
    exchange_free(exchange);
}

void change_refuse(struct engine_zone *zone, struct change *change, const char *error, const char *detail)
{
    struct engine_result result = {.name = change_name(change),
                                   .type = (enum rrtype)change->type,
                                   .rev = change->rev,
                                   .outcome = OUTCOME_REFUSED,
                                   .error = error,
                                   .detail = detail,
                                   .attempts = change->attempts};
    zone->callbacks.settled(zone->context, &result, 1);
    change_queue_settle(&zone->queue, change, false, zone_now(zone));
}

static bool add_group(struct engine_zone *zone, struct change *const *changes, size_t len,
                      const struct verdict *suspect)
{
    struct group *group = malloc(sizeof(*group) + len * sizeof(struct change *));
    if (group == NULL) {
        return false;
    }
    *group = (struct group){.suspect = suspect != NULL, .probe = suspect != NULL && suspect->probe, .len = len};
    if (suspect != NULL) {
        group->error = suspect->error;
        memcpy(group->detail, suspect->detail, sizeof(group->detail));
    }
    memcpy(group->changes, changes, len * sizeof(struct change *));
    *zone->groups_tail = group;
    zone->groups_tail = &group->next;
    return true;
}

/** Takes @p len changes to the front of the queue: what bisecting does without memory. */
static void put_back_changes(struct engine_zone *zone, struct change *const *changes, size_t len)
{
    while (len > 0) {
        changes[len - 1]->told = false;                                            /* of what became of the batch */
        (void)change_queue_put_back(&zone->queue, changes[--len], zone_now(zone)); /* found again by taking */
    }
}

void groups_add(struct engine_zone *zone, struct change *const *changes, size_t len, const struct verdict *suspect)
{
    if (!add_group(zone, changes, len, suspect)) {
        put_back_changes(zone, changes, len);
    }
}

bool groups_ready(const struct engine_zone *zone)
{
    return zone->groups != NULL && !zone->groups->suspect;
}

static struct group *pop_group(struct engine_zone *zone)
{
    struct group *group = zone->groups;
    zone->groups = group->next;
    if (zone->groups == NULL) {
        zone->groups_tail = &zone->groups;
    }
    return group;
}

void groups_put_back(struct engine_zone *zone)
{
    while (zone->groups != NULL) {
        struct group *group = pop_group(zone);
        put_back_changes(zone, group->changes, group->len);
        free(group);
    }
}

void groups_release(struct engine_zone *zone)
{
    struct group *suspects = zone->groups;
    zone->groups = NULL;
    zone->groups_tail = &zone->groups;
    while (suspects != NULL) {
        struct group *group = suspects;
        suspects = group->next;
        size_t half = !group->suspect || group->len < 2 ? group->len : batch_half(group->len);
        bool again = group->suspect && group->probe && group->len == 1 && !group->changes[0]->doubted;
        group->changes[0]->doubted |= again; /* the zone may have thawed between the refusal and the probe */
        if (group->suspect && group->len == 1 && !again) {
            change_refuse(zone, group->changes[0], group->error, group->detail);
        } else {
            groups_add(zone, group->changes, half, NULL);
            if (half < group->len) {
                groups_add(zone, group->changes + half, group->len - half, NULL);
            }
        }
        free(group);
    }
}

struct exchange *exchange_from_group(struct engine_zone *zone)
{
    struct exchange *exchange = exchange_new(zone, EXCHANGE_CHANGES, zone->groups->len);
    if (exchange == NULL) {
        return NULL;
    }
    struct group *group = pop_group(zone);
    exchange->batch.len = group->len;
    for (size_t i = 0; i < group->len; i++) {
        exchange->changes[i] = group->changes[i];
        change_unpack(group->changes[i], &exchange->batch.items[i]);
    }
    free(group);
    link_in(exchange);
    return exchange;
}

/** Tells of the changes that this backend cannot make at all: @p list, TAKEN, by `next`. The owner may submit then, so
 * nobody may be walking the queue. */
static void refuse_list(struct engine_zone *zone, struct change *list)
{
    while (list != NULL) {
        struct change *change = list;
        struct batch_item item;
        char detail[PROVIDER_DETAIL_MAX] = "";
        list = change->next;
        change->next = NULL;
        change_unpack(change, &item);
        const char *error = stops_refusal(zone, &item, detail);
        stops_keep(zone, &item, error, detail);
        change_refuse(zone, change, error, detail);
        zone_kick(zone);
    }
}

static void take_refused(struct engine_zone *zone, struct change *change, struct change ***tail)
{
    change_queue_take(&zone->queue, change);
    **tail = change;
    *tail = &change->next;
}

/** The service limits how often one name may be written: out of the way until then. */
static bool is_too_soon(struct engine_zone *zone, struct change *change)
{
    uint64_t now = zone_now(zone);
    uint64_t ready = hosts_ready_ms(&zone->account->hosts, change_name(change), (enum rrtype)change->type, now);
    if (ready == 0) {
        return false;
    }
    change_queue_take(&zone->queue, change);
    change_queue_delay(&zone->queue, change, ready);
    zone_kick_at(zone, ready);
    return true;
}

struct exchange *exchange_fill(struct engine_zone *zone, size_t most)
{
    const struct provider_ops *ops = zone->account->ops;
    struct exchange *exchange = exchange_new(zone, EXCHANGE_CHANGES, most);
    if (exchange == NULL) {
        return NULL;
    }
    struct batch *batch = &exchange->batch;
    size_t bytes = 0, looked = 0;
    struct change *next = NULL, *refused = NULL, **tail = &refused;
    for (struct change *change = zone->queue.waiting.head;
         change != NULL && batch->len < most && looked < ENGINE_SCAN_MAX; change = next) {
        struct batch_item *item = &batch->items[batch->len];
        char detail[PROVIDER_DETAIL_MAX];
        next = change->next;
        change_unpack(change, item);
        if (stops_refusal(zone, item, detail) != NULL) {
            looked++;
            take_refused(zone, change, &tail);
            continue;
        }
        if (is_too_soon(zone, change)) {
            looked++;
            continue;
        }
        if (ops->together != NULL && batch->len > 0 && !ops->together(zone->account->state, batch, item)) {
            looked++;
            continue;
        }
        bytes += ops->item_size != NULL ? ops->item_size(&zone->about, item) : 0;
        if (bytes > zone->account->limits.bytes_max && batch->len > 0) {
            break;
        }
        change_queue_take(&zone->queue, change);
        exchange->changes[batch->len++] = change;
    }
    if (batch->len == 0) {
        exchange_free(exchange);
        exchange = NULL;
    } else {
        link_in(exchange);
    }
    refuse_list(zone, refused);
    return exchange;
}
