/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/act.h"

#include <mosquitto.h>

#include <mosquitto_broker.h>

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_BODY_SIZE 256 /* two key parts of 40, an address of 45 and the words between */

void act_seen(const struct client *client)
{
    char topic[MQTT_TOPIC_MAX + 1];
    char body[SEEN_BODY_SIZE];
    char issuer[CERT_PART_HEX];
    char serial[CERT_PART_HEX];
    char address[INET6_ADDRSTRLEN];
    if (stamp_address(client->peer, address) != ERR_OK) {
        return; /* not from the network */
    }
    cert_ref_hex(&client->ref, issuer, serial);
    (void)snprintf(topic, sizeof(topic), "muster/v1/seen/%s/%s", client->rights.shard, client->rights.id);
    /* mosquitto 2.0.11 tells plugins no port. */
    int len = snprintf(body, sizeof(body), "{\"v\":1,\"issuer\":\"%s\",\"serial\":\"%s\",\"addr\":\"%s\",\"port\":0}",
                       issuer, serial, address);
    mosquitto_property *properties = NULL;
    if (mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json") != MOSQ_ERR_SUCCESS ||
        mosquitto_broker_publish_copy(NULL, topic, len, body, 0, false, properties) != MOSQ_ERR_SUCCESS) {
        mosquitto_property_free_all(&properties);
        mosquitto_log_printf(MOSQ_LOG_ERR, "muster: no memory to tell that %s was seen", client->rights.id);
    }
}

enum err act_kick_denied(const struct clients *clients, const struct denied *denied, const void *except)
{
    char(*ids)[DEVICE_ID_MAX + 1] = NULL;
    size_t len = 0;
    enum err err = clients_holding(clients, denied, except, &ids, &len);
    for (size_t i = 0; i < len && err == ERR_OK; i++) {
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "muster: ended the session of %s: its certificate is denied", ids[i]);
        (void)mosquitto_kick_client_by_clientid(ids[i], true); /* not there: it has gone by itself */
    }
    free(ids);
    return err;
}

void act_kick_name(struct view id, const char *caller)
{
    char name[DEVICE_ID_MAX + 1];
    if (view_copy(id, name, sizeof(name)) != ERR_OK || (caller != NULL && strcmp(caller, name) == 0)) {
        return;
    }
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "muster: ended the sessions of %s as asked", name);
    (void)mosquitto_kick_client_by_username(name, true); /* none there is fine */
}
