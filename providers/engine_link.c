/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "net/dnsquery.h"
#include "net/stream.h"
#include "net/tls.h"
#include "providers/engine_internal.h"

/** A name that an unsigned DNS answer gave proves nothing: with TLS somebody must say whom to expect. */
static enum err open_tls(struct engine_account *account, const struct engine_account_config *config,
                         struct errinfo *info)
{
    struct tls_client_options options = {
        .ca_file = config->ca_file, .name = provider_option(config, "tls_name"), .alpn = "dot"};
    struct errinfo why = {0};
    if (options.name == NULL && config->server == NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: transport tls needs `server` or the option `tls_name`: whom to expect",
                           config->name);
    }
    enum err err = tls_client_new(&options, &account->tls, &why);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "config", 0, "account %s: %s", config->name, why.text);
}

enum err link_account_open(struct engine_account *account, const struct engine_account_config *config,
                           struct errinfo *info)
{
    const char *transport = provider_option(config, "transport");
    bool tls = transport != NULL && strcmp(transport, "tls") == 0;
    if (!tls && (config->ca_file != NULL || provider_option(config, "tls_name") != NULL)) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: `ca_file` and the option `tls_name` go with the option transport: tls",
                           config->name);
    }
    account->port = account->port != 0 ? account->port : tls ? DNS_TLS_PORT : DNS_PORT;
    return tls ? open_tls(account, config, info) : ERR_OK;
}

void link_account_close(struct engine_account *account)
{
    tls_client_free(account->tls);
    account->tls = NULL;
}

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

static const char *link_host(const struct engine_zone *zone)
{
    return zone->find != NULL ? find_host(zone->find) : zone->account->host;
}

static void link_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    struct engine_zone *zone = context;
    struct verdict verdict = {0};
    bool connected = zone->phase != PHASE_CONNECTING;
    bool idle = zone->phase == PHASE_RUNNING && zone->in_flight == NULL && zone_now(zone) >= zone->steady_ms;
    verdict_set(&verdict, VERDICT_RETRY, connected ? "connection-lost" : "unreachable", "%s %s:%u: %s",
                connected ? "connection lost to" : "cannot connect to", link_host(zone), zone->account->port,
                info->text);
    if (!connected) {
        find_forget(zone->find);
    }
    zone_disconnect(zone, verdict.error, verdict.detail);
    if (idle && why == STREAM_CLOSE_PEER) {
        breaker_success(&zone->breaker);
        zone_kick(zone); /* an idle connection that ends is no failure */
    } else if (zone->phase == PHASE_IDLE) {
        zone_failed(zone, &verdict);
    }
}

struct stream_options link_options(const struct engine_zone *zone, const char *host)
{
    return (struct stream_options){.host = host,
                                   .port = zone->account->port,
                                   .layer = zone->account->tls != NULL ? &tls_client_layer : NULL,
                                   .layer_context = zone->account->tls,
                                   .connect_ms = (uint32_t)zone->account->timeout_ms,
                                   .user_timeout_ms = (uint32_t)zone->account->timeout_ms};
}

static enum err connect_stream(struct engine_zone *zone)
{
    struct stream_options options = link_options(zone, link_host(zone));
    options.read_max = 2 * (DNSMSG_MAX + 2);
    options.connected = link_connected;
    options.read = link_read;
    options.closed = link_closed;
    options.context = zone;
    return stream_new(zone->engine->loop, &options, &zone->stream);
}

static void no_primary(struct engine_zone *zone, const char *why)
{
    struct verdict verdict = {0};
    verdict_set(&verdict, VERDICT_RETRY, "no-primary", "the zone's primary was not found: %s: set `server`", why);
    find_forget(zone->find);
    zone->phase = PHASE_IDLE;
    zone_failed(zone, &verdict);
}

static void link_found(void *context, const struct errinfo *info)
{
    struct engine_zone *zone = context;
    if (info == NULL && strcmp(find_zone(zone->find), zone->name) == 0) {
        enum err err = connect_stream(zone);
        if (err != ERR_OK) {
            no_primary(zone, err_text(err));
        }
        return;
    }
    char text[2 * DNSNAME_SIZE + sizeof(" is no zone of its own, it lies in ")];
    (void)snprintf(text, sizeof(text), "%s is no zone of its own, it lies in %s", zone->name,
                   find_zone(zone->find)); /* fits */
    no_primary(zone, info != NULL ? info->text : text);
}

enum err link_new(struct engine_zone *zone)
{
    return find_new(zone->engine->loop, false, link_found, zone, &zone->find);
}

enum err link_open(struct engine_zone *zone)
{
    return zone->find != NULL && !find_known(zone->find, zone->name) ? find_start(zone->find, zone->name)
                                                                     : connect_stream(zone);
}

bool link_misdirected(struct engine_zone *zone, const struct verdict *verdict)
{
    if (zone->find == NULL || !verdict->misdirected) {
        return false;
    }
    find_forget(zone->find);
    return true;
}

void link_close(struct engine_zone *zone)
{
    if (zone->find != NULL) {
        find_cancel(zone->find);
    }
    stream_free(zone->stream);
    zone->stream = NULL;
}

enum err link_send(struct engine_zone *zone, struct view message)
{
    return zone->stream != NULL ? stream_write_framed(zone->stream, message) : ERR_CLOSED;
}
