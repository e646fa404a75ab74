/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/loop_uv.h"

#define RCVBUF_DEFAULT    (256 * 1024)
#define RECEIVE_SIZE      (32 * 1024) /* the kernel fills no larger piece of a dump */
#define RECEIVES_PER_TURN 64          /* then the rest of the loop has its turn */
#define NAMES_MAX         1024        /* interfaces whose names are remembered */
#define REDUMP_MS         50 /* pause before dumping again, so that a storm of events is not answered by one of dumps */
#define DUMP_LIMIT_MS     10000 /* a dump whose end got lost is begun again */

struct name {
    uint32_t ifindex;
    char text[RT_IFNAME_SIZE];
};

/* The dumps of one resync, in this order. */
static const struct {
    uint16_t type;
    uint8_t family;
} DUMPS[] = {{RTM_GETLINK, AF_UNSPEC}, {RTM_GETADDR, AF_UNSPEC}, {RTM_GETROUTE, AF_INET}, {RTM_GETROUTE, AF_INET6}};

struct netlink {
    struct netlink_options options;
    struct mnl_socket *socket;
    struct loop_poll *poll;
    struct loop_timer *timer; /* begins the (next) resync, or gives a dump up */
    size_t dump;              /* of DUMPS under way; ARRAY_LEN(DUMPS) = none */
    uint32_t sequence;        /* of the dump under way; 0 = none */
    bool restarting;          /* the timer is armed for a resync */
    bool interrupted;         /* NLM_F_DUMP_INTR was seen: this picture is not to be trusted */
    struct name *names;       /* owned; sorted by nothing: hosts have few */
    size_t names_len, names_size;
    struct netlink_stats stats;
    bool in_callback, freed, dead;
    _Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];
};

static void enter(struct netlink *netlink)
{
    netlink->in_callback = true;
}

static void leave(struct netlink *netlink)
{
    netlink->in_callback = false;
    if (netlink->freed) {
        free(netlink);
    }
}

static bool is_over(const struct netlink *netlink)
{
    return netlink->freed || netlink->dead;
}

static void release(struct netlink *netlink)
{
    loop_poll_free(TAKE(netlink->poll));
    loop_timer_free(TAKE(netlink->timer));
    if (netlink->socket != NULL) {
        (void)mnl_socket_close(TAKE(netlink->socket)); /* the descriptor is gone either way */
    }
    free(TAKE(netlink->names));
    netlink->names_len = 0;
}

static void die(struct netlink *netlink, int errno_value, const char *doing)
{
    struct errinfo info = {0};
    char text[128];
    (void)errinfo_set(&info, err_from_errno(errno_value), "netlink", errno_value, "%s: %s", doing,
                      uv_strerror_r(-errno_value, text, sizeof(text)));
    release(netlink);
    netlink->dead = true;
    netlink->options.failed(netlink->options.context, &info);
}

static struct name *find_name(struct netlink *netlink, uint32_t ifindex)
{
    for (size_t i = 0; i < netlink->names_len; i++) {
        if (netlink->names[i].ifindex == ifindex) {
            return &netlink->names[i];
        }
    }
    return NULL;
}

/* A name that finds no room is told as "": the index still says which link it is. */
static void remember_name(struct netlink *netlink, const struct rt_event *event)
{
    struct name *name = find_name(netlink, event->ifindex);
    if (event->removed) {
        if (name != NULL) {
            *name = netlink->names[--netlink->names_len];
        }
        return;
    }
    if (name == NULL && netlink->names_len == netlink->names_size) {
        size_t size = netlink->names_size == 0 ? 16 : netlink->names_size * 2;
        struct name *names = size <= NAMES_MAX ? realloc(netlink->names, size * sizeof(*names)) : NULL;
        if (names == NULL) {
            return;
        }
        netlink->names = names;
        netlink->names_size = size;
    }
    if (name == NULL) {
        name = &netlink->names[netlink->names_len++];
    }
    name->ifindex = event->ifindex;
    memcpy(name->text, event->ifname, sizeof(name->text));
}

static void deliver(struct netlink *netlink, const struct nlmsghdr *header)
{
    struct rt_event event;
    if (rt_parse(header, header->nlmsg_len, &event) != ERR_OK) {
        netlink->stats.malformed++;
        return;
    }
    if (event.what == RT_OTHER) {
        return;
    }
    if (event.what == RT_LINK) {
        remember_name(netlink, &event);
    } else {
        const struct name *name = find_name(netlink, event.ifindex);
        if (name != NULL) {
            memcpy(event.ifname, name->text, sizeof(event.ifname));
        }
    }
    netlink->options.event(netlink->options.context, &event);
}

