/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** core_private: what the core_*.c files share. Included by them only. */
#include "base/arena.h"
#include "coordinator/addrcount.h"
#include "coordinator/clone.h"
#include "coordinator/core.h"
#include "coordinator/damper.h"
#include "coordinator/derived.h"
#include "coordinator/outbox.h"
#include "coordinator/plan.h"
#include "coordinator/policy.h"
#include "coordinator/queue.h"
#include "coordinator/regtable.h"
#include "mqtt/messages.h"
#include "mqtt/topics.h"

struct commit {
    struct store_batch batch;
    struct store_batch part;    /* of it, what the store is given */
    size_t part_from, part_len; /* rows, see core_poison.c; part_len 0: the whole batch */
    struct store_device *devices;
    uint32_t *device_refs;
    struct store_want *wants;
    struct outbox_entry **want_entries;
    struct store_have *haves;
    struct outbox_entry **have_entries;
    char (*errors)[OUTBOX_ERROR_MAX + 1]; /* texts of `haves` */
    char (*ids)[DEVICE_ID_MAX + 1];       /* texts of `devices` */
    char (*owners)[DEVICE_ID_MAX + 1];    /* texts of the wants' devices */
    uint16_t *have_zones;
    struct store_reg *regs;
    uint32_t *reg_refs;
    char (*reg_ids)[DEVICE_ID_MAX + 1]; /* texts of `regs` */
    struct store_feed feed;             /* as it was when the batch was made */
    bool running;
    uint64_t started_ms; /* mono: of the last batch */
    uint64_t retry_ms;   /* mono: after a failure */
    enum err last_error;
};

struct known_zone {
    const char *name;  /* in zone_texts */
    uint64_t epoch;    /* highest one that was claimed or settled under; 0 = none in this process */
    int config_index;  /* in the present config's zones; -1 = no longer configured */
    uint32_t open;     /* of stats.records_open */
    bool moving;       /* one of them was settled within STORM_MOVING_MS, or the first one came within it */
    uint64_t moved_ms; /* mono: when it was, valid with moving */
};

/* A question to the provisioner that waits for its answer. */
struct reg_asked {
    bool running;
    bool void_answer; /* something of it could not be taken in */
    uint64_t rev;     /* from here on */
    uint64_t dropped; /* ops.dropped then */
};

struct core {
    const struct coordinator_config *config;
    const struct registry *registry;
    struct crypto_hmac *stamp_key;
    struct core_ops ops;
    void *context;
    char term[64];
    uint64_t rev;
    struct known_zone
        *zones_known; /* every zone ever configured: a batch that waits for room on the disk outlives its config */
    size_t zones_known_len;
    struct arena zone_texts;
    uint32_t zone_refs[ZONES_MAX]; /* the present config's zones in zones_known */

    struct device_table *devices;
    struct addrcount *observed;
    struct outbox *outbox;
    struct damper *damper;
    struct policy policy;
    struct ip_prefix treat_as_public[64];
    struct derived *derived; /* of `registry` */
    struct regtable *regs;
    struct clone_table *clones;
    char kid[DEVICE_ID_MAX + 1];
    struct store_feed feed; /* how much of the ledger is known */
    bool feed_dirty, feed_ready;
    struct reg_asked asked;
    uint64_t ask_ms, fed_ms; /* mono: next question; last whole answer */
    struct queue dirty_regs; /* device indices, each once */
    struct queue untold;     /* suspects that the ledger does not call so */

    bool names_exclusive; /* the registry in use promises it, and the store has no other rows */
    uint64_t registry_fingerprint;

    struct queue dirty_devices; /* device indices */
    struct queue ack_join;      /* device indices in order of their join deadline */
    struct queue ack_ready;     /* device indices whose ack goes out as soon as the session takes it */
    struct queue gone;          /* device indices in order of their debounce deadline */
    struct queue held;          /* scanned at each tick: few */
    struct queue replan;        /* devices one of whose names could not be wanted yet, in order of their next try */

    struct commit commit;
    uint64_t open_moving; /* open records of the zones that are moving */
    bool connected;
    uint32_t presence_cursor;
    uint64_t presence_due_ms;
    uint64_t feed_window_ms;
    uint32_t feed_in_window;
    uint64_t feed_dropped_since;
    uint64_t summary_due_ms;
    bool resuming; /* what is submitted was pending in the store */
    bool summary_dirty;
    uint64_t records; /* in the store, as last counted */

