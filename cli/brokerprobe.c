/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerprobe.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "mqtt/session.h"
#include "mqtt/topics.h"
#include "net/loop.h"
#include "provisioning/keypair.h"

#define CID_BYTES   16
#define KEEPALIVE_S 60
#define RETRY_MS    600000 /* once is enough */
#define QUEUE_MAX   8
#define DRAIN_MS    500
#define OTHER_NAME  "probe-of-another-name"
#define COOKIE      1

struct run;

struct client {
    struct run *run;
    struct session *session; /* owned */
    char id[2 * CID_BYTES + DEVICE_ID_MAX];
    bool revoked;
};

struct run {
    struct brokerprobe *probe;
    struct loop *loop;
    struct loop_timer *timer;
    struct client clients[2];
    size_t clients_len, stopped;
    bool stopping;
    char own[TOPIC_SIZE], foreign_topic[TOPIC_SIZE], foreign_filter[TOPIC_SIZE];
};

const char *brokerprobe_check_text(enum brokerprobe_check check)
{
    static const char *const texts[BROKERPROBE_CHECKS] = {
        [BROKERPROBE_GOOD] = "a good certificate connects",
        [BROKERPROBE_OWN] = "it may subscribe its own topics",
        [BROKERPROBE_FOREIGN_PUBLISH] = "a foreign publication is refused",
        [BROKERPROBE_FOREIGN_SUBSCRIBE] = "a foreign subscription is refused",
        [BROKERPROBE_REVOKED] = "a revoked certificate is refused",
    };
    return texts[check];
}

bool brokerprobe_passed(const struct brokerprobe *probe)
{
    bool passed = true;
    for (size_t i = 0; i < BROKERPROBE_CHECKS; i++) {
        passed = passed && (probe->verdict[i] == BROKERPROBE_PASSED || probe->verdict[i] == BROKERPROBE_SKIPPED);
    }
    return passed;
}

static void on_stopped(void *context)
{
    struct run *run = context;
    if (++run->stopped == run->clients_len) {
        loop_stop(run->loop);
    }
}

static void stop(struct run *run)
{
    if (run->stopping) {
        return;
    }
    run->stopping = true;
    for (size_t i = 0; i < run->clients_len; i++) {
        session_stop(run->clients[i].session, DRAIN_MS, on_stopped, run);
    }
}

static void on_timeout(void *context)
{
    stop(context);
}

/** The first word on a check counts. */
static void settle(struct run *run, enum brokerprobe_check check, bool passed, const char *detail)
{
    struct brokerprobe *probe = run->probe;
    if (probe->verdict[check] != BROKERPROBE_UNKNOWN) {
        return;
    }
    probe->verdict[check] = passed ? BROKERPROBE_PASSED : BROKERPROBE_FAILED;
    (void)snprintf(probe->detail[check], sizeof(probe->detail[check]), "%s", passed ? "" : detail); /* may be cut */
    for (size_t i = 0; i < BROKERPROBE_CHECKS; i++) {
        if (probe->verdict[i] == BROKERPROBE_UNKNOWN) {
            return;
        }
    }
    stop(run);
}

static void on_connected(void *context, const char *endpoint)
{
    (void)endpoint; /* there is one */
    const struct client *client = context;
    struct run *run = client->run;
    if (client->revoked) {
        settle(run, BROKERPROBE_REVOKED, false, "it was let in");
        return;
    }
    settle(run, BROKERPROBE_GOOD, true, "");
    const struct session_publish publish = {
        .topic = run->foreign_topic, .payload = VIEW_LITERAL("{}"), .qos = 1, .cookie = COOKIE};
    const struct session_filter own = {.filter = run->own, .qos = 1, .retain_handling = SESSION_RETAIN_NONE};
    const struct session_filter foreign = {
        .filter = run->foreign_filter, .qos = 1, .retain_handling = SESSION_RETAIN_NONE};
    if (session_publish(client->session, &publish) != ERR_OK || session_subscribe(client->session, &own) != ERR_OK ||
        session_subscribe(client->session, &foreign) != ERR_OK) {
        stop(run); /* no memory: what is not known stays so */
    }
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    const struct client *client = context;
    struct run *run = client->run;
    char detail[160];
    (void)snprintf(detail, sizeof(detail), "%s: %s", err_text(err), reason != NULL ? reason : ""); /* may be cut */
    if (run->stopping) {
        return;
    }
    if (client->revoked) {
        settle(run, BROKERPROBE_REVOKED, true, "");
        return;
    }
    for (size_t i = 0; i < BROKERPROBE_REVOKED; i++) {
        settle(run, (enum brokerprobe_check)i, false, i == BROKERPROBE_GOOD ? detail : "there was no connection");
    }
}

