/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dnswire.h"

#include <string.h>

#include "base/dnsname.h"

enum { HEADER = 12, CLASS_IN = 1, CLASS_NONE = 254, CLASS_ANY = 255, OPCODE_UPDATE = 5 };
enum { POINTER_MAX = 0x3fff, FIXED = 10 /* type, class, ttl, rdlength */ };

static bool room(struct dnswire *wire, size_t len)
{
    if (wire->overflow || wire->size - wire->len < len) {
        wire->overflow = true;
        return false;
    }
    return true;
}

static void put16(struct dnswire *wire, unsigned value)
{
    if (room(wire, 2)) {
        wire->data[wire->len++] = (uint8_t)(value >> 8);
        wire->data[wire->len++] = (uint8_t)value;
    }
}

static void put_bytes(struct dnswire *wire, const void *bytes, size_t len)
{
    if (room(wire, len)) {
        memcpy(wire->data + wire->len, bytes, len);
        wire->len += len;
    }
}

/** Labels of @p text without the root. A label of impossible length makes the message unusable, not wrong. */
static void put_labels(struct dnswire *wire, struct view text)
{
    struct view rest = text, label;
    while (rest.len > 0 && view_next(&rest, '.', &label)) {
        if (label.len == 0 || label.len > DNSLABEL_MAX) {
            wire->overflow = true;
            return;
        }
        if (room(wire, label.len + 1)) {
            wire->data[wire->len++] = (uint8_t)label.len;
            put_bytes(wire, label.ptr, label.len);
        }
    }
}

static void put_name(struct dnswire *wire, struct view name)
{
    if (wire->zone.len > 0 && dnsname_in_zone(name, wire->zone)) {
        put_labels(wire, dnsname_relative(name, wire->zone));
        put16(wire, 0xc000 | HEADER);
        return;
    }
    put_labels(wire, name);
    put_bytes(wire, "", 1);
}

/** The fixed part behind an owner: type, class, TTL, RDLENGTH. */
static void put_fixed(struct dnswire *wire, unsigned type, unsigned class, uint32_t ttl, size_t rdlength)
{
    put16(wire, type);
    put16(wire, class);
    put16(wire, ttl >> 16);
    put16(wire, ttl & 0xffff);
    put16(wire, (unsigned)rdlength);
}

static void start(struct dnswire *wire, uint8_t *data, size_t size, uint16_t id, unsigned flags)
{
    *wire = (struct dnswire){.data = data, .size = size};
    put16(wire, id);
    put16(wire, flags);
    put16(wire, 1);
    put_bytes(wire, "\0\0\0\0\0", 6);
}

void dnswire_query(struct dnswire *wire, uint8_t *data, size_t size, uint16_t id, struct view name, uint16_t type)
{
    start(wire, data, size, id, 0);
    put_name(wire, name);
    put16(wire, type);
    put16(wire, CLASS_IN);
}

void dnswire_update(struct dnswire *wire, uint8_t *data, size_t size, uint16_t id, struct view zone)
{
    dnswire_query(wire, data, size, id, zone, DNSWIRE_TYPE_SOA);
    if (!wire->overflow) {
        wire->data[2] = OPCODE_UPDATE << 3;
    }
    wire->zone = zone;
}

static size_t address_len(enum rrtype type)
{
    return type == RRTYPE_A ? 4 : 16;
}

void dnswire_require_value(struct dnswire *wire, struct view name, enum rrtype type, const struct rrset_value *value)
{
    for (size_t i = 0; i < value->len; i++) {
        put_name(wire, name);
        put_fixed(wire, type, CLASS_IN, 0, address_len(type));
        put_bytes(wire, value->ips[i].bytes, address_len(type));
        wire->counts[0]++;
    }
}

void dnswire_require_absent(struct dnswire *wire, struct view name, uint16_t type)
{
    put_name(wire, name);
    put_fixed(wire, type, CLASS_NONE, 0, 0);
    wire->counts[0]++;
}

static void put_txt(struct dnswire *wire, struct view text)
{
    uint8_t len = (uint8_t)MIN(text.len, 255u);
    put_bytes(wire, &len, 1);
    put_bytes(wire, text.ptr, len);
}

void dnswire_require_txt(struct dnswire *wire, struct view name, struct view text)
{
    put_name(wire, name);
    put_fixed(wire, DNSWIRE_TYPE_TXT, CLASS_IN, 0, MIN(text.len, 255u) + 1);
    put_txt(wire, text);
    wire->counts[0]++;
}

/** "Delete an RRset"; @return offset of its owner, which the adds that follow point to. */
static size_t put_delete(struct dnswire *wire, struct view name, unsigned type)
{
    size_t owner = wire->len;
    put_name(wire, name);
    put_fixed(wire, type, CLASS_ANY, 0, 0);
    wire->counts[1]++;
    return owner;
}

static void put_owner_again(struct dnswire *wire, struct view name, size_t owner)
{
    if (owner <= POINTER_MAX) {
        put16(wire, 0xc000u | (unsigned)owner);
    } else {
        put_name(wire, name);
    }
}

void dnswire_replace(struct dnswire *wire, struct view name, enum rrtype type, uint32_t ttl,
                     const struct rrset_value *value)
{
    size_t owner = put_delete(wire, name, type);
    for (size_t i = 0; i < value->len; i++) {
        put_owner_again(wire, name, owner);
        put_fixed(wire, type, CLASS_IN, ttl, address_len(type));
        put_bytes(wire, value->ips[i].bytes, address_len(type));
        wire->counts[1]++;
    }
}

void dnswire_replace_txt(struct dnswire *wire, struct view name, uint32_t ttl, struct view text)
{
    size_t owner = put_delete(wire, name, DNSWIRE_TYPE_TXT);
    put_owner_again(wire, name, owner);
    put_fixed(wire, DNSWIRE_TYPE_TXT, CLASS_IN, ttl, MIN(text.len, 255u) + 1);
    put_txt(wire, text);
    wire->counts[1]++;
}

enum err dnswire_finish(struct dnswire *wire)
{
    if (wire->overflow) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < ARRAY_LEN(wire->counts); i++) {
        wire->data[6 + 2 * i] = (uint8_t)(wire->counts[i] >> 8);
        wire->data[7 + 2 * i] = (uint8_t)wire->counts[i];
    }
    return ERR_OK;
}

size_t dnswire_change_size(size_t name_len, enum rrtype type, size_t want_len, size_t absent_len, size_t have_len)
{
    size_t record = name_len + 2 + FIXED;
    size_t address = record + address_len(type);
    return absent_len * record + have_len * address + record + want_len * address;
}
