/* SPDX-License-Identifier: Apache-2.0 */
/* From addresses to changes: plans before and after, and what differs goes to the outbox and to the zone writer. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

#define REPLAN_MS 200 /* a group commit takes less; a store without room is asked again this often */

struct plan_addresses core_addresses_of(const struct core *core, uint32_t index)
{
    const struct device *device = device_at(core->devices, index);
    struct device_addresses own = device_addresses(core->devices, index);
    struct plan_addresses addresses = {.ip4 = own.ip4, .ip6 = own.ip6};
    if ((device->flags & DEVICE_HAS_PREFIX) != 0) {
        (void)device_prefix6(core->devices, index, &addresses.prefix6); /* the flag says that it is there */
        device_also6(core->devices, index, &addresses.also6);
    }
    return addresses;
}

void core_want_dirty(struct core *core, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_WANT_DIRTY) == 0 && entry->device != DEVICE_NONE) {
        struct device *device = device_at(core->devices, entry->device);
        device->dirty_wants = (uint16_t)(device->dirty_wants + (device->dirty_wants < UINT16_MAX));
    }
    entry->flags |= OUTBOX_WANT_DIRTY;
    outbox_mark_dirty(core->outbox, entry);
}

void core_want_clean(struct core *core, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_WANT_DIRTY) != 0 && entry->device != DEVICE_NONE) {
        struct device *device = device_at(core->devices, entry->device);
        device->dirty_wants = (uint16_t)(device->dirty_wants - (device->dirty_wants > 0));
    }
    entry->flags &= (uint16_t)~OUTBOX_WANT_DIRTY;
}

void core_entry_open(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_OPEN) != 0) {
        return;
    }
    entry->flags |= OUTBOX_OPEN;
    core->stats.records_open++;
    core_storm_opened(core, now, entry->zone);
    if (entry->device != DEVICE_NONE) {
        struct device *device = device_at(core->devices, entry->device);
        device->open = (uint16_t)(device->open + (device->open < UINT16_MAX));
    }
}

void core_entry_close(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_OPEN) == 0) {
        return;
    }
    entry->flags &= (uint16_t)~OUTBOX_OPEN;
    core->stats.records_open--;
    core_storm_closed(core, entry->zone);
    core->summary_dirty = true;
    if (entry->device != DEVICE_NONE) {
        struct device *device = device_at(core->devices, entry->device);
        device->open = (uint16_t)(device->open - (device->open > 0));
    }
    (void)now;
}

static bool is_shared(const struct core *core, uint16_t zone)
{
    const struct zone_config *zones = core->config->zones.items;
    int index = core->zones_known[zone].config_index;
    return index >= 0 && zones[index].mode == ZONE_SHARED;
}

void core_move_entry(struct outbox_entry *entry, uint16_t zone)
{
    if (entry->rev == 0 || entry->zone != zone) {
        entry->zone = zone;
        entry->applied_rev = 0;
        entry->flags &= (uint16_t)~OUTBOX_UNSURE;
    }
}

void core_mark_unsure(struct outbox_entry *entry, const struct rrset_value *sent)
{
    entry->flags |= OUTBOX_UNSURE;
    entry->sent = *sent;
}

void core_submit(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    const struct rrset_change change = {
        .name = entry->name,
        .type = (enum rrtype)entry->type,
        .ttl = entry->ttl,
        .want = entry->want,
        .have_known = entry->have_known,
        .have = entry->have,
        .unsure = (entry->flags & OUTBOX_UNSURE) != 0,
        .sent = entry->sent,
        .resumed = core->resuming,
        .adopt = (entry->flags & OUTBOX_ADOPT) != 0,
        .rev = entry->rev,
    };
    entry->flags &= (uint16_t) ~(OUTBOX_WAIT_WANT | OUTBOX_HELD);
    int zone = core->zones_known[entry->zone].config_index;
    enum err err = zone < 0 ? ERR_NOTFOUND : core->ops.submit(core->context, (uint16_t)zone, &change);
    if (err != ERR_OK) {
        (void)snprintf(entry->error, sizeof(entry->error), "%s", err_name(err)); /* fits: names are short */
        entry->not_before_ms = now.mono_ms + 1000;
        log_event(LOG_LEVEL_ERROR, "submit-failed", "name=%s error=%s", entry->name, err_name(err));
        if (entry->device != DEVICE_NONE) {
            core_replan_later(core, now, entry->device);
        }
        return;
    }
    entry->flags |= OUTBOX_SUBMITTED;
    entry->submitted_rev = entry->rev;
}

