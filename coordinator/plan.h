/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * plan: registry + addresses -> the RRsets a device should have. Pure; the whole desired state of one device, so that
 * the difference of two plans is what must change.
 */
#include "base/ip.h"
#include "coordinator/also6.h"
#include "coordinator/limits.h"
#include "coordinator/registry.h"
#include "providers/rrset.h"

struct plan_addresses {
    struct rrset_value ip4, ip6; /* effective */
    struct ip_prefix prefix6;    /* of a gateway; family IP_NONE = none */
    struct also6 also6;          /* none without prefix6 */
};
/** Plans of both are the same: ends of prefixes do not count. */
bool plan_addresses_equal(const struct plan_addresses *a, const struct plan_addresses *b);

struct plan_item {
    const char *name; /* inside the plan */
    int zone;         /* index into the config's zones */
    enum rrtype type;
    uint32_t ttl;             /* seconds */
    struct rrset_value value; /* empty: no such RRset */
};

struct plan {
    struct plan_item items[PLAN_MAX + 1]; /* the last name is not asked whether it has one or two */
    size_t len;
    size_t text_used;
    char text[PLAN_TEXT_MAX];     /* names; the registry refuses a device whose own do not fit */
    char error[ERRINFO_TEXT_MAX]; /* first name that could not be rendered, or host without an address; "" when none */
};

/** Fills @p ret_plan (large: keep one). Names that cannot be rendered are left out and told in `error`. */
void plan_device(const struct registry *registry, const struct registry_entry *entry, struct view id,
                 const struct plan_addresses *addresses, struct plan *ret_plan);

/** The item of (name, type), or NULL. */
const struct plan_item *plan_find(const struct plan *plan, struct view name, enum rrtype type);
