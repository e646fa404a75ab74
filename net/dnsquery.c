/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dnsquery.h"

#include <string.h>

enum { HEADER = 12, FIXED = 10 /* type, class, ttl, rdlength */, QUESTION_FIXED = 4 };
enum { FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100, OPCODE = 0x7800, RCODE = 0x000f };
enum { LABEL_KIND = 0xc0, LABEL_POINTER = 0xc0 };

const char *dns_rcode_name(uint8_t rcode)
{
    static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    return rcode < ARRAY_LEN(names) ? names[rcode] : "RCODE";
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(struct view message, size_t at)
{
    return (unsigned)(uint8_t)message.ptr[at] << 8 | (uint8_t)message.ptr[at + 1];
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool is_letter(uint8_t byte)
{
    return lower(byte) >= 'a' && lower(byte) <= 'z';
}

/* Canonical text to labels, their letters in the case that the bits say. @return bytes written, DNSQUERY_NAME_MAX at
 * most, since the text is DNSNAME_MAX at most. */
static size_t put_name(uint8_t *wire, struct view name, const uint8_t *bits)
{
    struct view label;
    size_t at = 0;
    while (view_next(&name, '.', &label)) {
        wire[at++] = (uint8_t)label.len;
        for (size_t i = 0; i < label.len; i++, at++) {
            uint8_t byte = (uint8_t)label.ptr[i];
            bool upper = (bits[at / 8] >> (at % 8) & 1) != 0;
            wire[at] = upper && is_letter(byte) ? (uint8_t)(byte & ~0x20) : byte;
        }
    }
    wire[at++] = 0;
    return at;
}

enum err dnsquery_make(struct view name, uint16_t type, uint16_t rrclass, bool recurse,
                       const uint8_t random[static DNSQUERY_RANDOM_LEN], struct dnsquery *ret_query)
{
    char canonical[DNSNAME_SIZE];
    enum err err = dnsname_parse(name, DNSNAME_RECORD, canonical, NULL);
    if (err != ERR_OK) {
        return err;
    }
    struct dnsquery query = {.type = type, .rrclass = rrclass};
    memcpy(query.wire, random, 2);
    put16(query.wire + 2, recurse ? FLAG_RD : 0);
    put16(query.wire + 4, 1);
    query.name_len = put_name(query.wire + HEADER, view_of(canonical), random + 2);
    put16(query.wire + HEADER + query.name_len, type);
    put16(query.wire + HEADER + query.name_len + 2, rrclass);
    query.len = HEADER + query.name_len + QUESTION_FIXED;
    *ret_query = query;
    return ERR_OK;
}

struct view dnsquery_view(const struct dnsquery *query)
{
    return view_n((const char *)query->wire, query->len);
}

/* One name, pointers followed (RFC 1035 4.1.4), each strictly backwards so that the walk ends. *at moves behind the
 * name where it stands. */
static enum err get_name(struct view message, size_t *at, uint8_t ret_name[static DNSQUERY_NAME_MAX], size_t *ret_len)
{
    size_t len = 0, from = *at, end = 0;
    for (;;) {
        if (from >= message.len) {
            return ERR_PARSE;
        }
        uint8_t head = (uint8_t)message.ptr[from];
        if ((head & LABEL_KIND) == LABEL_POINTER) {
            if (message.len - from < 2 || (get16(message, from) & 0x3fff) >= from) {
                return ERR_PARSE;
            }
            end = end != 0 ? end : from + 2;
            from = get16(message, from) & 0x3fff;
            continue;
        }
        size_t label = (size_t)head + 1;
        if ((head & LABEL_KIND) != 0 || message.len - from < label || DNSQUERY_NAME_MAX - len < label) {
            return ERR_PARSE;
        }
        memcpy(ret_name + len, message.ptr + from, label);
        len += label;
        from += label;
        if (head == 0) {
            *at = end != 0 ? end : from;
            *ret_len = len;
            return ERR_OK;
        }
    }
}

static bool same_name(const struct dnsquery *query, const uint8_t *name, size_t len)
{
    if (len != query->name_len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) { /* a length byte is below 'A' and stays as it is */
        if (lower(name[i]) != lower(query->wire[HEADER + i])) {
            return false;
        }
    }
    return true;
}

static enum err read_question(const struct dnsquery *query, struct dnsreply *reply)
{
    uint8_t name[DNSQUERY_NAME_MAX];
    size_t len;
    enum err err = get_name(reply->message, &reply->at, name, &len);
    if (err != ERR_OK || reply->message.len - reply->at < QUESTION_FIXED) {
        return ERR_PARSE;
    }
    if (same_name(query, name, len) && get16(reply->message, reply->at) == query->type &&
        get16(reply->message, reply->at + 2) == query->rrclass) {
        reply->question = memcmp(name, query->wire + HEADER, len) == 0 ? DNSREPLY_SAME : DNSREPLY_OTHER_CASE;
    }
    reply->at += QUESTION_FIXED;
    return ERR_OK;
}

enum err dnsreply_open(const struct dnsquery *query, struct view message, struct dnsreply *ret_reply)
{
    if (message.len < HEADER) {
        return ERR_PARSE;
    }
    unsigned flags = get16(message, 2);
    if (memcmp(message.ptr, query->wire, 2) != 0 || (flags & FLAG_QR) == 0 || (flags & OPCODE) != 0) {
        return ERR_STATE;
    }
    struct dnsreply reply = {.message = message,
                             .question = DNSREPLY_OTHER,
                             .rcode = flags & RCODE,
                             .authoritative = (flags & FLAG_AA) != 0,
                             .truncated = (flags & FLAG_TC) != 0,
                             .answers = (uint16_t)get16(message, 6),
                             .at = HEADER};
    unsigned questions = get16(message, 4);
    enum err err = questions == 1 ? read_question(query, &reply) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    if (questions > 1) {
        reply.answers = 0; /* nobody knows what such a message would mean (RFC 9619 4) */
    }
    *ret_reply = reply;
    return ERR_OK;
}

enum err dnsreply_next(struct dnsreply *reply, const struct dnsquery *query, struct dnsrecord *ret_record)
{
    if (reply->answers == 0) {
        return ERR_NOTFOUND;
    }
    struct view message = reply->message;
    uint8_t name[DNSQUERY_NAME_MAX];
    size_t len, at = reply->at;
    enum err err = get_name(message, &at, name, &len);
    if (err != ERR_OK || message.len - at < FIXED) {
        return ERR_PARSE;
    }
    struct dnsrecord record = {.owned = same_name(query, name, len),
                               .type = (uint16_t)get16(message, at),
                               .rrclass = (uint16_t)get16(message, at + 2),
                               .ttl = (uint32_t)get16(message, at + 4) << 16 | get16(message, at + 6)};
    size_t rdlength = get16(message, at + 8);
    at += FIXED;
    if (message.len - at < rdlength) {
        return ERR_PARSE;
    }
    record.rdata = view_n(message.ptr + at, rdlength);
    reply->at = at + rdlength;
    reply->answers--;
    *ret_record = record;
    return ERR_OK;
}

enum err dnsrecord_address(const struct dnsrecord *record, struct ip *ret_ip)
{
    if (record->type != DNS_TYPE_A && record->type != DNS_TYPE_AAAA) {
        return ERR_INVALID;
    }
    size_t size = record->type == DNS_TYPE_A ? 4 : 16;
    if (record->rdata.len != size) {
        return ERR_PARSE;
    }
    struct ip ip = {.family = record->type == DNS_TYPE_A ? IP_V4 : IP_V6};
    memcpy(ip.bytes, record->rdata.ptr, size);
    *ret_ip = ip;
    return ERR_OK;
}

enum err dnsrecord_text(const struct dnsrecord *record, struct view *ret_text)
{
    struct view rest = record->rdata;
    size_t strings = 0;
    if (record->type != DNS_TYPE_TXT) {
        return ERR_INVALID;
    }
    while (rest.len > 0) {
        size_t len = (uint8_t)rest.ptr[0];
        if (rest.len - 1 < len) {
            return ERR_PARSE;
        }
        rest = view_n(rest.ptr + 1 + len, rest.len - 1 - len);
        strings++;
    }
    if (strings != 1) {
        return strings == 0 ? ERR_PARSE : ERR_LIMIT;
    }
    *ret_text = view_n(record->rdata.ptr + 1, record->rdata.len - 1);
    return ERR_OK;
}
