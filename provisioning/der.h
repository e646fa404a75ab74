/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * der: writes and reads the subset of ASN.1 DER (X.690) that certificates, keys and revocation lists are made of. Own
 * code because wolfSSL writes BasicConstraints of a CA as non-critical, which strict verifiers refuse, and writes no
 * revocation lists. The reader takes definite, minimal lengths and low tag numbers only. Pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,             /* | number: IMPLICIT primitive */
    DER_CONTEXT_CONSTRUCTED = 0xa0, /* | number: EXPLICIT or constructed */
};

/** Object identifiers as their encoded body, given as a string literal. */
#define DER_OID_BODY(literal) VIEW_LITERAL(literal)

/** Forward writer into the caller's buffer. The first failure sticks: later calls do nothing, der_writer_end says it.
 */
struct der_writer {
    uint8_t *buffer; /* borrowed */
    size_t size;
    size_t len;
    unsigned depth; /* elements open */
    enum err error;
};

void der_writer_init(struct der_writer *writer, uint8_t *buffer, size_t size);

/** Starts a constructed element (or a string that holds DER). @return the mark to close it with. */
size_t der_open(struct der_writer *writer, uint8_t tag);
/** Ends the innermost open element: moves its content behind the length that is known now. */
void der_close(struct der_writer *writer, size_t mark);

void der_put(struct der_writer *writer, uint8_t tag, struct view body);
/** Already encoded elements. */
void der_put_raw(struct der_writer *writer, struct view encoded);
void der_put_bool(struct der_writer *writer, bool value);
/** A non-negative big-endian number: leading zeros dropped, a zero byte put before a set top bit. */
void der_put_uint(struct der_writer *writer, struct view big_endian);
void der_put_small(struct der_writer *writer, uint32_t value);
/** BIT STRING of whole bytes. */
void der_put_bits(struct der_writer *writer, struct view bytes);
/** BIT STRING of named bits, bit 0 the top bit of the first byte, trailing zero bits dropped (X.690 11.2.2). */
void der_put_flags(struct der_writer *writer, uint16_t flags);
/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). @param wall_s seconds since 1970. */
void der_put_time(struct der_writer *writer, int64_t wall_s);

/** @return ERR_LIMIT (buffer full or over DER_DEPTH_MAX), ERR_STATE (an element is still open: our bug). */
enum err der_writer_end(const struct der_writer *writer, size_t *ret_len) MUST_CHECK;

struct der_item {
    uint8_t tag;
    struct view body;  /* borrowed from what was read */
    struct view whole; /* tag, length and body */
};

/** Takes the next element off the front of @p rest. @return ERR_PARSE (empty, cut short, indefinite or non-minimal
 * length, long tag); @p rest is untouched then. */
enum err der_next(struct view *rest, struct der_item *ret_item) MUST_CHECK;
/** The same, and the tag must be @p tag. */
enum err der_expect(struct view *rest, uint8_t tag, struct view *ret_body) MUST_CHECK;
/** Takes the next element only if it has @p tag. @return ERR_PARSE for a malformed one; *ret_found tells. */
enum err der_optional(struct view *rest, uint8_t tag, struct view *ret_body, bool *ret_found) MUST_CHECK;

/** Body of a non-negative minimal INTEGER, its sign byte dropped. @return ERR_PARSE, ERR_LIMIT (over DER_INTEGER_MAX).
 */
enum err der_uint(struct view body, struct view *ret_big_endian) MUST_CHECK;
/** The same as a number. @return ERR_PARSE, ERR_RANGE. */
enum err der_small(struct view body, uint32_t *ret_value) MUST_CHECK;
/** FF or 00 (X.690 11.1). */
enum err der_bool(struct view body, bool *ret_value) MUST_CHECK;
/** Whole bytes of a BIT STRING. @return ERR_PARSE when bits are unused. */
enum err der_bits(struct view body, struct view *ret_bytes) MUST_CHECK;
/** Named bits as der_put_flags takes them. @return ERR_PARSE, ERR_RANGE (bits past the 16th). */
enum err der_flags(struct view body, uint16_t *ret_flags) MUST_CHECK;
/** UTCTime or GeneralizedTime in the form RFC 5280 prescribes (seconds, Z). @return ERR_PARSE, ERR_RANGE. */
enum err der_time(uint8_t tag, struct view body, int64_t *ret_wall_s) MUST_CHECK;

/** Walks everything in @p encoded: every element that may be constructed holds well-formed DER, to DER_DEPTH_MAX.
 * @return ERR_PARSE, ERR_LIMIT. */
enum err der_check(struct view encoded) MUST_CHECK;
