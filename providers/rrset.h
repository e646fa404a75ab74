/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * rrset: the unit of change. Muster's dynamic records are address RRsets: A and AAAA, one or a few addresses each.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/dnsname.h"
#include "base/ip.h"

#define RRSET_VALUES_MAX 4 /* one an uplink */

enum rrtype { RRTYPE_A = 1, RRTYPE_AAAA = 28 };
const char *rrtype_name(enum rrtype type);

/** A set of addresses of one family; empty = no such RRset. Sorted by ip_compare, no duplicates. */
struct rrset_value {
    struct ip ips[RRSET_VALUES_MAX];
    uint8_t len;
};
bool rrset_value_equal(const struct rrset_value *a, const struct rrset_value *b);
/** One address; empty for IP_NONE. */
struct rrset_value rrset_value_of(struct ip ip);
/** Adds in order; false when full, of the wrong family or there already. */
bool rrset_value_add(struct rrset_value *value, enum rrtype type, const struct ip *ip);

struct rrset_change {
    const char *name; /* canonical, whole */
    enum rrtype type;
    uint32_t ttl;            /* seconds */
    struct rrset_value want; /* empty = delete */
    bool have_known;         /* `have` is what we last wrote: shared zones require it, dedicated ones ignore it */
    struct rrset_value have;
    bool unsure; /* shared zone: `sent`, or nothing, may stand there instead of `have`: the server is asked first */
    struct rrset_value sent;
    bool resumed; /* a process that is gone may have sent `want`: where that must not be repeated, the authoritative
                     server is asked first */
    bool adopt;   /* shared zone: take the name over whatever stands there (muster record adopt) */
    uint64_t rev; /* the store's want_rev; handed back with the outcome */
};
