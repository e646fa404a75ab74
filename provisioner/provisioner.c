/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/provisioner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/notify.h"
#include "provisioner/provisioner_private.h"

#define WORKER_QUEUE_MAX  1024
#define SESSION_QUEUE_MAX 4096
#define SESSION_WINDOW    100 /* below the broker's max_inflight_messages 200 */
#define SESSION_TICK_MS   500 /* Paho's receive thread sleeps 100 ms after an idle second */
#define BACKOFF_BASE_MS   200
#define BACKOFF_CAP_MS    30000
#define STOP_DRAIN_MS     2000
#define CID_BYTES         16

/** One message on its way to the desk. */
struct letter {
    struct letter *next;
    struct desk_letter letter; /* views into text */
    char text[];
};

struct desk_time provisioner_now(void)
{
    return (struct desk_time){.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
}

/* ---- out ---- */

void provisioner_publish(struct provisioner *provisioner, struct outbox *outbox)
{
    for (struct outgoing *next; (next = outbox_take(outbox)) != NULL;) {
        struct session *session = next->core ? provisioner->core.session : provisioner->prov.session;
        const struct session_publish publish = {.topic = next->topic,
                                                .payload = strbuf_view(&next->body),
                                                .qos = next->qos,
                                                .expiry_s = next->expiry_s,
                                                .cookie = next->cookie};
        enum err err = session != NULL ? session_publish(session, &publish) : ERR_STATE;
        if (err != ERR_OK && next->cookie != 0) {
            chores_delivered(provisioner, next->cookie, err);
        } else if (err != ERR_OK) { /* whoever waits for it asks again */
            log_event(LOG_LEVEL_WARN, "unsent", "broker=%s error=%s", next->core ? "core" : "prov", err_name(err));
        }
        outgoing_free(next);
    }
}

void provisioner_note(struct provisioner *provisioner, enum err err, uint64_t rev, const struct desk_stats *stats)
{
    if (err != ERR_OK && provisioner->store_err == ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "store-failing", "error=%s detail=\"%s\"", err_name(err),
                  desk_error(provisioner->desk)->text);
    } else if (err == ERR_OK && provisioner->store_err != ERR_OK) {
        log_event(LOG_LEVEL_NOTICE, "store-recovered", "rev=%llu", (unsigned long long)rev);
    }
    provisioner->store_err = err;
    provisioner->rev = rev;
    provisioner->stats = *stats;
}

/* ---- letters ---- */

struct reading {
    struct provisioner *provisioner;
    struct letter *letters;
    struct outbox outbox;
    enum err err;
    uint64_t rev;
    struct desk_stats stats;
};

static enum err read_all(struct reading *reading, const struct letter *first, const struct letter *end)
{
    struct desk *desk = reading->provisioner->desk;
    struct desk_time now = provisioner_now();
    enum err err = desk_begin(desk);
    if (err != ERR_OK) {
        return err;
    }
    for (const struct letter *letter = first; letter != end && err == ERR_OK; letter = letter->next) {
        err = desk_letter(desk, now, &letter->letter, &reading->outbox);
    }
    err = desk_end(desk, err);
    if (err != ERR_OK) {
        outbox_deinit(&reading->outbox); /* none of it happened */
    }
    return err;
}

/* Worker. One transaction for all of them; when that fails, each by itself, so that one row that cannot be read does
 * not stop the others. */
static void reading_work(void *context)
{
    struct reading *reading = context;
    reading->err = read_all(reading, reading->letters, NULL);
    if (reading->err != ERR_OK && reading->letters->next != NULL) {
        struct outbox all;
        outbox_init(&all);
        for (struct letter *letter = reading->letters; letter != NULL; letter = letter->next) {
            enum err err = read_all(reading, letter, letter->next);
            reading->err = err != ERR_OK ? err : reading->err;
            if (reading->outbox.first != NULL) {
                *all.last = reading->outbox.first;
                all.last = reading->outbox.last;
                outbox_init(&reading->outbox);
            }
        }
        reading->outbox = all;
        reading->outbox.last = all.first == NULL ? &reading->outbox.first : all.last;
    }
    reading->rev = store_rev(desk_store(reading->provisioner->desk));
    reading->stats = desk_stats(reading->provisioner->desk);
}

