/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * rights: who may write, read and subscribe what on the core broker and on the broker for provisioning; the whole table
 * in one place. Pure: knows nothing of mosquitto, certificates or sockets. Any thread.
 *
 * A topic nobody is named for is refused. Shared subscriptions ("$share/...") are refused to everyone: in mosquitto
 * 2.0.11 they lose, reorder and duplicate.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "mqtt/limits.h"

/* The largest message a device may send; a configuration body from a service is capped by the broker's own limit. */
#define RIGHTS_UP_PAYLOAD_MAX MQTT_PAYLOAD_MAX
#define RIGHTS_ATTEMPT_LEN    32 /* hexadecimal digits of a client id on the broker for provisioning */

/** Which broker the plugin runs in. */
enum broker_mode {
    BROKER_CORE, /* devices with an identity */
    BROKER_PROV, /* devices that get one: they share the claim certificate of their batch */
    BROKER_DASH, /* people and their dashboards, without certificates */
};

enum role {
    ROLE_NONE,        /* nothing at all */
    ROLE_DEVICE,      /* certificate of the devices' CA */
    ROLE_COORD,       /* "svc-coord..." of the services' CA */
    ROLE_VIEWER,      /* "svc-viewer...": reads everything, writes nothing */
    ROLE_PROV,        /* "svc-prov...": renewal, the ledger's word on devices, certificates to turn away */
    ROLE_SIGNER,      /* "svc-signer...": configuration bodies, the list of signer keys */
    ROLE_BRIDGE,      /* "svc-bridge...": carries fleet/ to the broker of the dashboards */
    ROLE_WATCH_FLEET, /* no certificate, viewers' listener: aggregates only */
    ROLE_WATCH_ALL,   /* no certificate, viewers' listener: devices' topics too */
    ROLE_CLAIM,       /* broker for provisioning: claim certificate of a batch */
    ROLE_ENROLLER,    /* broker for provisioning: "svc-prov..." of the services' CA */
    ROLE_SWARM,       /* load generator; only in the library that is built for benchmarks and never installed */
};

/** What one client may do; a value. */
struct rights {
    enum role role;
    char id[DEVICE_ID_MAX + 1];           /* certificate CN; empty for watchers */
    char shard[3];                        /* first byte of SHA-256(id) in hex */
    char attempt[RIGHTS_ATTEMPT_LEN + 1]; /* client id on the broker for provisioning; empty on the core broker */
    bool left;                            /* the client is gone: what is judged is its will */
};

/** `[a-z0-9-]{1,40}`: the grammar of every name that a certificate may carry. */
bool rights_name_valid(struct view name);
/** Starts with "svc-". */
bool rights_name_is_service(struct view name);
/** 32 lower-case hexadecimal digits: the client ids of the broker for provisioning. Whoever knows a client id can push
 * its session out, and the name of a claim certificate is everybody's: so each session's is random, the services' too.
 */
bool rights_attempt_valid(struct view client_id);
/** The role of a certificate of the services' CA; ROLE_NONE when no row names it. */
enum role rights_service_role(enum broker_mode mode, struct view name);

/** @p name is empty for ROLE_NONE and the watchers; else it must be valid, or the role becomes ROLE_NONE. */
void rights_init(struct rights *rights, enum role role, struct view name, uint8_t shard);

/** The session's client id, where topics name it. @p client_id not valid: the role becomes ROLE_NONE. */
void rights_set_attempt(struct rights *rights, struct view client_id);

/** May publish @p topic, or leave it as its will when the client has left. A device's payload is capped at
 * RIGHTS_UP_PAYLOAD_MAX. */
bool rights_may_write(const struct rights *rights, struct view topic, bool retain, size_t payload_len);
/** May be sent a message of @p topic. */
bool rights_may_read(const struct rights *rights, struct view topic);
/** May subscribe @p filter: every topic that it matches must be readable. */
bool rights_may_subscribe(const struct rights *rights, struct view filter);
