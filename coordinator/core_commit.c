/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: while the store works on one batch, the next one gathers; outcomes of the zone writers; retries when
 * the disk is full. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

#define COMMIT_RETRY_MS 1000
#define DEVICES_A_LOOK  ((size_t)2 * COMMIT_ROWS_MAX) /* of the queue, a commit: more than one commit leaves behind */

enum err core_commit_init(struct core *core)
{
    struct commit *commit = &core->commit;
    commit->devices = calloc(COMMIT_ROWS_MAX, sizeof(*commit->devices));
    commit->device_refs = calloc(COMMIT_ROWS_MAX, sizeof(*commit->device_refs));
    commit->wants = calloc(COMMIT_ROWS_MAX, sizeof(*commit->wants));
    commit->want_entries = calloc(COMMIT_ROWS_MAX, sizeof(struct outbox_entry *));
    commit->haves = calloc(COMMIT_ROWS_MAX, sizeof(*commit->haves));
    commit->have_entries = calloc(COMMIT_ROWS_MAX, sizeof(struct outbox_entry *));
    commit->have_zones = calloc(COMMIT_ROWS_MAX, sizeof(*commit->have_zones));
    commit->errors = calloc(COMMIT_ROWS_MAX, sizeof(*commit->errors));
    commit->ids = calloc(COMMIT_ROWS_MAX, sizeof(*commit->ids));
    commit->owners = calloc(COMMIT_ROWS_MAX, sizeof(*commit->owners));
    commit->regs = calloc(COMMIT_ROWS_MAX, sizeof(*commit->regs));
    commit->reg_refs = calloc(COMMIT_ROWS_MAX, sizeof(*commit->reg_refs));
    commit->reg_ids = calloc(COMMIT_ROWS_MAX, sizeof(*commit->reg_ids));
    bool all = commit->regs != NULL && commit->reg_refs != NULL && commit->reg_ids != NULL;
    all = all && commit->devices != NULL && commit->device_refs != NULL && commit->wants != NULL &&
          commit->want_entries != NULL && commit->haves != NULL && commit->have_entries != NULL &&
          commit->have_zones != NULL && commit->errors != NULL && commit->ids != NULL && commit->owners != NULL;
    return all ? ERR_OK : ERR_NOMEM;
}

void core_commit_deinit(struct core *core)
{
    struct commit *commit = &core->commit;
    free(commit->devices);
    free(commit->device_refs);
    free(commit->wants);
    free(commit->want_entries);
    free(commit->haves);
    free(commit->have_entries);
    free(commit->have_zones);
    free(commit->errors);
    free(commit->ids);
    free(commit->owners);
    free(commit->regs);
    free(commit->reg_refs);
    free(commit->reg_ids);
}

void core_mark_device(struct core *core, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    device->flags &= (uint16_t)~DEVICE_DURABLE;
    if ((device->flags & DEVICE_DIRTY) != 0) {
        return;
    }
    if (queue_push(&core->dirty_devices, index, 0) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=dirty-devices"); /* its callers have made room */
        return;
    }
    device->flags |= DEVICE_DIRTY;
}

static void copy_id(struct core *core, const struct device *device, char buffer[static DEVICE_ID_MAX + 1])
{
    struct view id = device_id(core->devices, device);
    memcpy(buffer, id.ptr, id.len);
    buffer[id.len] = '\0';
}

static void gather_device(struct core *core, uint32_t index)
{
    struct commit *commit = &core->commit;
    struct device *device = device_at(core->devices, index);
    size_t at = commit->batch.devices_len++;
    device->flags &= (uint16_t)~DEVICE_DIRTY;
    copy_id(core, device, commit->ids[at]);
    commit->device_refs[at] = index;
    struct plan_addresses addresses = core_addresses_of(core, index);
    commit->devices[at] = (struct store_device){
        .id = commit->ids[at],
        .shard = device->shard,
        .boot = device->boot,
        .conn = device->conn,
        .seq = device->seq,
        .content_hash = device->content_hash,
        .observed = device->observed,
        .ip4 = addresses.ip4,
        .ip6 = addresses.ip6,
        .prefix6 = addresses.prefix6,
        .also6 = addresses.also6,
        .presence = device->presence,
        .flags = (device->flags & DEVICE_NO_INBOUND) != 0 ? STORE_DEVICE_NO_INBOUND : 0,
        .seen_ms = (int64_t)device->seen_s * 1000,
        .changed_ms = (int64_t)device->changed_s * 1000,
    };
}