static void free_letters(struct letter *letters)
{
    for (struct letter *next; letters != NULL; letters = next) {
        next = letters->next;
        free(letters);
    }
}

static void read_letters(struct provisioner *provisioner);

static void reading_done(void *context)
{
    struct reading *reading = context;
    struct provisioner *provisioner = reading->provisioner;
    provisioner_note(provisioner, reading->err, reading->rev, &reading->stats);
    provisioner_publish(provisioner, &reading->outbox);
    free_letters(reading->letters);
    free(reading);
    provisioner->reading = false;
    read_letters(provisioner);
    chores_feed(provisioner);
}

/** Hands the oldest letters to the worker, unless it has some. */
static void read_letters(struct provisioner *provisioner)
{
    if (provisioner->reading || provisioner->letters == NULL) {
        return;
    }
    struct reading *reading = calloc(1, sizeof(*reading));
    if (reading == NULL) {
        return; /* the next letter tries again */
    }
    struct letter *last = provisioner->letters;
    size_t taken = 1;
    for (; taken < BATCH_MAX && last->next != NULL; taken++) {
        last = last->next;
    }
    reading->provisioner = provisioner;
    reading->letters = provisioner->letters;
    outbox_init(&reading->outbox);
    provisioner->letters = last->next;
    provisioner->letters_end = last->next == NULL ? &provisioner->letters : provisioner->letters_end;
    provisioner->letters_len -= taken;
    last->next = NULL;
    provisioner->reading = true;
    if (loop_worker_submit(provisioner->worker, reading_work, reading_done, reading) != ERR_OK) {
        provisioner->reading = false; /* no room, or stopping: dropped, devices ask again */
        free_letters(reading->letters);
        free(reading);
    }
}

static void on_inbox(void *context, const struct inbox_message *message)
{
    struct link *link = context;
    struct provisioner *provisioner = link->provisioner;
    struct letter *letter = provisioner->letters_len < 2 * INBOX_MAX
                                ? malloc(sizeof(*letter) + message->topic.len + message->payload.len)
                                : NULL;
    if (letter == NULL) {
        return; /* as a full inbox */
    }
    char *payload = letter->text + message->topic.len;
    memcpy(letter->text, message->topic.ptr, message->topic.len);
    if (message->payload.len > 0) {
        memcpy(payload, message->payload.ptr, message->payload.len);
    }
    letter->next = NULL;
    letter->letter = (struct desk_letter){.core = link->core,
                                          .topic = view_n(letter->text, message->topic.len),
                                          .payload = view_n(payload, message->payload.len)};
    *provisioner->letters_end = letter;
    provisioner->letters_end = &letter->next;
    provisioner->letters_len++;
    read_letters(provisioner);
}

/* Paho's receive thread. Of the fleet's reports only the awaited ones come in; who is seen is awaited from that moment,
 * since the report may be the very next message. */
static void on_message(void *context, const struct session_message *message)
{
    struct link *link = context;
    struct topic topic;
    if (link->core && topic_parse_unchecked(message->topic, &topic) == ERR_OK) {
        if (topic.kind == TOPIC_SEEN) {
            awaited_add(link->provisioner->awaited, topic.id);
        } else if (topic.kind == TOPIC_UP_STATE && !awaited_has(link->provisioner->awaited, topic.id)) {
            return;
        }
    }
    inbox_put(link->inbox, message);
}

/* ---- sessions ---- */

