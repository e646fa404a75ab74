/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * listed: the RRsets that a zone was seen to hold, for the sweep. Pure; one thread.
 */
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "providers/rrset.h"

struct listed {
    struct listed *next;
    struct rrset_value value;
    uint32_t ttl;
    uint16_t type;
    bool seen; /* a stored record names it */
    const char *name;
};

struct listed_set {
    struct arena *arena; /* borrowed: holds the RRsets */
    struct listed **buckets;
    size_t buckets_len, len;
};

enum err listed_init(struct listed_set *set, struct arena *arena) MUST_CHECK;
void listed_deinit(struct listed_set *set); /* the arena stays; also after zeroes alone */
/** Adds an RRset, or what it holds to the one that is there: a service may list a set in parts, far from each other,
 * and a record twice where others came or went between two pages. @return ERR_NOMEM. */
enum err listed_add(struct listed_set *set, const char *name, enum rrtype type, uint32_t ttl,
                    const struct rrset_value *value) MUST_CHECK;
struct listed *listed_find(const struct listed_set *set, const char *name, enum rrtype type); /* NULL = none */