    struct core_stats stats;
    struct plan plan_old, plan_new; /* scratch of core_apply */
    struct dns_message ack;         /* scratch of core_ack */
    struct strbuf scratch;
};

/* core_judge.c */
struct judge_input {
    const struct state_message *state;
    bool retained; /* out of the broker's store */
    bool newer;    /* its pair is newer than the one that is known */
};
/** @param ret_after what counted before; what counts by this state. The device's flags are set, and what begins is
 * told. */
void core_judge(struct core *core, struct core_time now, uint32_t index, const struct judge_input *said,
                struct plan_addresses *ret_after);
void core_set_flag(struct device *device, uint16_t flag, bool on);
/** DEVICE_NO_INBOUND, counted. */
void core_set_no_inbound(struct core *core, struct device *device, bool on);

/* core_apply.c */
/** @return ERR_NOMEM: nothing has changed, and the report counts as unseen. */
enum err core_apply_addresses(struct core *core, struct core_time now, uint32_t index,
                              const struct plan_addresses *before, const struct plan_addresses *after,
                              uint64_t received_ms) MUST_CHECK;
/** Not a device's wish, so no flap. @return ERR_NOMEM: nothing has changed. */
enum err core_apply_at_once(struct core *core, struct core_time now, uint32_t index,
                            const struct plan_addresses *before, const struct plan_addresses *after) MUST_CHECK;
struct plan_addresses core_addresses_of(const struct core *core, uint32_t index);
void core_submit(struct core *core, struct core_time now, struct outbox_entry *entry);
/* What was known of the name in another zone is no longer. */
void core_move_entry(struct outbox_entry *entry, uint16_t zone);
/* The server may hold @p sent, or nothing, instead of what the store has of it. */
void core_mark_unsure(struct outbox_entry *entry, const struct rrset_value *sent);
/* As core_submit, but where the store must say first what we wrote last, or whose the name is, its commit submits. */
void core_submit_or_wait(struct core *core, struct core_time now, struct outbox_entry *entry);
/* An entry as if nothing had been wanted of it: out of all counts. What the engine has of it stays there. */
void core_take_back(struct core *core, struct core_time now, struct outbox_entry *entry);
/* The name is to be deleted: a tombstone. */
void core_give_entry_up(struct core *core, struct core_time now, struct outbox_entry *entry);
enum err core_want(struct core *core, struct core_time now, uint32_t device, const struct plan_item *item,
                   uint64_t received_ms, uint64_t hold_until_ms);
/** The entry's want must be committed, before its device counts as durable. */
void core_want_dirty(struct core *core, struct outbox_entry *entry);
void core_want_clean(struct core *core, struct outbox_entry *entry);
void core_entry_open(struct core *core, struct core_time now, struct outbox_entry *entry);
void core_entry_close(struct core *core, struct core_time now, struct outbox_entry *entry);
void core_release_held(struct core *core, struct core_time now);
/** Tries again what core_want answered with ERR_AGAIN, or the engine did not take. */
void core_replan_due(struct core *core, struct core_time now);
void core_replan_later(struct core *core, struct core_time now, uint32_t device);
/** As core_replan_later; the device does not count as durable, and is not acknowledged, until then. */
void core_replan_first(struct core *core, struct core_time now, uint32_t device);

/* core_prefix.c */
/** As with an address: what may not be published leaves what was before, and an explicit null takes it away. */
void core_judge_prefixes(struct core *core, struct core_time now, uint32_t index, const struct judge_input *said,
                         struct plan_addresses *after);
/** Takes from the names what has come to its end. */
void core_end_prefixes(struct core *core, struct core_time now);

/* core_commit.c */
/** Many records wait for a DNS that serves them: commits gather longer and acks yield, so that the answers come first.
 * A zone that settles nothing (its server is away) does not count. */
bool core_is_storm(const struct core *core);
void core_storm_opened(struct core *core, struct core_time now, uint16_t zone);
void core_storm_closed(struct core *core, uint16_t zone);
/** Finds zones that no longer move. */
void core_storm_tick(struct core *core, struct core_time now);
enum err core_commit_init(struct core *core);
void core_commit_deinit(struct core *core);
void core_mark_device(struct core *core, uint32_t index);

