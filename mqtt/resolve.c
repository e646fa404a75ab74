/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/resolve.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PINS_MAX 16

struct resolve {
    pthread_mutex_t mutex;
    bool abandoned; /* by the owner: the thread frees */
    bool finished;  /* by the thread: the owner frees */
    void (*wake)(void *context);
    void *context;
    enum err err;
    struct ip addresses[RESOLVE_ADDRESSES_MAX];
    size_t addresses_len;
    char host[RESOLVE_HOST_MAX + 1];
};

struct pin {
    const void *owner; /* NULL = free */
    char host[RESOLVE_HOST_MAX + 1];
    char address[IP_TEXT_SIZE];
};

static struct pin pins[PINS_MAX];
static pthread_mutex_t pins_mutex = PTHREAD_MUTEX_INITIALIZER;

typedef int (*getaddrinfo_fn)(const char *node, const char *service, const struct addrinfo *hints,
                              struct addrinfo **ret_list);
static getaddrinfo_fn next_getaddrinfo;
static pthread_once_t next_once = PTHREAD_ONCE_INIT;

static void find_next(void)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&next_getaddrinfo, &symbol, sizeof(symbol)); /* ISO C has no cast from object to function pointer */
}

static bool pinned_address(const char *node, char ret_address[static IP_TEXT_SIZE])
{
    bool found = false;
    (void)pthread_mutex_lock(&pins_mutex);
    for (size_t i = 0; i < PINS_MAX && !found; i++) {
        if (pins[i].owner != NULL && strcmp(pins[i].host, node) == 0) {
            memcpy(ret_address, pins[i].address, IP_TEXT_SIZE);
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&pins_mutex);
    return found;
}

/* The C library's own function builds the answer in either case, so its freeaddrinfo fits. */
int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list)
{
    (void)pthread_once(&next_once, find_next); /* fails only for a bad argument */
    if (next_getaddrinfo == NULL) {
        return EAI_SYSTEM;
    }
    char address[IP_TEXT_SIZE];
    if (node == NULL || !pinned_address(node, address)) {
        return next_getaddrinfo(node, service, hints, ret_list);
    }
    struct addrinfo numeric = {0};
    if (hints != NULL) {
        numeric.ai_family = hints->ai_family;
        numeric.ai_socktype = hints->ai_socktype;
        numeric.ai_protocol = hints->ai_protocol;
    }
    numeric.ai_flags = AI_NUMERICHOST;
    return next_getaddrinfo(address, service, &numeric, ret_list);
}

enum err resolve_pin(const void *owner, const char *host, const struct ip *ip)
{
    enum err err = ERR_LIMIT;
    struct pin pin = {.owner = owner};
    if (view_copy(view_of(host), pin.host, sizeof(pin.host)) != ERR_OK) {
        return ERR_LIMIT;
    }
    (void)ip_format(ip, pin.address);
    resolve_unpin(owner);
    (void)pthread_mutex_lock(&pins_mutex);
    for (size_t i = 0; i < PINS_MAX; i++) {
        if (pins[i].owner == NULL) {
            pins[i] = pin;
            err = ERR_OK;
            break;
        }
    }
    (void)pthread_mutex_unlock(&pins_mutex);
    return err;
}

void resolve_unpin(const void *owner)
{
    (void)pthread_mutex_lock(&pins_mutex);
    for (size_t i = 0; i < PINS_MAX; i++) {
        if (pins[i].owner == owner) {
            pins[i].owner = NULL;
        }
    }
    (void)pthread_mutex_unlock(&pins_mutex);
}

static bool ip_of_sockaddr(const struct sockaddr *address, struct ip *ret_ip)
{
    struct ip ip = {.family = IP_NONE};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        ip.family = IP_V4;
        memcpy(ip.bytes, &in.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        ip.family = IP_V6;
        memcpy(ip.bytes, &in6.sin6_addr, 16);
    } else {
        return false;
    }
    *ret_ip = ip;
    return true;
}

/* Blocks for as long as the system's resolver likes. No AI_ADDRCONFIG: it drops ::1 on hosts with loopback IPv6 only,
 * and an address without a route fails at once anyway. */
static void look_up(struct resolve *resolve)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    (void)pthread_once(&next_once, find_next);
    if (next_getaddrinfo == NULL || next_getaddrinfo(resolve->host, NULL, &hints, &list) != 0) {
        return;
    }
    for (const struct addrinfo *at = list; at != NULL && resolve->addresses_len < RESOLVE_ADDRESSES_MAX;
         at = at->ai_next) {
        if (ip_of_sockaddr(at->ai_addr, &resolve->addresses[resolve->addresses_len])) {
            resolve->addresses_len++;
        }
    }
    freeaddrinfo(list);
    resolve->err = resolve->addresses_len > 0 ? ERR_OK : ERR_NOTFOUND;
}

static void destroy(struct resolve *resolve)
{
    (void)pthread_mutex_destroy(&resolve->mutex);
    free(resolve);
}

static void *run(void *context)
{
    struct resolve *resolve = context;
    look_up(resolve); /* the owner reads none of this before `finished` */
    (void)pthread_mutex_lock(&resolve->mutex);
    bool abandoned = resolve->abandoned;
    resolve->finished = true;
    if (!abandoned) {
        resolve->wake(resolve->context);
    }
    (void)pthread_mutex_unlock(&resolve->mutex);
    if (abandoned) {
        destroy(resolve);
    }
    return NULL;
}

enum err resolve_start(const char *host, void (*wake)(void *context), void *context, struct resolve **ret_resolve)
{
    struct resolve *resolve = calloc(1, sizeof(*resolve));
    if (resolve == NULL) {
        return ERR_NOMEM;
    }
    resolve->wake = wake;
    resolve->context = context;
    resolve->err = ERR_NOTFOUND;
    (void)pthread_mutex_init(&resolve->mutex, NULL); /* cannot fail with default attributes on Linux */
    pthread_t thread;
    enum err err = view_copy(view_of(host), resolve->host, sizeof(resolve->host));
    if (err == ERR_OK && pthread_create(&thread, NULL, run, resolve) != 0) {
        err = ERR_AGAIN;
    }
    if (err != ERR_OK) {
        destroy(resolve);
        return err;
    }
    (void)pthread_detach(thread); /* never joined: a hanging resolver must not hold up the owner */
    *ret_resolve = resolve;
    return ERR_OK;
}

enum err resolve_result(struct resolve *resolve, struct ip ret_addresses[static RESOLVE_ADDRESSES_MAX], size_t *ret_len)
{
    enum err err = ERR_AGAIN;
    (void)pthread_mutex_lock(&resolve->mutex);
    if (resolve->finished) {
        err = resolve->err;
        if (err == ERR_OK) {
            memcpy(ret_addresses, resolve->addresses, sizeof(resolve->addresses));
            *ret_len = resolve->addresses_len;
        }
    }
    (void)pthread_mutex_unlock(&resolve->mutex);
    return err;
}

void resolve_free(struct resolve *resolve)
{
    if (resolve == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&resolve->mutex);
    bool finished = resolve->finished;
    resolve->abandoned = true;
    (void)pthread_mutex_unlock(&resolve->mutex);
    if (finished) {
        destroy(resolve);
    }
}
