/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stun.h"

#include <string.h>

#define COOKIE           0x2112A442u
#define ATTRIBUTE_HEADER 4
#define RTO_MS           500 /* RFC 8489 6.2.1 */
#define LAST_WAIT_FACTOR 16  /* RFC 8489 6.2.1: Rm */
#define FINGERPRINT_XOR  0x5354554eu
#define FINGERPRINT_SIZE (ATTRIBUTE_HEADER + 4)
#define FAMILY_V4        1
#define FAMILY_V6        2
#define REQUIRED_BELOW   0x8000 /* RFC 8489 14: attributes that must be understood */
#define CODE_UNKNOWN     420

enum attribute {
    MAPPED_ADDRESS = 0x0001,
    SOURCE_ADDRESS = 0x0004,
    CHANGED_ADDRESS = 0x0005,
    USERNAME = 0x0006,
    MESSAGE_INTEGRITY = 0x0008,
    ERROR_CODE = 0x0009,
    UNKNOWN_ATTRIBUTES = 0x000A,
    REALM = 0x0014,
    NONCE = 0x0015,
    MESSAGE_INTEGRITY_SHA256 = 0x001C,
    PASSWORD_ALGORITHM = 0x001D,
    USERHASH = 0x001E,
    XOR_MAPPED_ADDRESS = 0x0020,
    FINGERPRINT = 0x8028,
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint8_t *put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, (uint16_t)(value >> 16)), (uint16_t)value);
}

/** CRC-32 of ITU V.42 (RFC 8489 14.7), four bits a step: a table of 64 bytes is enough for messages this short. */
static uint32_t crc32(const uint8_t *data, size_t len)
{
    static const uint32_t NIBBLES[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
    }
    return ~crc;
}

/** XORs with the cookie and, for what of an IPv6 address lies beyond it, with the id (RFC 8489 14.2). */
static void mask_address(uint8_t *bytes, size_t len, const uint8_t id[static STUN_ID_SIZE])
{
    uint8_t mask[4 + STUN_ID_SIZE];
    memcpy(put32(mask, COOKIE), id, STUN_ID_SIZE);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= mask[i];
    }
}

/** Both forms of the attribute: a zero byte, the family, the port, the address. */
static enum err read_address(const uint8_t *value, size_t len, const uint8_t *xor_id, struct ip *ret_ip,
                             uint16_t *ret_port)
{
    if (len < 4 || !((value[1] == FAMILY_V4 && len == 8) || (value[1] == FAMILY_V6 && len == 20))) {
        return ERR_PARSE;
    }
    struct ip ip = {.family = value[1] == FAMILY_V4 ? IP_V4 : IP_V6};
    memcpy(ip.bytes, value + 4, len - 4);
    uint16_t port = get16(value + 2);
    if (xor_id != NULL) {
        mask_address(ip.bytes, len - 4, xor_id);
        port ^= COOKIE >> 16;
    }
    *ret_ip = ip;
    *ret_port = port;
    return ERR_OK;
}

static enum err take_address(struct stun_message *message, bool plain, const uint8_t *value, size_t len)
{
    struct ip ip;
    uint16_t port;
    enum err err = read_address(value, len, plain ? NULL : message->id, &ip, &port);
    bool better = message->mapped.family == IP_NONE || (message->plain && !plain); /* the first of each kind counts */
    if (err == ERR_OK && better) {
        message->mapped = ip;
        message->mapped_port = port;
        message->plain = plain;
    }
    return err;
}

static enum err take_error_code(struct stun_message *message, const uint8_t *value, size_t len)
{
    if (len < 4) {
        return ERR_PARSE;
    }
    unsigned hundreds = value[2] & 7;
    if (hundreds < 3 || hundreds > 6 || value[3] > 99) { /* RFC 8489 14.8 */
        return ERR_PARSE;
    }
    if (message->error_code == 0) {
        message->error_code = (uint16_t)(hundreds * 100 + value[3]);
        message->reason = view_n((const char *)value + 4, len - 4);
    }
    return ERR_OK;
}

