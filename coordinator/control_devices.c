/* SPDX-License-Identifier: Apache-2.0 */
/* status and devices: answered from memory at once. */
#include <string.h>

#include "coordinator/control_private.h"
#include "coordinator/plan.h"

#define SCAN_MAX 50000 /* devices looked at for one answer: a few milliseconds */

static const struct {
    uint16_t flag;
    const char *name;
} device_problems[] = {{DEVICE_MISMATCH, "mismatch"},
                       {DEVICE_NOT_PUBLIC, "not-public"},
                       {DEVICE_NO_INBOUND, "no-inbound-path"},
                       {DEVICE_SHARED, "address-shared"}}; /* the last one that fits, as the device is told */

static const char *problem_of(const struct coordinator *coordinator, uint32_t index)
{
    const struct device *device = device_at(core_devices(coordinator->core), index);
    const char *standing = core_standing(coordinator->core, index).problem;
    const char *problem = "";
    if (standing[0] != '\0') {
        return standing; /* as the device is told */
    }
    for (size_t i = 0; i < ARRAY_LEN(device_problems); i++) {
        problem = (device->flags & device_problems[i].flag) != 0 ? device_problems[i].name : problem;
    }
    return problem;
}

bool control_limit(struct httpd_request *request, size_t *ret_limit)
{
    struct view text = httpd_request_query(request, "limit");
    uint64_t limit = CONTROL_PAGE_ITEMS;
    if (text.ptr != NULL && (view_to_u64(text, CONTROL_PAGE_MAX, &limit) != ERR_OK || limit == 0)) {
        httpd_reply_error(request, 400, "bad-limit", "limit is a number from 1 to 1000");
        return false;
    }
    *ret_limit = (size_t)limit;
    return true;
}

static void add_zone_status(struct coordinator *coordinator, struct jsonout *json, size_t index)
{
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    struct engine_zone_status status;
    struct sweep_result swept;
    int64_t swept_ms;
    engine_zone_status(coordinator->zones[index].engine_zone, &status);
    sweeper_last(coordinator->sweeper, (uint16_t)index, &swept, &swept_ms);
    uint64_t now = coordinator_now().mono_ms;
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "zone", view_of(zones[index].name));
    jsonout_text(json, "account", view_of(zones[index].account));
    jsonout_text(json, "mode", view_of(zones[index].mode == ZONE_SHARED ? "shared" : "dedicated"));
    jsonout_text(json, "state", view_of(status.state));
    jsonout_u64(json, "epoch", status.epoch);
    jsonout_u64(json, "waiting", status.waiting);
    jsonout_u64(json, "in_flight", status.in_flight);
    jsonout_u64(json, "messages", status.messages);
    jsonout_u64(json, "changes", status.changes);
    jsonout_u64(json, "failures", status.failures);
    jsonout_u64(json, "batch_size", status.batch_size);
    jsonout_u64(json, "depth", status.depth);
    jsonout_double(json, "service_ms", status.service_ms);
    jsonout_u64(json, "retry_in_ms",
                status.resume_ms > now && status.resume_ms != UINT64_MAX ? status.resume_ms - now : 0);
    jsonout_text(json, "last_error", view_of(status.last_error));
    jsonout_time(json, "swept", swept_ms);
    jsonout_bool(json, "sweep_stopped", swept.stopped);
    jsonout_u64(json, "unknown_records", swept.tally.unknown);
    jsonout_u64(json, "foreign_records", swept.tally.foreign);
    jsonout_close(json, '}');
}

static void add_zones(struct coordinator *coordinator, struct jsonout *json, size_t from, size_t end)
{
    jsonout_open(json, "zones", '[');
    for (size_t i = from; i < end; i++) {
        add_zone_status(coordinator, json, i);
    }
    jsonout_close(json, ']');
}

