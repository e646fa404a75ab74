/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/coordinator.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "coordinator/stops.h"
#include "coordinator/whoami.h"
#include "mqtt/messages.h"
#include "mqtt/topics.h"
#include "net/notify.h"
#include "sql/storelock.h"

#define MESSAGES_A_TURN   1000 /* then the loop looks at its other work */
#define INTAKE_POLL_MS    2    /* pause between two looks while messages stream in */
#define WORKER_QUEUE_MAX  4096
#define SESSION_QUEUE_MAX 4096
#define SESSION_WINDOW    100 /* below the broker's max_inflight_messages 200 */
#define SESSION_TICK_MS   500 /* Paho's receive thread sleeps 100 ms after an idle second */
#define BACKOFF_BASE_MS   200
#define BACKOFF_CAP_MS    30000
#define STOP_DRAIN_MS     2000
#define RELOAD_LATER_MS   100 /* a sweep's page is being read: look again */

struct core_time coordinator_now(void)
{
    return (struct core_time){.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
}

/* ---- core's ways out ---- */

static enum err on_publish(void *context, const struct core_publish *publish)
{
    struct coordinator *coordinator = context;
    if (session_queued(coordinator->session) >= ACKS_IN_FLIGHT_MAX) {
        return ERR_LIMIT;
    }
    const struct session_publish request = {
        .topic = publish->topic, .payload = publish->payload, .qos = publish->qos, .retain = publish->retain};
    return session_publish(coordinator->session, &request);
}

static enum err on_submit(void *context, uint16_t zone, const struct rrset_change *change)
{
    struct coordinator *coordinator = context;
    return engine_zone_submit(coordinator->zones[zone].engine_zone, change);
}

struct commit_job {
    struct coordinator *coordinator;
    struct store_batch *batch;
    enum err err;
    struct errinfo info;
};

static void commit_work(void *context)
{
    struct commit_job *job = context;
    job->err = job->coordinator->store_ops->commit(job->coordinator->store, job->batch, &job->info);
}

void coordinator_arm_tick(struct coordinator *coordinator, uint64_t at_ms)
{
    if (at_ms < coordinator->tick_ms) {
        coordinator->tick_ms = at_ms;
        loop_timer_at(coordinator->tick, at_ms);
    }
}

static void commit_done(void *context)
{
    struct commit_job *job = context;
    struct coordinator *coordinator = job->coordinator;
    core_committed(coordinator->core, coordinator_now(), job->err, &job->info);
    free(job);
    coordinator_arm_tick(coordinator, coordinator_now().mono_ms + 5); /* joined acks and retries have new deadlines */
}

static void on_commit(void *context, struct store_batch *batch)
{
    struct coordinator *coordinator = context;
    struct commit_job *job = calloc(1, sizeof(*job));
    enum err err = ERR_NOMEM;
    if (job != NULL) {
        job->coordinator = coordinator;
        job->batch = batch;
        err = loop_worker_submit(coordinator->worker, commit_work, commit_done, job);
    }
    if (err != ERR_OK) {
        struct errinfo info = {0};
        free(job);
        (void)errinfo_set(&info, err, "store", 0, "the store's queue is full");
        core_committed(coordinator->core, coordinator_now(), err, &info);
    }
}

static void on_reconcile(void *context, uint32_t device)
{
    struct coordinator *coordinator = context;
    loader_reconcile_device(coordinator->loader, device);
}

static void on_replay(void *context, uint8_t shard)
{
    struct coordinator *coordinator = context;
    loader_replay_shard(coordinator->loader, shard);
}

static uint64_t on_dropped(void *context)
{
    const struct coordinator *coordinator = context;
    return intake_overflows(coordinator->intake);
}

static uint64_t on_random(void *context)
{
    (void)context;
    return crypto_random_u64();
}

/* ---- messages ---- */

/* Paho's receive thread. */
static void on_message(void *context, const struct session_message *message)
{
    struct coordinator *coordinator = context;
    const struct core_message copy = {
        .topic = message->topic,
        .payload = message->payload,
        .observed = message->observed,
        .retained = message->retained,
        .received_ms = clock_mono_ms(),
    };
    (void)!intake_push(coordinator->intake, &copy); /* an overflow is counted there, and the loader replays */
    /* A read that writes: either on_intake_poll's exchange comes first and is seen here, or it sees the message. */
    if (atomic_fetch_add_explicit(&coordinator->intake_polled, 0, memory_order_acq_rel) == 0) {
        loop_wake(coordinator->intake_wake);
    }
}

/** @return how many messages were taken. */
static unsigned drain_intake(struct coordinator *coordinator)
{
    struct core_time now = coordinator_now();
    struct core_message message;
    unsigned taken = 0;
    while (taken < MESSAGES_A_TURN && intake_pop(coordinator->intake, &message)) {
        taken++;
        if (!loader_park(coordinator->loader, &message)) {
            core_message(coordinator->core, now, &message);
        }
    }
    core_flush(coordinator->core, now);
    coordinator_arm_tick(coordinator, now.mono_ms + SOON_MS);
    coordinator->drained_ms = now.mono_ms;
    return taken;
}

/* A wake a message costs more than the message itself (a write, a read, two switches). Once wakes come close together
 * the loop looks by itself every INTAKE_POLL_MS and is not woken, until it finds nothing. */
static void on_intake(void *context)
{
    struct coordinator *coordinator = context;
    uint64_t before_ms = coordinator->drained_ms;
    if (atomic_load_explicit(&coordinator->intake_polled, memory_order_relaxed) != 0) {
        return; /* a wake that was under way when the loop began to look by itself */
    }
    unsigned taken = drain_intake(coordinator);
    if (taken == MESSAGES_A_TURN) {
        loop_wake(coordinator->intake_wake);
    } else if (coordinator->drained_ms - before_ms <= INTAKE_POLL_MS) {
        atomic_store_explicit(&coordinator->intake_polled, 1, memory_order_release);
        loop_timer_at(coordinator->intake_poll, coordinator->drained_ms + INTAKE_POLL_MS);
    }
}

static void on_intake_poll(void *context)
{
    struct coordinator *coordinator = context;
    unsigned taken = drain_intake(coordinator);
    if (taken > 0) {
        uint64_t pause_ms = taken == MESSAGES_A_TURN ? 0 : INTAKE_POLL_MS;
        loop_timer_at(coordinator->intake_poll, coordinator->drained_ms + pause_ms);
        return;
    }
    (void)atomic_exchange_explicit(&coordinator->intake_polled, 0, memory_order_acq_rel); /* what it was is known */
    if (intake_used(coordinator->intake) > 0) {
        loop_wake(coordinator->intake_wake);
    }
}

static void on_tick(void *context)
{
    struct coordinator *coordinator = context;
    coordinator->tick_ms = UINT64_MAX;
    uint64_t next = core_tick(coordinator->core, coordinator_now());
    loader_tick(coordinator->loader);
    feed_tick(coordinator);
    uint64_t overflows = intake_overflows(coordinator->intake);
    if (overflows != coordinator->overflows_seen) {
        coordinator->overflows_seen = overflows;
        log_event(LOG_LEVEL_WARN, "intake-overflow", "messages=%llu note=\"replaying what is retained\"",
                  (unsigned long long)overflows);
        loader_replay(coordinator->loader);
    }
    coordinator_arm_tick(coordinator, next);
}

/* ---- broker session ---- */

static void publish_presence(struct coordinator *coordinator, bool on)
{
    struct coord_message presence = {.on = on, .ts = clock_wall_ms()};
    (void)snprintf(presence.term, sizeof(presence.term), "%s", coordinator->term); /* fits */
    char topic[TOPIC_SIZE];
    struct strbuf body;
    strbuf_init(&body, 512);
    enum err err = topic_build(TOPIC_COORD_STATE, view_of(coordinator->settings->config.broker.client_id), topic);
    if (err == ERR_OK && (err = coord_encode(&presence, &body)) == ERR_OK) {
        const struct session_publish request = {
            .topic = topic, .payload = strbuf_view(&body), .qos = 1, .retain = true};
        err = session_publish(coordinator->session, &request);
    }
    if (err != ERR_OK && (on || err != ERR_STATE)) { /* without a connection the will has said "off" */
        log_event(LOG_LEVEL_WARN, "presence-failed", "s=%s error=%s", on ? "on" : "off", err_name(err));
    }
    strbuf_deinit(&body);
}

static void on_prepare(void *context, struct strbuf *will_payload)
{
    struct coordinator *coordinator = context;
    struct coord_message will = {.on = false, .ts = clock_wall_ms()};
    (void)snprintf(will.term, sizeof(will.term), "%s", coordinator->term); /* fits */
    (void)!coord_encode(&will, will_payload); /* without memory there is no will, and the birth is not retracted */
}

static void on_connected(void *context, const char *endpoint)
{
    struct coordinator *coordinator = context;
    log_event(LOG_LEVEL_NOTICE, "broker-connected", "endpoint=%s", endpoint);
    publish_presence(coordinator, true);
    loader_connected(coordinator->loader);
    feed_connected(coordinator);
    core_connected(coordinator->core, coordinator_now(), true);
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    struct coordinator *coordinator = context;
    log_event(LOG_LEVEL_WARN, "broker-disconnected", "error=%s reason=\"%s\"", err_name(err),
              reason != NULL ? reason : "");
    feed_disconnected(coordinator);
    core_connected(coordinator->core, coordinator_now(), false);
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    struct coordinator *coordinator = context;
    if (!feed_subscribed(coordinator, filter, err)) {
        loader_subscribed(coordinator->loader, filter, err);
    }
}

static enum err open_session(struct coordinator *coordinator)
{
    const struct coordinator_config *config = &coordinator->settings->config;
    char will_topic[TOPIC_SIZE];
    char tick_topic[TOPIC_SIZE];
    enum err err = topic_build(TOPIC_COORD_STATE, view_of(config->broker.client_id), will_topic);
    if (err != ERR_OK) {
        return err;
    }
    (void)snprintf(tick_topic, sizeof(tick_topic), TOPIC_ROOT "/coord/%s/tick",
                   config->broker.client_id); /* fits: id is capped */
    const struct session_options options = {
        .loop = coordinator->loop,
        .client_id = config->broker.client_id,
        .endpoints = config->broker.endpoints.items,
        .endpoints_len = config->broker.endpoints.len,
        .ca_file = config->broker.ca_file,
        .cert_file = config->broker.cert_file,
        .key_file = config->broker.key_file,
        .keepalive_s = (uint32_t)(config->broker.keepalive_ms / 1000),
        .backoff_base_ms = BACKOFF_BASE_MS,
        .backoff_cap_ms = BACKOFF_CAP_MS,
        .window = SESSION_WINDOW,
        .queue_max = SESSION_QUEUE_MAX,
        .tick_ms = SESSION_TICK_MS,
        .tick_topic = tick_topic,
        .will_topic = will_topic,
        .will_retain = true,
        .callbacks = {.prepare = on_prepare,
                      .connected = on_connected,
                      .disconnected = on_disconnected,
                      .message = on_message,
                      .subscribed = on_subscribed},
        .context = coordinator,
    };
    return session_new(&options, &coordinator->session);
}

/* ---- reload and stop ---- */

static void on_stop(void *context);

/* What --check-config would have said of a config that is in use now. */
static void log_warnings(const struct settings *settings)
{
    struct view rest = view_of(registry_warnings(settings->registry));
    struct view line;
    while (view_next(&rest, '\n', &line)) {
        if (line.len > 0) {
            log_event(LOG_LEVEL_WARN, "name-collision", "detail=\"%.*s\"", VIEW_ARG(line));
        }
    }
}

/* A file that was cut or generated from half of its source is good, all the same. */
static void log_shrinking(size_t before, size_t now)
{
    if (now * 2 < before) {
        log_event(LOG_LEVEL_WARN, "registry-shrunk",
                  "before=%zu now=%zu hint=\"when it is not meant, restore the file and reload, before the next sweep "
                  "deletes the records of the missing devices\"",
                  before, now);
    }
}

/* From the core's step on the new config counts, and accounts, key and fresh belong to the coordinator; before it
 * nothing has changed. Zone writers start anew; what an account refused before (a wrong password, say) is tried again
 * where its config is another one. */
static enum err swap_settings(struct coordinator *coordinator, struct settings *fresh, struct engine_account **accounts,
                              struct crypto_hmac *stamp_key)
{
    size_t old_accounts = coordinator->settings->config.accounts.len;
    bool replay = false;
    enum err err = core_reconfigure(coordinator->core, &fresh->config, fresh->registry, &replay);
    if (err != ERR_OK) {
        zones_free_accounts(accounts, fresh->config.accounts.len);
        settings_free(fresh);
        crypto_hmac_free(stamp_key);
        return err;
    }
    core_set_stamp_key(coordinator->core, stamp_key);
    crypto_hmac_free(coordinator->stamp_key);
    coordinator->stamp_key = stamp_key;
    bool deposed[ZONES_MAX];
    zones_find_deposed(coordinator, &fresh->config, deposed);
    sweeper_give_up(coordinator->sweeper);
    control_tests_give_up(coordinator);
    zones_close(coordinator);
    sweeper_free(TAKE(coordinator->sweeper));
    zones_free_accounts(coordinator->accounts, old_accounts);
    memcpy(coordinator->accounts, accounts, fresh->config.accounts.len * sizeof(struct engine_account *));
    struct settings *old = coordinator->settings;
    coordinator->settings = fresh;
    coordinator->zones_generation++;
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + fresh->config.log.level));
    settings_free(old);
    stops_restore(coordinator->stops);
    err = zones_open(coordinator, deposed);
    if (err == ERR_OK) {
        err = sweeper_new(coordinator, &coordinator->sweeper);
    }
    if (err != ERR_OK) {
        return err;
    }
    core_resubmit(coordinator->core, coordinator_now());
    loader_reconcile(coordinator->loader);
    feed_reloaded(coordinator);
    if (replay) {
        loader_replay(coordinator->loader);
    }
    return ERR_OK;
}