static void take_unknown(struct stun_message *message, uint16_t type)
{
    for (unsigned i = 0; i < message->unknown_len; i++) {
        if (message->unknown[i] == type) {
            return;
        }
    }
    if (message->unknown_len < STUN_UNKNOWN_MAX) {
        message->unknown[message->unknown_len++] = type;
    }
}

static enum err take_attribute(struct stun_message *message, uint16_t type, const uint8_t *value, size_t len)
{
    bool answer = message->msg_class == STUN_SUCCESS || message->msg_class == STUN_ERROR;
    switch (type) {
    case XOR_MAPPED_ADDRESS:
    case MAPPED_ADDRESS:
        return take_address(message, type == MAPPED_ADDRESS, value, len);
    case ERROR_CODE:
        return take_error_code(message, value, len);
    case UNKNOWN_ATTRIBUTES:
    case USERNAME:
    case MESSAGE_INTEGRITY:
    case MESSAGE_INTEGRITY_SHA256:
    case REALM:
    case NONCE:
    case PASSWORD_ALGORITHM:
    case USERHASH:
        return ERR_OK;
    case SOURCE_ADDRESS:
    case CHANGED_ADDRESS:
        /* Reserved since RFC 5389, yet each answer of an RFC 3489 server has them beside MAPPED-ADDRESS. Such servers
         * echo 128 bits and so the cookie. Refusing them would leave nobody to fall back to. */
        if (answer) {
            return ERR_OK;
        }
        break;
    default:
        break;
    }
    if (type < REQUIRED_BELOW) {
        take_unknown(message, type);
    }
    return ERR_OK;
}

/** The CRC covers all before the attribute, with a header length that reaches to its end: it is the last (RFC 8489
 * 14.7). */
static bool fingerprint_holds(const uint8_t *data, size_t at, size_t len, size_t total)
{
    return len == 4 && at + FINGERPRINT_SIZE == total &&
           get32(data + at + ATTRIBUTE_HEADER) == (crc32(data, at) ^ FINGERPRINT_XOR);
}

static enum err read_attributes(struct stun_message *message, const uint8_t *data, size_t total)
{
    bool sealed = false; /* behind MESSAGE-INTEGRITY: not covered by it, so not taken (RFC 8489 14.5) */
    size_t at = STUN_HEADER_SIZE;
    while (at < total) {
        uint16_t type = get16(data + at); /* total is a multiple of 4, and so is at: there is a whole header */
        size_t len = get16(data + at + 2);
        size_t padded = (len + 3) & ~(size_t)3;
        if (padded > total - at - ATTRIBUTE_HEADER) {
            return ERR_PARSE;
        }
        if (type == FINGERPRINT) {
            if (!fingerprint_holds(data, at, len, total)) {
                return ERR_PARSE;
            }
            message->fingerprint = true;
        } else if (!sealed) {
            enum err err = take_attribute(message, type, data + at + ATTRIBUTE_HEADER, len);
            if (err != ERR_OK) {
                return err;
            }
        }
        sealed = sealed || type == MESSAGE_INTEGRITY || type == MESSAGE_INTEGRITY_SHA256;
        at += ATTRIBUTE_HEADER + padded;
    }
    return ERR_OK;
}

enum err stun_parse(struct view datagram, struct stun_message *ret_message)
{
    const uint8_t *data = (const uint8_t *)datagram.ptr;
    if (datagram.len < STUN_HEADER_SIZE || (data[0] & 0xc0) != 0 || get32(data + 4) != COOKIE ||
        get16(data + 2) % 4 != 0 || datagram.len - STUN_HEADER_SIZE != get16(data + 2)) {
        return ERR_PARSE;
    }
    unsigned type = get16(data); /* the two bits of the class stand between those of the method (RFC 8489 5) */
    struct stun_message message = {
        .msg_class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1)),
        .method = (uint16_t)((type >> 2 & 0xf80) | (type >> 1 & 0x70) | (type & 0xf)),
    };
    memcpy(message.id, data + 8, STUN_ID_SIZE);
    enum err err = read_attributes(&message, data, datagram.len);
    if (err == ERR_OK) {
        *ret_message = message;
    }
    return err;
}

