/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * device: the table of all devices the coordinator knows, compact: a million of them cost under 250 bytes each, all
 * included. Entries never move and are never freed one by one: an index is a device's name inside the process. Loop
 * thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"
#include "coordinator/also6.h"
#include "providers/rrset.h"

enum presence { PRESENCE_UNKNOWN, PRESENCE_ONLINE, PRESENCE_OFF, PRESENCE_LOST, PRESENCE_LATE };
const char *presence_name(enum presence presence);

enum device_flag {
    DEVICE_REGISTERED = 1,     /* the registry names it */
    DEVICE_DURABLE = 2,        /* (boot, seq) and what follows from it are in the store */
    DEVICE_MISMATCH = 4,       /* observed and reported disagree */
    DEVICE_SHARED = 8,         /* observed address is shared by more devices than policy allows */
    DEVICE_NOT_PUBLIC = 16,    /* nothing publishable was seen */
    DEVICE_HAS_PREFIX = 32,    /* prefix6 is in the side table */
    DEVICE_DIRTY = 64,         /* waits for a group commit */
    DEVICE_ACK_DUE = 128,      /* stands in the ack queue */
    DEVICE_KNOWN = 256,        /* a state was accepted, now or before the last start */
    DEVICE_HASH_OLD = 512,     /* content_hash is of another process: compare contents, not hashes */
    DEVICE_MAC_KNOWN = 2048,   /* mac is of a stamp that verified in this process */
    DEVICE_HELD = 1024,        /* stands in the queue of held devices */
    DEVICE_UNSURE = 4096,      /* a stored record was not of the stored addresses: planned fully at the next state */
    DEVICE_REPLAN = 8192,      /* one of its names could not be wanted yet: not durable before it is */
    DEVICE_NO_INBOUND = 16384, /* nobody outside can come in over IPv4, so no A is published */
    DEVICE_HAS_MORE = 32768,   /* more than one address of a family: in the side table */
};

#define DEVICE_NONE     UINT32_MAX
#define DEVICE_MAC_SIZE 16

/** Open value, 128 bytes. Times are wall seconds: u32 holds until 2106. */
struct device {
    uint64_t content_hash; /* of the state last accepted */
    uint32_t id_ref;       /* device_id() */
    uint32_t boot, conn, seq;
    uint32_t registry_ref; /* registry entry, DEVICE_NONE when unregistered */
    uint32_t seen_s, changed_s, answered_s;
    uint32_t gone_boot, gone_conn; /* connection that the last `gone` was about */
    struct ip mac_ip;              /* the address that mac was made for */
    uint8_t mac[DEVICE_MAC_SIZE];  /* of the last stamp that verified, so an equal one need not be computed again */
    uint8_t ip6[16];               /* effective, all zero = none; the first one of several */
    uint8_t ip4[4];                /* the same */
    struct ip observed;            /* last stamped */
    uint16_t flags;                /* enum device_flag */
    uint16_t open;                 /* records of this device that are neither applied nor refused nor held */
    uint16_t dirty_wants;          /* records of this device whose want no commit has taken up yet */
    uint8_t id_len;
    uint8_t shard;
    uint8_t presence; /* enum presence */
    uint8_t nat;      /* enum nat_class of the uplink whose IPv4 address counts, by its last state; not stored */
};

struct device_table;

enum err device_table_new(struct device_table **ret_table) MUST_CHECK;
void device_table_free(struct device_table *table);

/** Index of a device or DEVICE_NONE. */
uint32_t device_find(const struct device_table *table, struct view id);
/** Finds or adds; a new entry is zero but for its id, its shard and registry_ref = DEVICE_NONE. @return ERR_NOMEM,
 * ERR_LIMIT. */
enum err device_add(struct device_table *table, struct view id, uint32_t *ret_index) MUST_CHECK;
/** Valid as long as the table. */
struct device *device_at(const struct device_table *table, uint32_t index);
struct view device_id(const struct device_table *table, const struct device *device);
uint32_t device_count(const struct device_table *table);
/** Bytes held, for metrics. */
size_t device_table_bytes(const struct device_table *table);

/** What counts of a device; more than one address of a family (several uplinks) stands in a side table. */
struct device_addresses {
    struct rrset_value ip4, ip6;
};
struct device_addresses device_addresses(const struct device_table *table, uint32_t index);
void device_set_addresses(struct device_table *table, uint32_t index, const struct device_addresses *addresses);

/** Prefix of a gateway, in a side table. */
void device_set_prefix6(struct device_table *table, uint32_t index,
                        const struct ip_prefix *prefix); /* family IP_NONE removes */
bool device_prefix6(const struct device_table *table, uint32_t index, struct ip_prefix *ret_prefix);

/** Further prefixes of a gateway that has one; setting or removing the first one leaves them or takes them along. */
void device_set_also6(struct device_table *table, uint32_t index, const struct also6 *also);
void device_also6(const struct device_table *table, uint32_t index, struct also6 *ret_also);
/** When one of all devices' may end, wall ms: never late, and right after device_also6_ended has found no more. */
int64_t device_also6_due(const struct device_table *table);
/** The next device one of whose has ended, from *at on, which is 0 for the first call of a round; DEVICE_NONE: no more.
 * In a round a device's may be set, but no prefix added or removed. */
uint32_t device_also6_ended(struct device_table *table, int64_t now_ms, size_t *at);