/* An entry as if nothing had been wanted of it: out of all counts. What the engine has of it stays there. */
void core_take_back(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    if ((entry->flags & OUTBOX_SETTLED) != 0 && !entry->have_applied) {
        core->stats.records_refused -= core->stats.records_refused > 0;
    }
    if ((entry->flags & OUTBOX_HELD) != 0) {
        core->stats.records_held -= core->stats.records_held > 0;
    }
    core_entry_close(core, now, entry);
    core_want_clean(core, entry);
    entry->flags &= (uint16_t) ~(OUTBOX_SETTLED | OUTBOX_TOMBSTONE | OUTBOX_HELD | OUTBOX_WAIT_WANT | OUTBOX_ADOPT |
                                 OUTBOX_TAKEN | OUTBOX_CONTESTED);
    entry->attempts = 0;
    entry->error[0] = '\0';
}

void core_replan_later(struct core *core, struct core_time now, uint32_t device)
{
    if (queue_push(&core->replan, device, now.mono_ms + REPLAN_MS) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=replan");
    }
}

void core_replan_first(struct core *core, struct core_time now, uint32_t index)
{
    size_t waiting = core->replan.len;
    core_replan_later(core, now, index);
    if (core->replan.len > waiting) {
        struct device *device = device_at(core->devices, index);
        device->flags = (uint16_t)((device->flags | DEVICE_REPLAN) & ~DEVICE_DURABLE);
    }
}

/* Where the store must say first what we wrote last, or whose the name is, the commit submits (settle_want). The want
 * is in the dirty list. */
void core_submit_or_wait(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    if (is_shared(core, entry->zone) || !core->names_exclusive) {
        entry->flags |= OUTBOX_WAIT_WANT;
        return;
    }
    core_submit(core, now, entry);
}

void core_give_entry_up(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    core_take_back(core, now, entry);
    entry->want = (struct rrset_value){0};
    entry->rev = ++core->rev;
    entry->since_s = (uint32_t)(now.wall_ms / 1000);
    entry->flags |= OUTBOX_TOMBSTONE;
    core_want_dirty(core, entry);
}

/* A name whose zone was split: an entry moves in one zone only, and the former one's row must be given up first. True
 * when that is not durable yet. */
static bool stands_elsewhere(struct core *core, struct core_time now, struct outbox_entry *entry, uint32_t zone)
{
    bool other = entry->rev != 0 && entry->zone != zone && core->zones_known[entry->zone].config_index >= 0;
    if (!other || (entry->flags & OUTBOX_TAKEN) != 0) {
        return false;
    }
    if ((entry->flags & OUTBOX_TOMBSTONE) == 0) {
        core_give_entry_up(core, now, entry);
    }
    return (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) != 0;
}

enum err core_want(struct core *core, struct core_time now, uint32_t device, const struct plan_item *item,
                   uint64_t received_ms, uint64_t hold_until_ms)
{
    struct outbox_entry *entry;
    enum err err = outbox_get(core->outbox, view_of(item->name), item->type, &entry);
    if (err != ERR_OK) {
        return err;
    }
    bool theirs = entry->rev != 0 && entry->device != DEVICE_NONE && entry->device != device;
    bool taken = (entry->flags & OUTBOX_TAKEN) != 0;
    bool lost = taken && (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) == 0;
    if (theirs && (entry->flags & OUTBOX_TOMBSTONE) == 0 && !lost) {
        log_event(LOG_LEVEL_WARN, "name-taken", "name=%s", item->name);
        entry->rival = device;
        entry->flags |= OUTBOX_CONTESTED;
        return ERR_CONFLICT; /* the first device keeps the name */
    }
    if (theirs && (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) != 0) {
        core_replan_first(core, now, device); /* the store must hear first that the former owner has given it up */
        return ERR_AGAIN;
    }
    if (stands_elsewhere(core, now, entry, core->zone_refs[item->zone])) {
        core_replan_first(core, now, device);
        return ERR_AGAIN;
    }
    if (theirs && taken) {
        entry->rival = entry->device;
    } else if (entry->rival == device) {
        entry->rival = DEVICE_NONE;
    }
    uint16_t contested = entry->device == device ? entry->flags & OUTBOX_CONTESTED : 0;
    core_take_back(core, now,
                   entry); /* a claim that the store refused makes way for the name's owner, and the other way round */
    entry->device = device;
    core_move_entry(entry, (uint16_t)core->zone_refs[item->zone]);
    entry->ttl = item->ttl;
    entry->want = item->value;
    entry->flags |= contested; /* a newer value of the same claim */
    entry->rev = ++core->rev;
    entry->started_ms = received_ms;
    entry->since_s = (uint32_t)(now.wall_ms / 1000);
    core->stats.changes++;
    core_want_dirty(core, entry);
    if (hold_until_ms > now.mono_ms) {
        core->stats.records_held++;
        entry->flags |= OUTBOX_HELD;
        entry->not_before_ms = hold_until_ms;
        return ERR_OK;
    }
    core_entry_open(core, now, entry);
    if (taken) {
        entry->flags |= OUTBOX_WAIT_WANT; /* whose the name is, the store says, whatever the templates promise */
    } else {
        core_submit_or_wait(core, now, entry);
    }
    return ERR_OK;
}

