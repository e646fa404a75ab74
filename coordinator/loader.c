/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an empty memory to a full one while live messages are served:
 *
 *   start ─▶ devices from the store, shard by shard ─▶ pending records ─▶ (registry changed: reconcile) ─▶ live
 *   connected ─▶ every shard subscribed without its retained states: changes come at once
 *             ─▶ loaded shards subscribed again with them, the next when the last SUBACK came: the replay paces itself
 *
 * A live message of a shard that is not loaded waits beside it, and its shard is loaded next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/limits.h"
#include "coordinator/loader_private.h"
#include "mqtt/topics.h"

#define RECORDS_A_PAGE 2000
#define RECORDS_MAX    32000 /* of one device, with those that no sweep has deleted yet */
#define RETRY_MS       1000
#define COUNT_EVERY_MS 10000       /* counting a million records takes 44 ms of the store's worker */
#define PARKED_MAX     (16u << 20) /* bytes of messages that wait for their shard */

static void next_job(struct loader *loader);

static void on_retry(void *context)
{
    struct loader *loader = context;
    if (loader->phase == PHASE_LIVE && loader->reconcile_again) {
        loader->reconcile_again = false;
        loader->reconcile_wanted = true;
    }
    next_job(loader);
}

/* The store could not be read, or its queue is full: not in a loop without a pause. */
static void retry_later(struct loader *loader)
{
    loop_timer_after(loader->retry, RETRY_MS);
}

/* Forgets what is in them. */
static enum err grow_records(struct loader *loader, size_t size)
{
    struct record_row *records = calloc(size, sizeof(*records));
    struct store_record *device_records = calloc(size, sizeof(*device_records));
    if (records == NULL || device_records == NULL) {
        free(records);
        free(device_records);
        return ERR_NOMEM;
    }
    free(loader->records);
    free(loader->device_records);
    loader->records = records;
    loader->device_records = device_records;
    loader->records_size = size;
    loader->records_len = 0;
    return ERR_OK;
}

enum err loader_new(struct coordinator *coordinator, struct loader **ret_loader)
{
    struct loader *loader = calloc(1, sizeof(*loader));
    if (loader == NULL) {
        return ERR_NOMEM;
    }
    loader->coordinator = coordinator;
    loader->urgent = -1;
    loader->replay_next = SHARDS;
    for (int i = 0; i < SHARDS; i++) {
        loader->parked_tail[i] = &loader->parked[i];
    }
    if (grow_records(loader, RECORDS_A_PAGE) != ERR_OK ||
        loop_timer_new(coordinator->loop, on_retry, loader, &loader->retry) != ERR_OK) {
        free(loader->device_records);
        free(loader->records);
        free(loader);
        return ERR_NOMEM;
    }
    *ret_loader = loader;
    return ERR_OK;
}

static void free_parked(struct loader *loader, int shard)
{
    while (loader->parked[shard] != NULL) {
        struct parked *parked = loader->parked[shard];
        loader->parked[shard] = parked->next;
        free(parked);
    }
    loader->parked_tail[shard] = &loader->parked[shard];
}

void loader_free(struct loader *loader)
{
    if (loader == NULL) {
        return;
    }
    for (int i = 0; i < SHARDS; i++) {
        free_parked(loader, i);
    }
    loop_timer_free(loader->retry);
    free(loader->rows);
    free(loader->regs);
    queue_deinit(&loader->some);
    free(loader->device_records);
    free(loader->records);
    free(loader);
}

/* ---- devices ---- */

static enum err copy_device(void *context, const struct store_device *device)
{
    struct loader *loader = context;
    if (loader->rows_len == loader->rows_size) {
        size_t size = loader->rows_size == 0 ? 1024 : loader->rows_size * 2;
        struct row *rows = realloc(loader->rows, size * sizeof(*rows));
        if (rows == NULL) {
            return ERR_NOMEM;
        }
        loader->rows = rows;
        loader->rows_size = size;
    }
    struct row *row = &loader->rows[loader->rows_len++];
    row->device = *device;
    return view_copy(view_of(device->id), row->id, sizeof(row->id));
}

