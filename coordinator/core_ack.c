/* SPDX-License-Identifier: Apache-2.0 */
/* The application-level ack: sent when the want is durable, joined with the DNS result when that comes within
 * ACK_JOIN_MS; later results update the names only. What the session cannot take now waits in ack_ready, each device
 * once. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

#define ACKS_A_PUMP 512 /* bounds one turn of the loop */

static void fill_value(struct name_status *status, const struct rrset_value *value)
{
    char text[IP_TEXT_SIZE] = "";
    if (value->len > 0) {
        (void)ip_format(&value->ips[0], text); /* length not needed */
    }
    (void)snprintf(status->value, sizeof(status->value), "%s", text); /* fits */
}

static enum name_state state_of(const struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_HELD) != 0) {
        return NAME_HELD;
    }
    if ((entry->flags & OUTBOX_SETTLED) == 0) {
        return NAME_PENDING;
    }
    if (!entry->have_applied) {
        return NAME_REFUSED;
    }
    return entry->want.len == 0 ? NAME_GONE : NAME_APPLIED;
}

static void fill_moving(struct core_time now, const struct outbox_entry *entry, struct name_status *status)
{
    status->state = state_of(entry);
    status->since = (int64_t)entry->since_s * 1000;
    (void)snprintf(status->error, sizeof(status->error), "%s", entry->error); /* fits */
    bool waits = status->state == NAME_PENDING || status->state == NAME_HELD;
    status->next =
        waits && entry->not_before_ms > now.mono_ms ? now.wall_ms + (int64_t)(entry->not_before_ms - now.mono_ms) : 0;
}

/* The name moves for another device: unless that one's claim is the one in vain, ours is. */
static bool is_taken_from(const struct outbox_entry *entry, uint32_t index)
{
    bool others = entry->device != index && entry->device != DEVICE_NONE && (entry->flags & OUTBOX_TOMBSTONE) == 0;
    return others && ((entry->flags & OUTBOX_TAKEN) == 0 || entry->rival == index);
}

static void fill_names(struct core *core, struct core_time now, const struct device *device, uint32_t index,
                       struct dns_message *ack)
{
    struct plan_addresses addresses = core_addresses_of(core, index);
    core_plan(core, index, &addresses, &core->plan_new);
    for (size_t i = 0; i < core->plan_new.len && ack->names_len < MQTT_NAMES_MAX; i++) {
        const struct plan_item *item = &core->plan_new.items[i];
        const struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
        bool taken = entry != NULL && is_taken_from(entry, index);
        entry = entry != NULL && entry->device == index ? entry : NULL; /* another device's claim is no news of ours */
        if (entry == NULL && item->value.len == 0) {
            continue; /* neither there nor wanted */
        }
        struct name_status *status = &ack->names[ack->names_len++];
        *status =
            (struct name_status){.ttl = item->ttl, .state = NAME_APPLIED, .since = (int64_t)device->changed_s * 1000};
        (void)snprintf(status->name, sizeof(status->name), "%s", item->name);              /* fits */
        (void)snprintf(status->type, sizeof(status->type), "%s", rrtype_name(item->type)); /* fits */
        fill_value(status, &item->value);
        if (entry != NULL) {
            fill_moving(now, entry, status);
        } else if (taken) {
            status->state = NAME_REFUSED;
            (void)snprintf(status->error, sizeof(status->error), "taken"); /* fits */
        }
    }
    if (ack->error[0] == '\0' && core->plan_new.error[0] != '\0') {
        (void)snprintf(ack->error, sizeof(ack->error), "%s", "name-invalid"); /* fits */
    }
}

static const char *error_of(const struct core *core, uint32_t index)
{
    const struct device *device = device_at(core->devices, index);
    if (device->registry_ref == DEVICE_NONE) {
        return "unregistered";
    }
    const char *standing = core_standing(core, index).problem;
    if (standing[0] != '\0') {
        return standing;
    }
    if ((device->flags & DEVICE_SHARED) != 0) {
        return "address-shared";
    }
    if ((device->flags & DEVICE_NO_INBOUND) != 0) {
        return "no-inbound-path";
    }
    if ((device->flags & DEVICE_NOT_PUBLIC) != 0) {
        return "not-public";
    }
    return (device->flags & DEVICE_MISMATCH) != 0 ? "mismatch" : "";
}