/* Devices of which nothing else is to be written. One that has wants in the list comes with them, in a later batch:
 * it goes to the queue's end and holds up nobody. */
static void gather_devices(struct core *core)
{
    struct commit *commit = &core->commit;
    size_t look = MIN(core->dirty_devices.len, DEVICES_A_LOOK);
    uint32_t index;
    while (look-- > 0 && commit->batch.devices_len < COMMIT_ROWS_MAX && queue_pop(&core->dirty_devices, &index)) {
        const struct device *device = device_at(core->devices, index);
        if ((device->flags & DEVICE_DIRTY) == 0) {
            continue; /* came with its wants */
        }
        if (device->dirty_wants > 0) {
            (void)!queue_push(&core->dirty_devices, index, 0); /* takes the place just freed */
            continue;
        }
        gather_device(core, index);
    }
}

static const struct known_zone *known_zone(const struct core *core, const struct outbox_entry *entry)
{
    return &core->zones_known[entry->zone];
}

static void gather_want(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    struct commit *commit = &core->commit;
    size_t at = commit->batch.wants_len++;
    commit->want_entries[at] = entry;
    commit->owners[at][0] = '\0';
    if (entry->device != DEVICE_NONE) {
        copy_id(core, device_at(core->devices, entry->device), commit->owners[at]);
    }
    commit->wants[at] = (struct store_want){
        .zone = known_zone(core, entry)->name,
        .name = entry->name,
        .type = (enum rrtype)entry->type,
        .device = entry->device != DEVICE_NONE ? commit->owners[at] : NULL,
        .ttl = entry->ttl,
        .want_null = (entry->flags & OUTBOX_TOMBSTONE) != 0,
        .want = entry->want,
        .want_rev = entry->rev,
        .now_ms = now.wall_ms,
    };
    core_want_clean(core, entry);
}

static void gather_have(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    struct commit *commit = &core->commit;
    size_t at = commit->batch.haves_len++;
    commit->have_entries[at] = entry;
    commit->have_zones[at] = entry->zone;
    memcpy(commit->errors[at], entry->error, sizeof(commit->errors[at])); /* the loop may write the entry's meanwhile */
    commit->haves[at] = (struct store_have){
        .zone = known_zone(core, entry)->name,
        .name = entry->name,
        .type = (enum rrtype)entry->type,
        .epoch = known_zone(core, entry)->epoch,
        .applied = entry->have_applied,
        .forget = entry->have_applied && entry->have_rev == entry->rev && (entry->flags & OUTBOX_TOMBSTONE) != 0,
        .have = entry->have,
        .have_rev = entry->have_rev,
        .error = commit->errors[at],
        .attempts = entry->attempts,
        .now_ms = now.wall_ms,
    };
    entry->flags &= (uint16_t)~OUTBOX_HAVE_DIRTY;
}

/* The DNS was faster than the commit: want and outcome of one entry, the last of their lists, become one row. */
static void join_want_and_have(struct commit *commit, size_t wants_before)
{
    if (commit->batch.wants_len == wants_before) {
        return; /* only the outcome is new */
    }
    struct store_want *want = &commit->wants[commit->batch.wants_len - 1];
    struct store_have *have = &commit->haves[commit->batch.haves_len - 1];
    if (have->applied && !want->want_null && have->have_rev == want->want_rev &&
        rrset_value_equal(&have->have, &want->want)) {
        have->with_want = true;
        want->outcome = have;
    }
}

static void gather_entry(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    struct commit *commit = &core->commit;
    size_t wants_before = commit->batch.wants_len;
    outbox_take_dirty(core->outbox, entry);
    entry->committing_rev = entry->rev;
    entry->flags |= OUTBOX_COMMITTING;
    if ((entry->flags & OUTBOX_WANT_DIRTY) != 0) {
        gather_want(core, now, entry);
    }
    if ((entry->flags & OUTBOX_HAVE_DIRTY) != 0) {
        gather_have(core, now, entry);
        join_want_and_have(commit, wants_before);
    }
}

