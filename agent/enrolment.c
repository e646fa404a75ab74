/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/enrolment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/floorlook.h"
#include "base/crypto.h"
#include "base/log.h"
#include "mqtt/inbox.h"
#include "mqtt/session.h"
#include "mqtt/topics.h"
#include "provisioning/enrol_device.h"

#define INBOX_MAX       8 /* answers come one at a time; copies of an impatient broker fit */
#define QUEUE_MAX       4
#define KEEPALIVE_S     60
#define BACKOFF_BASE_MS 1000
#define BACKOFF_CAP_MS  60000
#define EXPIRY_S        300
#define LEAVE_MS        1000
#define STORED_COOKIE   1

struct enrolment {
    struct enrolment_options options;
    struct enrol_device machine;
    struct session *session;  /* owned; NULL between attempts */
    struct inbox *inbox;      /* owned */
    struct loop_timer *timer; /* owned */
    struct floorlook *look;   /* owned */
    char cid[PROV_CID_SIZE + 1];
    char request_topic[TOPIC_SIZE], answer_topic[TOPIC_SIZE];
    char ca_file[PATH_MAX], cert_file[PATH_MAX], key_file[PATH_MAX];
    uint8_t nonce[PROV_NONCE_MAX];
    size_t nonce_len;
    struct prov_answer_message *answer; /* owned; the one that is being taken */
    char error[ERRINFO_TEXT_MAX];
    bool leaving, over;
    loop_fn stopped; /* set while stopping */
    void *stopped_context;
};

static void feed(struct enrolment *enrolment, const struct enrol_device_event *event);

static void feed_kind(struct enrolment *enrolment, enum enrol_device_event_kind kind)
{
    feed(enrolment, &(struct enrol_device_event){.kind = kind});
}

static void note_error(struct enrolment *enrolment, const char *what, const char *text)
{
    char quoted[LOG_QUOTED_SIZE];
    (void)snprintf(enrolment->error, sizeof(enrolment->error), "%s",
                   view_is_utf8(view_of(text)) ? text : what); /* cut */
    log_event(LOG_LEVEL_WARN, what, "state=%s error=%s", enrol_device_state_text(enrolment->machine.state),
              log_quote(enrolment->error, strlen(enrolment->error), quoted));
}

/* ---- what is sent ---- */

static enum err write_request(struct enrolment *enrolment, enum enrol_device_send what, struct strbuf *out,
                              struct errinfo *info)
{
    struct credentials *credentials = enrolment->options.credentials;
    struct view nonce = view_n((const char *)enrolment->nonce, enrolment->nonce_len);
    switch (what) {
    case ENROL_DEVICE_SEND_HELLO:
        return credentials_hello(credentials, out, info);
    case ENROL_DEVICE_SEND_CSR:
        return credentials_csr(credentials, nonce, out, info);
    case ENROL_DEVICE_SEND_STORED:
        return credentials_stored(credentials, nonce, out, info);
    case ENROL_DEVICE_SEND_NOTHING:
        break;
    }
    return ERR_STATE;
}

static enum err publish(struct enrolment *enrolment, struct view payload, uint64_t cookie)
{
    return session_publish(
        enrolment->session,
        &(struct session_publish){
            .topic = enrolment->request_topic, .payload = payload, .qos = 1, .expiry_s = EXPIRY_S, .cookie = cookie});
}

/* Goes before the request, so that the provisioner's people see both in order; nobody waits for an answer to it. */
static void send_trouble(struct enrolment *enrolment)
{
    struct strbuf text;
    struct errinfo info = {0};
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    struct view nonce = view_n((const char *)enrolment->nonce, enrolment->nonce_len);
    enum err err = credentials_trouble(enrolment->options.credentials, nonce, enrolment->options.trouble, &text, &info);
    if (err == ERR_OK) {
        err = publish(enrolment, strbuf_view(&text), 0);
    }
    strbuf_deinit(&text);
    if (err != ERR_OK) {
        note_error(enrolment, "enrolment-send-failed", info.text[0] != '\0' ? info.text : err_text(err));
    }
}

