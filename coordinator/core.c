/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/core.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"
#include "coordinator/dedup.h"

#define SCRATCH_MAX    (64 * 1024)
#define BUSY_TICK_MS   20
#define ZONE_TEXTS_MAX ((size_t)16 << 20)

static void take_policy(struct core *core, const struct coordinator_config *config)
{
    core->policy =
        (struct policy){.treat_as_public = core->treat_as_public, .shared_limit = config->policy.shared_limit};
    for (size_t i = 0; i < config->policy.treat_as_public.len && i < ARRAY_LEN(core->treat_as_public); i++) {
        struct ip_prefix prefix;
        if (ip_prefix_parse(view_of(config->policy.treat_as_public.items[i]), &prefix) == ERR_OK) {
            core->treat_as_public[core->policy.treat_as_public_len++] = prefix;
        }
    }
    if (core->policy.treat_as_public_len > 0) {
        log_event(LOG_LEVEL_WARN, "policy-treat-as-public",
                  "prefixes=%zu note=\"addresses that are not public will be published\"",
                  core->policy.treat_as_public_len);
    }
}

static enum err know_zone(struct core *core, const char *name, uint32_t *ret_ref)
{
    for (size_t i = 0; i < core->zones_known_len; i++) {
        if (strcmp(core->zones_known[i].name, name) == 0) {
            *ret_ref = (uint32_t)i;
            return ERR_OK;
        }
    }
    struct known_zone *known = realloc(core->zones_known, (core->zones_known_len + 1) * sizeof(*known));
    if (known == NULL) {
        return ERR_NOMEM;
    }
    core->zones_known = known;
    const char *kept = arena_strdup(&core->zone_texts, view_of(name));
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    *ret_ref = (uint32_t)core->zones_known_len++;
    core->zones_known[*ret_ref] = (struct known_zone){.name = kept, .config_index = -1};
    return ERR_OK;
}