static size_t rows_taken(const struct core *core)
{
    return MAX(core->commit.batch.wants_len, core->commit.batch.haves_len);
}

/* The rest of what a device wants, and the device itself: in the store stands its state with all that follows from it,
 * or neither. The records of one report stand side by side in the list, unless one waited there already. */
static void gather_rest(struct core *core, struct core_time now, uint32_t index)
{
    const struct device *device = device_at(core->devices, index);
    struct outbox_entry *entry;
    while (device->dirty_wants > 0 && rows_taken(core) < COMMIT_ROWS_MAX &&
           (entry = outbox_first_dirty(core->outbox)) != NULL && entry->device == index) {
        gather_entry(core, now, entry);
    }
    if (device->dirty_wants > 0 && device->registry_ref != DEVICE_NONE) {
        struct plan_addresses addresses = core_addresses_of(core, index);
        core_plan(core, index, &addresses, &core->plan_new);
        for (size_t i = 0; i < core->plan_new.len && rows_taken(core) < COMMIT_ROWS_MAX; i++) {
            entry = outbox_find(core->outbox, view_of(core->plan_new.items[i].name), core->plan_new.items[i].type);
            if (entry != NULL && entry->device == index && (entry->flags & OUTBOX_WANT_DIRTY) != 0) {
                gather_entry(core, now, entry);
            }
        }
    }
    gather_device(core, index); /* what is left are names that it has given up */
}

/* The device that goes with an entry; DEVICE_NONE when the entry stands for itself. */
static uint32_t companion(const struct core *core, const struct outbox_entry *entry)
{
    bool goes_along = (entry->flags & OUTBOX_WANT_DIRTY) != 0 && entry->device != DEVICE_NONE &&
                      (device_at(core->devices, entry->device)->flags & DEVICE_DIRTY) != 0;
    return goes_along ? entry->device : DEVICE_NONE;
}

static void gather_records(struct core *core, struct core_time now)
{
    struct commit *commit = &core->commit;
    struct outbox_entry *entry;
    commit->batch.devices = commit->devices;
    commit->batch.wants = commit->wants;
    commit->batch.haves = commit->haves;
    commit->batch.devices_len = commit->batch.wants_len = commit->batch.haves_len = 0;
    while ((entry = outbox_first_dirty(core->outbox)) != NULL) {
        uint32_t index = companion(core, entry);
        size_t rows = index != DEVICE_NONE ? device_at(core->devices, index)->dirty_wants : 1;
        if (rows_taken(core) > 0 && rows_taken(core) + rows > COMMIT_ROWS_MAX) {
            break; /* no device is cut in two */
        }
        gather_entry(core, now, entry);
        if (index != DEVICE_NONE) {
            gather_rest(core, now, index);
        }
    }
}

static void start_commit(struct core *core)
{
    struct commit *commit = &core->commit;
    commit->running = true;
    core->stats.commits++;
    core->stats.commit_rows +=
        commit->batch.devices_len + commit->batch.wants_len + commit->batch.haves_len + commit->batch.regs_len;
    core->ops.commit(core->context, core_poison_part(commit));
}

void core_storm_opened(struct core *core, struct core_time now, uint16_t zone)
{
    struct known_zone *known = &core->zones_known[zone];
    if (known->open++ == 0) {
        known->moving = true; /* until the contrary is known */
        known->moved_ms = now.mono_ms;
    }
    core->open_moving += known->moving;
}

void core_storm_closed(struct core *core, uint16_t zone)
{
    struct known_zone *known = &core->zones_known[zone];
    known->open--;
    core->open_moving -= known->moving;
}

/* The zone's server has answered about a record. */
static void storm_answered(struct core *core, struct core_time now, uint16_t zone)
{
    struct known_zone *known = &core->zones_known[zone];
    core->open_moving += known->moving ? 0 : known->open;
    known->moving = true;
    known->moved_ms = now.mono_ms;
}

