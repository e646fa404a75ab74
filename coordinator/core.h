/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * core: what the coordinator decides, without a socket, a clock or a disk: messages, outcomes and time come in,
 * publishes, changes for the DNS and commits for the store go out through core_ops. The daemon (coordinator.c) drives
 * it on libuv, the simulation on fake time. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/view.h"
#include "coordinator/config.h"
#include "coordinator/device.h"
#include "coordinator/histogram.h"
#include "coordinator/ownership.h"
#include "coordinator/plan.h"
#include "coordinator/registry.h"
#include "coordinator/store/store.h"
#include "mqtt/messages.h"
#include "providers/engine.h"

struct core;

struct core_time {
    uint64_t mono_ms;
    int64_t wall_ms;
};

struct core_publish {
    const char *topic;
    struct view payload;
    uint8_t qos;
    bool retain;
};

struct core_ops {
    /** @return ERR_LIMIT or ERR_STATE: cannot be sent now; the core keeps it and tries again at core_tick. */
    enum err (*publish)(void *context, const struct core_publish *publish);
    /** Hands a change to the zone writer. */
    enum err (*submit)(void *context, uint16_t zone, const struct rrset_change *change);
    /** Starts a group commit; core_committed follows. The batch stays valid until then. One at a time. */
    void (*commit)(void *context, struct store_batch *batch);
    uint64_t (*random)(void *context);
    /** The stored records of a device are to be compared with its plan (core_reconcile, then core_reconciled_device);
     * DEVICE_NONE: those of all. NULL: nobody does. */
    void (*reconcile)(void *context, uint32_t device);
    /** The retained states of a shard are to come again. NULL: nobody does. */
    void (*replay)(void *context, uint8_t shard);
    /** How many messages were lost on the way to core_message so far. NULL: none. */
    uint64_t (*dropped)(void *context);
};

struct core_options {
    const struct coordinator_config *config; /* borrowed; core_reconfigure swaps */
    const struct registry *registry;         /* borrowed */
    struct crypto_hmac *stamp_key;           /* borrowed; core_set_stamp_key swaps; NULL: no stamp is ever valid */
    const char *term;                        /* "<uuid>:<n>", copied */
    uint64_t last_rev;                       /* store's */
    const char *kid;                         /* our name on the broker, "svc-..."; copied; NULL: no feed is asked for */
    struct store_feed feed;                  /* store's */
    struct core_ops ops;
    void *context;
};

struct core_message {
    struct view topic, payload, observed;
    bool retained;
    uint64_t received_ms; /* mono, when it left the socket */
};

struct core_stats {
    uint64_t states, same, changed, lower, stale, unregistered_states;
    uint64_t bad_topic, bad_payload, bad_stamp, no_stamp, oversized;
    uint64_t changes, applied, refused, commits, commit_rows, commit_failures, acks, acks_deferred, feed_sent,
        feed_dropped;
    uint32_t devices, registered, online, late, lost, off;
    uint32_t records_open, records_refused, records_held;
    uint32_t acks_waiting;
    uint32_t nat[NAT_CLASSES];   /* devices by what their last state since the start said; not of NAT_UNKNOWN */
    uint32_t no_inbound;         /* devices without a way in, and so without an A record */
    uint32_t ledger[REG_STATES]; /* devices by what the ledger says */
    uint32_t owned;
    uint32_t suspects;       /* devices that are taken for one of two, by us or by the ledger after us */
    uint64_t suspicions;     /* how often one arose */
    uint64_t reg_words;      /* of the ledger, that were news */
    const char *store_state; /* "ok" or the name of the last failure */
    struct histogram change_ms;
};

enum err core_new(const struct core_options *options, struct core **ret_core) MUST_CHECK;
void core_free(struct core *core);

/** Takes in one message of up/#. Bad input costs a counter and one rate-limited log line. */
void core_message(struct core *core, struct core_time now, const struct core_message *message);
/** Ends a burst of messages: what became dirty goes to the store. */
void core_flush(struct core *core, struct core_time now);
/** @p batch given to ops.commit is durable (ERR_OK) or was not written at all. */
void core_committed(struct core *core, struct core_time now, enum err err, const struct errinfo *info);
void core_settled(struct core *core, struct core_time now, uint16_t zone, uint64_t epoch,
                  const struct engine_result *results, size_t results_len);
/** The owner's claim of a zone is durable: outcomes are written under @p epoch from now on. */
void core_zone_claimed(struct core *core, uint16_t zone, uint64_t epoch);
/** Timers: held changes, joined acks, presence, retries. @return mono ms of the next call that is needed. */
uint64_t core_tick(struct core *core, struct core_time now);
/** The broker connection came or went. */
void core_connected(struct core *core, struct core_time now, bool connected);

