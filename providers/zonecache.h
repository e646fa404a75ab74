/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * zonecache: the address records that a service was seen to hold in one zone, with the service's ids, found by name and
 * type: for services that change records by id or want to be told the present value. Sized for 100,000 records: about
 * 60 bytes each. One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "providers/present.h"
#include "providers/rrset.h"

#define ZONECACHE_ID_MAX 64 /* bytes of a record's id; Cloudflare has 32 */

struct zonecache;

/** One record. An RRset is all records of one name and type, in any order. */
struct zonecache_record {
    uint32_t ttl;
    uint8_t flags; /* the provider's own */
    struct ip ip;
    char id[ZONECACHE_ID_MAX + 1]; /* "" where the service has none: the address tells records apart then */
};

enum err zonecache_new(struct zonecache **ret_cache) MUST_CHECK;
void zonecache_free(struct zonecache *cache); /* NULL allowed */
void zonecache_clear(struct zonecache *cache);
size_t zonecache_len(const struct zonecache *cache);   /* records */
size_t zonecache_bytes(const struct zonecache *cache); /* memory asked for */

/** Adds a record, or replaces that of the same id (of the same address where there is none) of that name and type. The
 * type is the address's. @param name canonical. @return ERR_NOMEM, ERR_LIMIT (name or id too long). */
enum err zonecache_put(struct zonecache *cache, const char *name, const struct zonecache_record *record) MUST_CHECK;
/** Removes the record of that id. */
void zonecache_remove(struct zonecache *cache, const char *name, enum rrtype type, const char *id);
/** Removes the RRset. */
void zonecache_remove_all(struct zonecache *cache, const char *name, enum rrtype type);

/** Walks one RRset. @param cursor NULL before the first; valid until the RRset changes. False at the end. */
struct zonecache_node;
bool zonecache_next(const struct zonecache *cache, const char *name, enum rrtype type,
                    const struct zonecache_node **cursor, struct zonecache_record *ret_record);
/** The addresses of one RRset, for the rules of shared zones. */
struct present zonecache_present(const struct zonecache *cache, const char *name, enum rrtype type);
