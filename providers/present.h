/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * present: the rules of shared zones (engine.h) for services that cannot be given prerequisites: the provider looks
 * what stands there, and this says whether that may be overwritten. What changes between the look and the write is not
 * seen; where the service offers a compare-and-set, use that instead. Pure; any thread.
 */
#include "providers/batch.h"
#include "providers/provider.h"

/** Addresses that a service was seen to hold for one name and type. */
struct present {
    struct rrset_value value;
    bool other; /* and more than a rrset_value holds, or something that is no plain address */
};
/** Adds one address; what does not fit or is no address of @p type sets `other`. */
void present_add(struct present *present, enum rrtype type, struct view address);
void present_add_ip(struct present *present, enum rrtype type, const struct ip *ip);

/**
 * May @p item be written over what is @p present? In a dedicated zone, and when it is adopted, always. In a shared zone
 * a first write needs an empty place, a later one our last value; an item whose last outcome is unknown may find
 * nothing, what was sent, or what it wants already, and is no longer unsure after that.
 * @return false: marked OUTCOME_REFUSED "foreign".
 */
bool present_allows(enum zone_mode mode, struct batch_item *item, const struct present *present);

/** What people are told of "foreign". */
extern const char present_foreign_detail[];
