/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/pcprouter.h"

#include <string.h>

/* The repeats of one announcement are 64 s apart at most. After a longer silence it is a new one, even of a router that
 * does not turn its epoch back. */
#define REPEATS_END_MS 90000

static bool is_at(const struct pcp_router *router, const char *uplink, const struct ip *address)
{
    return strcmp(router->uplink, uplink) == 0 && ip_equal(&router->address, address);
}

static struct pcp_router *place(struct pcp_routers *routers)
{
    if (routers->len < PCP_ROUTERS_MAX) {
        return &routers->items[routers->len++];
    }
    struct pcp_router *oldest = &routers->items[0];
    for (size_t i = 1; i < routers->len; i++) {
        oldest = routers->items[i].asked_ms < oldest->asked_ms ? &routers->items[i] : oldest;
    }
    return oldest;
}

struct pcp_router *pcp_router_get(struct pcp_routers *routers, const char *uplink, const struct ip *address,
                                  uint64_t now_ms)
{
    for (size_t i = 0; i < routers->len; i++) {
        if (is_at(&routers->items[i], uplink, address)) {
            routers->items[i].asked_ms = now_ms;
            return &routers->items[i];
        }
    }
    struct pcp_router *router = place(routers);
    *router = (struct pcp_router){.address = *address, .asked_ms = now_ms};
    enum err err = view_copy(view_of(uplink), router->uplink, sizeof(router->uplink));
    assert(err == ERR_OK); /* from a question, whose room is the same */
    (void)err;
    return router;
}

static struct pcp_epoch *heard_of(struct pcp_router *router, enum pcp_version version)
{
    return &router->heard[version == PCP_V2 ? 1 : 0];
}

bool pcp_router_answered(struct pcp_router *router, const struct pcp_reply *reply, uint64_t now_ms)
{
    bool restarted = !pcp_epoch_holds(&router->answered, reply->version, reply->epoch, now_ms);
    pcp_epoch_set(&router->answered, reply->version, reply->epoch, now_ms);
    pcp_epoch_set(heard_of(router, reply->version), reply->version, reply->epoch, now_ms);
    router->external = reply->external;
    return restarted;
}

static bool is_news(struct pcp_router *router, const struct pcp_reply *reply, uint64_t now_ms)
{
    const struct pcp_epoch *heard = heard_of(router, reply->version);
    if (!heard->known || !pcp_epoch_holds(heard, reply->version, reply->epoch, now_ms)) {
        return true;
    }
    if (reply->external.family != IP_NONE && !ip_equal(&reply->external, &router->external)) {
        return true;
    }
    return !router->announced || now_ms - router->announced_ms > REPEATS_END_MS;
}

bool pcp_routers_announced(struct pcp_routers *routers, const struct ip *from, const struct pcp_reply *reply,
                           uint64_t now_ms)
{
    bool news = false;
    for (size_t i = 0; i < routers->len; i++) {
        struct pcp_router *router = &routers->items[i];
        if (!ip_equal(&router->address, from)) {
            continue;
        }
        news = is_news(router, reply, now_ms) || news;
        pcp_epoch_set(heard_of(router, reply->version), reply->version, reply->epoch, now_ms);
        if (reply->external.family != IP_NONE) {
            router->external = reply->external;
        }
        router->announced = true;
        router->announced_ms = now_ms;
    }
    return news;
}
