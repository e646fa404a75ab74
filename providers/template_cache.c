/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "providers/template_internal.h"

static size_t bucket_of(const char *key)
{
    return view_hash(view_of(key)) % TEMPLATE_CACHE_BUCKETS;
}

struct template_entry *template_cache_find(const struct template_cache *cache, const char *key)
{
    struct template_entry *entry = cache != NULL ? cache->buckets[bucket_of(key)] : NULL;
    while (entry != NULL && strcmp(entry->key, key) != 0) {
        entry = entry->next;
    }
    return entry;
}

struct template_entry *template_cache_add(struct template_cache *cache, const char *key)
{
    struct template_entry *entry = template_cache_find(cache, key);
    size_t size = strlen(key) + 1;
    if (entry == NULL && (entry = calloc(1, sizeof(*entry) + size)) != NULL) {
        struct template_entry **bucket = &cache->buckets[bucket_of(key)];
        memcpy(entry->key, key, size);
        entry->next = *bucket;
        *bucket = entry;
    }
    return entry;
}

static void entry_free(struct template_entry *entry)
{
    for (size_t i = 0; i < TEMPLATE_CAPTURES_MAX; i++) {
        free(entry->values[i]);
    }
    free(entry);
}

void template_cache_forget(struct template_cache *cache, const char *key)
{
    if (cache == NULL) {
        return;
    }
    struct template_entry **link = &cache->buckets[bucket_of(key)];
    while (*link != NULL) {
        struct template_entry *entry = *link;
        if (strcmp(entry->key, key) == 0) {
            *link = entry->next;
            entry_free(entry);
            return;
        }
        link = &entry->next;
    }
}

void template_cache_free(void *context)
{
    struct template_cache *cache = context;
    for (size_t i = 0; cache != NULL && i < TEMPLATE_CACHE_BUCKETS; i++) {
        while (cache->buckets[i] != NULL) {
            struct template_entry *entry = cache->buckets[i];
            cache->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    free(cache);
}