/* What could not be sent is repeated like what was lost on the way. */
static void send(struct enrolment *enrolment, enum enrol_device_send what)
{
    struct strbuf text;
    struct errinfo info = {0};
    if (enrolment->session == NULL) {
        return;
    }
    if (what == ENROL_DEVICE_SEND_CSR && enrolment->options.trouble != NULL && enrolment->machine.repeats == 0) {
        send_trouble(enrolment);
    }
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    enum err err = write_request(enrolment, what, &text, &info);
    if (err == ERR_OK) {
        err = publish(enrolment, strbuf_view(&text), what == ENROL_DEVICE_SEND_STORED ? STORED_COOKIE : 0);
    }
    strbuf_deinit(&text);
    if (err != ERR_OK) {
        note_error(enrolment, "enrolment-send-failed", info.text[0] != '\0' ? info.text : err_text(err));
    }
}

/* ---- the session of an attempt ---- */

static void on_connected(void *context, const char *endpoint)
{
    struct enrolment *enrolment = context;
    log_event(LOG_LEVEL_NOTICE, "enrolment-connected", "endpoint=%s cid=%s", endpoint, enrolment->cid);
    floorlook_connected();
    enum err err =
        session_subscribe(enrolment->session, &(struct session_filter){.filter = enrolment->answer_topic, .qos = 1});
    if (err != ERR_OK) {
        note_error(enrolment, "enrolment-subscribe-failed", err_text(err));
    }
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    (void)filter; /* there is one */
    if (err == ERR_OK) {
        feed_kind(context, ENROL_DEVICE_EV_CONNECTED);
    } else {
        note_error(context, "enrolment-subscribe-failed", err_text(err));
    }
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    struct enrolment *enrolment = context;
    if (enrolment->leaving) {
        return;
    }
    note_error(enrolment, "enrolment-disconnected", reason != NULL && reason[0] != '\0' ? reason : err_text(err));
    floorlook_failed(enrolment->look, err);
    feed_kind(enrolment, ENROL_DEVICE_EV_DISCONNECTED);
}

/* Paho's receive thread. */
static void on_message(void *context, const struct session_message *message)
{
    struct enrolment *enrolment = context;
    inbox_put(enrolment->inbox, message);
}

static void on_delivered(void *context, uint64_t cookie, enum err err)
{
    (void)err; /* if it was lost, so is the provisioner's knowledge: the first presence on the core broker tells it */
    if (cookie == STORED_COOKIE) {
        feed_kind(context, ENROL_DEVICE_EV_DELIVERED);
    }
}

static enum err name_attempt(struct enrolment *enrolment)
{
    uint8_t random[PROV_CID_SIZE / 2];
    struct view claim = view_of(enrolment->options.credentials->claim);
    crypto_random(random, sizeof(random));
    crypto_hex(random, sizeof(random), enrolment->cid);
    struct prov_topic topic = {.request = true, .claim = claim, .cid = view_of(enrolment->cid)};
    enum err err = prov_topic_build(&topic, enrolment->request_topic);
    topic.request = false;
    return err != ERR_OK ? err : prov_topic_build(&topic, enrolment->answer_topic);
}

static enum err open_session(struct enrolment *enrolment)
{
    const struct agent_config *config = enrolment->options.config;
    enum err err = name_attempt(enrolment);
    if (err != ERR_OK) {
        return err;
    }
    return session_new(
        &(struct session_options){.loop = enrolment->options.loop,
                                  .client_id = enrolment->cid,
                                  .endpoints = config->provisioning.endpoints.items,
                                  .endpoints_len = config->provisioning.endpoints.len,
                                  .ca_file = enrolment->ca_file,
                                  .cert_file = enrolment->cert_file,
                                  .key_file = enrolment->key_file,
                                  .keepalive_s = KEEPALIVE_S,
                                  .connect_timeout_s = (uint32_t)(config->broker.connect_timeout_ms / 1000),
                                  .backoff_base_ms = BACKOFF_BASE_MS,
                                  .backoff_cap_ms = BACKOFF_CAP_MS,
                                  .queue_max = QUEUE_MAX,
                                  .callbacks = {.connected = on_connected,
                                                .disconnected = on_disconnected,
                                                .message = on_message,
                                                .delivered = on_delivered,
                                                .subscribed = on_subscribed},
                                  .context = enrolment},
        &enrolment->session);
}

