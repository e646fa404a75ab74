/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * wayout: which uplink the connection to the broker leaves by. The routing table's choice is the one of the lowest
 * metric, whether anything answers along it or not; whoever has another way has to tell that nothing does. Pure.
 */
#include "agent/addresses.h"

/** Index of the uplink of the lowest metric along which something answers, or nobody said; where nothing answers along
 * any, the first. An uplink is dead when one family is and the other is not known to be alive. @return uplinks_len:
 * none has a default route. */
size_t wayout_choose(const struct address_set *set);

/** The routing table takes the uplink of that index by itself. */
bool wayout_is_first(const struct address_set *set, size_t index);
