/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ip: addresses as values: strict parse, canonical format, and the class of every range in the IANA special-purpose
 * registries. Source: IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890, RFC 5952 (text form), RFC 4291.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

/** Open value. All-zero is "no address". */
struct ip {
    uint8_t family;    /* enum ip_family */
    uint8_t bytes[16]; /* network order; IPv4 in the first four, rest zero */
};

#define IP_TEXT_SIZE 46 /* longest IPv6 text and its NUL */

/** The whole of @p text as one address: dotted quad without leading zeros, or IPv6 without zone id. @return ERR_PARSE.
 */
enum err ip_parse(struct view text, struct ip *ret_ip) MUST_CHECK;

/** RFC 5952 text; "" for no address. @return length without the NUL. */
size_t ip_format(const struct ip *ip, char buffer[static IP_TEXT_SIZE]);

bool ip_equal(const struct ip *a, const struct ip *b);
/** memcmp order over family and bytes: -1, 0, 1. */
int ip_compare(const struct ip *a, const struct ip *b);

/** An IPv4-mapped IPv6 address (::ffff:0:0/96) as its IPv4 address, anything else as it is: what a dual-stack listener
 * shows of a peer. */
struct ip ip_unmap(struct ip ip);

/** Rows of the special-purpose registries and of the multicast and reserved blocks; `public` is the absence of a row.
 */
enum ip_class {
    IP_CLASS_PUBLIC,
    IP_CLASS_UNSPECIFIED,
    IP_CLASS_THIS_NETWORK,
    IP_CLASS_LOOPBACK,
    IP_CLASS_PRIVATE,
    IP_CLASS_CGNAT,
    IP_CLASS_LINK_LOCAL,
    IP_CLASS_UNIQUE_LOCAL,
    IP_CLASS_DOCUMENTATION,
    IP_CLASS_BENCHMARKING,
    IP_CLASS_PROTOCOL,    /* 192.0.0.0/24, 2001::/23 and their like */
    IP_CLASS_TRANSLATION, /* 64:ff9b::/96, 64:ff9b:1::/48, 192.88.99.0/24, 2002::/16, Teredo, mapped */
    IP_CLASS_DISCARD,
    IP_CLASS_MULTICAST,
    IP_CLASS_BROADCAST,
    IP_CLASS_RESERVED,
};

enum ip_class ip_classify(const struct ip *ip);
/** "public", "cgnat", ...: static storage, for logs, JSON and error texts. */
const char *ip_class_name(enum ip_class ip_class);
/** May stand in a public DNS zone as a device's own: globally reachable unicast by the registries, but no protocol's.
 */
bool ip_is_public(const struct ip *ip);

struct ip_prefix {
    struct ip ip; /* host bits zero */
    uint8_t len;  /* 0 to 32 or 128 */
};

/** "192.0.2.0/24"; host bits must be zero. @return ERR_PARSE, ERR_RANGE (length), ERR_INVALID (host bits set). */
enum err ip_prefix_parse(struct view text, struct ip_prefix *ret_prefix) MUST_CHECK;
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip *ip);

#define IP_PREFIX_TEXT_SIZE (IP_TEXT_SIZE + 4)
size_t ip_prefix_format(const struct ip_prefix *prefix, char buffer[static IP_PREFIX_TEXT_SIZE]);
