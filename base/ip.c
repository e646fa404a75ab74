/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <string.h>

/** Parses four decimal octets that fill @p p to @p end: no leading zeros, so that no reader can take one for octal. */
static bool parse_quad(const char *p, const char *end, uint8_t bytes[static 4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (p == end || *p++ != '.')) {
            return false;
        }
        const char *start = p;
        unsigned value = 0;
        while (p != end && p - start < 3 && (unsigned char)(*p - '0') <= 9) {
            value = value * 10 + (unsigned)(*p++ - '0');
        }
        if (p == start || value > 255 || (*start == '0' && p - start > 1)) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    return p == end;
}

static int hex_digit(char c)
{
    if ((unsigned char)(c - '0') <= 9) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/** One group of one to four hex digits. @return the byte after it, or NULL. */
static const char *parse_group(const char *p, const char *end, uint8_t bytes[static 2])
{
    const char *start = p;
    unsigned value = 0;
    while (p != end && p - start < 4) {
        int digit = hex_digit(*p);
        if (digit < 0) {
            break;
        }
        value = value << 4 | (unsigned)digit;
        p++;
    }
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
    return p != start ? p : NULL;
}

/** Moves what was read after "::" to the end and clears the gap. "::" stands for at least one group (RFC 4291 2.2). */
static bool expand_gap(uint8_t bytes[static 16], size_t used, size_t gap)
{
    if (used >= 16) {
        return false;
    }
    size_t tail = used - gap;
    memmove(bytes + 16 - tail, bytes + gap, tail);
    memset(bytes + gap, 0, 16 - used);
    return true;
}

static bool parse_v6(const char *p, const char *end, uint8_t bytes[static 16])
{
    const size_t none = 17;
    size_t used = 0;
    size_t gap = none;
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }
    while (p != end) {
        if (used == 16) {
            return false;
        }
        const char *start = p;
        p = parse_group(p, end, bytes + used);
        if (p == NULL) {
            return false;
        }
        if (p != end && *p == '.') { /* the last 32 bits as dotted quad */
            if (used > 12 || !parse_quad(start, end, bytes + used)) {
                return false;
            }
            used += 4;
            break;
        }
        used += 2;
        if (p == end) {
            break;
        }
        if (*p++ != ':' || p == end) {
            return false;
        }
        if (*p == ':') {
            if (gap != none) {
                return false;
            }
            gap = used;
            p++;
        }
    }
    return gap != none ? expand_gap(bytes, used, gap) : used == 16;
}

enum err ip_parse(struct view text, struct ip *ret_ip)
{
    if (text.len < 2 || text.len >= IP_TEXT_SIZE) {
        return ERR_PARSE;
    }
    struct ip ip = {0};
    const char *end = text.ptr + text.len;
    if (text.len <= 15 && parse_quad(text.ptr, end, ip.bytes)) {
        ip.family = IP_V4;
    } else {
        memset(ip.bytes, 0, 4);
        if (!parse_v6(text.ptr, end, ip.bytes)) {
            return ERR_PARSE;
        }
        ip.family = IP_V6;
    }
    *ret_ip = ip;
    return ERR_OK;
}

static char *put_decimal(char *p, unsigned value)
{
    if (value >= 100) {
        *p++ = (char)('0' + value / 100);
    }
    if (value >= 10) {
        *p++ = (char)('0' + value / 10 % 10);
    }
    *p++ = (char)('0' + value % 10);
    return p;
}

static char *put_quad(char *p, const uint8_t bytes[static 4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            *p++ = '.';
        }
        p = put_decimal(p, bytes[i]);
    }
    return p;
}

static char *put_group(char *p, unsigned value)
{
    bool started = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 15;
        if (digit != 0 || started || shift == 0) {
            *p++ = "0123456789abcdef"[digit];
            started = true;
        }
    }
    return p;
}

/** The first longest run of at least two zero groups (RFC 5952 4.2.2, 4.2.3). */
static int longest_zero_run(const uint8_t bytes[static 16], int *ret_len)
{
    int best = -1;
    int best_len = 1;
    for (int i = 0; i < 8; i++) {
        int len = 0;
        while (i + len < 8 && (bytes[2 * (i + len)] | bytes[2 * (i + len) + 1]) == 0) {
            len++;
        }
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len; /* the group that ended the run is not zero */
    }
    *ret_len = best_len;
    return best;
}

