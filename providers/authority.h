/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * authority: who answers for a name in the DNS, read from the answers to SOA and NS questions. Pure, any thread.
 * Sources: RFC 1035 3.3.13 (SOA), RFC 2308 2 (the SOA of an answer without records is that of the name's zone),
 * RFC 2136 4.3 (the primary is the SOA's MNAME).
 */
#include <stdint.h>

#include "base/dnsname.h"
#include "base/err.h"
#include "base/view.h"

#define AUTHORITY_HOSTS_MAX 5 /* the primary and four name servers: one of them answers */
enum { AUTHORITY_TTL_MIN_S = 60, AUTHORITY_TTL_MAX_S = 24 * 60 * 60 };

/** Open value. */
struct authority {
    char zone[DNSNAME_SIZE];                       /* that the name lies in: owner of the SOA */
    char hosts[AUTHORITY_HOSTS_MAX][DNSNAME_SIZE]; /* the primary, then the name servers */
    size_t hosts_len;                              /* 0 = not known */
    uint32_t ttl_s;                                /* of the SOA, between the two bounds */
};

/** Reads the zone of @p name and its primary from @p wire, a whole answer to `name SOA`. @param info one sentence.
 *  @return ERR_PARSE (malformed), ERR_NOTFOUND (no SOA of a zone that @p name lies in, or it names no host), ERR_NOMEM.
 */
enum err authority_read(struct view wire, const char *name, struct authority *ret_authority,
                        struct errinfo *info) MUST_CHECK;
/** Adds the name servers of an answer to `zone NS` that are not in yet; what cannot be read adds none. */
void authority_add_servers(struct authority *authority, struct view wire);
