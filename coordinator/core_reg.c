/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's feed: what the provisioner says of devices, how much of it is here, and what follows for their names.
 *
 *   coord/<kid>/reg (feed, rev) ─▶ provisioner ─▶ reg/<sh>/<id> ... ─▶ coord/<kid>/reg-done (feed, rev)
 *
 * Only that answer moves our position: a word that comes by itself, or as an answer to another coordinator, is taken
 * in, but says nothing about those before it. So what is lost on the way comes with the next answer. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/core_private.h"

#define ASK_RETRY_MS 30000  /* no answer: the provisioner may be away for as long as it likes */
#define ASK_EVERY_MS 600000 /* and what came by itself is asked for again */
#define ASK_SOON_MS  1000

static struct ownership_facts facts_of(const struct core *core, uint32_t index)
{
    return (struct ownership_facts){
        .required = core->config->ownership == OWNERSHIP_REQUIRED,
        .freezes = core->config->clones == CLONES_FREEZE,
        .complete = core->feed.complete,
        .row = regtable_find(core->regs, index),
    };
}

struct standing core_standing(const struct core *core, uint32_t index)
{
    const struct ownership_facts facts = facts_of(core, index);
    return ownership_judge(&facts);
}

const struct reg_row *core_reg_row(const struct core *core, uint32_t index)
{
    return regtable_find(core->regs, index);
}

const char *core_reg_text(const struct core *core, uint32_t ref)
{
    return regtable_text(core->regs, ref);
}

const struct store_feed *core_feed_position(const struct core *core)
{
    return &core->feed;
}

const struct registry_entry *core_entry(const struct core *core, const struct device *device)
{
    if (device->registry_ref == DEVICE_NONE) {
        return NULL;
    }
    return device->registry_ref >= DERIVED_FIRST ? derived_at(core->derived, device->registry_ref)
                                                 : registry_entry_at(core->registry, device->registry_ref);
}

void core_plan(const struct core *core, uint32_t index, const struct plan_addresses *addresses, struct plan *ret_plan)
{
    const struct device *device = device_at(core->devices, index);
    const struct registry_entry *entry = core_entry(core, device);
    if (entry == NULL || core_standing(core, index).gate == GATE_WITHDRAWN) {
        ret_plan->len = ret_plan->text_used = 0;
        ret_plan->error[0] = '\0';
        return;
    }
    plan_device(core->registry, entry, device_id(core->devices, device), addresses, ret_plan);
}

uint32_t core_ref_of(const struct core *core, const struct coordinator_config *config, const struct registry *registry,
                     struct derived *derived, uint32_t index)
{
    struct view id = device_id(core->devices, device_at(core->devices, index));
    uint32_t base = registry_find(registry, id);
    const struct reg_row *row = regtable_find(core->regs, index);
    if (config->ownership != OWNERSHIP_REQUIRED || row == NULL || (row->group == 0 && row->site == 0) ||
        (base != DEVICE_NONE && !registry_entry_at(registry, base)->is_pattern)) {
        return base; /* an entry of its own wins over the ledger */
    }
    const char *group = regtable_text(core->regs, row->group);
    uint32_t ref = base;
    enum err err = derived_get(derived, base, group, regtable_text(core->regs, row->site), &ref);
    if (err != ERR_OK && group[0] != '\0') {
        char quoted[LOG_QUOTED_SIZE];
        log_event(LOG_LEVEL_WARN, "ledger-group-unusable", "device=%.*s group=%s error=%s", VIEW_ARG(id),
                  log_quote(group, strlen(group), quoted), err_name(err));
    }
    return ref;
}

void core_mark_reg(struct core *core, uint32_t index, struct reg_row *row)
{
    row->flags |= REG_DIRTY;
    if ((row->flags & REG_QUEUED) != 0) {
        return;
    }
    if (queue_push(&core->dirty_regs, index, 0) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=dirty-regs");
        core->asked.void_answer = true; /* it is not in the store: the position must not pass it */
        return;
    }
    row->flags |= REG_QUEUED;
}

void core_reg_reconcile(struct core *core, uint32_t index)
{
    if (core->ops.reconcile != NULL) {
        core->ops.reconcile(core->context, index);
    }
}

