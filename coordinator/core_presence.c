/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: births, clean shutdowns, wills judged by (boot,conn) only, and devices that fell silent. Never touches
 * addresses. */
#include "base/log.h"
#include "coordinator/core_private.h"

#define PRESENCE_ROUND_MS 60000 /* a whole look at the table takes a minute, spread over the ticks */
#define PRESENCE_SLICE_MS 1000

static uint32_t *counter_of(struct core *core, enum presence presence)
{
    switch (presence) {
    case PRESENCE_ONLINE:
        return &core->stats.online;
    case PRESENCE_OFF:
        return &core->stats.off;
    case PRESENCE_LOST:
        return &core->stats.lost;
    case PRESENCE_LATE:
        return &core->stats.late;
    case PRESENCE_UNKNOWN:
        break;
    }
    return NULL;
}

void core_set_presence(struct core *core, struct core_time now, uint32_t index, enum presence presence)
{
    struct device *device = device_at(core->devices, index);
    if (device->presence == presence) {
        return;
    }
    uint32_t *from = counter_of(core, (enum presence)device->presence);
    uint32_t *to = counter_of(core, presence);
    if (from != NULL) {
        (*from)--;
    }
    if (to != NULL) {
        (*to)++;
    }
    bool was_known = device->presence != PRESENCE_UNKNOWN;
    device->presence = (uint8_t)presence;
    core->summary_dirty = true;
    if (was_known) {
        core_feed(core, now, device_id(core->devices, device), presence_name(presence), NULL);
    }
}

void core_presence_state(struct core *core, struct core_time now, uint32_t index, const struct state_scan *scan)
{
    struct device *device = device_at(core->devices, index);
    if (!scan->on) {
        core_set_presence(core, now, index, PRESENCE_OFF);
        return;
    }
    if (device->gone_boot == scan->boot && device->gone_conn == scan->conn && scan->boot != 0) {
        core_set_presence(core, now, index, PRESENCE_LOST); /* the broker replays birth and will in any order */
        return;
    }
    core_set_presence(core, now, index, PRESENCE_ONLINE);
}

static bool gone_is_older(const struct device *device, const struct gone_message *gone)
{
    return gone->boot < device->boot || (gone->boot == device->boot && gone->conn < device->conn);
}

void core_presence_gone(struct core *core, struct core_time now, uint32_t index, const struct gone_message *gone)
{
    struct device *device = device_at(core->devices, index);
    if ((device->flags & DEVICE_KNOWN) != 0 && gone_is_older(device, gone)) {
        return; /* of a connection that a newer birth has replaced */
    }
    device->gone_boot = gone->boot;
    device->gone_conn = gone->conn;
    bool current = gone->boot == device->boot && gone->conn == device->conn;
    if (current && device->presence != PRESENCE_OFF && device->presence != PRESENCE_LOST &&
        queue_push(&core->gone, index, now.mono_ms + GONE_DEBOUNCE_MS) != ERR_OK) {
        core_set_presence(core, now, index, PRESENCE_LOST); /* without memory there is no debounce */
    }
}

/* The last `gone` was of the connection that the device had last; a pair of 0 was forgotten and is nobody's. */
static bool has_left(const struct device *device)
{
    return device->boot != 0 && device->gone_boot == device->boot && device->gone_conn == device->conn &&
           device->presence != PRESENCE_OFF;
}

void core_presence_forget(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if (has_left(device)) {
        core_set_presence(core, now, index, PRESENCE_LOST); /* the debounce has nothing to compare any more */
    }
    device->gone_boot = device->gone_conn = 0;
}

static void settle_gone(struct core *core, struct core_time now)
{
    const struct queue_item *item;
    while ((item = queue_peek(&core->gone)) != NULL && item->due_ms <= now.mono_ms) {
        uint32_t index;
        (void)queue_pop(&core->gone, &index); /* not empty */
        if (has_left(device_at(core->devices, index))) {
            core_set_presence(core, now, index, PRESENCE_LOST);
        }
    }
}

static void look_for_late(struct core *core, struct core_time now, uint32_t index)
{
    const struct device *device = device_at(core->devices, index);
    if (device->presence != PRESENCE_ONLINE && device->presence != PRESENCE_UNKNOWN) {
        return;
    }
    int64_t silent_ms = now.wall_ms - (int64_t)device->seen_s * 1000;
    int64_t limit_ms = (int64_t)(core->config->presence.heartbeat_ms * core->config->presence.late_after);
    if (device->seen_s != 0 && silent_ms > limit_ms && (device->flags & DEVICE_REGISTERED) != 0) {
        core_set_presence(core, now, index, PRESENCE_LATE);
    }
}

void core_presence_tick(struct core *core, struct core_time now)
{
    settle_gone(core, now);
    if (now.mono_ms < core->presence_due_ms) {
        return;
    }
    core->presence_due_ms = now.mono_ms + PRESENCE_SLICE_MS;
    uint32_t count = device_count(core->devices);
    uint32_t slice = count / (PRESENCE_ROUND_MS / PRESENCE_SLICE_MS) + 1;
    for (uint32_t i = 0; i < slice && count > 0; i++) {
        core->presence_cursor = core->presence_cursor >= count ? 0 : core->presence_cursor;
        look_for_late(core, now, core->presence_cursor++);
    }
}