static void connect_anew(struct enrolment *enrolment)
{
    enum err err = open_session(enrolment);
    if (err != ERR_OK) {
        enrolment->session = NULL;
        note_error(enrolment, "enrolment-failed", err_text(err)); /* the attempt's own end comes to it again */
        return;
    }
    session_start(enrolment->session);
}

static void finish(void *context)
{
    struct enrolment *enrolment = context;
    if (enrolment->stopped != NULL) {
        enrolment->stopped(enrolment->stopped_context);
    } else if (enrolment->over) {
        enrolment->options.ended(enrolment->options.context);
    }
}

static void on_left(void *context)
{
    struct enrolment *enrolment = context;
    session_free(enrolment->session);
    enrolment->session = NULL;
    enrolment->leaving = false;
    if (enrolment->stopped != NULL || enrolment->over) {
        finish(enrolment);
    } else if (enrolment->machine.state == ENROL_DEVICE_OFFLINE) { /* the next attempt did not wait for this */
        connect_anew(enrolment);
    }
}

static void leave(struct enrolment *enrolment)
{
    if (enrolment->session != NULL && !enrolment->leaving) {
        enrolment->leaving = true;
        session_stop(enrolment->session, LEAVE_MS, on_left, enrolment);
    }
}

/* ---- steps ---- */

static void store(struct enrolment *enrolment)
{
    struct errinfo info = {0};
    struct credentials *credentials = enrolment->options.credentials;
    enum err err = credentials_install(credentials, enrolment->answer, &info);
    if (err != ERR_OK) {
        note_error(enrolment, "enrolment-not-stored", info.text);
    } else {
        log_event(LOG_LEVEL_NOTICE, "enrolled", "device=%s version=%" PRIu32, credentials->identity.id,
                  credentials->identity.version);
    }
    feed_kind(enrolment, err == ERR_OK ? ENROL_DEVICE_EV_STORED : ENROL_DEVICE_EV_UNSTORED);
}

static bool comes_back(const struct enrolment *enrolment)
{
    return enrolment->machine.state == ENROL_DEVICE_WAITING && enrolment->options.credentials->identity.version != 0;
}

static void act(struct enrolment *enrolment, const struct enrol_device_actions *actions)
{
    if (actions->store) {
        store(enrolment); /* its own step says what follows */
        return;
    }
    if (actions->send != ENROL_DEVICE_SEND_NOTHING) {
        send(enrolment, actions->send);
    }
    if (actions->done || (actions->leave && comes_back(enrolment))) {
        enrolment->over = true;
        loop_timer_stop(enrolment->timer);
    }
    if (actions->leave) {
        leave(enrolment);
    }
    if (actions->connect && enrolment->session == NULL) {
        connect_anew(enrolment);
    }
    if (enrolment->over && enrolment->session == NULL) {
        loop_timer_after(enrolment->timer, 0); /* never from inside its owner's call */
    }
}

static void feed(struct enrolment *enrolment, const struct enrol_device_event *event)
{
    if (enrolment->over || enrolment->stopped != NULL) {
        return;
    }
    uint64_t now = loop_now_ms(enrolment->options.loop);
    struct enrol_device_actions actions = enrol_device_step(&enrolment->machine, event, now, crypto_random_u64());
    loop_timer_at(enrolment->timer, enrol_device_deadline(&enrolment->machine));
    act(enrolment, &actions);
}

static void on_timer(void *context)
{
    struct enrolment *enrolment = context;
    if (enrolment->over || enrolment->stopped != NULL) {
        finish(enrolment);
        return;
    }
    feed_kind(enrolment, ENROL_DEVICE_EV_TIMER);
}

