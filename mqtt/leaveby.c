/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/leaveby.h"

#include <dlfcn.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/bindpath.h"
#include "net/sockaddr.h"

static atomic_bool is_set; /* spares everybody else the mutex */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ip set_peer;
static char set_device[IF_NAMESIZE];

typedef int (*connect_fn)(int fd, const struct sockaddr *address, socklen_t len);
static connect_fn next_connect;
static pthread_once_t next_once = PTHREAD_ONCE_INIT;

static void find_next(void)
{
    void *symbol = dlsym(RTLD_NEXT, "connect");
    memcpy(&next_connect, &symbol, sizeof(symbol)); /* ISO C has no cast from object to function pointer */
}

void leaveby_set(const struct ip *peer, const char *device)
{
    (void)pthread_mutex_lock(&mutex);
    set_peer = *peer;
    (void)snprintf(set_device, sizeof(set_device), "%s", device); /* the kernel's names fit */
    (void)pthread_mutex_unlock(&mutex);
    atomic_store(&is_set, true);
}

void leaveby_clear(void)
{
    atomic_store(&is_set, false);
}

static bool is_tcp(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* @return the interface that a connection to @p address has to leave by. */
static bool leaves_by(const struct sockaddr *address, socklen_t len, struct ip *ret_peer,
                      char ret_device[static IF_NAMESIZE])
{
    struct sockaddr_storage storage = {0};
    if (address == NULL || len > sizeof(storage)) {
        return false;
    }
    memcpy(&storage, address, len);
    struct ip peer = sockaddr_ip(&storage);
    (void)pthread_mutex_lock(&mutex);
    bool same = peer.family != IP_NONE && ip_equal(&peer, &set_peer);
    memcpy(ret_device, set_device, IF_NAMESIZE);
    (void)pthread_mutex_unlock(&mutex);
    *ret_peer = peer;
    return same;
}

/* Found before libc's by every library of the process. */
__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    static const struct ip any = {0};
    struct ip peer;
    char device[IF_NAMESIZE];
    (void)pthread_once(&next_once, find_next); /* fails only for a bad argument */
    if (next_connect == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (atomic_load(&is_set) && is_tcp(fd) && leaves_by(address, len, &peer, device) &&
        bindpath(fd, peer.family, device, &any, 0) != ERR_OK) {
        return -1; /* errno tells */
    }
    return next_connect(fd, address, len);
}
