/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/session.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "mqtt/leaveby.h"
#include "mqtt/limits.h"
#include "mqtt/lookup.h"
#include "mqtt/paho.h"
#include "mqtt/paho_poll.h"
#include "mqtt/reconnect.h"

#define WINDOW_DEFAULT     15   /* under the 20 of a mosquitto left as it comes */
#define WINDOW_MAX         1024 /* QoS 1; Paho looks each PUBACK up in a list */
#define QOS0_WINDOW        256  /* handed over and not known to have reached the broker (struct pace) */
#define QOS0_BARRIER       64   /* one in so many goes out at QoS 1 */
#define CONNECT_TIMEOUT_S  30
#define RESOLVE_TIMEOUT_MS 30000
#define NUDGE_SLACK_MS     5000 /* Paho looks at its timeouts every 3 s */
#define STABLE_MS          60000
#define LEAVE_MS           3000

struct endpoint {
    char *uri;                             /* "ssl://host:port", owned */
    char *host;                            /* owned */
    char *name;                            /* "host:port", owned */
    struct ip known[LOOKUP_ADDRESSES_MAX]; /* from its last look-up that went well */
    size_t known_len;
};

/* A message or subscription from the owner until it is answered. */
struct entry {
    struct entry *next; /* while it waits */
    bool subscribe;
    uint8_t qos;
    bool retain;
    enum session_retain_handling retain_handling;
    uint32_t expiry_s;
    uint64_t cookie;
    bool barrier;                     /* QoS 1 in place of the owner's 0 */
    uint64_t sent_before;             /* of a barrier: pace.sent when it was handed over */
    struct view payload, correlation; /* into the block */
    char text[];                      /* topic or filter, then payload, then correlation */
};

/* Paho reads nothing while it cannot write. With thousands of QoS 0 messages in a full socket the broker would keep
 * from us what we wait for, so every QOS0_BARRIER-th is sent at QoS 1: its PUBACK says that all before it have been
 * read. */
struct pace {
    uint64_t sent;      /* QoS 0 messages handed over on this connection */
    uint64_t confirmed; /* of them, before an acknowledged barrier */
    uint64_t asked;     /* of them, before the last barrier */
};

struct session {
    struct loop *loop;
    struct session_callbacks callbacks;
    void *context;
    struct endpoint *endpoints; /* owned, endpoints_len */
    size_t endpoints_len;
    struct reconnect machine;
    struct paho *paho;
    struct loop_timer *timer; /* the machine's deadline */
    struct loop_timer *tick;
    struct loop_timer *drain; /* until then what is queued may still go out */
    struct loop_wake *wake;
    struct lookup *lookup; /* NULL when none runs */
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
    char device[IF_NAMESIZE]; /* attempts leave by it; "" = the routing table's choice */

    struct entry **tickets; /* what stands in Paho's hands, by ticket */
    unsigned *free_tickets; /* stack */
    size_t tickets_len, free_len;
    size_t window, in_window, in_qos0;
    struct pace pace;
    struct entry *first, **last; /* waiting */
    size_t waiting, queue_max;

    uint32_t tick_ms;
    char *tick_topic;  /* owned; NULL = no tick */
    bool draining;     /* stop was asked for */
    loop_fn stop_done; /* called once */
    void *stop_context;
};

static void step(struct session *session, enum reconnect_event event, size_t addresses_len);

/* Queue and window. */

static struct entry *entry_new(const char *text, struct view payload, struct view correlation)
{
    size_t text_len = strlen(text) + 1;
    struct entry *entry = calloc(1, sizeof(*entry) + text_len + payload.len + correlation.len);
    if (entry == NULL) {
        return NULL;
    }
    memcpy(entry->text, text, text_len);
    entry->payload = view_n(entry->text + text_len, payload.len);
    entry->correlation = view_n(entry->payload.ptr + payload.len, correlation.len);
    if (payload.len > 0) {
        memcpy(entry->text + text_len, payload.ptr, payload.len);
    }
    if (correlation.len > 0) {
        memcpy(entry->text + text_len + payload.len, correlation.ptr, correlation.len);
    }
    return entry;
}

