/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * topics: build and parse every topic of the contract (root "muster/v1"). Destinations are always computed from an
 * authenticated id, never taken from a peer. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "mqtt/limits.h"

#define TOPIC_ROOT "muster/v1"
#define TOPIC_SIZE (MQTT_TOPIC_MAX + 1)

/** `[a-z0-9-]{1,40}`, not starting with "svc-" (services have their own CA). */
bool device_id_valid(struct view id);
/** First byte of SHA-256(id): the unit of scale-out. */
uint8_t topic_shard(struct view id);

enum topic_kind {
    TOPIC_UP_STATE,
    TOPIC_UP_GONE,
    TOPIC_UP_CONFIG,
    TOPIC_UP_RSP,
    TOPIC_UP_CSR,
    TOPIC_DN_DNS,
    TOPIC_DN_CONFIG,
    TOPIC_DN_CMD,
    TOPIC_DN_CERT,
    TOPIC_BC_SYNC,
    TOPIC_BC_KEYS,
    TOPIC_SEEN,        /* the broker's word on a connection of a device */
    TOPIC_REG,         /* the provisioner's word on a device */
    TOPIC_COORD_STATE, /* id = coordinator's kid, "svc-...", as in the three after it */
    TOPIC_COORD_REG,
    TOPIC_COORD_REG_DONE,
    TOPIC_COORD_SUSPECT,
    TOPIC_FLEET_SUMMARY,
    TOPIC_FLEET_FEED,
};

struct topic {
    enum topic_kind kind;
    struct view id; /* device id, or kid for coord/; empty for bc/ and fleet/; borrowed from the parsed text */
    uint8_t shard;  /* of the id */
};

/** Parses a topic of the contract. The shard level must be the id's own. @return ERR_PARSE (not ours), ERR_INVALID (bad
 * id or wrong shard), ERR_LIMIT (over MQTT_TOPIC_MAX). */
enum err topic_parse(struct view text, struct topic *ret_topic) MUST_CHECK;

/** Parses without computing the shard (the hot path checks the shard once a device): ret_topic->shard is the one named
 * in the topic. */
enum err topic_parse_unchecked(struct view text, struct topic *ret_topic) MUST_CHECK;

/** Writes the topic with its NUL. @p id empty for kinds without one. @return ERR_INVALID for an id that the kind does
 * not allow. */
enum err topic_build(enum topic_kind kind, struct view id, char ret_text[static TOPIC_SIZE]) MUST_CHECK;

/** "muster/v1/up/3f/#": the subscription of one shard. */
void topic_shard_filter(uint8_t shard, char ret_text[static TOPIC_SIZE]);
/** "muster/v1/dn/<sh>/<id>/#". */
enum err topic_device_filter(struct view id, char ret_text[static TOPIC_SIZE]) MUST_CHECK;

/** "muster/v1/prov/<claim>/<cid>/req" or ".../rsp", on the broker for provisioning. */
struct prov_topic {
    bool request;      /* or the response */
    struct view claim; /* common name of the claim certificate: the grammar of a device id; borrowed */
    struct view cid;   /* the attempt: 32 lower-case hexadecimal digits, the client id; borrowed */
};
/** @return ERR_PARSE (not ours), ERR_INVALID (claim or cid), ERR_LIMIT. */
enum err prov_topic_parse(struct view text, struct prov_topic *ret_topic) MUST_CHECK;
/** @return ERR_INVALID. */
enum err prov_topic_build(const struct prov_topic *topic, char ret_text[static TOPIC_SIZE]) MUST_CHECK;