/** At start: a stored device, before messages of its shard come. */
enum err core_load_device(struct core *core, const struct store_device *device) MUST_CHECK;
/** At start: what the ledger said of a device; in any order with core_load_device. */
enum err core_load_reg(struct core *core, const struct store_reg *reg) MUST_CHECK;
/** At start: a record whose want is not served yet. */
enum err core_load_pending(struct core *core, struct core_time now, const struct store_record *record) MUST_CHECK;

/**
 * New config and registry (SIGHUP): every loaded device is looked up anew; core_reconcile then repairs its records.
 * Zones may be others in another order: core_resubmit must follow when the zone writers stand.
 * @param ret_replay retained states should be replayed: devices were registered that had reported before, or another
 * policy judges addresses otherwise, for all devices or for one that has moved to another group (then its states count
 * as unseen). @return ERR_NOMEM: nothing has changed, the old config and registry stay in use.
 */
enum err core_reconfigure(struct core *core, const struct coordinator_config *config, const struct registry *registry,
                          bool *ret_replay) MUST_CHECK;
/** The zone writers were made anew: hands every change that is not served yet to them. */
void core_resubmit(struct core *core, struct core_time now);
/** How many records the store holds, for the summary. */
void core_set_records(struct core *core, uint64_t records);
/**
 * Drops the (boot, seq) that is known of a device, so that its next state is taken whatever its pair: for a device
 * whose counter cannot rise above the stored one. Addresses and records stay. Durable with the next commit.
 * @return ERR_NOTFOUND: the device never reported; ERR_NOMEM: nothing has changed.
 */
enum err core_forget_pair(struct core *core, struct core_time now, uint32_t device) MUST_CHECK;
/** A person has looked at the device: it is suspected no more, until new signs come. */
void core_trust(struct core *core, struct core_time now, uint32_t device);
/** The feed's topics are subscribed, and every stored device is known: it may be asked for; or no more. */
void core_reg_ready(struct core *core, bool ready);
/** Ownership is required, and no answer of the provisioner came for half an hour. */
bool core_reg_is_late(const struct core *core, struct core_time now);
const struct store_feed *core_feed_position(const struct core *core);
struct standing core_standing(const struct core *core, uint32_t device);
/** NULL: no ledger said anything of it, and we suspect nothing. Borrowed until the core is called again. */
const struct reg_row *core_reg_row(const struct core *core, uint32_t device);
const char *core_reg_text(const struct core *core, uint32_t ref);
/** The device's entry: the registry's, or what the ledger made of it; NULL when it has none. Valid until
 * core_reconfigure. */
const struct registry_entry *core_entry(const struct core *core, const struct device *device);
/** What the device's names should be by @p addresses; none while they are withdrawn. */
void core_plan(const struct core *core, uint32_t device, const struct plan_addresses *addresses, struct plan *ret_plan);
/** Stamps count by this key from now on (borrowed); the one before may be freed. */
void core_set_stamp_key(struct core *core, struct crypto_hmac *key);
/**
 * Compares the stored records of one device (all of them, in any order) with its plan: missing and wrong ones are
 * planned, superfluous ones become tombstones. The rows may be as old as the last core_committed before this call:
 * what has changed since is in memory still, and is not planned twice.
 * @return false: some of it has to wait, for a commit or for memory; the comparison is to be made again.
 */
bool core_reconcile(struct core *core, struct core_time now, uint32_t device, const struct store_record *records,
                    size_t records_len);
/** core_reconcile took in all of what ops.reconcile asked for: noted in the store, with what was planned. */
void core_reconciled_device(struct core *core, uint32_t device);
/**
 * The records of all devices were compared with the registry in use. Until then the store is asked first whose a name
 * is: templates that keep names apart say nothing about rows that another registry left behind.
 */
void core_reconciled(struct core *core);
/** A record that belongs to no known device: tombstone. @return as core_reconcile. */
bool core_reconcile_orphan(struct core *core, struct core_time now, const struct store_record *record);
/**
 * Writes a record's wanted value again (drift, refresh), or deletes a tombstone.
 * @return ERR_EXISTS: it is moving; ERR_AGAIN: the row is no longer what the device's plan or the moving record says,
 * so it was read too long ago; ERR_NOTFOUND: no such zone; ERR_NOMEM.
 */
enum err core_rewrite(struct core *core, struct core_time now, const struct store_record *record,
                      bool adopt) MUST_CHECK;

/** Nothing waits for a commit and none runs: all that was decided is durable. */
bool core_is_durable(const struct core *core);

struct device_table *core_devices(struct core *core);
const struct registry *core_registry(const struct core *core);
/** The moving part of a record, NULL when it rests. */
const struct outbox_entry *core_outbox_find(const struct core *core, struct view name, enum rrtype type);
/** The moving part of a stored record, NULL when it rests: a claim of another device that the store has refused is no
 * part of it, though it bears the name. */
const struct outbox_entry *core_moving(const struct core *core, const struct store_record *record);
void core_stats(const struct core *core, struct core_stats *ret_stats);
/** fleet/summary as of now. */
enum err core_summary(const struct core *core, struct core_time now, struct strbuf *out) MUST_CHECK;