/* The fleet's reports at QoS 0: there are many, nearly all are dropped, and a device repeats its own. */
static const struct {
    bool core;
    uint8_t qos;
    const char *filter;
} FILTERS[] = {
    {false, 1, TOPIC_ROOT "/prov/+/+/req"}, {true, 1, TOPIC_ROOT "/seen/#"},
    {true, 0, TOPIC_ROOT "/up/+/+/state"},  {true, 1, TOPIC_ROOT "/up/+/+/csr"},
    {true, 1, TOPIC_ROOT "/coord/+/reg"},   {true, 1, TOPIC_ROOT "/coord/+/suspect"},
};

static void on_connected(void *context, const char *endpoint)
{
    struct link *link = context;
    log_event(LOG_LEVEL_NOTICE, "broker-connected", "broker=%s endpoint=%s", link->core ? "core" : "prov", endpoint);
    for (size_t i = 0; i < ARRAY_LEN(FILTERS); i++) {
        /* Not what is retained: a report from before says nothing about the certificate of now. */
        const struct session_filter filter = {
            .filter = FILTERS[i].filter, .qos = FILTERS[i].qos, .retain_handling = SESSION_RETAIN_NONE};
        enum err err = FILTERS[i].core == link->core ? session_subscribe(link->session, &filter) : ERR_OK;
        if (err != ERR_OK) {
            log_event(LOG_LEVEL_ERROR, "subscribe-failed", "filter=%s error=%s", filter.filter, err_name(err));
        }
    }
    if (link->core) {
        link->provisioner->flight_sent = false;
        chores_feed(link->provisioner);
    }
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    struct link *link = context;
    if (err == ERR_DENIED) {
        log_event(LOG_LEVEL_ERROR, "subscribe-refused",
                  "broker=%s filter=%s hint=\"the plugin does not know this as a provisioner\"",
                  link->core ? "core" : "prov", filter);
    }
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    struct link *link = context;
    log_event(LOG_LEVEL_WARN, "broker-disconnected", "broker=%s error=%s reason=\"%s\"", link->core ? "core" : "prov",
              err_name(err), reason != NULL ? reason : "");
}

static void on_delivered(void *context, uint64_t cookie, enum err err)
{
    struct link *link = context;
    chores_delivered(link->provisioner, cookie, err);
}

/* On the broker for provisioning every client id is random, so that nobody can push another out by taking its. */
static void make_client_id(const struct link *link, const struct provisioner_broker *broker, char *text, size_t size)
{
    uint8_t bytes[CID_BYTES];
    char hex[2 * CID_BYTES + 1];
    crypto_random(bytes, sizeof(bytes));
    crypto_hex(bytes, sizeof(bytes), hex);
    (void)snprintf(text, size, "%s", link->core ? broker->client_id : hex); /* fits: at most 40 characters */
}

static enum err open_link(struct provisioner *provisioner, struct link *link, const struct provisioner_broker *broker)
{
    char client_id[64];
    make_client_id(link, broker, client_id, sizeof(client_id));
    const struct session_options options = {
        .loop = provisioner->loop,
        .client_id = client_id,
        .endpoints = broker->endpoints.items,
        .endpoints_len = broker->endpoints.len,
        .ca_file = broker->ca_file,
        .cert_file = broker->cert_file,
        .key_file = broker->key_file,
        .keepalive_s = (uint32_t)(broker->keepalive_ms / 1000),
        .backoff_base_ms = BACKOFF_BASE_MS,
        .backoff_cap_ms = BACKOFF_CAP_MS,
        .window = SESSION_WINDOW,
        .queue_max = SESSION_QUEUE_MAX,
        .callbacks = {.connected = on_connected,
                      .disconnected = on_disconnected,
                      .message = on_message,
                      .delivered = on_delivered,
                      .subscribed = on_subscribed},
        .context = link,
    };
    enum err err = inbox_new(provisioner->loop, INBOX_MAX, on_inbox, link, &link->inbox);
    return err == ERR_OK ? session_new(&options, &link->session) : err;
}

/* ---- reload and stop ---- */

struct swapping {
    struct provisioner *provisioner;
    struct settings *settings; /* the new ones */
    enum err err;              /* of the authority, which is opened anew */
    struct errinfo info;
};

