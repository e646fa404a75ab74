/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho.h"

#include <MQTTAsync.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mqtt/messages.h"
#include "mqtt/paho_alert.h"
#include "mqtt/paho_end.h"
#include "mqtt/paho_poll.h"

#define EVENTS_MAX      16 /* an attempt has one, a connection two, a disconnect one: the owner has long collected them */
#define CLIENTS_MAX     16
#define PACKET_MAX      (64 * 1024)
#define TICKET_BITS     12
#define EPOCH_BITS      16
#define KEEP_CONNECTING 30
#define BUSY_MS         1000
#define BUSY_PAUSE_MS   5

enum command_kind { COMMAND_CONNECT, COMMAND_FILES, COMMAND_NUDGE, COMMAND_LEAVE, COMMAND_PUBLISH, COMMAND_SUBSCRIBE };

/* One block: the texts stand behind the struct. */
struct command {
    struct command *next;
    enum command_kind kind;
    uintptr_t context; /* of its ticket */
    uint8_t qos;
    bool retain;
    enum session_retain_handling retain_handling;
    uint32_t expiry_s;
    const char *text; /* topic, filter or URI; into the block */
    struct view payload, correlation;
};

struct ticket {
    bool pending; /* Paho has it */
    enum err err;
};

struct paho {
    unsigned index; /* in `clients` */
    MQTTAsync handle;
    pthread_t thread;
    void (*wake)(void *context);
    void *context;
    void (*message)(void *context, const struct session_message *message);
    void *message_context;

    char *client_id, *ca_file, *cert_file, *key_file, *will_topic, *tick_topic; /* owned */
    size_t tick_topic_len;
    int keepalive_s, connect_timeout_s;
    bool will_retain;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;
    struct command *first, **last; /* queue; bounded by the tickets and the few commands without one */
    bool quit;
    unsigned epoch; /* counted up by paho_forget: callbacks of older epochs are ignored */
    struct ticket *tickets;
    unsigned *finished; /* ring of tickets; holds each at most once */
    size_t tickets_len, finished_head, finished_len;
    struct paho_event events[EVENTS_MAX];
    size_t events_head, events_len;
    char tls_error[128];
    bool told; /* the server sent DISCONNECT: the owner knows that this connection is lost */

    struct command *connect, *files; /* thread's own: the last ones, for nudges and for each attempt; NULL: none */
};

/* Paho keeps commands that it could not send and answers them on the next connection, when their ticket may have
 * another meaning; a callback's context is therefore a number (client, epoch, ticket), never a pointer. */
static struct paho *clients[CLIENTS_MAX];
static pthread_mutex_t clients_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *context_of(const struct paho *paho, unsigned epoch, unsigned ticket)
{
    uintptr_t number = ((uintptr_t)paho->index << (TICKET_BITS + EPOCH_BITS)) |
                       ((uintptr_t)(epoch & ((1u << EPOCH_BITS) - 1)) << TICKET_BITS) | ticket;
    return (void *)number; /* opaque to Paho, never followed */
}

static void push_event(struct paho *paho, enum paho_event_kind kind, enum err err, const char *reason)
{
    (void)pthread_mutex_lock(&paho->mutex);
    if (paho->events_len < EVENTS_MAX) {
        struct paho_event *event = &paho->events[(paho->events_head + paho->events_len++) % EVENTS_MAX];
        event->kind = kind;
        event->err = err;
        (void)snprintf(event->reason, sizeof(event->reason), "%s%s%s", reason, paho->tls_error[0] != '\0' ? ": " : "",
                       paho->tls_error);
        paho->tls_error[0] = '\0';
    }
    (void)pthread_mutex_unlock(&paho->mutex);
    paho->wake(paho->context);
}