void core_storm_tick(struct core *core, struct core_time now)
{
    for (size_t i = 0; core->open_moving > 0 && i < core->zones_known_len; i++) {
        struct known_zone *known = &core->zones_known[i];
        if (known->moving && now.mono_ms - known->moved_ms >= STORM_MOVING_MS) {
            known->moving = false;
            core->open_moving -= known->open;
        }
    }
}

bool core_is_storm(const struct core *core)
{
    return core->open_moving > STORM_OPEN_RECORDS;
}

void core_flush(struct core *core, struct core_time now)
{
    struct commit *commit = &core->commit;
    if (commit->running || now.mono_ms < commit->retry_ms) {
        return;
    }
    if (commit->last_error != ERR_OK) {
        start_commit(core); /* the batch that failed, as it was */
        return;
    }
    if (core->dirty_devices.len == 0 && !outbox_has_dirty(core->outbox) && !core_reg_has_dirty(core)) {
        return;
    }
    size_t dirty = MAX(core->dirty_devices.len, outbox_dirty_count(core->outbox));
    if (core_is_storm(core) && dirty < STORM_COMMIT_ROWS && now.mono_ms - commit->started_ms < STORM_COMMIT_MS) {
        return; /* most outcomes come within this time and then travel in the same row; core_tick looks again */
    }
    commit->started_ms = now.mono_ms;
    gather_records(core, now);
    gather_devices(core);
    core_gather_regs(core);
    if (rows_taken(core) + commit->batch.devices_len + commit->batch.regs_len > 0 ||
        commit->batch.feed != NULL) { /* else: devices that came with their wants */
        start_commit(core);
    }
}

bool core_is_durable(const struct core *core)
{
    return !core->commit.running && core->commit.last_error == ERR_OK && core->dirty_devices.len == 0 &&
           !outbox_has_dirty(core->outbox) && !core_reg_has_dirty(core) && core->replan.len == 0;
}

/* An entry leaves memory when what is wanted is served and both are in the store. */
static void retire(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    uint16_t moving = OUTBOX_WANT_DIRTY | OUTBOX_HAVE_DIRTY | OUTBOX_COMMITTING | OUTBOX_QUEUED_DIRTY | OUTBOX_HELD |
                      OUTBOX_WAIT_WANT;
    if ((entry->flags & moving) != 0) {
        return;
    }
    bool dropped = entry->rev == 0;
    bool applied = (entry->flags & OUTBOX_SETTLED) != 0 && entry->have_applied;
    bool resting_tombstone =
        (entry->flags & OUTBOX_TOMBSTONE) != 0 && (entry->flags & (OUTBOX_SUBMITTED | OUTBOX_SETTLED)) == 0;
    if (applied || resting_tombstone || dropped) {
        if (entry->rival != DEVICE_NONE) {
            core_replan_first(core, now, entry->rival); /* its claim is the store's to judge now */
        }
        outbox_remove(core->outbox, entry);
    }
}

static void refuse_taken(struct core *core, struct core_time now, struct outbox_entry *entry)
{
    core->stats.records_held -= (entry->flags & OUTBOX_HELD) != 0 && core->stats.records_held > 0;
    entry->flags = (uint16_t)((entry->flags | OUTBOX_SETTLED | OUTBOX_TAKEN) & ~(OUTBOX_WAIT_WANT | OUTBOX_HELD));
    entry->have_applied = false;
    (void)snprintf(entry->error, sizeof(entry->error), "taken"); /* fits */
    core->stats.records_refused++;
    log_event(LOG_LEVEL_WARN, "name-taken", "name=%s note=\"the name belongs to another device\"", entry->name);
    core_entry_close(core, now, entry);
    if ((entry->flags & OUTBOX_CONTESTED) != 0 && entry->rival != DEVICE_NONE) {
        core_replan_first(core, now, entry->rival); /* it may be the owner, who was told that this claim came first */
    }
    entry->flags &= (uint16_t)~OUTBOX_CONTESTED;
}