static void swapping_work(void *context)
{
    struct swapping *swapping = context;
    desk_set_settings(swapping->provisioner->desk, swapping->settings, provisioner_now());
    swapping->err = desk_reopen(swapping->provisioner->desk, &swapping->info);
}

static void swapping_done(void *context)
{
    struct swapping *swapping = context;
    struct settings *old = swapping->provisioner->settings;
    swapping->provisioner->settings = swapping->settings;
    swapping->provisioner->reloads++;
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + swapping->settings->config.log.level));
    log_event(LOG_LEVEL_NOTICE, "reloaded", "reloads=%llu", (unsigned long long)swapping->provisioner->reloads);
    if (swapping->err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "authority-failed", "note=\"the one of before stays\" error=%s detail=\"%s\"",
                  err_name(swapping->err), swapping->info.text);
    }
    settings_free(old);
    free(swapping);
}

static void on_reload(void *context)
{
    struct provisioner *provisioner = context;
    struct strbuf report;
    struct swapping *swapping = calloc(1, sizeof(*swapping));
    strbuf_init(&report, 64 * 1024);
    notify_reloading();
    enum err err = swapping != NULL ? settings_load(provisioner->config_path, &swapping->settings, &report) : ERR_NOMEM;
    if (err == ERR_OK) {
        swapping->provisioner = provisioner;
        err = loop_worker_submit(provisioner->worker, swapping_work, swapping_done, swapping);
    }
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "reload-refused", "error=%s note=\"the old config stays\" first=\"%.*s\"",
                  err_name(err), (int)strcspn(strbuf_str(&report), "\n"), strbuf_str(&report));
        if (swapping != NULL) {
            settings_free(swapping->settings);
        }
        free(swapping);
    }
    strbuf_deinit(&report);
    notify_ready();
}

static void on_prov_stopped(void *context)
{
    struct provisioner *provisioner = context;
    loop_stop(provisioner->loop);
}

static void on_core_stopped(void *context)
{
    struct provisioner *provisioner = context;
    session_stop(provisioner->prov.session, STOP_DRAIN_MS, on_prov_stopped, provisioner);
}

static void on_stop(void *context)
{
    struct provisioner *provisioner = context;
    if (provisioner->stopping) {
        return;
    }
    provisioner->stopping = true;
    notify_stopping();
    log_event(LOG_LEVEL_NOTICE, "stopping", "uptime_ms=%llu",
              (unsigned long long)(clock_mono_ms() - provisioner->started_ms));
    if (provisioner->core.session != NULL) {
        session_stop(provisioner->core.session, STOP_DRAIN_MS, on_core_stopped, provisioner);
    } else {
        on_core_stopped(provisioner);
    }
}

/* ---- life ---- */

static void on_tick(void *context)
{
    struct provisioner *provisioner = context;
    loop_timer_after(provisioner->tick, TICK_MS);
    chores_tick(provisioner);
    read_letters(provisioner);
}

static enum err make_loop(struct provisioner *provisioner)
{
    static const struct {
        int signum;
        loop_fn fn;
    } signals[] = {{SIGHUP, on_reload}, {SIGTERM, on_stop}, {SIGINT, on_stop}};
    enum err err = loop_new(&provisioner->loop);
    if (err == ERR_OK) {
        err = loop_worker_new(provisioner->loop, "desk", WORKER_QUEUE_MAX, &provisioner->worker);
    }
    if (err == ERR_OK) {
        err = loop_worker_new(provisioner->loop, "commands", 2, &provisioner->commands);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(provisioner->loop, on_tick, provisioner, &provisioner->tick);
    }
    for (size_t i = 0; i < ARRAY_LEN(signals) && err == ERR_OK; i++) {
        err =
            loop_signal_new(provisioner->loop, signals[i].signum, signals[i].fn, provisioner, &provisioner->signals[i]);
    }
    return err == ERR_OK ? awaited_new(&provisioner->awaited) : err;
}

