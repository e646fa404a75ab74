/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweep: level-triggered comparison of a zone with the desired records. What is done about each is decided in
 * drift.c; here the zone is listed, the rows are read and the decisions carried out.
 *
 *   due ─▶ list the zone (AXFR) ─▶ page through the stored records ─▶ judge ─▶ guard ─▶ rewrite
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "coordinator/limits.h"
#include "coordinator/listed.h"
#include "coordinator/zoneplan.h"

#define PAGE_RECORDS    2000
#define SWEEP_ARENA_MAX ((size_t)1 << 30) /* a zone of millions of names */

struct action {
    struct store_record record;    /* texts in the sweep's arena */
    struct drift_verdict verdict;  /* guarded: waits for an operator when the guard stops the sweep */
    struct zoneplan_change change; /* as a plan has it */
    struct zoneplan_item *item;    /* of the plan that it is done for; NULL = none */
};

struct sweep {
    struct sweeper *sweeper;
    uint16_t zone;
    struct sweep_order order;
    bool listed_ok, running;
    bool in_worker; /* a page is being read */
    sweep_done_fn done;
    void *context;
    struct arena arena;
    struct listed_set listed;
    struct action *actions;
    size_t actions_len, actions_size;
    struct sweep_difference *differences;
    struct sweep_result result;
    int64_t started_ms; /* wall */
    int64_t last_ms;    /* wall, end of the last one */
    uint64_t due_ms;    /* mono */
    /* page under work */
    struct store_record *page;
    size_t page_len;
    char after_name[DNSNAME_SIZE];
    enum rrtype after_type;
    bool after_set;
    enum err job_err;
};

struct sweeper {
    struct coordinator *coordinator;
    struct loop_timer *timer;
    struct sweep *sweeps; /* one a zone */
};

static void schedule(struct sweeper *sweeper);
static void next_page(struct sweep *sweep);

static const struct zone_config *zone_config_of(const struct sweep *sweep)
{
    return &((const struct zone_config *)sweep->sweeper->coordinator->settings->config.zones.items)[sweep->zone];
}

static void take_listed(void *context, const char *name, enum rrtype type, uint32_t ttl,
                        const struct rrset_value *value)
{
    struct sweep *sweep = context;
    enum err err = listed_add(&sweep->listed, name, type, ttl, value);
    sweep->result.err = err != ERR_OK ? err : sweep->result.err;
}

static void note(struct sweep *sweep, const struct zoneplan_change *change)
{
    if (change->kind == NULL || sweep->differences == NULL) {
        return;
    }
    const char *name = sweep->result.differences_len < SWEEP_DIFFERENCES_MAX
                           ? arena_strdup(&sweep->arena, view_of(change->name))
                           : NULL;
    if (name == NULL) {
        sweep->result.differences_more++;
        return;
    }
    sweep->differences[sweep->result.differences_len++] = (struct sweep_difference){.kind = change->kind,
                                                                                    .name = name,
                                                                                    .type = change->type,
                                                                                    .have = change->have,
                                                                                    .want = change->want,
                                                                                    .have_ttl = change->have_ttl,
                                                                                    .want_ttl = change->want_ttl};
}

static bool has_given_up(const struct outbox_entry *entry)
{
    return (entry->flags & OUTBOX_SETTLED) != 0 && !entry->have_applied;
}

static void plan_action(struct sweep *sweep, const struct store_record *record, const struct drift_verdict *verdict,
                        const struct zoneplan_change *change)
{
    if (sweep->actions_len == sweep->actions_size) {
        size_t size = sweep->actions_size == 0 ? 64 : sweep->actions_size * 2;
        struct action *actions = realloc(sweep->actions, size * sizeof(*actions));
        if (actions == NULL) {
            sweep->result.err = ERR_NOMEM;
            return;
        }
        sweep->actions = actions;
        sweep->actions_size = size;
    }
    struct action *action = &sweep->actions[sweep->actions_len];
    *action = (struct action){.record = *record, .verdict = *verdict, .change = *change};
    action->record.name = arena_strdup(&sweep->arena, view_of(record->name));
    action->record.zone = zone_config_of(sweep)->name;
    action->record.error = "";
    action->record.device = record->device != NULL ? arena_strdup(&sweep->arena, view_of(record->device)) : NULL;
    action->change.name = action->record.name;
    if (action->record.name == NULL) {
        sweep->result.err = ERR_NOMEM;
        return;
    }
    sweep->actions_len++;
}