/* Leaves out names from the end until the body fits; the first ones are those of the device itself. */
static enum err encode_ack(struct core *core)
{
    for (;;) {
        strbuf_clear(&core->scratch);
        enum err err = dns_encode(&core->ack, &core->scratch);
        if (err != ERR_LIMIT || core->ack.names_len == 0) {
            return err == ERR_LIMIT ? ERR_INVALID : err; /* ERR_LIMIT is the session's word for "full" */
        }
        core->ack.names_len -= (core->ack.names_len + 7) / 8;
    }
}

static enum err publish_ack(struct core *core, struct view id, bool retain)
{
    char topic[TOPIC_SIZE];
    enum err err = topic_build(TOPIC_DN_DNS, id, topic);
    if (err != ERR_OK) {
        return err;
    }
    err = encode_ack(core);
    if (err != ERR_OK) {
        return err;
    }
    const struct core_publish publish = {
        .topic = topic, .payload = strbuf_view(&core->scratch), .qos = 0, .retain = retain};
    return core->ops.publish(core->context, &publish);
}

static void start_ack(struct core *core, uint32_t boot, uint32_t seq, const struct ip *observed)
{
    struct dns_message *ack = &core->ack;
    ack->has_ack = true;
    ack->ack_boot = boot;
    ack->ack_seq = seq;
    ack->observed = *observed;
    ack->error[0] = '\0';
    ack->names_len = 0;
    (void)snprintf(ack->term, sizeof(ack->term), "%s", core->term); /* fits */
}

static enum err send_ack(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    start_ack(core, device->boot, device->seq, &device->observed);
    (void)snprintf(core->ack.error, sizeof(core->ack.error), "%s", error_of(core, index)); /* fits */
    if (device->registry_ref != DEVICE_NONE) {
        fill_names(core, now, device, index, &core->ack);
    } /* else removed meanwhile: the names that it had are known to the store only */
    enum err err = publish_ack(core, device_id(core->devices, device), true);
    if (err == ERR_OK) {
        device->answered_s = (uint32_t)(now.wall_ms / 1000);
        core->stats.acks++;
    }
    return err;
}

static void put_ready(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if (queue_push(&core->ack_ready, index, now.mono_ms) == ERR_OK) {
        device->flags |= DEVICE_ACK_DUE;
    }
}

/* "unregistered" promises nothing, so nothing need be durable for it. */
static bool may_answer(const struct device *device)
{
    return (device->flags & DEVICE_DURABLE) != 0 || device->registry_ref == DEVICE_NONE;
}

void core_ack_now(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if (!may_answer(device)) {
        return; /* it has reported again since: the commit of the newer pair answers both */
    }
    bool waits_for_room = core->ack_ready.len > 0 || core_is_storm(core);
    if (!waits_for_room || (device->flags & DEVICE_ACK_DUE) == 0) {
        enum err err = waits_for_room || !core->connected ? ERR_LIMIT : send_ack(core, now, index);
        if (err == ERR_LIMIT || err == ERR_STATE) {
            core->stats.acks_deferred++;
            put_ready(core, now, index);
            return;
        }
        if (err != ERR_OK) {
            log_event(LOG_LEVEL_ERROR, "ack-failed", "device=%.*s error=%s", VIEW_ARG(device_id(core->devices, device)),
                      err_name(err));
        }
        device->flags &= (uint16_t)~DEVICE_ACK_DUE;
    }
}

void core_ack_after_commit(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if (device->open == 0) {
        core_ack_now(core, now, index);
        return;
    }
    if ((device->flags & DEVICE_ACK_DUE) == 0 &&
        queue_push(&core->ack_join, index, now.mono_ms + ACK_JOIN_MS) == ERR_OK) {
        device->flags |= DEVICE_ACK_DUE;
    }
}

