/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * core_rig: a coordinator core on fake time with every way out in the test's hand: what it publishes and submits is
 * kept, a commit runs until the test ends it. Config and registry are real files, loaded as the daemon does. Fails the
 * cmocka test when something of its own fails.
 */
#include "coordinator/core.h"
#include "coordinator/settings.h"
#include "mqtt/messages.h"
#include "mqtt/messages_reg.h"

#define RIG_TERM "0f0e0d0c-0000-4000-8000-000000000001:7"

struct rig_config {
    const char *zones;   /* NULL: example.net, dedicated */
    const char *groups;  /* NULL: cameras {id}.example.net, A and AAAA, no damping */
    const char *devices; /* NULL: every "cam-*" is a camera */
    const char *more;    /* further sections, NULL = none */
};

struct rig_change {
    uint16_t zone;
    char name[DNSNAME_SIZE];
    struct rrset_change change; /* name points into this */
    bool settled;
};

struct rig {
    char folder[64];
    struct settings *settings, *retired;
    struct crypto_hmac *key;
    struct core *core;
    struct core_time now;
    uint64_t last_rev;
    uint64_t epoch; /* that outcomes are settled under; 1 at the start */
    /* what the core did */
    struct store_batch *batch; /* running commit, NULL = none */
    struct rig_change *changes;
    size_t changes_len, changes_size;
    struct dns_message ack; /* last one published */
    char ack_device[DEVICE_ID_MAX + 1];
    bool ack_retained;
    size_t acks, feeds, summaries;
    size_t asks, suspects;          /* questions for the ledger's feed, evidence for it */
    struct regask_message ask;      /* last one published */
    struct suspect_message suspect; /* last one published */
    uint32_t reconciled[16];        /* devices that the core had compared, DEVICE_NONE = all; newest last */
    size_t reconciled_len;
    bool replayed[256];               /* shards */
    struct store_feed feed_position;  /* what the next core starts with */
    uint64_t dropped;                 /* what the core is told was lost */
    struct feed_message feed;         /* last one published */
    enum err publish_err, submit_err; /* what the next ones get */
    void (*in_core)(bool inside);     /* told where the core's own work begins and ends; NULL = nobody */
};

/** Writes the files, loads them, makes the core, connected. Wall clock starts in 2026, mono at 1,000,000. */
void rig_start(struct rig *rig, const struct rig_config *config);
void rig_stop(struct rig *rig);
/** A new process: an empty core with the same files, its registry not reconciled yet. */
void rig_restart(struct rig *rig, uint64_t last_rev);
/** Rewrites config and registry, loads them and hands them to the core. @return what core_reconfigure said. */
bool rig_reload(struct rig *rig, const struct rig_config *config);
/** As rig_start's files, loaded only. @return settings_load's error; @p report gets its text. */
enum err rig_load(struct rig *rig, const struct rig_config *config, struct settings **ret_settings,
                  struct strbuf *report);

/** A state as a device sends it. */
struct rig_state {
    const char *id;
    uint32_t boot, conn, seq;
    const char *ip4, *ip6; /* text, "null", or NULL = absent */
    const char *prefix6;
    const char *also6;    /* prefix6_also: JSON array, NULL = absent */
    const char *uplinks;  /* JSON array, NULL = absent */
    const char *observed; /* stamped address, NULL = unstamped */
    const char *why;      /* NULL = "change" */
    bool off, retained, forged;
};
void rig_state(struct rig *rig, const struct rig_state *state);
/** The first connection of the first life. */
void rig_report(struct rig *rig, const char *id, uint32_t seq, const char *observed);
void rig_gone(struct rig *rig, const char *id, uint32_t boot, uint32_t conn);
/** A word of the ledger "f-1", or the end of its answer to us. @param state as on the wire. */
void rig_reg(struct rig *rig, const char *id, uint64_t rev, const char *state, bool owned);
void rig_reg_done(struct rig *rig, const char *feed, uint64_t rev);
void rig_seen(struct rig *rig, const char *id, const char *serial, const char *peer);
/** Any bytes on any topic, with a right stamp of @p observed when given. */
void rig_message(struct rig *rig, const char *topic, struct view payload, const char *observed);

/** Time goes on, ticking as often as the core asks. */
void rig_pass(struct rig *rig, uint64_t ms);
/** Ends the running commit. Fails when none runs. */
void rig_commit(struct rig *rig, enum err err);
/** Ends commits with success until none runs. */
void rig_commit_all(struct rig *rig);
/** Newest submitted and unsettled change of a name; NULL = none. */
struct rig_change *rig_change(struct rig *rig, const char *name, enum rrtype type);
/** Whether that of an A record wants @p address; NULL: wants it deleted. */
bool rig_wants(struct rig *rig, const char *name, const char *address);
void rig_settle(struct rig *rig, struct rig_change *change, enum outcome outcome, const char *error);
/** Settles all as applied and commits until all rests. */
void rig_settle_all(struct rig *rig);

struct core_stats rig_stats(const struct rig *rig);
/** The running commit's want of a name, NULL = not in it. */
struct store_want *rig_batch_want(struct rig *rig, const char *name);
const struct store_have *rig_batch_have(const struct rig *rig, const char *name);
const struct name_status *rig_ack_name(const struct rig *rig, const char *name, const char *type);
struct ip rig_ip(const char *text);
struct rrset_value rig_value(const char *text); /* one address; NULL = empty */
/** A row of the store as after revision 50: an A record of TTL 60, wanted and served. */
struct store_record rig_record(const char *zone, const char *device, const char *name, const char *address);
/** What the loader does with a device's rows. @return as core_reconcile. */
bool rig_reconcile(struct rig *rig, const char *id, const struct store_record *records, size_t len);
