/* SPDX-License-Identifier: Apache-2.0 */
/* The prefixes of a gateway: which of those that it tells count, and until when. */
#include "base/log.h"
#include "coordinator/core_private.h"

/* Each address that would follow from it must be one that may stand in DNS. A host that it has no room for gets none,
 * and keeps nobody else from theirs. */
static bool is_publishable(const struct core *core, const struct registry_entry *entry, const struct ip_prefix *prefix)
{
    bool good = policy_is_publishable(&core->policy, &prefix->ip);
    for (size_t i = 0; i < entry->hosts_len && good; i++) {
        struct ip host = host_address(prefix, &entry->hosts[i].id);
        good = host.family == IP_NONE || policy_is_publishable(&core->policy, &host);
    }
    return good;
}

static void drop_unpublishable(const struct core *core, const struct registry_entry *entry, struct also6 *also)
{
    for (size_t i = also->len; i-- > 0;) {
        if (!is_publishable(core, entry, &also->items[i].prefix)) {
            also6_drop(also, i);
        }
    }
}

void core_judge_prefixes(struct core *core, struct core_time now, uint32_t index, const struct judge_input *said,
                         struct plan_addresses *after)
{
    struct device *device = device_at(core->devices, index);
    const struct registry_entry *entry = core_entry(core, device);
    const struct state_message *state = said->state;
    if (!entry->group->gateway) { /* what it says as a gateway one day counts from then on */
        after->prefix6 = (struct ip_prefix){0};
        after->also6.len = 0;
        return;
    }
    bool good = state->has_prefix6 && is_publishable(core, entry, &state->prefix6);
    if (good) {
        bool known =
            !said->newer && ip_prefix_equal(&after->prefix6, &state->prefix6); /* else judged anew, by a reload */
        const struct also6_word word = {
            .state = state, .retained = said->retained, .newer = !known, .now_ms = now.wall_ms};
        after->prefix6 = state->prefix6;
        also6_take(&word, &after->also6, &after->also6);
    } else if (state->prefix6_gone || !is_publishable(core, entry, &after->prefix6)) {
        after->prefix6 = (struct ip_prefix){0}; /* gone, or kept from the time of another policy */
        after->also6.len = 0;
    }
    drop_unpublishable(core, entry, &after->also6);
    if (state->has_prefix6 && !good) {
        core_set_flag(device, DEVICE_NOT_PUBLIC, true);
    }
}

static void tell_end(const struct core *core, uint32_t index, const struct also6 *also, int64_t now_ms)
{
    for (size_t i = 0; i < also->len; i++) {
        char text[IP_PREFIX_TEXT_SIZE];
        if (also->items[i].until_ms <= now_ms) {
            (void)ip_prefix_format(&also->items[i].prefix, text); /* length not needed */
            log_event(LOG_LEVEL_NOTICE, "prefix-ended", "device=%.*s prefix=%s",
                      VIEW_ARG(device_id(core->devices, device_at(core->devices, index))), text);
        }
    }
}

/* Of a device that fell silent: one that speaks has told by now that the prefix is no longer preferred. */
static void end_prefixes_of(struct core *core, struct core_time now, uint32_t index)
{
    const struct plan_addresses before = core_addresses_of(core, index);
    struct plan_addresses after = before;
    also6_expire(&after.also6, now.wall_ms);
    if (device_at(core->devices, index)->registry_ref == DEVICE_NONE) {
        device_set_also6(core->devices, index, &after.also6); /* its names are given up already */
    } else if (core_apply_addresses(core, now, index, &before, &after, now.mono_ms) == ERR_OK) {
        tell_end(core, index, &before.also6, now.wall_ms);
    } else {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=prefix-end"); /* the next tick tries again */
    }
}

void core_end_prefixes(struct core *core, struct core_time now)
{
    size_t at = 0;
    uint32_t index;
    if (device_also6_due(core->devices) > now.wall_ms) {
        return;
    }
    while ((index = device_also6_ended(core->devices, now.wall_ms, &at)) != DEVICE_NONE) {
        end_prefixes_of(core, now, index);
    }
}