static void finish(void *context, enum err err)
{
    uintptr_t number = (uintptr_t)context;
    unsigned ticket = (unsigned)(number & ((1u << TICKET_BITS) - 1));
    unsigned epoch = (unsigned)(number >> TICKET_BITS) & ((1u << EPOCH_BITS) - 1);
    (void)pthread_mutex_lock(&clients_mutex);
    struct paho *paho = clients[(number >> (TICKET_BITS + EPOCH_BITS)) % CLIENTS_MAX];
    if (paho != NULL) {
        (void)pthread_mutex_lock(&paho->mutex);
        bool ours = (paho->epoch & ((1u << EPOCH_BITS) - 1)) == epoch && ticket < paho->tickets_len &&
                    paho->tickets[ticket].pending;
        if (ours) {
            paho->tickets[ticket] = (struct ticket){.pending = false, .err = err};
            paho->finished[(paho->finished_head + paho->finished_len++) % paho->tickets_len] = ticket;
        }
        (void)pthread_mutex_unlock(&paho->mutex);
        if (ours) {
            paho->wake(paho->context);
        }
    }
    (void)pthread_mutex_unlock(&clients_mutex);
}

static enum err err_of_reason(int reason)
{
    switch (reason) {
    case MQTTREASONCODE_NOT_AUTHORIZED:
    case MQTTREASONCODE_TOPIC_NAME_INVALID:
    case MQTTREASONCODE_TOPIC_FILTER_INVALID:
    case MQTTREASONCODE_RETAIN_NOT_SUPPORTED:
        return ERR_DENIED;
    case MQTTREASONCODE_QUOTA_EXCEEDED:
    case MQTTREASONCODE_PACKET_TOO_LARGE:
        return ERR_LIMIT;
    case MQTTREASONCODE_BAD_USER_NAME_OR_PASSWORD:
    case MQTTREASONCODE_CLIENT_IDENTIFIER_NOT_VALID:
    case MQTTREASONCODE_BANNED:
        return ERR_AUTH;
    default:
        return ERR_IO;
    }
}

/* Paho's callbacks: on its threads, with its mutex held. */

static void on_done(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    finish(context, ERR_OK);
}

static void on_not_done(void *context, MQTTAsync_failureData5 *data)
{
    finish(context, data != NULL && data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR
                        ? err_of_reason((int)data->reasonCode)
                        : ERR_CLOSED);
}

static void on_connected(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    paho_poll_hurry(false);
    push_event(context, PAHO_CONNECTED, ERR_OK, "");
}

static void on_failed(void *context, MQTTAsync_failureData5 *data)
{
    struct paho *paho = context;
    paho_poll_hurry(false);
    /* 1.3.12 hands a CONNACK's reason as `code` (later versions as `reasonCode`). */
    int code = data->code != 0 ? data->code : (int)data->reasonCode;
    char reason[PAHO_REASON_MAX];
    (void)snprintf(reason, sizeof(reason), "connect failed (%d%s%s)", code, data->message != NULL ? ", " : "",
                   data->message != NULL ? data->message : "");
    (void)pthread_mutex_lock(&paho->mutex);
    bool tls = paho->tls_error[0] != '\0' || paho_alert(paho->tls_error, sizeof(paho->tls_error));
    (void)pthread_mutex_unlock(&paho->mutex);
    enum err err = ERR_IO;
    if (code >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
        err = err_of_reason(code);
    } else if (tls) {
        err = ERR_AUTH;
    }
    push_event(paho, PAHO_FAILED, err, reason);
}

static void on_lost(void *context, char *cause)
{
    struct paho *paho = context;
    (void)cause; /* always NULL */
    (void)pthread_mutex_lock(&paho->mutex);
    bool told = paho->told;
    (void)pthread_mutex_unlock(&paho->mutex);
    if (!told) {
        push_event(paho, PAHO_LOST, ERR_CLOSED, "connection lost");
    }
}

/* Paho ends the connection then; whether it also calls on_lost depends on what the socket does meanwhile. */
static void on_server_disconnect(void *context, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    struct paho *paho = context;
    char reason[PAHO_REASON_MAX];
    const char *text = MQTTReasonCode_toString(code);
    (void)properties;
    (void)pthread_mutex_lock(&paho->mutex);
    paho->told = true;
    (void)pthread_mutex_unlock(&paho->mutex);
    (void)snprintf(reason, sizeof(reason), "server disconnected (0x%02x %s)", (unsigned)code,
                   text != NULL ? text : "?");
    push_event(paho, PAHO_LOST, code == MQTTREASONCODE_SESSION_TAKEN_OVER ? ERR_CONFLICT : ERR_CLOSED, reason);
}

