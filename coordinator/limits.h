/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** limits: a number on every queue and table of the coordinator. */

#define INTAKE_RING_BYTES                                                                                              \
    (8u << 20) /* about 20,000 states: most of a second of the fastest broker seen; an overflow is replayed */
#define DEVICES_MAX           (1u << 24) /* device indices are 24 bit in the outbox */
#define REGISTRY_FILE_MAX     (64u << 20)
#define GROUPS_MAX            1024
#define ZONES_MAX             1024
#define ACCOUNTS_MAX          256
#define TEMPLATES_MAX         8     /* name templates of one group */
#define HOSTS_MAX             256   /* hosts behind one gateway */
#define PLAN_MAX              640   /* RRsets of one device: templates, both families, hosts */
#define PLAN_TEXT_MAX         40960 /* bytes of the names of one device: 64 a name */
#define COMMIT_ROWS_MAX       4096  /* rows of one group commit: bounds the time of one transaction */
#define ACK_JOIN_MS           250   /* a DNS result this soon travels in the same ack */
#define ACKS_IN_FLIGHT_MAX    2000  /* acks handed to the session and not yet sent */
#define GONE_DEBOUNCE_MS      10000 /* a reconnect within this time is no outage */
#define UNREGISTERED_ANSWER_S 3600
#define LOWER_PAIR_ANSWER_S   10 /* answers to a device that lost its boot counter */
#define FEED_PER_S            50
#define SUMMARY_MIN_MS        1000

/* A storm: DNS answers first, commits and acks a little later. Acks still come before a device's first repeat, 10
 * s after its report at the earliest (agent/report.h). */
#define STORM_OPEN_RECORDS 256
#define STORM_MOVING_MS    1000 /* a zone that settles nothing for so long has no storm: its server is away or slow */
#define STORM_COMMIT_MS    150  /* longest gathering of a group commit */
#define STORM_COMMIT_ROWS  2048 /* or this many rows */
#define STORM_ACK_YIELD_MS 8000

/* whoami: what strangers may cost: docs/adr/0014-whoami.md. */
#define WHOAMI_LISTEN_MAX   4    /* addresses of each kind: two families, two uplinks */
#define WHOAMI_NETWORKS_MAX 8192 /* in each of the two tables: 0.8 MB */
#define WHOAMI_STUN_PER_S   20000
#define WHOAMI_TLS_PER_S    100
#define WHOAMI_TLS_BURST_S  2  /* seconds of WHOAMI_TLS_PER_S at once */
#define WHOAMI_TLS_COST     10 /* questions over STUN that a connection counts as, at its network's bucket */
#define WHOAMI_PEM_MAX      ((size_t)64 * 1024)
