/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/engine_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 256 };

static size_t width(unsigned type)
{
    return type == RRTYPE_A ? 4 : 16;
}

static uint8_t *want_at(struct change *change)
{
    return change->data + change->name_len + 1;
}

static uint8_t *have_at(struct change *change)
{
    return want_at(change) + change->want_len * width(change->type);
}

static uint8_t *sent_at(struct change *change)
{
    return have_at(change) + RRSET_VALUES_MAX * width(change->type);
}

static void pack(uint8_t *to, const struct rrset_value *value, unsigned type)
{
    for (size_t i = 0; i < value->len; i++) {
        memcpy(to + i * width(type), value->ips[i].bytes, width(type));
    }
}

static void unpack(const uint8_t *from, uint8_t len, unsigned type, struct rrset_value *ret_value)
{
    ret_value->len = len;
    for (size_t i = 0; i < len; i++) {
        ret_value->ips[i] = (struct ip){.family = type == RRTYPE_A ? IP_V4 : IP_V6};
        memcpy(ret_value->ips[i].bytes, from + i * width(type), width(type));
    }
}

void change_unpack(const struct change *change, struct batch_item *ret_item)
{
    struct change *from = (struct change *)(uintptr_t)change; /* only to share the accessors: nothing is written */
    *ret_item = (struct batch_item){.name = change_name(change),
                                    .type = (enum rrtype)change->type,
                                    .ttl = change->ttl,
                                    .have_known = change->have_known,
                                    .adopt = change->adopt,
                                    .unsure = change->unsure};
    unpack(want_at(from), change->want_len, change->type, &ret_item->want);
    if (change->shared) {
        unpack(have_at(from), change->have_len, change->type, &ret_item->have);
        unpack(sent_at(from), change->sent_len, change->type, &ret_item->sent);
    }
}

static void set_have(struct change *change, const struct rrset_value *have)
{
    change->have_known = true;
    change->have_len = have->len;
    pack(have_at(change), have, change->type);
}

void change_learn(struct change *change, const struct batch_item *item)
{
    if (change->shared) {
        change->unsure = item->unsure;
        if (item->have_known) {
            set_have(change, &item->have);
        }
    }
}

void change_mark_unsure(struct change *change)
{
    if (change->shared && (!change->unsure || change->adopt)) { /* else the server was only asked what it holds */
        change->unsure = true;
        change->sent_len = change->want_len;
        memcpy(sent_at(change), want_at(change), change->want_len * width(change->type));
    }
}

/** Hands on to @p to what is known of the server's side. */
static void inherit(struct change *to, struct change *from)
{
    if (!to->shared) {
        return;
    }
    size_t all = RRSET_VALUES_MAX * width(to->type);
    if (from->have_known) {
        to->have_known = true;
        to->have_len = from->have_len;
        memcpy(have_at(to), have_at(from), all);
    }
    to->unsure = from->unsure;
    to->sent_len = from->sent_len;
    memcpy(sent_at(to), sent_at(from), all);
}

static struct change *change_new(const struct rrset_change *from, uint32_t hash, bool shared, uint64_t now_ms)
{
    size_t name_len = strlen(from->name);
    size_t addresses = from->want.len + (shared ? 2u * RRSET_VALUES_MAX : 0u);
    struct change *change = calloc(1, sizeof(*change) + name_len + 1 + addresses * width(from->type));
    if (change == NULL) {
        return NULL;
    }
    change->rev = from->rev;
    change->time_ms = now_ms;
    change->hash = hash;
    change->ttl = from->ttl;
    change->type = (uint8_t)from->type;
    change->name_len = (uint8_t)name_len;
    change->want_len = from->want.len;
    change->adopt = from->adopt;
    change->shared = shared;
    memcpy(change->data, from->name, name_len + 1);
    pack(want_at(change), &from->want, from->type);
    if (shared && from->have_known) {
        set_have(change, &from->have);
    }
    if (shared && from->unsure) {
        change->unsure = true;
        change->sent_len = from->sent.len;
        pack(sent_at(change), &from->sent, from->type);
    }
    return change;
}

