/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * store: what survives. An ops table over a database; SQLite first, PostgreSQL beside it later. Every call blocks and
 * is made from one worker thread. A commit is durable when it returns ERR_OK: nothing is acknowledged before that.
 *
 * Tables: meta (uuid), zone (epoch), device (last accepted state), record (want and have of every RRset; pending =
 * want_rev > have_rev: this table is the outbox), stop (what services told us never to ask again), reg (the ledger's
 * last word on each device), audit.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "coordinator/also6.h"
#include "providers/rrset.h"

struct store;

#define STORE_UUID_SIZE  37
#define STORE_TERM_NAME  "@term" /* the counter of starts stands beside the zones' epochs; no DNS name holds an "@" */
#define STORE_ALL_SHARDS (-1)

#define STORE_DEVICE_NO_INBOUND 1u /* it was told that nobody outside can come in */

struct store_device {
    const char *id;
    uint8_t shard;
    uint32_t boot, conn, seq;
    uint64_t content_hash;
    struct ip observed;
    struct rrset_value ip4, ip6; /* effective addresses, after policy */
    struct ip_prefix prefix6;    /* family IP_NONE = none */
    struct also6 also6;
    uint8_t presence;            /* enum presence of coordinator/device.h */
    uint8_t flags;               /* STORE_DEVICE_... */
    int64_t seen_ms, changed_ms; /* wall */
};

struct store_record {
    const char *zone, *name;
    enum rrtype type;
    const char *device; /* owner; NULL only on a tombstone of an unknown owner */
    uint32_t ttl;
    bool want_null; /* tombstone: want is NULL, to be deleted under the guard */
    struct rrset_value want;
    uint64_t want_rev;
    bool have_known;
    struct rrset_value have;
    uint64_t have_rev;
    int64_t not_before_ms; /* wall */
    uint32_t attempts;
    const char *error;  /* "" when none; static or borrowed for the call */
    int64_t changed_ms; /* wall, last change of want */
    int64_t applied_ms; /* wall, last time have was written; refresh_every counts from here */
};

#define STORE_REG_UNTOLD 255 /* no ledger has said anything of the device */

/** The last word of the provisioner's ledger on a device, and whether we take it for one of two with its identity. */
struct store_reg {
    const char *id;
    uint8_t shard;
    uint8_t state;            /* enum reg_state of mqtt/messages_reg.h, or STORE_REG_UNTOLD */
    uint8_t suspect;          /* 0 = no, else 1 + enum suspect_kind */
    bool owned;               /* names may be bound */
    bool due;                 /* its records were not compared with this yet */
    uint64_t rev;             /* in the ledger's feed; 0 = of no feed, or of a former one */
    const char *group, *site; /* "" when the ledger says none */
    const char *detail;       /* of the suspicion, for people; "" without */
    int64_t suspect_ms;       /* wall, when it arose; 0 without */
};

#define STORE_FEED_SIZE 41

/** How much of the ledger is in the store: all that it said up to `rev`. */
struct store_feed {
    char feed[STORE_FEED_SIZE]; /* which ledger; "" = none yet */
    uint64_t rev;
    bool complete; /* a whole answer of some ledger was taken in: a device that it never named is not its device */
};

/** One group commit. Applied in one transaction: all or nothing. */
struct store_batch {
    const struct store_device *devices; /* upserts */
    size_t devices_len;
    const char *const *device_removals;
    size_t device_removals_len;
    struct store_want
        *wants; /* upserts of the desired side; have_* are filled in on success (shared zones need them) */
    size_t wants_len;
    const struct store_have *haves; /* outcome side; dropped where have_rev is older than the stored one */
    size_t haves_len;
    const struct store_reg *regs; /* upserts */
    size_t regs_len;
    const struct store_feed *feed;    /* NULL = as it was */
    const struct store_audit *audits; /* appended; rows older than store_options.audit_keep_ms go, a few a batch */
    size_t audits_len;
};

