/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/mqtt5.h"

#include <string.h>

enum { CONNECT = 1, SUBSCRIBE = 8, PINGREQ = 12 };

#define PROPERTY_CONTENT_TYPE    0x03
#define PROPERTY_RECEIVE_MAXIMUM 0x21
#define CONTENT_TYPE             "application/json"
#define HEADER_MAX               5 /* type and four bytes of length */

size_t mqtt5_room(size_t texts)
{
    return texts + 128;
}

static uint8_t *put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_text(uint8_t *at, struct view text)
{
    at = put_u16(at, text.len);
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

/** Content type: the one property that the contract asks for. */
static uint8_t *put_content_type(uint8_t *at)
{
    const struct view type = VIEW_LITERAL(CONTENT_TYPE);
    *at++ = (uint8_t)(1 + 2 + type.len);
    *at++ = PROPERTY_CONTENT_TYPE;
    return put_text(at, type);
}

/** Puts the fixed header in front of the body that stands HEADER_MAX behind @p out. */
static size_t close_packet(uint8_t *out, unsigned first, const uint8_t *end)
{
    size_t len = (size_t)(end - out) - HEADER_MAX;
    uint8_t header[HEADER_MAX] = {(uint8_t)first};
    size_t header_len = 1;
    size_t rest = len;
    do {
        header[header_len++] = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
        rest >>= 7;
    } while (rest > 0);
    memcpy(out, header, header_len);
    memmove(out + header_len, out + HEADER_MAX, len);
    return header_len + len;
}

size_t mqtt5_connect(uint8_t *out, struct view client_id, uint16_t keepalive_s, const struct mqtt5_publish *will)
{
    uint8_t *at = put_text(out + HEADER_MAX, VIEW_LITERAL("MQTT"));
    *at++ = 5;
    *at++ = (uint8_t)(2 | (will != NULL ? 4 | will->qos << 3 | (will->retain ? 32 : 0) : 0));
    at = put_u16(at, keepalive_s);
    *at++ = 0; /* no properties: session expiry 0 */
    at = put_text(at, client_id);
    if (will != NULL) {
        at = put_content_type(at);
        at = put_text(at, will->topic);
        at = put_text(at, will->payload);
    }
    return close_packet(out, CONNECT << 4, at);
}

size_t mqtt5_subscribe(uint8_t *out, uint16_t packet_id, struct view filter, uint8_t qos)
{
    uint8_t *at = put_u16(out + HEADER_MAX, packet_id);
    *at++ = 0;
    at = put_text(at, filter);
    *at++ = qos;
    return close_packet(out, SUBSCRIBE << 4 | 2, at);
}

size_t mqtt5_publish(uint8_t *out, const struct mqtt5_publish *publish)
{
    uint8_t *at = put_text(out + HEADER_MAX, publish->topic);
    if (publish->qos > 0) {
        at = put_u16(at, publish->packet_id);
    }
    at = put_content_type(at);
    memcpy(at, publish->payload.ptr, publish->payload.len);
    return close_packet(out, MQTT5_PUBLISH << 4 | (unsigned)publish->qos << 1 | publish->retain,
                        at + publish->payload.len);
}

size_t mqtt5_puback(uint8_t *out, uint16_t packet_id)
{
    return close_packet(out, MQTT5_PUBACK << 4, put_u16(out + HEADER_MAX, packet_id));
}

size_t mqtt5_pingreq(uint8_t *out)
{
    return close_packet(out, PINGREQ << 4, out + HEADER_MAX);
}

size_t mqtt5_disconnect(uint8_t *out)
{
    return close_packet(out, MQTT5_DISCONNECT << 4, out + HEADER_MAX);
}

enum err mqtt5_next(const uint8_t *data, size_t len, struct mqtt5_packet *ret_packet)
{
    size_t body_len = 0;
    for (size_t i = 1; i < HEADER_MAX; i++) {
        if (i >= len) {
            return ERR_AGAIN;
        }
        body_len |= (size_t)(data[i] & 127) << (7 * (i - 1));
        if (data[i] < 128) {
            if (len - i - 1 < body_len) {
                return ERR_AGAIN;
            }
            *ret_packet = (struct mqtt5_packet){.type = (enum mqtt5_type)(data[0] >> 4),
                                                .flags = data[0] & 15,
                                                .body = data + i + 1,
                                                .body_len = body_len,
                                                .size = i + 1 + body_len};
            return ERR_OK;
        }
    }
    return ERR_PARSE;
}

static size_t get_u16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/** The length of the property block at @p at and the bytes that the length itself takes; false past the end. */
static bool property_block(const struct mqtt5_packet *packet, size_t at, size_t *ret_start, size_t *ret_end)
{
    size_t len = 0;
    for (unsigned shift = 0; shift < 28 && at < packet->body_len; shift += 7) {
        uint8_t byte = packet->body[at++];
        len |= (size_t)(byte & 127) << shift;
        if (byte < 128) {
            *ret_start = at;
            *ret_end = at + len;
            return *ret_end <= packet->body_len;
        }
    }
    return false;
}

/** Bytes of a property's value by its identifier (MQTT 5 2.2.2.2); 0 for text, which counts itself. */
static size_t property_size(uint8_t identifier)
{
    static const uint8_t one[] = {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a};
    static const uint8_t four[] = {0x02, 0x11, 0x18, 0x27};
    static const uint8_t two[] = {0x13, 0x21, 0x22, 0x23};
    if (memchr(one, identifier, sizeof(one)) != NULL) {
        return 1;
    }
    if (memchr(two, identifier, sizeof(two)) != NULL) {
        return 2;
    }
    return memchr(four, identifier, sizeof(four)) != NULL ? 4 : 0;
}

enum err mqtt5_read_connack(const struct mqtt5_packet *packet, uint8_t *ret_reason, uint16_t *ret_window)
{
    size_t at = 0;
    size_t end = 0;
    if (packet->body_len < 3 || !property_block(packet, 2, &at, &end)) {
        return ERR_PARSE;
    }
    uint16_t window = UINT16_MAX;
    while (at < end) {
        uint8_t identifier = packet->body[at++];
        size_t size = property_size(identifier);
        if (size == 0) {
            size = end - at >= 2 ? 2 + get_u16(packet->body + at) : SIZE_MAX;
        }
        if (size > end - at) {
            return ERR_PARSE;
        }
        if (identifier == PROPERTY_RECEIVE_MAXIMUM) {
            window = (uint16_t)get_u16(packet->body + at);
        }
        at += size;
    }
    *ret_reason = packet->body[1];
    *ret_window = window;
    return ERR_OK;
}

enum err mqtt5_read_ack(const struct mqtt5_packet *packet, uint16_t *ret_packet_id, uint8_t *ret_reason)
{
    if (packet->body_len < 2) {
        return ERR_PARSE;
    }
    uint8_t reason = 0;
    if (packet->type == MQTT5_SUBACK) {
        reason = packet->body[packet->body_len - 1];
    } else if (packet->body_len > 2) {
        reason = packet->body[2];
    }
    *ret_packet_id = (uint16_t)get_u16(packet->body);
    *ret_reason = reason;
    return ERR_OK;
}

enum err mqtt5_read_publish(const struct mqtt5_packet *packet, struct mqtt5_publish *ret_publish)
{
    struct mqtt5_publish publish = {.qos = (packet->flags >> 1) & 3, .retain = (packet->flags & 1) != 0};
    if (packet->body_len < 2) {
        return ERR_PARSE;
    }
    size_t topic_len = get_u16(packet->body);
    size_t id_len = publish.qos > 0 ? 2 : 0;
    if (topic_len > packet->body_len - 2 || id_len > packet->body_len - 2 - topic_len) {
        return ERR_PARSE;
    }
    publish.topic = view_n((const char *)packet->body + 2, topic_len);
    size_t at = 2 + topic_len + id_len;
    publish.packet_id = (uint16_t)(id_len > 0 ? get_u16(packet->body + at - 2) : 0);
    size_t start = 0;
    size_t end = 0;
    if (!property_block(packet, at, &start, &end)) {
        return ERR_PARSE;
    }
    publish.payload = view_n((const char *)packet->body + end, packet->body_len - end);
    *ret_publish = publish;
    return ERR_OK;
}