static enum err copy_reg(void *context, const struct store_reg *reg)
{
    struct loader *loader = context;
    if (loader->regs_len == loader->regs_size) {
        size_t size = loader->regs_size == 0 ? 256 : loader->regs_size * 2;
        struct reg_copy *regs = realloc(loader->regs, size * sizeof(*regs));
        if (regs == NULL) {
            return ERR_NOMEM;
        }
        loader->regs = regs;
        loader->regs_size = size;
    }
    struct reg_copy *copy = &loader->regs[loader->regs_len++];
    copy->reg = *reg;
    enum err err = view_copy(view_of(reg->id), copy->id, sizeof(copy->id));
    if (err == ERR_OK) {
        err = view_copy(view_of(reg->group), copy->group, sizeof(copy->group));
    }
    if (err == ERR_OK) {
        err = view_copy(view_of(reg->site), copy->site, sizeof(copy->site));
    }
    return err == ERR_OK ? view_copy(view_of(reg->detail), copy->detail, sizeof(copy->detail)) : err;
}

static void load_shard_work(void *context)
{
    struct loader *loader = context;
    struct coordinator *coordinator = loader->coordinator;
    loader->rows_len = loader->regs_len = 0;
    loader->job_err = coordinator->store_ops->each_device(coordinator->store, loader->job_shard, copy_device, loader);
    if (loader->job_err == ERR_OK) {
        loader->job_err = coordinator->store_ops->each_reg(coordinator->store, loader->job_shard, copy_reg, loader);
    }
}

static void deliver_parked(struct loader *loader, int shard)
{
    struct core_time now = coordinator_now();
    for (struct parked *parked = loader->parked[shard]; parked != NULL; parked = parked->next) {
        core_message(loader->coordinator->core, now, &parked->message);
        loader->parked_bytes -= parked->message.topic.len + parked->message.observed.len + parked->message.payload.len;
    }
    free_parked(loader, shard);
    core_flush(loader->coordinator->core, now);
}

/* Every device of the shard, or the shard does not count as loaded: whose device is not known, its records are an
 * orphan's to the reconcile. What was taken over before is known the next time. */
static enum err take_rows(struct loader *loader)
{
    for (size_t i = 0; i < loader->rows_len; i++) {
        loader->rows[i].device.id = loader->rows[i].id;
        enum err err = core_load_device(loader->coordinator->core, &loader->rows[i].device);
        if (err != ERR_OK) {
            log_event(LOG_LEVEL_ERROR, "device-load-failed", "device=%s error=%s", loader->rows[i].id, err_name(err));
            return err;
        }
    }
    for (size_t i = 0; i < loader->regs_len; i++) {
        struct reg_copy *copy = &loader->regs[i];
        copy->reg.id = copy->id;
        copy->reg.group = copy->group;
        copy->reg.site = copy->site;
        copy->reg.detail = copy->detail;
        enum err err = core_load_reg(loader->coordinator->core, &copy->reg);
        if (err != ERR_OK) {
            log_event(LOG_LEVEL_ERROR, "device-load-failed", "device=%s error=%s", copy->id, err_name(err));
            return err;
        }
    }
    return ERR_OK;
}

static void load_shard_done(void *context)
{
    struct loader *loader = context;
    int shard = loader->job_shard;
    enum err err = loader->job_err == ERR_OK ? take_rows(loader) : loader->job_err;
    loader->job_running = false;
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "shard-load-failed", "shard=%02x error=%s retry_ms=%d", (unsigned)shard,
                  err_name(err), RETRY_MS);
        loader->shards[shard] = SHARD_UNLOADED;
        retry_later(loader);
        return;
    }
    loader->shards[shard] = SHARD_LOADED;
    loader->shards_loaded++;
    deliver_parked(loader, shard);
    loader_continue_replay(loader);
    next_job(loader);
}

static int shard_to_load(struct loader *loader)
{
    int urgent = loader->urgent;
    loader->urgent = -1;
    if (urgent >= 0 && loader->shards[urgent] == SHARD_UNLOADED) {
        return urgent;
    }
    for (int i = 0; i < SHARDS; i++) {
        if (loader->shards[i] == SHARD_UNLOADED) {
            return i;
        }
    }
    return -1;
}

/* ---- records ---- */

