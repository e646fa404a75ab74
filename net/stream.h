/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * stream: one outgoing TCP connection on the loop. Names are resolved on libuv's pool, addresses are tried in turn
 * (IPv4 and IPv6 interleaved, in the resolver's order), all within one deadline. What was written is sent in order;
 * what arrives is gathered in a buffer that the owner consumes from the front. A layer may stand between the stream and
 * its socket: TLS (net/tls.h). No reconnect: the owner makes a new stream. Threading: loop thread. Nothing here blocks.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/loop.h"

struct stream;

enum stream_close {
    STREAM_CLOSE_PEER,    /* orderly end by the peer */
    STREAM_CLOSE_RESOLVE, /* the name has no address */
    STREAM_CLOSE_CONNECT, /* no address could be connected, its layer's handshake included; the last one's error is told
                           */
    STREAM_CLOSE_TIMEOUT, /* the connect deadline passed */
    STREAM_CLOSE_IO,      /* reset, unreachable, unacknowledged for user_timeout_ms */
    STREAM_CLOSE_LIMIT,   /* the read buffer is full and the owner consumed nothing of it */
};

/** What stands between a stream and its socket, on the socket's own descriptor; a stream has no more than one. Each
 * call that cannot go on answers ERR_AGAIN and for what to wait (LOOP_READABLE or LOOP_WRITABLE); a failure is final,
 * and
 *  @p info says what it was. */
struct stream_layer {
    /** For the connected, non-blocking @p fd, which stays the stream's. @param context stream_options.layer_context.
     *  @param host the stream's. @return ERR_NOMEM, ERR_INVALID. */
    enum err (*open)(void *context, int fd, const char *host, void **ret_layer);
    void (*free)(void *layer); /* the descriptor is open still */
    /** Until it is ERR_OK nothing else is called. */
    enum err (*handshake)(void *layer, int *ret_events, struct errinfo *info);
    enum err (*send)(void *layer, struct view data, size_t *ret_sent, int *ret_events, struct errinfo *info);
    /** @return ERR_CLOSED too: orderly end. */
    enum err (*recv)(void *layer, char *buffer, size_t room, size_t *ret_got, int *ret_events, struct errinfo *info);
};

struct stream_options {
    const char *host; /* address or name, no brackets; borrowed for the call */
    uint16_t port;
    uint32_t connect_ms; /* deadline of resolving and connecting together; 0 = 10,000 */
    uint32_t
        user_timeout_ms;  /* TCP_USER_TIMEOUT: sent data unacknowledged for so long is a lost connection; 0 = 30,000 */
    uint32_t keepalive_s; /* idle time before keep-alive probes; 0 = 30 */
    /* The way out, as net/bindpath.h tells: addresses of another family than local's are left out. */
    const char *bind_device;          /* borrowed for the call; NULL or "" = whatever the routing table takes */
    struct ip local;                  /* IP_NONE = the kernel's choice */
    const struct stream_layer *layer; /* NULL = none */
    void *layer_context;              /* borrowed: outlives the stream */
    size_t read_max;                  /* most bytes buffered for the owner; 0 = 128 KiB */
    size_t write_max;                 /* most bytes waiting to be sent; 0 = 4 MiB */

    void (*connected)(void *context);
    /** @p data is all that is buffered, borrowed for the call. @return how many bytes of its front were consumed; the
     *  rest comes again, with more behind it. */
    size_t (*read)(void *context, struct view data);
    /** Everything written has been handed to the kernel; NULL allowed. Only after a write that had to wait. */
    void (*drained)(void *context);
    /** Last call, at most once, never from inside stream_new, stream_write or stream_free. @p info: layer "tcp", "tls"
     * or "dns", errno or resolver code, text. The owner still frees the stream (here, if it likes). */
    void (*closed)(void *context, enum stream_close why, const struct errinfo *info);
    void *context;
};

/** Begins to resolve and connect. @param options copied, its host too. @return ERR_NOMEM, ERR_INVALID (empty or over
 * 253 bytes of host, port 0, no interface's name). A failure to connect comes through `closed`. */
enum err stream_new(struct loop *loop, const struct stream_options *options, struct stream **ret_stream) MUST_CHECK;
/** Closes at once; what was not sent is dropped, no more calls follow. NULL allowed; also inside its own callbacks. */
void stream_free(struct stream *stream);

/** Appends to what is to be sent; copied. Allowed before `connected`. @return ERR_LIMIT (write_max: back-pressure,
 * nothing of it was taken), ERR_NOMEM, ERR_CLOSED. */
enum err stream_write(struct stream *stream, struct view data) MUST_CHECK;

/** Appends @p message behind its length in two bytes (RFC 1035 4.2.2). @return as stream_write, ERR_RANGE over 65,535
 * bytes. */
enum err stream_write_framed(struct stream *stream, struct view message) MUST_CHECK;

/** The next whole message framed with two bytes of length at the front of @p data (for the read callback): takes it off
 * @p data. False when it is not all there yet. Pure. */
bool stream_next_framed(struct view *data, struct view *ret_message);

size_t stream_pending(const struct stream *stream); /* bytes written and not yet with the kernel */
bool stream_is_connected(const struct stream *stream);
/** The address in use, or tried last; IP_NONE before the first try. */
struct ip stream_peer(const struct stream *stream);
/** Our own address and port of the connection. @return ERR_STATE before `connected`. */
enum err stream_local(const struct stream *stream, struct ip *ret_ip, uint16_t *ret_port) MUST_CHECK;
