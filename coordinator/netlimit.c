/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/netlimit.h"

#include <stdlib.h>

#include "base/bucket.h"

#define NONE         UINT32_MAX
#define NETWORKS_MAX (1u << 20)
#define MILLI        1000
#define IPV4_MARK    (1ull << 56) /* above the 56 bits of an IPv6 network */
#define BYTES4       (NETLIMIT_PREFIX4 / 8)
#define BYTES6       (NETLIMIT_PREFIX6 / 8)
#define FINAL_MIX_1  0xff51afd7ed558ccdull /* odd constants of a 64-bit avalanche */
#define FINAL_MIX_2  0xc4ceb9fe1a85ec53ull

struct network {
    uint64_t key;
    struct bucket bucket;
    uint32_t chain;        /* next of the same slot */
    uint32_t newer, older; /* by last question */
};

struct netlimit {
    struct netlimit_options options;
    struct bucket total;
    struct network *networks; /* owned; options.networks_max */
    uint32_t *slots;          /* owned; heads of the chains, slots_mask + 1 */
    uint32_t slots_mask;
    uint32_t used, newest, oldest;
};

static uint64_t key_of(const struct ip *ip)
{
    size_t len = ip->family == IP_V4 ? BYTES4 : BYTES6;
    uint64_t key = 0;
    for (size_t i = 0; i < len; i++) {
        key = key << 8 | ip->bytes[i];
    }
    return ip->family == IP_V4 ? key | IPV4_MARK : key;
}

static uint32_t *slot_of(struct netlimit *limit, uint64_t key)
{
    uint64_t mixed = key ^ limit->options.seed;
    mixed = (mixed ^ mixed >> 33) * FINAL_MIX_1;
    mixed = (mixed ^ mixed >> 33) * FINAL_MIX_2;
    mixed ^= mixed >> 33;
    return &limit->slots[mixed & limit->slots_mask];
}

static void unlink_age(struct netlimit *limit, uint32_t index)
{
    struct network *network = &limit->networks[index];
    if (network->newer != NONE) {
        limit->networks[network->newer].older = network->older;
    } else {
        limit->newest = network->older;
    }
    if (network->older != NONE) {
        limit->networks[network->older].newer = network->newer;
    } else {
        limit->oldest = network->newer;
    }
}

static void link_newest(struct netlimit *limit, uint32_t index)
{
    struct network *network = &limit->networks[index];
    network->newer = NONE;
    network->older = limit->newest;
    if (limit->newest != NONE) {
        limit->networks[limit->newest].newer = index;
    } else {
        limit->oldest = index;
    }
    limit->newest = index;
}

/** A place in the table: a fresh one, or that of the network which asked longest ago. */
static uint32_t take_place(struct netlimit *limit)
{
    if (limit->used < limit->options.networks_max) {
        return limit->used++;
    }
    uint32_t index = limit->oldest;
    uint32_t *link = slot_of(limit, limit->networks[index].key);
    while (*link != index) {
        link = &limit->networks[*link].chain;
    }
    *link = limit->networks[index].chain;
    unlink_age(limit, index);
    return index;
}

static struct bucket *bucket_of(struct netlimit *limit, uint64_t key, uint64_t now_ms)
{
    uint32_t *head = slot_of(limit, key);
    uint32_t index = *head;
    while (index != NONE && limit->networks[index].key != key) {
        index = limit->networks[index].chain;
    }
    if (index != NONE) {
        unlink_age(limit, index);
    } else {
        index = take_place(limit);
        struct network *network = &limit->networks[index];
        network->key = key;
        network->chain = *head;
        *head = index;
        bucket_init(&network->bucket, limit->options.burst, (uint64_t)limit->options.per_s * MILLI, now_ms);
    }
    link_newest(limit, index);
    return &limit->networks[index].bucket;
}

enum err netlimit_new(const struct netlimit_options *options, uint64_t now_ms, struct netlimit **ret_limit)
{
    if (options->networks_max == 0 || options->networks_max > NETWORKS_MAX) {
        return ERR_INVALID;
    }
    uint32_t slots = 1;
    while (slots < options->networks_max) {
        slots *= 2;
    }
    struct netlimit *limit = calloc(1, sizeof(*limit));
    if (limit == NULL) {
        return ERR_NOMEM;
    }
    *limit = (struct netlimit){.options = *options, .slots_mask = slots - 1, .newest = NONE, .oldest = NONE};
    bucket_init(&limit->total, options->total_burst, (uint64_t)options->total_per_s * MILLI, now_ms);
    limit->networks = calloc(options->networks_max, sizeof(*limit->networks));
    limit->slots = calloc(slots, sizeof(*limit->slots));
    if (limit->networks == NULL || limit->slots == NULL) {
        netlimit_free(limit);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < slots; i++) {
        limit->slots[i] = NONE;
    }
    *ret_limit = limit;
    return ERR_OK;
}

void netlimit_free(struct netlimit *limit)
{
    if (limit != NULL) {
        free(limit->networks);
        free(limit->slots);
        free(limit);
    }
}

enum netlimit_verdict netlimit_take(struct netlimit *limit, const struct ip *peer, uint32_t tokens, uint64_t now_ms)
{
    if (!bucket_take(bucket_of(limit, key_of(peer), now_ms), tokens, now_ms)) {
        return NETLIMIT_NETWORK;
    }
    return bucket_take(&limit->total, tokens, now_ms) ? NETLIMIT_PASS : NETLIMIT_TOTAL;
}

uint32_t netlimit_networks(const struct netlimit *limit)
{
    return limit->used;
}