/* All or nothing, but for names that are known now and not configured. */
static enum err take_zones(struct core *core, const struct coordinator_config *config)
{
    const struct zone_config *zones = config->zones.items;
    uint32_t refs[ZONES_MAX];
    for (size_t i = 0; i < config->zones.len; i++) {
        enum err err = know_zone(core, zones[i].name, &refs[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    memcpy(core->zone_refs, refs, config->zones.len * sizeof(refs[0]));
    for (size_t i = 0; i < core->zones_known_len; i++) {
        core->zones_known[i].config_index = -1;
    }
    for (size_t i = 0; i < config->zones.len; i++) {
        core->zones_known[core->zone_refs[i]].config_index = (int)i;
    }
    return ERR_OK;
}

static enum err make_ledger(struct core *core)
{
    enum err err = regtable_new(&core->regs);
    if (err == ERR_OK) {
        err = derived_new(core->registry, &core->derived);
    }
    return err == ERR_OK ? clone_table_new(&core->clones) : err;
}

enum err core_new(const struct core_options *options, struct core **ret_core)
{
    struct core *core = calloc(1, sizeof(*core));
    if (core == NULL) {
        return ERR_NOMEM;
    }
    core->config = options->config;
    core->registry = options->registry;
    core->registry_fingerprint = registry_fingerprint(options->registry);
    core->stamp_key = options->stamp_key;
    core->ops = options->ops;
    core->context = options->context;
    core->rev = options->last_rev;
    core->feed = options->feed;
    core->stats.store_state = "ok";
    strbuf_init(&core->scratch, SCRATCH_MAX);
    take_policy(core, options->config);
    enum err err = view_copy(view_of(options->term), core->term, sizeof(core->term));
    arena_init(&core->zone_texts, ZONE_TEXTS_MAX);
    if (err == ERR_OK) {
        err = view_copy(view_of(options->kid != NULL ? options->kid : ""), core->kid, sizeof(core->kid));
    }
    if (err == ERR_OK) {
        err = make_ledger(core);
    }
    if (err == ERR_OK) {
        err = take_zones(core, options->config);
    }
    if (err == ERR_OK) {
        err = device_table_new(&core->devices);
    }
    if (err == ERR_OK) {
        err = addrcount_new(&core->observed);
    }
    if (err == ERR_OK) {
        err = outbox_new(&core->outbox);
    }
    if (err == ERR_OK) {
        err = damper_new(&core->damper);
    }
    if (err == ERR_OK) {
        err = core_commit_init(core);
    }
    if (err != ERR_OK) {
        core_free(core);
        return err;
    }
    *ret_core = core;
    return ERR_OK;
}

void core_free(struct core *core)
{
    if (core == NULL) {
        return;
    }
    core_commit_deinit(core);
    arena_deinit(&core->zone_texts);
    free(core->zones_known);
    queue_deinit(&core->dirty_devices);
    queue_deinit(&core->ack_join);
    queue_deinit(&core->ack_ready);
    queue_deinit(&core->gone);
    queue_deinit(&core->held);
    queue_deinit(&core->replan);
    queue_deinit(&core->dirty_regs);
    queue_deinit(&core->untold);
    clone_table_free(core->clones);
    derived_free(core->derived);
    regtable_free(core->regs);
    damper_free(core->damper);
    outbox_free(core->outbox);
    addrcount_free(core->observed);
    device_table_free(core->devices);
    strbuf_deinit(&core->scratch);
    free(core);
}

static void bad_input(uint64_t *counter, const char *event, const struct core_message *message, const char *reason)
{
    (*counter)++;
    char quoted[LOG_QUOTED_SIZE];
    log_event(LOG_LEVEL_WARN, event, "topic=%s bytes=%zu reason=\"%s\"",
              log_quote(message->topic.ptr, MIN(message->topic.len, (size_t)MQTT_TOPIC_MAX), quoted),
              message->payload.len, reason);
}

/* True when the stamp is the plugin's own; ret_ip is what it says. The MAC of an unchanged stamp is only compared. */
static bool stamp_is_valid(struct core *core, struct device *device, const struct core_message *message,
                           struct ip *ret_ip)
{
    struct view address;
    uint8_t mac[SHA256_SIZE];
    if (message->observed.len == 0) {
        core->stats.no_stamp++;
        return false;
    }
    if (core->stamp_key == NULL || observed_parse(message->observed, ret_ip, &address, mac) != ERR_OK) {
        core->stats.bad_stamp++;
        return false;
    }
    if ((device->flags & DEVICE_MAC_KNOWN) != 0 && crypto_equal(mac, device->mac, DEVICE_MAC_SIZE) &&
        ip_equal(ret_ip, &device->mac_ip)) {
        return true;
    }
    uint8_t expected[SHA256_SIZE];
    const struct view parts[] = {message->topic, VIEW_LITERAL("|"), address};
    if (crypto_hmac_sha256(core->stamp_key, parts, ARRAY_LEN(parts), expected) != ERR_OK ||
        !crypto_equal(mac, expected, sizeof(mac))) {
        core->stats.bad_stamp++;
        return false;
    }
    memcpy(device->mac, mac, DEVICE_MAC_SIZE);
    device->mac_ip = *ret_ip;
    device->flags |= DEVICE_MAC_KNOWN;
    return true;
}

static void take_pair(struct device *device, const struct state_scan *scan)
{
    device->boot = scan->boot;
    device->seq = scan->seq;
    device->conn = scan->conn;
}

/* A state whose content or observed address is new. Its pair is taken when all of it is, not before: what is taken will
 * be acknowledged. */
static void take_change(struct core *core, struct core_time now, uint32_t index, const struct core_message *message,
                        const struct state_scan *scan, const struct ip *observed)
{
    struct state_message state;
    struct errinfo info = {0};
    if (state_decode(message->payload, &state, &info) != ERR_OK) {
        bad_input(&core->stats.bad_payload, "bad-state", message, info.text);
        return;
    }
    struct device *device = device_at(core->devices, index);
    bool newer_pair = (device->flags & DEVICE_KNOWN) == 0 || device->boot != scan->boot || device->seq != scan->seq;
    bool other_observed = !ip_equal(&device->observed, observed);
    if (other_observed) {
        (void)addrcount_move(core->observed, &device->observed, observed); /* the count is read by the policy */
        device->observed = *observed;
    }
    struct plan_addresses before = core_addresses_of(core, index);
    struct plan_addresses after = before;
    const struct judge_input input = {.state = &state, .retained = message->retained, .newer = newer_pair};
    core_judge(core, now, index, &input, &after);
    if (core_standing(core, index).gate == GATE_FROZEN) {
        after = before; /* what it says is known, and does not count */
    }
    core->stats.changed++;
    bool moved = (device->flags & DEVICE_UNSURE) != 0 || !plan_addresses_equal(&before, &after);
    if (moved && core_apply_addresses(core, now, index, &before, &after, message->received_ms) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=change device=%.*s",
                  VIEW_ARG(device_id(core->devices, device)));
        device->content_hash = ~scan->content_hash; /* the device's next state is a change again */
        return;
    }
    bool other_ends = !moved && !also6_ends_equal(&before.also6, &after.also6);
    if (other_ends) {
        device_set_also6(core->devices, index, &after.also6);
    }
    take_pair(device, scan);
    device->content_hash = scan->content_hash;
    core_set_flag(device, DEVICE_HASH_OLD, false);
    device->flags |= DEVICE_KNOWN;
    if (newer_pair || other_observed || moved || other_ends) {
        core_mark_device(core, index);
    } else if (scan->repeat && !message->retained) {
        core_ack_now(core, now, index); /* durable before our start, and its answer was lost with the process */
    }
}

static void take_newer(struct core *core, uint32_t index, const struct state_scan *scan)
{
    struct device *device = device_at(core->devices, index);
    take_pair(device, scan);
    core->stats.same++;
    core_mark_device(core, index);
}

/* A device that lost its boot counter is told the stored pair, so that it can rise above it. */
static void answer_lower(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    uint32_t now_s = (uint32_t)(now.wall_ms / 1000);
    core->stats.lower++;
    if ((device->flags & DEVICE_DURABLE) == 0) {
        return; /* the stored pair is not in the store yet: an answer now could be taken for its ack */
    }
    if (now_s - device->answered_s >= LOWER_PAIR_ANSWER_S || device->answered_s > now_s) {
        log_event(LOG_LEVEL_NOTICE, "boot-lower", "device=%.*s stored_boot=%u stored_seq=%u",
                  VIEW_ARG(device_id(core->devices, device)), device->boot, device->seq);
        core_ack_now(core, now, index);
    }
}

/* The crowd behind the device's address has become small enough: what was withheld can be published. */
static bool is_relieved(const struct core *core, const struct device *device)
{
    return (device->flags & DEVICE_SHARED) != 0 &&
           addrcount_get(core->observed, &device->observed) <= core->policy.shared_limit;
}

/* The same words mean another end when they are said later. */
static bool counts_down(const struct core *core, uint32_t index, const struct core_message *message)
{
    struct also6 also;
    if (message->retained || (device_at(core->devices, index)->flags & DEVICE_HAS_PREFIX) == 0) {
        return false;
    }
    device_also6(core->devices, index, &also);
    return also.len > 0;
}

/* What a device that has no double never says, or seldom: not where it came from before, or of an earlier life. */
static bool is_strange(const struct device *device, const struct state_scan *scan, const struct ip *observed)
{
    bool earlier = scan->boot == device->boot && scan->conn < device->conn;
    return (device->flags & DEVICE_KNOWN) != 0 && (earlier || !ip_equal(observed, &device->observed));
}

static void judge_state(struct core *core, struct core_time now, uint32_t index, const struct core_message *message,
                        const struct state_scan *scan, const struct ip *observed)
{
    struct device *device = device_at(core->devices, index);
    if (queue_reserve(&core->dirty_devices, 1) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=dirty-devices"); /* as if it had not come: it is repeated */
        return;
    }
    const struct dedup_input input = {
        .scan = scan,
        .observed = observed,
        .retained = message->retained,
        .repeat = scan->repeat,
        .known = (device->flags & DEVICE_KNOWN) != 0,
    };
    enum dedup_verdict verdict = dedup_judge(device, &input);
    bool look_again = is_relieved(core, device) || (device->flags & (DEVICE_UNSURE | DEVICE_HASH_OLD)) != 0 ||
                      counts_down(core, index, message);
    if (verdict != DEDUP_STALE && verdict != DEDUP_LOWER && look_again) {
        verdict = DEDUP_CHANGED;
    }
    if (!message->retained &&
        (verdict == DEDUP_LOWER || (verdict != DEDUP_SAME && is_strange(device, scan, observed)))) {
        core_clone_state(core, now, index, scan, observed);
    }
    switch (verdict) {
    case DEDUP_SAME:
        core->stats.same++;
        break;
    case DEDUP_UNACKED:
        core->stats.same++;
        if ((device->flags & DEVICE_DURABLE) != 0) {
            core_ack_now(core, now, index);
        }
        break;
    case DEDUP_NEWER:
        take_newer(core, index, scan);
        break;
    case DEDUP_CHANGED:
        take_change(core, now, index, message, scan, observed);
        break;
    case DEDUP_STALE:
        core->stats.stale++;
        return; /* says nothing about now */
    case DEDUP_LOWER:
        answer_lower(core, now, index);
        return;
    }
    core_presence_state(core, now, index, scan);
}

/* Index of the device that a topic names; DEVICE_NONE when the topic is wrong or the registry does not know it. */
static uint32_t find_device(struct core *core, struct core_time now, const struct topic *topic,
                            const struct core_message *message)
{
    uint32_t index = device_find(core->devices, topic->id);
    if (index != DEVICE_NONE) {
        if (device_at(core->devices, index)->shard != topic->shard) {
            bad_input(&core->stats.bad_topic, "bad-topic", message, "wrong shard");
            return DEVICE_NONE;
        }
    } else {
        if (!device_id_valid(topic->id) || topic_shard(topic->id) != topic->shard) {
            bad_input(&core->stats.bad_topic, "bad-topic", message, "bad id or wrong shard");
            return DEVICE_NONE;
        }
        if (device_add(core->devices, topic->id, &index) != ERR_OK) {
            log_event(LOG_LEVEL_ERROR, "device-table-full", "devices=%u", device_count(core->devices));
            return DEVICE_NONE;
        }
        struct device *device = device_at(core->devices, index);
        device->registry_ref = core_ref_of(core, core->config, core->registry, core->derived, index);
        core_set_flag(device, DEVICE_REGISTERED, device->registry_ref != DEVICE_NONE);
        core->stats.registered += device->registry_ref != DEVICE_NONE;
    }
    (void)now;
    return index;
}

static void take_state(struct core *core, struct core_time now, uint32_t index, const struct core_message *message)
{
    struct device *device = device_at(core->devices, index);
    struct state_scan scan;
    core->stats.states++;
    if (message->payload.len > MQTT_PAYLOAD_MAX) {
        bad_input(&core->stats.oversized, "oversized-state", message, "over the size limit");
        return;
    }
    if (state_scan(message->payload, &scan) != ERR_OK) {
        bad_input(&core->stats.bad_payload, "bad-state", message, "not a state message");
        return;
    }
    struct ip observed = {0};
    bool stamped = stamp_is_valid(core, device, message, &observed);
    uint32_t now_s = (uint32_t)(now.wall_ms / 1000);
    bool quick = device->seen_s != 0 && device->seen_s <= now_s && now_s - device->seen_s < 1;
    device->seen_s = now_s;
    if (!stamped) {
        /* a forged will arrives like this: presence at most */
        if (dedup_compare(device, scan.boot, scan.seq) >= 0 && (device->flags & DEVICE_KNOWN) != 0) {
            core_presence_state(core, now, index, &scan);
        }
        return;
    }
    if ((device->flags & DEVICE_REGISTERED) == 0) {
        core->stats.unregistered_states++;
        if (now_s - device->answered_s >= UNREGISTERED_ANSWER_S && !message->retained) {
            device->answered_s = now_s;
            core_answer_unregistered(core, now, device_id(core->devices, device), scan.boot, scan.seq, &observed);
        }
        return;
    }
    scan.repeat = scan.repeat && !quick; /* one answer a second to a device that insists */
    judge_state(core, now, index, message, &scan, &observed);
}

void core_message(struct core *core, struct core_time now, const struct core_message *message)
{
    struct topic topic;
    enum err err = topic_parse_unchecked(message->topic, &topic);
    if (err != ERR_OK) {
        bad_input(&core->stats.bad_topic, "bad-topic", message, err_text(err));
        return;
    }
    if (topic.kind == TOPIC_SEEN) {
        core_seen_take(core, now, &topic, message->payload);
        return;
    }
    if (topic.kind == TOPIC_COORD_REG_DONE) {
        core_reg_done(core, now, &topic, message->payload);
        return;
    }
    if (topic.kind != TOPIC_UP_STATE && topic.kind != TOPIC_UP_GONE && topic.kind != TOPIC_REG) {
        return; /* config, csr and rsp have their own readers */
    }
    if (topic.kind == TOPIC_REG &&
        (topic.shard < core->config->shards.first || topic.shard > core->config->shards.last)) {
        return; /* another coordinator's */
    }
    uint32_t index = find_device(core, now, &topic, message);
    if (index == DEVICE_NONE) {
        return;
    }
    if (topic.kind == TOPIC_UP_STATE) {
        take_state(core, now, index, message);
        return;
    }
    if (topic.kind == TOPIC_REG) {
        core_reg_take(core, now, index, message->payload);
        return;
    }
    struct gone_message gone;
    struct errinfo info = {0};
    if (gone_decode(message->payload, &gone, &info) != ERR_OK) {
        bad_input(&core->stats.bad_payload, "bad-gone", message, info.text);
        return;
    }
    core_presence_gone(core, now, index, &gone);
}

void core_connected(struct core *core, struct core_time now, bool connected)
{
    core->connected = connected;
    if (connected) {
        core_ack_pump(core, now);
    }
}

enum err core_load_device(struct core *core, const struct store_device *stored)
{
    uint32_t index;
    enum err err = device_add(core->devices, view_of(stored->id), &index);
    if (err != ERR_OK) {
        return err;
    }
    struct device *device = device_at(core->devices, index);
    if ((device->flags & DEVICE_KNOWN) != 0) {
        return ERR_OK; /* loaded before */
    }
    device->boot = stored->boot;
    device->conn = stored->conn;
    device->seq = stored->seq;
    device->content_hash = stored->content_hash;
    device->seen_s = (uint32_t)(stored->seen_ms / 1000);
    device->changed_s = (uint32_t)(stored->changed_ms / 1000);
    device->observed = stored->observed;
    device_set_addresses(core->devices, index,
                         &(const struct device_addresses){.ip4 = stored->ip4, .ip6 = stored->ip6});
    device->flags |= DEVICE_KNOWN | DEVICE_DURABLE | DEVICE_HASH_OLD;
    core_set_no_inbound(core, device, (stored->flags & STORE_DEVICE_NO_INBOUND) != 0);
    core->stats.registered -= device->registry_ref != DEVICE_NONE; /* by the ledger, which knew it before */
    device->registry_ref = core_ref_of(core, core->config, core->registry, core->derived, index);
    core_set_flag(device, DEVICE_REGISTERED, device->registry_ref != DEVICE_NONE);
    core->stats.registered += device->registry_ref != DEVICE_NONE;
    if (stored->prefix6.ip.family != IP_NONE) {
        device_set_prefix6(core->devices, index, &stored->prefix6);
        device_set_also6(core->devices, index, &stored->also6); /* what has ended meanwhile leaves at the next tick */
    }
    /* The row of a device that was removed stays: should it come back, an old retained state must not count as new. */
    if (device->registry_ref != DEVICE_NONE) {
        (void)addrcount_move(core->observed, &(struct ip){0}, &device->observed); /* the policy asks */
    }
    return ERR_OK;
}

/* What decides which address of a device is published. */
static uint64_t policy_fingerprint(const struct coordinator_config *config)
{
    uint64_t fingerprint = config->policy.shared_limit;
    for (size_t i = 0; i < config->policy.treat_as_public.len; i++) {
        fingerprint = fingerprint * 31 + view_hash(view_of(config->policy.treat_as_public.items[i]));
    }
    const struct group_config *groups = config->groups.items;
    for (size_t i = 0; i < config->groups.len; i++) {
        fingerprint = fingerprint * 31 + view_hash(view_of(groups[i].name)) + (uint64_t)groups[i].publish * 4 +
                      (uint64_t)groups[i].publish_cgnat * 2 + groups[i].gateway + (uint64_t)groups[i].uplinks * 16;
    }
    return fingerprint;
}

/* How the device's addresses are judged depends on its group, besides the policy that all share. */
static bool is_judged_otherwise(const struct registry_group *before, const struct registry_group *after)
{
    return before->publish != after->publish || before->gateway != after->gateway ||
           before->publish_cgnat != after->publish_cgnat || before->uplinks != after->uplinks;
}

struct next_registry {
    const struct coordinator_config *config;
    const struct registry *registry;
    struct derived *derived;
};

/* Looks one device up in the new registry; core->registry is still the old one. @return its state should be replayed.
 */
static bool register_anew(struct core *core, const struct next_registry *next, uint32_t index, bool other_policy)
{
    static const struct ip nowhere = {0};
    struct device *device = device_at(core->devices, index);
    uint32_t before = device->registry_ref;
    uint32_t after = core_ref_of(core, next->config, next->registry, next->derived, index);
    bool other = before != DEVICE_NONE && after != DEVICE_NONE &&
                 is_judged_otherwise(core_entry(core, device)->group,
                                     (after >= DERIVED_FIRST ? derived_at(next->derived, after)
                                                             : registry_entry_at(next->registry, after))
                                         ->group);
    if (before != DEVICE_NONE && after == DEVICE_NONE) {
        (void)addrcount_move(core->observed, &device->observed, &nowhere); /* who is removed is no crowd */
    } else if (before == DEVICE_NONE && after != DEVICE_NONE) {
        (void)addrcount_move(core->observed, &nowhere, &device->observed); /* the policy asks when it is judged */
    }
    device->registry_ref = after;
    core_set_flag(device, DEVICE_REGISTERED, after != DEVICE_NONE);
    core->stats.registered += after != DEVICE_NONE;
    device->answered_s = 0;
    bool back = before == DEVICE_NONE && after != DEVICE_NONE; /* in whatever group: its last one is forgotten */
    device->content_hash = other_policy || other || back ? 0 : device->content_hash;
    return other || back;
}

enum err core_reconfigure(struct core *core, const struct coordinator_config *config, const struct registry *registry,
                          bool *ret_replay)
{
    struct next_registry next = {.config = config, .registry = registry};
    enum err err = derived_new(registry, &next.derived);
    if (err == ERR_OK && (err = take_zones(core, config)) != ERR_OK) {
        derived_free(next.derived);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool other_policy = policy_fingerprint(config) != policy_fingerprint(core->config) ||
                        config->ownership != core->config->ownership || config->clones != core->config->clones;
    bool replay = other_policy;
    core->stats.registered = 0;
    core->summary_dirty = true;
    for (uint32_t i = 0; i < device_count(core->devices); i++) {
        replay = register_anew(core, &next, i, other_policy) || replay;
    }
    core->names_exclusive = core->names_exclusive && registry_fingerprint(registry) == core->registry_fingerprint;
    core->registry_fingerprint = registry_fingerprint(registry);
    core->config = config;
    core->registry = registry;
    derived_free(core->derived);
    core->derived = next.derived;
    core->ask_ms = 0;
    take_policy(core, config);
    *ret_replay = replay;
    return ERR_OK;
}

void core_reconciled(struct core *core)
{
    core->names_exclusive = registry_names_exclusive(core->registry);
}

void core_set_stamp_key(struct core *core, struct crypto_hmac *key)
{
    core->stamp_key = key;
    for (uint32_t i = 0; i < device_count(core->devices); i++) {
        core_set_flag(device_at(core->devices, i), DEVICE_MAC_KNOWN, false);
    }
}

enum err core_forget_pair(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if ((device->flags & DEVICE_KNOWN) == 0) {
        return ERR_NOTFOUND;
    }
    enum err err = queue_reserve(&core->dirty_devices, 1);
    if (err != ERR_OK) {
        return err;
    }
    core_presence_forget(core, now, index);
    core_trust(core, now, index);
    device->boot = device->conn = device->seq = 0; /* below or equal to every pair, before and after a restart */
    device->content_hash = 0;
    device->answered_s = 0;
    core_mark_device(core, index);
    core_flush(core, now);
    return ERR_OK;
}

void core_set_records(struct core *core, uint64_t records)
{
    core->summary_dirty = core->summary_dirty || core->records != records;
    core->records = records;
}

void core_zone_claimed(struct core *core, uint16_t zone, uint64_t epoch)
{
    struct known_zone *known = &core->zones_known[core->zone_refs[zone]];
    known->epoch = MAX(known->epoch, epoch); /* a new writer knows none before its claim; a provider may have none */
}

uint64_t core_tick(struct core *core, struct core_time now)
{
    core_storm_tick(core, now);
    core_release_held(core, now);
    core_end_prefixes(core, now);
    core_replan_due(core, now);
    core_ack_pump(core, now);
    core_presence_tick(core, now);
    core_summary_tick(core, now);
    core_reg_tick(core, now);
    core_flush(core, now);
    uint64_t next = now.mono_ms + 1000;
    int64_t until_end_ms = device_also6_due(core->devices) - now.wall_ms;
    if (until_end_ms < 1000) {
        next = now.mono_ms + (uint64_t)MAX(until_end_ms, (int64_t)BUSY_TICK_MS);
    }
    const struct queue_item *item = queue_peek(&core->ack_join);
    if (item != NULL) {
        next = MIN(next, item->due_ms);
    }
    bool unsaved = core->dirty_devices.len > 0 || outbox_has_dirty(core->outbox) || core_reg_has_dirty(core);
    if ((core->ack_ready.len > 0 && core->connected) || unsaved) {
        next = MIN(next, now.mono_ms + BUSY_TICK_MS);
    }
    return MAX(next, now.mono_ms + 1);
}

struct device_table *core_devices(struct core *core)
{
    return core->devices;
}

const struct registry *core_registry(const struct core *core)
{
    return core->registry;
}

const struct outbox_entry *core_outbox_find(const struct core *core, struct view name, enum rrtype type)
{
    return outbox_find(core->outbox, name, type);
}

void core_stats(const struct core *core, struct core_stats *ret_stats)
{
    *ret_stats = core->stats;
    ret_stats->devices = device_count(core->devices);
    ret_stats->acks_waiting = (uint32_t)(core->ack_join.len + core->ack_ready.len);
}