/* core_poison.c */
/** What of the batch is to be written now. */
struct store_batch *core_poison_part(struct commit *commit);
/** The store will never take that part: a smaller one is next, or its one row is left out.
 * @return true when there is more to write; false: all of the batch is written that can be. */
bool core_poison_failed(struct core *core, struct core_time now, enum err err, const struct errinfo *info);
/** The part is durable. @return as core_poison_failed. */
bool core_poison_applied(struct commit *commit);

/* core_ack.c */
void core_ack_after_commit(struct core *core, struct core_time now, uint32_t index);
void core_ack_now(struct core *core, struct core_time now, uint32_t index);
void core_ack_pump(struct core *core, struct core_time now);
/** A name that its device had and the registry gives it no more. */
struct given_up {
    const char *name; /* borrowed for the call */
    enum rrtype type;
    uint32_t ttl; /* seconds */
    bool gone;    /* deleted; else its deletion waits for the sweep */
};
/** Takes the place of the retained answer that calls these names applied: a device without a registry entry is told
 * `unregistered` with them, another one what it has now. @param names_len the first MQTT_NAMES_MAX are told. */
void core_ack_given_up(struct core *core, struct core_time now, uint32_t index, const struct given_up *names,
                       size_t names_len);
void core_answer_unregistered(struct core *core, struct core_time now, struct view id, uint32_t boot, uint32_t seq,
                              const struct ip *observed);

/* core_reg.c */
/** Before a change of what is known of a device's ownership. */
struct reg_before {
    struct standing standing;
    uint32_t ref;
};
struct reg_before core_reg_before(const struct core *core, uint32_t index);
/** After it: registers the device anew, and has its names bound, frozen or withdrawn; noted in the store. */
void core_reg_changed(struct core *core, struct core_time now, uint32_t index, const struct reg_before *before);
void core_mark_reg(struct core *core, uint32_t index, struct reg_row *row);
/** @param suspect 0 = no more, else 1 + enum suspect_kind. */
void core_set_suspect(struct core *core, struct reg_row *row, uint8_t suspect);
/** The device's entry in @p registry, or in @p derived, its own. */
uint32_t core_ref_of(const struct core *core, const struct coordinator_config *config, const struct registry *registry,
                     struct derived *derived, uint32_t index);
/** @p row as one more, or one less, in the counts. */
void core_reg_count(struct core *core, const struct reg_row *row, bool more);
/** From one entry to another: DEVICE_NONE is none. */
void core_reg_register(struct core *core, uint32_t index, uint32_t before, uint32_t after);
void core_reg_reconcile(struct core *core, uint32_t index);
void core_reg_take(struct core *core, struct core_time now, uint32_t index, struct view payload);
void core_reg_done(struct core *core, struct core_time now, const struct topic *topic, struct view payload);
void core_reg_tick(struct core *core, struct core_time now);

/* core_reg_store.c */
bool core_reg_has_dirty(const struct core *core);
/** Last of a batch: what follows from a word is in the store with it, or before. */
void core_gather_regs(struct core *core);

/* core_clone.c */
/** A live state with a right stamp that is lower than what is known, or not from where that came. */
void core_clone_state(struct core *core, struct core_time now, uint32_t index, const struct state_scan *scan,
                      const struct ip *observed);
void core_seen_take(struct core *core, struct core_time now, const struct topic *topic, struct view payload);
void core_suspect_untold(struct core *core, uint32_t index, struct reg_row *row);
void core_tell_suspects(struct core *core);

/* core_presence.c */
void core_presence_state(struct core *core, struct core_time now, uint32_t index, const struct state_scan *scan);
void core_presence_gone(struct core *core, struct core_time now, uint32_t index, const struct gone_message *gone);
/* To be called before the device's pair is forgotten: what its last `gone` says is settled, and forgotten too. */
void core_presence_forget(struct core *core, struct core_time now, uint32_t index);
void core_presence_tick(struct core *core, struct core_time now);
void core_set_presence(struct core *core, struct core_time now, uint32_t index, enum presence presence);

/* core_feed.c */
void core_feed(struct core *core, struct core_time now, struct view device, const char *event,
               const struct outbox_entry *entry);
void core_summary_tick(struct core *core, struct core_time now);
