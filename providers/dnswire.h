/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnswire: writes DNS queries and UPDATE messages (RFC 1035 4, RFC 2136 2) straight into a buffer: the hot path, where
 * a message of 1,000 changes must cost well under a millisecond. Names are canonical text (base/dnsname.h); the zone
 * name and each owner are compressed by pointers. Signing and reading are providers/dnsmsg.h. Stateless, any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "providers/rrset.h"

enum { DNSWIRE_TYPE_SOA = 6, DNSWIRE_TYPE_TXT = 16, DNSWIRE_TYPE_AXFR = 252 };

/** Open value. The first overflow sticks: check dnswire_error once at the end. */
struct dnswire {
    uint8_t *data;      /* borrowed, size bytes */
    size_t size, len;   /* bytes */
    struct view zone;   /* borrowed: name at offset 12, target of the pointers */
    uint16_t counts[3]; /* of the section being written: prerequisite, update, additional */
    bool overflow;
};

void dnswire_query(struct dnswire *wire, uint8_t *data, size_t size, uint16_t id, struct view name, uint16_t type);

/** Starts an UPDATE of @p zone; then all prerequisites, then all updates, then dnswire_finish. */
void dnswire_update(struct dnswire *wire, uint8_t *data, size_t size, uint16_t id, struct view zone);
/** RFC 2136 2.4.2 "RRset exists (value dependent)" for addresses; all of @p value. */
void dnswire_require_value(struct dnswire *wire, struct view name, enum rrtype type, const struct rrset_value *value);
/** RFC 2136 2.4.3 "RRset does not exist". */
void dnswire_require_absent(struct dnswire *wire, struct view name, uint16_t type);
/** RFC 2136 2.4.2 for one TXT of one string (at most 255 bytes). */
void dnswire_require_txt(struct dnswire *wire, struct view name, struct view text);
/** RFC 2136 2.5.2 "delete an RRset" and 2.5.1 "add" of each address, in this order. */
void dnswire_replace(struct dnswire *wire, struct view name, enum rrtype type, uint32_t ttl,
                     const struct rrset_value *value);
void dnswire_replace_txt(struct dnswire *wire, struct view name, uint32_t ttl, struct view text);
/** Writes the counts. @return ERR_LIMIT when something did not fit. */
enum err dnswire_finish(struct dnswire *wire) MUST_CHECK;

/** Upper bound of the bytes that one change takes: the replacement by @p want_len values, @p absent_len prerequisites
 * that an RRset does not exist and one of @p have_len values. */
size_t dnswire_change_size(size_t name_len, enum rrtype type, size_t want_len, size_t absent_len, size_t have_len);
