/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/addrcount.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define FIRST_SLOTS 1024u

struct slot {
    uint64_t fingerprint; /* 0 = free */
    uint32_t
        devices; /* 0 = left behind by a device that moved away; reused by its address, dropped at the next growth */
    uint32_t unused;
};

struct addrcount {
    struct slot *slots; /* a power of two */
    size_t slots_len, used;
    uint64_t seed[2];
};

enum err addrcount_new(struct addrcount **ret_counts)
{
    struct addrcount *counts = calloc(1, sizeof(*counts));
    if (counts == NULL) {
        return ERR_NOMEM;
    }
    counts->slots_len = FIRST_SLOTS;
    counts->slots = calloc(counts->slots_len, sizeof(*counts->slots));
    if (counts->slots == NULL) {
        free(counts);
        return ERR_NOMEM;
    }
    counts->seed[0] = crypto_random_u64();
    counts->seed[1] = crypto_random_u64() | 1;
    *ret_counts = counts;
    return ERR_OK;
}

void addrcount_free(struct addrcount *counts)
{
    if (counts != NULL) {
        free(counts->slots);
        free(counts);
    }
}

static uint64_t fingerprint(const struct addrcount *counts, const struct ip *ip)
{
    uint64_t words[2];
    memcpy(words, ip->bytes, sizeof(words));
    uint64_t hash = counts->seed[0] ^ ip->family;
    for (size_t i = 0; i < 2; i++) {
        hash = (hash ^ words[i]) * counts->seed[1];
        hash ^= hash >> 32;
        hash *= 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash == 0 ? 1 : hash;
}

static struct slot *find(const struct addrcount *counts, uint64_t key)
{
    size_t at = key & (counts->slots_len - 1);
    while (counts->slots[at].fingerprint != 0 && counts->slots[at].fingerprint != key) {
        at = (at + 1) & (counts->slots_len - 1);
    }
    return &counts->slots[at];
}

/* Rebuilds without the empty entries, twice as large when they are not many. */
static enum err grow(struct addrcount *counts)
{
    if ((counts->used + 1) * 4 <= counts->slots_len * 3) {
        return ERR_OK;
    }
    size_t live = 0;
    for (size_t i = 0; i < counts->slots_len; i++) {
        live += counts->slots[i].devices > 0;
    }
    struct addrcount grown = *counts;
    grown.slots_len = live * 2 >= counts->slots_len ? counts->slots_len * 2 : counts->slots_len;
    grown.used = live;
    grown.slots = calloc(grown.slots_len, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < counts->slots_len; i++) {
        if (counts->slots[i].devices > 0) {
            *find(&grown, counts->slots[i].fingerprint) = counts->slots[i];
        }
    }
    free(counts->slots);
    *counts = grown;
    return ERR_OK;
}

uint32_t addrcount_get(const struct addrcount *counts, const struct ip *ip)
{
    return ip->family == IP_NONE ? 0 : find(counts, fingerprint(counts, ip))->devices;
}

uint32_t addrcount_move(struct addrcount *counts, const struct ip *from, const struct ip *to)
{
    if (ip_equal(from, to)) {
        return addrcount_get(counts, to);
    }
    if (from->family != IP_NONE) {
        struct slot *slot = find(counts, fingerprint(counts, from));
        if (slot->devices > 0) {
            slot->devices--;
        }
    }
    if (to->family == IP_NONE || grow(counts) != ERR_OK) {
        return 0; /* without memory the limit is not watched for this device */
    }
    uint64_t key = fingerprint(counts, to);
    struct slot *slot = find(counts, key);
    if (slot->fingerprint == 0) {
        slot->fingerprint = key;
        counts->used++;
    }
    return ++slot->devices;
}

size_t addrcount_bytes(const struct addrcount *counts)
{
    return sizeof(*counts) + counts->slots_len * sizeof(*counts->slots);
}