static void ask_replay(struct core *core, const struct device *device)
{
    if (core->ops.replay != NULL) {
        core->ops.replay(core->context, device->shard);
    }
}

struct reg_before core_reg_before(const struct core *core, uint32_t index)
{
    return (struct reg_before){.standing = core_standing(core, index),
                               .ref = device_at(core->devices, index)->registry_ref};
}

static bool same_policy(const struct registry_group *a, const struct registry_group *b)
{
    return a->publish == b->publish && a->gateway == b->gateway && a->publish_cgnat == b->publish_cgnat &&
           a->uplinks == b->uplinks;
}

/* Its last state is to be judged again: nothing of it counted while its names were frozen, or another group judges
 * otherwise. */
static void look_again(struct core *core, uint32_t index)
{
    struct device *device = device_at(core->devices, index);
    device->content_hash = 0;
    ask_replay(core, device);
}

static const struct registry_group *group_at(const struct core *core, uint32_t ref)
{
    const struct registry_entry *entry =
        ref >= DERIVED_FIRST ? derived_at(core->derived, ref) : registry_entry_at(core->registry, ref);
    return entry->group;
}

void core_reg_register(struct core *core, uint32_t index, uint32_t before, uint32_t after)
{
    static const struct ip nowhere = {0};
    struct device *device = device_at(core->devices, index);
    device->registry_ref = after;
    device->answered_s = 0;
    core_set_flag(device, DEVICE_REGISTERED, after != DEVICE_NONE);
    if (before == DEVICE_NONE) {
        core->stats.registered++;
        (void)addrcount_move(core->observed, &nowhere, &device->observed); /* the policy asks when it is judged */
    } else if (after == DEVICE_NONE) {
        core->stats.registered--;
        (void)addrcount_move(core->observed, &device->observed, &nowhere);
    }
    if (after != DEVICE_NONE &&
        (before == DEVICE_NONE || !same_policy(group_at(core, before), group_at(core, after)))) {
        look_again(core, index);
    }
}

void core_reg_changed(struct core *core, struct core_time now, uint32_t index, const struct reg_before *before)
{
    struct device *device = device_at(core->devices, index);
    struct standing after = core_standing(core, index);
    uint32_t ref = core_ref_of(core, core->config, core->registry, core->derived, index);
    bool other_names =
        ref != before->ref || (after.gate == GATE_WITHDRAWN) != (before->standing.gate == GATE_WITHDRAWN);
    if (ref != before->ref) {
        core_reg_register(core, index, before->ref, ref);
    }
    if (before->standing.gate == GATE_FROZEN && after.gate != GATE_FROZEN && (device->flags & DEVICE_KNOWN) != 0) {
        look_again(core, index);
    }
    struct reg_row *row = regtable_find(core->regs, index);
    if (row != NULL) {
        row->flags |= other_names && (device->flags & DEVICE_KNOWN) != 0 ? REG_DUE : 0;
        core_mark_reg(core, index, row);
    }
    if (other_names && (device->flags & DEVICE_KNOWN) != 0) {
        core_reg_reconcile(core, index);
    }
    if (after.gate != before->standing.gate) {
        struct view id = device_id(core->devices, device);
        log_event(LOG_LEVEL_NOTICE, "ownership", "device=%.*s names=%s reason=\"%s\"", VIEW_ARG(id),
                  gate_name(after.gate), after.problem);
        core_feed(core, now, id, after.problem[0] != '\0' ? after.problem : gate_name(after.gate), NULL);
        if ((device->flags & DEVICE_KNOWN) != 0 && ref != DEVICE_NONE) {
            core_ack_now(core, now, index); /* it is told, too */
        }
    }
}

void core_reg_count(struct core *core, const struct reg_row *row, bool more)
{
    uint32_t *counters[] = {row->state < REG_STATES ? &core->stats.ledger[row->state] : NULL,
                            (row->flags & REG_OWNED) != 0 ? &core->stats.owned : NULL,
                            row->suspect != 0 ? &core->stats.suspects : NULL};
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        if (counters[i] != NULL) {
            *counters[i] += more ? 1 : UINT32_MAX; /* one less */
        }
    }
}

