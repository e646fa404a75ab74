/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * clone: signs that two devices have one identity. Pure: signs come in with their time, and once enough of them stand
 * together a verdict goes out. Knows no bound of devices: a table of fixed size keeps those that gave signs last, and
 * drops the weakest.
 *
 * What a single device never does, and so counts as proof of two lives:
 *   - a life comes back: a state of an earlier boot that had been accepted, with a higher seq than it ever had, after
 *     a later boot was accepted (a device that lost its boot counter begins a life anew, it does not continue one);
 *   - two lives go on: a lower boot and the accepted one both rise between two states of the lower one;
 *   - one pair twice: (boot, seq) that was accepted comes live from another observed address, although seq rises with
 *     each connection;
 *   - conn falls while seq rises within one boot.
 * What a single device does, and so proves nothing by itself: other addresses with each connection (two stacks, several
 * uplinks, a NAT pool), one boot counter that starts over (re-flashed, factory reset, read-only flash), taking its own
 * stale session over.
 *
 * Verdicts (mqtt/messages_reg.h): SUSPECT_BOOT: three proofs in a day, of two lives at least. SUSPECT_ADDRESSES: two
 * proofs while the observed address went to and fro between two at least four times in ten minutes. SUSPECT_TAKEOVER:
 * the connections of one certificate went to and fro between two peers at least eight times in ten minutes, and five of
 * them said nothing at all, or one proof stands beside.
 */
#include "base/err.h"
#include "base/ip.h"
#include "coordinator/device.h"
#include "mqtt/messages_reg.h"

struct clone_table;

#define CLONE_DEVICES_MAX 4096 /* that gave signs lately; about 1 KiB each */
#define CLONE_DETAIL_MAX  128

enum err clone_table_new(struct clone_table **ret_table) MUST_CHECK;
void clone_table_free(struct clone_table *table); /* NULL allowed */

/** One connection of a life: as in a state message. */
struct clone_line {
    uint32_t boot, conn, seq;
    struct ip observed; /* stamped */
};

/** A live state with a right stamp that is lower than the accepted one, or comes from another address than it. */
struct clone_sign {
    uint32_t device;
    uint64_t now_ms;               /* mono */
    struct clone_line stored;      /* accepted before */
    struct clone_line said;        /* now */
    struct device_addresses bound; /* what counted before this state */
};

struct clone_verdict {
    enum suspect_kind kind;
    char detail[CLONE_DETAIL_MAX + 1]; /* for people; blank to tilde */
    bool has_good;
    struct device_addresses good; /* what counted before the other life came */
};

/** @return true when the device is to be suspected from now on. It is forgotten then: the next signs begin anew. */
bool clone_state(struct clone_table *table, const struct clone_sign *sign, struct clone_verdict *ret_verdict);

/** A connection, by the broker's word. */
struct clone_seen {
    uint32_t device;
    uint64_t now_ms;      /* mono */
    struct ip peer;       /* of this one */
    struct ip before;     /* of the last state that was accepted; IP_NONE = none */
    uint32_t certificate; /* any hash of issuer and serial */
    bool spoke;           /* the device has said something since the connection before */
};
/** @return as clone_state. */
bool clone_seen(struct clone_table *table, const struct clone_seen *seen, struct clone_verdict *ret_verdict);

/** When the device was last seen to connect, mono; 0 = not known any more. */
uint64_t clone_seen_ms(const struct clone_table *table, uint32_t device);

void clone_forget(struct clone_table *table, uint32_t device);