static enum err reload(struct coordinator *coordinator, struct strbuf *report)
{
    struct settings *fresh = NULL;
    struct engine_account *accounts[ACCOUNTS_MAX] = {0};
    struct crypto_hmac *stamp_key = NULL;
    enum err err = settings_load(coordinator->config_path, &fresh, report);
    if (err == ERR_OK) {
        err = settings_stamp_key(fresh, &stamp_key, report);
    }
    if (err == ERR_OK) {
        err = zones_make_accounts(coordinator, &fresh->config, accounts, report);
    }
    struct errinfo info = {0};
    if (err == ERR_OK && (err = whoami_reload(coordinator->whoami, &fresh->config, &info)) != ERR_OK) {
        (void)strbuf_addf(report, "%s: whoami: %s\n", coordinator->config_path, info.text); /* full: enough was said */
        zones_free_accounts(accounts, fresh->config.accounts.len);
    }
    if (err != ERR_OK) {
        crypto_hmac_free(stamp_key);
        settings_free(fresh);
        return err;
    }
    return swap_settings(coordinator, fresh, accounts, stamp_key);
}

static void on_reload(void *context)
{
    struct coordinator *coordinator = context;
    if (sweeper_is_busy(coordinator->sweeper)) {
        loop_timer_after(coordinator->reload_later, RELOAD_LATER_MS);
        return;
    }
    struct strbuf report;
    strbuf_init(&report, 64 * 1024);
    notify_reloading();
    size_t before = registry_count(coordinator->settings->registry);
    enum err err = reload(coordinator, &report);
    if (err == ERR_OK) {
        coordinator->reloads++;
        log_event(LOG_LEVEL_NOTICE, "reloaded", "registry_entries=%zu",
                  registry_count(coordinator->settings->registry));
        log_warnings(coordinator->settings);
        log_shrinking(before, registry_count(coordinator->settings->registry));
    } else if (coordinator->sweeper == NULL || coordinator->zones_len == 0) {
        log_event(LOG_LEVEL_ERROR, "reload-failed", "error=%s note=\"half applied: stopping, to be started again\"",
                  err_name(err));
        coordinator->exit_err = err;
        on_stop(coordinator);
    } else {
        log_event(LOG_LEVEL_ERROR, "reload-refused", "error=%s note=\"the old config stays\" first=\"%.*s\"",
                  err_name(err), (int)strcspn(strbuf_str(&report), "\n"), strbuf_str(&report));
    }
    strbuf_deinit(&report);
    notify_ready();
}