static enum err copy_record(void *context, const struct store_record *record)
{
    struct loader *loader = context;
    if (loader->records_len == loader->records_size) {
        return ERR_LIMIT;
    }
    struct record_row *row = &loader->records[loader->records_len++];
    row->record = *record;
    enum err err = view_copy(view_of(record->zone), row->zone, sizeof(row->zone));
    if (err == ERR_OK) {
        err = view_copy(view_of(record->name), row->name, sizeof(row->name));
    }
    if (err == ERR_OK) {
        err = view_copy(view_of(record->device != NULL ? record->device : ""), row->device, sizeof(row->device));
    }
    row->error[0] = '\0';
    row->record.zone = row->zone;
    row->record.name = row->name;
    row->record.device = row->device[0] != '\0' ? row->device : NULL;
    row->record.error = row->error;
    return err;
}

static void load_page_work(void *context)
{
    struct loader *loader = context;
    struct coordinator *coordinator = loader->coordinator;
    const struct store_record_query query = {
        .pending_only = loader->phase == PHASE_PENDING,
        .after_zone = loader->after_set ? loader->after_zone : NULL,
        .after_name = loader->after_set ? loader->after_name : NULL,
        .after_type = loader->after_type,
        .limit = RECORDS_A_PAGE,
    };
    loader->records_len = 0;
    loader->job_err = coordinator->store_ops->each_record(coordinator->store, &query, copy_record, loader);
}

static void remember_page_end(struct loader *loader)
{
    const struct record_row *last = &loader->records[loader->records_len - 1];
    memcpy(loader->after_zone, last->zone, sizeof(last->zone));
    memcpy(loader->after_name, last->name, sizeof(last->name));
    loader->after_type = last->record.type;
    loader->after_set = true;
}

static bool device_is_gone(const struct loader *loader, const struct record_row *row)
{
    struct device_table *devices = core_devices(loader->coordinator->core);
    uint32_t index = row->device[0] != '\0' ? device_find(devices, view_of(row->device)) : DEVICE_NONE;
    return index == DEVICE_NONE ||
           (device_at(devices, index)->flags & DEVICE_KNOWN) == 0; /* or an orphan's owner only */
}

/* A reload during this one asks for another: a job that runs was made for the registry of its time. */
static void start_reconcile(struct loader *loader)
{
    loader->reconcile_wanted = false;
    loader->reconcile_again = false;
    loader->reconcile_next = 0;
    loader->after_set = false;
    loader->phase = PHASE_RECONCILE;
}

static void next_phase(struct loader *loader)
{
    loader->after_set = false;
    switch (loader->phase) {
    case PHASE_PENDING:
        loader->phase = PHASE_LIVE;
        if (loader->reconcile_wanted) {
            start_reconcile(loader);
        }
        break;
    case PHASE_RECONCILE:
        loader->phase = PHASE_ORPHANS;
        break;
    default:
        loader->phase = PHASE_LIVE;
        break;
    }
    if (loader->phase == PHASE_LIVE && loader->reconcile_again) {
        retry_later(loader); /* when what it waits for is in the store */
    } else if (loader->phase == PHASE_LIVE && loader->fingerprint != 0 && !loader->reconcile_wanted) {
        loader->fingerprint_due = true;
        core_reconciled(loader->coordinator->core);
    }
    if (loader->phase == PHASE_LIVE) {
        log_event(LOG_LEVEL_NOTICE, "loaded", "devices=%u", device_count(core_devices(loader->coordinator->core)));
    }
}

static void load_page_done(void *context)
{
    struct loader *loader = context;
    struct core_time now = coordinator_now();
    loader->job_running = false;
    if (loader->job_err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "records-load-failed", "error=%s retry_ms=%d", err_name(loader->job_err), RETRY_MS);
        retry_later(loader); /* the same page: what is pending must not be forgotten until the next start */
        return;
    }
    for (size_t i = 0; i < loader->records_len; i++) {
        struct record_row *row = &loader->records[i];
        if (loader->phase == PHASE_PENDING) {
            if (core_load_pending(loader->coordinator->core, now, &row->record) != ERR_OK) {
                log_event(LOG_LEVEL_WARN, "pending-not-resumed", "name=%s", row->name);
            }
        } else if (device_is_gone(loader, row) &&
                   !core_reconcile_orphan(loader->coordinator->core, now, &row->record)) {
            loader->reconcile_again = true;
        }
    }
    core_flush(loader->coordinator->core, now);
    if (loader->records_len == RECORDS_A_PAGE) {
        remember_page_end(loader);
    } else {
        next_phase(loader);
    }
    next_job(loader);
}

/* ---- reconcile ---- */

/* Adds the rows of one device. The first one of a page gets more room; what is too much even then counts as not stored:
 * what the device wants of it is wanted again, and the rest is given up when a sweep has made room. */