static void take(struct enrolment *enrolment, const struct prov_answer_message *answer)
{
    switch (answer->op) {
    case PROV_NONCE:
        if (enrolment->machine.state == ENROL_DEVICE_GREETING) {
            memcpy(enrolment->nonce, answer->nonce.ptr, answer->nonce.len);
            enrolment->nonce_len = answer->nonce.len;
        }
        feed(enrolment, &(struct enrol_device_event){.kind = ENROL_DEVICE_EV_NONCE, .expires_s = answer->expires_s});
        return;
    case PROV_CERT:
        feed_kind(enrolment, ENROL_DEVICE_EV_CERT);
        return;
    case PROV_NO:
        note_error(enrolment, "enrolment-refused", prov_refusal_name(answer->refusal));
        feed(enrolment, &(struct enrol_device_event){.kind = ENROL_DEVICE_EV_NO,
                                                     .soon = answer->refusal == PROV_BUSY,
                                                     .retry_after_s = answer->retry_after_s});
        return;
    }
}

static void on_inbox(void *context, const struct inbox_message *message)
{
    struct enrolment *enrolment = context;
    struct errinfo info = {0};
    if (enrolment->leaving || enrolment->session == NULL || !view_equals(message->topic, enrolment->answer_topic)) {
        return;
    }
    if (credentials_answer(enrolment->options.credentials, message->payload, enrolment->cid, enrolment->answer,
                           &info) == ERR_OK) {
        take(enrolment, enrolment->answer);
    } else {
        note_error(enrolment, "enrolment-answer-ignored", info.text);
    }
}

/* ---- life ---- */

static void on_ahead(void *context)
{
    struct enrolment *enrolment = context;
    if (enrolment->session != NULL && !enrolment->leaving) {
        session_reconnect(enrolment->session);
    }
}

static enum err set_up(struct enrolment *enrolment)
{
    const struct credentials *credentials = enrolment->options.credentials;
    struct loop *loop = enrolment->options.loop;
    enum err err = credentials_claim_path(credentials, CREDENTIALS_CLAIM_ROOT, enrolment->ca_file);
    err = err != ERR_OK ? err : credentials_claim_path(credentials, CREDENTIALS_CLAIM_CERT, enrolment->cert_file);
    err = err != ERR_OK ? err : credentials_claim_path(credentials, CREDENTIALS_CLAIM_KEY, enrolment->key_file);
    err = err != ERR_OK ? err : inbox_new(loop, INBOX_MAX, on_inbox, enrolment, &enrolment->inbox);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_timer, enrolment, &enrolment->timer);
    if (err != ERR_OK) {
        return err;
    }
    enrolment->answer = malloc(sizeof(*enrolment->answer));
    return enrolment->answer == NULL
               ? ERR_NOMEM
               : floorlook_new(
                     &(struct floorlook_options){.loop = loop,
                                                 .endpoints = &enrolment->options.config->provisioning.endpoints,
                                                 .ahead = on_ahead,
                                                 .context = enrolment},
                     &enrolment->look);
}

enum err enrolment_new(const struct enrolment_options *options, struct enrolment **ret_enrolment)
{
    struct enrolment *enrolment = calloc(1, sizeof(*enrolment));
    if (enrolment == NULL) {
        return ERR_NOMEM;
    }
    enrolment->options = *options;
    enrol_device_init(&enrolment->machine);
    enum err err = set_up(enrolment);
    if (err != ERR_OK) {
        enrolment_free(enrolment);
        return err;
    }
    *ret_enrolment = enrolment;
    feed_kind(enrolment, ENROL_DEVICE_EV_START);
    return ERR_OK;
}

void enrolment_stop(struct enrolment *enrolment, loop_fn done, void *context)
{
    enrolment->stopped = done;
    enrolment->stopped_context = context;
    if (enrolment->session != NULL) {
        leave(enrolment);
    } else {
        loop_timer_after(enrolment->timer, 0);
    }
}

void enrolment_free(struct enrolment *enrolment)
{
    if (enrolment == NULL) {
        return;
    }
    session_free(enrolment->session);
    floorlook_free(enrolment->look);
    inbox_free(enrolment->inbox);
    loop_timer_free(enrolment->timer);
    free(enrolment->answer);
    free(enrolment);
}

const char *enrolment_state(const struct enrolment *enrolment)
{
    return enrol_device_state_text(enrolment->machine.state);
}

const char *enrolment_error(const struct enrolment *enrolment)
{
    return enrolment->error;
}