void core_set_suspect(struct core *core, struct reg_row *row, uint8_t suspect)
{
    core_reg_count(core, row, false);
    row->suspect = suspect;
    row->suspect_s = suspect != 0 ? row->suspect_s : 0;
    row->flags = (uint8_t)(suspect != 0 ? row->flags : row->flags & ~REG_UNTOLD);
    core_reg_count(core, row, true);
}

/* All or nothing. */
static enum err take_words(struct core *core, struct reg_row *row, const struct reg_message *said)
{
    uint32_t group, site;
    enum err err = regtable_keep(core->regs, view_of(said->group), &group);
    if (err == ERR_OK) {
        err = regtable_keep(core->regs, view_of(said->site), &site);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool moved = row->state != said->state;
    core_reg_count(core, row, false);
    row->rev = said->rev;
    row->state = (uint8_t)said->state;
    row->group = group;
    row->site = site;
    row->flags = (uint8_t)(said->owned ? row->flags | REG_OWNED : row->flags & ~REG_OWNED);
    core_reg_count(core, row, true);
    if (said->state == REG_CLONED) {
        row->flags = (uint8_t)(row->flags & ~REG_UNTOLD); /* from now on the ledger says so, until it does no more */
    } else if (moved && row->suspect != 0) {
        core_set_suspect(core, row, 0); /* somebody has looked at it */
    }
    return ERR_OK;
}

/* Another ledger, or this one from a backup: its revisions do not compare with what is known. What was said stays until
 * the new one says otherwise: a ledger that lost devices must not take their names away. */
static void take_feed(struct core *core, const char *feed)
{
    if (core->feed.feed[0] != '\0') {
        log_event(LOG_LEVEL_WARN, "ledger-changed", "was=%s rev=%llu is=%s note=\"asking for all of it\"",
                  core->feed.feed, (unsigned long long)core->feed.rev, feed);
    }
    for (uint32_t i = 0; i < regtable_end(core->regs); i++) {
        struct reg_row *row = regtable_find(core->regs, i);
        if (row != NULL) {
            row->rev = 0;
        }
    }
    (void)snprintf(core->feed.feed, sizeof(core->feed.feed), "%s", feed); /* fits: as long as the message's */
    core->feed.rev = 0;
    core->feed_dirty = true;
    core->asked.running = false;
    core->ask_ms = 0;
}

void core_reg_take(struct core *core, struct core_time now, uint32_t index, struct view payload)
{
    struct reg_message said;
    struct errinfo info = {0};
    enum err err = reg_decode(payload, &said, &info);
    struct view id = device_id(core->devices, device_at(core->devices, index));
    if (err != ERR_OK) {
        core->stats.bad_payload++;
        log_event(LOG_LEVEL_WARN, "bad-reg", "device=%.*s reason=\"%s\"", VIEW_ARG(id), info.text);
        return;
    }
    if (strcmp(said.feed, core->feed.feed) != 0) {
        bool first = core->feed.feed[0] == '\0';
        bool running = core->asked.running;
        take_feed(core, said.feed);
        core->asked.running = first && running; /* what we asked for, before we knew its name */
    }
    struct reg_row *row;
    const struct reg_before before = core_reg_before(core, index);
    err = regtable_get(core->regs, index, &row);
    if (err == ERR_OK && said.rev <= row->rev) {
        return; /* told before */
    }
    if (err == ERR_OK) {
        err = take_words(core, row, &said);
    }
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=reg device=%.*s", VIEW_ARG(id));
        core->asked.void_answer = true;
        return;
    }
    core->stats.reg_words++;
    core_reg_changed(core, now, index, &before);
}

static bool is_for_us(const struct core *core, const struct topic *topic)
{
    return view_equals(topic->id, core->kid);
}

/* An empty ledger is a wrong one: a fresh file, another folder. To withdraw every name for that would be grave. */
static bool is_credible(const struct core *core)
{
    uint32_t told = 0;
    for (size_t i = 0; i < REG_STATES; i++) {
        told += core->stats.ledger[i];
    }
    return told > 0;
}

