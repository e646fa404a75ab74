/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/policy.h"

#include <string.h>

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
    return (struct policy_family){.action = POLICY_SET, .ip = ip};
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

void policy_judge(const struct policy *policy, const struct policy_input *input, struct policy_verdict *ret_verdict)
{
    struct policy_verdict verdict = {0};
    verdict.ip4 = input->observed.family == IP_V4 ? judge_seen(policy, input, input->ip4, &verdict)
                                                  : judge_unseen(policy, input, input->ip4, &verdict);
    verdict.ip6 = input->observed.family == IP_V6 ? judge_seen(policy, input, input->ip6, &verdict)
                                                  : judge_unseen(policy, input, input->ip6, &verdict);
    if (verdict.ip4.action == POLICY_SET || verdict.ip6.action == POLICY_SET) {
        verdict.not_public = false;
    }
    *ret_verdict = verdict;
}