static void on_delivered(void *context, uint64_t cookie, enum err err)
{
    (void)cookie; /* there is one */
    const struct client *client = context;
    if (err == ERR_OK || err == ERR_DENIED) {
        settle(client->run, BROKERPROBE_FOREIGN_PUBLISH, err == ERR_DENIED, "it was taken");
    }
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    const struct client *client = context;
    if (err != ERR_OK && err != ERR_DENIED) {
        return; /* the connection ended: on_disconnected says it */
    }
    if (strcmp(filter, client->run->own) == 0) {
        settle(client->run, BROKERPROBE_OWN, err == ERR_OK, "it was refused");
    } else {
        settle(client->run, BROKERPROBE_FOREIGN_SUBSCRIBE, err == ERR_DENIED, "it was granted");
    }
}

static void random_id(char ret_id[static 2 * CID_BYTES + 1])
{
    uint8_t bytes[CID_BYTES];
    crypto_random(bytes, sizeof(bytes));
    crypto_hex(bytes, sizeof(bytes), ret_id);
}

/** Topics of the good client, whose name is @p name and whose id is @p cid on the broker for provisioning. */
static enum err choose_topics(struct run *run, enum broker_kind kind, const char *name, const char *cid)
{
    char other[2 * CID_BYTES + 1];
    if (kind == BROKER_KIND_CORE) {
        enum err err = topic_device_filter(view_of(name), run->own);
        (void)snprintf(run->foreign_filter, TOPIC_SIZE, TOPIC_ROOT "/up/#");
        return err == ERR_OK ? topic_build(TOPIC_UP_STATE, VIEW_LITERAL(OTHER_NAME), run->foreign_topic) : err;
    }
    random_id(other);
    const struct prov_topic own = {.request = false, .claim = view_of(name), .cid = view_of(cid)};
    const struct prov_topic foreign = {.request = true, .claim = view_of(name), .cid = view_of(other)};
    (void)snprintf(run->foreign_filter, TOPIC_SIZE, TOPIC_ROOT "/prov/+/+/req");
    enum err err = prov_topic_build(&own, run->own);
    return err == ERR_OK ? prov_topic_build(&foreign, run->foreign_topic) : err;
}

/** @param ret_name the certificate's name. */
static enum err read_name(const char *cert_file, const char *key_file, char ret_name[static KEYPAIR_NAME_SIZE],
                          struct errinfo *info)
{
    struct keypair pair = {.known = false};
    enum err err = keypair_check(cert_file, key_file, &pair, info);
    if (err == ERR_OK && pair.common_name[0] == '\0') {
        err = errinfo_set(info, ERR_INVALID, "broker", 0, "%s: no certificate with a name", cert_file);
    }
    if (err == ERR_OK) {
        memcpy(ret_name, pair.common_name, KEYPAIR_NAME_SIZE);
    }
    return err;
}

