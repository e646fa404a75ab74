/* SPDX-License-Identifier: Apache-2.0 */
#include "net/udpserver.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_uv.h"
#include "net/sockaddr.h"

#define BATCHES_PER_TURN 2 /* then the rest of the loop has its turn, */
#define PAUSE_MS         2 /* for so long: a flood above 32,000 a second is dropped by the kernel, which is cheap */

#define CONTROL_SIZE                                                                                                   \
    CMSG_SPACE(sizeof(struct in6_pktinfo)) /* one such message comes: this, or IPv4's, which is smaller */

/* One datagram and its answer. */
struct slot {
    struct sockaddr_storage peer;
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct iovec in, out;
    char request[UDPSERVER_REQUEST_MAX];
    uint8_t reply[UDPSERVER_REPLY_MAX];
};

struct udpserver {
    struct udpserver_options options;
    int fd; /* -1 = none */
    uint16_t port;
    struct loop_poll *poll;
    struct loop_timer *resume; /* armed while the watch pauses */
    struct udpserver_stats stats;
    struct mmsghdr requests[UDPSERVER_BATCH], replies[UDPSERVER_BATCH];
    struct slot slots[UDPSERVER_BATCH];
};

static void offer_slots(struct udpserver *server)
{
    for (size_t i = 0; i < UDPSERVER_BATCH; i++) {
        struct slot *slot = &server->slots[i];
        slot->in = (struct iovec){slot->request, sizeof(slot->request)};
        server->requests[i].msg_hdr = (struct msghdr){.msg_name = &slot->peer,
                                                      .msg_namelen = sizeof(slot->peer),
                                                      .msg_iov = &slot->in,
                                                      .msg_iovlen = 1,
                                                      .msg_control = slot->control,
                                                      .msg_controllen = sizeof(slot->control)};
    }
}

/** The kernel told which address was asked; the same message makes it the source of the answer. The interface is left
 * to the routing table, but where the address means nothing without it. */
static void answer_from_where_asked(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            info.ipi_ifindex = 0; /* ipi_spec_dst is what counts for sending */
            memcpy(CMSG_DATA(c), &info, sizeof(info));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            info.ipi6_ifindex = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
            memcpy(CMSG_DATA(c), &info, sizeof(info));
        }
    }
}

/** @return whether there is something to send. */
static bool answer_one(struct udpserver *server, struct slot *slot, const struct mmsghdr *request,
                       struct mmsghdr *ret_reply)
{
    if ((request->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        server->stats.oversized++;
        return false;
    }
    struct ip peer = ip_unmap(sockaddr_ip(&slot->peer));
    uint16_t port = sockaddr_port(&slot->peer);
    server->stats.received++;
    server->stats.bytes_received += request->msg_len;
    if (peer.family == IP_NONE || port == 0) {
        return false; /* nobody can be reached there */
    }
    size_t len = server->options.answer(server->options.context, &peer, port, view_n(slot->request, request->msg_len),
                                        slot->reply);
    assert(len <= sizeof(slot->reply));
    slot->out = (struct iovec){slot->reply, len};
    *ret_reply = *request;
    ret_reply->msg_hdr.msg_iov = &slot->out;
    ret_reply->msg_hdr.msg_flags = 0;
    answer_from_where_asked(&ret_reply->msg_hdr);
    return len > 0;
}

static void send_replies(struct udpserver *server, unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        int sent = sendmmsg(server->fd, &server->replies[at], count - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) { /* the first of them cannot go: who asked asks again */
            server->stats.unsent++;
            at++;
            continue;
        }
        for (int i = 0; i < sent; i++) {
            server->stats.bytes_sent += server->replies[at + (unsigned)i].msg_len;
        }
        server->stats.sent += (uint64_t)sent;
        at += (unsigned)sent;
    }
}

