/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * cloudflare_plan: which records of Cloudflare's must go, change or come so that RRsets hold what is wanted. Pure.
 */
#include "base/strbuf.h"
#include "providers/batch.h"
#include "providers/zonecache.h"

#define CLOUDFLARE_TTL_AUTO 1 /* "automatic" */
#define CLOUDFLARE_TTL_MAX  86400
#define CLOUDFLARE_PROXIED  1 /* of zonecache_record.flags */

/** How records are made. */
struct cloudflare_policy {
    uint32_t ttl_min;
    bool ttl_auto, proxied;
    const char *comment; /* NULL = none; borrowed */
};

struct cloudflare_plan {
    size_t len; /* operations, which is what the limit counts */
    struct strbuf deletes, patches, posts;
};
void cloudflare_plan_init(struct cloudflare_plan *plan);
void cloudflare_plan_deinit(struct cloudflare_plan *plan);
/** Every record that stays is patched, also when it holds the address already: the reply then tells all that the RRset
 * holds, and an id that is gone shows. */
void cloudflare_plan_item(struct cloudflare_plan *plan, const struct cloudflare_policy *policy,
                          const struct zonecache *records, const struct batch_item *item);
/** The body of a batch request. @return ERR_LIMIT, ERR_NOMEM. */
enum err cloudflare_plan_write(const struct cloudflare_plan *plan, struct strbuf *body) MUST_CHECK;
