/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * messages_reg: what provisioner, core broker and coordinators tell each other about devices (topics in
 * messages_prov.h), under the rules of messages.h.
 */
#include "mqtt/messages.h"

#define REG_SERIAL_HEX_MAX 40 /* a certificate's serial number, 20 bytes */
#define REG_KEY_ID_HEX     40 /* an authority's key identifier, 20 bytes */

/** Who connected to the core broker with which certificate, by the broker's word. */
struct seen_message {
    char issuer[REG_KEY_ID_HEX + 1];     /* hexadecimal */
    char serial[REG_SERIAL_HEX_MAX + 1]; /* hexadecimal, without leading zeros */
    struct ip ip;                        /* of the TCP peer */
    uint32_t port;                       /* 0: not known */
};
enum err seen_encode(const struct seen_message *message, struct strbuf *out) MUST_CHECK;
enum err seen_decode(struct view text, struct seen_message *ret_message, struct errinfo *info) MUST_CHECK;

/** Where a device stands in its life (docs/provisioning.md). */
enum reg_state { REG_MADE, REG_ISSUED, REG_ACTIVE, REG_SUSPENDED, REG_CLONED, REG_REVOKED, REG_SCRAPPED };
#define REG_STATES (REG_SCRAPPED + 1)
/** "made", "issued", "active", "suspended", "cloned-suspect", "revoked", "scrapped": static storage. */
const char *reg_state_name(enum reg_state state);

struct reg_message {
    char feed[41]; /* of the ledger that `rev` counts in: [a-z0-9-] */
    uint64_t rev;  /* rises with each change of any device */
    enum reg_state state;
    bool owned;                    /* names may be bound */
    char group[MQTT_TEXT_MAX + 1]; /* "" when the ledger says none */
    char site[MQTT_TEXT_MAX + 1];
};
enum err reg_encode(const struct reg_message *message, struct strbuf *out) MUST_CHECK;
enum err reg_decode(struct view text, struct reg_message *ret_message, struct errinfo *info) MUST_CHECK;

/** "Tell me of every device of these shards what changed after `rev`"; all of it when `feed` is another one's. */
struct regask_message {
    char feed[41]; /* "" at first */
    uint64_t rev;
    uint32_t first, last; /* shards, 0 to 255 */
};
enum err regask_encode(const struct regask_message *message, struct strbuf *out) MUST_CHECK;
enum err regask_decode(struct view text, struct regask_message *ret_message, struct errinfo *info) MUST_CHECK;

/** Everything up to `rev` has been told. */
struct regdone_message {
    char feed[41];
    uint64_t rev;
};
enum err regdone_encode(const struct regdone_message *message, struct strbuf *out) MUST_CHECK;
enum err regdone_decode(struct view text, struct regdone_message *ret_message, struct errinfo *info) MUST_CHECK;

enum suspect_kind { SUSPECT_BOOT, SUSPECT_ADDRESSES, SUSPECT_TAKEOVER };
#define SUSPECT_KINDS (SUSPECT_TAKEOVER + 1)
const char *suspect_kind_name(enum suspect_kind kind); /* "boot", "addresses", "takeover": static storage */

struct suspect_message {
    char device[DEVICE_ID_MAX + 1];
    enum suspect_kind kind;
    char detail[129]; /* for people; blank to tilde */
};
enum err suspect_encode(const struct suspect_message *message, struct strbuf *out) MUST_CHECK;
enum err suspect_decode(struct view text, struct suspect_message *ret_message, struct errinfo *info) MUST_CHECK;