static void on_left(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    push_event(context, PAHO_LEFT, ERR_OK, "");
}

static void on_not_left(void *context, MQTTAsync_failureData5 *data)
{
    (void)data;
    push_event(context, PAHO_LEFT, ERR_IO, "disconnect failed");
}

static int on_tls_error(const char *text, size_t len, void *context)
{
    struct paho *paho = context;
    (void)pthread_mutex_lock(&paho->mutex);
    struct view line = paho_alert_line(view_n(text, len));
    /* The first error of an attempt is the cause, the rest is its echo. */
    if (paho->tls_error[0] == '\0') {
        (void)snprintf(paho->tls_error, sizeof(paho->tls_error), "%.*s", VIEW_ARG(line));
    }
    (void)pthread_mutex_unlock(&paho->mutex);
    return 1;
}

static void read_properties(const MQTTProperties *properties, struct session_message *message)
{
    unsigned stamps = 0;
    for (int i = 0; i < properties->count; i++) {
        const MQTTProperty *property = &properties->array[i];
        if (property->identifier == MQTTPROPERTY_CODE_USER_PROPERTY) {
            const MQTTLenString *name = &property->value.data;
            if (name->len == (int)sizeof(OBSERVED_PROPERTY) - 1 &&
                memcmp(name->data, OBSERVED_PROPERTY, sizeof(OBSERVED_PROPERTY) - 1) == 0) {
                message->observed = view_n(property->value.value.data, (size_t)property->value.value.len);
                stamps++;
            }
        } else if (property->identifier == MQTTPROPERTY_CODE_CORRELATION_DATA) {
            message->correlation = view_n(property->value.data.data, (size_t)property->value.data.len);
        }
    }
    if (stamps > 1) {
        message->observed = view_n(NULL, 0); /* the plugin leaves one: more is somebody's game */
    }
}

static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *paho_message)
{
    struct paho *paho = context;
    struct session_message message = {
        .topic = view_n(topic, topic_len > 0 ? (size_t)topic_len : strlen(topic)), /* 0: no NUL inside */
        .payload = view_n(paho_message->payload, (size_t)paho_message->payloadlen),
        .retained = paho_message->retained != 0,
        .qos = (uint8_t)paho_message->qos,
    };
    bool tick = message.topic.len == paho->tick_topic_len && paho->tick_topic_len > 0 &&
                memcmp(topic, paho->tick_topic, message.topic.len) == 0;
    if (!tick && paho->message != NULL) {
        read_properties(&paho_message->properties, &message);
        paho->message(paho->message_context, &message);
    }
    MQTTAsync_freeMessage(&paho_message);
    MQTTAsync_free(topic);
    return 1; /* 0 would still acknowledge and park the message without bound */
}

/* The client thread. */

static bool create_handle(struct paho *paho)
{
    if (paho->handle != NULL) {
        return true;
    }
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    options.sendWhileDisconnected = 0;
    options.maxBufferedMessages = PAHO_TICKETS_MAX + 1;
    /* The scheme switches TLS on; each connect brings its own URI. */
    if (MQTTAsync_createWithOptions(&paho->handle, "ssl://localhost:8883", paho->client_id, MQTTCLIENT_PERSISTENCE_NONE,
                                    NULL, &options) != MQTTASYNC_SUCCESS) {
        return false;
    }
    bool set = MQTTAsync_setCallbacks(paho->handle, paho, on_lost, on_message, NULL) == MQTTASYNC_SUCCESS &&
               MQTTAsync_setDisconnected(paho->handle, paho, on_server_disconnect) == MQTTASYNC_SUCCESS;
    if (!set) {
        MQTTAsync_destroy(&paho->handle); /* sets it to NULL */
    }
    return set;
}

/* Paho ignores a CONNECT while a DISCONNECT of the connection before it is in its queue. That is there for a moment
 * after the socket was cut, when the owner has heard of the end already. */
