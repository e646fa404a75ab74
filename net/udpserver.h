/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * udpserver: a UDP socket that answers whoever asks, at once: datagrams are read and answers written in batches of
 * UDPSERVER_BATCH, each answer from the address that was asked. Nothing is remembered of a peer. After
 * two full batches it pauses for 2 ms, so that a flood costs no more than 32,000 datagrams a second; the kernel drops
 * what its buffer does not hold. Threading: loop thread. Never logs.
 */
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/loop.h"

#define UDPSERVER_BATCH       32
#define UDPSERVER_REQUEST_MAX 1500 /* what is longer is dropped and counted */
#define UDPSERVER_REPLY_MAX   128

struct udpserver;

struct udpserver_options {
    struct ip ip;  /* where to listen; "::" takes IPv4 too */
    uint16_t port; /* 0 = any free one, see udpserver_port */
    /** One datagram, borrowed for the call. @param peer IPv4-mapped ones unmapped. @param reply room for
     * UDPSERVER_REPLY_MAX bytes. @return bytes of the answer, 0 = none. Must not free the server. */
    size_t (*answer)(void *context, const struct ip *peer, uint16_t peer_port, struct view data, uint8_t *reply);
    void *context;
};

struct udpserver_stats {
    uint64_t received;  /* handed to answer */
    uint64_t oversized; /* longer than UDPSERVER_REQUEST_MAX */
    uint64_t sent;
    uint64_t unsent; /* the kernel did not take the answer: its queue is full, or there is no way back */
    uint64_t bytes_received, bytes_sent; /* of what was received and sent, without headers */
};

/** @param options copied. @return ERR_EXISTS (port in use), ERR_DENIED, ERR_INVALID (no such address here), ERR_IO,
 * ERR_NOMEM, with info (layer "udp"). */
enum err udpserver_new(struct loop *loop, const struct udpserver_options *options, struct udpserver **ret_server,
                       struct errinfo *info) MUST_CHECK;
void udpserver_free(struct udpserver *server); /* NULL allowed; not from inside answer */
uint16_t udpserver_port(const struct udpserver *server);
void udpserver_stats(const struct udpserver *server, struct udpserver_stats *ret_stats);