/* What the operator asks for, or what the service demands, which forgets a name otherwise. */
static uint64_t refresh_every_ms(const struct sweep *sweep)
{
    const struct zone *zone = &sweep->sweeper->coordinator->zones[sweep->zone];
    uint64_t asked = zone_config_of(sweep)->refresh_every_ms;
    uint64_t demanded = (uint64_t)engine_zone_refresh_s(zone->engine_zone) * 1000;
    return asked == 0 || (demanded != 0 && demanded < asked) ? demanded : asked;
}

static void judge(struct sweep *sweep, const struct store_record *record, const struct listed *listed, const char *name,
                  enum rrtype type)
{
    const struct zone_config *zone = zone_config_of(sweep);
    const struct core *core = sweep->sweeper->coordinator->core;
    const struct outbox_entry *entry =
        record != NULL ? core_moving(core, record) : core_outbox_find(core, view_of(name), type);
    bool refused = record != NULL && entry != NULL && has_given_up(entry);
    const struct drift_input input = {
        .record = record,
        .listed = sweep->listed_ok,
        .found = listed != NULL ? &listed->value : NULL,
        .found_ttl = listed != NULL ? listed->ttl : 0,
        .moving = entry != NULL && !refused,
        .refused = refused,
        .shared = zone->mode == ZONE_SHARED,
        .refresh_every_ms = refresh_every_ms(sweep),
        .started_ms = sweep->started_ms,
        .now_ms = coordinator_now().wall_ms,
    };
    struct drift_verdict verdict = drift_judge(&input);
    drift_count(&sweep->result.tally, &verdict);
    bool kept = record != NULL && !record->want_null && record->want.len > 0;
    struct zoneplan_change change = {.kind = drift_name(verdict.kind), .name = name, .type = type};
    if (input.found != NULL) {
        change.have = *input.found;
        change.have_ttl = input.found_ttl;
    }
    if (kept) {
        change.want = record->want;
        change.want_ttl = record->ttl;
    }
    note(sweep, &change);
    if (verdict.write) {
        plan_action(sweep, record, &verdict, &change);
    }
}

static void judge_record(struct sweep *sweep, const struct store_record *record)
{
    struct listed *listed = sweep->listed_ok ? listed_find(&sweep->listed, record->name, record->type) : NULL;
    if (listed != NULL) {
        listed->seen = true;
    }
    struct store_record served = *record;
    served.ttl = engine_zone_ttl(sweep->sweeper->coordinator->zones[sweep->zone].engine_zone, record->ttl);
    judge(sweep, &served, listed, record->name, record->type);
}

static void judge_unstored(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->listed.buckets_len; i++) {
        for (const struct listed *listed = sweep->listed.buckets[i]; listed != NULL; listed = listed->next) {
            if (!listed->seen) {
                judge(sweep, NULL, listed, listed->name, (enum rrtype)listed->type);
            }
        }
    }
}

/* Of all that a sweep would do, what was reviewed; the guard judges that alone. */
static void keep_reviewed(struct sweep *sweep, struct drift_tally *tally)
{
    size_t kept = 0;
    for (size_t i = 0; i < sweep->actions_len; i++) {
        struct action *action = &sweep->actions[i];
        action->item = action->change.kind != NULL ? zoneplan_take(sweep->order.plan, &action->change) : NULL;
        if (action->item != NULL) {
            sweep->actions[kept++] = *action;
        } else if (action->verdict.deletion) {
            tally->deletions--;
            tally->stays++;
        } else if (action->verdict.guarded) {
            tally->wrong--;
        }
    }
    sweep->actions_len = kept;
}

