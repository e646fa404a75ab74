/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * rrcache: what a service was seen to hold, for APIs that want to be told the present RRset before they replace it:
 * values as the service writes them, their TTL and its tag (ETag). Kept in a zone's cache; one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "providers/present.h"

#define RRCACHE_MAX        2000000 /* RRsets; about 150 bytes each */
#define RRCACHE_VALUES_MAX 65536   /* bytes of the values of one */

struct rrcache_row;
struct rrcache {
    struct rrcache_row **buckets; /* owned */
    size_t size, len;
};

/** Borrowed until the next change of the cache. */
struct rrcache_found {
    uint32_t ttl;
    struct view values; /* one a line; empty = nothing stands there */
    const char *tag;    /* "" = none */
};

void rrcache_deinit(struct rrcache *cache); /* empties; it can be used again */

/** False: not known. */
bool rrcache_find(const struct rrcache *cache, const char *name, enum rrtype type, struct rrcache_found *ret_found);
/** @param values one a line, empty = known to be absent. @param tag may be empty. @return ERR_NOMEM, ERR_LIMIT. */
enum err rrcache_put(struct rrcache *cache, const char *name, enum rrtype type, uint32_t ttl, struct view values,
                     struct view tag) MUST_CHECK;
/** What was just written. */
enum err rrcache_put_item(struct rrcache *cache, const struct batch_item *item, struct view tag) MUST_CHECK;
void rrcache_forget(struct rrcache *cache, const char *name, enum rrtype type);

/** What was found, for the rules of shared zones. */
struct present rrcache_present(const struct rrcache_found *found, enum rrtype type);