static enum err read_device(struct loader *loader, size_t at)
{
    struct coordinator *coordinator = loader->coordinator;
    const struct store_record_query query = {.device = loader->reconcile_ids[at]};
    enum err err = coordinator->store_ops->each_record(coordinator->store, &query, copy_record, loader);
    while (err == ERR_LIMIT && at == 0 && loader->records_size < RECORDS_MAX) {
        err = grow_records(loader, loader->records_size * 2);
        if (err == ERR_OK) {
            err = coordinator->store_ops->each_record(coordinator->store, &query, copy_record, loader);
        }
    }
    return err == ERR_LIMIT && at == 0 ? ERR_OK : err;
}

static void reconcile_work(void *context)
{
    struct loader *loader = context;
    loader->records_len = 0;
    loader->reconcile_cut = 0;
    loader->job_err = ERR_OK;
    for (size_t i = 0; i < loader->reconcile_len && loader->job_err == ERR_OK; i++) {
        size_t first = loader->records_len;
        loader->job_err = read_device(loader, i);
        if (loader->job_err == ERR_LIMIT && i > 0) {
            loader->records_len = first; /* the page is full: the rest of the devices comes next */
            loader->reconcile_cut = loader->reconcile_len - i;
            loader->reconcile_len = i;
            loader->job_err = ERR_OK;
            return;
        }
        for (size_t k = first; k < loader->records_len; k++) {
            loader->records[k].device_index = loader->reconcile_refs[i];
        }
    }
}

static void reconcile_done(void *context)
{
    struct loader *loader = context;
    struct core_time now = coordinator_now();
    loader->job_running = false;
    struct store_record *records = loader->device_records;
    size_t at = 0;
    bool again = false;
    for (size_t i = 0; i < loader->reconcile_len && loader->job_err == ERR_OK; i++) {
        size_t len = 0;
        while (at < loader->records_len && loader->records[at].device_index == loader->reconcile_refs[i]) {
            records[len++] = loader->records[at++].record;
        }
        bool all = core_reconcile(loader->coordinator->core, now, loader->reconcile_refs[i], records, len);
        if (all) {
            core_reconciled_device(loader->coordinator->core, loader->reconcile_refs[i]);
        } else if (loader->doing_some) {
            (void)!queue_push(&loader->some, loader->reconcile_refs[i], 0); /* takes the place just freed */
            again = true;
        } else {
            loader->reconcile_again = true;
        }
    }
    if (loader->job_err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "reconcile-failed", "error=%s retry_ms=%d", err_name(loader->job_err), RETRY_MS);
        for (size_t i = 0; i < loader->reconcile_len && loader->doing_some; i++) {
            (void)!queue_push(&loader->some, loader->reconcile_refs[i], 0); /* takes the place just freed */
        }
        loader->doing_some = false;
        retry_later(loader); /* the same devices */
        return;
    }
    if (loader->doing_some) {
        loader->doing_some = false;
        for (size_t i = 0; i < loader->reconcile_cut; i++) {
            (void)!queue_push(&loader->some, loader->reconcile_refs[loader->reconcile_len + i],
                              0); /* takes the place just freed */
        }
        core_flush(loader->coordinator->core, now);
        if (again) {
            retry_later(loader);
        } else {
            next_job(loader);
        }
        return;
    }
    if (loader->reconcile_len > 0) {
        loader->reconcile_next = loader->reconcile_refs[loader->reconcile_len - 1] + 1;
    }
    core_flush(loader->coordinator->core, now);
    next_job(loader);
}

static void add_to_reconcile(struct loader *loader, uint32_t index)
{
    struct device_table *devices = core_devices(loader->coordinator->core);
    size_t at = loader->reconcile_len++;
    struct view id = device_id(devices, device_at(devices, index));
    memcpy(loader->reconcile_ids[at], id.ptr, id.len);
    loader->reconcile_ids[at][id.len] = '\0';
    loader->reconcile_refs[at] = index;
}

/* Those that were asked for by themselves. */
static bool fill_some(struct loader *loader)
{
    uint32_t index;
    loader->reconcile_len = 0;
    while (loader->reconcile_len < RECONCILE_BATCH && queue_pop(&loader->some, &index)) {
        add_to_reconcile(loader, index);
    }
    return loader->reconcile_len > 0;
}