static void settle_want(struct core *core, struct core_time now, const struct store_want *want,
                        struct outbox_entry *entry)
{
    if (entry->rev != want->want_rev) {
        return; /* changed since: its next commit tells; or its zone is gone */
    }
    if (want->taken && (entry->flags & OUTBOX_TOMBSTONE) != 0) {
        core_take_back(core, now, entry); /* given up by a device whose claim the store would have refused */
        entry->device = DEVICE_NONE;
        entry->rev = 0;
        return;
    }
    if (want->taken) {
        refuse_taken(core, now, entry);
        return;
    }
    if ((entry->flags & OUTBOX_WAIT_WANT) != 0) {
        if (entry->applied_rev <= want->have_rev) { /* else its outcome has yet to be stored */
            entry->have_known = want->have_known;
            entry->have = want->have;
        }
        if (want->was_pending && (entry->flags & OUTBOX_UNSURE) == 0) {
            core_mark_unsure(entry, &want->was);
        }
        core_submit(core, now, entry);
    }
}

static void finish_devices(struct core *core, struct core_time now)
{
    const struct commit *commit = &core->commit;
    for (size_t i = 0; i < commit->batch.devices_len; i++) {
        struct device *device = device_at(core->devices, commit->device_refs[i]);
        if (device->boot == commit->devices[i].boot && device->seq == commit->devices[i].seq &&
            (device->flags & (DEVICE_DIRTY | DEVICE_REPLAN)) == 0) {
            device->flags |= DEVICE_DURABLE;
            core_ack_after_commit(core, now, commit->device_refs[i]);
        }
    }
}

static void finish_records(struct core *core, struct core_time now)
{
    const struct commit *commit = &core->commit;
    for (size_t i = 0; i < commit->batch.wants_len; i++) {
        if (commit->want_entries[i] == NULL) {
            continue; /* was left out */
        }
        commit->want_entries[i]->flags &= (uint16_t)~OUTBOX_COMMITTING;
        settle_want(core, now, &commit->wants[i], commit->want_entries[i]);
    }
    for (size_t i = 0; i < commit->batch.haves_len; i++) {
        commit->have_entries[i]->flags &= (uint16_t)~OUTBOX_COMMITTING;
    }
}

/* Removal comes last. An entry that stands in both lists is left to the second one. */
static void retire_records(struct core *core, struct core_time now)
{
    struct commit *commit = &core->commit;
    for (size_t i = 0; i < commit->batch.haves_len; i++) {
        commit->have_entries[i]->committing_rev = 0;
    }
    for (size_t i = 0; i < commit->batch.wants_len; i++) {
        if (commit->want_entries[i] != NULL && commit->want_entries[i]->committing_rev != 0) {
            retire(core, now, commit->want_entries[i]);
        }
    }
    for (size_t i = 0; i < commit->batch.haves_len; i++) {
        retire(core, now, commit->have_entries[i]);
    }
}

/* Outcomes that were settled under our former epoch are as good under the one that we have claimed since: nobody else
 * wrote in between, or our claim would have found a higher one. True when that is why the store refused. */
static bool raise_epochs(struct core *core)
{
    struct commit *commit = &core->commit;
    bool raised = false;
    for (size_t i = 0; i < commit->batch.haves_len; i++) {
        uint64_t epoch = core->zones_known[commit->have_zones[i]].epoch;
        raised = raised || epoch != commit->haves[i].epoch;
        commit->haves[i].epoch = epoch;
    }
    return raised;
}

/* Another writer holds the zone: its outcomes count. Ours go back to the engine, which keeps them until it is resumed.
 */
static void drop_haves_of_deposed(struct core *core, struct core_time now)
{
    struct commit *commit = &core->commit;
    size_t haves_len = commit->batch.haves_len;
    commit->batch.haves_len = 0;
    for (size_t i = 0; i < haves_len; i++) {
        commit->have_entries[i]->flags &= (uint16_t)~OUTBOX_COMMITTING;
    }
    commit->part_from = commit->part_len = 0; /* what is written already does no harm a second time */
    for (size_t i = 0; i < commit->batch.wants_len; i++) {
        commit->wants[i].outcome = NULL;
        if (commit->want_entries[i] != NULL) {
            commit->want_entries[i]->flags |= OUTBOX_COMMITTING;
        }
    }
    for (size_t i = 0; i < haves_len; i++) {
        struct outbox_entry *entry = commit->have_entries[i];
        if ((entry->flags & OUTBOX_SETTLED) != 0) {
            core->stats.records_refused -= !entry->have_applied && core->stats.records_refused > 0;
            entry->flags &= (uint16_t)~OUTBOX_SETTLED;
            core_entry_open(core, now, entry);
            core_submit(core, now, entry);
        }
    }
}