static void list_unlink(struct change_list *list, struct change *change)
{
    *(change->prev != NULL ? &change->prev->next : &list->head) = change->next;
    *(change->next != NULL ? &change->next->prev : &list->tail) = change->prev;
    change->prev = change->next = NULL;
    list->len--;
}

/** Behind @p after; at the front for NULL. */
static void list_insert(struct change_list *list, struct change *change, struct change *after)
{
    change->prev = after;
    change->next = after != NULL ? after->next : list->head;
    *(change->prev != NULL ? &change->prev->next : &list->head) = change;
    *(change->next != NULL ? &change->next->prev : &list->tail) = change;
    list->len++;
}

static struct change_list *list_of(struct change_queue *queue, const struct change *change)
{
    return change->state == CHANGE_WAITING ? &queue->waiting : &queue->delayed;
}

void change_queue_init(struct change_queue *queue, bool shared)
{
    *queue = (struct change_queue){.shared = shared};
}

void change_queue_deinit(struct change_queue *queue)
{
    for (size_t i = 0; i < queue->buckets_len; i++) {
        for (struct change *change = queue->buckets[i]; change != NULL;) {
            struct change *next = change->hash_next;
            free(change->newer);
            free(change);
            change = next;
        }
    }
    free(queue->buckets);
    change_queue_bury(queue);
    *queue = (struct change_queue){0};
}

void change_queue_bury(struct change_queue *queue)
{
    while (queue->replaced != NULL) {
        struct change *change = queue->replaced;
        queue->replaced = change->hash_next;
        free(change);
    }
}

static uint32_t hash_of(const char *name, enum rrtype type)
{
    uint64_t hash = view_hash(view_of(name)) * 31 + type;
    return (uint32_t)(hash ^ hash >> 32);
}

static struct change **slot_of(struct change_queue *queue, uint32_t hash, const char *name, unsigned type)
{
    struct change **slot = &queue->buckets[hash & (queue->buckets_len - 1)];
    while (*slot != NULL && ((*slot)->hash != hash || (*slot)->type != type || strcmp(change_name(*slot), name) != 0)) {
        slot = &(*slot)->hash_next;
    }
    return slot;
}

/** Doubles the table when it is full. Without memory a table that exists goes on with longer chains. */
static enum err grow(struct change_queue *queue)
{
    if (queue->len < queue->buckets_len) {
        return ERR_OK;
    }
    size_t len = queue->buckets_len != 0 ? 2 * queue->buckets_len : BUCKETS_FIRST;
    struct change **buckets = calloc(len, sizeof(struct change *));
    if (buckets == NULL) {
        return queue->buckets_len != 0 ? ERR_OK : ERR_NOMEM;
    }
    for (size_t i = 0; i < queue->buckets_len; i++) {
        for (struct change *change = queue->buckets[i]; change != NULL;) {
            struct change *next = change->hash_next;
            struct change **slot = &buckets[change->hash & (len - 1)];
            change->hash_next = *slot;
            *slot = change;
            change = next;
        }
    }
    free(queue->buckets);
    queue->buckets = buckets;
    queue->buckets_len = len;
    return ERR_OK;
}

/** @p fresh takes the place of @p old in table and list; @p old is kept until change_queue_bury. */
static void replace(struct change_queue *queue, struct change **slot, struct change *fresh)
{
    struct change *old = *slot;
    inherit(fresh, old);
    fresh->hash_next = old->hash_next;
    fresh->state = old->state;
    fresh->time_ms = old->time_ms;
    fresh->lost = old->lost;
    fresh->told = old->told && fresh->rev == old->rev; /* of a newer value nobody has heard yet */
    *slot = fresh;
    struct change_list *list = list_of(queue, old);
    list_insert(list, fresh, old);
    list_unlink(list, old);
    old->hash_next = queue->replaced;
    queue->replaced = old;
}

/** The very change that is under way, told again: it must not be sent twice. */
static bool is_under_way(const struct change *old, const struct rrset_change *change)
{
    const struct change *newest = old->newer != NULL ? old->newer : old;
    struct batch_item item;
    if (old->state != CHANGE_TAKEN || newest->rev != change->rev) {
        return false;
    }
    change_unpack(newest, &item);
    return item.ttl == change->ttl && item.adopt == change->adopt && rrset_value_equal(&item.want, &change->want);
}

