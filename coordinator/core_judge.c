/* SPDX-License-Identifier: Apache-2.0 */
/* From a state to the addresses that count, and what is told of a device besides. */
#include "base/log.h"
#include "coordinator/core_private.h"

void core_set_flag(struct device *device, uint16_t flag, bool on)
{
    device->flags = (uint16_t)(on ? device->flags | flag : device->flags & ~flag);
}

void core_set_no_inbound(struct core *core, struct device *device, bool on)
{
    bool was = (device->flags & DEVICE_NO_INBOUND) != 0;
    core_set_flag(device, DEVICE_NO_INBOUND, on);
    core->stats.no_inbound += on && !was;
    core->stats.no_inbound -= was && !on;
}

static struct rrset_value apply_family(struct rrset_value before, const struct policy_family *family)
{
    switch (family->action) {
    case POLICY_SET:
        return family->value;
    case POLICY_CLEAR:
        return (struct rrset_value){0};
    case POLICY_KEEP:
        break;
    }
    return before;
}

static void tell_shared(struct core *core, struct device *device, const struct policy_input *input, bool shared)
{
    if (shared && (device->flags & DEVICE_SHARED) == 0) {
        char text[IP_TEXT_SIZE];
        (void)ip_format(&device->observed, text); /* length not needed */
        log_event(LOG_LEVEL_WARN, "address-shared", "device=%.*s address=%s devices=%u limit=%u",
                  VIEW_ARG(device_id(core->devices, device)), text, input->observed_devices, core->policy.shared_limit);
    }
    core_set_flag(device, DEVICE_SHARED, shared);
}

/* The first time that it is said, and again after it was otherwise: the store remembers, so a restart says nothing. */
static void tell_no_inbound(struct core *core, struct core_time now, struct device *device,
                            const struct policy_verdict *verdict)
{
    bool was = (device->flags & DEVICE_NO_INBOUND) != 0;
    core_set_no_inbound(core, device, verdict->no_inbound);
    if (verdict->no_inbound && !was) {
        struct view id = device_id(core->devices, device);
        log_event(LOG_LEVEL_NOTICE, "no-inbound-path", "device=%.*s nat=%s", VIEW_ARG(id),
                  nat_class_name(verdict->nat));
        core_feed(core, now, id, "no-inbound-path", NULL);
    }
}

static void take_nat(struct core *core, struct device *device, enum nat_class nat)
{
    core->stats.nat[device->nat] -= device->nat != NAT_UNKNOWN; /* which nobody counts */
    device->nat = (uint8_t)nat;
    core->stats.nat[nat] += nat != NAT_UNKNOWN;
}

void core_judge(struct core *core, struct core_time now, uint32_t index, const struct judge_input *said,
                struct plan_addresses *ret_after)
{
    const struct state_message *state = said->state;
    struct device *device = device_at(core->devices, index);
    const struct registry_group *group = core_entry(core, device)->group;
    struct policy_input input = {
        .mode = group->publish,
        .gateway = group->gateway,
        .publish_cgnat = group->publish_cgnat,
        .uplinks_mode = group->uplinks,
        .observed = device->observed,
        .observed_devices = addrcount_get(core->observed, &device->observed),
        .ip4 = &state->ip4,
        .ip6 = &state->ip6,
        .uplinks = state->uplinks,
        .uplinks_len = state->uplinks_len,
    };
    struct policy_verdict verdict;
    policy_judge(&core->policy, &input, &verdict);
    core_set_flag(device, DEVICE_MISMATCH, verdict.mismatch);
    core_set_flag(device, DEVICE_NOT_PUBLIC, verdict.not_public);
    tell_shared(core, device, &input, verdict.shared);
    tell_no_inbound(core, now, device, &verdict);
    take_nat(core, device, verdict.nat);
    ret_after->ip4 = apply_family(ret_after->ip4, &verdict.ip4);
    ret_after->ip6 = apply_family(ret_after->ip6, &verdict.ip6);
    core_judge_prefixes(core, now, index, said, ret_after);
}
