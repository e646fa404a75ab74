/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/lookup.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PINS_MAX 16

struct lookup {
    pthread_mutex_t mutex;
    bool abandoned; /* by the owner: the thread frees */
    bool finished;  /* by the thread: the owner frees */
    void (*wake)(void *context);
    void *context;
    enum err err;
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
    size_t addresses_len;
    char host[LOOKUP_HOST_MAX + 1];
};

struct pin {
    const void *owner; /* NULL = free */
    char host[LOOKUP_HOST_MAX + 1];
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

/* The C library's own function builds the answer in either case, so its freeaddrinfo fits. Visible also in a build that
 * hides everything by default: Paho is to find it. */
__attribute__((visibility("default"), used)) int getaddrinfo(const char *restrict node, const char *restrict service,
                                                             const struct addrinfo *restrict hints,
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

enum err lookup_pin(const void *owner, const char *host, const struct ip *ip)
{
    enum err err = ERR_LIMIT;
    struct pin pin = {.owner = owner};
    if (view_copy(view_of(host), pin.host, sizeof(pin.host)) != ERR_OK) {
        return ERR_LIMIT;
    }
    (void)ip_format(ip, pin.address);
    lookup_unpin(owner);
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

void lookup_unpin(const void *owner)
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
static void look_up(struct lookup *lookup)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    (void)pthread_once(&next_once, find_next);
    if (next_getaddrinfo == NULL || next_getaddrinfo(lookup->host, NULL, &hints, &list) != 0) {
        return;
    }
    for (const struct addrinfo *at = list; at != NULL && lookup->addresses_len < LOOKUP_ADDRESSES_MAX;
         at = at->ai_next) {
        if (ip_of_sockaddr(at->ai_addr, &lookup->addresses[lookup->addresses_len])) {
            lookup->addresses_len++;
        }
    }
    freeaddrinfo(list);
    lookup->err = lookup->addresses_len > 0 ? ERR_OK : ERR_NOTFOUND;
}

static void destroy(struct lookup *lookup)
{
    (void)pthread_mutex_destroy(&lookup->mutex);
    free(lookup);
}

static void *run(void *context)
{
    struct lookup *lookup = context;
    look_up(lookup); /* the owner reads none of this before `finished` */
    (void)pthread_mutex_lock(&lookup->mutex);
    bool abandoned = lookup->abandoned;
    lookup->finished = true;
    if (!abandoned) {
        lookup->wake(lookup->context);
    }
    (void)pthread_mutex_unlock(&lookup->mutex);
    if (abandoned) {
        destroy(lookup);
    }
    return NULL;
}

enum err lookup_start(const char *host, void (*wake)(void *context), void *context, struct lookup **ret_lookup)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        return ERR_NOMEM;
    }
    lookup->wake = wake;
    lookup->context = context;
    lookup->err = ERR_NOTFOUND;
    (void)pthread_mutex_init(&lookup->mutex, NULL); /* cannot fail with default attributes on Linux */
    pthread_t thread;
    enum err err = view_copy(view_of(host), lookup->host, sizeof(lookup->host));
    if (err == ERR_OK && pthread_create(&thread, NULL, run, lookup) != 0) {
        err = ERR_AGAIN;
    }
    if (err != ERR_OK) {
        destroy(lookup);
        return err;
    }
    (void)pthread_detach(thread); /* never joined: a hanging resolver must not hold up the owner */
    *ret_lookup = lookup;
    return ERR_OK;
}

enum err lookup_result(struct lookup *lookup, struct ip ret_addresses[static LOOKUP_ADDRESSES_MAX], size_t *ret_len)
{
    enum err err = ERR_AGAIN;
    (void)pthread_mutex_lock(&lookup->mutex);
    if (lookup->finished) {
        err = lookup->err;
        if (err == ERR_OK) {
            memcpy(ret_addresses, lookup->addresses, sizeof(lookup->addresses));
            *ret_len = lookup->addresses_len;
        }
    }
    (void)pthread_mutex_unlock(&lookup->mutex);
    return err;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&lookup->mutex);
    bool finished = lookup->finished;
    lookup->abandoned = true;
    (void)pthread_mutex_unlock(&lookup->mutex);
    if (finished) {
        destroy(lookup);
    }
}
