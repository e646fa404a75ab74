/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockaddr.h"

#define READS_PER_TURN 64 /* then the rest of the loop has its turn */

struct datagram {
    struct datagram_options options;
    int fd; /* -1 = none */
    struct loop_poll *poll;
    bool in_callback, freed;
    char buffer[DATAGRAM_MAX];
};

static void tell_failure(struct datagram *datagram, int errno_value)
{
    if (datagram->options.failed != NULL) {
        datagram->options.failed(datagram->options.context, errno_value);
    }
}

static void drain(struct datagram *datagram)
{
    for (int i = 0; i < READS_PER_TURN && !datagram->freed; i++) {
        ssize_t got = recv(datagram->fd, datagram->buffer, sizeof(datagram->buffer), 0);
        if (got >= 0) {
            datagram->options.received(datagram->options.context, view_n(datagram->buffer, (size_t)got));
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

static enum err open_socket(struct loop *loop, struct datagram *datagram)
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(&datagram->options.peer, datagram->options.port, &address);
    datagram->fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (datagram->fd < 0 || connect(datagram->fd, (const struct sockaddr *)&address, len) != 0) {
        return err_from_errno(errno);
    }
    enum err err = loop_poll_new(loop, datagram->fd, on_ready, datagram, &datagram->poll);
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
    if (options->peer.family == IP_NONE || options->port == 0) {
        return ERR_INVALID;
    }
    struct datagram *datagram = calloc(1, sizeof(*datagram));
    if (datagram == NULL) {
        return ERR_NOMEM;
    }
    datagram->options = *options;
    enum err err = open_socket(loop, datagram);
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

enum err datagram_send(struct datagram *datagram, struct view data)
{
    ssize_t sent;
    do {
        sent = send(datagram->fd, data.ptr, data.len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return ERR_OK;
    }
    return errno == EMSGSIZE ? ERR_LIMIT : errno == ENOBUFS ? ERR_AGAIN : err_from_errno(errno);
}