static bool fill_reconcile(struct loader *loader)
{
    struct device_table *devices = core_devices(loader->coordinator->core);
    loader->reconcile_len = 0;
    for (uint32_t i = loader->reconcile_next; i < device_count(devices) && loader->reconcile_len < RECONCILE_BATCH;
         i++) {
        const struct device *device = device_at(devices, i);
        if ((device->flags & DEVICE_KNOWN) == 0) {
            loader->reconcile_next = i + 1;
            continue;
        }
        add_to_reconcile(loader, i);
    }
    return loader->reconcile_len > 0;
}

/* ---- jobs ---- */

static bool submit(struct loader *loader, loop_fn work, loop_fn done)
{
    enum err err = loop_worker_submit(loader->coordinator->worker, work, done, loader);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "loader-waits", "error=%s retry_ms=%d", err_name(err), RETRY_MS);
        retry_later(loader);
        return false;
    }
    return true;
}

static void next_job(struct loader *loader)
{
    if (loader->job_running || loader->coordinator->stopping) {
        return;
    }
    if (loader->phase == PHASE_DEVICES) {
        loader->job_shard = shard_to_load(loader);
        if (loader->job_shard >= 0) {
            loader->job_running = submit(loader, load_shard_work, load_shard_done);
            loader->shards[loader->job_shard] = loader->job_running ? SHARD_LOADING : SHARD_UNLOADED;
            return;
        }
        free(loader->rows);
        free(loader->regs);
        loader->rows = NULL;
        loader->regs = NULL;
        loader->rows_size = loader->regs_size = 0;
        loader->phase = PHASE_PENDING;
    }
    if (loader->phase == PHASE_RECONCILE) {
        if (fill_reconcile(loader)) {
            loader->job_running = submit(loader, reconcile_work, reconcile_done);
            return;
        }
        next_phase(loader);
    }
    if (loader->phase == PHASE_PENDING || loader->phase == PHASE_ORPHANS) {
        loader->job_running = submit(loader, load_page_work, load_page_done);
        return;
    }
    if (loader->phase == PHASE_LIVE && loader->reconcile_wanted) {
        start_reconcile(loader);
        next_job(loader);
    } else if (loader->phase == PHASE_LIVE && fill_some(loader)) {
        loader->doing_some = loader->job_running = submit(loader, reconcile_work, reconcile_done);
        for (size_t i = 0; i < loader->reconcile_len && !loader->job_running; i++) {
            (void)!queue_push(&loader->some, loader->reconcile_refs[i], 0); /* takes the place just freed */
        }
    }
}

void loader_start(struct loader *loader)
{
    loader->phase = PHASE_DEVICES;
    next_job(loader);
}

/* ---- the mark of a finished reconcile ---- */

/* One a mark: the next may be asked for while the worker still reads this one. */
struct mark_job {
    struct coordinator *coordinator;
    uint64_t fingerprint;
};

static void mark_work(void *context)
{
    const struct mark_job *job = context;
    struct errinfo info = {0};
    enum err err = job->coordinator->store_ops->set_reconciled(job->coordinator->store, job->fingerprint, &info);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "reconcile-not-noted", "error=%s detail=\"%s\"", err_name(err),
                  info.text); /* done again at start */
    }
}

static void mark(struct loader *loader, uint64_t fingerprint)
{
    struct mark_job *job = malloc(sizeof(*job));
    if (job == NULL) {
        return; /* as a full queue */
    }
    *job = (struct mark_job){.coordinator = loader->coordinator, .fingerprint = fingerprint};
    if (loop_worker_submit(loader->coordinator->worker, mark_work, free, job) != ERR_OK) {
        free(job); /* a full queue: reconciled again at start */
    }
}

/* ---- the number of records, for the summary ---- */

static void count_work(void *context)
{
    struct loader *loader = context;
    struct coordinator *coordinator = loader->coordinator;
    uint64_t devices;
    uint64_t pending;
    loader->count_err = coordinator->store_ops->count(coordinator->store, &devices, &loader->records_counted, &pending);
}

static void count_done(void *context)
{
    struct loader *loader = context;
    loader->counting = false;
    if (loader->count_err == ERR_OK) {
        core_set_records(loader->coordinator->core, loader->records_counted);
    }
}

