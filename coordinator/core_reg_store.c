/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's words on their way to the store and back. */
#include <string.h>

#include "coordinator/core_private.h"

bool core_reg_has_dirty(const struct core *core)
{
    return core->dirty_regs.len > 0 || core->feed_dirty;
}

static void gather(struct core *core, uint32_t index, struct reg_row *row)
{
    struct commit *commit = &core->commit;
    const struct device *device = device_at(core->devices, index);
    struct view id = device_id(core->devices, device);
    size_t at = commit->batch.regs_len++;
    memcpy(commit->reg_ids[at], id.ptr, id.len);
    commit->reg_ids[at][id.len] = '\0';
    commit->reg_refs[at] = index;
    commit->regs[at] = (struct store_reg){
        .id = commit->reg_ids[at],
        .shard = device->shard,
        .state = row->state,
        .suspect = row->suspect,
        .owned = (row->flags & REG_OWNED) != 0,
        .due = (row->flags & REG_DUE) != 0,
        .rev = row->rev,
        .group = regtable_text(core->regs, row->group),
        .site = regtable_text(core->regs, row->site),
        .detail = regtable_text(core->regs, row->detail),
        .suspect_ms = (int64_t)row->suspect_s * 1000,
    };
    row->flags = (uint8_t)(row->flags & ~(REG_DIRTY | REG_QUEUED));
}

void core_gather_regs(struct core *core)
{
    struct commit *commit = &core->commit;
    commit->batch.regs = commit->regs;
    commit->batch.regs_len = 0;
    commit->batch.feed = NULL;
    uint32_t index;
    for (size_t look = MIN(core->dirty_regs.len, (size_t)COMMIT_ROWS_MAX); look > 0; look--) {
        (void)queue_pop(&core->dirty_regs, &index); /* not empty */
        struct reg_row *row = regtable_find(core->regs, index);
        bool waits = (row->flags & REG_DUE) == 0 && device_at(core->devices, index)->dirty_wants > 0;
        if (waits) { /* that nothing is due any more must not be in the store before what was done */
            (void)!queue_push(&core->dirty_regs, index, 0); /* takes the place just freed */
        } else {
            gather(core, index, row);
        }
    }
    if (core->feed_dirty && (core->dirty_regs.len == 0 || core->feed.rev == 0)) {
        commit->feed = core->feed;
        commit->batch.feed = &commit->feed;
        core->feed_dirty = false;
    }
}

enum err core_load_reg(struct core *core, const struct store_reg *stored)
{
    uint32_t index;
    struct reg_row *row = NULL;
    uint32_t group = 0, site = 0, detail = 0;
    enum err err = device_add(core->devices, view_of(stored->id), &index);
    if (err == ERR_OK) {
        err = regtable_get(core->regs, index, &row);
    }
    if (err == ERR_OK) {
        err = regtable_keep(core->regs, view_of(stored->group), &group);
    }
    if (err == ERR_OK) {
        err = regtable_keep(core->regs, view_of(stored->site), &site);
    }
    if (err == ERR_OK) {
        err = regtable_keep(core->regs, view_of(stored->detail), &detail);
    }
    if (err != ERR_OK || row->rev != 0) {
        return err; /* told meanwhile, or loaded before */
    }
    const struct reg_before before = core_reg_before(core, index);
    core_reg_count(core, row, false);
    *row = (struct reg_row){.rev = stored->rev,
                            .group = group,
                            .site = site,
                            .detail = detail,
                            .suspect_s = (uint32_t)(stored->suspect_ms / 1000),
                            .state = stored->state,
                            .suspect = stored->suspect,
                            .flags = (uint8_t)((stored->owned ? REG_OWNED : 0) | (stored->due ? REG_DUE : 0))};
    core_reg_count(core, row, true);
    if (row->suspect != 0 && row->state != REG_CLONED) {
        core_suspect_untold(core, index, row);
    }
    uint32_t ref = core_ref_of(core, core->config, core->registry, core->derived, index);
    if (ref != before.ref) {
        core_reg_register(core, index, before.ref, ref);
    }
    if (stored->due) {
        core_reg_reconcile(core, index);
    }
    return ERR_OK;
}