enum err stun_answer_parse(struct view datagram, const uint8_t id[static STUN_ID_SIZE],
                           struct stun_message *ret_message)
{
    struct stun_message message;
    enum err err = stun_parse(datagram, &message);
    if (err != ERR_OK) {
        return err;
    }
    bool answer = message.msg_class == STUN_SUCCESS || message.msg_class == STUN_ERROR;
    if (!answer || message.method != STUN_BINDING || memcmp(message.id, id, STUN_ID_SIZE) != 0) {
        return ERR_STATE;
    }
    *ret_message = message;
    if (message.unknown_len > 0) {
        return ERR_UNSUPPORTED;
    }
    if (message.msg_class == STUN_ERROR) {
        return ERR_DENIED;
    }
    return message.mapped.family == IP_NONE ? ERR_INVALID : ERR_OK;
}

/** Header of a binding message, its length still 0. */
static uint8_t *put_header(uint8_t *at, enum stun_class msg_class, const uint8_t id[static STUN_ID_SIZE])
{
    unsigned class_bits = ((unsigned)msg_class & 2) << 7 | ((unsigned)msg_class & 1) << 4;
    at = put16(at, (uint16_t)(class_bits | STUN_BINDING));
    at = put32(put16(at, 0), COOKIE);
    memcpy(at, id, STUN_ID_SIZE);
    return at + STUN_ID_SIZE;
}

static uint8_t *put_address(uint8_t *at, const struct ip *ip, uint16_t port, const uint8_t id[static STUN_ID_SIZE])
{
    size_t len = ip->family == IP_V4 ? 4 : 16;
    at = put16(put16(at, XOR_MAPPED_ADDRESS), (uint16_t)(4 + len));
    at = put16(at, ip->family == IP_V4 ? FAMILY_V4 : FAMILY_V6);
    at = put16(at, (uint16_t)(port ^ COOKIE >> 16));
    memcpy(at, ip->bytes, len);
    mask_address(at, len, id);
    return at + len;
}

static uint8_t *put_unknown(uint8_t *at, const struct stun_message *request)
{
    at = put16(put16(at, ERROR_CODE), 4);
    at = put16(put16(at, 0), CODE_UNKNOWN / 100 << 8 | CODE_UNKNOWN % 100);
    at = put16(put16(at, UNKNOWN_ATTRIBUTES), (uint16_t)(request->unknown_len * 2));
    for (unsigned i = 0; i < request->unknown_len; i++) {
        at = put16(at, request->unknown[i]);
    }
    return request->unknown_len % 2 == 0 ? at : put16(at, 0);
}

size_t stun_write_request(const uint8_t id[static STUN_ID_SIZE], uint8_t buffer[static STUN_WRITE_MAX])
{
    return (size_t)(put_header(buffer, STUN_REQUEST, id) - buffer);
}

size_t stun_write_answer(const struct stun_message *request, const struct ip *peer, uint16_t peer_port,
                         uint8_t buffer[static STUN_WRITE_MAX])
{
    if (request->msg_class != STUN_REQUEST || request->method != STUN_BINDING || peer->family == IP_NONE) {
        return 0;
    }
    bool refused = request->unknown_len > 0;
    uint8_t *at = put_header(buffer, refused ? STUN_ERROR : STUN_SUCCESS, request->id);
    at = refused ? put_unknown(at, request) : put_address(at, peer, peer_port, request->id);
    size_t tail = request->fingerprint ? FINGERPRINT_SIZE : 0;
    (void)put16(buffer + 2, (uint16_t)((size_t)(at - buffer) + tail - STUN_HEADER_SIZE)); /* not appended: set */
    if (request->fingerprint) {
        uint32_t crc = crc32(buffer, (size_t)(at - buffer)) ^ FINGERPRINT_XOR;
        at = put32(put16(put16(at, FINGERPRINT), 4), crc);
    }
    assert(at - buffer <= STUN_WRITE_MAX);
    return (size_t)(at - buffer);
}

uint32_t stun_wait_ms(unsigned sent)
{
    assert(sent >= 1 && sent <= STUN_SENDS);
    return sent == STUN_SENDS ? LAST_WAIT_FACTOR * RTO_MS : (uint32_t)RTO_MS << (sent - 1);
}