/** One line of the audit trail. */
struct store_audit {
    uint64_t id;                          /* rising; given by the store, ignored in a batch */
    int64_t at_ms;                        /* wall */
    const char *event, *subject, *detail; /* fixed event id; what it is about; "" or a text */
};

/** The desired side of one RRset. A row belongs to the device that made it; only a tombstone may be taken over by
 * another one (the former owner has given the name up), and `have` stays with the row. A rev below the stored want_rev
 * is dropped; the same rev again is applied again, so a retried batch does no harm. A new want clears attempts, error
 * and not_before: a new value deserves an attempt of its own. */
struct store_want {
    const char *zone, *name;
    enum rrtype type;
    const char *device;
    uint32_t ttl;
    bool want_null;
    struct rrset_value want;
    uint64_t want_rev;
    int64_t now_ms; /* wall */
    /** Its outcome, when the DNS was faster than the commit: an applied one of the same batch, with_want, whose have
     * and have_rev equal want and want_rev. Both are then written as one row. NULL otherwise. */
    const struct store_have *outcome;
    /* filled in, valid when commit returned ERR_OK: */
    bool have_known;
    struct rrset_value have;
    uint64_t have_rev; /* 0 = no outcome was ever stored */
    /** `was` is what the row wanted before, and no outcome of that is stored: the DNS may hold it. */
    bool was_pending;
    struct rrset_value was;
    bool taken; /* the RRset belongs to another device: nothing was written */
};

/** The outcome side of one RRset. applied: `have` is written unless the stored have_rev is newer (the same rev again
 * only moves applied_ms: a refresh). Not applied: attempts, error and not_before are written only while have_rev is
 * still the stored want_rev, since the failure of an older value must not delay a newer one. */
struct store_have {
    const char *zone, *name;
    enum rrtype type;
    /** Of the zone's writer; the whole batch fails with ERR_FENCED when the store holds a newer one. 0: not compared,
     * since it was settled without a claim, by a provider that cannot fence (the zone's former one may have). */
    uint64_t epoch;
    bool applied;   /* false: only error, attempts and not_before are written */
    bool forget;    /* applied and want is still NULL: the tombstone's row goes */
    bool with_want; /* a want of this batch carries it as `outcome`: not written a second time */
    struct rrset_value have;
    uint64_t have_rev; /* rev of the change that was settled */
    const char *error; /* "" when none */
    uint32_t attempts;
    int64_t not_before_ms; /* wall */
    int64_t now_ms;        /* wall */
};

#define STORE_FINGERPRINT_SIZE 32

/** What a service told us never to ask for again, until the account's config changes or a person clears it. */
struct store_stop {
    const char *account, *name; /* name "" = the whole account */
    enum rrtype type;
    bool both; /* of a name: both types */
    const char *error, *detail;
    uint8_t fingerprint[STORE_FINGERPRINT_SIZE]; /* of the account's config then */
    int64_t at_ms;                               /* wall */
};

/** Selects records by any of its parts; keyset paging through `after`. */
struct store_record_query {
    const char *zone, *device; /* NULL = any */
    bool pending_only;
    const char *after_zone, *after_name; /* NULL = from the start */
    enum rrtype after_type;
    size_t limit; /* 0 = all */
};

struct store_options {
    const char *path;
    const char *vfs;           /* tests: name of a registered SQLite VFS; NULL = default */
    int64_t audit_keep_ms;     /* 0 = STORE_AUDIT_KEEP_MS */
    uint32_t checkpoint_pages; /* SQLite: length of the log at which a commit also moves it into the file; 0 = 8000 */
};

#define STORE_AUDIT_KEEP_MS (INT64_C(90) * 24 * 3600 * 1000) /* a quarter: what an incident review looks back on */

/** How open went, for the log line of the daemon. */
struct store_facts {
    uint32_t schema;      /* version after migration */
    uint32_t schema_from; /* version found; 0 = made now */
    bool was_clean;       /* the last close was orderly */
    bool checked;         /* the whole file was checked */
    uint64_t check_ms;
};

