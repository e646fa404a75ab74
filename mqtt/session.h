/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * session: one MQTT 5 connection over Paho with mutual TLS, kept up by our own reconnect machine (mqtt/reconnect.h:
 * full jitter, list of endpoints, every address of each, monotonic timers). The only file that names Paho is paho.c.
 * Threads: everything is called on the loop thread, unless said otherwise, and nothing blocks, session_free excepted.
 * Paho itself is called from one thread that the session owns, names are looked up on another, so a resolver that hangs
 * never stops the loop. Clean start, session expiry 0: nothing survives a connection; the owner repeats what still
 * matters. Process-wide effects: http_proxy and https_proxy leave the environment (Paho would use them), SIGPIPE is
 * ignored (by Paho), and getaddrinfo is ours (mqtt/lookup.h). Decisions and evidence: docs/adr/0011-mqtt-session.md.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "net/loop.h"

struct session;

struct session_message {
    struct view topic;
    struct view payload;
    struct view
        observed; /* value of the last "muster-observed" user property; empty when absent or when there are several */
    struct view correlation;
    bool retained; /* replayed from the broker's store, not live */
    uint8_t qos;
};

enum session_retain_handling { SESSION_RETAIN_SEND = 0, SESSION_RETAIN_SEND_NEW = 1, SESSION_RETAIN_NONE = 2 };

struct session_filter {
    const char *filter; /* copied */
    uint8_t qos;
    enum session_retain_handling retain_handling;
};

struct session_publish {
    const char *topic;   /* copied */
    struct view payload; /* copied */
    uint8_t qos;
    bool retain;
    uint32_t expiry_s; /* 0 = never */
    struct view correlation;
    uint64_t cookie; /* handed to `delivered` when not 0 */
};

/** What the owner is told. Every member may be NULL. */
struct session_callbacks {
    /** Loop thread, before each connection attempt: fill the will's payload; a fresh (boot,conn) is due now. */
    void (*prepare)(void *context, struct strbuf *will_payload);
    void (*connected)(void *context, const char *endpoint); /* loop thread; subscribe and publish the birth here */
    /** Loop thread; also for a failed attempt. ERR_AUTH: one of the two ends did not accept the other's certificate, or
     * the broker the name; ERR_DENIED: the broker refused with "not authorised"; ERR_CONFLICT: another client with this
     * name took the connection over; anything else is silence, or a fault on the way. */
    void (*disconnected)(void *context, enum err err, const char *reason);
    /** PAHO'S RECEIVE THREAD: copy, queue, return. The views live for the call. */
    void (*message)(void *context, const struct session_message *message);
    void (*delivered)(void *context, uint64_t cookie, enum err err); /* loop thread; PUBACK came, or it never will */
    /** Loop thread, once a session_subscribe that was taken. ERR_DENIED: the broker refused; ERR_CLOSED: the connection
     * ended first. */
    void (*subscribed)(void *context, const char *filter, enum err err);
};

struct session_options {
    struct loop *loop;
    const char *client_id;
    const char *const *endpoints; /* "host:port", tried in turn; copied */
    size_t endpoints_len;
    const char *ca_file;   /* PEM; server's chain must end there and its name must match the endpoint's host */
    const char *cert_file; /* PEM chain */
    const char *key_file;  /* PEM; NULL when the key is in cert_file */
    uint32_t keepalive_s;
    uint32_t connect_timeout_s; /* over the resolver's own timeout; default 30 when 0 */
    uint64_t backoff_base_ms, backoff_cap_ms;
    uint32_t window;  /* QoS 1 messages and subscriptions in flight; at most 1024, default 15 when 0. Must be below the
                         broker's Receive Maximum (mosquitto: max_inflight_messages, 20): a full one makes Paho send that
                         many a second */
    size_t queue_max; /* messages waiting to be sent; session_publish says ERR_LIMIT beyond */
    uint32_t tick_ms; /* every so often a QoS 0 message to tick_topic, whose echo keeps Paho's receive thread awake (it
                         sleeps 100 ms after an idle second): 500 for a coordinator, 0 = none for devices */
    const char
        *tick_topic; /* subscribed by the session itself; must be ours alone; never told to `message` or `subscribed` */
    const char *will_topic; /* NULL = no will */
    bool will_retain;
    struct session_callbacks callbacks;
    void *context;
};

enum err session_new(const struct session_options *options, struct session **ret_session) MUST_CHECK;
/** Starts connecting and keeps the connection up. Once. */
void session_start(struct session *session);
/** Queues one message (QoS 0 or 1, content type application/json). One QoS 0 message in 64 goes out at QoS 1, for
 * pacing. Order is kept, also between QoS 0 and 1. Nothing is queued while disconnected or stopping: @return ERR_STATE
 * then; ERR_LIMIT (queue full), ERR_INVALID (topic, QoS), ERR_NOMEM. */
enum err session_publish(struct session *session, const struct session_publish *publish) MUST_CHECK;
enum err session_subscribe(struct session *session, const struct session_filter *filter) MUST_CHECK;
bool session_is_connected(const struct session *session);
size_t session_queued(const struct session *session); /* messages not yet handed to Paho or unacknowledged */
/** Drops the connection and reconnects at once (new certificate, dead path noticed). */
void session_reconnect(struct session *session);
/** Attempts from now on use these TLS files (PEM; copied) in place of the options'. @return ERR_NOMEM. */
enum err session_use_files(struct session *session, const char *ca_file, const char *cert_file,
                           const char *key_file) MUST_CHECK;
/** While it waits for its next attempt: that comes in @p delay_ms at the earliest, unless it is asked for. */
void session_hold_off(struct session *session, uint64_t delay_ms);
/** Attempts from now on leave by this interface (SO_BINDTODEVICE), whatever the routing table says; "" = its choice.
 * One session of a process may do so. @param device shorter than IFNAMSIZ; copied. */
void session_leave_by(struct session *session, const char *device);
/** The owner is about to cut the connection's socket and to reconnect: before that, so that Paho's receiving thread,
 * which wakes up then, does not wait for up to a second again before it looks at the new one. */
void session_hurry(struct session *session);
/** An attempt that is under way cannot succeed (its own address is gone): it ends within seconds, as Paho looks at its
 * time-outs every 3 s, instead of at the connect time-out. Nothing in any other state. */
void session_give_up(struct session *session);
/** Sends what is queued (at most @p drain_ms), DISCONNECT with reason 0 (no will), then calls @p done on the loop. */
void session_stop(struct session *session, uint32_t drain_ms, loop_fn done, void *context);
void session_free(struct session *session); /* after stop's done; blocks up to 2 s; NULL allowed */