static enum err add_client(struct run *run, enum broker_kind kind, const struct broker_trial *trial, bool revoked,
                           struct errinfo *info)
{
    struct client *client = &run->clients[run->clients_len];
    const char *cert_file = revoked ? trial->revoked_cert : trial->cert_file;
    const char *key_file = revoked ? trial->revoked_key : trial->key_file;
    char name[KEYPAIR_NAME_SIZE];
    *client = (struct client){.run = run, .revoked = revoked};
    enum err err = read_name(cert_file, key_file, name, info);
    if (err != ERR_OK) {
        return err;
    }
    if (kind == BROKER_KIND_PROV) {
        random_id(client->id);
    } else if (view_copy(view_of(name), client->id, sizeof(client->id)) != ERR_OK) {
        return errinfo_set(info, ERR_LIMIT, "broker", 0, "%s: the name is too long", cert_file);
    }
    if (!revoked && choose_topics(run, kind, name, client->id) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "broker", 0, "%s: not the certificate of a %s", cert_file,
                           kind == BROKER_KIND_CORE ? "device" : "claim");
    }
    const struct session_options options = {
        .loop = run->loop,
        .client_id = client->id,
        .endpoints = &trial->endpoint,
        .endpoints_len = 1,
        .ca_file = trial->server_ca,
        .cert_file = cert_file,
        .key_file = key_file,
        .keepalive_s = KEEPALIVE_S,
        .backoff_base_ms = RETRY_MS,
        .backoff_cap_ms = RETRY_MS,
        .queue_max = QUEUE_MAX,
        .callbacks = {.connected = on_connected,
                      .disconnected = on_disconnected,
                      .delivered = on_delivered,
                      .subscribed = on_subscribed},
        .context = client,
    };
    err = session_new(&options, &client->session);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "broker", 0, "no session: %s", err_text(err));
    }
    run->clients_len++;
    return ERR_OK;
}

static enum err run_loop(struct run *run, enum broker_kind kind, const struct broker_trial *trial, uint64_t timeout_ms,
                         struct errinfo *info)
{
    enum err err = loop_timer_new(run->loop, on_timeout, run, &run->timer);
    if (err == ERR_OK) {
        err = add_client(run, kind, trial, false, info);
    }
    if (err == ERR_OK && trial->revoked_cert != NULL) {
        err = add_client(run, kind, trial, true, info);
    } else if (err == ERR_OK) {
        run->probe->verdict[BROKERPROBE_REVOKED] = BROKERPROBE_SKIPPED;
        (void)snprintf(run->probe->detail[BROKERPROBE_REVOKED], sizeof(run->probe->detail[0]),
                       "the description names no revoked certificate");
    }
    if (err == ERR_OK) {
        loop_timer_after(run->timer, timeout_ms);
        for (size_t i = 0; i < run->clients_len; i++) {
            session_start(run->clients[i].session);
        }
        loop_run(run->loop);
    }
    for (size_t i = 0; i < run->clients_len; i++) {
        session_free(run->clients[i].session);
    }
    return err;
}

enum err brokerprobe_run(enum broker_kind kind, const struct broker_trial *trial, uint64_t timeout_ms,
                         struct brokerprobe *ret_probe, struct errinfo *info)
{
    struct brokerprobe probe = {.verdict = {BROKERPROBE_UNKNOWN}};
    struct run run = {.probe = &probe};
    enum err err = loop_new(&run.loop);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "broker", 0, "no event loop: %s", err_text(err));
    }
    err = run_loop(&run, kind, trial, timeout_ms, info);
    loop_free(run.loop);
    if (err != ERR_OK) {
        return err;
    }
    bool silent = probe.verdict[BROKERPROBE_GOOD] != BROKERPROBE_PASSED;
    for (size_t i = 0; i < BROKERPROBE_CHECKS; i++) {
        /* Without the good one's connection nobody knows why the revoked one had none. */
        if (probe.verdict[i] == BROKERPROBE_UNKNOWN || (silent && probe.verdict[i] == BROKERPROBE_PASSED)) {
            probe.verdict[i] = BROKERPROBE_FAILED;
            (void)snprintf(probe.detail[i], sizeof(probe.detail[i]), "no answer");
        }
    }
    *ret_probe = probe;
    return ERR_OK;
}
