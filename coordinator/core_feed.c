/* SPDX-License-Identifier: Apache-2.0 */
/* What dashboards see: fleet/feed, at most FEED_PER_S changes a second with a count of those left out, and
 * fleet/summary, at most one a SUMMARY_MIN_MS. */
#include <stdio.h>

#include "coordinator/core_private.h"

static bool take_feed_budget(struct core *core, struct core_time now)
{
    if (now.mono_ms - core->feed_window_ms >= 1000) {
        core->feed_window_ms = now.mono_ms;
        core->feed_in_window = 0;
    }
    if (!core->connected || core->feed_in_window >= FEED_PER_S) {
        return false;
    }
    core->feed_in_window++;
    return true;
}

static void drop(struct core *core)
{
    core->feed_dropped_since++;
    core->stats.feed_dropped++;
}

void core_feed(struct core *core, struct core_time now, struct view id, const char *event,
               const struct outbox_entry *entry)
{
    core->summary_dirty = true;
    if (!take_feed_budget(core, now)) {
        drop(core);
        return;
    }
    if (id.len == 0 && entry != NULL && entry->device != DEVICE_NONE) {
        id = device_id(core->devices, device_at(core->devices, entry->device));
    }
    struct feed_message feed = {.ts = now.wall_ms, .dropped = core->feed_dropped_since};
    (void)snprintf(feed.device, sizeof(feed.device), "%.*s", VIEW_ARG(id)); /* fits */
    (void)snprintf(feed.event, sizeof(feed.event), "%s", event);            /* fits */
    if (entry != NULL) {
        (void)snprintf(feed.name, sizeof(feed.name), "%s", entry->name);                           /* fits */
        (void)snprintf(feed.type, sizeof(feed.type), "%s", rrtype_name((enum rrtype)entry->type)); /* fits */
        char text[IP_TEXT_SIZE] = "";
        if (entry->want.len > 0) {
            (void)ip_format(&entry->want.ips[0], text); /* length not needed */
        }
        (void)snprintf(feed.value, sizeof(feed.value), "%s", text); /* fits */
    }
    char topic[TOPIC_SIZE];
    strbuf_clear(&core->scratch);
    if (topic_build(TOPIC_FLEET_FEED, (struct view){0}, topic) != ERR_OK ||
        feed_encode(&feed, &core->scratch) != ERR_OK) { /* a record that no device has any more among them */
        drop(core);
        return;
    }
    const struct core_publish publish = {.topic = topic, .payload = strbuf_view(&core->scratch)};
    if (core->ops.publish(core->context, &publish) == ERR_OK) {
        core->stats.feed_sent++;
        core->feed_dropped_since = 0;
    } else {
        drop(core);
    }
}

enum err core_summary(const struct core *core, struct core_time now, struct strbuf *out)
{
    struct core_stats stats;
    core_stats(core, &stats);
    uint32_t told = stats.online + stats.late + stats.lost + stats.off;
    uint64_t unserved = (uint64_t)stats.records_open + stats.records_refused + stats.records_held;
    struct summary_message summary = {
        .ts = now.wall_ms,
        .devices = stats.registered,
        .online = stats.online,
        .late = stats.late,
        .lost = stats.lost + stats.off,
        .unknown = stats.registered > told ? stats.registered - told : 0,
        .unregistered = stats.devices - stats.registered,
        .pending = stats.records_open,
        .refused = stats.records_refused,
        .held = stats.records_held,
        .applied = core->records > unserved ? core->records - unserved : 0,
        .records = core->records,
        .changes = stats.changes,
        .change_p50_ms = histogram_quantile(&core->stats.change_ms, 0.5),
        .change_p99_ms = histogram_quantile(&core->stats.change_ms, 0.99),
    };
    (void)snprintf(summary.term, sizeof(summary.term), "%s", core->term); /* fits */
    return summary_encode(&summary, out);
}

void core_summary_tick(struct core *core, struct core_time now)
{
    if (!core->connected || !core->summary_dirty || now.mono_ms < core->summary_due_ms) {
        return;
    }
    char topic[TOPIC_SIZE];
    strbuf_clear(&core->scratch);
    if (topic_build(TOPIC_FLEET_SUMMARY, (struct view){0}, topic) != ERR_OK ||
        core_summary(core, now, &core->scratch) != ERR_OK) {
        return;
    }
    const struct core_publish publish = {
        .topic = topic, .payload = strbuf_view(&core->scratch), .qos = 1, .retain = true};
    if (core->ops.publish(core->context, &publish) == ERR_OK) {
        core->summary_dirty = false;
        core->summary_due_ms = now.mono_ms + SUMMARY_MIN_MS;
    }
}
