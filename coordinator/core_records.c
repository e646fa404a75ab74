/* SPDX-License-Identifier: Apache-2.0 */
/* What the store holds of a device's names beside what its addresses say now: the reconcile after a change of the
 * registry, what was pending at a start, and what a sweep found. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

/* The name may lie in another zone now than when the row was made. */
static bool is_in_zone(const struct core *core, const struct store_record *record, const struct plan_item *item)
{
    const struct zone_config *zones = core->config->zones.items;
    return strcmp(zones[item->zone].name, record->zone) == 0;
}

static int zone_of(const struct core *core, const struct store_record *record)
{
    const struct zone_config *zones = core->config->zones.items;
    for (size_t i = 0; i < core->config->zones.len; i++) {
        if (strcmp(zones[i].name, record->zone) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const struct plan_item *item_of(const struct core *core, const struct store_record *record)
{
    const struct plan_item *item = plan_find(&core->plan_new, view_of(record->name), record->type);
    return item != NULL && is_in_zone(core, record, item) ? item : NULL;
}

static bool same_record(const struct store_record *record, const struct plan_item *item)
{
    return !record->want_null && record->ttl == item->ttl && rrset_value_equal(&record->want, &item->value);
}

static const struct store_record *find_record(const struct core *core, const struct store_record *records,
                                              size_t records_len, const struct plan_item *item)
{
    for (size_t i = 0; i < records_len; i++) {
        if (records[i].type == item->type && strcmp(records[i].name, item->name) == 0 &&
            is_in_zone(core, &records[i], item)) {
            return &records[i];
        }
    }
    return NULL;
}

/* A name that has rows in two zones, each to be given up: an entry moves in one zone only, and the other one's row must
 * be a tombstone in the store first. */
static bool is_given_up_elsewhere(const struct core *core, const struct outbox_entry *entry, uint32_t zone)
{
    return entry->rev != 0 && (entry->flags & OUTBOX_TOMBSTONE) != 0 && entry->zone != zone &&
           core->zones_known[entry->zone].config_index >= 0 &&
           (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) != 0;
}

/* @return ERR_EXISTS: there was nothing to do; ERR_AGAIN, ERR_NOMEM: to be tried again. */
static enum err tombstone(struct core *core, struct core_time now, uint32_t device, const struct store_record *record)
{
    int zone = zone_of(core, record);
    struct outbox_entry *entry;
    if (record->want_null) {
        return ERR_EXISTS;
    }
    if (zone < 0) {
        log_event(LOG_LEVEL_WARN, "record-orphaned", "name=%s zone=%s note=\"its zone is no longer configured\"",
                  record->name, record->zone);
        return ERR_EXISTS;
    }
    if (outbox_get(core->outbox, view_of(record->name), record->type, &entry) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=tombstone");
        return ERR_NOMEM;
    }
    if (is_given_up_elsewhere(core, entry, core->zone_refs[zone])) {
        return ERR_AGAIN;
    }
    bool wanted = entry->rev != 0 && (entry->flags & OUTBOX_TOMBSTONE) == 0;
    if (wanted && entry->device != device && entry->device != DEVICE_NONE) {
        core_replan_later(core, now, entry->device); /* the name's new owner, once this is durable */
    }
    if (entry->rival != DEVICE_NONE && entry->rival != device) {
        core_replan_first(core, now, entry->rival);
        entry->rival = DEVICE_NONE;
    }
    core_take_back(core, now, entry); /* out of its former device's counts */
    entry->device = device;
    core_move_entry(entry, (uint16_t)core->zone_refs[zone]);
    entry->ttl = record->ttl;
    core_give_entry_up(core, now, entry);
    log_event(LOG_LEVEL_NOTICE, "record-tombstone", "name=%s type=%s", record->name, rrtype_name(record->type));
    return ERR_OK;
}

/* What of a device's records the plan has no place for; its retained answer still names them. False when some of it is
 * to be tried again. */
static bool give_up(struct core *core, struct core_time now, uint32_t index, const struct store_record *records,
                    size_t records_len)
{
    struct given_up names[MQTT_NAMES_MAX];
    size_t len = 0;
    bool all = true;
    for (size_t i = 0; i < records_len; i++) {
        const struct store_record *record = &records[i];
        enum err err = item_of(core, record) == NULL ? tombstone(core, now, index, record) : ERR_EXISTS;
        all = all && (err == ERR_OK || err == ERR_EXISTS);
        if (err == ERR_OK && record->want.len > 0 &&
            plan_find(&core->plan_new, view_of(record->name), record->type) == NULL) {
            names[MIN(len, (size_t)MQTT_NAMES_MAX - 1)] =
                (struct given_up){.name = record->name, .type = record->type, .ttl = record->ttl};
            len++;
        }
    }
    if (len > 0) {
        core_ack_given_up(core, now, index, names, MIN(len, (size_t)MQTT_NAMES_MAX));
    }
    return all;
}

static bool is_on_its_way(const struct core *core, uint32_t index, const struct plan_item *item)
{
    const struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
    return entry != NULL && entry->device == index && entry->zone == core->zone_refs[item->zone] &&
           (entry->flags & (OUTBOX_TOMBSTONE | OUTBOX_TAKEN)) == 0 && entry->ttl == item->ttl &&
           rrset_value_equal(&entry->want, &item->value);
}

/* The row is older than that. */
static bool is_being_given_up(const struct core *core, const struct plan_item *item)
{
    const struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
    return entry != NULL && entry->rev != 0 && (entry->flags & OUTBOX_TOMBSTONE) != 0 &&
           entry->zone == core->zone_refs[item->zone];
}

static enum err resume(struct core *core, struct core_time now, const struct store_record *record) MUST_CHECK;

bool core_reconcile(struct core *core, struct core_time now, uint32_t index, const struct store_record *records,
                    size_t records_len)
{
    struct device *device = device_at(core->devices, index);
    core->plan_new.len = 0;
    if (device->registry_ref != DEVICE_NONE) {
        struct plan_addresses addresses = core_addresses_of(core, index);
        core_plan(core, index, &addresses, &core->plan_new);
    }
    bool all = give_up(core, now, index, records, records_len);
    for (size_t i = 0; i < core->plan_new.len; i++) {
        const struct plan_item *item = &core->plan_new.items[i];
        const struct store_record *record = find_record(core, records, records_len, item);
        bool same = record != NULL ? same_record(record, item) : item->value.len == 0;
        if (same && (item->value.len == 0 || !is_being_given_up(core, item))) {
            if (record != NULL && record->have_rev < record->want_rev &&
                outbox_find(core->outbox, view_of(item->name), item->type) == NULL) {
                (void)!resume(core, now, record); /* its zone was away; without memory the next reconcile tries again */
            }
            continue;
        }
        if (is_on_its_way(core, index, item)) {
            continue; /* changed since the rows were read: the store will hear of it, and once is enough */
        }
        (void)!core_want(core, now, index, item, 0,
                         0); /* a taken name was logged; without memory the next reconcile tries again */
    }
    return all;
}

bool core_reconcile_orphan(struct core *core, struct core_time now, const struct store_record *record)
{
    uint32_t owner = DEVICE_NONE; /* only its owner can give a row up */
    if (record->device != NULL && device_add(core->devices, view_of(record->device), &owner) != ERR_OK) {
        return false;
    }
    enum err err = tombstone(core, now, owner, record);
    return err == ERR_OK || err == ERR_EXISTS;
}

static bool needs_want(const struct core *core, uint32_t index, const struct plan_item *item)
{
    const struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
    if (entry == NULL || entry->device != index || (entry->flags & OUTBOX_TOMBSTONE) != 0) {
        return item->value.len > 0;
    }
    return (entry->flags & (OUTBOX_SUBMITTED | OUTBOX_SETTLED | OUTBOX_HELD | OUTBOX_WAIT_WANT)) == 0;
}

static void replan(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    bool first = (device->flags & DEVICE_REPLAN) != 0;
    if (queue_reserve(&core->dirty_devices, 1) != ERR_OK) {
        core_replan_later(core, now, index); /* takes the place just freed */
        return;
    }
    device->flags &= (uint16_t)~DEVICE_REPLAN;
    core->plan_new.len = 0; /* removed from the registry meanwhile: nothing */
    if (device->registry_ref != DEVICE_NONE) {
        struct plan_addresses addresses = core_addresses_of(core, index);
        core_plan(core, index, &addresses, &core->plan_new);
    }
    for (size_t i = 0; i < core->plan_new.len; i++) {
        if (needs_want(core, index, &core->plan_new.items[i])) {
            (void)!core_want(core, now, index, &core->plan_new.items[i], 0, 0); /* ERR_AGAIN queues it again */
        }
    }
    if (first && (device->flags & DEVICE_REPLAN) == 0) {
        core_mark_device(core, index); /* durable, and acknowledged, with what is wanted now */
    }
}

void core_replan_due(struct core *core, struct core_time now)
{
    size_t waiting = core->replan.len; /* what is pushed meanwhile has its turn next time */
    const struct queue_item *first;
    while (waiting-- > 0 && (first = queue_peek(&core->replan)) != NULL && first->due_ms <= now.mono_ms) {
        uint32_t index;
        (void)queue_pop(&core->replan, &index); /* not empty */
        replan(core, now, index);
    }
}

static uint32_t owner_of(const struct core *core, const struct store_record *record)
{
    return record->device != NULL ? device_find(core->devices, view_of(record->device)) : DEVICE_NONE;
}

static struct outbox_entry *moving(const struct core *core, const struct store_record *record)
{
    struct outbox_entry *entry = outbox_find(core->outbox, view_of(record->name), record->type);
    if (entry == NULL || (entry->flags & OUTBOX_TAKEN) == 0 || entry->device == owner_of(core, record)) {
        return entry;
    }
    return (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) != 0 ? entry : NULL;
}

const struct outbox_entry *core_moving(const struct core *core, const struct store_record *record)
{
    return moving(core, record);
}

static enum err entry_of_record(struct core *core, struct core_time now, const struct store_record *record,
                                struct outbox_entry **ret_entry)
{
    int zone = zone_of(core, record);
    if (zone < 0) {
        return ERR_NOTFOUND;
    }
    struct outbox_entry *entry;
    enum err err = outbox_get(core->outbox, view_of(record->name), record->type, &entry);
    if (err != ERR_OK) {
        return err;
    }
    if (entry->rev != 0 && core_moving(core, record) != NULL) {
        return ERR_EXISTS; /* it is moving, and newer than the stored row */
    }
    if ((entry->flags & OUTBOX_TAKEN) != 0) {
        entry->rival = entry->device;
    }
    core_take_back(core, now, entry); /* of another device's refused claim */
    entry->device = owner_of(core, record);
    core_move_entry(entry, (uint16_t)core->zone_refs[zone]);
    entry->ttl = record->ttl;
    entry->want = record->want_null ? (struct rrset_value){0} : record->want;
    entry->have_known = record->have_known;
    entry->have = record->have;
    entry->applied_rev = 0;
    entry->since_s = (uint32_t)(record->changed_ms / 1000);
    entry->rev = record->want_rev;
    *ret_entry = entry;
    return ERR_OK;
}

/* Hands what is pending in the store to the zone writer. */
static enum err resume(struct core *core, struct core_time now, const struct store_record *record)
{
    struct outbox_entry *entry;
    enum err err = entry_of_record(core, now, record, &entry);
    if (err == ERR_OK) {
        core_entry_open(core, now, entry);
        core_mark_unsure(entry, &record->want);    /* it may have been sent, and its outcome lost */
        core->resuming = record->error[0] == '\0'; /* else it is known: refused */
        core_submit(core, now, entry);
        core->resuming = false;
    }
    return err;
}

/* What the owner's addresses say of a record, in plan_new; NULL when they say nothing. */
static const struct plan_item *planned(struct core *core, const struct store_record *record, uint32_t *ret_index)
{
    uint32_t index = owner_of(core, record);
    *ret_index = index;
    if (index == DEVICE_NONE || device_at(core->devices, index)->registry_ref == DEVICE_NONE) {
        return NULL;
    }
    struct plan_addresses addresses = core_addresses_of(core, index);
    core_plan(core, index, &addresses, &core->plan_new);
    return item_of(core, record);
}

enum err core_load_pending(struct core *core, struct core_time now, const struct store_record *record)
{
    if (record->want_null) {
        return ERR_OK; /* the sweep deletes tombstones, under its guard */
    }
    struct outbox_entry *entry = moving(core, record);
    if (entry != NULL && entry->rev != 0) {
        return ERR_OK; /* it is moving, and newer than the stored row */
    }
    uint32_t index;
    const struct plan_item *item = planned(core, record, &index);
    if (item != NULL && !rrset_value_equal(&item->value, &record->want)) {
        struct device *device = device_at(core->devices, index);
        if ((device->flags & DEVICE_HASH_OLD) == 0) {
            return core_want(core, now, index, item, 0, 0); /* it has reported since the start: that counts */
        }
        device->flags |= DEVICE_UNSURE;
    }
    return resume(core, now, record);
}

/* A sweep reads rows long before it writes: since then the device may have reported, and its entry come and gone. */
static bool is_current(struct core *core, const struct store_record *record)
{
    uint32_t index;
    const struct plan_item *item = planned(core, record, &index);
    return item == NULL ? record->want_null : same_record(record, item);
}

/* What an entry wants counts, never the row, which may have been read before it was made. */
static enum err reopen(struct core *core, struct outbox_entry *entry, const struct store_record *record, bool adopt)
{
    bool idle = (entry->flags & OUTBOX_SETTLED) != 0 && !entry->have_applied;
    bool given_up = (entry->flags & OUTBOX_TOMBSTONE) != 0;
    if (!idle && !adopt) {
        return ERR_EXISTS;
    }
    if (given_up != record->want_null) {
        return ERR_AGAIN; /* given up or wanted anew since: a value must not leave as a tombstone, nor a tombstone past
                             the sweep's guard */
    }
    core->stats.records_refused -= idle && core->stats.records_refused > 0;
    core->stats.records_held -= (entry->flags & OUTBOX_HELD) != 0 && core->stats.records_held > 0;
    entry->flags &= (uint16_t) ~(OUTBOX_SETTLED | OUTBOX_HELD);
    return ERR_OK;
}

enum err core_rewrite(struct core *core, struct core_time now, const struct store_record *record, bool adopt)
{
    struct outbox_entry *entry = moving(core, record);
    enum err err;
    if (entry != NULL && strcmp(core->zones_known[entry->zone].name, record->zone) != 0) {
        return ERR_AGAIN; /* the name moves in another zone: this one's turn comes after that */
    }
    if (entry != NULL) {
        err = reopen(core, entry, record, adopt);
    } else {
        err = is_current(core, record) ? entry_of_record(core, now, record, &entry) : ERR_AGAIN;
    }
    if (err != ERR_OK) {
        return err;
    }
    entry->rev = ++core->rev;
    entry->flags = (uint16_t)(entry->flags | (adopt ? OUTBOX_ADOPT : 0) | (record->want_null ? OUTBOX_TOMBSTONE : 0));
    entry->started_ms = 0;
    core_mark_unsure(entry, &entry->want); /* what was written may have been deleted since */
    core_want_dirty(core, entry);
    core_entry_open(core, now, entry);
    core_submit_or_wait(core, now, entry);
    return ERR_OK;
}
