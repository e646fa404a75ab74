/* SPDX-License-Identifier: Apache-2.0 */
/* Two devices with one identity: signs go to clone.h, and what its verdict means happens here. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "coordinator/core_private.h"

static bool is_looked_for(const struct core *core, uint32_t index)
{
    const struct reg_row *row = regtable_find(core->regs, index);
    return core->config->clones != CLONES_OFF && (row == NULL || row->suspect == 0);
}

void core_suspect_untold(struct core *core, uint32_t index, struct reg_row *row)
{
    row->flags |= REG_UNTOLD;
    if (queue_push(&core->untold, index, 0) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=untold"); /* told after the next start */
    }
}

static enum err tell(struct core *core, uint32_t index, const struct reg_row *row)
{
    struct view id = device_id(core->devices, device_at(core->devices, index));
    struct suspect_message message = {.kind = (enum suspect_kind)(row->suspect - 1)};
    (void)snprintf(message.device, sizeof(message.device), "%.*s", VIEW_ARG(id));                         /* fits */
    (void)snprintf(message.detail, sizeof(message.detail), "%s", regtable_text(core->regs, row->detail)); /* as long */
    char topic[TOPIC_SIZE];
    strbuf_clear(&core->scratch);
    enum err err = topic_build(TOPIC_COORD_SUSPECT, view_of(core->kid), topic);
    if (err == ERR_OK) {
        err = suspect_encode(&message, &core->scratch);
    }
    const struct core_publish publish = {.topic = topic, .payload = strbuf_view(&core->scratch), .qos = 1};
    return err == ERR_OK ? core->ops.publish(core->context, &publish) : err;
}

/* Until the ledger says that it knows: the provisioner may have been away. */
void core_tell_suspects(struct core *core)
{
    for (size_t left = core->untold.len; left > 0; left--) {
        uint32_t index;
        (void)queue_pop(&core->untold, &index); /* not empty */
        const struct reg_row *row = regtable_find(core->regs, index);
        if (row == NULL || (row->flags & REG_UNTOLD) == 0) {
            continue;
        }
        (void)!tell(core, index, row);              /* told again with the next question */
        (void)!queue_push(&core->untold, index, 0); /* takes the place just freed */
    }
}

/* What counted before the signs began counts again. */
static void go_back(struct core *core, struct core_time now, uint32_t index, const struct clone_verdict *verdict)
{
    struct plan_addresses before = core_addresses_of(core, index);
    struct plan_addresses after = before;
    after.ip4 = verdict->good.ip4;
    after.ip6 = verdict->good.ip6;
    if (device_at(core->devices, index)->registry_ref != DEVICE_NONE && verdict->has_good &&
        !plan_addresses_equal(&before, &after) && core_apply_at_once(core, now, index, &before, &after) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=last-good"); /* frozen at what it is */
    }
}

static void suspect(struct core *core, struct core_time now, uint32_t index, const struct clone_verdict *verdict)
{
    struct reg_row *row;
    uint32_t detail;
    struct view id = device_id(core->devices, device_at(core->devices, index));
    const struct reg_before before = core_reg_before(core, index);
    if (regtable_get(core->regs, index, &row) != ERR_OK ||
        regtable_keep(core->regs, view_of(verdict->detail), &detail) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=suspect device=%.*s", VIEW_ARG(id)); /* signs come again */
        return;
    }
    core_set_suspect(core, row, (uint8_t)(1 + verdict->kind));
    row->detail = detail;
    row->suspect_s = (uint32_t)(now.wall_ms / 1000);
    core->stats.suspicions++;
    core->summary_dirty = true;
    log_event(LOG_LEVEL_WARN, "cloned-suspect", "device=%.*s kind=%s detail=\"%s\" names=%s", VIEW_ARG(id),
              suspect_kind_name(verdict->kind), verdict->detail, gate_name(core_standing(core, index).gate));
    if (core->config->clones == CLONES_FREEZE && before.standing.gate == GATE_OPEN) {
        go_back(core, now, index, verdict);
    }
    row = regtable_find(core->regs, index);
    if (row != NULL && row->state != REG_CLONED) {
        core_suspect_untold(core, index, row);
        if (core->config->ownership == OWNERSHIP_REQUIRED && core->connected) {
            (void)!tell(core, index, row); /* and again with the next question */
        }
    }
    core_reg_changed(core, now, index, &before);
    if (core->config->clones == CLONES_ALARM) {
        core_feed(core, now, id, "cloned-suspect", NULL); /* the gate has not moved, so nothing else says it */
    }
}

void core_clone_state(struct core *core, struct core_time now, uint32_t index, const struct state_scan *scan,
                      const struct ip *observed)
{
    if (!is_looked_for(core, index)) {
        return;
    }
    const struct device *device = device_at(core->devices, index);
    const struct clone_sign sign = {
        .device = index,
        .now_ms = now.mono_ms,
        .stored = {.boot = device->boot, .conn = device->conn, .seq = device->seq, .observed = device->observed},
        .said = {.boot = scan->boot, .conn = scan->conn, .seq = scan->seq, .observed = *observed},
        .bound = device_addresses(core->devices, index),
    };
    struct clone_verdict verdict;
    if (clone_state(core->clones, &sign, &verdict)) {
        suspect(core, now, index, &verdict);
    }
}

void core_seen_take(struct core *core, struct core_time now, const struct topic *topic, struct view payload)
{
    uint32_t index = device_find(core->devices, topic->id);
    struct seen_message seen;
    struct errinfo info = {0};
    if (index == DEVICE_NONE || !is_looked_for(core, index)) {
        return;
    }
    if (seen_decode(payload, &seen, &info) != ERR_OK) {
        core->stats.bad_payload++;
        log_event(LOG_LEVEL_WARN, "bad-seen", "device=%.*s reason=\"%s\"", VIEW_ARG(topic->id), info.text);
        return;
    }
    const struct device *device = device_at(core->devices, index);
    uint64_t before_ms = clone_seen_ms(core->clones, index);
    int64_t before_wall_s = (now.wall_ms - (int64_t)(now.mono_ms - before_ms)) / 1000;
    const struct clone_seen sign = {
        .device = index,
        .now_ms = now.mono_ms,
        .peer = ip_unmap(seen.ip),
        .before = device->observed,
        .certificate = (uint32_t)(view_hash(view_of(seen.serial)) ^ view_hash(view_of(seen.issuer))),
        .spoke = before_ms == 0 || (int64_t)device->seen_s >= before_wall_s,
    };
    struct clone_verdict verdict;
    if (clone_seen(core->clones, &sign, &verdict)) {
        suspect(core, now, index, &verdict);
    }
}

void core_trust(struct core *core, struct core_time now, uint32_t index)
{
    struct reg_row *row = regtable_find(core->regs, index);
    clone_forget(core->clones, index);
    if (row == NULL || row->suspect == 0) {
        return;
    }
    const struct reg_before before = core_reg_before(core, index);
    core_set_suspect(core, row, 0);
    log_event(LOG_LEVEL_NOTICE, "suspicion-cleared", "device=%.*s",
              VIEW_ARG(device_id(core->devices, device_at(core->devices, index))));
    core_reg_changed(core, now, index, &before);
}
