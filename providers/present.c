/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/present.h"

const char present_foreign_detail[] =
    "foreign: a record that is not ours, or not what we wrote last, stands there: `muster record adopt` takes it over";

void present_add_ip(struct present *present, enum rrtype type, const struct ip *ip)
{
    for (size_t i = 0; i < present->value.len; i++) {
        if (ip_equal(&present->value.ips[i], ip)) {
            return; /* told twice */
        }
    }
    present->other |= !rrset_value_add(&present->value, type, ip);
}

void present_add(struct present *present, enum rrtype type, struct view address)
{
    struct ip ip;
    if (ip_parse(address, &ip) == ERR_OK) {
        present_add_ip(present, type, &ip);
    } else {
        present->other = true;
    }
}

static bool is(const struct present *present, const struct rrset_value *value)
{
    return !present->other && rrset_value_equal(&present->value, value);
}

bool present_allows(enum zone_mode mode, struct batch_item *item, const struct present *present)
{
    static const struct rrset_value nothing = {0};
    if (mode == ZONE_DEDICATED || item->adopt) {
        return true;
    }
    bool ours = is(present, item->have_known ? &item->have : &nothing);
    if (!ours && item->unsure) {
        ours = is(present, &nothing) || is(present, &item->sent) || is(present, &item->want);
    }
    if (!ours) {
        item->outcome = OUTCOME_REFUSED;
        item->error = "foreign";
        return false;
    }
    item->unsure = false;
    item->have_known = true;
    item->have = present->value;
    return true;
}