void core_reg_done(struct core *core, struct core_time now, const struct topic *topic, struct view payload)
{
    struct regdone_message done;
    struct errinfo info = {0};
    if (!is_for_us(core, topic) || !core->asked.running) {
        return;
    }
    if (regdone_decode(payload, &done, &info) != ERR_OK) {
        core->stats.bad_payload++;
        log_event(LOG_LEVEL_WARN, "bad-reg", "topic=reg-done reason=\"%s\"", info.text);
        return;
    }
    bool lost = core->asked.void_answer ||
                (core->ops.dropped != NULL && core->ops.dropped(core->context) != core->asked.dropped);
    core->asked.running = false;
    if (strcmp(done.feed, core->feed.feed) != 0 && core->asked.rev > 0) {
        take_feed(core, done.feed); /* asked of one ledger, answered by another */
        return;
    }
    if (done.rev < core->asked.rev) {
        take_feed(core, done.feed); /* from a backup: what it does next has revisions that were there before */
        return;
    }
    if (lost) {
        core->ask_ms = now.mono_ms + ASK_SOON_MS;
        return;
    }
    if (strcmp(done.feed, core->feed.feed) != 0) {
        take_feed(core, done.feed); /* all of it, and nothing in it */
    }
    bool was_complete = core->feed.complete;
    core->feed.rev = done.rev;
    core->feed.complete = was_complete || is_credible(core);
    core->feed_dirty = true;
    core->fed_ms = now.mono_ms;
    core->ask_ms = now.mono_ms + ASK_EVERY_MS / 2 + core->ops.random(core->context) % ASK_EVERY_MS;
    if (!core->feed.complete) {
        log_event(LOG_LEVEL_WARN, "ledger-empty", "feed=%s note=\"names stay as they are until it names a device\"",
                  core->feed.feed);
    } else if (!was_complete) {
        log_event(LOG_LEVEL_NOTICE, "ledger-known", "feed=%s rev=%llu owned=%u", core->feed.feed,
                  (unsigned long long)core->feed.rev, core->stats.owned);
        core_reg_reconcile(core, DEVICE_NONE); /* whom it did not name is not of this fleet */
    }
}

static void ask(struct core *core, struct core_time now)
{
    struct regask_message message = {
        .rev = core->feed.rev, .first = core->config->shards.first, .last = core->config->shards.last};
    (void)snprintf(message.feed, sizeof(message.feed), "%s", core->feed.feed); /* fits */
    char topic[TOPIC_SIZE];
    strbuf_clear(&core->scratch);
    enum err err = topic_build(TOPIC_COORD_REG, view_of(core->kid), topic);
    if (err == ERR_OK) {
        err = regask_encode(&message, &core->scratch);
    }
    const struct core_publish publish = {.topic = topic, .payload = strbuf_view(&core->scratch), .qos = 1};
    if (err == ERR_OK) {
        err = core->ops.publish(core->context, &publish);
    }
    core->ask_ms =
        now.mono_ms + (err == ERR_OK ? ASK_RETRY_MS / 2 + core->ops.random(core->context) % ASK_RETRY_MS : ASK_SOON_MS);
    core->asked = (struct reg_asked){
        .running = err == ERR_OK,
        .rev = message.rev,
        .dropped = core->ops.dropped != NULL ? core->ops.dropped(core->context) : 0,
    };
}

void core_reg_ready(struct core *core, bool ready)
{
    core->feed_ready = ready;
    core->asked.running = false;
    core->ask_ms = 0;
}

void core_reg_tick(struct core *core, struct core_time now)
{
    core->fed_ms = core->fed_ms == 0 ? now.mono_ms : core->fed_ms; /* lateness counts from the start */
    if (!core->feed_ready || !core->connected || core->config->ownership != OWNERSHIP_REQUIRED ||
        now.mono_ms < core->ask_ms) {
        return;
    }
    ask(core, now);
    core_tell_suspects(core);
}

bool core_reg_is_late(const struct core *core, struct core_time now)
{
    return core->config->ownership == OWNERSHIP_REQUIRED && core->fed_ms != 0 &&
           now.mono_ms - core->fed_ms > UINT64_C(3) * ASK_EVERY_MS;
}

void core_reconciled_device(struct core *core, uint32_t index)
{
    struct reg_row *row = regtable_find(core->regs, index);
    if (row != NULL && (row->flags & REG_DUE) != 0) {
        row->flags = (uint8_t)(row->flags & ~REG_DUE);
        core_mark_reg(core, index, row);
    }
}
