/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** coordinator_private: what the daemon's own files share (coordinator.c, zones.c, loader.c, sweep.c, control*.c,
 * metrics.c). */
#include "coordinator/coordinator.h"
#include "coordinator/core.h"
#include "coordinator/drift.h"
#include "coordinator/intake.h"
#include "coordinator/limits.h"
#include "coordinator/outbox.h"
#include "coordinator/settings.h"
#include "mqtt/session.h"
#include "net/loop.h"

struct loader;
struct sweeper;
struct control;
struct stops;
struct whoami;
struct notify_watchdog;

struct zone {
    struct coordinator *coordinator;
    uint16_t index;
    char name[DNSNAME_SIZE]; /* a copy: the worker reads it while a reload swaps the settings */
    struct engine_zone *engine_zone;
    bool deposed;
};

struct coordinator {
    const char *config_path;
    struct settings *settings;
    struct loop *loop;
    struct loop_worker *worker; /* every store call after the start */
    struct loop_wake *intake_wake;
    struct loop_timer *intake_poll;
    _Atomic unsigned intake_polled; /* 1: the loop looks at the intake by itself; nobody needs to wake it */
    uint64_t drained_ms;            /* mono, when the intake was last emptied */
    struct loop_timer *tick;
    uint64_t tick_ms; /* when it is armed for; UINT64_MAX = not armed */
    struct loop_signal *signals[3];
    int store_lock; /* -1 = none */
    struct store *store;
    const struct store_ops *store_ops;
    struct crypto_hmac *stamp_key;
    struct core *core;
    struct intake *intake;
    struct engine *engine;
    struct stops *stops;
    struct engine_account *accounts[ACCOUNTS_MAX]; /* in the config's order */
    struct zone zones[ZONES_MAX];
    size_t zones_len;
    uint64_t zones_generation; /* raised by each reload: a claim of an earlier one is dropped */
    struct loop_timer *reload_later;
    struct session *session;
    struct loader *loader;
    struct sweeper *sweeper;
    struct test_job *tests; /* of accounts, under way; control_test.c's */
    struct control *control;
    struct whoami *whoami;
    struct notify_watchdog *watchdog;
    struct {
        unsigned waiting;              /* subscriptions that the broker has not confirmed */
        bool refused, asked_for, live; /* one was refused; subscribed in this connection; the core may ask */
        bool seen_asked_for;
    } feed; /* feed.c's */
    char term[64];
    uint64_t started_ms;     /* mono */
    uint64_t overflows_seen; /* of the intake, as of the last replay */
    uint64_t reloads;
    bool stopping;
    enum err exit_err;
};

#define SOON_MS 20 /* what a burst left to the tick: paced commits, yielding acks */

struct core_time coordinator_now(void);
/** Brings the next tick forward, never back. */
void coordinator_arm_tick(struct coordinator *coordinator, uint64_t at_ms);

/* zones.c: accounts and zone writers. */
/** @param ret_accounts room for one an account of the config, in its order; all NULL after an error, which is told in
 * @p report. */
enum err zones_make_accounts(struct coordinator *coordinator, const struct coordinator_config *config,
                             struct engine_account **ret_accounts, struct strbuf *report) MUST_CHECK;
void zones_free_accounts(struct engine_account **accounts, size_t len);
/** Of the present settings. @param deposed those that another coordinator has taken, in the config's order; NULL =
 * none. */
enum err zones_open(struct coordinator *coordinator, const bool *deposed) MUST_CHECK;
void zones_close(struct coordinator *coordinator);
/** Which zones of a new config another coordinator has taken: only a person can tell that it is gone. */
void zones_find_deposed(const struct coordinator *coordinator, const struct coordinator_config *config,
                        bool ret_deposed[static ZONES_MAX]);

