/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "net/loop_uv.h"

#define PORT_TEXT_SIZE 6

struct resolve {
    uv_getaddrinfo_t uv;
    resolve_fn fn; /* NULL once cancelled */
    void *context;
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

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *list)
{
    struct resolve *resolve = (struct resolve *)uv;
    struct resolve_result result = {.len = 0};
    struct errinfo info = {0};
    if (status == 0 && list != NULL) {
        interleave(list, &result);
    }
    if (result.len == 0) {
        char text[128];
        int code = status != 0 ? status : UV_EAI_NODATA;
        (void)errinfo_set(&info, loop_uv_err(code), "dns", code, "%s: %s", resolve->host,
                          uv_strerror_r(code, text, sizeof(text)));
    }
    if (resolve->fn != NULL) {
        resolve->fn(resolve->context, &result, &info);
    }
    uv_freeaddrinfo(list);
    free(resolve);
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
    memcpy(resolve->host, name.ptr, name.len);
    char service[PORT_TEXT_SIZE];
    port_text(port, service);
    int rc = uv_getaddrinfo(loop_uv(loop), &resolve->uv, on_resolved, resolve->host, service, &HINTS);
    if (rc != 0) {
        free(resolve);
        return rc == UV_ENOMEM ? ERR_NOMEM : ERR_INVALID;
    }
    *ret_resolve = resolve;
    return ERR_OK;
}

void resolve_cancel(struct resolve *resolve)
{
    if (resolve != NULL) {
        resolve->fn = NULL;
        (void)uv_cancel((uv_req_t *)&resolve->uv); /* refused while it runs: on_resolved frees it either way */
    }
}
