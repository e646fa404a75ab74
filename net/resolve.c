/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"

#define PORT_TEXT_SIZE 6

struct resolve {
    pthread_mutex_t mutex;
    bool cancelled;         /* by the owner: the thread frees */
    bool finished;          /* by the thread: the owner frees */
    struct loop_wake *wake; /* owned; the thread uses it unless cancelled */
    resolve_fn fn;
    void *context;
    int code;              /* of getaddrinfo */
    struct addrinfo *list; /* owned */
    uint16_t port;
    char host[RESOLVE_HOST_MAX + 1];
};

static const struct addrinfo HINTS = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};

static bool is_family(const struct addrinfo *at, int family, bool wanted)
{
    return (at->ai_family == AF_INET || at->ai_family == AF_INET6) && (at->ai_family == family) == wanted;
}

static void interleave(const struct addrinfo *list, struct resolve_result *ret_result)
{
    struct resolve_result result = {.len = 0};
    const struct addrinfo *cursor[2] = {list, list};
    for (int turn = 0; result.len < RESOLVE_ADDRESSES_MAX && (cursor[0] != NULL || cursor[1] != NULL); turn ^= 1) {
        const struct addrinfo *at = cursor[turn];
        while (at != NULL && !is_family(at, list->ai_family, turn == 0)) {
            at = at->ai_next;
        }
        if (at != NULL) {
            memcpy(&result.addresses[result.len++], at->ai_addr, at->ai_addrlen);
            at = at->ai_next;
        }
        cursor[turn] = at;
    }
    *ret_result = result;
}

static void port_text(uint16_t port, char buffer[static PORT_TEXT_SIZE])
{
    (void)snprintf(buffer, PORT_TEXT_SIZE, "%u", (unsigned)port); /* 16 bits: fits */
}

bool resolve_numeric(const char *host, uint16_t port, struct resolve_result *ret_result)
{
    char service[PORT_TEXT_SIZE];
    port_text(port, service);
    struct addrinfo hints = HINTS;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, service, &hints, &list) != 0) {
        return false;
    }
    interleave(list, ret_result);
    freeaddrinfo(list);
    return ret_result->len > 0;
}

static enum err err_of(int code)
{
    return code == EAI_MEMORY ? ERR_NOMEM : code == EAI_AGAIN ? ERR_AGAIN : ERR_NOTFOUND;
}

static void destroy(struct resolve *resolve)
{
    if (resolve->list != NULL) {
        freeaddrinfo(resolve->list);
    }
    (void)pthread_mutex_destroy(&resolve->mutex);
    free(resolve);
}

/* The thread. What it found nobody reads before `finished`; nobody wakes the loop of an owner who has gone. */
static void *look_up(void *context)
{
    struct resolve *resolve = context;
    char service[PORT_TEXT_SIZE];
    port_text(resolve->port, service);
    resolve->code = getaddrinfo(resolve->host, service, &HINTS, &resolve->list);
    (void)pthread_mutex_lock(&resolve->mutex); /* as all of them: a plain mutex in pairs cannot fail */
    bool cancelled = resolve->cancelled;
    resolve->finished = true;
    if (!cancelled) {
        loop_wake(resolve->wake);
    }
    (void)pthread_mutex_unlock(&resolve->mutex);
    if (cancelled) {
        destroy(resolve);
    }
    return NULL;
}

static void on_finished(void *context)
{
    struct resolve *resolve = context;
    struct resolve_result result = {.len = 0};
    struct errinfo info = {0};
    (void)pthread_mutex_lock(&resolve->mutex); /* the thread may not be through with it yet */
    (void)pthread_mutex_unlock(&resolve->mutex);
    if (resolve->code == 0 && resolve->list != NULL) {
        interleave(resolve->list, &result);
    }
    if (result.len == 0) {
        int code = resolve->code != 0 ? resolve->code : EAI_NONAME;
        (void)errinfo_set(&info, err_of(code), "dns", code, "%s: %s", resolve->host, gai_strerror(code));
    }
    resolve_fn fn = resolve->fn;
    void *fn_context = resolve->context;
    loop_wake_free(resolve->wake);
    destroy(resolve);
    fn(fn_context, &result, &info);
}

enum err resolve_start(struct loop *loop, const char *host, uint16_t port, resolve_fn fn, void *context,
                       struct resolve **ret_resolve)
{
    struct view name = view_of(host);
    if (name.len == 0 || name.len > RESOLVE_HOST_MAX) {
        return ERR_INVALID;
    }
    struct resolve *resolve = calloc(1, sizeof(*resolve));
    if (resolve == NULL) {
        return ERR_NOMEM;
    }
    resolve->fn = fn;
    resolve->context = context;
    resolve->port = port;
    memcpy(resolve->host, name.ptr, name.len);
    (void)pthread_mutex_init(&resolve->mutex, NULL); /* default attributes: never fails on Linux */
    pthread_t thread;
    enum err err = loop_wake_new(loop, on_finished, resolve, &resolve->wake);
    if (err == ERR_OK && pthread_create(&thread, NULL, look_up, resolve) != 0) {
        loop_wake_free(resolve->wake);
        err = ERR_NOMEM;
    }
    if (err != ERR_OK) {
        destroy(resolve);
        return err;
    }
    (void)pthread_detach(thread); /* never joined: a resolver that hangs holds up nobody */
    *ret_resolve = resolve;
    return ERR_OK;
}

void resolve_cancel(struct resolve *resolve)
{
    if (resolve == NULL) {
        return;
    }
    struct loop_wake *wake = resolve->wake;
    (void)pthread_mutex_lock(&resolve->mutex);
    bool finished = resolve->finished;
    resolve->cancelled = true;
    (void)pthread_mutex_unlock(&resolve->mutex);
    loop_wake_free(wake); /* one that came before is not told any more: it is closed on its own thread */
    if (finished) {
        destroy(resolve);
    }
}
