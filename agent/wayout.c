/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wayout.h"

static bool is_dead(const struct uplink *uplink)
{
    bool one = uplink->alive4 == ALIVE_NO || uplink->alive6 == ALIVE_NO;
    return one && uplink->alive4 != ALIVE_YES && uplink->alive6 != ALIVE_YES;
}

/* @param dead also those along which nothing answers */
static size_t lowest(const struct address_set *set, bool dead)
{
    size_t best = set->uplinks_len;
    for (size_t i = 0; i < set->uplinks_len; i++) {
        const struct uplink *uplink = &set->uplinks[i];
        bool counts = uplink->has_metric && (dead || !is_dead(uplink));
        if (counts && (best == set->uplinks_len || uplink->metric < set->uplinks[best].metric)) {
            best = i;
        }
    }
    return best;
}

size_t wayout_choose(const struct address_set *set)
{
    size_t index = lowest(set, false);
    return index < set->uplinks_len ? index : lowest(set, true);
}

bool wayout_is_first(const struct address_set *set, size_t index)
{
    return index == lowest(set, true);
}
