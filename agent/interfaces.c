/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/interfaces.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/netlink.h"

#define NETLINK_RETRY_MS 30000 /* after a failed socket; the broker's view of the address covers for it */

struct interfaces {
    struct loop *loop; /* borrowed */
    struct interfaces_options options;
    struct addresses *addresses;                     /* owned */
    struct netlink *netlink;                         /* owned; NULL while its socket is failed */
    struct loop_timer *select_timer, *netlink_timer; /* owned */
    bool resyncing;                                  /* the table is being filled: nothing is concluded from it */
};

static void on_select_timer(void *context)
{
    struct interfaces *interfaces = context;
    if (!interfaces->resyncing) {
        interfaces->options.changed(interfaces->options.context);
    }
}

static void on_event(void *context, const struct rt_event *event)
{
    struct interfaces *interfaces = context;
    char text[RT_TEXT_SIZE];
    if (log_get_level() >= LOG_LEVEL_DEBUG) {
        (void)rt_describe(event, text);
        log_event(LOG_LEVEL_DEBUG, "netlink", "%s", text);
    }
    /* A link that is down in a dump is no news: the routes come behind it. */
    if (addresses_doubts(interfaces->addresses, event) && !(interfaces->resyncing && event->what == RT_LINK)) {
        interfaces->resyncing = true;
        netlink_resync(interfaces->netlink);
    }
    addresses_apply(interfaces->addresses, event);
    loop_timer_after(interfaces->select_timer, 0);
}

static void on_resync(void *context, bool begin)
{
    struct interfaces *interfaces = context;
    interfaces->resyncing = begin;
    if (begin) {
        addresses_resync_begin(interfaces->addresses);
        return;
    }
    addresses_resync_end(interfaces->addresses);
    interfaces->options.changed(interfaces->options.context);
    interfaces->options.ready(interfaces->options.context);
}

static void on_failed(void *context, const struct errinfo *info)
{
    struct interfaces *interfaces = context;
    log_event(LOG_LEVEL_WARN, "netlink-failed", "error=\"%s\" retry_ms=%d", info->text, NETLINK_RETRY_MS);
    netlink_free(interfaces->netlink);
    interfaces->netlink = NULL;
    interfaces->resyncing = false;
    loop_timer_after(interfaces->netlink_timer, NETLINK_RETRY_MS);
    interfaces->options.ready(interfaces->options.context);
}

static void open_netlink(void *context)
{
    struct interfaces *interfaces = context;
    const struct netlink_options options = {
        .event = on_event, .resync = on_resync, .failed = on_failed, .context = interfaces};
    struct errinfo info = {0};
    if (netlink_new(interfaces->loop, &options, &interfaces->netlink, &info) != ERR_OK) {
        interfaces->netlink = NULL;
        on_failed(interfaces, &info);
    }
}

enum err interfaces_new(struct loop *loop, const struct interfaces_options *options, struct interfaces **ret_interfaces)
{
    struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
    if (interfaces == NULL) {
        return ERR_NOMEM;
    }
    interfaces->loop = loop;
    interfaces->options = *options;
    enum err err = addresses_new(&interfaces->addresses);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_select_timer, interfaces, &interfaces->select_timer);
    err = err != ERR_OK ? err : loop_timer_new(loop, open_netlink, interfaces, &interfaces->netlink_timer);
    if (err != ERR_OK) {
        interfaces_free(interfaces);
        return err;
    }
    *ret_interfaces = interfaces;
    return ERR_OK;
}

void interfaces_free(struct interfaces *interfaces)
{
    if (interfaces == NULL) {
        return;
    }
    netlink_free(interfaces->netlink);
    loop_timer_free(interfaces->select_timer);
    loop_timer_free(interfaces->netlink_timer);
    addresses_free(interfaces->addresses);
    free(interfaces);
}

void interfaces_start(struct interfaces *interfaces)
{
    open_netlink(interfaces);
}

void interfaces_stop(struct interfaces *interfaces)
{
    netlink_free(interfaces->netlink);
    interfaces->netlink = NULL;
    loop_timer_stop(interfaces->select_timer);
    loop_timer_stop(interfaces->netlink_timer);
}

void interfaces_select(struct interfaces *interfaces, const struct address_policy *policy, struct address_set *ret_set)
{
    uint64_t deadline = addresses_select(interfaces->addresses, policy, loop_now_ms(interfaces->loop), ret_set);
    loop_timer_at(interfaces->select_timer, deadline);
}

void interfaces_select_soon(struct interfaces *interfaces)
{
    loop_timer_after(interfaces->select_timer, 0);
}

void interfaces_resync(struct interfaces *interfaces)
{
    if (interfaces->netlink != NULL) {
        interfaces->resyncing = true;
        netlink_resync(interfaces->netlink);
    }
}

const struct addresses *interfaces_table(const struct interfaces *interfaces)
{
    return interfaces->addresses;
}