/* SUBSCRIBE waits behind a full window like a QoS 1 message: Paho holds it back there too. */
static size_t *window_of(struct session *session, const struct entry *entry, size_t *ret_limit)
{
    bool counted = entry->subscribe || entry->qos > 0;
    *ret_limit = counted ? session->window : QOS0_WINDOW;
    return counted ? &session->in_window : &session->in_qos0;
}

static enum err hand_over(struct session *session, struct entry *entry, unsigned ticket)
{
    if (entry->subscribe) {
        struct session_filter filter = {
            .filter = entry->text, .qos = entry->qos, .retain_handling = entry->retain_handling};
        return paho_subscribe(session->paho, ticket, &filter);
    }
    struct session_publish publish = {.topic = entry->text,
                                      .payload = entry->payload,
                                      .qos = entry->qos,
                                      .retain = entry->retain,
                                      .expiry_s = entry->expiry_s,
                                      .correlation = entry->correlation};
    return paho_publish(session->paho, ticket, &publish);
}

static void answer(struct session *session, struct entry *entry, enum err err)
{
    bool own = session->tick_topic != NULL && strcmp(entry->text, session->tick_topic) == 0;
    if (entry->subscribe && !own && session->callbacks.subscribed != NULL) {
        session->callbacks.subscribed(session->context, entry->text, err);
    } else if (!entry->subscribe && entry->cookie != 0 && session->callbacks.delivered != NULL) {
        session->callbacks.delivered(session->context, entry->cookie, err);
    }
    free(entry);
}

static void drop_first(struct session *session)
{
    session->first = session->first->next;
    if (session->first == NULL) {
        session->last = &session->first;
    }
    session->waiting--;
}

/* Whether it may be handed over now; a QoS 0 message becomes a barrier when one is due and the window has room. */
static bool may_go(struct session *session, struct entry *entry)
{
    const struct pace *pace = &session->pace;
    if (!entry->subscribe && entry->qos == 0) {
        if (pace->sent - pace->asked >= QOS0_BARRIER && session->in_window < session->window) {
            entry->qos = 1;
            entry->barrier = true;
        } else if (pace->sent - pace->confirmed >= QOS0_WINDOW) {
            return false; /* a barrier is under way, or what fills the window is: its answer comes by here again */
        }
    }
    size_t limit;
    return *window_of(session, entry, &limit) < limit;
}

static void count(struct session *session, struct entry *entry)
{
    size_t limit;
    (*window_of(session, entry, &limit))++;
    if (entry->barrier) {
        session->pace.asked = entry->sent_before = session->pace.sent;
    } else if (!entry->subscribe && entry->qos == 0) {
        session->pace.sent++;
    }
}

/* Hands over from the front while the window of the front has room: order is kept, also between QoS 0 and 1. */
static void pump(struct session *session)
{
    while (session->first != NULL && session->machine.state == RECONNECT_UP && session->free_len > 0) {
        struct entry *entry = session->first;
        if (!may_go(session, entry)) {
            return;
        }
        unsigned ticket = session->free_tickets[session->free_len - 1];
        if (hand_over(session, entry, ticket) != ERR_OK) {
            return; /* no memory: the next answer, message or tick tries again */
        }
        session->free_len--;
        session->tickets[ticket] = entry;
        count(session, entry);
        drop_first(session);
    }
}

static void take_back(struct session *session, unsigned ticket)
{
    struct entry *entry = session->tickets[ticket];
    size_t limit;
    session->tickets[ticket] = NULL;
    session->free_tickets[session->free_len++] = ticket;
    (*window_of(session, entry, &limit))--;
    if (entry->barrier) {
        session->pace.confirmed = MAX(session->pace.confirmed, entry->sent_before);
    }
}

/* The connection is gone and with it every message: the owner repeats what still matters. */
static void fail_all(struct session *session, enum err err)
{
    paho_forget(session->paho);
    for (unsigned ticket = 0; ticket < session->tickets_len; ticket++) {
        struct entry *entry = session->tickets[ticket];
        if (entry != NULL) {
            take_back(session, ticket);
            answer(session, entry, err);
        }
    }
    while (session->first != NULL) {
        struct entry *entry = session->first;
        drop_first(session);
        answer(session, entry, err);
    }
    session->pace = (struct pace){0};
}