void core_ack_pump(struct core *core, struct core_time now)
{
    const struct queue_item *item;
    uint32_t index;
    while ((item = queue_peek(&core->ack_join)) != NULL && item->due_ms <= now.mono_ms) {
        (void)queue_pop(&core->ack_join, &index); /* not empty */
        if ((device_at(core->devices, index)->flags & DEVICE_ACK_DUE) != 0 &&
            queue_push(&core->ack_ready, index, now.mono_ms) != ERR_OK) {
            device_at(core->devices, index)->flags &= (uint16_t)~DEVICE_ACK_DUE; /* the device repeats itself */
        }
    }
    for (unsigned sent = 0; core->connected && sent < ACKS_A_PUMP && (item = queue_peek(&core->ack_ready)) != NULL;
         sent++) {
        if (core_is_storm(core) && now.mono_ms - item->due_ms < STORM_ACK_YIELD_MS) {
            return; /* the DNS first */
        }
        index = item->value;
        struct device *device = device_at(core->devices, index);
        if ((device->flags & DEVICE_ACK_DUE) != 0) {
            bool due = may_answer(device); /* else the commit of the newer pair answers */
            enum err err = due ? send_ack(core, now, index) : ERR_OK;
            if (err == ERR_LIMIT || err == ERR_STATE) {
                return; /* the session is full: the rest waits for the next turn */
            }
            if (err != ERR_OK) {
                log_event(LOG_LEVEL_ERROR, "ack-failed", "device=%.*s error=%s",
                          VIEW_ARG(device_id(core->devices, device)), err_name(err));
            }
            device->flags &= (uint16_t)~DEVICE_ACK_DUE;
        }
        (void)queue_pop(&core->ack_ready, &index); /* the one just peeked at */
    }
}

static void fill_given_up(struct dns_message *ack, int64_t wall_ms, const struct given_up *names, size_t len)
{
    for (size_t i = 0; i < len && i < MQTT_NAMES_MAX; i++) {
        struct name_status *status = &ack->names[ack->names_len++];
        *status = (struct name_status){
            .ttl = names[i].ttl, .state = names[i].gone ? NAME_GONE : NAME_PENDING, .since = wall_ms};
        (void)snprintf(status->name, sizeof(status->name), "%s", names[i].name);              /* fits */
        (void)snprintf(status->type, sizeof(status->type), "%s", rrtype_name(names[i].type)); /* fits */
        (void)snprintf(status->error, sizeof(status->error), "unregistered");                 /* fits */
    }
}

void core_ack_given_up(struct core *core, struct core_time now, uint32_t index, const struct given_up *names,
                       size_t names_len)
{
    const struct device *device = device_at(core->devices, index);
    if (device->registry_ref != DEVICE_NONE || !core->connected) {
        core_ack_now(core, now, index);
        return;
    }
    start_ack(core, device->boot, device->seq, &device->observed);
    (void)snprintf(core->ack.error, sizeof(core->ack.error), "%s", error_of(core, index)); /* fits */
    fill_given_up(&core->ack, now.wall_ms, names, names_len);
    if (publish_ack(core, device_id(core->devices, device), true) == ERR_OK) {
        core->stats.acks++;
        return;
    }
    core_ack_now(core, now, index); /* later, without the names, or logged */
}

void core_answer_unregistered(struct core *core, struct core_time now, struct view id, uint32_t boot, uint32_t seq,
                              const struct ip *observed)
{
    start_ack(core, boot, seq, observed);
    (void)snprintf(core->ack.error, sizeof(core->ack.error), "unregistered"); /* fits */
    log_event(LOG_LEVEL_NOTICE, "device-unregistered", "device=%.*s hint=\"add it to the registry and reload\"",
              VIEW_ARG(id));
    enum err err = publish_ack(core, id, false);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_DEBUG, "ack-failed", "device=%.*s error=%s", VIEW_ARG(id),
                  err_name(err)); /* asked again in an hour */
    }
    (void)now;
}