enum err change_queue_submit(struct change_queue *queue, const struct rrset_change *change, uint64_t now_ms)
{
    enum err err = grow(queue);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t hash = hash_of(change->name, change->type);
    struct change **slot = slot_of(queue, hash, change->name, change->type);
    struct change *old = *slot;
    if (old != NULL && (change->rev < old->rev || (old->newer != NULL && change->rev < old->newer->rev))) {
        return ERR_OK; /* the newest rev is the truth whatever the order of arrival */
    }
    if (old != NULL && is_under_way(old, change)) {
        return ERR_OK;
    }
    struct change *fresh = change_new(change, hash, queue->shared, now_ms);
    if (fresh == NULL) {
        return ERR_NOMEM;
    }
    if (old == NULL) {
        *slot = fresh;
        queue->len++;
        list_insert(&queue->waiting, fresh, queue->waiting.tail);
    } else if (old->state == CHANGE_TAKEN) {
        free(old->newer);
        old->newer = fresh;
    } else {
        replace(queue, slot, fresh);
    }
    return ERR_OK;
}

void change_queue_take(struct change_queue *queue, struct change *change)
{
    assert(change->state == CHANGE_WAITING);
    list_unlink(&queue->waiting, change);
    change->state = CHANGE_TAKEN;
    change->lost = false;
}

/** Puts the newer change of the same RRset, if there is one, into the table instead of @p change. */
static struct change *newest(struct change_queue *queue, struct change *change)
{
    struct change *newer = change->newer;
    if (newer == NULL) {
        return change;
    }
    struct change **slot = slot_of(queue, change->hash, change_name(change), change->type);
    inherit(newer, change);
    newer->hash_next = change->hash_next;
    newer->state = change->state;
    newer->attempts = change->attempts;
    newer->lost = change->lost;
    *slot = newer;
    free(change);
    return newer;
}

struct change *change_queue_put_back(struct change_queue *queue, struct change *change, uint64_t now_ms)
{
    assert(change->state == CHANGE_TAKEN);
    change = newest(queue, change);
    change->state = CHANGE_WAITING;
    change->time_ms = now_ms;
    list_insert(&queue->waiting, change, NULL);
    return change;
}

void change_queue_delay(struct change_queue *queue, struct change *change, uint64_t until_ms)
{
    assert(change->state == CHANGE_TAKEN);
    change = newest(queue, change);
    change->state = CHANGE_DELAYED;
    change->time_ms = until_ms;
    struct change *after = queue->delayed.tail;
    while (after != NULL && after->time_ms > until_ms) {
        after = after->prev;
    }
    list_insert(&queue->delayed, change, after);
}

void change_queue_settle(struct change_queue *queue, struct change *change, bool applied, uint64_t now_ms)
{
    assert(change->state == CHANGE_TAKEN);
    struct change *newer = change->newer;
    if (newer != NULL) {
        if (applied && change->shared) {
            struct batch_item item;
            change_unpack(change, &item);
            set_have(change, &item.want);
            change->unsure = false;
        }
        newer = newest(queue, change);
        newer->attempts = 0;
        newer->state = CHANGE_WAITING;
        newer->time_ms = now_ms;
        list_insert(&queue->waiting, newer, queue->waiting.tail);
        return;
    }
    struct change **slot = slot_of(queue, change->hash, change_name(change), change->type);
    *slot = change->hash_next;
    queue->len--;
    free(change);
}

uint64_t change_queue_wake(struct change_queue *queue, uint64_t now_ms)
{
    struct change *change;
    while ((change = queue->delayed.head) != NULL && change->time_ms <= now_ms) {
        list_unlink(&queue->delayed, change);
        change->state = CHANGE_WAITING;
        change->time_ms = now_ms;
        list_insert(&queue->waiting, change, queue->waiting.tail);
    }
    return change != NULL ? change->time_ms : UINT64_MAX;
}
