/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * stun: messages of the STUN binding method, written and read, for the agent's source and the coordinator's whoami. No
 * sockets, no clock, no retransmission timer: who asks owns those (stun_wait_ms is the schedule). Not here: TURN, ICE,
 * credentials (MESSAGE-INTEGRITY is stepped over, since nobody shares a password with a server that tells an address),
 * and TCP framing.
 * Source: RFC 8489 (5 to 7, 14); RFC 3489 11.2 for what servers from before the magic cookie put into an answer.
 * Threading: pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"

#define STUN_PORT        3478 /* RFC 8489 9 */
#define STUN_ID_SIZE     12
#define STUN_HEADER_SIZE 20
#define STUN_BINDING     0x001
/** Longest message that this module writes: the header, an IPv6 address (or an error of STUN_UNKNOWN_MAX attributes)
 * and a fingerprint. */
#define STUN_WRITE_MAX   60
#define STUN_UNKNOWN_MAX 8 /* attributes that one error names; those after them are refused all the same */
/** A room for one message off the wire: an answer may not be longer than the IPv6 minimum MTU (RFC 8489 6.1). */
#define STUN_READ_MAX 1280

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

/** Open value: one message as it was read. Views are borrowed from the datagram. */
struct stun_message {
    enum stun_class msg_class;
    uint16_t method; /* 12 bits; STUN_BINDING */
    uint8_t id[STUN_ID_SIZE];
    struct ip mapped;     /* XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS; any class of address; IP_NONE = neither */
    uint16_t mapped_port; /* host order */
    bool plain;           /* mapped is from MAPPED-ADDRESS, which some NAT routers rewrite on the way */
    uint16_t error_code;  /* 300 to 699; 0 = none */
    struct view reason;   /* of the error, any bytes: escape before printing */
    bool fingerprint;     /* one is there, and right */
    uint16_t unknown[STUN_UNKNOWN_MAX]; /* attributes that must be understood and are not, each once */
    unsigned unknown_len;
};

/** One datagram as one message. Optional attributes (0x8000 and up) are stepped over, and so is all between
 * MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 14.5). Unknown required ones are listed, not judged.
 * @return ERR_PARSE: no STUN message with the magic cookie, a length that does not hold, a known attribute that is
 * malformed, a fingerprint that is wrong or not at the end. */
enum err stun_parse(struct view datagram, struct stun_message *ret_message) MUST_CHECK;

/** A datagram that came back, judged as the answer to the binding request @p id.
 * @return ERR_OK: ret_message->mapped is the address; ERR_PARSE, ERR_STATE (no answer to this request: another id,
 * method or class): leave it and go on waiting, anybody can send such; ERR_INVALID (success without an address),
 * ERR_UNSUPPORTED (needs attributes that we do not know: RFC 8489 6.3.3), ERR_DENIED (an error answer: error_code,
 * reason): the transaction has failed. ret_message is written for all but ERR_PARSE and ERR_STATE. */
enum err stun_answer_parse(struct view datagram, const uint8_t id[static STUN_ID_SIZE],
                           struct stun_message *ret_message) MUST_CHECK;

/** A binding request without attributes: STUN_HEADER_SIZE bytes. @param id from crypto_random (RFC 8489 5).
 * @return bytes written. */
size_t stun_write_request(const uint8_t id[static STUN_ID_SIZE], uint8_t buffer[static STUN_WRITE_MAX]);

/** What a server answers to @p request that came from @p peer: XOR-MAPPED-ADDRESS, or error 420 where it has unknown
 * required attributes; with a fingerprint if the request had one. Nothing (0) to anything but a binding request.
 * Never more than 2.2 times the bytes of the request (20 to 44 for IPv6 is the worst), which is why there is neither a
 * SOFTWARE attribute nor a reason phrase. @param peer with IPv4-mapped ones unmapped. @return bytes written. */
size_t stun_write_answer(const struct stun_message *request, const struct ip *peer, uint16_t peer_port,
                         uint8_t buffer[static STUN_WRITE_MAX]);

#define STUN_SENDS 7 /* RFC 8489 6.2.1: Rc */
/** How long to wait after the @p sent-th send (1 to STUN_SENDS) before the next, or before giving up: 500 ms doubling,
 * and 16 times 500 ms after the last (RFC 8489 6.2.1). In total 39.5 s: cut by the owner's own deadline. */
uint32_t stun_wait_ms(unsigned sent);