static void on_session_stopped(void *context)
{
    struct coordinator *coordinator = context;
    loop_stop(coordinator->loop);
}

static void on_stop(void *context)
{
    struct coordinator *coordinator = context;
    if (coordinator->stopping) {
        return;
    }
    coordinator->stopping = true;
    notify_stopping();
    log_event(LOG_LEVEL_NOTICE, "stopping", "uptime_ms=%llu",
              (unsigned long long)(clock_mono_ms() - coordinator->started_ms));
    core_flush(coordinator->core, coordinator_now());
    publish_presence(coordinator, false);
    session_stop(coordinator->session, STOP_DRAIN_MS, on_session_stopped, coordinator);
}

/* ---- life ---- */

static enum err open_store(struct coordinator *coordinator, struct strbuf *report)
{
    const char *path = coordinator->settings->config.store.path;
    struct errinfo info = {0};
    const struct store_options options = {.path = path};
    coordinator->store_ops = &store_sqlite;
    enum err err = storelock_take(path, &coordinator->store_lock, &info);
    if (err == ERR_OK) {
        err = coordinator->store_ops->open(&options, &coordinator->store, &info);
    }
    uint64_t term = 0;
    if (err == ERR_OK) {
        err = coordinator->store_ops->claim_zone(coordinator->store, STORE_TERM_NAME, 0, &term, &info);
    }
    if (err != ERR_OK) {
        (void)strbuf_addf(report, "%s: %s: %s\n", path, err_text(err), info.text);
        return err;
    }
    char uuid[STORE_UUID_SIZE];
    coordinator->store_ops->uuid(coordinator->store, uuid);
    (void)snprintf(coordinator->term, sizeof(coordinator->term), "%s:%llu", uuid, (unsigned long long)term); /* fits */
    return ERR_OK;
}

