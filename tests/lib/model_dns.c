/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/model_dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define REFUSED_OF 12 /* one in so many */

unsigned model_pick(struct model_dns *dns, unsigned n)
{
    dns->random = dns->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dns->random >> 33) % n;
}

static const struct zone_config *zone_of(const struct model_dns *dns, uint16_t zone)
{
    return &((const struct zone_config *)dns->rig->settings->config.zones.items)[zone];
}

const char *model_zone_name(const struct model_dns *dns, uint16_t zone)
{
    return zone_of(dns, zone)->name;
}

struct model_value *model_value(struct model_dns *dns, const char *zone, const char *name)
{
    for (size_t i = 0; i < dns->values_len; i++) {
        if (strcmp(dns->values[i].zone, zone) == 0 && strcmp(dns->values[i].name, name) == 0) {
            return &dns->values[i];
        }
    }
    assert_true(dns->values_len < ARRAY_LEN(dns->values));
    struct model_value *value = &dns->values[dns->values_len++];
    *value = (struct model_value){.foreign = false};
    assert_int_equal(view_copy(view_of(zone), value->zone, sizeof(value->zone)), ERR_OK);
    assert_int_equal(view_copy(view_of(name), value->name, sizeof(value->name)), ERR_OK);
    return value;
}

static bool is_same(const struct rig_change *a, const struct rig_change *b)
{
    return a->zone == b->zone && strcmp(a->name, b->name) == 0;
}

/* Its turn comes, and all that is known of the server's side was learnt by those before it. */
static void hand_on(struct rig_change *to, const struct rig_change *from)
{
    to->change.have_known = from->change.have_known;
    to->change.have = from->change.have;
    to->change.unsure = from->change.unsure;
    to->change.sent = from->change.sent;
}

static struct rig_change *pick_open(struct model_dns *dns)
{
    unsigned open = 0;
    for (size_t i = 0; i < dns->rig->changes_len; i++) {
        open += !dns->rig->changes[i].settled;
    }
    if (open == 0) {
        return NULL;
    }
    unsigned left = model_pick(dns, open);
    struct rig_change *change = dns->rig->changes;
    while (change->settled || left-- > 0) {
        change++;
    }
    return change;
}

/* The first one of the same name that waits: with @p newest the last, which has taken the place of the others. */
static struct rig_change *take(struct model_dns *dns, const struct rig_change *any, bool newest)
{
    const struct rig_change *end = dns->rig->changes + dns->rig->changes_len;
    struct rig_change *taken = dns->rig->changes;
    while (taken->settled || !is_same(taken, any)) {
        taken++; /* to any at the latest */
    }
    for (struct rig_change *next = taken + 1; newest && next < end; next++) {
        if (!next->settled && is_same(next, any)) {
            hand_on(next, taken);
            taken->settled = true;
            taken = next;
        }
    }
    return taken;
}

/* Ours is what stands there, or nothing does; in doubt the server is asked. */
static bool is_ours(const struct rrset_change *change, const struct model_value *at)
{
    if (change->adopt) {
        return true;
    }
    const struct rrset_value nothing = {0};
    bool ours = rrset_value_equal(change->have_known ? &change->have : &nothing, &at->value);
    return ours || (change->unsure && (at->value.len == 0 || rrset_value_equal(&at->value, &change->sent) ||
                                       rrset_value_equal(&at->value, &change->want)));
}

static enum outcome apply(struct model_dns *dns, struct rig_change *change, bool rough)
{
    struct model_value *at = model_value(dns, model_zone_name(dns, change->zone), change->name);
    bool shared = zone_of(dns, change->zone)->mode == ZONE_SHARED;
    if ((rough && model_pick(dns, REFUSED_OF) == 0) || (shared && !is_ours(&change->change, at))) {
        return OUTCOME_REFUSED;
    }
    at->value = change->change.want;
    change->change.have_known = true;
    change->change.have = change->change.want;
    change->change.unsure = false;
    return OUTCOME_APPLIED;
}

void model_settle(struct model_dns *dns, bool rough)
{
    struct rig *rig = dns->rig;
    struct rig_change *any = pick_open(dns);
    if (any == NULL) {
        rig->changes_len = 0;
        return;
    }
    struct rig_change *change = take(dns, any, !rough || model_pick(dns, 2) == 0);
    enum outcome outcome = apply(dns, change, rough);
    for (size_t i = 0; i < rig->changes_len; i++) {
        if (&rig->changes[i] != change && !rig->changes[i].settled && is_same(&rig->changes[i], change)) {
            hand_on(&rig->changes[i], change);
        }
    }
    rig_settle(rig, change, outcome, outcome == OUTCOME_REFUSED ? "refused" : NULL);
}

void model_forget(struct model_dns *dns)
{
    dns->rig->changes_len = 0;
}