/* Asks for one kind of everything. The strict check (NETLINK_GET_STRICT_CHK) wants the kind's own header, zeroed. */
static int send_dump(struct netlink *netlink)
{
    _Alignas(struct nlmsghdr) char buffer[sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg)] = {0};
    _Static_assert(sizeof(struct rtmsg) <= sizeof(struct ifinfomsg) &&
                       sizeof(struct ifaddrmsg) <= sizeof(struct ifinfomsg),
                   "the largest of the three");
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    uint16_t type = DUMPS[netlink->dump].type;
    size_t size = type == RTM_GETLINK   ? sizeof(struct ifinfomsg)
                  : type == RTM_GETADDR ? sizeof(struct ifaddrmsg)
                                        : sizeof(struct rtmsg);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    netlink->sequence = netlink->sequence == UINT32_MAX ? 1 : netlink->sequence + 1;
    header->nlmsg_seq = netlink->sequence;
    uint8_t *family = mnl_nlmsg_put_extra_header(header, size); /* each of the three begins with the family */
    *family = DUMPS[netlink->dump].family;
    ssize_t sent;
    do {
        sent = mnl_socket_sendto(netlink->socket, header, header->nlmsg_len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

static bool is_dumping(const struct netlink *netlink)
{
    return netlink->dump < ARRAY_LEN(DUMPS);
}

/* Gives up what runs and begins anew after a pause. The kernel answers one dump a socket at a time: the remains of
 * the old one are recognised by their sequence number. */
static void restart_later(struct netlink *netlink)
{
    netlink->dump = ARRAY_LEN(DUMPS);
    if (!netlink->restarting) { /* a storm of overruns must not put it off for ever */
        netlink->restarting = true;
        loop_timer_after(netlink->timer, REDUMP_MS);
    }
}

static void begin_dump(struct netlink *netlink)
{
    int error = send_dump(netlink);
    if (error == EBUSY || error == ENOBUFS || error == EAGAIN) {
        restart_later(netlink);
    } else if (error != 0) {
        die(netlink, error, "asking for a dump");
    }
}

static void on_timer(void *context)
{
    struct netlink *netlink = context;
    enter(netlink);
    netlink->dump = 0;
    netlink->restarting = false;
    netlink->interrupted = false;
    netlink->stats.resyncs++;
    netlink->options.resync(netlink->options.context, true);
    if (!is_over(netlink)) {
        loop_timer_after(netlink->timer, DUMP_LIMIT_MS);
        begin_dump(netlink);
    }
    leave(netlink);
}

static void on_dump_end(struct netlink *netlink)
{
    if (netlink->interrupted) {
        restart_later(netlink);
        return;
    }
    netlink->dump++;
    if (is_dumping(netlink)) {
        begin_dump(netlink);
        return;
    }
    loop_timer_stop(netlink->timer);
    netlink->options.resync(netlink->options.context, false);
}

static void on_error_message(struct netlink *netlink, const struct nlmsghdr *header)
{
    int error = 0;
    if (mnl_nlmsg_get_payload_len(header) >= sizeof(error)) {
        memcpy(&error, mnl_nlmsg_get_payload(header), sizeof(error));
    }
    if (error == -EAFNOSUPPORT || error == -EOPNOTSUPP) {
        on_dump_end(netlink); /* a kernel without IPv6 has no IPv6 routes */
    } else if (error != 0) {
        restart_later(netlink);
    }
}

static void on_message(struct netlink *netlink, const struct nlmsghdr *header)
{
    netlink->stats.messages++;
    /* An event carries the port and the number of whoever caused it; only what was asked by this socket carries ours.
     */
    bool of_dump = header->nlmsg_pid == mnl_socket_get_portid(netlink->socket);
    if (of_dump && (!is_dumping(netlink) || header->nlmsg_seq != netlink->sequence)) {
        return; /* the remains of a dump that was given up */
    }
    if (of_dump && (header->nlmsg_flags & NLM_F_DUMP_INTR)) {
        netlink->interrupted = true;
    }
    if (header->nlmsg_type == NLMSG_DONE) {
        on_dump_end(netlink);
    } else if (header->nlmsg_type == NLMSG_ERROR) {
        on_error_message(netlink, header);
    } else if (header->nlmsg_type >= NLMSG_MIN_TYPE) {
        deliver(netlink, header);
    }
}

static void on_datagram(struct netlink *netlink, size_t len)
{
    int left = (int)len;
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)netlink->buffer;
    while (!is_over(netlink) && mnl_nlmsg_ok(header, left)) {
        on_message(netlink, header);
        header = mnl_nlmsg_next(header, &left);
    }
}

/* False when there is nothing more to read now. */
static bool receive_one(struct netlink *netlink)
{
    ssize_t got = mnl_socket_recvfrom(netlink->socket, netlink->buffer, sizeof(netlink->buffer));
    if (got >= 0) {
        on_datagram(netlink, (size_t)got);
        return true;
    }
    if (errno == EINTR) {
        return true;
    }
    if (errno == ENOBUFS || errno == ENOSPC) { /* the kernel dropped events; ENOSPC: a datagram did not fit, as bad */
        netlink->stats.overruns++;
        restart_later(netlink);
        return true;
    }
    if (errno != EAGAIN) {
        die(netlink, errno, "receiving");
    }
    return false;
}

static void on_ready(void *context, int events)
{
    struct netlink *netlink = context;
    enter(netlink);
    for (int i = 0; i < RECEIVES_PER_TURN && !is_over(netlink) && receive_one(netlink); i++) {
    }
    /* An overrun shows as a poll error, which pauses the watch. */
    if (events == 0 && !is_over(netlink) && loop_poll_events(netlink->poll, LOOP_READABLE) != ERR_OK) {
        die(netlink, EIO, "watching the socket");
    }
    leave(netlink);
}

static bool set_groups(struct netlink *netlink)
{
    const unsigned groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    return mnl_socket_bind(netlink->socket, groups, MNL_SOCKET_AUTOPID) == 0;
}

static enum err open_socket(struct loop *loop, struct netlink *netlink, struct errinfo *info)
{
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (netlink->socket == NULL) {
        return errinfo_set(info, err_from_errno(errno), "netlink", errno, "cannot open a netlink socket");
    }
    int fd = mnl_socket_get_fd(netlink->socket);
    int rcvbuf = netlink->options.rcvbuf != 0 ? netlink->options.rcvbuf : RCVBUF_DEFAULT;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)); /* less room only means more resyncs */
    int on = 1;
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)); /* kernels before 4.20 lack it */
    if (!set_groups(netlink)) {
        return errinfo_set(info, err_from_errno(errno), "netlink", errno, "cannot join the rtnetlink groups");
    }
    enum err err = loop_poll_new(loop, fd, on_ready, netlink, &netlink->poll);
    if (err == ERR_OK) {
        err = loop_poll_events(netlink->poll, LOOP_READABLE);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "netlink", 0, "cannot watch the netlink socket");
}

