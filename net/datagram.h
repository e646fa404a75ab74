/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * datagram: a UDP socket for questions and answers (DNS, STUN, port control). With a peer it is connected: the kernel
 * drops datagrams of others and tells network errors. Without one it sends to and hears anybody, and the owner checks
 * who spoke. The kernel picks an unpredictable source port. Matching answers and time-outs are the owner's.
 * Threading: loop thread.
 */
#include <stdbool.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/loop.h"

#define DATAGRAM_MAX 65535

struct datagram;

struct datagram_options {
    struct ip peer; /* IP_NONE: not connected, of `family` */
    uint16_t port;  /* the peer's; more than 0 with a peer */
    uint8_t family; /* without a peer: IP_V4 or IP_V6 (then IPv6 only) */
    /* The way out, as net/bindpath.h tells. */
    const char *bind_device; /* borrowed for the call; NULL or "" = whatever the routing table takes */
    struct ip local;         /* IP_NONE = the kernel's choice */
    uint16_t local_port;     /* 0 = unpredictable */
    size_t longest;          /* bytes of a datagram that are handed over, the rest is cut; 0 = DATAGRAM_MAX */
    bool share_port;         /* others of this machine listen on local_port too (SO_REUSEADDR: multicast) */
    /** One datagram of the peer, borrowed for the call. Needed with a peer. */
    void (*received)(void *context, struct view data);
    /** One datagram and who sent it. Needed without a peer, else unused. */
    void (*received_from)(void *context, struct view data, const struct ip *from, uint16_t port);
    /** An error the network told (port unreachable and the like, @p errno_value); the socket lives on. NULL allowed. */
    void (*failed)(void *context, int errno_value);
    void *context;
};

/** @param options copied. @return ERR_INVALID (port 0, neither peer nor family), ERR_NOMEM, ERR_IO (no route), and the
 *  errors of bindpath. */
enum err datagram_new(struct loop *loop, const struct datagram_options *options,
                      struct datagram **ret_datagram) MUST_CHECK;
/** NULL allowed; also inside its own callbacks. */
void datagram_free(struct datagram *datagram);
/** To the peer. @return ERR_LIMIT (too long), ERR_AGAIN (the kernel's queue is full: lost, as UDP may), ERR_IO,
 * ERR_DENIED. */
enum err datagram_send(struct datagram *datagram, struct view data) MUST_CHECK;
/** To anybody of the socket's family; only without a peer. @return as datagram_send, ERR_INVALID (another family). */
enum err datagram_send_to(struct datagram *datagram, const struct ip *to, uint16_t port, struct view data) MUST_CHECK;
/** Hears a multicast group of its family on the interface @p device too. @return ERR_NOTFOUND (no such interface),
 *  ERR_IO. */
enum err datagram_join(struct datagram *datagram, const struct ip *group, const char *device) MUST_CHECK;
/** Our own address (unspecified as long as neither a peer nor `local` decided) and port. @return ERR_IO. */
enum err datagram_local(const struct datagram *datagram, struct ip *ret_ip, uint16_t *ret_port) MUST_CHECK;
