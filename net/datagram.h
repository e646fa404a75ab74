/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * datagram: a UDP socket connected to one peer, for questions and answers (DNS over UDP, STUN). The kernel picks an
 * unpredictable source port and drops datagrams of others. Matching answers and time-outs are the owner's.
 * Threading: loop thread.
 */
#include "base/ip.h"
#include "base/view.h"
#include "net/loop.h"

#define DATAGRAM_MAX 65535

struct datagram;

struct datagram_options {
    struct ip peer;
    uint16_t port;
    /** One datagram, borrowed for the call. */
    void (*received)(void *context, struct view data);
    /** An error the network told (port unreachable and the like, @p errno_value); the socket lives on. NULL allowed. */
    void (*failed)(void *context, int errno_value);
    void *context;
};

/** @param options copied. @return ERR_INVALID (no peer, port 0), ERR_NOMEM, ERR_IO (no route). */
enum err datagram_new(struct loop *loop, const struct datagram_options *options,
                      struct datagram **ret_datagram) MUST_CHECK;
/** NULL allowed; also inside its own callbacks. */
void datagram_free(struct datagram *datagram);
/** @return ERR_LIMIT (too long), ERR_AGAIN (the kernel's queue is full: lost, as UDP may), ERR_IO, ERR_DENIED. */
enum err datagram_send(struct datagram *datagram, struct view data) MUST_CHECK;
