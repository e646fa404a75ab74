/* SPDX-License-Identifier: Apache-2.0 */
/* A batch that the store will never take, because of one row: halved until that row stands alone, which is then left
 * out. Rows are cut in the order wants, haves, devices, words of the ledger, so that no device stands in the store
 * before what it wants. A crash in between leaves what devices repeat, since none of them is acknowledged yet. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

static size_t rows_of(const struct store_batch *batch)
{
    return batch->wants_len + batch->haves_len + batch->devices_len + batch->regs_len;
}

/* How much of [from, from + len) lies in the list of @p list_len rows that begins at @p start, and where. */
static size_t overlap(const struct commit *commit, size_t start, size_t list_len, size_t *ret_first)
{
    size_t from = MIN(MAX(commit->part_from, start), start + list_len);
    size_t to = MIN(MAX(commit->part_from + commit->part_len, start), start + list_len);
    *ret_first = from - start;
    return to - from;
}

struct store_batch *core_poison_part(struct commit *commit)
{
    const struct store_batch *all = &commit->batch;
    commit->part = *all;
    if (commit->part_len > 0) {
        struct store_batch *part = &commit->part;
        size_t first;
        part->wants_len = overlap(commit, 0, all->wants_len, &first);
        part->wants = all->wants + first;
        part->haves_len = overlap(commit, all->wants_len, all->haves_len, &first);
        part->haves = all->haves + first;
        part->devices_len = overlap(commit, all->wants_len + all->haves_len, all->devices_len, &first);
        part->devices = all->devices + first;
        part->regs_len = overlap(commit, all->wants_len + all->haves_len + all->devices_len, all->regs_len, &first);
        part->regs = all->regs + first;
        part->feed = commit->part_from + commit->part_len >= rows_of(all) ? all->feed : NULL; /* not before them */
    }
    return &commit->part;
}

/* Neither stored nor acknowledged; planned anew when it reports again. */
static void leave_device_out(struct core *core, uint32_t index)
{
    struct commit *commit = &core->commit;
    for (size_t i = 0; i < commit->batch.devices_len; i++) {
        if (commit->device_refs[i] == index) {
            size_t last = --commit->batch.devices_len;
            commit->devices[i] = commit->devices[last];
            commit->device_refs[i] = commit->device_refs[last];
            break;
        }
    }
    device_at(core->devices, index)->flags |= DEVICE_UNSURE;
}

static void drop_want(struct core *core, struct core_time now, size_t at)
{
    struct commit *commit = &core->commit;
    struct outbox_entry *entry = commit->want_entries[at];
    commit->want_entries[at] = NULL;
    entry->flags &= (uint16_t)~OUTBOX_COMMITTING;
    if ((entry->flags & OUTBOX_WAIT_WANT) != 0 && entry->rev == commit->wants[at].want_rev) {
        entry->flags = (uint16_t)((entry->flags | OUTBOX_SETTLED) & ~OUTBOX_WAIT_WANT);
        entry->have_applied = false;
        (void)snprintf(entry->error, sizeof(entry->error), "unstorable"); /* fits */
        core->stats.records_refused++;
        core_entry_close(core, now, entry);
    }
    if (entry->device != DEVICE_NONE) {
        leave_device_out(core, entry->device);
    }
}

/* The outcome may be what cannot be stored: it is tried by itself then, where its turn comes. */
static bool part_from_outcome(struct commit *commit, struct store_want *want)
{
    if (want->outcome == NULL) {
        return false;
    }
    commit->haves[want->outcome - commit->haves].with_want = false;
    want->outcome = NULL;
    return true;
}

static void log_drop(enum err err, const struct errinfo *info, const char *row, const char *name)
{
    log_event(LOG_LEVEL_ERROR, "store-row-dropped", "row=%s name=%s error=%s detail=\"%s\"", row, name, err_name(err),
              info->text);
}

/* The row at part_from, which stands alone. */
static void drop_row(struct core *core, struct core_time now, enum err err, const struct errinfo *info)
{
    struct commit *commit = &core->commit;
    size_t at = commit->part_from;
    size_t haves = commit->batch.wants_len;
    size_t devices = haves + commit->batch.haves_len;
    if (at >= devices + commit->batch.devices_len) {
        size_t reg = at - devices - commit->batch.devices_len;
        log_drop(err, info, "ledger", commit->regs[reg].id); /* in memory it counts, until the next start */
        commit->part_from++;
        return;
    }
    if (at >= devices) {
        log_drop(err, info, "device", commit->devices[at - devices].id);
        leave_device_out(core, commit->device_refs[at - devices]); /* the last one stands in its place now */
        return;
    }
    if (at >= haves) {
        log_drop(err, info, "outcome", commit->haves[at - haves].name);
        commit->part_from++; /* the row stays pending: looked at by the sweep, and sent again after a restart */
        return;
    }
    if (part_from_outcome(commit, &commit->wants[at])) {
        return;
    }
    log_drop(err, info, "want", commit->wants[at].name);
    if (commit->want_entries[at] != NULL) { /* else dropped before the zone's writer was deposed */
        drop_want(core, now, at);
    }
    commit->part_from++;
}

/* What is left of the batch; false at its end. */
static bool goes_on(struct commit *commit)
{
    size_t rows = rows_of(&commit->batch);
    if (commit->part_len == 0 || commit->part_from >= rows) {
        commit->part_from = commit->part_len = 0;
        return false;
    }
    commit->part_len = MIN(commit->part_len, rows - commit->part_from);
    return true;
}

bool core_poison_failed(struct core *core, struct core_time now, enum err err, const struct errinfo *info)
{
    struct commit *commit = &core->commit;
    if (commit->part_len == 0) {
        commit->part_len = rows_of(&commit->batch);
    }
    if (commit->part_len > 1) {
        commit->part_len /= 2;
    } else {
        drop_row(core, now, err, info);
    }
    return goes_on(commit);
}

bool core_poison_applied(struct commit *commit)
{
    commit->part_from += commit->part_len;
    commit->part_len *= 2; /* one bad row is found in few steps, and many in a row cost no more than one step each */
    return goes_on(commit);
}
