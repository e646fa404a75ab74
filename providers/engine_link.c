/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "net/stream.h"
#include "providers/engine_internal.h"

static void link_connected(void *context)
{
    struct engine_zone *zone = context;
    zone->phase = PHASE_ASKING;
    zone->must_claim = true;
    zone->heard_ms = zone_now(zone);
    zone_kick(zone);
}

static struct exchange *find_exchange(struct engine_zone *zone, struct view message)
{
    if (message.len < 2) {
        return NULL;
    }
    unsigned id = (unsigned)(uint8_t)message.ptr[0] << 8 | (uint8_t)message.ptr[1];
    struct exchange *exchange = zone->in_flight;
    while (exchange != NULL && exchange->request.id != id) {
        exchange = exchange->next;
    }
    return exchange;
}

static size_t link_read(void *context, struct view data)
{
    struct engine_zone *zone = context;
    struct view rest = data, message;
    struct stream *stream = zone->stream;
    zone->heard_ms = zone_now(zone);
    while (zone->stream == stream && stream_next_framed(&rest, &message)) {
        struct exchange *exchange = find_exchange(zone, message);
        if (exchange != NULL) { /* an answer to nothing we asked is dropped */
            exchange_reply(exchange, &(struct provider_reply){.body = message, .now_ms = zone->heard_ms});
        }
    }
    return data.len - rest.len;
}

static void link_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    struct engine_zone *zone = context;
    struct verdict verdict = {0};
    bool connected = zone->phase != PHASE_CONNECTING;
    bool idle = zone->phase == PHASE_RUNNING && zone->in_flight == NULL && zone_now(zone) >= zone->steady_ms;
    verdict_set(&verdict, VERDICT_RETRY, connected ? "connection-lost" : "unreachable", "%s %s:%u: %s",
                connected ? "connection lost to" : "cannot connect to", zone->account->host, zone->account->port,
                info->text);
    zone_disconnect(zone, verdict.error, verdict.detail);
    if (idle && why == STREAM_CLOSE_PEER) {
        breaker_success(&zone->breaker);
        zone_kick(zone); /* an idle connection that ends is no failure */
    } else if (zone->phase == PHASE_IDLE) {
        zone_failed(zone, &verdict);
    }
}

enum err link_open(struct engine_zone *zone)
{
    struct stream_options options = {
        .host = zone->account->host,
        .port = zone->account->port,
        .connect_ms = (uint32_t)zone->account->timeout_ms,
        .user_timeout_ms = (uint32_t)zone->account->timeout_ms,
        .read_max = 2 * (DNSMSG_MAX + 2),
        .connected = link_connected,
        .read = link_read,
        .closed = link_closed,
        .context = zone,
    };
    return stream_new(zone->engine->loop, &options, &zone->stream);
}

void link_close(struct engine_zone *zone)
{
    stream_free(zone->stream);
    zone->stream = NULL;
}

enum err link_send(struct engine_zone *zone, struct view message)
{
    return zone->stream != NULL ? stream_write_framed(zone->stream, message) : ERR_CLOSED;
}