static struct damping_params damping_params_of(const struct core *core)
{
    return (struct damping_params){
        .change_penalty = core->config->damping.penalty,
        .suppress = core->config->damping.suppress,
        .reuse = core->config->damping.reuse,
        .half_life_s = (uint32_t)(core->config->damping.half_life_ms / 1000),
        .max_suppress_s = (uint32_t)(core->config->damping.max_suppress_ms / 1000),
    };
}

static uint64_t damp(struct core *core, struct core_time now, uint32_t index, const struct plan_addresses *before)
{
    const struct device *device = device_at(core->devices, index);
    bool first = before->ip4.len == 0 && before->ip6.len == 0 && before->prefix6.ip.family == IP_NONE;
    if (first || !core_entry(core, device)->group->damping) {
        return 0;
    }
    struct damping_params params = damping_params_of(core);
    return damper_change(core->damper, index, &params, now.mono_ms);
}

static void store_addresses(struct core *core, struct core_time now, uint32_t index, const struct plan_addresses *after)
{
    struct device *device = device_at(core->devices, index);
    device_set_addresses(core->devices, index, &(const struct device_addresses){.ip4 = after->ip4, .ip6 = after->ip6});
    if (after->prefix6.ip.family != IP_NONE || (device->flags & DEVICE_HAS_PREFIX) != 0) {
        device_set_prefix6(core->devices, index, &after->prefix6);
        device_set_also6(core->devices, index, &after->also6);
    }
    device->changed_s = (uint32_t)(now.wall_ms / 1000);
}

/* @param unsure what was stored cannot be told from the old plan: all that has or had a value is wanted again. */
static bool is_changed(const struct core *core, const struct plan_item *item, bool unsure)
{
    if (unsure && (item->value.len > 0 || outbox_find(core->outbox, view_of(item->name), item->type) != NULL)) {
        return true;
    }
    const struct plan_item *old = plan_find(&core->plan_old, view_of(item->name), item->type);
    return old == NULL || !rrset_value_equal(&old->value, &item->value);
}

/* Room for all that the new plan changes, before anything is changed: half a plan would be acknowledged as a whole. */
static enum err make_room(struct core *core, bool unsure)
{
    enum err err = queue_reserve(&core->dirty_devices, 1);
    if (err == ERR_OK) {
        err = queue_reserve(&core->held, 1);
    }
    if (err == ERR_OK) {
        err = queue_reserve(&core->replan, core->plan_new.len);
    }
    size_t made = 0;
    while (err == ERR_OK && made < core->plan_new.len) {
        const struct plan_item *item = &core->plan_new.items[made++];
        struct outbox_entry *entry;
        if (is_changed(core, item, unsure)) {
            err = outbox_get(core->outbox, view_of(item->name), item->type, &entry);
        }
    }
    for (size_t i = 0; err != ERR_OK && i < made; i++) {
        const struct plan_item *item = &core->plan_new.items[i];
        struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
        if (entry != NULL && entry->rev == 0 && entry->flags == 0) {
            outbox_remove(core->outbox, entry);
        }
    }
    return err;
}

static void want_difference(struct core *core, struct core_time now, uint32_t index, uint64_t received_ms,
                            uint64_t hold_until_ms)
{
    struct device *device = device_at(core->devices, index);
    bool unsure = (device->flags & DEVICE_UNSURE) != 0;
    device->flags &= (uint16_t)~DEVICE_UNSURE;
    for (size_t i = 0; i < core->plan_new.len; i++) {
        const struct plan_item *item = &core->plan_new.items[i];
        if (!is_changed(core, item, unsure)) {
            continue;
        }
        enum err err = core_want(core, now, index, item, received_ms, hold_until_ms);
        if (err != ERR_OK && err != ERR_CONFLICT && err != ERR_AGAIN) {
            log_event(LOG_LEVEL_ERROR, "want-failed", "name=%s error=%s", item->name, err_name(err));
        }
    }
}