void core_committed(struct core *core, struct core_time now, enum err err, const struct errinfo *info)
{
    struct commit *commit = &core->commit;
    commit->running = false;
    if (err == ERR_FENCED && raise_epochs(core)) {
        start_commit(core); /* under the epoch that we hold now */
        return;
    }
    if (err == ERR_INVALID || err == ERR_RANGE) { /* no later try can succeed */
        core->stats.commit_failures++;
        if (core_poison_failed(core, now, err, info)) {
            start_commit(core);
            return;
        }
        err = ERR_OK;
    } else if (err == ERR_OK && commit->part_len > 0 && core_poison_applied(commit)) {
        start_commit(core);
        return;
    }
    if (err != ERR_OK) {
        core->stats.commit_failures++;
        core->stats.store_state = err_name(err);
        core->summary_dirty = true;
        log_event(LOG_LEVEL_ERROR, "store-commit-failed", "error=%s detail=\"%s\" retry_ms=%d", err_name(err),
                  info->text, COMMIT_RETRY_MS);
        if (err == ERR_FENCED) {
            drop_haves_of_deposed(core, now); /* wants are still ours to keep */
        }
        commit->last_error = err;
        commit->retry_ms = now.mono_ms + COMMIT_RETRY_MS;
        return;
    }
    if (commit->last_error != ERR_OK) {
        log_event(LOG_LEVEL_NOTICE, "store-recovered", "after=%s", err_name(commit->last_error));
        commit->last_error = ERR_OK;
        commit->retry_ms = 0;
        core->stats.store_state = "ok";
    }
    finish_records(core, now);
    finish_devices(core, now);
    retire_records(core, now);
    core_flush(core, now);
}

static void settle_refused(struct core *core, struct core_time now, struct outbox_entry *entry,
                           const struct engine_result *result)
{
    entry->flags |= OUTBOX_SETTLED | OUTBOX_HAVE_DIRTY; /* a doubt stays: it may have been refused for another reason */
    entry->have_applied = false;
    entry->have_rev = result->rev;
    core->stats.refused++;
    core->stats.records_refused++;
    log_event(LOG_LEVEL_WARN, "record-refused", "name=%s type=%s error=%s detail=\"%s\"", entry->name,
              rrtype_name(result->type), entry->error, result->detail);
    outbox_mark_dirty(core->outbox, entry);
    core_entry_close(core, now, entry);
    core_feed(core, now, (struct view){0}, "refused", entry);
}

static void settle_applied(struct core *core, struct core_time now, struct outbox_entry *entry,
                           const struct engine_result *result)
{
    entry->have_applied = true;
    entry->have_known = true;
    entry->have = *result->value;
    entry->applied_rev = result->rev;
    entry->have_rev = result->rev;
    entry->error[0] = '\0';
    entry->flags = (uint16_t)((entry->flags | OUTBOX_HAVE_DIRTY) & ~OUTBOX_UNSURE);
    outbox_mark_dirty(core->outbox, entry);
    if (entry->rev != result->rev) {
        return; /* served for a moment: a newer want is on its way */
    }
    entry->flags = (uint16_t)((entry->flags | OUTBOX_SETTLED) & ~OUTBOX_ADOPT);
    entry->since_s = (uint32_t)(now.wall_ms / 1000);
    core->stats.applied++;
    if (entry->started_ms != 0) {
        histogram_add(&core->stats.change_ms, now.mono_ms - MIN(entry->started_ms, now.mono_ms), now.mono_ms);
    }
    core_entry_close(core, now, entry);
    core_feed(core, now, (struct view){0}, "applied", entry);
}

