/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnsquery: one DNS question and its answer on the wire, for programs that ask a named server themselves (an address
 * echo, a diagnosis) and must not take in a DNS library. Not here: updates, transfers, TSIG (providers/), EDNS,
 * sockets, retransmission.
 * Why its own parser, and not libknot or the C library's: docs/adr/0033-dns-echo.md.
 * Against forged answers (RFC 5452): the id and the case of each letter of the name are random, and both are compared.
 * Source: RFC 1035 4, RFC 3596 2.2 (AAAA). Threading: pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/dnsname.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"

#define DNS_PORT            53
#define DNS_TLS_PORT        853 /* RFC 7858 3.1 */
#define DNSQUERY_NAME_MAX   255 /* bytes on the wire: RFC 1035 2.3.4 */
#define DNSQUERY_SIZE       (12 + DNSQUERY_NAME_MAX + 4)
#define DNSQUERY_RANDOM_LEN (2 + (DNSQUERY_NAME_MAX + 7) / 8) /* the id and a bit for each byte of the name */

enum { DNS_TYPE_A = 1, DNS_TYPE_NS = 2, DNS_TYPE_SOA = 6, DNS_TYPE_TXT = 16, DNS_TYPE_AAAA = 28 };
enum { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3 };
enum { DNS_RCODE_NOERROR = 0, DNS_RCODE_SERVFAIL = 2, DNS_RCODE_NXDOMAIN = 3, DNS_RCODE_REFUSED = 5 };
/** "NOERROR", "REFUSED", ...; "RCODE" for others than RFC 1035's. Static storage. */
const char *dns_rcode_name(uint8_t rcode);

/** Open value. */
struct dnsquery {
    uint16_t type, rrclass;
    size_t name_len;             /* bytes of the name on the wire, which begins at byte 12 */
    size_t len;                  /* bytes of the message */
    uint8_t wire[DNSQUERY_SIZE]; /* the message */
};

/** @param name as dnsname_parse takes it (DNSNAME_RECORD). @param recurse asks a resolver to look further; an
 *  authoritative server is asked without. @param random from crypto_random.
 *  @return ERR_INVALID, ERR_LIMIT (the name). */
enum err dnsquery_make(struct view name, uint16_t type, uint16_t rrclass, bool recurse,
                       const uint8_t random[static DNSQUERY_RANDOM_LEN], struct dnsquery *ret_query) MUST_CHECK;
/** The message, borrowed from @p query. */
struct view dnsquery_view(const struct dnsquery *query);

enum dnsreply_question {
    DNSREPLY_SAME,       /* the question that was asked, letter by letter */
    DNSREPLY_OTHER_CASE, /* its name came back in another case: a server of that kind, or a forgery */
    DNSREPLY_OTHER,      /* another name, type or class, or none */
};

/** Open value: the head of an answer, and where the walk over its answer section is. */
struct dnsreply {
    struct view message; /* borrowed */
    enum dnsreply_question question;
    uint8_t rcode;
    bool authoritative, truncated;
    uint16_t answers; /* of the answer section, not yet walked over */
    size_t at;        /* byte that is read next */
};

/** @return ERR_STATE: no answer to this query (another id, a query itself, another opcode): leave it and go on
 *  waiting, anybody can send such; ERR_PARSE: cut off or malformed in its head or question. */
enum err dnsreply_open(const struct dnsquery *query, struct view message, struct dnsreply *ret_reply) MUST_CHECK;

/** Open value: one record of the answer section. */
struct dnsrecord {
    bool owned; /* by the name that was asked */
    uint16_t type, rrclass;
    uint32_t ttl;
    struct view rdata; /* borrowed from the message */
};

/** @return ERR_NOTFOUND: there are no more; ERR_PARSE: the rest cannot be read. */
enum err dnsreply_next(struct dnsreply *reply, const struct dnsquery *query, struct dnsrecord *ret_record) MUST_CHECK;

/** The address of an A or AAAA record. @return ERR_PARSE (wrong length), ERR_INVALID (another type). */
enum err dnsrecord_address(const struct dnsrecord *record, struct ip *ret_ip) MUST_CHECK;
/** The text of a TXT record of one string, any bytes. @return ERR_PARSE (strings do not fill the record), ERR_LIMIT
 *  (more than one string), ERR_INVALID (another type). */
enum err dnsrecord_text(const struct dnsrecord *record, struct view *ret_text) MUST_CHECK;
