/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/uplinks.h"

static bool has_family(const struct uplink *uplink, enum ip_family family)
{
    return family == IP_V4 ? uplink->ip4.presence == FIELD_SET || uplink->seen4.family == IP_V4
                           : uplink->ip6.presence == FIELD_SET || uplink->seen6.family == IP_V6;
}

static uint64_t rank_of(const struct uplink *uplink)
{
    return uplink->has_metric ? uplink->metric : UINT64_MAX;
}

size_t uplinks_sort(const struct uplink *uplinks, size_t len, enum ip_family family,
                    const struct uplink *ret_order[static MQTT_UPLINKS_MAX])
{
    size_t found = 0;
    for (size_t i = 0; i < len && found < MQTT_UPLINKS_MAX; i++) {
        if (!uplinks[i].up || !has_family(&uplinks[i], family)) {
            continue;
        }
        size_t at = found++;
        for (; at > 0 && rank_of(&uplinks[i]) < rank_of(ret_order[at - 1]); at--) {
            ret_order[at] = ret_order[at - 1];
        }
        ret_order[at] = &uplinks[i];
    }
    return found;
}

const struct uplink *uplinks_primary(const struct uplink *uplinks, size_t len, enum ip_family family)
{
    const struct uplink *order[MQTT_UPLINKS_MAX];
    return uplinks_sort(uplinks, len, family, order) > 0 ? order[0] : NULL;
}

bool uplink_is_dead(const struct uplink *uplink, enum ip_family family)
{
    enum alive own = family == IP_V4 ? uplink->alive4 : uplink->alive6;
    enum alive other = family == IP_V4 ? uplink->alive6 : uplink->alive4;
    return (own != ALIVE_UNKNOWN ? own : other) == ALIVE_NO;
}

static bool bears(const struct uplink *uplink, const struct ip *ip)
{
    const struct address_field *own = ip->family == IP_V4 ? &uplink->ip4 : &uplink->ip6;
    const struct ip *seen = ip->family == IP_V4 ? &uplink->seen4 : &uplink->seen6;
    return ip_equal(seen, ip) || (own->presence == FIELD_SET && ip_equal(&own->ip, ip));
}

const struct uplink *uplinks_find(const struct uplink *uplinks, size_t len, const struct ip *ip)
{
    const struct uplink *found = NULL;
    for (size_t i = 0; i < len && ip->family != IP_NONE; i++) {
        if (bears(&uplinks[i], ip) && (found == NULL || (uplinks[i].up && !found->up))) {
            found = &uplinks[i];
        }
    }
    return found;
}