static int connect_when_free(MQTTAsync handle, MQTTAsync_connectOptions *options)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};
    int rc = MQTTAsync_connect(handle, options);
    for (unsigned waited_ms = 0; rc == MQTTASYNC_COMMAND_IGNORED && waited_ms < BUSY_MS; waited_ms += BUSY_PAUSE_MS) {
        (void)nanosleep(&pause, NULL); /* ended early by a signal: asked sooner */
        rc = MQTTAsync_connect(handle, options);
    }
    return rc;
}

static void do_connect(struct paho *paho, const struct command *command, int timeout_s)
{
    if (!create_handle(paho)) {
        push_event(paho, PAHO_FAILED, ERR_NOMEM, "the MQTT library cannot create a client");
        return;
    }
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    ssl.trustStore = paho->files != NULL ? paho->files->text : paho->ca_file;
    ssl.keyStore = paho->files != NULL ? paho->files->payload.ptr : paho->cert_file;
    ssl.privateKey = paho->files != NULL ? paho->files->correlation.ptr : paho->key_file;
    ssl.enableServerCertAuth = 1;
    ssl.verify = 1; /* off by default: any name would do */
    ssl.disableDefaultTrustStore = 1;
    ssl.ssl_error_cb = on_tls_error;
    ssl.ssl_error_context = paho;

    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    will.topicName = paho->will_topic;
    will.qos = 1;
    will.retained = paho->will_retain;
    will.payload.data = command->payload.ptr;
    will.payload.len = (int)command->payload.len;

    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty packet_max = {.identifier = MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, .value.integer4 = PACKET_MAX};
    char *const uris[] = {(char *)(uintptr_t)command->text}; /* Paho copies, its prototype lacks the const */

    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    options.keepAliveInterval = paho->keepalive_s;
    options.connectTimeout = timeout_s;
    options.cleanstart = 1;
    options.automaticReconnect = 0; /* dies on a backward clock step */
    options.ssl = &ssl;
    options.will = paho->will_topic != NULL ? &will : NULL;
    options.serverURIcount = 1;
    options.serverURIs = uris;
    options.connectProperties = &properties;
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_failed;
    options.context = paho;
    if (MQTTProperties_add(&properties, &packet_max) != 0) {
        push_event(paho, PAHO_FAILED, ERR_NOMEM, "no memory for CONNECT");
        return;
    }
    paho_poll_hurry(true);
    paho_alert_clear();
    (void)pthread_mutex_lock(&paho->mutex);
    paho->told = false;
    (void)pthread_mutex_unlock(&paho->mutex);
    int rc = connect_when_free(paho->handle, &options);
    MQTTProperties_free(&properties);
    if (rc != MQTTASYNC_SUCCESS) {
        char reason[64];
        (void)snprintf(reason, sizeof(reason), "connect refused by the library (%d)", rc);
        push_event(paho, PAHO_FAILED, ERR_INVALID, reason);
    }
}

static void do_disconnect(struct paho *paho)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.onSuccess5 = on_left;
    options.onFailure5 = on_not_left;
    options.context = paho;
    options.reasonCode = MQTTREASONCODE_SUCCESS; /* the server drops the will */
    if (MQTTAsync_disconnect(paho->handle, &options) != MQTTASYNC_SUCCESS) {
        push_event(paho, PAHO_LEFT, ERR_CLOSED, "was not connected");
    }
}

static bool add_property(MQTTProperties *properties, MQTTProperty property)
{
    return MQTTProperties_add(properties, &property) == 0;
}

static bool add_publish_properties(const struct command *command, MQTTProperties *properties)
{
    MQTTProperty type = {
        .identifier = MQTTPROPERTY_CODE_CONTENT_TYPE,
        .value.data = {.data = (char *)(uintptr_t)MESSAGE_CONTENT_TYPE, .len = (int)sizeof(MESSAGE_CONTENT_TYPE) - 1}};
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL,
                           .value.integer4 = command->expiry_s};
    MQTTProperty correlation = {
        .identifier = MQTTPROPERTY_CODE_CORRELATION_DATA,
        .value.data = {.data = (char *)(uintptr_t)command->correlation.ptr, .len = (int)command->correlation.len}};
    return add_property(properties, type) && (command->expiry_s == 0 || add_property(properties, expiry)) &&
           (command->correlation.len == 0 || add_property(properties, correlation));
}

