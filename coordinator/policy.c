/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/policy.h"

#include <string.h>

#include "coordinator/uplinks.h"

#define SUBNET6_BYTES 8 /* a /64: one link */

bool policy_is_publishable(const struct policy *policy, const struct ip *ip)
{
    if (ip->family == IP_NONE) {
        return false;
    }
    if (ip_is_public(ip)) {
        return true;
    }
    for (size_t i = 0; i < policy->treat_as_public_len; i++) {
        if (ip_prefix_contains(&policy->treat_as_public[i], ip)) {
            return true;
        }
    }
    return false;
}

/* IPv6 has no NAT between device and broker as a rule, but a connection leaves from a temporary address: when the
 * reported (stable) one is on the same link, it is the same device seen twice, and the stable one is the one to
 * publish. */
static bool same_link(const struct ip *a, const struct ip *b)
{
    return a->family == IP_V6 && b->family == IP_V6 && memcmp(a->bytes, b->bytes, SUBNET6_BYTES) == 0;
}

static struct policy_family keep_or_clear(const struct address_field *reported)
{
    /* absent is unknown, an explicit null is gone */
    return (struct policy_family){.action = reported->presence == FIELD_NULL ? POLICY_CLEAR : POLICY_KEEP};
}

static struct policy_family set(struct ip ip)
{
    return (struct policy_family){.action = POLICY_SET, .value = rrset_value_of(ip)};
}

/* The family that the broker did not see: only the report can tell. */
static struct policy_family judge_unseen(const struct policy *policy, const struct policy_input *input,
                                         const struct address_field *reported, struct policy_verdict *verdict)
{
    if (reported->presence != FIELD_SET) {
        return keep_or_clear(reported);
    }
    if (input->mode == PUBLISH_OBSERVED || input->mode == PUBLISH_AGREE) {
        return (struct policy_family){.action = POLICY_KEEP};
    }
    if (!policy_is_publishable(policy, &reported->ip)) {
        verdict->not_public = true;
        return (struct policy_family){.action = POLICY_KEEP};
    }
    return set(reported->ip);
}

static struct policy_family judge_seen(const struct policy *policy, const struct policy_input *input,
                                       const struct address_field *reported, struct policy_verdict *verdict)
{
    bool reported_ok = reported->presence == FIELD_SET && policy_is_publishable(policy, &reported->ip);
    bool observed_ok = policy_is_publishable(policy, &input->observed);
    bool observed_public = observed_ok;
    bool agree =
        reported_ok && (ip_equal(&reported->ip, &input->observed) || same_link(&reported->ip, &input->observed));
    verdict->mismatch = verdict->mismatch || (reported_ok && observed_ok && !agree);
    if (observed_ok && !input->gateway && input->observed_devices > policy->shared_limit &&
        input->mode != PUBLISH_REPORTED) {
        verdict->shared = true;
        return (struct policy_family){.action = POLICY_KEEP};
    }
    switch (input->mode) {
    case PUBLISH_REPORTED:
        return judge_unseen(policy, input, reported, verdict);
    case PUBLISH_OBSERVED:
        reported_ok = reported_ok && agree;
        break;
    case PUBLISH_AGREE:
        reported_ok = agree;
        observed_ok = agree;
        break;
    case PUBLISH_AUTO:
        break;
    }
    if (reported_ok && (agree || !observed_ok)) {
        return set(reported->ip);
    }
    if (observed_ok) {
        return set(input->observed);
    }
    bool gone = reported->presence == FIELD_NULL;
    verdict->not_public = verdict->not_public || !(verdict->mismatch || observed_public || gone);
    return keep_or_clear(reported);
}

/* The path that bears @p ip; what nobody bears came along the one that IPv4 or IPv6 leaves by. */
static const struct uplink *bearer_of(const struct policy_input *input, const struct ip *ip, enum ip_family family)
{
    const struct uplink *uplink = uplinks_find(input->uplinks, input->uplinks_len, ip);
    return uplink != NULL ? uplink : uplinks_primary(input->uplinks, input->uplinks_len, family);
}

/* Of the addresses that would be published, else of that which the broker saw. */
static const struct uplink *uplink_of(const struct policy_input *input, const struct policy_verdict *verdict)
{
    const struct rrset_value *value = &verdict->ip4.value;
    for (size_t i = 0; verdict->ip4.action == POLICY_SET && i < value->len; i++) {
        const struct uplink *uplink = uplinks_find(input->uplinks, input->uplinks_len, &value->ips[i]);
        if (uplink != NULL) {
            return uplink;
        }
    }
    bool observed = verdict->ip4.action != POLICY_SET && input->observed.family == IP_V4;
    return bearer_of(input, observed ? &input->observed : &(const struct ip){0}, IP_V4);
}

/* The device knows what each of its paths is seen as, and the broker sees another address: its connection takes a path
 * of its own, through a VPN or proxy. */
static bool seen_elsewhere(const struct policy *policy, const struct policy_input *input)
{
    bool known = false;
    for (size_t i = 0; i < input->uplinks_len; i++) {
        const struct uplink *uplink = &input->uplinks[i];
        bool seen = policy_is_publishable(policy, &uplink->seen4);
        if (uplink->up && uplink->ip4.presence == FIELD_SET && !seen) {
            return false;
        }
        known = known || (uplink->up && seen);
    }
    return known && input->observed.family == IP_V4 && policy_is_publishable(policy, &input->observed) &&
           uplinks_find(input->uplinks, input->uplinks_len, &input->observed) == NULL;
}

