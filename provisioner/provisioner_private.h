/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** provisioner_private: what the daemon's own files share (provisioner.c, chores.c, control*.c, metrics.c). */
#include "mqtt/inbox.h"
#include "mqtt/session.h"
#include "net/httpd.h"
#include "net/loop.h"
#include "provisioner/desk.h"
#include "provisioner/provisioner.h"

struct provisioner;
struct letter;
struct notify_watchdog;

/** One broker. */
struct link {
    struct provisioner *provisioner;
    struct session *session; /* NULL: not configured */
    struct inbox *inbox;
    bool core;
};

struct provisioner {
    const char *config_path;
    struct settings *settings;
    struct loop *loop;
    struct loop_worker *worker;   /* everything of the desk */
    struct loop_worker *commands; /* programs that the config names */
    struct loop_signal *signals[3];
    struct loop_timer *tick;
    struct notify_watchdog *watchdog;
    struct awaited *awaited;
    struct desk *desk;
    struct link prov, core;
    struct letter *letters, **letters_end; /* wait for the worker */
    size_t letters_len;
    bool reading;  /* letters are with the worker */
    bool ticking;  /* the clock's work is */
    bool feeding;  /* a page of the feed is */
    uint64_t rev;  /* of the store, as last seen */
    uint64_t told; /* to coordinators */
    struct desk_ask ask;
    bool asked;
    struct desk_revocations flight; /* listed, not yet known to the core broker */
    bool flight_sent, flight_told;
    uint64_t told_stored;    /* what the store says of `told` */
    struct desk_stats stats; /* as last seen */
    uint64_t lives[LIVES], certs[CERT_STATES], revoking;
    enum err store_err; /* of the last transaction */
    uint64_t started_ms, reloads;
    struct httpd *local, *metrics;
    bool stopping;
};

struct desk_time provisioner_now(void);
/** Publishes what was decided, and empties the outbox. */
void provisioner_publish(struct provisioner *provisioner, struct outbox *outbox);
/** From a job's `done`: what the desk has come to. */
void provisioner_note(struct provisioner *provisioner, enum err err, uint64_t rev, const struct desk_stats *stats);

/* chores.c: what the clock brings. */
void chores_tick(struct provisioner *provisioner);
void chores_feed(struct provisioner *provisioner);
void chores_delivered(struct provisioner *provisioner, uint64_t cookie, enum err err);

/* control.c */
enum err control_open(struct provisioner *provisioner, struct errinfo *info) MUST_CHECK;
void control_close(struct provisioner *provisioner);

/* metrics.c */
#define METRICS_MAX          ((size_t)64 * 1024)
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
enum err metrics_write(struct provisioner *provisioner, struct strbuf *out) MUST_CHECK;
/** NULL when all is well, else why not. Static storage. */
const char *metrics_health(const struct provisioner *provisioner);