static enum err enqueue(struct session *session, struct entry *entry)
{
    *session->last = entry;
    session->last = &entry->next;
    session->waiting++;
    pump(session);
    return ERR_OK;
}

static enum err may_enqueue(const struct session *session)
{
    if (session->machine.state != RECONNECT_UP || session->draining) {
        return ERR_STATE;
    }
    return session->waiting >= session->queue_max ? ERR_LIMIT : ERR_OK;
}

enum err session_publish(struct session *session, const struct session_publish *publish)
{
    enum err err = may_enqueue(session);
    if (err != ERR_OK) {
        return err;
    }
    if (publish->topic[0] == '\0' || publish->qos > 1) {
        return ERR_INVALID;
    }
    struct entry *entry = entry_new(publish->topic, publish->payload, publish->correlation);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    entry->qos = publish->qos;
    entry->retain = publish->retain;
    entry->expiry_s = publish->expiry_s;
    entry->cookie = publish->cookie;
    return enqueue(session, entry);
}

enum err session_subscribe(struct session *session, const struct session_filter *filter)
{
    enum err err = may_enqueue(session);
    if (err != ERR_OK) {
        return err;
    }
    struct entry *entry = entry_new(filter->filter, view_n(NULL, 0), view_n(NULL, 0));
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    entry->subscribe = true;
    entry->qos = filter->qos;
    entry->retain_handling = filter->retain_handling;
    return enqueue(session, entry);
}

bool session_is_connected(const struct session *session)
{
    return session->machine.state == RECONNECT_UP;
}

size_t session_queued(const struct session *session)
{
    return session->waiting + session->tickets_len - session->free_len;
}

/* What the machine asks for. */

static void wake_session(void *context)
{
    struct session *session = context;
    loop_wake(session->wake);
}

static void start_lookup(struct session *session)
{
    lookup_free(session->lookup);
    session->lookup = NULL;
    const char *host = session->endpoints[session->machine.endpoint].host;
    if (lookup_start(host, wake_session, session, &session->lookup) != ERR_OK) {
        step(session, RECONNECT_ON_UNRESOLVED, 0);
    }
}

static void report_down(struct session *session, enum err err, const char *reason)
{
    if (session->callbacks.disconnected != NULL) {
        session->callbacks.disconnected(session->context, err, reason);
    }
}

static void start_attempt(struct session *session)
{
    const struct endpoint *endpoint = &session->endpoints[session->machine.endpoint];
    struct strbuf will;
    strbuf_init(&will, MQTT_PAYLOAD_MAX);
    if (session->callbacks.prepare != NULL) {
        session->callbacks.prepare(session->context, &will);
    }
    enum err err = strbuf_error(&will);
    if (err == ERR_OK) {
        err = lookup_pin(session, endpoint->host, &session->addresses[session->machine.address]);
    }
    if (session->device[0] != '\0') {
        leaveby_set(&session->addresses[session->machine.address], session->device);
    }
    if (err == ERR_OK) {
        err = paho_connect(session->paho, endpoint->uri, strbuf_view(&will));
    }
    strbuf_deinit(&will);
    if (err != ERR_OK) {
        report_down(session, err, "attempt could not be started");
        step(session, RECONNECT_ON_FAILED, 0);
    }
}

static void subscribe_tick(struct session *session)
{
    if (session->tick_topic == NULL) {
        return;
    }
    struct session_filter filter = {.filter = session->tick_topic, .retain_handling = SESSION_RETAIN_NONE};
    enum err err = session_subscribe(session, &filter);
    (void)err; /* without its echo the tick is useless, not harmful */
    loop_timer_after(session->tick, session->tick_ms);
}

void session_leave_by(struct session *session, const char *device)
{
    (void)snprintf(session->device, sizeof(session->device), "%s", device); /* the kernel's names fit */
    leaveby_clear();
}

static void on_up(struct session *session)
{
    lookup_unpin(session);
    leaveby_clear();
    subscribe_tick(session);
    if (session->callbacks.connected != NULL) {
        session->callbacks.connected(session->context, session->endpoints[session->machine.endpoint].name);
    }
}