static enum err make_core(struct coordinator *coordinator)
{
    uint64_t rev = 0;
    enum err err = coordinator->store_ops->last_rev(coordinator->store, &rev);
    struct store_feed feed;
    if (err == ERR_OK) {
        err = coordinator->store_ops->feed(coordinator->store, &feed);
    }
    if (err != ERR_OK) {
        return err;
    }
    const struct core_options options = {
        .config = &coordinator->settings->config,
        .registry = coordinator->settings->registry,
        .stamp_key = coordinator->stamp_key,
        .term = coordinator->term,
        .last_rev = rev,
        .kid = coordinator->settings->config.broker.client_id,
        .feed = feed,
        .ops = {.publish = on_publish,
                .submit = on_submit,
                .commit = on_commit,
                .random = on_random,
                .reconcile = on_reconcile,
                .replay = on_replay,
                .dropped = on_dropped},
        .context = coordinator,
    };
    return core_new(&options, &coordinator->core);
}

static enum err make_loop(struct coordinator *coordinator)
{
    static const struct {
        int signum;
        loop_fn fn;
    } signals[] = {{SIGHUP, on_reload}, {SIGTERM, on_stop}, {SIGINT, on_stop}};
    enum err err = loop_new(&coordinator->loop);
    if (err == ERR_OK) {
        err = loop_worker_new(coordinator->loop, "store", WORKER_QUEUE_MAX, &coordinator->worker);
    }
    if (err == ERR_OK) {
        err = loop_wake_new(coordinator->loop, on_intake, coordinator, &coordinator->intake_wake);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(coordinator->loop, on_intake_poll, coordinator, &coordinator->intake_poll);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(coordinator->loop, on_tick, coordinator, &coordinator->tick);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(coordinator->loop, on_reload, coordinator, &coordinator->reload_later);
    }
    for (size_t i = 0; i < ARRAY_LEN(signals) && err == ERR_OK; i++) {
        err =
            loop_signal_new(coordinator->loop, signals[i].signum, signals[i].fn, coordinator, &coordinator->signals[i]);
    }
    if (err == ERR_OK) {
        err = intake_new(INTAKE_RING_BYTES, &coordinator->intake);
    }
    return err;
}