static void do_publish(struct paho *paho, const struct command *command)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess5 = on_done;
    response.onFailure5 = on_not_done;
    response.context = (void *)command->context; /* see context_of */
    int rc = MQTTASYNC_FAILURE;
    if (add_publish_properties(command, &response.properties)) {
        rc = MQTTAsync_send(paho->handle, command->text, (int)command->payload.len, command->payload.ptr, command->qos,
                            command->retain, &response);
    }
    MQTTProperties_free(&response.properties);
    if (rc != MQTTASYNC_SUCCESS) {
        finish((void *)command->context, rc == MQTTASYNC_DISCONNECTED ? ERR_CLOSED : ERR_INVALID);
    }
}

static void do_subscribe(struct paho *paho, const struct command *command)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess5 = on_done;
    response.onFailure5 = on_not_done;
    response.context = (void *)command->context;
    response.subscribeOptions.retainHandling = (unsigned char)command->retain_handling;
    int rc = MQTTAsync_subscribe(paho->handle, command->text, command->qos, &response);
    if (rc != MQTTASYNC_SUCCESS) {
        finish((void *)command->context, rc == MQTTASYNC_DISCONNECTED ? ERR_CLOSED : ERR_INVALID);
    }
}

static void run_command(struct paho *paho, struct command *command)
{
    switch (command->kind) {
    case COMMAND_CONNECT:
        free(paho->connect);
        paho->connect = command; /* kept for nudges */
        do_connect(paho, command, paho->connect_timeout_s);
        return;
    case COMMAND_NUDGE:
        if (paho->connect != NULL) {
            do_connect(paho, paho->connect, 1);
        }
        break;
    case COMMAND_LEAVE:
        do_disconnect(paho);
        break;
    case COMMAND_PUBLISH:
        do_publish(paho, command);
        break;
    case COMMAND_SUBSCRIBE:
        do_subscribe(paho, command);
        break;
    case COMMAND_FILES:
        free(paho->files);
        paho->files = command;
        return;
    }
    free(command);
}

/* Everything that is queued, in order; NULL when the thread is to end. */
static struct command *take_commands(struct paho *paho)
{
    (void)pthread_mutex_lock(&paho->mutex);
    while (paho->first == NULL && !paho->quit) {
        (void)pthread_cond_wait(&paho->work, &paho->mutex);
    }
    struct command *commands = paho->quit ? NULL : paho->first;
    if (commands != NULL) {
        paho->first = NULL;
        paho->last = &paho->first;
    }
    (void)pthread_mutex_unlock(&paho->mutex);
    return commands;
}

/* Paho's threads serve every client of the process: they end with the last one. */
static bool is_last(const struct paho *paho)
{
    bool last = true;
    (void)pthread_mutex_lock(&clients_mutex);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        last = last && (clients[i] == NULL || clients[i] == paho);
    }
    (void)pthread_mutex_unlock(&clients_mutex);
    return last;
}

static void *run(void *context)
{
    struct paho *paho = context;
    for (struct command *command = take_commands(paho); command != NULL; command = take_commands(paho)) {
        while (command != NULL) {
            struct command *next = command->next;
            run_command(paho, command);
            command = next;
        }
    }
    if (paho->handle != NULL) {
        MQTTAsync_destroy(&paho->handle);
        if (is_last(paho)) {
            paho_end_await();
        }
    }
    return NULL;
}

/* The loop thread. */

static void submit(struct paho *paho, struct command *command)
{
    (void)pthread_mutex_lock(&paho->mutex);
    command->next = NULL;
    *paho->last = command;
    paho->last = &command->next;
    (void)pthread_mutex_unlock(&paho->mutex);
    (void)pthread_cond_signal(&paho->work);
}

static struct command *command_new(enum command_kind kind, const char *text, struct view payload,
                                   struct view correlation)
{
    size_t text_len = strlen(text) + 1;
    struct command *command = calloc(1, sizeof(*command) + text_len + payload.len + correlation.len + 1);
    if (command == NULL) {
        return NULL;
    }
    char *at = (char *)(command + 1);
    command->kind = kind;
    command->text = at;
    memcpy(at, text, text_len);
    at += text_len;
    if (payload.len > 0) {
        memcpy(at, payload.ptr, payload.len);
    }
    command->payload = view_n(at, payload.len);
    at += payload.len;
    if (correlation.len > 0) {
        memcpy(at, correlation.ptr, correlation.len);
    }
    command->correlation = view_n(at, correlation.len);
    return command;
}

