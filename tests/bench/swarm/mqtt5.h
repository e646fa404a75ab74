/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * mqtt5: the packets of MQTT 5 that a load generator needs, as bytes; no sockets, no memory of its own. Every encoder
 * writes at @p out, which has at least mqtt5_room() bytes for its texts, and returns the bytes written.
 * Source: MQTT Version 5.0, OASIS Standard, 7 March 2019.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

enum mqtt5_type {
    MQTT5_CONNACK = 2,
    MQTT5_PUBLISH = 3,
    MQTT5_PUBACK = 4,
    MQTT5_SUBACK = 9,
    MQTT5_PINGRESP = 13,
    MQTT5_DISCONNECT = 14,
};

struct mqtt5_packet {
    enum mqtt5_type type;
    uint8_t flags;
    const uint8_t *body; /* into the input */
    size_t body_len;
    size_t size; /* of the whole packet */
};

struct mqtt5_publish {
    struct view topic, payload;
    uint8_t qos; /* 0 or 1 */
    bool retain;
    uint16_t packet_id; /* with QoS 1 */
};

/** Enough for any packet with texts of @p texts bytes in all. */
size_t mqtt5_room(size_t texts);

/** Clean start, session expiry 0. @p will NULL: none. */
size_t mqtt5_connect(uint8_t *out, struct view client_id, uint16_t keepalive_s, const struct mqtt5_publish *will);
size_t mqtt5_subscribe(uint8_t *out, uint16_t packet_id, struct view filter, uint8_t qos);
size_t mqtt5_publish(uint8_t *out, const struct mqtt5_publish *publish);
size_t mqtt5_puback(uint8_t *out, uint16_t packet_id);
size_t mqtt5_pingreq(uint8_t *out);
size_t mqtt5_disconnect(uint8_t *out);

/** The packet at the front of @p data. @return ERR_AGAIN when it is not complete, ERR_PARSE. */
enum err mqtt5_next(const uint8_t *data, size_t len, struct mqtt5_packet *ret_packet) MUST_CHECK;
/** @param ret_window Receive Maximum (65535 when the server sets none). @return ERR_PARSE. */
enum err mqtt5_read_connack(const struct mqtt5_packet *packet, uint8_t *ret_reason, uint16_t *ret_window) MUST_CHECK;
/** PUBACK and SUBACK: id and (first) reason code. @return ERR_PARSE. */
enum err mqtt5_read_ack(const struct mqtt5_packet *packet, uint16_t *ret_packet_id, uint8_t *ret_reason) MUST_CHECK;
/** @return ERR_PARSE. */
enum err mqtt5_read_publish(const struct mqtt5_packet *packet, struct mqtt5_publish *ret_publish) MUST_CHECK;
