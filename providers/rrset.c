/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/rrset.h"

#include <string.h>

const char *rrtype_name(enum rrtype type)
{
    return type == RRTYPE_AAAA ? "AAAA" : "A";
}

bool rrset_value_equal(const struct rrset_value *a, const struct rrset_value *b)
{
    if (a->len != b->len) {
        return false;
    }
    for (size_t i = 0; i < a->len; i++) {
        if (!ip_equal(&a->ips[i], &b->ips[i])) {
            return false;
        }
    }
    return true;
}

struct rrset_value rrset_value_of(struct ip ip)
{
    return (struct rrset_value){.ips = {ip}, .len = ip.family != IP_NONE};
}

bool rrset_value_add(struct rrset_value *value, enum rrtype type, const struct ip *ip)
{
    if (value->len >= RRSET_VALUES_MAX || ip->family != (type == RRTYPE_A ? IP_V4 : IP_V6)) {
        return false;
    }
    size_t at = 0;
    while (at < value->len && ip_compare(&value->ips[at], ip) < 0) {
        at++;
    }
    if (at < value->len && ip_equal(&value->ips[at], ip)) {
        return false;
    }
    memmove(&value->ips[at + 1], &value->ips[at], (value->len - at) * sizeof(value->ips[0]));
    value->ips[at] = *ip;
    value->len++;
    return true;
}