enum err paho_connect(struct paho *paho, const char *uri, struct view will)
{
    struct command *command = command_new(COMMAND_CONNECT, uri, will, view_n(NULL, 0));
    if (command == NULL) {
        return ERR_NOMEM;
    }
    submit(paho, command);
    return ERR_OK;
}

static struct view with_nul(const char *text)
{
    return view_n(text, strlen(text) + 1);
}

enum err paho_use_files(struct paho *paho, const char *ca_file, const char *cert_file, const char *key_file)
{
    struct command *command = command_new(COMMAND_FILES, ca_file, with_nul(cert_file), with_nul(key_file));
    if (command == NULL) {
        return ERR_NOMEM;
    }
    submit(paho, command);
    return ERR_OK;
}

static void submit_plain(struct paho *paho, enum command_kind kind)
{
    struct command *command = command_new(kind, "", view_n(NULL, 0), view_n(NULL, 0));
    if (command != NULL) { /* without memory the machine's own deadline asks again */
        submit(paho, command);
    }
}

void paho_nudge(struct paho *paho)
{
    submit_plain(paho, COMMAND_NUDGE);
}

void paho_disconnect(struct paho *paho)
{
    submit_plain(paho, COMMAND_LEAVE);
}

static uintptr_t open_ticket(struct paho *paho, unsigned ticket)
{
    assert(ticket < paho->tickets_len);
    (void)pthread_mutex_lock(&paho->mutex);
    paho->tickets[ticket] = (struct ticket){.pending = true};
    uintptr_t context = (uintptr_t)context_of(paho, paho->epoch, ticket);
    (void)pthread_mutex_unlock(&paho->mutex);
    return context;
}

enum err paho_publish(struct paho *paho, unsigned ticket, const struct session_publish *publish)
{
    struct command *command = command_new(COMMAND_PUBLISH, publish->topic, publish->payload, publish->correlation);
    if (command == NULL) {
        return ERR_NOMEM;
    }
    command->qos = publish->qos;
    command->retain = publish->retain;
    command->expiry_s = publish->expiry_s;
    command->context = open_ticket(paho, ticket);
    submit(paho, command);
    return ERR_OK;
}

enum err paho_subscribe(struct paho *paho, unsigned ticket, const struct session_filter *filter)
{
    struct command *command = command_new(COMMAND_SUBSCRIBE, filter->filter, view_n(NULL, 0), view_n(NULL, 0));
    if (command == NULL) {
        return ERR_NOMEM;
    }
    command->qos = filter->qos;
    command->retain_handling = filter->retain_handling;
    command->context = open_ticket(paho, ticket);
    submit(paho, command);
    return ERR_OK;
}

bool paho_next_event(struct paho *paho, struct paho_event *ret_event)
{
    (void)pthread_mutex_lock(&paho->mutex);
    bool found = paho->events_len > 0;
    if (found) {
        *ret_event = paho->events[paho->events_head];
        paho->events_head = (paho->events_head + 1) % EVENTS_MAX;
        paho->events_len--;
    }
    (void)pthread_mutex_unlock(&paho->mutex);
    return found;
}

bool paho_next_finished(struct paho *paho, struct paho_finished *ret_finished)
{
    (void)pthread_mutex_lock(&paho->mutex);
    bool found = paho->finished_len > 0;
    if (found) {
        unsigned ticket = paho->finished[paho->finished_head];
        *ret_finished = (struct paho_finished){.ticket = ticket, .err = paho->tickets[ticket].err};
        paho->finished_head = (paho->finished_head + 1) % paho->tickets_len;
        paho->finished_len--;
    }
    (void)pthread_mutex_unlock(&paho->mutex);
    return found;
}

