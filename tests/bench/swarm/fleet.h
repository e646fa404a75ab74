/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * fleet: N simulated devices as the contract sees them: id, boot, conn, seq, addresses; their state bodies through the
 * product's own codecs, and the log of what they reported, which is the oracle: the last line of a device is what the
 * DNS must say. Knows nothing of connections. Not thread-safe.
 *
 * Log, one line a new report: `<seconds since the log began> <id> <boot> <seq> <address>`. Addresses are public ones of
 * 45.0.0.0/8, no two devices of a fleet share one; nothing is ever sent to them.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "mqtt/limits.h"
#include "mqtt/topics.h"

struct fleet_device {
    uint32_t boot, conn, seq;
    uint32_t number; /* low 24 bits of the address */
    uint8_t shard;
    bool acked;         /* the present (boot, seq) */
    bool reported;      /* the present (boot, seq) was published once */
    bool due;           /* to be published outside a job */
    uint8_t repeats;    /* of the present (boot, seq) */
    uint64_t repeat_ns; /* mono: when the present report is repeated unless it is acknowledged before */
};

struct fleet {
    struct fleet_device *devices; /* owned */
    size_t len;
    const char *prefix; /* borrowed */
    uint64_t random;    /* state of the generator: what the fleet does repeats from its seed */
    uint64_t jitter;    /* another one: when repeats come depends on the answers */
    uint64_t began_ns;
    FILE *log; /* owned; NULL: none */
};

/** @param first_boot boot counter of every device: higher than any before on the same broker.
 *  @param log_path NULL: no log. @return ERR_NOMEM, ERR_IO, ERR_INVALID (prefix makes no device id). */
enum err fleet_init(struct fleet *fleet, size_t devices, const char *prefix, uint32_t first_boot, uint64_t seed,
                    const char *log_path) MUST_CHECK;
void fleet_deinit(struct fleet *fleet);

void fleet_id(const struct fleet *fleet, size_t index, char ret_id[static DEVICE_ID_MAX + 1]);
/** The device named by a topic's id; false when it is none of ours. */
bool fleet_find(const struct fleet *fleet, struct view id, size_t *ret_index);
/** "muster/v1/up/<sh>/<id>/<leaf>" without hashing the id again. */
struct view fleet_topic(const struct fleet *fleet, size_t index, const char *leaf, char ret_topic[static TOPIC_SIZE]);
uint64_t fleet_random(struct fleet *fleet);

/** A new address and the next seq; to be published and acknowledged. */
void fleet_renumber(struct fleet *fleet, size_t index);
/** A new connection: the next conn and seq, the same address. */
void fleet_reconnect(struct fleet *fleet, size_t index);
uint32_t fleet_address(const struct fleet_device *device); /* host order */
/** @return of state_encode. */
enum err fleet_state(const struct fleet *fleet, size_t index, const char *why, struct strbuf *out) MUST_CHECK;
enum err fleet_gone(const struct fleet *fleet, size_t index, struct strbuf *out) MUST_CHECK;
/** Notes a publish of the present report, and when it is repeated: as muster-agent does by default, after
 * agent/report.h's first pause, then at twice the pause each time up to 15 minutes, each spread by half. The first goes
 * into the log. */
void fleet_reported(struct fleet *fleet, size_t index, uint64_t now_ns);
/** Whether a dns body acknowledges the present report. Reads `ack` only: a device's CPU is not this machine's. */
bool fleet_acknowledges(const struct fleet *fleet, size_t index, struct view body);