static bool is_mapped(const struct ip *ip)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return ip->family == IP_V6 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0;
}

static char *put_v6(char *p, const struct ip *ip)
{
    if (is_mapped(ip)) { /* RFC 5952 5 */
        memcpy(p, "::ffff:", 7);
        return put_quad(p + 7, ip->bytes + 12);
    }
    int run_len;
    int run = longest_zero_run(ip->bytes, &run_len);
    for (int i = 0; i < 8; i++) {
        if (i == run) {
            *p++ = ':';
            *p++ = ':';
            i += run_len - 1;
            continue;
        }
        if (i > 0 && p[-1] != ':') {
            *p++ = ':';
        }
        p = put_group(p, (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1]);
    }
    return p;
}

size_t ip_format(const struct ip *ip, char buffer[static IP_TEXT_SIZE])
{
    char *p = buffer;
    if (ip->family == IP_V4) {
        p = put_quad(p, ip->bytes);
    } else if (ip->family == IP_V6) {
        p = put_v6(p, ip);
    }
    *p = '\0';
    return (size_t)(p - buffer);
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    return order < 0 ? -1 : order > 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return ip_compare(a, b) == 0;
}

struct ip ip_unmap(struct ip ip)
{
    if (!is_mapped(&ip)) {
        return ip;
    }
    struct ip v4 = {.family = IP_V4};
    memcpy(v4.bytes, ip.bytes + 12, 4);
    return v4;
}

struct row4 {
    uint32_t net;
    uint8_t len;
    uint8_t ip_class;
};

/* IANA IPv4 Special-Purpose Address Registry, and 224.0.0.0/4 of the multicast registry. The first match counts. What
 * lies within 192.0.0.0/24 and 2001::/23 and is marked reachable all the same (192.0.0.9 and .10, 2001:1::1 to ::3,
 * 2001:3::/32, 2001:4:112::/48, 2001:20::/28, 2001:30::/28) are anycast addresses of protocols and identifiers: never a
 * device's own, so no exceptions. Reachable blocks in ordinary space (192.31.196.0/24, 192.52.193.0/24,
 * 192.175.48.0/24) need no row. */
static const struct row4 rows4[] = {
    {0x00000000, 32, IP_CLASS_UNSPECIFIED},   /* 0.0.0.0 */
    {0x00000000, 8, IP_CLASS_THIS_NETWORK},   /* 0.0.0.0/8, RFC 791 3.2 */
    {0x0a000000, 8, IP_CLASS_PRIVATE},        /* 10.0.0.0/8, RFC 1918 */
    {0x64400000, 10, IP_CLASS_CGNAT},         /* 100.64.0.0/10, RFC 6598 */
    {0x7f000000, 8, IP_CLASS_LOOPBACK},       /* 127.0.0.0/8, RFC 1122 3.2.1.3 */
    {0xa9fe0000, 16, IP_CLASS_LINK_LOCAL},    /* 169.254.0.0/16, RFC 3927 */
    {0xac100000, 12, IP_CLASS_PRIVATE},       /* 172.16.0.0/12, RFC 1918 */
    {0xc0000000, 24, IP_CLASS_PROTOCOL},      /* 192.0.0.0/24, RFC 6890 2.1; .0/29, .8, .170, .171 inside it */
    {0xc0000200, 24, IP_CLASS_DOCUMENTATION}, /* 192.0.2.0/24, RFC 5737 */
    {0xc0586300, 24, IP_CLASS_TRANSLATION},   /* 192.88.99.0/24, 6to4 relay anycast, RFC 7526: deprecated */
    {0xc0a80000, 16, IP_CLASS_PRIVATE},       /* 192.168.0.0/16, RFC 1918 */
    {0xc6120000, 15, IP_CLASS_BENCHMARKING},  /* 198.18.0.0/15, RFC 2544 */
    {0xc6336400, 24, IP_CLASS_DOCUMENTATION}, /* 198.51.100.0/24, RFC 5737 */
    {0xcb007100, 24, IP_CLASS_DOCUMENTATION}, /* 203.0.113.0/24, RFC 5737 */
    {0xe0000000, 4, IP_CLASS_MULTICAST},      /* 224.0.0.0/4, RFC 5771 */
    {0xffffffff, 32, IP_CLASS_BROADCAST},     /* 255.255.255.255, RFC 8190 */
    {0xf0000000, 4, IP_CLASS_RESERVED},       /* 240.0.0.0/4, RFC 1112 4 */
};