/* after=: the number that the page before gave as `next`; false after an error reply. */
static bool parse_cursor(struct httpd_request *request, uint64_t *ret_cursor)
{
    struct view after = httpd_request_query(request, "after");
    *ret_cursor = 0;
    if (after.ptr != NULL && view_to_u64(after, UINT32_MAX, ret_cursor) != ERR_OK) {
        httpd_reply_error(request, 400, "bad-cursor", "after is the `next` of the page before");
        return false;
    }
    return true;
}

void control_get_zones(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    size_t limit;
    uint64_t cursor;
    if (!control_limit(request, &limit) || !parse_cursor(request, &cursor)) {
        return;
    }
    size_t from = MIN((size_t)cursor, coordinator->zones_len);
    size_t end = MIN(from + limit, coordinator->zones_len);
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    add_zones(coordinator, &json, from, end);
    if (end < coordinator->zones_len) {
        jsonout_u64(&json, "next", end);
    }
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

static void add_counts(struct jsonout *json, const struct core_stats *stats)
{
    jsonout_open(json, "devices", '{');
    jsonout_u64(json, "known", stats->devices);
    jsonout_u64(json, "registered", stats->registered);
    jsonout_u64(json, "online", stats->online);
    jsonout_u64(json, "late", stats->late);
    jsonout_u64(json, "lost", stats->lost);
    jsonout_u64(json, "off", stats->off);
    jsonout_close(json, '}');
    jsonout_open(json, "records", '{');
    jsonout_u64(json, "open", stats->records_open);
    jsonout_u64(json, "refused", stats->records_refused);
    jsonout_u64(json, "held", stats->records_held);
    jsonout_u64(json, "changes", stats->changes);
    jsonout_u64(json, "applied", stats->applied);
    jsonout_close(json, '}');
    jsonout_open(json, "states", '{');
    jsonout_u64(json, "taken", stats->states);
    jsonout_u64(json, "same", stats->same);
    jsonout_u64(json, "changed", stats->changed);
    jsonout_u64(json, "unregistered", stats->unregistered_states);
    jsonout_u64(json, "refused",
                stats->bad_topic + stats->bad_payload + stats->bad_stamp + stats->no_stamp + stats->oversized);
    jsonout_close(json, '}');
}

static void add_ledger_status(const struct coordinator *coordinator, struct jsonout *json,
                              const struct core_stats *stats)
{
    jsonout_u64(json, "suspects", stats->suspects);
    if (coordinator->settings->config.ownership == OWNERSHIP_REQUIRED) {
        const struct store_feed *feed = core_feed_position(coordinator->core);
        jsonout_open(json, "ledger", '{');
        jsonout_text(json, "feed", view_of(feed->feed));
        jsonout_u64(json, "rev", feed->rev);
        jsonout_bool(json, "complete", feed->complete);
        jsonout_bool(json, "late", core_reg_is_late(coordinator->core, coordinator_now()));
        jsonout_u64(json, "owned", stats->owned);
        for (size_t i = 0; i < REG_STATES; i++) {
            jsonout_u64(json, reg_state_name((enum reg_state)i), stats->ledger[i]);
        }
        jsonout_close(json, '}');
    }
}

void control_get_status(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    struct core_stats stats;
    core_stats(coordinator->core, &stats);
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_text(&json, "version", view_of(MUSTER_VERSION));
    jsonout_text(&json, "term", view_of(coordinator->term));
    jsonout_u64(&json, "uptime_ms", coordinator_now().mono_ms - coordinator->started_ms);
    jsonout_text(&json, "state", view_of(loader_state(coordinator->loader)));
    jsonout_bool(&json, "broker_connected", session_is_connected(coordinator->session));
    jsonout_text(&json, "store", view_of(stats.store_state));
    jsonout_u64(&json, "registry_entries", registry_count(coordinator->settings->registry));
    add_counts(&json, &stats);
    add_ledger_status(coordinator, &json, &stats);
    jsonout_double(&json, "change_p50_ms", histogram_quantile(&stats.change_ms, 0.5));
    jsonout_double(&json, "change_p99_ms", histogram_quantile(&stats.change_ms, 0.99));
    add_zones(coordinator, &json, 0, coordinator->zones_len);
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

static void add_prefix(struct jsonout *json, const char *key, const struct ip_prefix *prefix)
{
    char text[IP_PREFIX_TEXT_SIZE];
    jsonout_text(json, key, view_n(text, ip_prefix_format(prefix, text)));
}

/* Of a gateway only. */
static void add_prefixes(struct jsonout *json, const struct device_table *devices, uint32_t index)
{
    struct ip_prefix prefix;
    struct also6 also;
    if (!device_prefix6(devices, index, &prefix)) {
        return;
    }
    add_prefix(json, "prefix6", &prefix);
    device_also6(devices, index, &also);
    jsonout_open(json, "prefix6_also", '[');
    for (size_t i = 0; i < also.len; i++) {
        jsonout_open(json, NULL, '{');
        add_prefix(json, "prefix", &also.items[i].prefix);
        jsonout_time(json, "until", also.items[i].until_ms != ALSO6_NO_END ? also.items[i].until_ms : 0);
        jsonout_close(json, '}');
    }
    jsonout_close(json, ']');
}

/* Only what is known: without a ledger and without a suspicion there is nothing to say. */
static void add_ledger(const struct coordinator *coordinator, struct jsonout *json, uint32_t index)
{
    const struct core *core = coordinator->core;
    const struct reg_row *row = core_reg_row(core, index);
    if (coordinator->settings->config.ownership == OWNERSHIP_REQUIRED) {
        jsonout_text(json, "names_are", view_of(gate_name(core_standing(core, index).gate)));
    }
    if (row == NULL) {
        return;
    }
    if (row->state < REG_STATES) {
        jsonout_open(json, "ledger", '{');
        jsonout_text(json, "state", view_of(reg_state_name((enum reg_state)row->state)));
        jsonout_bool(json, "owned", (row->flags & REG_OWNED) != 0);
        jsonout_text(json, "group", view_of(core_reg_text(core, row->group)));
        jsonout_text(json, "site", view_of(core_reg_text(core, row->site)));
        jsonout_u64(json, "rev", row->rev);
        jsonout_close(json, '}');
    }
    if (row->suspect != 0) {
        jsonout_open(json, "suspect", '{');
        jsonout_text(json, "kind", view_of(suspect_kind_name((enum suspect_kind)(row->suspect - 1))));
        jsonout_text(json, "detail", view_of(core_reg_text(core, row->detail)));
        jsonout_time(json, "since", (int64_t)row->suspect_s * 1000);
        jsonout_close(json, '}');
    }
}

static void add_device(struct coordinator *coordinator, struct jsonout *json, uint32_t index)
{
    struct device_table *devices = core_devices(coordinator->core);
    const struct device *device = device_at(devices, index);
    struct device_addresses own = device_addresses(devices, index);
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "id", device_id(devices, device));
    if (device->registry_ref != DEVICE_NONE) {
        const struct registry_entry *entry = core_entry(coordinator->core, device);
        jsonout_text(json, "group", view_of(entry->group->name));
        jsonout_text(json, "site", view_of(entry->site));
    }
    jsonout_bool(json, "registered", device->registry_ref != DEVICE_NONE);
    jsonout_text(json, "presence", view_of(presence_name((enum presence)device->presence)));
    jsonout_ip(json, "ip4", &own.ip4.ips[0]);
    jsonout_ip(json, "ip6", &own.ip6.ips[0]);
    add_prefixes(json, devices, index);
    jsonout_ip(json, "observed", &device->observed);
    jsonout_text(json, "problem", view_of(problem_of(coordinator, index)));
    add_ledger(coordinator, json, index);
    jsonout_text(json, "nat", view_of(nat_class_name((enum nat_class)device->nat)));
    jsonout_text(json, "inbound", view_of(nat_inbound_name(nat_inbound((enum nat_class)device->nat))));
    jsonout_u64(json, "boot", device->boot);
    jsonout_u64(json, "seq", device->seq);
    jsonout_bool(json, "durable", (device->flags & DEVICE_DURABLE) != 0);
    jsonout_u64(json, "records_open", device->open);
    jsonout_time(json, "seen", (int64_t)device->seen_s * 1000);
    jsonout_time(json, "changed", (int64_t)device->changed_s * 1000);
}

/* The filters of a list; an absent one has a NULL pointer. */
struct device_filter {
    struct view presence, site, group, match, problem;
};

static struct device_filter parse_filter(struct httpd_request *request)
{
    return (struct device_filter){.presence = httpd_request_query(request, "presence"),
                                  .site = httpd_request_query(request, "site"),
                                  .group = httpd_request_query(request, "group"),
                                  .match = httpd_request_query(request, "match"),
                                  .problem = httpd_request_query(request, "problem")};
}

static bool problem_matches(const struct coordinator *coordinator, uint32_t index, struct view wanted)
{
    const struct device *device = device_at(core_devices(coordinator->core), index);
    const char *problem = device->registry_ref == DEVICE_NONE ? "unregistered" : problem_of(coordinator, index);
    return view_equals(wanted, "any") ? problem[0] != '\0' : view_equals(wanted, problem);
}

static bool filter_matches(struct coordinator *coordinator, uint32_t index, const struct device_filter *filter)
{
    const struct device *device = device_at(core_devices(coordinator->core), index);
    if ((filter->presence.ptr != NULL &&
         !view_equals(filter->presence, presence_name((enum presence)device->presence))) ||
        (filter->problem.ptr != NULL && !problem_matches(coordinator, index, filter->problem)) ||
        (filter->match.ptr != NULL &&
         !registry_pattern_match(filter->match, device_id(core_devices(coordinator->core), device)))) {
        return false;
    }
    if (filter->site.ptr == NULL && filter->group.ptr == NULL) {
        return true;
    }
    if (device->registry_ref == DEVICE_NONE) {
        return false;
    }
    const struct registry_entry *entry = core_entry(coordinator->core, device);
    return (filter->site.ptr == NULL || view_equals(filter->site, entry->site)) &&
           (filter->group.ptr == NULL || view_equals(filter->group, entry->group->name));
}

static bool group_exists(const struct coordinator *coordinator, struct view name)
{
    const struct group_config *groups = coordinator->settings->config.groups.items;
    for (size_t i = 0; i < coordinator->settings->config.groups.len; i++) {
        if (view_equals(name, groups[i].name)) {
            return true;
        }
    }
    return false;
}

/* A page ends after SCAN_MAX devices looked at, too, so that a filter that hardly any of a million fits does not hold
 * up the loop. */
static uint32_t add_page(struct coordinator *coordinator, struct jsonout *json, struct httpd_request *request,
                         uint32_t index, size_t limit)
{
    struct device_table *devices = core_devices(coordinator->core);
    const struct device_filter filter = parse_filter(request);
    size_t taken = 0;
    uint32_t end = (uint32_t)MIN((uint64_t)device_count(devices), (uint64_t)index + SCAN_MAX);
    for (; index < end && taken < limit; index++) {
        if (filter_matches(coordinator, index, &filter)) {
            add_device(coordinator, json, index);
            jsonout_close(json, '}');
            taken++;
        }
    }
    return index;
}

void control_get_devices(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    size_t limit;
    uint64_t cursor;
    if (!control_limit(request, &limit) || !parse_cursor(request, &cursor)) {
        return;
    }
    struct view group = httpd_request_query(request, "group");
    if (group.ptr != NULL && !group_exists(coordinator, group)) {
        httpd_reply_error(request, 404, "no-such-group", "the coordinator's config has no group of this name");
        return;
    }
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_open(&json, "devices", '[');
    uint32_t index = add_page(coordinator, &json, request, (uint32_t)cursor, limit);
    jsonout_close(&json, ']');
    if (index < device_count(core_devices(coordinator->core))) {
        jsonout_u64(&json, "next", index);
    }
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

static const char *entry_state(const struct outbox_entry *entry)
{
    if (entry == NULL) {
        return "applied";
    }
    if ((entry->flags & OUTBOX_HELD) != 0) {
        return "held";
    }
    if ((entry->flags & OUTBOX_SETTLED) == 0) {
        return "pending";
    }
    return entry->have_applied ? "applied" : "refused";
}

static void add_names(struct coordinator *coordinator, struct jsonout *json, uint32_t index)
{
    static struct plan plan; /* large; loop thread only */
    struct device_table *devices = core_devices(coordinator->core);
    struct device_addresses own = device_addresses(devices, index);
    struct plan_addresses addresses = {.ip4 = own.ip4, .ip6 = own.ip6};
    (void)device_prefix6(devices, index, &addresses.prefix6); /* none is a value too */
    device_also6(devices, index, &addresses.also6);
    core_plan(coordinator->core, index, &addresses, &plan);
    jsonout_open(json, "names", '[');
    for (size_t i = 0; i < plan.len; i++) {
        const struct plan_item *item = &plan.items[i];
        const struct outbox_entry *entry = core_outbox_find(coordinator->core, view_of(item->name), item->type);
        entry = entry != NULL && entry->device == index ? entry : NULL; /* another device's claim */
        if (entry == NULL && item->value.len == 0) {
            continue;
        }
        jsonout_open(json, NULL, '{');
        jsonout_text(json, "name", view_of(item->name));
        jsonout_text(json, "type", view_of(rrtype_name(item->type)));
        jsonout_u64(json, "ttl", item->ttl);
        jsonout_value(json, "value", &item->value);
        jsonout_text(json, "state", view_of(entry_state(entry)));
        jsonout_text(json, "error", view_of(entry != NULL ? entry->error : ""));
        jsonout_close(json, '}');
    }
    jsonout_close(json, ']');
    if (plan.error[0] != '\0') {
        jsonout_text(json, "name_error", view_of(plan.error));
    }
}

/* The device that the path names; DEVICE_NONE after an error reply. */
static uint32_t find_reported(const struct coordinator *coordinator, struct httpd_request *request)
{
    struct view id = httpd_request_param(request, 0);
    uint32_t index = device_find(core_devices(coordinator->core), id);
    if (index == DEVICE_NONE) {
        bool registered = registry_find(core_registry(coordinator->core), id) != DEVICE_NONE;
        httpd_reply_error(request, 404, "no-such-device",
                          registered ? "the device is in the registry, but it never reported"
                                     : "the device never reported, and it is not in the registry");
    }
    return index;
}

void control_forget_device(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    uint32_t index = find_reported(coordinator, request);
    if (index == DEVICE_NONE) {
        return;
    }
    enum err err = core_forget_pair(coordinator->core, coordinator_now(), index);
    if (err == ERR_NOTFOUND) {
        httpd_reply_error(request, 404, "no-such-device", "no report of the device was ever taken");
    } else if (err != ERR_OK) {
        httpd_reply_error(request, 500, "out-of-memory", NULL);
    } else {
        control_audit(request, "device-forget", httpd_request_param(request, 0));
        httpd_reply_json(request, 202, VIEW_LITERAL("{\"state\":\"forgotten\"}"));
    }
}

void control_get_device(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    uint32_t index = find_reported(coordinator, request);
    if (index == DEVICE_NONE) {
        return;
    }
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    add_device(coordinator, &json, index);
    if (device_at(core_devices(coordinator->core), index)->registry_ref != DEVICE_NONE) {
        add_names(coordinator, &json, index);
    }
    jsonout_close(&json, '}');
    control_reply(request, &out);
}