static void settle_one(struct core *core, struct core_time now, uint32_t zone, const struct engine_result *result)
{
    struct outbox_entry *entry = outbox_find(core->outbox, view_of(result->name), result->type);
    if (entry == NULL) {
        return; /* settled before: an engine that tells twice does no harm */
    }
    bool final = result->outcome == OUTCOME_APPLIED || result->outcome == OUTCOME_REFUSED;
    if (result->alarm != NULL) {
        log_event(LOG_LEVEL_WARN, "provider-alarm", "name=%s type=%s alarm=%s detail=\"%s\"", entry->name,
                  rrtype_name(result->type), result->alarm, result->detail);
    }
    if (final) {
        storm_answered(core, now, entry->zone);
    }
    if (final && result->rev == entry->submitted_rev) {
        entry->flags &= (uint16_t)~OUTBOX_SUBMITTED;
    }
    if (entry->zone != zone) {
        if (final && (entry->flags & OUTBOX_TOMBSTONE) != 0) {
            core_want_dirty(core, entry); /* may rest now */
        }
        return; /* of the zone that the name lay in before */
    }
    if ((entry->flags & OUTBOX_TAKEN) != 0) {
        return; /* the row that this would be written to belongs to another device */
    }
    if (result->outcome == OUTCOME_APPLIED) {
        settle_applied(core, now, entry, result);
    } else if (entry->rev == result->rev) {
        (void)snprintf(entry->error, sizeof(entry->error), "%s",
                       result->error != NULL ? result->error : ""); /* cut ids stay ids */
        entry->attempts = result->attempts;
        entry->not_before_ms = result->retry_ms;
        if (result->outcome == OUTCOME_REFUSED) {
            settle_refused(core, now, entry, result);
        }
    } else if (final && (entry->flags & OUTBOX_TOMBSTONE) != 0) {
        core_want_dirty(core, entry); /* given up while the engine had it: the next commit lets it rest */
    }
    if (entry->device != DEVICE_NONE) {
        struct device *device = device_at(core->devices, entry->device);
        if (device->registry_ref != DEVICE_NONE && device->open == 0 && (device->flags & DEVICE_DURABLE) != 0) {
            core_ack_now(core, now, entry->device);
        }
    }
}

/* Deleted just now, of a device that is in the registry no more. */
static const struct outbox_entry *deleted_of_nobody(const struct core *core, const struct engine_result *result)
{
    const struct outbox_entry *entry = outbox_find(core->outbox, view_of(result->name), result->type);
    bool deleted = entry != NULL && result->outcome == OUTCOME_APPLIED && entry->rev == result->rev &&
                   (entry->flags & OUTBOX_TOMBSTONE) != 0 && entry->device != DEVICE_NONE;
    return deleted && device_at(core->devices, entry->device)->registry_ref == DEVICE_NONE ? entry : NULL;
}

/* The sweep deletes in the order of names, so a device's records mostly stand together: one answer for a run of them.
 */
static void tell_deletions(struct core *core, struct core_time now, const struct engine_result *results, size_t len)
{
    struct given_up names[MQTT_NAMES_MAX];
    size_t names_len = 0;
    uint32_t device = DEVICE_NONE;
    for (size_t i = 0; i <= len; i++) {
        const struct outbox_entry *entry = i < len ? deleted_of_nobody(core, &results[i]) : NULL;
        uint32_t next = entry != NULL ? entry->device : DEVICE_NONE;
        if (names_len > 0 && (next != device || names_len == MQTT_NAMES_MAX)) {
            core_ack_given_up(core, now, device, names, names_len);
            names_len = 0;
        }
        device = next;
        if (entry != NULL) {
            names[names_len++] = (struct given_up){
                .name = entry->name, .type = (enum rrtype)entry->type, .ttl = entry->ttl, .gone = true};
        }
    }
}

void core_settled(struct core *core, struct core_time now, uint16_t zone, uint64_t epoch,
                  const struct engine_result *results, size_t results_len)
{
    core_zone_claimed(core, zone, epoch);
    for (size_t i = 0; i < results_len; i++) {
        settle_one(core, now, core->zone_refs[zone], &results[i]);
    }
    tell_deletions(core, now, results, results_len);
    core_flush(core, now);
}