struct row6 {
    uint64_t high;
    uint64_t low;
    uint8_t len;
    uint8_t ip_class;
};

/* IANA IPv6 Special-Purpose Address Registry and the multicast block, in the same manner. 64:ff9b::/96 is marked
 * reachable there, but an address in it names an IPv4 host behind somebody's translator, never a device of ours. The
 * last two rows are the IPv6 Address Space registry: only 2000::/3 is assigned as global unicast. */
static const struct row6 rows6[] = {
    {0, 0, 128, IP_CLASS_UNSPECIFIED},                   /* :: */
    {0, 1, 128, IP_CLASS_LOOPBACK},                      /* ::1 */
    {0, 0xffff00000000, 96, IP_CLASS_TRANSLATION},       /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
    {0x0064ff9b00000000, 0, 96, IP_CLASS_TRANSLATION},   /* 64:ff9b::/96, RFC 6052 */
    {0x0064ff9b00010000, 0, 48, IP_CLASS_TRANSLATION},   /* 64:ff9b:1::/48, RFC 8215 */
    {0x0100000000000000, 0, 64, IP_CLASS_DISCARD},       /* 100::/64, RFC 6666 */
    {0x0100000000000001, 0, 64, IP_CLASS_PROTOCOL},      /* 100:0:0:1::/64, dummy prefix, RFC 9780 */
    {0x2001000000000000, 0, 32, IP_CLASS_TRANSLATION},   /* 2001::/32, Teredo, RFC 4380 */
    {0x2001000200000000, 0, 48, IP_CLASS_BENCHMARKING},  /* 2001:2::/48, RFC 5180 */
    {0x2001000000000000, 0, 23, IP_CLASS_PROTOCOL},      /* 2001::/23, RFC 2928; 2001:10::/28 (ORCHID) inside it */
    {0x20010db800000000, 0, 32, IP_CLASS_DOCUMENTATION}, /* 2001:db8::/32, RFC 3849 */
    {0x2002000000000000, 0, 16, IP_CLASS_TRANSLATION},   /* 2002::/16, 6to4, RFC 3056 */
    {0x3fff000000000000, 0, 20, IP_CLASS_DOCUMENTATION}, /* 3fff::/20, RFC 9637 */
    {0x5f00000000000000, 0, 16, IP_CLASS_PROTOCOL},      /* 5f00::/16, segment routing ids, RFC 9602 */
    {0xfc00000000000000, 0, 7, IP_CLASS_UNIQUE_LOCAL},   /* fc00::/7, RFC 4193 */
    {0xfe80000000000000, 0, 10, IP_CLASS_LINK_LOCAL},    /* fe80::/10, RFC 4291 2.5.6 */
    {0xff00000000000000, 0, 8, IP_CLASS_MULTICAST},      /* ff00::/8, RFC 4291 2.7 */
    {0x2000000000000000, 0, 3, IP_CLASS_PUBLIC},         /* 2000::/3, RFC 4291 2.4; 2620:4f:8000::/48 (AS112) in it */
    {0, 0, 0, IP_CLASS_RESERVED},                        /* the rest, fec0::/10 (RFC 3879) and ::/96 among it */
};

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/** The top @p len of 64 bits; nothing for 0 or less, all from 64 on. */
static uint64_t mask64(int len)
{
    if (len <= 0) {
        return 0;
    }
    return len >= 64 ? UINT64_MAX : ~(UINT64_MAX >> len);
}

static enum ip_class classify4(uint32_t address)
{
    for (size_t i = 0; i < ARRAY_LEN(rows4); i++) {
        if (((address ^ rows4[i].net) >> (32 - rows4[i].len)) == 0) {
            return rows4[i].ip_class;
        }
    }
    return IP_CLASS_PUBLIC;
}

