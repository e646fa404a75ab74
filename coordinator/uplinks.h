/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * uplinks: which of a device's paths to the internet an address belongs to, and which one comes first. Pure.
 */
#include <stddef.h>

#include "base/ip.h"
#include "mqtt/messages.h"

/** The uplink that is up, has the family (an address of its own, or one that is seen) and the lowest metric; one
 * without a metric comes last, equal ones in the device's order. NULL when there is none. */
const struct uplink *uplinks_primary(const struct uplink *uplinks, size_t len, enum ip_family family);

/** Those that are up and have the family, in that order. @return how many. */
size_t uplinks_sort(const struct uplink *uplinks, size_t len, enum ip_family family,
                    const struct uplink *ret_order[static MQTT_UPLINKS_MAX]);

/** Nothing outside answers along it, by what the device says of the family, else of the other one: a line that is cut
 * carries neither. Not said: it is taken to be well. */
bool uplink_is_dead(const struct uplink *uplink, enum ip_family family);

/** The uplink that bears @p ip or is seen as it; one that is up before one that is not. NULL when there is none. */
const struct uplink *uplinks_find(const struct uplink *uplinks, size_t len, const struct ip *ip);
