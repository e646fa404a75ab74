/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnsecho: services that answer a DNS question with the address of the asker: what to ask whom, and what an answer is
 * worth. Sockets and time are source_dns.c's. Threading: pure, any thread; static tables.
 *
 * Whoever sits on the path can answer in a server's place, and routers, captive portals and providers do. What such an
 * answer gives away, and what is refused for it: another question than the one asked; no authority where the service
 * is the authority of its name (RFC 1035 4.1.1 AA: a resolver in between has looked it up for itself, and the address
 * is the resolver's); an address that is not public, which no server out there can have seen; and an answer to a name
 * that cannot exist (RFC 6761 6.4, `.invalid`), for which each question is followed by a second one.
 *
 * Sources: Google and Cloudflare as their servers answer (read 2026-11-22: Google's name servers set AA and answer over
 * IPv6 with the IPv6 address); OpenDNS's resolvers and their addresses as OpenDNS publishes them; Akamai's
 * developer blog, "Introducing a New whoami Tool" (2018-05-09): whoami.akamai.net has A records only.
 */
#include "agent/detect/source.h"
#include "net/dnsquery.h"

#define DNSECHO_SERVERS_MAX 2

/** Open value. A service of the table or one that the config describes. */
struct dnsecho {
    const char *name;
    /** host:port to ask, by family, in this order; NULL after the last. */
    const char *servers4[DNSECHO_SERVERS_MAX], *servers6[DNSECHO_SERVERS_MAX];
    const char *query;
    uint16_t type;      /* 0: A over IPv4, AAAA over IPv6 */
    uint16_t rrclass;   /* DNS_CLASS_ */
    bool authoritative; /* its servers are the authority of the name: AA is required, recursion not asked for */
};

/** NULL = unknown. */
const struct dnsecho *dnsecho_find(const char *name);
/** Names of all for an error's text: "opendns, google, ...". */
#define DNSECHO_NAMES "opendns, google, cloudflare, akamai"

/** What the config describes: the service of the name, or the query and rrtype as they are, of an authoritative server
 *  in class IN; the config's server, if any, instead of the service's own. Borrows from @p config.
 *  @return ERR_INVALID with the row and the remedy in @p info. */
enum err dnsecho_of_config(const struct source_config *config, struct dnsecho *ret_echo,
                           struct errinfo *info) MUST_CHECK;

/** The question for one family. @return ERR_UNSUPPORTED: the service does not tell this family. */
enum err dnsecho_query(const struct dnsecho *echo, uint8_t family, const uint8_t random[static DNSQUERY_RANDOM_LEN],
                       struct dnsquery *ret_query) MUST_CHECK;
/** The second question, for a name that cannot exist. */
void dnsecho_canary(const uint8_t random[static DNSQUERY_RANDOM_LEN], struct dnsquery *ret_query);

enum dnsecho_verdict {
    DNSECHO_IGNORE,  /* no answer to this question: go on waiting */
    DNSECHO_BY_TCP,  /* cut off, or in another case: ask again where nobody can guess */
    DNSECHO_ADDRESS, /* ret_answer tells */
    DNSECHO_FAILED,  /* ret_answer tells why */
};

/** Judges what came from @p server. @param tcp it came by TCP. @param ret_answer status, ip and detail are written for
 *  ADDRESS and FAILED. */
enum dnsecho_verdict dnsecho_judge(const struct dnsecho *echo, const struct dnsquery *query, struct view message,
                                   bool tcp, uint8_t family, const char *server, struct source_answer *ret_answer);
/** Judges what came for dnsecho_canary's name: IGNORE, FAILED (somebody answers for everything), else ADDRESS: nothing
 *  speaks against the answer before. */
enum dnsecho_verdict dnsecho_judge_canary(const struct dnsquery *query, struct view message, const char *server,
                                          struct source_answer *ret_answer);