void paho_forget(struct paho *paho)
{
    (void)pthread_mutex_lock(&paho->mutex);
    paho->epoch++;
    paho->finished_len = 0;
    memset(paho->tickets, 0, paho->tickets_len * sizeof(*paho->tickets));
    (void)pthread_mutex_unlock(&paho->mutex);
}

static bool copy_text(const char *text, char **ret_copy)
{
    *ret_copy = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret_copy != NULL;
}

static bool copy_options(struct paho *paho, const struct session_options *options)
{
    paho->message = options->callbacks.message;
    paho->message_context = options->context;
    paho->keepalive_s = (int)options->keepalive_s;
    paho->connect_timeout_s = options->connect_timeout_s != 0 ? (int)options->connect_timeout_s : KEEP_CONNECTING;
    paho->will_retain = options->will_retain;
    bool copied = copy_text(options->client_id, &paho->client_id) && copy_text(options->ca_file, &paho->ca_file) &&
                  copy_text(options->cert_file, &paho->cert_file) && copy_text(options->key_file, &paho->key_file) &&
                  copy_text(options->will_topic, &paho->will_topic) &&
                  copy_text(options->tick_topic, &paho->tick_topic);
    paho->tick_topic_len = paho->tick_topic != NULL ? strlen(paho->tick_topic) : 0;
    return copied;
}

static void destroy(struct paho *paho)
{
    while (paho->first != NULL) {
        struct command *command = paho->first;
        paho->first = command->next;
        free(command);
    }
    free(paho->connect);
    free(paho->files);
    free(paho->tickets);
    free(paho->finished);
    free(paho->client_id);
    free(paho->ca_file);
    free(paho->cert_file);
    free(paho->key_file);
    free(paho->will_topic);
    free(paho->tick_topic);
    (void)pthread_cond_destroy(&paho->work);
    (void)pthread_mutex_destroy(&paho->mutex);
    free(paho);
}

static bool enlist(struct paho *paho)
{
    bool listed = false;
    (void)pthread_mutex_lock(&clients_mutex);
    for (unsigned i = 0; i < CLIENTS_MAX && !listed; i++) {
        if (clients[i] == NULL) {
            clients[i] = paho;
            paho->index = i;
            listed = true;
        }
    }
    (void)pthread_mutex_unlock(&clients_mutex);
    return listed;
}

static void delist(const struct paho *paho)
{
    (void)pthread_mutex_lock(&clients_mutex);
    clients[paho->index] = NULL;
    (void)pthread_mutex_unlock(&clients_mutex);
}

enum err paho_new(const struct paho_options *options, struct paho **ret_paho)
{
    assert(options->tickets > 0 && options->tickets <= PAHO_TICKETS_MAX);
    struct paho *paho = calloc(1, sizeof(*paho));
    if (paho == NULL) {
        return ERR_NOMEM;
    }
    paho->last = &paho->first;
    paho->wake = options->wake;
    paho->context = options->context;
    paho->tickets_len = options->tickets;
    (void)pthread_mutex_init(&paho->mutex, NULL); /* neither fails on Linux with default attributes */
    (void)pthread_cond_init(&paho->work, NULL);
    paho->tickets = calloc(options->tickets, sizeof(*paho->tickets));
    paho->finished = calloc(options->tickets, sizeof(*paho->finished));
    if (paho->tickets == NULL || paho->finished == NULL || !copy_options(paho, options->session)) {
        destroy(paho);
        return ERR_NOMEM;
    }
    /* Paho 1.3.12 would send MQTT through a web proxy named there. */
    (void)unsetenv("http_proxy");
    (void)unsetenv("https_proxy");
    if (!enlist(paho)) {
        destroy(paho);
        return ERR_LIMIT;
    }
    if (pthread_create(&paho->thread, NULL, run, paho) != 0) {
        delist(paho);
        destroy(paho);
        return ERR_AGAIN;
    }
    *ret_paho = paho;
    return ERR_OK;
}

void paho_free(struct paho *paho)
{
    if (paho == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&paho->mutex);
    paho->quit = true;
    (void)pthread_mutex_unlock(&paho->mutex);
    (void)pthread_cond_signal(&paho->work);
    (void)pthread_join(paho->thread, NULL);
    delist(paho);
    destroy(paho);
}
