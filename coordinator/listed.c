/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/listed.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/view.h"

#define FIRST_BUCKETS 1024u

enum err listed_init(struct listed_set *set, struct arena *arena)
{
    *set = (struct listed_set){
        .arena = arena, .buckets = calloc(FIRST_BUCKETS, sizeof(struct listed *)), .buckets_len = FIRST_BUCKETS};
    return set->buckets != NULL ? ERR_OK : ERR_NOMEM;
}

void listed_deinit(struct listed_set *set)
{
    free(TAKE(set->buckets));
    set->buckets_len = set->len = 0;
}

static struct listed **bucket_of(const struct listed_set *set, struct view name, enum rrtype type)
{
    uint64_t hash = (view_hash(name) + (uint64_t)type) * 0x9e3779b97f4a7c15u;
    return &set->buckets[(hash >> 32) & (set->buckets_len - 1)];
}

struct listed *listed_find(const struct listed_set *set, const char *name, enum rrtype type)
{
    struct listed *listed = *bucket_of(set, view_of(name), type);
    while (listed != NULL && (listed->type != type || strcmp(listed->name, name) != 0)) {
        listed = listed->next;
    }
    return listed;
}

static void grow(struct listed_set *set)
{
    if (set->len < set->buckets_len) {
        return;
    }
    struct listed_set bigger = *set;
    bigger.buckets_len = set->buckets_len * 2;
    bigger.buckets = calloc(bigger.buckets_len, sizeof(struct listed *));
    if (bigger.buckets == NULL) {
        return; /* longer chains, nothing worse */
    }
    for (size_t i = 0; i < set->buckets_len; i++) {
        while (set->buckets[i] != NULL) {
            struct listed *listed = set->buckets[i];
            struct listed **bucket = bucket_of(&bigger, view_of(listed->name), (enum rrtype)listed->type);
            set->buckets[i] = listed->next;
            listed->next = *bucket;
            *bucket = listed;
        }
    }
    free(set->buckets);
    *set = bigger;
}

enum err listed_add(struct listed_set *set, const char *name, enum rrtype type, uint32_t ttl,
                    const struct rrset_value *value)
{
    struct listed *listed = listed_find(set, name, type);
    if (listed != NULL) {
        for (size_t i = 0; i < value->len; i++) {
            (void)rrset_value_add(&listed->value, type,
                                  &value->ips[i]); /* it is there; or more than one of ours holds */
        }
        return ERR_OK;
    }
    listed = arena_alloc(set->arena, sizeof(*listed));
    const char *copy = listed != NULL ? arena_strdup(set->arena, view_of(name)) : NULL;
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    grow(set);
    struct listed **bucket = bucket_of(set, view_of(name), type);
    *listed = (struct listed){.next = *bucket, .value = *value, .ttl = ttl, .type = (uint16_t)type, .name = copy};
    *bucket = listed;
    set->len++;
    return ERR_OK;
}