static void on_finished(struct session *session)
{
    lookup_free(session->lookup);
    session->lookup = NULL;
    lookup_unpin(session);
    leaveby_clear();
    loop_timer_stop(session->timer);
    loop_timer_stop(session->tick);
    loop_timer_stop(session->drain);
    fail_all(session, ERR_CLOSED);
    loop_fn done = session->stop_done;
    session->stop_done = NULL;
    if (done != NULL) {
        done(session->stop_context); /* may free the session: last */
    }
}

static void step(struct session *session, enum reconnect_event event, size_t addresses_len)
{
    enum reconnect_action action =
        reconnect_step(&session->machine, event, loop_now_ms(session->loop), addresses_len, crypto_random_u64());
    loop_timer_at(session->timer, session->machine.deadline_ms);
    switch (action) {
    case RECONNECT_DO_NOTHING:
    case RECONNECT_DO_WAIT:
        break;
    case RECONNECT_DO_RESOLVE:
        start_lookup(session);
        break;
    case RECONNECT_DO_CONNECT:
        start_attempt(session);
        break;
    case RECONNECT_DO_NUDGE:
        paho_nudge(session->paho);
        break;
    case RECONNECT_DO_UP:
        on_up(session);
        break;
    case RECONNECT_DO_DISCONNECT:
        paho_disconnect(session->paho);
        break;
    case RECONNECT_DO_FINISH:
        on_finished(session);
        break;
    }
}

/* What comes in on the loop. */

/* The resolver may be behind the very path that is dead: where the broker was is a better guess than none. */
static void go_on_without_resolver(struct session *session, enum err err, const char *reason,
                                   enum reconnect_event otherwise)
{
    const struct endpoint *endpoint = &session->endpoints[session->machine.endpoint];
    if (endpoint->known_len > 0) {
        memcpy(session->addresses, endpoint->known, sizeof(session->addresses));
        step(session, RECONNECT_ON_RESOLVED, endpoint->known_len);
        return;
    }
    report_down(session, err, reason);
    step(session, otherwise, 0);
}

static void on_timer(void *context)
{
    struct session *session = context;
    if (session->machine.state == RECONNECT_RESOLVING) {
        lookup_free(session->lookup);
        session->lookup = NULL;
        go_on_without_resolver(session, ERR_TIMEOUT, "the resolver does not answer", RECONNECT_ON_TIMER);
        return;
    }
    step(session, RECONNECT_ON_TIMER, 0);
}

static void on_tick(void *context)
{
    struct session *session = context;
    if (session->machine.state != RECONNECT_UP) {
        return; /* armed again by the next connection */
    }
    struct session_publish publish = {.topic = session->tick_topic, .payload = VIEW_LITERAL("{}")};
    enum err err = session_publish(session, &publish);
    (void)err; /* a full queue is awake enough */
    loop_timer_after(session->tick, session->tick_ms);
}

/* Stop, or what follows it, once nothing is queued or the time for that is over. */
static void on_drain(void *context)
{
    struct session *session = context;
    step(session, RECONNECT_ON_STOP, 0);
}

static void collect_lookup(struct session *session)
{
    if (session->lookup == NULL) {
        return;
    }
    size_t len = 0;
    enum err err = lookup_result(session->lookup, session->addresses, &len);
    if (err == ERR_AGAIN) {
        return;
    }
    lookup_free(session->lookup);
    session->lookup = NULL;
    if (err != ERR_OK) {
        go_on_without_resolver(session, err, "the broker's name does not resolve", RECONNECT_ON_UNRESOLVED);
        return;
    }
    struct endpoint *endpoint = &session->endpoints[session->machine.endpoint];
    memcpy(endpoint->known, session->addresses, sizeof(endpoint->known));
    endpoint->known_len = len;
    step(session, RECONNECT_ON_RESOLVED, len);
}