enum err netlink_new(struct loop *loop, const struct netlink_options *options, struct netlink **ret_netlink,
                     struct errinfo *info)
{
    struct netlink *netlink = calloc(1, sizeof(*netlink));
    if (netlink == NULL) {
        return errinfo_set(info, ERR_NOMEM, "netlink", 0, "out of memory");
    }
    netlink->options = *options;
    netlink->dump = ARRAY_LEN(DUMPS);
    enum err err = open_socket(loop, netlink, info);
    if (err == ERR_OK && loop_timer_new(loop, on_timer, netlink, &netlink->timer) != ERR_OK) {
        err = errinfo_set(info, ERR_NOMEM, "netlink", 0, "out of memory");
    }
    if (err != ERR_OK) { /* no callback is under way yet: nothing to defer to its end */
        release(netlink);
        free(netlink);
        return err;
    }
    netlink_resync(netlink);
    *ret_netlink = netlink;
    return ERR_OK;
}

void netlink_free(struct netlink *netlink)
{
    if (netlink == NULL) {
        return;
    }
    release(netlink);
    if (netlink->in_callback) {
        netlink->freed = true;
    } else {
        free(netlink);
    }
}

void netlink_resync(struct netlink *netlink)
{
    if (!is_over(netlink)) {
        netlink->dump = ARRAY_LEN(DUMPS);
        netlink->restarting = true;
        loop_timer_at(netlink->timer, 0);
    }
}

struct netlink_stats netlink_stats(const struct netlink *netlink)
{
    return netlink->stats;
}