static enum drift_guard ask_guard(const struct sweep *sweep, const struct drift_tally *tally)
{
    const char *zone = zone_config_of(sweep)->name;
    enum drift_guard guard = drift_guard(tally, sweep->order.force);
    if (guard == DRIFT_GUARD_PASS || !sweep->order.apply || sweep->order.dry) {
        return guard;
    }
    log_event(
        LOG_LEVEL_ERROR, "sweep-guard",
        "zone=%s reason=%s existing=%zu updates=%zu deletions=%zu limit_percent=%d hint=\"look at muster zone diff %s, "
        "then muster zone sweep %s --force\"",
        zone, drift_guard_name(guard), tally->existing, tally->wrong, tally->deletions, DRIFT_GUARD_PERCENT, zone,
        zone);
    return guard;
}

/* What is not guarded goes out even when the guard stops the rest. */
static void apply_actions(struct sweep *sweep)
{
    struct core *core = sweep->sweeper->coordinator->core;
    struct core_time now = coordinator_now();
    for (size_t i = 0; i < sweep->actions_len; i++) {
        const struct store_record *record = &sweep->actions[i].record;
        struct zoneplan_item *item = sweep->actions[i].item;
        if (sweep->result.guard != DRIFT_GUARD_PASS && (sweep->actions[i].verdict.guarded || item != NULL)) {
            continue; /* a plan is done whole or not at all */
        }
        enum err err = sweep->order.dry ? ERR_OK : core_rewrite(core, now, record, false);
        sweep->result.applied += err == ERR_OK;
        if (item != NULL && err != ERR_OK) {
            item->fate = ZONEPLAN_MOVING;
        }
        if (err != ERR_OK && err != ERR_EXISTS && err != ERR_AGAIN) {
            log_event(LOG_LEVEL_WARN, "sweep-rewrite-failed", "name=%s error=%s", record->name, err_name(err));
        }
    }
    core_flush(core, now);
}

static void clean(struct sweep *sweep)
{
    listed_deinit(&sweep->listed);
    free(sweep->actions);
    sweep->actions = NULL;
    sweep->actions_len = 0;
    sweep->actions_size = 0;
    free(sweep->page);
    sweep->page = NULL;
    free(sweep->differences);
    sweep->differences = NULL;
    arena_deinit(&sweep->arena);
    sweep->result.differences = NULL;
    sweep->result.differences_len = 0;
}

static void finish(struct sweep *sweep, enum err err, const char *detail)
{
    sweep->result.err = sweep->result.err != ERR_OK ? sweep->result.err : err;
    sweep->result.detail = detail != NULL ? detail : "";
    if (sweep->listed_ok) {
        sweep->result.tally.existing = sweep->listed.len;
    }
    if (sweep->result.err == ERR_OK) {
        judge_unstored(sweep);
        struct drift_tally tally = sweep->result.tally;
        if (sweep->order.plan != NULL) {
            keep_reviewed(sweep, &tally);
        }
        sweep->result.guard = ask_guard(sweep, &tally);
        if (sweep->order.apply) {
            sweep->result.stopped = sweep->result.guard != DRIFT_GUARD_PASS && !sweep->order.dry;
            apply_actions(sweep);
        }
    }
    const struct sweep_result *result = &sweep->result;
    const struct drift_tally *tally = &result->tally;
    log_event(result->err == ERR_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "sweep",
              "zone=%s result=%s existing=%zu missing=%zu wrong=%zu deletions=%zu foreign=%zu unknown=%zu "
              "refreshed=%zu stopped=%d",
              zone_config_of(sweep)->name, err_name(result->err), tally->existing, tally->missing, tally->wrong,
              tally->deletions, tally->foreign, tally->unknown, tally->refreshed, result->stopped);
    sweep->result.differences = sweep->differences;
    if (sweep->done != NULL) {
        sweep->done(sweep->context, &sweep->result);
    }
    sweep->done = NULL;
    clean(sweep);
    sweep->running = false;
    sweep->last_ms = coordinator_now().wall_ms;
    sweep->due_ms =
        coordinator_now().mono_ms + backoff_jitter(zone_config_of(sweep)->sweep_every_ms, 10, crypto_random_u64());
    schedule(sweep->sweeper);
}

