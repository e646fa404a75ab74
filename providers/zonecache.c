/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/zonecache.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

enum { BUCKETS_MIN = 64 };

/** One record: a chain per bucket, what belongs to it packed behind the head. */
struct zonecache_node {
    struct zonecache_node *next;
    uint32_t ttl;
    uint8_t flags, type, name_len, id_len;
    char data[]; /* name, id, address */
};

struct zonecache {
    struct zonecache_node **buckets;
    size_t buckets_len; /* a power of two */
    size_t len, bytes;
};

enum err zonecache_new(struct zonecache **ret_cache)
{
    struct zonecache *cache = calloc(1, sizeof(*cache));
    struct zonecache_node **buckets = calloc(BUCKETS_MIN, sizeof(struct zonecache_node *));
    if (cache == NULL || buckets == NULL) {
        free(cache);
        free(buckets);
        return ERR_NOMEM;
    }
    cache->buckets = buckets;
    cache->buckets_len = BUCKETS_MIN;
    *ret_cache = cache;
    return ERR_OK;
}

void zonecache_clear(struct zonecache *cache)
{
    for (size_t i = 0; i < cache->buckets_len; i++) {
        while (cache->buckets[i] != NULL) {
            struct zonecache_node *node = cache->buckets[i];
            cache->buckets[i] = node->next;
            free(node);
        }
    }
    cache->len = cache->bytes = 0;
}

void zonecache_free(struct zonecache *cache)
{
    if (cache != NULL) {
        zonecache_clear(cache);
        free(cache->buckets);
        free(cache);
    }
}

size_t zonecache_len(const struct zonecache *cache)
{
    return cache->len;
}

size_t zonecache_bytes(const struct zonecache *cache)
{
    return cache->bytes + cache->buckets_len * sizeof(struct zonecache_node *);
}

/** Both types of a name share a bucket. */
static struct zonecache_node **bucket_of(const struct zonecache *cache, struct view name)
{
    return &cache->buckets[view_hash(name) & (cache->buckets_len - 1)];
}

static struct view name_of(const struct zonecache_node *node)
{
    return view_n(node->data, node->name_len);
}

static struct view id_of(const struct zonecache_node *node)
{
    return view_n(node->data + node->name_len, node->id_len);
}

static const char *address_of(const struct zonecache_node *node)
{
    return node->data + node->name_len + node->id_len;
}

static size_t address_size(unsigned type)
{
    return type == RRTYPE_A ? 4 : 16;
}

static size_t node_size(const struct zonecache_node *node)
{
    return sizeof(*node) + node->name_len + node->id_len + address_size(node->type);
}

static bool is_of(const struct zonecache_node *node, struct view name, enum rrtype type)
{
    return node->type == type && view_equal(name_of(node), name);
}

/** Twice the buckets when they are full; without memory the chains grow longer. */
static void grow(struct zonecache *cache)
{
    if (cache->len < cache->buckets_len) {
        return;
    }
    struct zonecache bigger = *cache;
    bigger.buckets_len = 2 * cache->buckets_len;
    bigger.buckets = calloc(bigger.buckets_len, sizeof(struct zonecache_node *));
    if (bigger.buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < cache->buckets_len; i++) {
        while (cache->buckets[i] != NULL) {
            struct zonecache_node *node = cache->buckets[i];
            struct zonecache_node **bucket = bucket_of(&bigger, name_of(node));
            cache->buckets[i] = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(cache->buckets);
    *cache = bigger;
}

static struct zonecache_node *new_node(struct view name, const struct zonecache_record *record)
{
    enum rrtype type = record->ip.family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA;
    size_t id_len = strlen(record->id);
    struct zonecache_node *node = malloc(sizeof(*node) + name.len + id_len + address_size(type));
    if (node == NULL) {
        return NULL;
    }
    *node = (struct zonecache_node){.ttl = record->ttl,
                                    .flags = record->flags,
                                    .type = (uint8_t)type,
                                    .name_len = (uint8_t)name.len,
                                    .id_len = (uint8_t)id_len};
    memcpy(node->data, name.ptr, name.len);
    memcpy(node->data + name.len, record->id, id_len);
    memcpy(node->data + name.len + id_len, record->ip.bytes, address_size(type));
    return node;
}

/** Is @p node the record that @p other replaces? */
static bool same_record(const struct zonecache_node *node, const struct zonecache_node *other)
{
    if (!is_of(node, name_of(other), (enum rrtype)other->type) || !view_equal(id_of(node), id_of(other))) {
        return false;
    }
    return other->id_len > 0 || memcmp(address_of(node), address_of(other), address_size(other->type)) == 0;
}

static void drop(struct zonecache *cache, struct zonecache_node **at)
{
    struct zonecache_node *node = *at;
    *at = node->next;
    cache->len--;
    cache->bytes -= node_size(node);
    free(node);
}

enum err zonecache_put(struct zonecache *cache, const char *name, const struct zonecache_record *record)
{
    struct view key = view_of(name);
    if (key.len > UINT8_MAX || strlen(record->id) > ZONECACHE_ID_MAX) {
        return ERR_LIMIT;
    }
    struct zonecache_node *node = new_node(key, record);
    if (node == NULL) {
        return ERR_NOMEM;
    }
    for (struct zonecache_node **at = bucket_of(cache, key); *at != NULL; at = &(*at)->next) {
        if (same_record(*at, node)) {
            drop(cache, at);
            break;
        }
    }
    grow(cache);
    struct zonecache_node **bucket = bucket_of(cache, key);
    node->next = *bucket;
    *bucket = node;
    cache->len++;
    cache->bytes += node_size(node);
    return ERR_OK;
}

void zonecache_remove(struct zonecache *cache, const char *name, enum rrtype type, const char *id)
{
    struct view key = view_of(name);
    for (struct zonecache_node **at = bucket_of(cache, key); *at != NULL; at = &(*at)->next) {
        if (is_of(*at, key, type) && view_equals(id_of(*at), id)) {
            drop(cache, at);
            return;
        }
    }
}

void zonecache_remove_all(struct zonecache *cache, const char *name, enum rrtype type)
{
    struct view key = view_of(name);
    struct zonecache_node **at = bucket_of(cache, key);
    while (*at != NULL) {
        if (is_of(*at, key, type)) {
            drop(cache, at);
        } else {
            at = &(*at)->next;
        }
    }
}

static struct ip ip_of(const struct zonecache_node *node)
{
    struct ip ip = {.family = node->type == RRTYPE_A ? IP_V4 : IP_V6};
    memcpy(ip.bytes, address_of(node), address_size(node->type));
    return ip;
}

bool zonecache_next(const struct zonecache *cache, const char *name, enum rrtype type,
                    const struct zonecache_node **cursor, struct zonecache_record *ret_record)
{
    struct view key = view_of(name);
    const struct zonecache_node *node = *cursor != NULL ? (*cursor)->next : *bucket_of(cache, key);
    while (node != NULL && !is_of(node, key, type)) {
        node = node->next;
    }
    if (node == NULL) {
        return false;
    }
    *ret_record = (struct zonecache_record){.ttl = node->ttl, .flags = node->flags, .ip = ip_of(node)};
    memcpy(ret_record->id, id_of(node).ptr, node->id_len);
    *cursor = node;
    return true;
}

struct present zonecache_present(const struct zonecache *cache, const char *name, enum rrtype type)
{
    struct present present = {0};
    const struct zonecache_node *cursor = NULL;
    struct zonecache_record record;
    while (zonecache_next(cache, name, type, &cursor, &record)) {
        present_add_ip(&present, type, &record.ip);
    }
    return present;
}
