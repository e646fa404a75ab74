/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * whoami: tells whoever asks which address he comes from, so that a fleet needs no third party for that: STUN binding
 * requests over UDP (RFC 8489), and GET /whoami over HTTPS on a listener of its own. Off unless configured.
 *
 * Strangers ask here. A STUN answer has at most 2.2 times the bytes of the question, since the source of a datagram can
 * be invented and the answer goes there; anything but a binding request gets none. What one network and all together
 * may ask is limited (coordinator/netlimit.h), over HTTPS before the handshake, by tables of their own, so that
 * invented datagrams lock nobody out of HTTPS. Source of the address: the socket's peer; no header is believed, so
 * there must be no proxy in front. Threading: loop thread.
 */
#include "coordinator/config.h"
#include "net/loop.h"

struct whoami;

/** Over one of the two ways. */
struct whoami_count {
    uint64_t asked;    /* binding requests; connections */
    uint64_t answered; /* the address was told */
    uint64_t limited;  /* the network asked too much */
    uint64_t overload; /* all together did */
};

struct whoami_stats {
    struct whoami_count stun, https;
    uint64_t stun_malformed; /* no STUN, or a damaged message, or too long for one: no answer */
    uint64_t stun_method;    /* STUN, but no binding request: no answer */
    uint64_t stun_attribute; /* answered with error 420 */
    uint64_t stun_unsent;    /* answers that the kernel did not take */
};

/** Opens what the config lists. @param config borrowed for the call. @return as udpserver_new and httpd_new, ERR_LIMIT
 * (certificate or key file over WHOAMI_PEM_MAX), with info. */
enum err whoami_new(struct loop *loop, const struct coordinator_config *config, struct whoami **ret_whoami,
                    struct errinfo *info) MUST_CHECK;
void whoami_free(struct whoami *whoami); /* NULL allowed */
/** Takes over rate and burst, and certificate and key as the files have them now: nobody is refused meanwhile, and what
 * is under way is cut off. Addresses stay as they are. @return as whoami_new: nothing has changed then. Blocks on the
 * disk.
 */
enum err whoami_reload(struct whoami *whoami, const struct coordinator_config *config, struct errinfo *info) MUST_CHECK;
void whoami_stats(const struct whoami *whoami, struct whoami_stats *ret_stats);

/** What is answered to one datagram: no sockets, the clock is handed in. @param peer unmapped. @param reply room for
 * STUN_WRITE_MAX bytes. @return bytes of the answer, 0 = none. */
size_t whoami_answer_stun(struct whoami *whoami, const struct ip *peer, uint16_t peer_port, struct view datagram,
                          uint64_t now_ms, uint8_t *reply);