/* ---- pages of stored records ---- */

static enum err copy_record(void *context, const struct store_record *record)
{
    struct sweep *sweep = context;
    struct store_record *row = &sweep->page[sweep->page_len];
    *row = *record;
    row->name = arena_strdup(&sweep->arena, view_of(record->name));
    row->device = record->device != NULL ? arena_strdup(&sweep->arena, view_of(record->device)) : NULL;
    row->error = "";
    row->zone = "";
    if (row->name == NULL || (record->device != NULL && row->device == NULL)) {
        return ERR_NOMEM;
    }
    sweep->page_len++;
    return sweep->page_len < PAGE_RECORDS ? ERR_OK : ERR_LIMIT;
}

static void page_work(void *context)
{
    struct sweep *sweep = context;
    struct coordinator *coordinator = sweep->sweeper->coordinator;
    const char *zone = coordinator->zones[sweep->zone].name;
    const struct store_record_query query = {
        .zone = zone,
        .after_zone = sweep->after_set ? zone : NULL,
        .after_name = sweep->after_set ? sweep->after_name : NULL,
        .after_type = sweep->after_type,
        .limit = PAGE_RECORDS,
    };
    sweep->page_len = 0;
    sweep->job_err = coordinator->store_ops->each_record(coordinator->store, &query, copy_record, sweep);
    if (sweep->job_err == ERR_LIMIT) {
        sweep->job_err = ERR_OK;
    }
}

static void page_done(void *context)
{
    struct sweep *sweep = context;
    sweep->in_worker = false;
    if (sweep->job_err != ERR_OK) {
        finish(sweep, sweep->job_err, "reading the stored records failed");
        return;
    }
    for (size_t i = 0; i < sweep->page_len; i++) {
        judge_record(sweep, &sweep->page[i]);
    }
    if (sweep->page_len < PAGE_RECORDS) {
        finish(sweep, ERR_OK, NULL);
        return;
    }
    const struct store_record *last = &sweep->page[sweep->page_len - 1];
    if (view_copy(view_of(last->name), sweep->after_name, sizeof(sweep->after_name)) != ERR_OK) {
        finish(sweep, ERR_CORRUPT, "a stored name is too long");
        return;
    }
    sweep->after_type = last->type;
    sweep->after_set = true;
    next_page(sweep);
}

static void next_page(struct sweep *sweep)
{
    enum err err = loop_worker_submit(sweep->sweeper->coordinator->worker, page_work, page_done, sweep);
    sweep->in_worker = err == ERR_OK;
    if (err != ERR_OK) {
        finish(sweep, err, "the store's queue is full");
    }
}

static void listing_done(void *context, enum err err, const char *detail)
{
    struct sweep *sweep = context;
    if (err != ERR_OK && err != ERR_UNSUPPORTED) {
        finish(sweep, err, detail);
        return;
    }
    sweep->listed_ok = err == ERR_OK;
    next_page(sweep);
}

enum err sweeper_run(struct sweeper *sweeper, uint16_t zone, const struct sweep_order *order, sweep_done_fn done,
                     void *context)
{
    struct sweep *sweep = &sweeper->sweeps[zone];
    if (sweep->running) {
        return ERR_STATE;
    }
    sweep->running = true;
    sweep->order = *order;
    sweep->done = done;
    sweep->context = context;
    sweep->started_ms = coordinator_now().wall_ms;
    sweep->after_set = false;
    sweep->listed_ok = false;
    sweep->result = (struct sweep_result){0};
    arena_init(&sweep->arena, SWEEP_ARENA_MAX);
    enum err err = listed_init(&sweep->listed, &sweep->arena);
    sweep->page = calloc(PAGE_RECORDS, sizeof(*sweep->page));
    sweep->differences = calloc(SWEEP_DIFFERENCES_MAX, sizeof(*sweep->differences));
    if (err != ERR_OK || sweep->page == NULL || sweep->differences == NULL) {
        clean(sweep);
        sweep->running = false;
        return ERR_NOMEM;
    }
    const struct engine_listing listing = {.each = take_listed, .done = listing_done, .context = sweep};
    err = engine_zone_list(sweeper->coordinator->zones[zone].engine_zone, &listing);
    if (err == ERR_UNSUPPORTED) {
        listing_done(sweep, ERR_UNSUPPORTED, NULL);
        return ERR_OK;
    }
    if (err != ERR_OK) {
        sweep->done = NULL;
        clean(sweep);
        sweep->running = false;
    }
    return err;
}