static enum err assemble(struct coordinator *coordinator, struct strbuf *report)
{
    enum err err = settings_stamp_key(coordinator->settings, &coordinator->stamp_key, report);
    if (err == ERR_OK) {
        err = open_store(coordinator, report);
    }
    if (err == ERR_OK) {
        err = make_loop(coordinator);
    }
    if (err == ERR_OK) {
        err = make_core(coordinator);
    }
    if (err == ERR_OK) {
        err = engine_new(coordinator->loop, &coordinator->engine);
    }
    if (err == ERR_OK) {
        err = zones_make_accounts(coordinator, &coordinator->settings->config, coordinator->accounts, report);
    }
    if (err == ERR_OK) {
        err = stops_new(coordinator, &coordinator->stops);
    }
    if (err == ERR_OK) {
        stops_restore(coordinator->stops);
    }
    if (err == ERR_OK) {
        err = zones_open(coordinator, NULL);
    }
    if (err == ERR_OK) {
        err = open_session(coordinator);
    }
    if (err == ERR_OK) {
        err = loader_new(coordinator, &coordinator->loader);
    }
    if (err == ERR_OK) {
        err = sweeper_new(coordinator, &coordinator->sweeper);
    }
    if (err == ERR_OK) {
        err = notify_watchdog_new(coordinator->loop, &coordinator->watchdog);
    }
    struct errinfo info = {0};
    if (err == ERR_OK) {
        err = control_new(coordinator, &coordinator->control, &info);
    }
    if (err == ERR_OK) {
        err = whoami_new(coordinator->loop, &coordinator->settings->config, &coordinator->whoami, &info);
    }
    if (err != ERR_OK && strbuf_view(report).len == 0) {
        (void)strbuf_addf(report, "muster-coordinator: cannot start: %s %s\n", err_text(err), info.text);
    }
    return err;
}