/* loader.c: from an empty memory to a full one while live messages are served. */
enum err loader_new(struct coordinator *coordinator, struct loader **ret_loader) MUST_CHECK;
void loader_free(struct loader *loader);
void loader_start(struct loader *loader);
/** The broker session is up: subscribes every shard live, then replays what is retained, shard by shard. */
void loader_connected(struct loader *loader);
void loader_subscribed(struct loader *loader, const char *filter, enum err err);
/** Takes a message whose shard is not loaded yet; false when it is loaded and the message can be judged now. */
bool loader_park(struct loader *loader, const struct core_message *message);
/** At start: the stored records are compared with the registry only when it is another one than last time. */
void loader_reconcile_if_changed(struct loader *loader);
/** From the coordinator's tick: notes a finished reconcile when all of it is durable. */
void loader_tick(struct loader *loader);
/** Reads the stored records of every device again and repairs them: after a reload. */
void loader_reconcile(struct loader *loader);
/** "loading", "replaying", "reconciling" or "live". */
const char *loader_state(const struct loader *loader);
/** Replays all shards again: messages were lost. */
void loader_replay(struct loader *loader);

/** Reads the stored records of one device and repairs them; DEVICE_NONE: of all. */
void loader_reconcile_device(struct loader *loader, uint32_t device);
/** Replays one shard. */
void loader_replay_shard(struct loader *loader, uint8_t shard);
/** Every stored device, and what the ledger said of it, is in memory. */
bool loader_knows_all(const struct loader *loader);

/* feed.c: the subscriptions beside the devices' own: the ledger's words, and who connects. */
void feed_connected(struct coordinator *coordinator);
void feed_disconnected(struct coordinator *coordinator);
/** @return false: the subscription is not one of these. */
bool feed_subscribed(struct coordinator *coordinator, const char *filter, enum err err);
/** The config is another one. */
void feed_reloaded(struct coordinator *coordinator);
void feed_tick(struct coordinator *coordinator);

/* sweep.c */
enum err sweeper_new(struct coordinator *coordinator, struct sweeper **ret_sweeper) MUST_CHECK;
void sweeper_free(struct sweeper *sweeper);
/** One difference between zone and desired state. */
struct sweep_difference {
    const char *kind; /* drift_name */
    const char *name;
    enum rrtype type;
    struct rrset_value have, want;
    uint32_t have_ttl, want_ttl; /* seconds; 0 = nothing there, or not listed */
};
struct zoneplan;
/** What is to be done about the differences. */
struct sweep_order {
    bool apply;            /* repair them */
    bool force;            /* past the guard */
    bool dry;              /* say what would be repaired */
    struct zoneplan *plan; /* repair these changes and no others; gets their fates; NULL = all. Borrowed until done */
};
struct sweep_result {
    enum err err;
    const char *detail; /* of err */
    struct drift_tally tally;
    bool stopped;                               /* by the guard, */
    enum drift_guard guard;                     /* for this reason; of a comparison: what a repair would meet */
    const struct sweep_difference *differences; /* at most SWEEP_DIFFERENCES_MAX */
    size_t differences_len, differences_more;   /* those behind the cap are only counted */
    size_t applied;                             /* changes that went to the writer, or in a dry run would */
};
#define SWEEP_DIFFERENCES_MAX 1000
typedef void (*sweep_done_fn)(void *context, const struct sweep_result *result);
/** Compares now, and does what @p order says. @p done may be NULL. @return ERR_STATE when one runs for the zone. */
enum err sweeper_run(struct sweeper *sweeper, uint16_t zone, const struct sweep_order *order, sweep_done_fn done,
                     void *context) MUST_CHECK;
/** The worker reads a page for a sweep or diff, of the present zones. Takes a bounded time; a listing, which a server
 * may hold up for as long as it likes, does not count. */
bool sweeper_is_busy(const struct sweeper *sweeper);
/** Ends what runs, telling whoever waits. Not while busy; the zones must be freed in the same turn of the loop. */
void sweeper_give_up(struct sweeper *sweeper);
/** Last result's counters of a zone, zero before the first. */
void sweeper_last(const struct sweeper *sweeper, uint16_t zone, struct sweep_result *ret_result, int64_t *ret_at_ms);

/** Ends the tests of accounts that wait for a zone, telling whoever waits: the zones are freed in the same turn of the
 * loop, or the coordinator ends (control_test.c). */
void control_tests_give_up(struct coordinator *coordinator);

/* control.c: HTTP over the unix socket, and /metrics and /healthz. */
enum err control_new(struct coordinator *coordinator, struct control **ret_control, struct errinfo *info) MUST_CHECK;
void control_free(struct control *control);