/* Each device stands in the queue once; a longer hold is found out when the shorter one is due. */
static void hold_device(struct core *core, struct device *device, uint32_t index, uint64_t until_ms)
{
    if ((device->flags & DEVICE_HELD) != 0) {
        return;
    }
    if (queue_push(&core->held, index, until_ms) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=held");
        return;
    }
    device->flags |= DEVICE_HELD;
}

static enum err apply(struct core *core, struct core_time now, uint32_t index, const struct plan_addresses *before,
                      const struct plan_addresses *after, uint64_t received_ms, bool damped)
{
    struct device *device = device_at(core->devices, index);
    struct view id = device_id(core->devices, device);
    core_plan(core, index, before, &core->plan_old);
    core_plan(core, index, after, &core->plan_new);
    if (core->plan_new.error[0] != '\0') {
        log_event(LOG_LEVEL_WARN, "name-invalid", "device=%.*s reason=\"%s\"", VIEW_ARG(id), core->plan_new.error);
    }
    bool unsure = (device->flags & DEVICE_UNSURE) != 0;
    enum err err = make_room(core, unsure);
    if (err != ERR_OK) {
        return err;
    }
    bool flaps = damped && !unsure; /* to say it again is no flap */
    uint64_t hold_until_ms = flaps ? damp(core, now, index, before) : 0;
    store_addresses(core, now, index, after);
    core_mark_device(core, index);
    want_difference(core, now, index, received_ms, hold_until_ms);
    if (hold_until_ms > now.mono_ms) {
        log_event(LOG_LEVEL_NOTICE, "damped", "device=%.*s release_ms=%llu", VIEW_ARG(id),
                  (unsigned long long)(hold_until_ms - now.mono_ms));
        hold_device(core, device, index, hold_until_ms);
    }
    return ERR_OK;
}

enum err core_apply_addresses(struct core *core, struct core_time now, uint32_t index,
                              const struct plan_addresses *before, const struct plan_addresses *after,
                              uint64_t received_ms)
{
    return apply(core, now, index, before, after, received_ms, true);
}

enum err core_apply_at_once(struct core *core, struct core_time now, uint32_t index,
                            const struct plan_addresses *before, const struct plan_addresses *after)
{
    return apply(core, now, index, before, after, 0, false);
}

static void release_entry(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    entry->flags &= (uint16_t)~OUTBOX_HELD;
    core->stats.records_held -= core->stats.records_held > 0;
    entry->started_ms = 0; /* the delay was meant: not a change-to-answer time */
    core_entry_open(core, now, entry);
    core_want_dirty(core, entry); /* asks the store again for what we wrote last */
    core_submit_or_wait(core, now, entry);
}

/* Sends the newest value of a device whose hold is over. */
static void release_device(struct core *core, struct core_time now, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    if (device->registry_ref == DEVICE_NONE) {
        return; /* removed from the registry meanwhile: the reconcile has dealt with its records */
    }
    struct plan_addresses addresses = core_addresses_of(core, index);
    core_plan(core, index, &addresses, &core->plan_new);
    for (size_t i = 0; i < core->plan_new.len; i++) {
        const struct plan_item *item = &core->plan_new.items[i];
        struct outbox_entry *entry = outbox_find(core->outbox, view_of(item->name), item->type);
        if (entry != NULL && entry->device == index && (entry->flags & OUTBOX_HELD) != 0) {
            release_entry(core, now, entry);
        }
    }
}

void core_release_held(struct core *core, struct core_time now)
{
    size_t waiting = core->held.len; /* deadlines are not in order: one round over all, which are few */
    struct damping_params params = damping_params_of(core);
    for (size_t i = 0; i < waiting; i++) {
        struct queue_item item = *queue_peek(&core->held);
        uint32_t index;
        (void)queue_pop(&core->held, &index); /* not empty */
        uint64_t due_ms =
            item.due_ms > now.mono_ms ? item.due_ms : damper_release(core->damper, index, &params, now.mono_ms);
        if (due_ms == 0) {
            device_at(core->devices, index)->flags &= (uint16_t)~DEVICE_HELD;
            release_device(core, now, index);
        } else {
            (void)!queue_push(&core->held, index, due_ms); /* takes the place just freed */
        }
    }
}

struct resubmit {
    struct core *core;
    struct core_time now;
};

/* Nobody can serve it any more. What the store has of it stays there, and the reconcile takes it up when the zone comes
 * back. An entry that is being committed goes when that ends. */
static void drop(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    core_take_back(core, now, entry);
    outbox_take_dirty(core->outbox, entry);
    entry->flags &= (uint16_t) ~(OUTBOX_HAVE_DIRTY | OUTBOX_SUBMITTED);
    entry->device = DEVICE_NONE;
    entry->rev = 0;
    if ((entry->flags & OUTBOX_COMMITTING) == 0) {
        outbox_remove(core->outbox, entry);
    }
}

