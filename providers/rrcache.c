/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/rrcache.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum { SIZE_FIRST = 64 };

struct rrcache_row {
    struct rrcache_row *next;
    uint64_t hash;
    uint32_t ttl, values_len;
    uint16_t type, name_len;
    char text[]; /* name NUL values NUL tag NUL */
};

static uint64_t hash_of(const char *name, enum rrtype type)
{
    return view_hash(view_of(name)) ^ (uint64_t)type * 0x9e3779b97f4a7c15ull;
}

static struct rrcache_row **place(const struct rrcache *cache, const char *name, enum rrtype type, uint64_t hash)
{
    struct rrcache_row **at = &cache->buckets[hash & (cache->size - 1)];
    while (*at != NULL && ((*at)->hash != hash || (*at)->type != (uint16_t)type || strcmp((*at)->text, name) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

void rrcache_deinit(struct rrcache *cache)
{
    for (size_t i = 0; i < cache->size; i++) {
        while (cache->buckets[i] != NULL) {
            struct rrcache_row *row = cache->buckets[i];
            cache->buckets[i] = row->next;
            free(row);
        }
    }
    free(cache->buckets);
    *cache = (struct rrcache){0};
}

bool rrcache_find(const struct rrcache *cache, const char *name, enum rrtype type, struct rrcache_found *ret_found)
{
    const struct rrcache_row *row = cache->size > 0 ? *place(cache, name, type, hash_of(name, type)) : NULL;
    if (row == NULL) {
        return false;
    }
    const char *values = row->text + row->name_len + 1;
    *ret_found = (struct rrcache_found){
        .ttl = row->ttl, .values = view_n(values, row->values_len), .tag = values + row->values_len + 1};
    return true;
}

/** Room for one more: never more rows than buckets. */
static enum err grow(struct rrcache *cache)
{
    if (cache->len < cache->size) {
        return ERR_OK;
    }
    size_t size = cache->size > 0 ? 2 * cache->size : SIZE_FIRST;
    struct rrcache_row **buckets = calloc(size, sizeof(struct rrcache_row *));
    if (buckets == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < cache->size; i++) {
        while (cache->buckets[i] != NULL) {
            struct rrcache_row *row = cache->buckets[i];
            cache->buckets[i] = row->next;
            row->next = buckets[row->hash & (size - 1)];
            buckets[row->hash & (size - 1)] = row;
        }
    }
    free(cache->buckets);
    cache->buckets = buckets;
    cache->size = size;
    return ERR_OK;
}

static struct rrcache_row *row_new(const char *name, struct view values, struct view tag)
{
    size_t name_len = strlen(name);
    struct rrcache_row *row = malloc(sizeof(*row) + name_len + values.len + tag.len + 3);
    if (row == NULL) {
        return NULL;
    }
    char *at = row->text;
    memcpy(at, name, name_len + 1);
    at += name_len + 1;
    if (values.len > 0) {
        memcpy(at, values.ptr, values.len);
    }
    at[values.len] = '\0';
    at += values.len + 1;
    if (tag.len > 0) {
        memcpy(at, tag.ptr, tag.len);
    }
    at[tag.len] = '\0';
    row->name_len = (uint16_t)name_len;
    row->values_len = (uint32_t)values.len;
    return row;
}

enum err rrcache_put(struct rrcache *cache, const char *name, enum rrtype type, uint32_t ttl, struct view values,
                     struct view tag)
{
    if (values.len > RRCACHE_VALUES_MAX || tag.len > RRCACHE_VALUES_MAX || strlen(name) > DNSNAME_MAX) {
        return ERR_LIMIT;
    }
    struct rrcache_row *row = row_new(name, values, tag); /* before the old one goes: values may point into it */
    rrcache_forget(cache, name, type);
    enum err err = row == NULL ? ERR_NOMEM : cache->len == RRCACHE_MAX ? ERR_LIMIT : grow(cache);
    if (err != ERR_OK) {
        free(row);
        return err;
    }
    row->hash = hash_of(name, type);
    row->type = (uint16_t)type;
    row->ttl = ttl;
    row->next = cache->buckets[row->hash & (cache->size - 1)];
    cache->buckets[row->hash & (cache->size - 1)] = row;
    cache->len++;
    return ERR_OK;
}

enum err rrcache_put_item(struct rrcache *cache, const struct batch_item *item, struct view tag)
{
    struct strbuf values;
    strbuf_init(&values, RRSET_VALUES_MAX * (size_t)IP_TEXT_SIZE);
    for (size_t i = 0; i < item->want.len; i++) {
        char address[IP_TEXT_SIZE];
        ip_format(&item->want.ips[i], address);
        strbuf_addf(&values, "%s%s", i > 0 ? "\n" : "", address);
    }
    enum err err = strbuf_error(&values);
    err = err == ERR_OK ? rrcache_put(cache, item->name, item->type, item->ttl, strbuf_view(&values), tag) : err;
    strbuf_deinit(&values);
    return err;
}

void rrcache_forget(struct rrcache *cache, const char *name, enum rrtype type)
{
    struct rrcache_row **at = cache->size > 0 ? place(cache, name, type, hash_of(name, type)) : NULL;
    if (at != NULL && *at != NULL) {
        struct rrcache_row *row = *at;
        *at = row->next;
        free(row);
        cache->len--;
    }
}

struct present rrcache_present(const struct rrcache_found *found, enum rrtype type)
{
    struct present present = {0};
    struct view rest = found->values, line;
    while (rest.len > 0 && view_next(&rest, '\n', &line)) {
        present_add(&present, type, line);
    }
    return present;
}