static void count_records(struct loader *loader)
{
    uint64_t now = coordinator_now().mono_ms;
    struct core_stats stats;
    core_stats(loader->coordinator->core, &stats);
    if (loader->counting || now < loader->count_due_ms ||
        (stats.applied == loader->applied_counted && loader->count_due_ms != 0)) {
        return;
    }
    loader->applied_counted = stats.applied;
    loader->count_due_ms = now + COUNT_EVERY_MS;
    loader->counting = loop_worker_submit(loader->coordinator->worker, count_work, count_done, loader) == ERR_OK;
}

void loader_tick(struct loader *loader)
{
    if (loader->subscribe_again && session_is_connected(loader->coordinator->session)) {
        loader->subscribe_again = false;
        session_reconnect(loader->coordinator->session);
    }
    if (loader->phase == PHASE_LIVE) {
        count_records(loader);
    }
    if (loader->replay_some) {
        loader_continue_replay(loader); /* once a tick: whoever is let go at the same time comes in one replay */
    }
    if (loader->fingerprint_due && core_is_durable(loader->coordinator->core)) {
        loader->fingerprint_due = false;
        mark(loader, loader->fingerprint);
        loader->fingerprint = 0;
    }
}

void loader_reconcile(struct loader *loader)
{
    loader->reconcile_wanted = true;
    loader->fingerprint_due = false;
    loader->fingerprint = registry_fingerprint(loader->coordinator->settings->registry);
    mark(loader, 0); /* a crash in the middle must not look like a finished comparison with any registry */
    next_job(loader);
}

void loader_reconcile_device(struct loader *loader, uint32_t device)
{
    if (device == DEVICE_NONE) {
        loader_reconcile(loader);
    } else if (queue_push(&loader->some, device, 0) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "where=reconcile-device"); /* due in the store: the next start */
    } else {
        next_job(loader);
    }
}

bool loader_knows_all(const struct loader *loader)
{
    return loader->shards_loaded == SHARDS;
}

void loader_reconcile_if_changed(struct loader *loader)
{
    struct coordinator *coordinator = loader->coordinator;
    uint64_t noted = 0;
    enum err err = coordinator->store_ops->reconciled(coordinator->store, &noted);
    if (err != ERR_OK || noted != registry_fingerprint(coordinator->settings->registry)) {
        loader_reconcile(loader);
    } else {
        core_reconciled(coordinator->core);
    }
}

const char *loader_state(const struct loader *loader)
{
    switch (loader->phase) {
    case PHASE_IDLE:
    case PHASE_DEVICES:
    case PHASE_PENDING:
        return "loading";
    case PHASE_RECONCILE:
    case PHASE_ORPHANS:
        return "reconciling";
    case PHASE_LIVE:
        break;
    }
    if (loader->reconcile_again) {
        return "reconciling";
    }
    return loader->replay_next < SHARDS || loader->replay_outstanding > 0 ? "replaying" : "live";
}

/* ---- parking ---- */

static struct parked *copy_message(const struct core_message *message)
{
    size_t topic = message->topic.len;
    size_t observed = message->observed.len;
    struct parked *parked = malloc(sizeof(*parked) + topic + observed + message->payload.len);
    if (parked == NULL) {
        return NULL;
    }
    parked->next = NULL;
    parked->message = *message;
    memcpy(parked->bytes, message->topic.ptr, topic);
    memcpy(parked->bytes + topic, message->observed.ptr, observed);
    memcpy(parked->bytes + topic + observed, message->payload.ptr, message->payload.len);
    parked->message.topic.ptr = parked->bytes;
    parked->message.observed.ptr = parked->bytes + topic;
    parked->message.payload.ptr = parked->bytes + topic + observed;
    return parked;
}

bool loader_park(struct loader *loader, const struct core_message *message)
{
    struct topic topic;
    if (loader->shards_loaded == SHARDS || topic_parse_unchecked(message->topic, &topic) != ERR_OK ||
        loader->shards[topic.shard] == SHARD_LOADED) {
        return false;
    }
    size_t bytes = message->topic.len + message->observed.len + message->payload.len;
    struct parked *parked = loader->parked_bytes + bytes <= PARKED_MAX ? copy_message(message) : NULL;
    if (parked == NULL) {
        loader->replay_again = true; /* its retained state comes with the replay */
        return true;
    }
    loader->parked_bytes += bytes;
    *loader->parked_tail[topic.shard] = parked;
    loader->parked_tail[topic.shard] = &parked->next;
    loader->urgent = topic.shard;
    return true;
}
