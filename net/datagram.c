/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bindpath.h"
#include "net/sockaddr.h"

#define READS_PER_TURN 64 /* then the rest of the loop has its turn */

struct datagram {
    struct datagram_options options; /* without bind_device, which was borrowed */
    uint8_t family;
    int fd; /* -1 = none */
    struct loop_poll *poll;
    bool in_callback, freed;
    char buffer[]; /* of options.longest */
};

static void tell_failure(struct datagram *datagram, int errno_value)
{
    if (datagram->options.failed != NULL) {
        datagram->options.failed(datagram->options.context, errno_value);
    }
}

static void hand_over(struct datagram *datagram, size_t len, const struct sockaddr_storage *from)
{
    struct view data = view_n(datagram->buffer, len);
    if (datagram->options.peer.family != IP_NONE) {
        datagram->options.received(datagram->options.context, data);
        return;
    }
    struct ip ip = sockaddr_ip(from);
    datagram->options.received_from(datagram->options.context, data, &ip, sockaddr_port(from));
}

static void drain(struct datagram *datagram)
{
    for (int i = 0; i < READS_PER_TURN && !datagram->freed; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        ssize_t got =
            recvfrom(datagram->fd, datagram->buffer, datagram->options.longest, 0, (struct sockaddr *)&from, &len);
        if (got >= 0) {
            hand_over(datagram, (size_t)got, &from);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            tell_failure(datagram, errno); /* reading it clears it */
        }
    }
}

static void on_ready(void *context, int events)
{
    struct datagram *datagram = context;
    datagram->in_callback = true;
    drain(datagram);
    datagram->in_callback = false;
    if (datagram->freed) {
        free(datagram);
    } else if (events == 0 && loop_poll_events(datagram->poll, LOOP_READABLE) != ERR_OK) {
        datagram->in_callback = true;
        tell_failure(datagram, EIO);
        datagram->in_callback = false;
        if (datagram->freed) {
            free(datagram);
        }
    }
}

static enum err set_flag(int fd, int level, int name)
{
    const int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on)) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err tie(const struct datagram *datagram, const char *bind_device)
{
    const struct datagram_options *options = &datagram->options;
    enum err err = ERR_OK;
    if (options->share_port) {
        err = set_flag(datagram->fd, SOL_SOCKET, SO_REUSEADDR);
    }
    if (err == ERR_OK && datagram->family == IP_V6) {
        err = set_flag(datagram->fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool connected = options->peer.family != IP_NONE; /* without a peer it has its port from the start */
    const struct ip any = {.family = connected ? IP_NONE : datagram->family};
    const struct ip *local = options->local.family != IP_NONE ? &options->local : &any;
    return bindpath(datagram->fd, datagram->family, bind_device, local, options->local_port);
}

static enum err connect_peer(const struct datagram *datagram)
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(&datagram->options.peer, datagram->options.port, &address);
    if (len > 0 && connect(datagram->fd, (const struct sockaddr *)&address, len) != 0) {
        return err_from_errno(errno);
    }
    return ERR_OK;
}

static enum err open_socket(struct loop *loop, struct datagram *datagram, const char *bind_device)
{
    int family = datagram->family == IP_V6 ? AF_INET6 : AF_INET;
    datagram->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (datagram->fd < 0) {
        return err_from_errno(errno);
    }
    enum err err = tie(datagram, bind_device);
    if (err == ERR_OK) {
        err = connect_peer(datagram);
    }
    if (err == ERR_OK) {
        err = loop_poll_new(loop, datagram->fd, on_ready, datagram, &datagram->poll);
    }
    return err == ERR_OK ? loop_poll_events(datagram->poll, LOOP_READABLE) : err;
}

static void release(struct datagram *datagram)
{
    loop_poll_free(TAKE(datagram->poll));
    if (datagram->fd >= 0) {
        (void)close(datagram->fd); /* the descriptor is gone either way */
        datagram->fd = -1;
    }
}

enum err datagram_new(struct loop *loop, const struct datagram_options *options, struct datagram **ret_datagram)
{
    uint8_t family = options->peer.family != IP_NONE ? options->peer.family : options->family;
    if (family == IP_NONE || (options->peer.family != IP_NONE && options->port == 0)) {
        return ERR_INVALID;
    }
    size_t longest = options->longest != 0 ? options->longest : DATAGRAM_MAX;
    struct datagram *datagram = calloc(1, sizeof(*datagram) + longest);
    if (datagram == NULL) {
        return ERR_NOMEM;
    }
    datagram->options = *options;
    datagram->options.longest = longest;
    datagram->options.bind_device = NULL;
    datagram->family = family;
    enum err err = open_socket(loop, datagram, options->bind_device);
    if (err != ERR_OK) { /* no callback is under way yet: nothing to defer to its end */
        release(datagram);
        free(datagram);
        return err;
    }
    *ret_datagram = datagram;
    return ERR_OK;
}

void datagram_free(struct datagram *datagram)
{
    if (datagram == NULL) {
        return;
    }
    release(datagram);
    if (datagram->in_callback) {
        datagram->freed = true;
    } else {
        free(datagram);
    }
}

static enum err send_bytes(const struct datagram *datagram, struct view data, const struct sockaddr_storage *to,
                           socklen_t to_len)
{
    ssize_t sent;
    do {
        sent = sendto(datagram->fd, data.ptr, data.len, MSG_NOSIGNAL, (const struct sockaddr *)to, to_len);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return ERR_OK;
    }
    return errno == EMSGSIZE ? ERR_LIMIT : errno == ENOBUFS ? ERR_AGAIN : err_from_errno(errno);
}

enum err datagram_send(struct datagram *datagram, struct view data)
{
    return send_bytes(datagram, data, NULL, 0);
}

enum err datagram_send_to(struct datagram *datagram, const struct ip *to, uint16_t port, struct view data)
{
    if (to->family != datagram->family) {
        return ERR_INVALID;
    }
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(to, port, &address);
    return send_bytes(datagram, data, &address, len);
}

enum err datagram_join(struct datagram *datagram, const struct ip *group, const char *device)
{
    unsigned index = if_nametoindex(device);
    if (index == 0) {
        return ERR_NOTFOUND;
    }
    struct group_req request = {.gr_interface = index};
    (void)sockaddr_make(group, 0, &request.gr_group); /* a length of 0 is refused by the kernel */
    int level = datagram->family == IP_V6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int rc = setsockopt(datagram->fd, level, MCAST_JOIN_GROUP, &request, sizeof(request));
    return rc == 0 ? ERR_OK : err_from_errno(errno);
}

enum err datagram_local(const struct datagram *datagram, struct ip *ret_ip, uint16_t *ret_port)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);
    if (getsockname(datagram->fd, (struct sockaddr *)&local, &len) != 0) {
        return err_from_errno(errno);
    }
    *ret_ip = sockaddr_ip(&local);
    *ret_port = sockaddr_port(&local);
    return ERR_OK;
}