static enum err assemble(struct provisioner *provisioner, struct strbuf *report)
{
    struct errinfo info = {0};
    const struct provisioner_config *config = &provisioner->settings->config;
    enum err err = make_loop(provisioner);
    if (err == ERR_OK) {
        err = desk_new(provisioner->settings, provisioner->awaited, provisioner_now(), &provisioner->desk, &info);
    }
    if (err == ERR_OK) {
        provisioner->told = store_told(desk_store(provisioner->desk));
        provisioner->told_stored = provisioner->told;
        provisioner->rev = store_rev(desk_store(provisioner->desk));
        err = open_link(provisioner, &provisioner->prov, &config->prov);
    }
    if (err == ERR_OK && settings_has_core(provisioner->settings)) {
        err = open_link(provisioner, &provisioner->core, &config->core);
    }
    if (err == ERR_OK) {
        err = notify_watchdog_new(provisioner->loop, &provisioner->watchdog);
    }
    if (err == ERR_OK) {
        err = control_open(provisioner, &info);
    }
    if (err != ERR_OK && strbuf_view(report).len == 0) {
        (void)strbuf_addf(report, "muster-provisioner: cannot start: %s %s\n", err_text(err), info.text);
    }
    return err;
}

enum err provisioner_new(const char *config_path, struct provisioner **ret_provisioner, struct strbuf *report)
{
    struct provisioner *provisioner = calloc(1, sizeof(*provisioner));
    if (provisioner == NULL) {
        return ERR_NOMEM;
    }
    provisioner->config_path = config_path;
    provisioner->letters_end = &provisioner->letters;
    provisioner->started_ms = clock_mono_ms();
    provisioner->prov = (struct link){.provisioner = provisioner};
    provisioner->core = (struct link){.provisioner = provisioner, .core = true};
    enum err err = settings_load(config_path, &provisioner->settings, report);
    if (err == ERR_OK) {
        log_set_level((enum log_level)(LOG_LEVEL_ERROR + provisioner->settings->config.log.level));
        err = assemble(provisioner, report);
    }
    if (err != ERR_OK) {
        provisioner_free(provisioner);
        return err;
    }
    *ret_provisioner = provisioner;
    return ERR_OK;
}

enum err provisioner_run(struct provisioner *provisioner)
{
    log_event(LOG_LEVEL_NOTICE, "started", "version=%s feed=%s rev=%llu core=%s", MUSTER_VERSION,
              store_uuid(desk_store(provisioner->desk)), (unsigned long long)provisioner->rev,
              provisioner->core.session != NULL ? "yes" : "no");
    session_start(provisioner->prov.session);
    if (provisioner->core.session != NULL) {
        session_start(provisioner->core.session);
    }
    loop_timer_after(provisioner->tick, 1);
    notify_ready();
    loop_run(provisioner->loop);
    return ERR_OK;
}

/* wolfSSL keeps tables of curve points for each thread that used keys, and does not free them with the thread. */
static void forget_tables(void *context)
{
    (void)context;
    key_forget_tables();
}

void provisioner_free(struct provisioner *provisioner)
{
    if (provisioner == NULL) {
        return;
    }
    if (provisioner->worker != NULL) {
        (void)!loop_worker_submit(provisioner->worker, forget_tables, NULL, NULL); /* full: the process ends anyway */
    }
    loop_worker_free(provisioner->worker); /* first: what it still delivers is published and answered */
    loop_worker_free(provisioner->commands);
    control_close(provisioner);
    notify_watchdog_free(provisioner->watchdog);
    session_free(provisioner->prov.session);
    session_free(provisioner->core.session);
    inbox_free(provisioner->prov.inbox);
    inbox_free(provisioner->core.inbox);
    free_letters(provisioner->letters);
    loop_free(provisioner->loop);
    desk_free(provisioner->desk);
    awaited_free(provisioner->awaited);
    settings_free(provisioner->settings);
    free(provisioner);
}