static enum ip_class classify6(uint64_t high, uint64_t low)
{
    for (size_t i = 0; i < ARRAY_LEN(rows6) - 1; i++) {
        int len = rows6[i].len;
        if (((high ^ rows6[i].high) & mask64(len)) == 0 && ((low ^ rows6[i].low) & mask64(len - 64)) == 0) {
            return rows6[i].ip_class;
        }
    }
    return rows6[ARRAY_LEN(rows6) - 1].ip_class;
}

enum ip_class ip_classify(const struct ip *ip)
{
    switch (ip->family) {
    case IP_V4:
        return classify4((uint32_t)ip->bytes[0] << 24 | (uint32_t)ip->bytes[1] << 16 | (uint32_t)ip->bytes[2] << 8 |
                         ip->bytes[3]);
    case IP_V6:
        return classify6(load_u64(ip->bytes), load_u64(ip->bytes + 8));
    default:
        return IP_CLASS_UNSPECIFIED;
    }
}

const char *ip_class_name(enum ip_class ip_class)
{
    static const char *const names[] = {
        [IP_CLASS_PUBLIC] = "public",
        [IP_CLASS_UNSPECIFIED] = "unspecified",
        [IP_CLASS_THIS_NETWORK] = "this-network",
        [IP_CLASS_LOOPBACK] = "loopback",
        [IP_CLASS_PRIVATE] = "private",
        [IP_CLASS_CGNAT] = "cgnat",
        [IP_CLASS_LINK_LOCAL] = "link-local",
        [IP_CLASS_UNIQUE_LOCAL] = "unique-local",
        [IP_CLASS_DOCUMENTATION] = "documentation",
        [IP_CLASS_BENCHMARKING] = "benchmarking",
        [IP_CLASS_PROTOCOL] = "protocol",
        [IP_CLASS_TRANSLATION] = "translation",
        [IP_CLASS_DISCARD] = "discard",
        [IP_CLASS_MULTICAST] = "multicast",
        [IP_CLASS_BROADCAST] = "broadcast",
        [IP_CLASS_RESERVED] = "reserved",
    };
    return (size_t)ip_class < ARRAY_LEN(names) ? names[ip_class] : "unknown";
}

bool ip_is_public(const struct ip *ip)
{
    return ip_classify(ip) == IP_CLASS_PUBLIC;
}

/** The first @p len bits are equal. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned len)
{
    if (memcmp(a, b, len / 8) != 0) {
        return false;
    }
    return len % 8 == 0 || (a[len / 8] ^ b[len / 8]) >> (8 - len % 8) == 0;
}

static bool host_bits_zero(const struct ip *ip, unsigned len)
{
    unsigned bits = ip->family == IP_V4 ? 32 : 128;
    for (unsigned i = len; i < bits; i++) {
        if ((ip->bytes[i / 8] & 0x80 >> i % 8) != 0) {
            return false;
        }
    }
    return true;
}

enum err ip_prefix_parse(struct view text, struct ip_prefix *ret_prefix)
{
    struct view rest = text;
    struct view address;
    struct ip ip;
    if (!view_next(&rest, '/', &address) || address.len == text.len) {
        return ERR_PARSE;
    }
    enum err err = ip_parse(address, &ip);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t len;
    err = view_to_u64(rest, ip.family == IP_V4 ? 32 : 128, &len);
    if (err != ERR_OK) {
        return err;
    }
    if (!host_bits_zero(&ip, (unsigned)len)) {
        return ERR_INVALID;
    }
    *ret_prefix = (struct ip_prefix){.ip = ip, .len = (uint8_t)len};
    return ERR_OK;
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->len == b->len && ip_equal(&a->ip, &b->ip);
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip *ip)
{
    return prefix->ip.family == ip->family && ip->family != IP_NONE &&
           same_bits(prefix->ip.bytes, ip->bytes, prefix->len);
}

size_t ip_prefix_format(const struct ip_prefix *prefix, char buffer[static IP_PREFIX_TEXT_SIZE])
{
    char *p = buffer + ip_format(&prefix->ip, buffer);
    if (p == buffer) {
        return 0;
    }
    *p++ = '/';
    p = put_decimal(p, prefix->len);
    *p = '\0';
    return (size_t)(p - buffer);
}
