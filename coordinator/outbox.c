/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/outbox.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024u

struct outbox {
    struct outbox_entry **buckets; /* a power of two */
    size_t buckets_len, count, dirty_count;
    struct outbox_entry *dirty_head, *dirty_tail;
};

enum err outbox_new(struct outbox **ret_outbox)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (outbox == NULL) {
        return ERR_NOMEM;
    }
    outbox->buckets_len = FIRST_BUCKETS;
    outbox->buckets = calloc(outbox->buckets_len, sizeof(struct outbox_entry *));
    if (outbox->buckets == NULL) {
        free(outbox);
        return ERR_NOMEM;
    }
    *ret_outbox = outbox;
    return ERR_OK;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    for (size_t i = 0; i < outbox->buckets_len; i++) {
        while (outbox->buckets[i] != NULL) {
            struct outbox_entry *entry = outbox->buckets[i];
            outbox->buckets[i] = entry->next;
            free(entry);
        }
    }
    free(outbox->buckets);
    free(outbox);
}

static struct outbox_entry **bucket_of(const struct outbox *outbox, struct view name, enum rrtype type)
{
    uint64_t hash = (view_hash(name) + (uint64_t)type) * 0x9e3779b97f4a7c15u;
    return &outbox->buckets[(hash >> 32) & (outbox->buckets_len - 1)];
}

struct outbox_entry *outbox_find(const struct outbox *outbox, struct view name, enum rrtype type)
{
    for (struct outbox_entry *entry = *bucket_of(outbox, name, type); entry != NULL; entry = entry->next) {
        if (entry->type == type && view_equal(view_n(entry->name, entry->name_len), name)) {
            return entry;
        }
    }
    return NULL;
}

/* More buckets than entries keeps chains short; failing to grow only makes them longer. */
static void grow(struct outbox *outbox)
{
    if (outbox->count < outbox->buckets_len) {
        return;
    }
    struct outbox_entry **buckets = calloc(outbox->buckets_len * 2, sizeof(struct outbox_entry *));
    if (buckets == NULL) {
        return;
    }
    struct outbox_entry **old = outbox->buckets;
    size_t old_len = outbox->buckets_len;
    outbox->buckets = buckets;
    outbox->buckets_len = old_len * 2;
    for (size_t i = 0; i < old_len; i++) {
        while (old[i] != NULL) {
            struct outbox_entry *entry = old[i];
            old[i] = entry->next;
            struct outbox_entry **bucket =
                bucket_of(outbox, view_n(entry->name, entry->name_len), (enum rrtype)entry->type);
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

enum err outbox_get(struct outbox *outbox, struct view name, enum rrtype type, struct outbox_entry **ret_entry)
{
    struct outbox_entry *entry = outbox_find(outbox, name, type);
    if (entry == NULL) {
        grow(outbox);
        entry = calloc(1, sizeof(*entry) + name.len + 1);
        if (entry == NULL) {
            return ERR_NOMEM;
        }
        memcpy(entry->name, name.ptr, name.len);
        entry->name_len = (uint16_t)name.len;
        entry->type = (uint16_t)type;
        entry->device = UINT32_MAX;
        entry->rival = UINT32_MAX;
        struct outbox_entry **bucket = bucket_of(outbox, name, type);
        entry->next = *bucket;
        *bucket = entry;
        outbox->count++;
    }
    *ret_entry = entry;
    return ERR_OK;
}

void outbox_remove(struct outbox *outbox, struct outbox_entry *entry)
{
    assert((entry->flags & (OUTBOX_QUEUED_DIRTY | OUTBOX_COMMITTING)) == 0);
    struct outbox_entry **link = bucket_of(outbox, view_n(entry->name, entry->name_len), (enum rrtype)entry->type);
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    outbox->count--;
    free(entry);
}

void outbox_mark_dirty(struct outbox *outbox, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_QUEUED_DIRTY) != 0) {
        return;
    }
    entry->flags |= OUTBOX_QUEUED_DIRTY;
    entry->dirty_next = NULL;
    entry->dirty_prev = outbox->dirty_tail;
    if (outbox->dirty_tail != NULL) {
        outbox->dirty_tail->dirty_next = entry;
    } else {
        outbox->dirty_head = entry;
    }
    outbox->dirty_tail = entry;
    outbox->dirty_count++;
}

struct outbox_entry *outbox_first_dirty(const struct outbox *outbox)
{
    return outbox->dirty_head;
}

void outbox_take_dirty(struct outbox *outbox, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_QUEUED_DIRTY) == 0) {
        return;
    }
    *(entry->dirty_prev != NULL ? &entry->dirty_prev->dirty_next : &outbox->dirty_head) = entry->dirty_next;
    *(entry->dirty_next != NULL ? &entry->dirty_next->dirty_prev : &outbox->dirty_tail) = entry->dirty_prev;
    entry->dirty_next = entry->dirty_prev = NULL;
    outbox->dirty_count--;
    entry->flags &= (uint16_t)~OUTBOX_QUEUED_DIRTY;
}

bool outbox_has_dirty(const struct outbox *outbox)
{
    return outbox->dirty_head != NULL;
}

size_t outbox_dirty_count(const struct outbox *outbox)
{
    return outbox->dirty_count;
}

size_t outbox_count(const struct outbox *outbox)
{
    return outbox->count;
}

void outbox_each(const struct outbox *outbox, void (*each)(void *context, struct outbox_entry *entry), void *context)
{
    for (size_t i = 0; i < outbox->buckets_len; i++) {
        struct outbox_entry *next;
        for (struct outbox_entry *entry = outbox->buckets[i]; entry != NULL; entry = next) {
            next = entry->next;
            each(context, entry);
        }
    }
}