enum err coordinator_new(const char *config_path, struct coordinator **ret_coordinator, struct strbuf *report)
{
    struct coordinator *coordinator = calloc(1, sizeof(*coordinator));
    if (coordinator == NULL) {
        return ERR_NOMEM;
    }
    coordinator->config_path = config_path;
    coordinator->store_lock = -1;
    coordinator->tick_ms = UINT64_MAX;
    coordinator->started_ms = clock_mono_ms();
    enum err err = settings_load(config_path, &coordinator->settings, report);
    if (err == ERR_OK) {
        log_set_level((enum log_level)(LOG_LEVEL_ERROR + coordinator->settings->config.log.level));
        log_warnings(coordinator->settings);
        err = assemble(coordinator, report);
    }
    if (err != ERR_OK) {
        coordinator_free(coordinator);
        return err;
    }
    *ret_coordinator = coordinator;
    return ERR_OK;
}

enum err coordinator_run(struct coordinator *coordinator)
{
    log_event(LOG_LEVEL_NOTICE, "started", "version=%s term=%s devices=%zu zones=%zu", MUSTER_VERSION,
              coordinator->term, registry_count(coordinator->settings->registry), coordinator->zones_len);
    loader_reconcile_if_changed(coordinator->loader); /* the registry may have changed while nobody watched */
    loader_start(coordinator->loader);
    session_start(coordinator->session);
    coordinator_arm_tick(coordinator, clock_mono_ms() + 100);
    notify_ready();
    loop_run(coordinator->loop);
    return coordinator->exit_err;
}

void coordinator_free(struct coordinator *coordinator)
{
    if (coordinator == NULL) {
        return;
    }
    loop_worker_free(coordinator->worker); /* first: what it still delivers acks over the session, answers over HTTP */
    control_tests_give_up(coordinator);    /* who still waits is told while there is somebody to tell it */
    if (coordinator->sweeper != NULL) {
        sweeper_give_up(coordinator->sweeper);
    }
    control_free(coordinator->control);
    whoami_free(coordinator->whoami);
    notify_watchdog_free(coordinator->watchdog);
    session_free(coordinator->session);
    sweeper_free(coordinator->sweeper);
    zones_close(coordinator);
    engine_free(coordinator->engine);
    stops_free(coordinator->stops);
    loader_free(coordinator->loader);
    core_free(coordinator->core);
    loop_free(coordinator->loop);
    if (coordinator->store != NULL) {
        coordinator->store_ops->close(coordinator->store);
    }
    storelock_release(coordinator->store_lock);
    intake_free(coordinator->intake);
    crypto_hmac_free(coordinator->stamp_key);
    settings_free(coordinator->settings);
    free(coordinator);
}