static void collect_event(struct session *session, const struct paho_event *event)
{
    enum reconnect_state before = session->machine.state;
    bool was_up = before == RECONNECT_UP || before == RECONNECT_LEAVING;
    switch (event->kind) {
    case PAHO_CONNECTED:
        step(session, RECONNECT_ON_CONNECTED, 0);
        return;
    case PAHO_FAILED:
        if (before == RECONNECT_CONNECTING) {
            report_down(session, event->err, event->reason);
        }
        step(session, RECONNECT_ON_FAILED, 0);
        return;
    case PAHO_LOST:
    case PAHO_LEFT:
        step(session, event->kind == PAHO_LOST ? RECONNECT_ON_LOST : RECONNECT_ON_LEFT, 0);
        if (was_up && session->machine.state != before) {
            loop_timer_stop(session->tick);
            fail_all(session, ERR_CLOSED);
            report_down(session, event->err, event->kind == PAHO_LOST ? event->reason : "reconnect asked for");
        }
        return;
    }
}

static void collect_finished(struct session *session)
{
    struct paho_finished finished;
    while (paho_next_finished(session->paho, &finished)) {
        struct entry *entry = session->tickets[finished.ticket];
        if (entry != NULL) {
            take_back(session, finished.ticket);
            answer(session, entry, finished.err);
        }
    }
    pump(session);
}

/* Answers first: those of a connection that is reported lost behind them are still true. */
static void on_wake(void *context)
{
    struct session *session = context;
    collect_finished(session);
    collect_lookup(session);
    struct paho_event event;
    while (session->machine.state != RECONNECT_STOPPED && paho_next_event(session->paho, &event)) {
        if (session->machine.state == RECONNECT_STOPPING) {
            if (event.kind == PAHO_LOST || event.kind == PAHO_LEFT) {
                step(session, RECONNECT_ON_LEFT, 0);
                return; /* its owner may have freed it */
            }
            continue;
        }
        collect_event(session, &event);
    }
    if (session->draining && session->machine.state != RECONNECT_STOPPED && session_queued(session) == 0) {
        loop_timer_after(session->drain, 0);
    }
}

/* Life. */

/* "host:port" or "[address]:port". An IPv6 address stands in the URI without its brackets: Paho splits at the last
 * colon either way, and only so does it compare the bare address with the certificate's. */
