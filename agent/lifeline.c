/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/lifeline.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS 256 /* an agent has about twenty */
#define LEAST_S     4   /* a shorter outage is no reason, whatever the configuration says */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* A socket whose SYN is not answered yet: it has its own address already, and no peer. */
static bool is_connecting(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_SYN_SENT;
}

static bool local_of(int fd, struct ip *ret_ip)
{
    union address local = {0}, peer = {0};
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
    if (getsockname(fd, &local.any, &local_len) != 0 ||
        (getpeername(fd, &peer.any, &peer_len) != 0 && !is_connecting(fd))) {
        return false; /* no descriptor, no socket, or not connected */
    }
    struct ip ip = {0};
    if (local.any.sa_family == AF_INET) {
        ip.family = IP_V4;
        memcpy(ip.bytes, &local.v4.sin_addr, 4);
    } else if (local.any.sa_family == AF_INET6) {
        ip.family = IP_V6;
        memcpy(ip.bytes, &local.v6.sin6_addr, 16);
        ip = ip_unmap(ip);
    } else {
        return false;
    }
    *ret_ip = ip;
    return true;
}

size_t lifeline_addresses(struct ip ret_addresses[static LIFELINE_MAX])
{
    size_t len = 0;
    for (int fd = 0; fd < DESCRIPTORS && len < LIFELINE_MAX; fd++) {
        if (local_of(fd, &ret_addresses[len])) {
            len++;
        }
    }
    return len;
}

static void give_up_after(int fd, unsigned ms)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* @param idle_s 0 = never. */
static void ask(int fd, int idle_s, int every_s)
{
    const int on = idle_s > 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (idle_s == 0) {
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
}

/* The kernel looks at the time only when it asks: with the time in full it would be up a question later. */
static void probe(int fd, int probe_s)
{
    int every_s = probe_s > 8 ? probe_s / 8 : 1;
    int patience_s = probe_s > LEAST_S ? probe_s : LEAST_S;
    ask(fd, probe_s > 2 ? probe_s / 2 : probe_s > 0, every_s);
    give_up_after(fd, probe_s == 0 ? LIFELINE_PATIENCE_S * 1000U : (unsigned)(patience_s * 1000 - every_s * 500));
}

/* Options are refused only where it does not matter: the descriptor was closed meanwhile, or is a look-up's UDP socket.
 * With TCP_USER_TIMEOUT the number of questions does not count, only the time since something was heard (tcp(7)). */
void lifeline_probe(int probe_s)
{
    struct ip local;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (!local_of(fd, &local)) {
            continue;
        }
        probe(fd, probe_s);
    }
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof(protocol);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

void lifeline_cut(void)
{
    struct ip local;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (local_of(fd, &local) && is_tcp(fd)) {
            (void)shutdown(fd, SHUT_RDWR); /* closed meanwhile: that is what was wanted */
        }
    }
}
