/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/stream.h"
#include "providers/engine_internal.h"

/** A transfer under way, on a connection of its own: a large zone would hold up the updates. */
struct engine_list {
    struct engine_zone *zone;
    struct stream *stream;    /* owned */
    struct find *find;        /* owned; NULL where the server is known */
    struct loop_timer *timer; /* owned: silence of the account's timeout ends it */
    void *provider;           /* owned, of ops->list_end */
    struct provider_request request;
    uint64_t bytes;
    struct list_gather gather;
};

void list_gather_flush(struct list_gather *gather)
{
    if (gather->value.len > 0) {
        gather->listing.each(gather->listing.context, gather->name, gather->type, gather->ttl, &gather->value);
        gather->value.len = 0;
    }
}

void list_gather_record(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    struct list_gather *gather = context;
    if (gather->value.len > 0 && (gather->type != type || strcmp(gather->name, name) != 0)) {
        list_gather_flush(gather);
    }
    if (gather->value.len == 0) {
        (void)snprintf(gather->name, sizeof(gather->name), "%s", name); /* providers hand out names that fit */
        gather->type = type;
        gather->ttl = ttl;
    }
    (void)rrset_value_add(&gather->value, type, ip); /* a larger set is not one of ours: four of it tell that too */
}

void list_stop(struct engine_zone *zone)
{
    struct engine_list *list = zone->list;
    if (list == NULL) {
        return;
    }
    zone->list = NULL;
    find_free(list->find);
    stream_free(list->stream);
    loop_timer_free(list->timer);
    if (list->provider != NULL) {
        zone->account->ops->list_end(list->provider);
    }
    provider_request_deinit(&list->request);
    free(list);
}

static void finish(struct engine_list *list, enum err err, const char *detail)
{
    struct engine_listing listing = list->gather.listing;
    if (err == ERR_OK) {
        list_gather_flush(&list->gather);
    }
    char text[PROVIDER_DETAIL_MAX];
    (void)snprintf(text, sizeof(text), "%s", detail); /* outlives the list; cut at one line's cap */
    list_stop(list->zone);
    listing.done(listing.context, err, text);
}

static void list_connected(void *context)
{
    (void)context; /* the query was written before */
}

static size_t list_read(void *context, struct view data)
{
    struct engine_list *list = context;
    struct view rest = data, message;
    loop_timer_after(list->timer, list->zone->account->timeout_ms);
    list->bytes += data.len;
    while (stream_next_framed(&rest, &message)) {
        struct errinfo info = {0};
        bool done = false;
        struct provider_reply reply = {.body = message};
        enum err err = list->zone->account->ops->list_feed(list->provider, &list->request, &reply, &done, &info);
        if (err == ERR_OK && list->bytes > ENGINE_AXFR_BYTES_MAX) {
            err = errinfo_set(&info, ERR_LIMIT, "dns", 0, "zone transfer: larger than a gibibyte");
        }
        if (err != ERR_OK || done) {
            finish(list, err, info.text);
            return data.len - rest.len;
        }
    }
    return data.len - rest.len;
}

static void list_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    (void)why; /* info says it */
    finish(context, ERR_CLOSED, info->text);
}

static void list_timeout(void *context)
{
    finish(context, ERR_TIMEOUT, "zone transfer: the server went silent");
}

static enum err list_connect(struct engine_list *list, const char *host)
{
    struct engine_zone *zone = list->zone;
    struct stream_options options = link_options(zone, host);
    options.read_max = 4 * (DNSMSG_MAX + 2);
    options.connected = list_connected;
    options.read = list_read;
    options.closed = list_closed;
    options.context = list;
    loop_timer_after(list->timer, zone->account->timeout_ms);
    enum err err = stream_new(zone->engine->loop, &options, &list->stream);
    return err == ERR_OK ? stream_write_framed(list->stream, strbuf_view(&list->request.body)) : err;
}

static void list_found(void *context, const struct errinfo *info)
{
    struct engine_list *list = context;
    enum err err = info != NULL ? info->err : ERR_OK;
    if (err == ERR_OK) {
        err = list_connect(list, find_host(list->find));
    }
    if (err != ERR_OK) {
        finish(list, err, info != NULL ? info->text : err_text(err));
    }
}

/** The zone's connection has mostly found the primary before. */
static enum err list_begin(struct engine_list *list)
{
    struct engine_zone *zone = list->zone;
    const struct provider_ops *ops = zone->account->ops;
    struct provider_listing listing = {.each = list_gather_record, .context = &list->gather};
    list->request.id = zone->engine->next_id++;
    enum err err = ops->list_begin(zone->account->state, &zone->about, &listing, &list->request, &list->provider);
    if (err == ERR_OK) {
        err = loop_timer_new(zone->engine->loop, list_timeout, list, &list->timer);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (zone->find == NULL || find_known(zone->find, zone->name)) {
        return list_connect(list, zone->find != NULL ? find_host(zone->find) : zone->account->host);
    }
    err = find_new(zone->engine->loop, false, list_found, list, &list->find);
    return err == ERR_OK ? find_start(list->find, zone->name) : err;
}

enum err engine_zone_list(struct engine_zone *zone, const struct engine_listing *listing)
{
    if (zone->account->ops->list_begin == NULL) {
        return ERR_UNSUPPORTED;
    }
    if (zone->list != NULL || zone->list_http != NULL) {
        return ERR_STATE;
    }
    if (zone->account->stopped && !listing->asked) {
        return ERR_DENIED;
    }
    if (zone->account->ops->transport == PROVIDER_HTTP) {
        return list_http_start(zone, listing);
    }
    struct engine_list *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    list->zone = zone;
    list->gather.listing = *listing;
    provider_request_init(&list->request);
    zone->list = list;
    enum err err = list_begin(list);
    if (err != ERR_OK) {
        list_stop(zone);
    }
    return err;
}