struct store_ops {
    const char *name;
    /** Opens, checks (quick_check), migrates. @return ERR_CORRUPT, ERR_FULL, ERR_READONLY, ERR_UNSUPPORTED (newer
     * schema), with info. */
    enum err (*open)(const struct store_options *options, struct store **ret_store, struct errinfo *info);
    void (*close)(struct store *store);

    /** @return ERR_OK: durable. ERR_FULL, ERR_READONLY, ERR_IO, ERR_NOMEM, ERR_AGAIN (locked by another process): not
     * durable, nothing of it can be read, and the same batch may be tried again; after ERR_IO a restart may find it
     * whole, never in part. ERR_FENCED, ERR_RANGE (a rev or epoch over INT64_MAX), ERR_INVALID (breaks a constraint),
     * ERR_CORRUPT: nothing was written. */
    enum err (*commit)(struct store *store, const struct store_batch *batch, struct errinfo *info);

    void (*facts)(struct store *store, struct store_facts *ret_facts);
    void (*uuid)(struct store *store, char ret_uuid[static STORE_UUID_SIZE]);
    /** Highest want_rev ever given, so that revs keep rising over restarts. */
    enum err (*last_rev)(struct store *store, uint64_t *ret_rev);
    /** Fingerprint of the registry that the records were last compared with; 0 = none, or the comparison was not
     * finished. */
    enum err (*reconciled)(struct store *store, uint64_t *ret_fingerprint);
    enum err (*set_reconciled)(struct store *store, uint64_t fingerprint, struct errinfo *info); /* durable */
    /** Compare-and-set: zone.epoch = max(stored, seen) + 1, durable. */
    enum err (*claim_zone)(struct store *store, const char *zone, uint64_t seen_epoch, uint64_t *ret_epoch,
                           struct errinfo *info);
    enum err (*zone_epoch)(struct store *store, const char *zone, uint64_t *ret_epoch); /* 0 when never claimed */

    /** Devices of one shard, or of all (STORE_ALL_SHARDS: one sequential pass, several times faster than 256 calls), in
     * any order. Callbacks must not call the store; an error of theirs ends the walk and is returned. */
    enum err (*each_device)(struct store *store, int shard,
                            enum err (*each)(void *context, const struct store_device *device), void *context);
    enum err (*get_device)(struct store *store, const char *id,
                           enum err (*each)(void *context, const struct store_device *device),
                           void *context); /* ERR_NOTFOUND */
    /** What the ledger said of the devices of one shard, or of all, in any order; as each_device. */
    enum err (*each_reg)(struct store *store, int shard, enum err (*each)(void *context, const struct store_reg *reg),
                         void *context);
    enum err (*feed)(struct store *store, struct store_feed *ret_feed);
    /** Records that match @p query, ordered by (zone, name, type). */
    enum err (*each_record)(struct store *store, const struct store_record_query *query,
                            enum err (*each)(void *context, const struct store_record *record), void *context);
    /** Audit lines with id > @p after, oldest first. @param limit 0 = all. */
    enum err (*each_audit)(struct store *store, uint64_t after, size_t limit,
                           enum err (*each)(void *context, const struct store_audit *audit), void *context);
    /** Stops, ordered by (account, name, type). */
    enum err (*each_stop)(struct store *store, enum err (*each)(void *context, const struct store_stop *stop),
                          void *context);
    /** Durable. Takes the place of one of the same account, name and type. */
    enum err (*put_stop)(struct store *store, const struct store_stop *stop, struct errinfo *info);
    /** Durable. @param name NULL = all of the account. */
    enum err (*drop_stops)(struct store *store, const char *account, const char *name, struct errinfo *info);
    /** Counts for the start-up summary: walks an index of each table. */
    enum err (*count)(struct store *store, uint64_t *ret_devices, uint64_t *ret_records, uint64_t *ret_pending);
};

extern const struct store_ops store_sqlite;