static struct ip address_of(const struct policy *policy, const struct uplink *uplink, enum ip_family family)
{
    const struct address_field *own = family == IP_V4 ? &uplink->ip4 : &uplink->ip6;
    const struct ip *seen = family == IP_V4 ? &uplink->seen4 : &uplink->seen6;
    if (own->presence == FIELD_SET && policy_is_publishable(policy, &own->ip)) {
        return own->ip;
    }
    return policy_is_publishable(policy, seen) ? *seen : (struct ip){0};
}

static bool has_way_in(const struct policy_input *input, const struct uplink *uplink, enum ip_family family)
{
    return family == IP_V6 || input->publish_cgnat || nat_inbound(uplink->nat) != NAT_INBOUND_NONE;
}

/* What the broker saw is another path's address: that of the first one counts. */
static void judge_primary(const struct policy *policy, const struct policy_input *input, enum ip_family family,
                          struct policy_family *verdict)
{
    const struct uplink *primary = uplinks_primary(input->uplinks, input->uplinks_len, family);
    const struct uplink *bearer =
        verdict->action == POLICY_SET ? uplinks_find(input->uplinks, input->uplinks_len, &verdict->value.ips[0]) : NULL;
    if (primary == NULL || bearer == NULL || bearer == primary) {
        return;
    }
    struct ip ip = address_of(policy, primary, family);
    if (ip.family != IP_NONE) {
        *verdict = set(ip);
    }
}

static bool may_stand(const struct policy_input *input, const struct uplink *uplink, enum ip_family family,
                      bool healthy)
{
    return uplink->up && has_way_in(input, uplink, family) && !(healthy && uplink_is_dead(uplink, family));
}

/* @param shared the observed address is not to be published. @param healthy without paths where nothing answers. */
static struct rrset_value gather(const struct policy *policy, const struct policy_input *input, enum ip_family family,
                                 bool shared, bool healthy, const struct policy_family *verdict)
{
    const enum rrtype type = family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA;
    const struct uplink *order[MQTT_UPLINKS_MAX];
    struct rrset_value all = {0};
    if (verdict->action == POLICY_SET) {
        const struct uplink *bearer = bearer_of(input, &verdict->value.ips[0], family);
        if (bearer == NULL || may_stand(input, bearer, family, healthy)) {
            all = verdict->value;
        }
    }
    size_t len = uplinks_sort(input->uplinks, input->uplinks_len, family, order);
    for (size_t i = 0; i < len; i++) {
        struct ip ip = address_of(policy, order[i], family);
        bool crowd = shared && ip_equal(&ip, &input->observed);
        if (ip.family != IP_NONE && !crowd && may_stand(input, order[i], family, healthy)) {
            (void)rrset_value_add(&all, type, &ip); /* there already, or one too many: the first ones count */
        }
    }
    return all;
}

/* Of a device whose every path is dead health has nothing to choose by: the last address never leaves for it. */
static void judge_all(const struct policy *policy, const struct policy_input *input, enum ip_family family, bool shared,
                      struct policy_family *verdict)
{
    struct rrset_value all = {0};
    if (input->uplinks_mode == UPLINKS_HEALTHY) {
        all = gather(policy, input, family, shared, true, verdict);
    }
    if (all.len == 0) {
        all = gather(policy, input, family, shared, false, verdict);
    }
    if (all.len > 0) {
        *verdict = (struct policy_family){.action = POLICY_SET, .value = all};
    }
}

static void judge_uplinks(const struct policy *policy, const struct policy_input *input, enum ip_family family,
                          bool shared, struct policy_family *verdict)
{
    if (input->mode != PUBLISH_AUTO && input->mode != PUBLISH_REPORTED) {
        return; /* only what the broker saw counts */
    }
    if (input->uplinks_mode == UPLINKS_PRIMARY) {
        judge_primary(policy, input, family, verdict);
    } else {
        judge_all(policy, input, family, shared, verdict);
    }
}

static void judge_nat(const struct policy *policy, const struct policy_input *input, struct policy_verdict *verdict)
{
    const struct uplink *uplink = uplink_of(input, verdict);
    verdict->nat = uplink != NULL ? uplink->nat : NAT_UNKNOWN;
    verdict->mismatch = verdict->mismatch || verdict->nat == NAT_TUNNEL || seen_elsewhere(policy, input);
    if (nat_inbound(verdict->nat) == NAT_INBOUND_NONE && !input->publish_cgnat) {
        verdict->no_inbound = true;
        verdict->ip4 = (struct policy_family){.action = POLICY_CLEAR};
        verdict->shared = verdict->shared && input->observed.family == IP_V6; /* it would not be published anyway */
        verdict->not_public = false;
    }
}

void policy_judge(const struct policy *policy, const struct policy_input *input, struct policy_verdict *ret_verdict)
{
    struct policy_verdict verdict = {0};
    verdict.ip4 = input->observed.family == IP_V4 ? judge_seen(policy, input, input->ip4, &verdict)
                                                  : judge_unseen(policy, input, input->ip4, &verdict);
    verdict.ip6 = input->observed.family == IP_V6 ? judge_seen(policy, input, input->ip6, &verdict)
                                                  : judge_unseen(policy, input, input->ip6, &verdict);
    judge_uplinks(policy, input, IP_V4, verdict.shared, &verdict.ip4);
    judge_uplinks(policy, input, IP_V6, verdict.shared, &verdict.ip6);
    judge_nat(policy, input, &verdict);
    if (verdict.ip4.action == POLICY_SET || verdict.ip6.action == POLICY_SET) {
        verdict.not_public = false;
    }
    *ret_verdict = verdict;
}