/* The registry gives the entry's name to its device no more, and the reconcile may not find out: the rows that it reads
 * are older than the want, or there is none in the name's new zone. */
static bool is_outdated(struct core *core, const struct outbox_entry *entry, bool kept)
{
    bool unread = !kept || (entry->flags & (OUTBOX_WANT_DIRTY | OUTBOX_COMMITTING)) != 0;
    if (!unread || entry->rev == 0 || entry->device == DEVICE_NONE || (entry->flags & OUTBOX_TOMBSTONE) != 0) {
        return false;
    }
    const struct device *device = device_at(core->devices, entry->device);
    if (device->registry_ref == DEVICE_NONE) {
        return true;
    }
    struct plan_addresses addresses = core_addresses_of(core, entry->device);
    core_plan(core, entry->device, &addresses, &core->plan_new);
    return plan_find(&core->plan_new, view_of(entry->name), (enum rrtype)entry->type) == NULL;
}

static void resubmit_entry(void *context, struct outbox_entry *entry)
{
    struct resubmit *resubmit = context;
    struct core *core = resubmit->core;
    int zone = registry_zone_of(core->registry, view_of(entry->name));
    if (entry->rev == 0) {
        return; /* dropped before; it goes when its commit ends */
    }
    if (zone < 0) {
        log_event(LOG_LEVEL_WARN, "record-orphaned", "name=%s note=\"its zone is no longer configured\"", entry->name);
        drop(core, resubmit->now, entry);
        return;
    }
    bool kept = core->zones_known[entry->zone].config_index >= 0;
    bool given = (entry->flags & OUTBOX_SUBMITTED) != 0 && entry->submitted_rev == entry->rev;
    if (given && (entry->flags & OUTBOX_UNSURE) == 0) {
        core_mark_unsure(entry, &entry->want); /* the writer that is gone may have sent it */
    }
    if (is_outdated(core, entry, kept)) {
        if (kept) {
            core_give_entry_up(core, resubmit->now, entry);
            entry->flags &= (uint16_t)~OUTBOX_SUBMITTED;
        } else {
            drop(core, resubmit->now, entry);
        }
        return;
    }
    bool given_up = (entry->flags & OUTBOX_TOMBSTONE) != 0;
    if (entry->zone != core->zone_refs[zone] && kept && !given_up) {
        entry->flags &= (uint16_t)~OUTBOX_SUBMITTED; /* its zone was split: the reconcile gives it up in the old one */
        return;
    }
    if (!kept) { /* counted where it stands */
        bool open = (entry->flags & OUTBOX_OPEN) != 0;
        core_entry_close(core, resubmit->now, entry);
        core_move_entry(entry, (uint16_t)core->zone_refs[zone]);
        if (open) {
            core_entry_open(core, resubmit->now, entry);
        }
    }
    if ((entry->flags & OUTBOX_TAKEN) != 0) {
        entry->flags &= (uint16_t)~OUTBOX_SUBMITTED; /* the writer that had it is gone; what the store refused, the DNS
                                                        must not hear of. The reconcile asks the store again. */
        return;
    }
    bool refused = (entry->flags & OUTBOX_SETTLED) != 0 && !entry->have_applied;
    if (refused) { /* a corrected account may take what the old one refused */
        entry->flags &= (uint16_t)~OUTBOX_SETTLED;
        core->stats.records_refused -= core->stats.records_refused > 0;
        core_entry_open(core, resubmit->now, entry);
    }
    if (!kept && !given_up) { /* has no row in this zone yet */
        entry->flags &= (uint16_t)~OUTBOX_SUBMITTED;
        entry->flags |= (entry->flags & OUTBOX_HELD) == 0 ? OUTBOX_WAIT_WANT : 0;
        core_want_dirty(core, entry);
        return;
    }
    if ((entry->flags & (OUTBOX_WAIT_WANT | OUTBOX_HELD)) != 0) {
        entry->flags &= (uint16_t)~OUTBOX_SUBMITTED; /* its commit, or the end of the hold, submits it */
        return;
    }
    bool waits =
        (entry->flags & OUTBOX_SUBMITTED) != 0 || !given_up; /* if only because its zone was split for a while */
    if (refused || (waits && (entry->flags & OUTBOX_SETTLED) == 0)) {
        core_submit(core, resubmit->now, entry);
    }
}

void core_resubmit(struct core *core, struct core_time now)
{
    struct resubmit resubmit = {.core = core, .now = now};
    outbox_each(core->outbox, resubmit_entry, &resubmit);
}