/** @return whether the socket may hold more. */
static bool serve_batch(struct udpserver *server)
{
    offer_slots(server);
    int got = recvmmsg(server->fd, server->requests, UDPSERVER_BATCH, MSG_DONTWAIT, NULL);
    if (got <= 0) {
        return got < 0 && errno == EINTR; /* an error of the socket is cleared by reading it */
    }
    unsigned count = 0;
    for (int i = 0; i < got; i++) {
        if (answer_one(server, &server->slots[i], &server->requests[i], &server->replies[count])) {
            count++;
        }
    }
    send_replies(server, count);
    return got == UDPSERVER_BATCH;
}

static void on_ready(void *context, int events)
{
    struct udpserver *server = context;
    bool more = true;
    for (int i = 0; i < BATCHES_PER_TURN && more; i++) {
        more = serve_batch(server);
    }
    if (more && loop_poll_events(server->poll, 0) == ERR_OK) {
        loop_timer_after(server->resume, PAUSE_MS);
    } else if (events == 0) { /* the watch paused at an error, which was read just now */
        loop_timer_after(server->resume, 0);
    }
}

static void on_resume(void *context)
{
    struct udpserver *server = context;
    if (loop_poll_events(server->poll, LOOP_READABLE) != ERR_OK) {
        loop_timer_after(server->resume, PAUSE_MS);
    }
}

static enum err fail(struct errinfo *info, int errno_value, const struct ip *ip, uint16_t port)
{
    char address[IP_TEXT_SIZE], text[128];
    enum err err = errno_value == EADDRINUSE                               ? ERR_EXISTS
                   : errno_value == EADDRNOTAVAIL || errno_value == EINVAL ? ERR_INVALID
                                                                           : err_from_errno(errno_value);
    (void)ip_format(ip, address); /* its length is of no interest */
    return errinfo_set(info, err, "udp", errno_value, "cannot listen on %s port %u: %s", address, port,
                       uv_strerror_r(-errno_value, text, sizeof(text)));
}

/** IPv4 datagrams of a socket of both families come with IPV6_PKTINFO and a mapped address, and go the same way. */
static int ask_for_destination(int fd, int family)
{
    int on = 1, off = 0;
    if (family == AF_INET) {
        return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    }
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0
               ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
               : -1;
}

static enum err open_socket(struct udpserver *server, struct errinfo *info)
{
    struct sockaddr_storage address;
    const struct ip *ip = &server->options.ip;
    socklen_t len = sockaddr_make(ip, server->options.port, &address);
    if (len == 0) {
        return errinfo_set(info, ERR_INVALID, "udp", 0, "no address to listen on");
    }
    server->fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || ask_for_destination(server->fd, address.ss_family) != 0 ||
        bind(server->fd, (const struct sockaddr *)&address, len) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0) {
        return fail(info, errno, ip, server->options.port);
    }
    server->port = sockaddr_port(&address);
    return ERR_OK;
}

enum err udpserver_new(struct loop *loop, const struct udpserver_options *options, struct udpserver **ret_server,
                       struct errinfo *info)
{
    struct udpserver *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return errinfo_set(info, ERR_NOMEM, "udp", 0, "out of memory");
    }
    server->options = *options;
    server->fd = -1;
    enum err err = open_socket(server, info);
    if (err == ERR_OK) {
        err = loop_timer_new(loop, on_resume, server, &server->resume);
        if (err == ERR_OK) {
            err = loop_poll_new(loop, server->fd, on_ready, server, &server->poll);
        }
        if (err == ERR_OK) {
            err = loop_poll_events(server->poll, LOOP_READABLE);
        }
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "udp", 0, "cannot watch the socket"); /* returned below */
        }
    }
    if (err != ERR_OK) {
        udpserver_free(server);
        return err;
    }
    *ret_server = server;
    return ERR_OK;
}

void udpserver_free(struct udpserver *server)
{
    if (server == NULL) {
        return;
    }
    loop_timer_free(server->resume);
    loop_poll_free(server->poll);
    if (server->fd >= 0) {
        (void)close(server->fd); /* the descriptor is gone either way */
    }
    free(server);
}

uint16_t udpserver_port(const struct udpserver *server)
{
    return server->port;
}

void udpserver_stats(const struct udpserver *server, struct udpserver_stats *ret_stats)
{
    *ret_stats = server->stats;
}