bool sweeper_is_busy(const struct sweeper *sweeper)
{
    for (size_t i = 0; i < sweeper->coordinator->zones_len; i++) {
        if (sweeper->sweeps[i].in_worker) {
            return true;
        }
    }
    return false;
}

void sweeper_give_up(struct sweeper *sweeper)
{
    static const struct sweep_result given_up = {.err = ERR_CLOSED, .detail = "a reload ended it; try again"};
    for (size_t i = 0; i < sweeper->coordinator->zones_len; i++) {
        struct sweep *sweep = &sweeper->sweeps[i];
        if (!sweep->running) {
            continue;
        }
        log_event(LOG_LEVEL_NOTICE, "sweep", "zone=%s result=%s note=\"a reload ended it\"",
                  zone_config_of(sweep)->name, err_name(ERR_CLOSED));
        if (sweep->done != NULL) {
            sweep->done(sweep->context, &given_up);
        }
        sweep->done = NULL;
        clean(sweep);
        sweep->running = false;
    }
}

void sweeper_last(const struct sweeper *sweeper, uint16_t zone, struct sweep_result *ret_result, int64_t *ret_at_ms)
{
    *ret_result = sweeper->sweeps[zone].result;
    *ret_at_ms = sweeper->sweeps[zone].last_ms;
}

/* ---- schedule ---- */

static void schedule(struct sweeper *sweeper)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < sweeper->coordinator->zones_len; i++) {
        if (!sweeper->sweeps[i].running) {
            next = MIN(next, sweeper->sweeps[i].due_ms);
        }
    }
    loop_timer_at(sweeper->timer, next);
}

static void on_timer(void *context)
{
    struct sweeper *sweeper = context;
    uint64_t now = coordinator_now().mono_ms;
    for (size_t i = 0; i < sweeper->coordinator->zones_len; i++) {
        struct sweep *sweep = &sweeper->sweeps[i];
        if (sweep->running || sweep->due_ms > now) {
            continue;
        }
        bool ready = strcmp(loader_state(sweeper->coordinator->loader), "live") == 0;
        static const struct sweep_order repair = {.apply = true};
        enum err err = ready ? sweeper_run(sweeper, (uint16_t)i, &repair, NULL, NULL) : ERR_AGAIN;
        if (err != ERR_OK) {
            sweep->due_ms = now + 10000; /* the zone's writer or the loader is not ready: soon again */
        }
    }
    schedule(sweeper);
}

enum err sweeper_new(struct coordinator *coordinator, struct sweeper **ret_sweeper)
{
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    if (sweeper == NULL) {
        return ERR_NOMEM;
    }
    sweeper->coordinator = coordinator;
    sweeper->sweeps = calloc(coordinator->zones_len, sizeof(*sweeper->sweeps));
    if (sweeper->sweeps == NULL || loop_timer_new(coordinator->loop, on_timer, sweeper, &sweeper->timer) != ERR_OK) {
        free(sweeper->sweeps);
        free(sweeper);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        struct sweep *sweep = &sweeper->sweeps[i];
        sweep->sweeper = sweeper;
        sweep->zone = (uint16_t)i;
        sweep->due_ms = coordinator_now().mono_ms + crypto_random_u64() % (zone_config_of(sweep)->sweep_every_ms + 1);
    }
    schedule(sweeper);
    *ret_sweeper = sweeper;
    return ERR_OK;
}

void sweeper_free(struct sweeper *sweeper)
{
    if (sweeper == NULL) {
        return;
    }
    for (size_t i = 0; i < sweeper->coordinator->zones_len; i++) {
        clean(&sweeper->sweeps[i]);
    }
    loop_timer_free(sweeper->timer);
    free(sweeper->sweeps);
    free(sweeper);
}