static enum err add_endpoint(struct session *session, const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || view_to_u64(view_of(colon + 1), UINT16_MAX, &port) != ERR_OK || port == 0) {
        return ERR_INVALID;
    }
    struct view host = view_n(text, (size_t)(colon - text));
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = view_n(host.ptr + 1, host.len - 2);
    }
    if (host.len == 0 || host.len > LOOKUP_HOST_MAX) {
        return ERR_INVALID;
    }
    struct endpoint *endpoint = &session->endpoints[session->endpoints_len++];
    endpoint->host = strndup(host.ptr, host.len);
    endpoint->name = strdup(text);
    if (endpoint->host == NULL || asprintf(&endpoint->uri, "ssl://%s:%s", endpoint->host, colon + 1) < 0) {
        endpoint->uri = NULL; /* left undefined by the failure */
    }
    return endpoint->name != NULL && endpoint->uri != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err set_up_endpoints(struct session *session, const struct session_options *options)
{
    session->endpoints = calloc(options->endpoints_len, sizeof(*session->endpoints));
    if (session->endpoints == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < options->endpoints_len; i++) {
        enum err err = add_endpoint(session, options->endpoints[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    uint64_t timeout_s = options->connect_timeout_s != 0 ? options->connect_timeout_s : CONNECT_TIMEOUT_S;
    reconnect_init(&session->machine, &(struct reconnect_options){
                                          .endpoints_len = options->endpoints_len,
                                          .backoff_base_ms = options->backoff_base_ms,
                                          .backoff_cap_ms = options->backoff_cap_ms,
                                          .resolve_ms = RESOLVE_TIMEOUT_MS,
                                          .connect_ms = timeout_s * 1000 + NUDGE_SLACK_MS,
                                          .stable_ms = STABLE_MS,
                                          .leave_ms = LEAVE_MS,
                                      });
    return ERR_OK;
}

static enum err set_up_tickets(struct session *session, const struct session_options *options)
{
    session->window = options->window != 0 ? MIN(options->window, WINDOW_MAX) : WINDOW_DEFAULT;
    session->queue_max = options->queue_max;
    session->last = &session->first;
    session->tickets_len = session->window + QOS0_WINDOW;
    session->tickets = calloc(session->tickets_len, sizeof(struct entry *));
    session->free_tickets = calloc(session->tickets_len, sizeof(*session->free_tickets));
    if (session->tickets == NULL || session->free_tickets == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < session->tickets_len; i++) {
        session->free_tickets[session->free_len++] = i;
    }
    if (options->tick_ms != 0 && options->tick_topic != NULL) {
        session->tick_ms = options->tick_ms;
        session->tick_topic = strdup(options->tick_topic);
        return session->tick_topic != NULL ? ERR_OK : ERR_NOMEM;
    }
    return ERR_OK;
}

static enum err set_up_handles(struct session *session, const struct session_options *options)
{
    enum err err = loop_wake_new(options->loop, on_wake, session, &session->wake);
    if (err == ERR_OK) {
        err = loop_timer_new(options->loop, on_timer, session, &session->timer);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(options->loop, on_tick, session, &session->tick);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(options->loop, on_drain, session, &session->drain);
    }
    if (err == ERR_OK) {
        struct paho_options paho = {
            .session = options, .tickets = session->tickets_len, .wake = wake_session, .context = session};
        err = paho_new(&paho, &session->paho);
    }
    return err;
}

enum err session_new(const struct session_options *options, struct session **ret_session)
{
    if (options->endpoints_len == 0 || options->ca_file == NULL || options->cert_file == NULL ||
        options->client_id == NULL || options->loop == NULL) {
        return ERR_INVALID;
    }
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return ERR_NOMEM;
    }
    session->loop = options->loop;
    session->callbacks = options->callbacks;
    session->context = options->context;
    enum err err = set_up_endpoints(session, options);
    if (err == ERR_OK) {
        err = set_up_tickets(session, options);
    }
    if (err == ERR_OK) {
        err = set_up_handles(session, options);
    }
    if (err != ERR_OK) {
        session_free(session);
        return err;
    }
    *ret_session = session;
    return ERR_OK;
}

void session_start(struct session *session)
{
    step(session, RECONNECT_ON_START, 0);
}

void session_reconnect(struct session *session)
{
    step(session, RECONNECT_ON_AGAIN, 0);
}

enum err session_use_files(struct session *session, const char *ca_file, const char *cert_file, const char *key_file)
{
    return paho_use_files(session->paho, ca_file, cert_file, key_file);
}

void session_hold_off(struct session *session, uint64_t delay_ms)
{
    if (session->machine.state == RECONNECT_WAITING) {
        session->machine.deadline_ms = MAX(session->machine.deadline_ms, loop_now_ms(session->loop) + delay_ms);
        loop_timer_at(session->timer, session->machine.deadline_ms);
    }
}

void session_hurry(struct session *session)
{
    (void)session; /* the poll is the process's */
    paho_poll_hurry(true);
}

void session_give_up(struct session *session)
{
    if (session->machine.state == RECONNECT_CONNECTING) {
        step(session, RECONNECT_ON_TIMER, 0);
    }
}

void session_stop(struct session *session, uint32_t drain_ms, loop_fn done, void *context)
{
    session->stop_done = done;
    session->stop_context = context;
    session->draining = true;
    loop_timer_stop(session->tick);
    bool wait = session->machine.state == RECONNECT_UP && session_queued(session) > 0;
    loop_timer_after(session->drain, wait ? drain_ms : 0); /* never from inside this call */
}

void session_free(struct session *session)
{
    if (session == NULL) {
        return;
    }
    lookup_free(session->lookup);
    lookup_unpin(session);
    paho_free(session->paho); /* its thread wakes the loop until then */
    for (size_t i = 0; session->tickets != NULL && i < session->tickets_len; i++) {
        free(session->tickets[i]);
    }
    while (session->first != NULL) {
        struct entry *entry = session->first;
        session->first = entry->next;
        free(entry);
    }
    for (size_t i = 0; i < session->endpoints_len; i++) {
        free(session->endpoints[i].uri);
        free(session->endpoints[i].host);
        free(session->endpoints[i].name);
    }
    free(session->endpoints);
    free(session->tickets);
    free(session->free_tickets);
    free(session->tick_topic);
    loop_timer_free(session->timer);
    loop_timer_free(session->tick);
    loop_timer_free(session->drain);
    loop_wake_free(session->wake);
    free(session);
}
