/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** dnsmaker: answers to a struct dnsquery byte by byte, good ones and bad ones. Room for a test's messages only. */
#include <assert.h>
#include <string.h>

#include "net/dnsquery.h"

enum { MAKER_AA = 0x0400, MAKER_TC = 0x0200, MAKER_RA = 0x0080 };
#define MAKER_OWNER "\xc0\x0c" /* a pointer to the question's name */

struct dnsmaker {
    uint8_t data[1024];
    size_t len;
};

static inline struct view maker_view(const struct dnsmaker *maker)
{
    return view_n((const char *)maker->data, maker->len);
}

static inline void maker_put(struct dnsmaker *maker, const void *bytes, size_t len)
{
    assert(sizeof(maker->data) - maker->len >= len);
    memcpy(maker->data + maker->len, bytes, len);
    maker->len += len;
}

static inline void maker_put16(struct dnsmaker *maker, unsigned value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    maker_put(maker, bytes, sizeof(bytes));
}

/** The head of an answer with the question as it was asked. */
static inline struct dnsmaker maker_answer(const struct dnsquery *query, unsigned flags, unsigned rcode)
{
    struct dnsmaker maker = {.len = 0};
    maker_put(&maker, query->wire, query->len);
    maker.data[2] = (uint8_t)(0x80 | flags >> 8);
    maker.data[3] = (uint8_t)((flags & 0xff) | rcode);
    return maker;
}

/** One more record of the answer section. @param owner on the wire, with its length. */
static inline void maker_record(struct dnsmaker *maker, const char *owner, size_t owner_len, unsigned type,
                                unsigned rrclass, const void *rdata, size_t rdlength)
{
    maker_put(maker, owner, owner_len);
    maker_put16(maker, type);
    maker_put16(maker, rrclass);
    maker_put(maker, "\0\0\0\x3c", 4);
    maker_put16(maker, (unsigned)rdlength);
    maker_put(maker, rdata, rdlength);
    maker->data[7]++;
}

/** A TXT record of the name asked, of one string. */
static inline void maker_text(struct dnsmaker *maker, unsigned rrclass, const char *text)
{
    char rdata[256] = {(char)strlen(text)};
    memcpy(rdata + 1, text, strlen(text));
    maker_record(maker, MAKER_OWNER, 2, DNS_TYPE_TXT, rrclass, rdata, strlen(text) + 1);
}

/** An A or AAAA record of the name asked. */
static inline void maker_address(struct dnsmaker *maker, const char *text)
{
    struct ip ip;
    enum err err = ip_parse(view_of(text), &ip);
    assert(err == ERR_OK);
    (void)err;
    bool v4 = ip.family == IP_V4;
    maker_record(maker, MAKER_OWNER, 2, v4 ? DNS_TYPE_A : DNS_TYPE_AAAA, DNS_CLASS_IN, ip.bytes, v4 ? 4 : 16);
}
