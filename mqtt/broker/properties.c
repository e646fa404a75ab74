/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/properties.h"

#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/broker/stamp.h"

static enum err added(int rc)
{
    return rc == MOSQ_ERR_SUCCESS ? ERR_OK : ERR_NOMEM; /* names and values come from a valid message */
}

static enum err copy_pair(mosquitto_property **list, const mosquitto_property *from)
{
    char *name = NULL;
    char *value = NULL;
    if (mosquitto_property_read_string_pair(from, MQTT_PROP_USER_PROPERTY, &name, &value, false) == NULL) {
        return ERR_NOMEM;
    }
    enum err err = ERR_OK;
    if (strcmp(name, STAMP_PROPERTY) != 0) {
        err = added(mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, name, value));
    }
    free(name);
    free(value);
    return err;
}

static enum err copy_string(mosquitto_property **list, const mosquitto_property *from, int identifier)
{
    char *value = NULL;
    if (mosquitto_property_read_string(from, identifier, &value, false) == NULL) {
        return ERR_NOMEM;
    }
    enum err err = added(mosquitto_property_add_string(list, identifier, value));
    free(value);
    return err;
}

static enum err copy_binary(mosquitto_property **list, const mosquitto_property *from, int identifier)
{
    void *value = NULL;
    uint16_t len = 0;
    if (mosquitto_property_read_binary(from, identifier, &value, &len, false) == NULL) {
        return ERR_NOMEM;
    }
    enum err err = added(mosquitto_property_add_binary(list, identifier, value, len));
    free(value);
    return err;
}

/** One property of a PUBLISH. mosquitto takes topic alias and expiry out of the list before the plugin sees it, and
 *  refuses a subscription identifier from a client (MQTT-3.3.4-6). */
static enum err copy_one(mosquitto_property **list, const mosquitto_property *from)
{
    int identifier = mosquitto_property_identifier(from);
    uint8_t byte = 0;
    switch (identifier) {
    case MQTT_PROP_USER_PROPERTY:
        return copy_pair(list, from);
    case MQTT_PROP_CONTENT_TYPE:
    case MQTT_PROP_RESPONSE_TOPIC:
        return copy_string(list, from, identifier);
    case MQTT_PROP_CORRELATION_DATA:
        return copy_binary(list, from, identifier);
    case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
        (void)mosquitto_property_read_byte(from, identifier, &byte, false); /* it is there: its identifier was read */
        return added(mosquitto_property_add_byte(list, identifier, byte));
    default:
        return ERR_OK; /* nothing else travels with a message */
    }
}

/** ERR_OK and whether any property is a forged stamp. */
static enum err find_stamp(const mosquitto_property *list, bool *ret_found)
{
    for (const mosquitto_property *one = list; one != NULL; one = mosquitto_property_next(one)) {
        char *name = NULL;
        char *value = NULL;
        if (mosquitto_property_identifier(one) != MQTT_PROP_USER_PROPERTY) {
            continue;
        }
        if (mosquitto_property_read_string_pair(one, MQTT_PROP_USER_PROPERTY, &name, &value, false) == NULL) {
            return ERR_NOMEM;
        }
        bool forged = strcmp(name, STAMP_PROPERTY) == 0;
        free(name);
        free(value);
        if (forged) {
            *ret_found = true;
            return ERR_OK;
        }
    }
    *ret_found = false;
    return ERR_OK;
}

enum err properties_drop_stamps(mosquitto_property **properties)
{
    bool found = false;
    enum err err = find_stamp(*properties, &found);
    if (err != ERR_OK || !found) {
        return err;
    }
    mosquitto_property *kept = NULL;
    for (const mosquitto_property *one = *properties; one != NULL && err == ERR_OK;
         one = mosquitto_property_next(one)) {
        err = copy_one(&kept, one);
    }
    if (err != ERR_OK) {
        mosquitto_property_free_all(&kept);
        return err;
    }
    mosquitto_property_free_all(properties);
    *properties = kept;
    return ERR_OK;
}

enum err properties_add_stamp(mosquitto_property **properties, const char *value)
{
    return added(mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, STAMP_PROPERTY, value));
}
