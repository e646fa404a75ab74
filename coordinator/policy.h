/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * policy: which address of a device may stand in DNS, and which one counts when the broker saw another than the device
 * reported, and what stands between it and the internet. Pure.
 *
 * What the uplink says of NAT, for IPv4 only (nat_inbound):
 *   cgnat, double, dslite, 464xlat   no A, one that stood goes; AAAA as ever
 *   nat                              A; whether somebody can come in is unproven
 *   tunnel                           as without it, but a mismatch
 *   anything else, or not said       as without it
 *
 * Of several uplinks, with PUBLISH_AUTO and PUBLISH_REPORTED:
 *   primary   the address of the one that comes first (uplinks_primary), where it is known: the broker may see another
 *   all       the address of each that is up and, for IPv4, not without a way in; RRSET_VALUES_MAX, the primary first.
 *             The one that counted without this is among them unless the path that bears it (nobody: the first one) is
 *             down or has no way in
 *   healthy   of these, without paths along which nothing answers (uplink_is_dead), as long as another address is left
 * The address of an uplink is its own where that is public, else what is seen of it.
 */
#include "base/ip.h"
#include "coordinator/config.h"
#include "mqtt/messages.h"
#include "providers/rrset.h"

struct policy {
    const struct ip_prefix *treat_as_public; /* borrowed */
    size_t treat_as_public_len;
    uint32_t shared_limit;
};

struct policy_input {
    enum publish_mode mode;
    bool gateway;
    bool publish_cgnat;                    /* A records also where nobody outside can come in */
    struct ip observed;                    /* stamped by the broker; IP_NONE = the message carried no valid stamp */
    uint32_t observed_devices;             /* how many devices share the observed address */
    const struct address_field *ip4, *ip6; /* reported */
    const struct uplink *uplinks;          /* reported; NULL with a length of 0: an agent that detects nothing */
    size_t uplinks_len;
    enum uplinks_mode uplinks_mode;
};

enum policy_action { POLICY_KEEP, POLICY_SET, POLICY_CLEAR };

struct policy_family {
    enum policy_action action;
    struct rrset_value value; /* POLICY_SET: not empty */
};

struct policy_verdict {
    struct policy_family ip4, ip6;
    bool mismatch;   /* observed and reported are both public, of one family, and differ; or the path is a tunnel, or
                        the device's own sources see it come from elsewhere than the broker */
    bool no_inbound; /* nobody outside can come in over IPv4: no A (publish_cgnat: it is published, and this not set) */
    enum nat_class nat; /* of the uplink whose IPv4 address counts */
    bool shared;        /* the observed address is shared by too many: not published, alarmed */
    bool not_public;    /* addresses were seen and none of them may be published */
};

bool policy_is_publishable(const struct policy *policy, const struct ip *ip);
void policy_judge(const struct policy *policy, const struct policy_input *input, struct policy_verdict *ret_verdict);
