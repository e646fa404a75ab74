/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnsmsg: signs DNS messages with TSIG and reads replies (RFC 1035, RFC 8945), including zone transfers of many
 * messages. Over libknot, and the only file that names it is dnsmsg.c. Wall time for TSIG is read inside libknot.
 * Threading: a key is read-only after dnsmsg_key_new; everything else one thread at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dnsname.h"
#include "base/err.h"
#include "base/view.h"
#include "providers/limits.h"
#include "providers/tsigkey.h"

enum {
    DNSMSG_TYPE_A = 1,
    DNSMSG_TYPE_NS = 2,
    DNSMSG_TYPE_CNAME = 5,
    DNSMSG_TYPE_SOA = 6,
    DNSMSG_TYPE_TXT = 16,
    DNSMSG_TYPE_AAAA = 28
};

/** RFC 1035 4.1.1, RFC 2136 2.2, and TSIG errors of RFC 8945 3. */
enum dnsmsg_rcode {
    DNSMSG_NOERROR = 0,
    DNSMSG_FORMERR = 1,
    DNSMSG_SERVFAIL = 2,
    DNSMSG_NXDOMAIN = 3,
    DNSMSG_NOTIMP = 4,
    DNSMSG_REFUSED = 5,
    DNSMSG_YXDOMAIN = 6,
    DNSMSG_YXRRSET = 7,
    DNSMSG_NXRRSET = 8,
    DNSMSG_NOTAUTH = 9,
    DNSMSG_NOTZONE = 10,
    DNSMSG_BADSIG = 16,
    DNSMSG_BADKEY = 17,
    DNSMSG_BADTIME = 18,
    DNSMSG_BADTRUNC = 22,
};
/** "NOERROR", "SERVFAIL", ...; "RCODE" for others. Static storage. */
const char *dnsmsg_rcode_name(unsigned rcode);

struct dnsmsg_key;
/** @return ERR_INVALID (name or base64), ERR_NOMEM. */
enum err dnsmsg_key_new(const struct tsigkey *text, struct dnsmsg_key **ret_key, struct errinfo *info) MUST_CHECK;
void dnsmsg_key_free(struct dnsmsg_key *key); /* zeroises; NULL allowed */
/** Bytes that signing appends; 0 for NULL. */
size_t dnsmsg_key_size(const struct dnsmsg_key *key);

struct dnsmsg_mac {
    uint8_t bytes[DNSMSG_MAC_MAX];
    size_t len; /* 0 = message was not signed */
};

/** Appends the TSIG record to the message of @p len bytes in a buffer of @p size. @p key NULL: does nothing.
 *  @return ERR_LIMIT, ERR_CRYPTO. */
enum err dnsmsg_sign(const struct dnsmsg_key *key, uint8_t *data, size_t size, size_t *len,
                     struct dnsmsg_mac *ret_mac) MUST_CHECK;

enum dnsmsg_trust {
    DNSMSG_UNSIGNED, /* no TSIG, or one without MAC */
    DNSMSG_VERIFIED, /* MAC and time are right */
    DNSMSG_FORGED,   /* MAC or time are wrong, or another key */
};

/** A parsed message. Open value; deinit. */
struct dnsmsg {
    void *packet;  /* owned, private */
    uint8_t *copy; /* owned, private */
    uint16_t id;
    uint8_t opcode;
    bool response, truncated, authoritative;
    uint16_t rcode;      /* of the header */
    uint16_t tsig_error; /* of the TSIG record, 0 when there is none */
    enum dnsmsg_trust trust;
    int64_t server_time_s; /* wall, of a BADTIME answer; 0 = not told */
};

/** @param key NULL: trust stays UNSIGNED. @param mac of the request. @return ERR_PARSE, ERR_LIMIT, ERR_NOMEM. */
enum err dnsmsg_parse(struct view wire, const struct dnsmsg_key *key, const struct dnsmsg_mac *mac,
                      struct dnsmsg *ret_message) MUST_CHECK;
void dnsmsg_deinit(struct dnsmsg *message);

struct dnsmsg_record {
    const char *name; /* lower case, no trailing dot; borrowed for the call */
    uint16_t type;
    uint32_t ttl;
    struct view rdata; /* wire form */
};
typedef void (*dnsmsg_each_fn)(void *context, const struct dnsmsg_record *record);
/** Every record of the answer section. */
void dnsmsg_each_answer(const struct dnsmsg *message, dnsmsg_each_fn each, void *context);
/** Every record of the authority section. */
void dnsmsg_each_authority(const struct dnsmsg *message, dnsmsg_each_fn each, void *context);

/** First string of a TXT record; empty when there is none. */
struct view dnsmsg_txt(const struct dnsmsg_record *record);
/** The host that an NS or CNAME record names, or the primary of an SOA: canonical text. @return ERR_INVALID: another
 * type, or a name that no host has (the root, more than 253 bytes). */
enum err dnsmsg_host(const struct dnsmsg_record *record, char ret_host[static DNSNAME_SIZE]) MUST_CHECK;

/**
 * A zone transfer (RFC 5936): messages in order, each record handed out once its message is known to be authentic
 * (a server may sign only every hundredth message, RFC 8945 5.3.1: records wait for the signature that covers them).
 */
struct dnsmsg_axfr;
enum err dnsmsg_axfr_new(const struct dnsmsg_key *key, const struct dnsmsg_mac *mac, dnsmsg_each_fn each, void *context,
                         struct dnsmsg_axfr **ret_axfr) MUST_CHECK;
void dnsmsg_axfr_free(struct dnsmsg_axfr *axfr);
/** @param ret_done true after the closing SOA. @return ERR_PARSE, ERR_AUTH (TSIG), ERR_DENIED (refused), ERR_LIMIT (too
 * long without a signature), ERR_NOMEM; info says which. */
enum err dnsmsg_axfr_feed(struct dnsmsg_axfr *axfr, struct view wire, bool *ret_done, struct errinfo *info) MUST_CHECK;
