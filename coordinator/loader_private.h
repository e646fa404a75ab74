/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** loader_private: what loader.c and loader_replay.c share. Included by them only. */
#include "coordinator/clone.h"
#include "coordinator/coordinator_private.h"
#include "coordinator/queue.h"

#define SHARDS          256
#define RECONCILE_BATCH 256

enum shard_state { SHARD_UNLOADED, SHARD_LOADING, SHARD_LOADED };
enum phase { PHASE_IDLE, PHASE_DEVICES, PHASE_PENDING, PHASE_RECONCILE, PHASE_ORPHANS, PHASE_LIVE };

struct parked {
    struct parked *next;
    struct core_message message; /* views into bytes */
    char bytes[];
};

struct row {
    struct store_device device;
    char id[DEVICE_ID_MAX + 1];
};

struct reg_copy {
    struct store_reg reg;
    char id[DEVICE_ID_MAX + 1], group[MQTT_TEXT_MAX + 1], site[MQTT_TEXT_MAX + 1], detail[CLONE_DETAIL_MAX + 1];
};

struct record_row {
    struct store_record record;
    char zone[DNSNAME_SIZE], name[DNSNAME_SIZE], device[DEVICE_ID_MAX + 1], error[64];
    uint32_t device_index; /* reconcile */
};

struct loader {
    struct coordinator *coordinator;
    struct loop_timer *retry;
    enum phase phase;
    uint8_t shards[SHARDS];
    struct parked *parked[SHARDS], **parked_tail[SHARDS];
    size_t parked_bytes;
    unsigned shards_loaded;
    int urgent; /* shard asked for by a live message, -1 = none */

    /* job in the worker; only one at a time, so that a group commit never waits behind more than one */
    bool job_running;
    int job_shard;
    enum err job_err;
    struct row *rows;
    size_t rows_len, rows_size;
    struct reg_copy *regs;
    size_t regs_len, regs_size;
    struct record_row *records;
    struct store_record *device_records; /* those of one device in a row */
    size_t records_len, records_size;
    char after_zone[DNSNAME_SIZE], after_name[DNSNAME_SIZE];
    enum rrtype after_type;
    bool after_set;
    uint32_t reconcile_next; /* device index */
    struct queue some;       /* devices to be reconciled besides */
    bool doing_some;
    size_t reconcile_cut; /* of reconcile_refs, behind reconcile_len: not read */
    char reconcile_ids[RECONCILE_BATCH][DEVICE_ID_MAX + 1];
    uint32_t reconcile_refs[RECONCILE_BATCH];
    size_t reconcile_len;
    bool reconcile_wanted;
    bool reconcile_again; /* the core could not take all of this one */
    uint64_t fingerprint; /* of the registry under comparison */
    bool fingerprint_due; /* compared; to be noted when all of it is durable */

    unsigned replay_next; /* shard to replay next, SHARDS = done */
    unsigned replay_outstanding;
    bool subscribe_again; /* without memory a shard was not subscribed: a new connection subscribes all of them */
    bool replay_again;
    uint8_t replay_shards[SHARDS / 8]; /* those to be replayed by themselves: a bit each */
    bool replay_some;
    bool counting;
    enum err count_err;
    uint64_t count_due_ms, applied_counted, records_counted;
};

/* loader_replay.c */
/** The next shard, when the one before is confirmed and this one is loaded. */
void loader_continue_replay(struct loader *loader);
