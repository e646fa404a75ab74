/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pcpwire: messages of PCP version 2 and of NAT-PMP, as a client that wants to know the router's outside needs them:
 * written, read and put into words. No sockets, no clock of its own. Not here: PEER, options (those of an answer are
 * stepped over), authentication (RFC 7652), port mappings by NAT-PMP.
 * Source: RFC 6887 (7, 8, 11, 14, 19), RFC 6886 (3.1, 3.2, 3.5, 3.6, 9).
 * Threading: pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"

#define PCP_PORT            5351 /* of the router: PCP and NAT-PMP */
#define PCP_ANNOUNCE_PORT   5350 /* of the clients: 224.0.0.1 and ff02::1 */
#define PCP_NONCE_SIZE      12
#define PCP_MAP_SIZE        60   /* a MAP request without options */
#define PCP_MAX             1100 /* longest message (RFC 6887 7) */
#define NATPMP_REQUEST_SIZE 2
#define PCP_LIFETIME_S      120 /* of our mapping: the least that a router should grant (RFC 6887 15) */
#define PCP_PROTOCOL_UDP    17

enum pcp_version { PCP_NATPMP = 0, PCP_V2 = 2 };

/** Result codes that the client acts upon; all have a name in pcp_result_name. */
enum {
    PCP_SUCCESS = 0,
    PCP_UNSUPP_VERSION = 1,
    PCP_NOT_AUTHORIZED = 2,
    PCP_NETWORK_FAILURE = 7,
    NATPMP_NETWORK_FAILURE = 3,
};

/** What is asked for: a UDP port of ours on the router's outside. Open value. */
struct pcp_map {
    uint8_t nonce[PCP_NONCE_SIZE]; /* from crypto_random: an answer without it is not believed */
    struct ip client;              /* the address that we send from */
    uint16_t internal_port;
    uint32_t lifetime_s; /* 0 deletes the mapping */
};

/** What came back. Open value. */
struct pcp_reply {
    enum pcp_version version; /* that was asked for, or that announces */
    uint16_t result;          /* of that version; 0 = success */
    uint32_t epoch;           /* seconds since the router's tables began */
    uint32_t lifetime_s;      /* PCP: of the mapping, or of the error; 0 where there is none */
    uint16_t external_port;
    struct ip external; /* IP_NONE: the message tells none, or an unspecified one */
};

/** A MAP request for UDP with no wish for the outer address and port. @return PCP_MAP_SIZE. */
size_t pcp_write_map(const struct pcp_map *map, uint8_t buffer[static PCP_MAP_SIZE]);
/** NAT-PMP's question for the public address. @return NATPMP_REQUEST_SIZE. */
size_t natpmp_write_request(uint8_t buffer[static NATPMP_REQUEST_SIZE]);

/** A datagram judged as the answer to the MAP request @p map. A refusal of the version (RFC 6887 9; from a router that
 * knows NAT-PMP only, RFC 6886 3.5) counts without a nonce, which such a router cannot repeat: it can make us ask
 * again, never tell an address. @return ERR_OK: see result; ERR_PARSE, ERR_STATE (no answer to this request): leave it
 * and go on waiting. */
enum err pcp_parse_map(struct view datagram, const struct pcp_map *map, struct pcp_reply *ret_reply) MUST_CHECK;
/** The same as the answer to natpmp_write_request; a PCP server may refuse the version here. */
enum err natpmp_parse(struct view datagram, struct pcp_reply *ret_reply) MUST_CHECK;
/** An announcement: PCP's ANNOUNCE (RFC 6887 14.1) or NAT-PMP's address (RFC 6886 3.2.1). @return ERR_PARSE. */
enum err pcp_parse_announcement(struct view datagram, struct pcp_reply *ret_reply) MUST_CHECK;

/** A router's clock as it was last heard. Open value; zeroed = never. */
struct pcp_epoch {
    bool known;
    enum pcp_version version;
    uint32_t server_s;
    uint64_t client_ms; /* of a clock that runs during suspend: the router's does */
};

/** Whether @p server_s goes on from what was heard before: RFC 6887 8.5 for PCP, RFC 6886 3.6 for NAT-PMP. True also
 * where nothing of this version is known. False: the router has lost its mappings, or got another outer address. */
bool pcp_epoch_holds(const struct pcp_epoch *epoch, enum pcp_version version, uint32_t server_s, uint64_t now_ms);
void pcp_epoch_set(struct pcp_epoch *epoch, enum pcp_version version, uint32_t server_s, uint64_t now_ms);

/** "NOT_AUTHORIZED", "NO_RESOURCES", ...; "result 99 of NAT-PMP" is "unknown". Static storage. */
const char *pcp_result_name(enum pcp_version version, uint16_t result);
/** What it means and what a person can do, in one phrase. Static storage. */
const char *pcp_result_remedy(enum pcp_version version, uint16_t result);
/** "PCP", "NAT-PMP". */
const char *pcp_version_name(enum pcp_version version);

/** How long to wait after a send before the next. @param previous_ms what this gave after the send before, 0 = first.
 * @param random any number: RFC 6887 8.1.1 spreads by 10 %. 3 s, doubling, at most 1,024 s. */
uint32_t pcp_wait_ms(uint32_t previous_ms, uint64_t random);
/** The same for NAT-PMP, RFC 6886 3.1: 250 ms, doubling, at most 64 s. */
uint32_t natpmp_wait_ms(uint32_t previous_ms);
