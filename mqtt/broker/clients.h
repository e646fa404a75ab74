/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * clients: what the plugin remembers of each connected client, so that a message costs a look-up and no signature: its
 * rights, and the last stamp with the topic that it is for. Chained hash table by mosquitto's client pointer. One
 * thread.
 *
 * A pointer is used again after a client is gone, so an entry counts only together with the certificate object of the
 * connection, which the entry keeps alive: the same object means the same certificate, whatever became of the pointer.
 */

#include "base/err.h"
#include "mqtt/broker/denied.h"
#include "mqtt/broker/openssl.h"
#include "mqtt/broker/rights.h"
#include "mqtt/broker/stamp.h"

struct client {
    struct client *next;
    const void *key;                /* mosquitto's client; never followed */
    X509 *certificate;              /* one reference, owned */
    struct rights rights;           /* of the certificate */
    struct cert_ref ref;            /* names it; not for ROLE_NONE */
    unsigned judged;                /* the plugin's count of settings when the rights were found */
    bool refusal_logged;            /* one log line a connection */
    char peer[INET6_ADDRSTRLEN];    /* as mosquitto says it */
    char topic[MQTT_TOPIC_MAX + 1]; /* of `stamp`; empty: none yet */
    char stamp[STAMP_SIZE];
};

struct clients {
    struct client **buckets; /* owned; NULL while empty */
    size_t buckets_len;      /* power of two */
    size_t count;
};

struct client *clients_find(const struct clients *clients, const void *key);
/** Adds, or starts anew for the same key. Takes its own reference to @p certificate. @return ERR_NOMEM. */
enum err clients_add(struct clients *clients, const void *key, X509 *certificate,
                     struct client **ret_client) MUST_CHECK;
/** The client ids of all that hold a certificate in @p denied, but for the client @p except.
 *  @param ret_ids owned by the caller afterwards (free); NULL when there are none. @return ERR_NOMEM. */
enum err clients_holding(const struct clients *clients, const struct denied *denied, const void *except,
                         char (**ret_ids)[DEVICE_ID_MAX + 1], size_t *ret_len) MUST_CHECK;
void clients_drop(struct clients *clients, const void *key); /* none of that key is fine */
void clients_deinit(struct clients *clients);
