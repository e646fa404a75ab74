/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "mqtt/messages.h"
#include "tests/bench/swarm/swarm.h"

#define KEEPALIVE_S   600
#define OUT_MAX       (64 * 1024) /* bytes gathered before more is published: the broker sets the pace */
#define PATH_SIZE     512
#define SHARDS        256
#define DECODE_EACH   64 /* of the acks, one in this many goes through the whole decoder */
#define REASON_FAILED 0x80

void link_watch(struct swarm *swarm, struct link *link)
{
    bool wanted = link->wire.wants_write;
    if (link->wire.fd >= 0 && wanted != link->watched_write) {
        struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0u), .data.u32 = link->index};
        (void)epoll_ctl(swarm->epoll, EPOLL_CTL_MOD, link->wire.fd, &event); /* the descriptor is in the set */
        link->watched_write = wanted;
    }
}

enum err link_open(struct swarm *swarm, struct link *link)
{
    const struct swarm_options *options = swarm->options;
    char id[DEVICE_ID_MAX + 1];
    char cert[PATH_SIZE];
    char key[PATH_SIZE];
    if (options->own) {
        fleet_id(&swarm->fleet, link->index, id);
    } else {
        (void)snprintf(id, sizeof(id), "swarm-%03u", (unsigned)link->index % 1000000u); /* fits */
    }
    if (snprintf(cert, sizeof(cert), "%s/%s.pem", options->certs, id) >= PATH_SIZE ||
        snprintf(key, sizeof(key), "%s/%s.key", options->certs, id) >= PATH_SIZE) {
        return ERR_LIMIT;
    }
    enum err err = wire_open(&link->wire, swarm->trust, &swarm->peer, cert, key);
    if (err != ERR_OK) {
        return err;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = link->index};
    if (epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, link->wire.fd, &event) != 0) {
        wire_close(&link->wire);
        return ERR_IO;
    }
    char topic[TOPIC_SIZE];
    struct mqtt5_publish will = {.qos = 1, .retain = true};
    if (options->own) {
        strbuf_clear(&swarm->payload);
        if (fleet_gone(&swarm->fleet, link->index, &swarm->payload) != ERR_OK) {
            return ERR_NOMEM;
        }
        will.topic = fleet_topic(&swarm->fleet, link->index, "gone", topic);
        will.payload = strbuf_view(&swarm->payload);
    }
    uint8_t *out = wire_reserve(&link->wire, mqtt5_room(strlen(id) + will.topic.len + will.payload.len));
    if (out == NULL) {
        return ERR_NOMEM;
    }
    wire_wrote(&link->wire, mqtt5_connect(out, view_of(id), KEEPALIVE_S, options->own ? &will : NULL));
    link->state = LINK_CONNECTING;
    link->watched_write = true;
    return ERR_OK;
}

void link_close(struct swarm *swarm, struct link *link)
{
    swarm->links_ready -= link->state == LINK_READY;
    swarm->counts.disconnects++;
    swarm->counts.published -= link->in_flight; /* nobody knows; the devices repeat what is not acknowledged */
    link->in_flight = 0;
    wire_close(&link->wire); /* leaves the epoll set with it */
    link->state = LINK_CLOSED;
}

static void subscribe(struct swarm *swarm, struct link *link, const char *filter)
{
    (void)swarm;
    struct view text = view_of(filter);
    uint8_t *out = wire_reserve(&link->wire, mqtt5_room(text.len));
    if (out != NULL) {
        wire_wrote(&link->wire, mqtt5_subscribe(out, ++link->next_id, text, 0));
        link->subscriptions++;
    }
}

/** A device reads its own tree; shared links divide the shards among them. */
static void subscribe_all(struct swarm *swarm, struct link *link)
{
    char filter[TOPIC_SIZE];
    link->state = LINK_SUBSCRIBING;
    link->subscriptions = 0;
    if (swarm->options->own) {
        char id[DEVICE_ID_MAX + 1];
        fleet_id(&swarm->fleet, link->index, id);
        if (topic_device_filter(view_of(id), filter) == ERR_OK) {
            subscribe(swarm, link, filter);
        }
        return;
    }
    for (size_t shard = link->index; shard < SHARDS; shard += swarm->links_len) {
        (void)snprintf(filter, sizeof(filter), TOPIC_ROOT "/dn/%02zx/#", shard); /* fits */
        subscribe(swarm, link, filter);
    }
    if (link->subscriptions == 0) {
        subscribe(swarm, link, TOPIC_ROOT "/bc/#"); /* more links than shards */
    }
}

static void on_connack(struct swarm *swarm, struct link *link, const struct mqtt5_packet *packet)
{
    uint8_t reason = 0;
    uint16_t window = 0;
    if (mqtt5_read_connack(packet, &reason, &window) != ERR_OK || reason != 0) {
        (void)fprintf(stderr, "muster-swarm: link %u refused, reason 0x%02x\n", link->index, reason); /* message only */
        swarm->links_failed++;
        link_close(swarm, link);
        return;
    }
    link->window = (uint16_t)MIN(window, swarm->options->window);
    subscribe_all(swarm, link);
}

static void on_suback(struct swarm *swarm, struct link *link, const struct mqtt5_packet *packet)
{
    uint8_t reason = 0;
    uint16_t id = 0;
    if (mqtt5_read_ack(packet, &id, &reason) != ERR_OK || reason >= REASON_FAILED) {
        swarm->counts.refused++;
    }
    if (link->state == LINK_SUBSCRIBING && --link->subscriptions == 0) {
        link->state = LINK_READY;
        swarm->links_ready++;
        for (size_t i = link->index; link->again && i < swarm->fleet.len; i += swarm->links_len) {
            swarm->fleet.devices[i].due = true;
        }
        link->due_cursor = link->index;
        link->again = true;
    }
}

static void on_dns(struct swarm *swarm, const struct mqtt5_publish *publish)
{
    struct topic topic;
    size_t device = 0;
    if (topic_parse_unchecked(publish->topic, &topic) != ERR_OK || topic.kind != TOPIC_DN_DNS ||
        !fleet_find(&swarm->fleet, topic.id, &device)) {
        return;
    }
    if (++swarm->counts.acks % DECODE_EACH == 0) {
        static struct dns_message message;
        struct errinfo info = {0};
        if (dns_decode(publish->payload, &message, &info) != ERR_OK) {
            (void)fprintf(stderr, "muster-swarm: dns body: %s\n", info.text); /* counted as well */
            swarm->counts.bad_codec++;
        }
    }
    struct fleet_device *state = &swarm->fleet.devices[device];
    if (state->acked || !fleet_acknowledges(&swarm->fleet, device, publish->payload)) {
        return;
    }
    state->acked = true;
    swarm->acked++;
    swarm->job_open_devices -= swarm->job_open_devices > 0;
    swarm->ack_last_ns = clock_mono_ns();
}

static uint16_t id_after(uint16_t id)
{
    return (uint16_t)(id == UINT16_MAX ? 1 : id + 1);
}

/** A server confirms in the order of the publishes (MQTT-4.6.0-2): anything else confirms nothing. */
static void on_puback(struct swarm *swarm, struct link *link, const struct mqtt5_packet *packet)
{
    uint8_t reason = 0;
    uint16_t id = 0;
    if (mqtt5_read_ack(packet, &id, &reason) != ERR_OK || link->in_flight == 0 || id != link->oldest_id) {
        swarm->counts.unexpected++;
        return;
    }
    swarm->counts.refused += reason >= REASON_FAILED;
    link->oldest_id = id_after(id);
    link->in_flight--;
    swarm->counts.confirmed++;
    if (swarm->counts.confirmed == swarm->counts.published) {
        swarm->job_last_ns = clock_mono_ns();
    }
}

static void on_packet(struct swarm *swarm, struct link *link, const struct mqtt5_packet *packet)
{
    struct mqtt5_publish publish;
    switch (packet->type) {
    case MQTT5_CONNACK:
        on_connack(swarm, link, packet);
        break;
    case MQTT5_SUBACK:
        on_suback(swarm, link, packet);
        break;
    case MQTT5_PUBACK:
        on_puback(swarm, link, packet);
        break;
    case MQTT5_PUBLISH:
        if (mqtt5_read_publish(packet, &publish) == ERR_OK) {
            on_dns(swarm, &publish);
            uint8_t *out = publish.qos > 0 ? wire_reserve(&link->wire, mqtt5_room(0)) : NULL;
            if (out != NULL) {
                wire_wrote(&link->wire, mqtt5_puback(out, publish.packet_id));
            }
        }
        break;
    case MQTT5_DISCONNECT:
        (void)fprintf(stderr, "muster-swarm: link %u told to leave, reason 0x%02x\n", link->index,
                      packet->body_len > 0 ? packet->body[0] : 0u); /* message only */
        link_close(swarm, link);
        break;
    case MQTT5_PINGRESP:
    default:
        break;
    }
}

static void publish(struct swarm *swarm, struct link *link, struct view topic, struct view payload, bool retain)
{
    uint8_t *out = wire_reserve(&link->wire, mqtt5_room(topic.len + payload.len));
    if (out == NULL) {
        return; /* not counted as published: the job does not end, and its command reports that */
    }
    link->next_id = id_after(link->next_id);
    if (link->in_flight == 0) {
        link->oldest_id = link->next_id;
    }
    const struct mqtt5_publish publish = {
        .topic = topic, .payload = payload, .qos = 1, .retain = retain, .packet_id = link->next_id};
    wire_wrote(&link->wire, mqtt5_publish(out, &publish));
    link->in_flight++;
    swarm->counts.published++;
}

static void publish_state(struct swarm *swarm, struct link *link, size_t device, const char *why)
{
    char topic[TOPIC_SIZE];
    struct view name = fleet_topic(&swarm->fleet, device, "state", topic);
    strbuf_clear(&swarm->payload);
    if (fleet_state(&swarm->fleet, device, why, &swarm->payload) != ERR_OK) {
        swarm->counts.bad_codec++;
        return;
    }
    fleet_reported(&swarm->fleet, device, clock_mono_ns());
    publish(swarm, link, name, strbuf_view(&swarm->payload), true);
}

static void publish_next(struct swarm *swarm, struct link *link)
{
    struct job *job = &swarm->job;
    size_t device = link->cursor;
    if (swarm->job_first_ns == 0) {
        swarm->job_first_ns = clock_mono_ns();
    }
    if (job->body != NULL) {
        char topic[TOPIC_SIZE];
        bool retain = false;
        strbuf_clear(&swarm->payload);
        job->body(job->context, device, topic, &swarm->payload, &retain);
        publish(swarm, link, view_of(topic), strbuf_view(&swarm->payload), retain);
        return;
    }
    if (job->renumber) {
        swarm->acked -= swarm->fleet.devices[device].acked;
        fleet_renumber(&swarm->fleet, device);
        swarm->job_open_devices++;
    }
    publish_state(swarm, link, device, job->why);
}

static bool has_room(const struct link *link)
{
    return link->state == LINK_READY && link->in_flight < link->window && wire_pending(&link->wire) < OUT_MAX;
}

/** Publishes while the window is open: first what is due outside the job. */
static void fill(struct swarm *swarm, struct link *link)
{
    for (; link->due_cursor < swarm->fleet.len && has_room(link); link->due_cursor += swarm->links_len) {
        struct fleet_device *device = &swarm->fleet.devices[link->due_cursor];
        if (device->due) {
            device->due = false;
            publish_state(swarm, link, link->due_cursor, device->reported ? "repeat" : "change");
        }
    }
    while (swarm->job_open && has_room(link) && swarm_job_has_room(swarm)) {
        if (link->cursor >= swarm->job.limit) {
            if (link->rounds == 0) {
                return;
            }
            link->rounds--;
            link->cursor = link->index;
        }
        publish_next(swarm, link);
        link->cursor += swarm->links_len;
    }
}

void link_ping(struct swarm *swarm, struct link *link, uint64_t now_ms)
{
    if (link->state != LINK_READY || now_ms - link->sent_ms < KEEPALIVE_S * 1000 / 3) {
        return;
    }
    uint8_t *out = wire_reserve(&link->wire, mqtt5_room(0));
    if (out != NULL) {
        wire_wrote(&link->wire, mqtt5_pingreq(out));
        link->sent_ms = now_ms;
        link_serve(swarm, link);
    }
}

/** Handles every whole packet that has come in. */
static enum err take_packets(struct swarm *swarm, struct link *link)
{
    size_t used = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && link->state != LINK_CLOSED) {
        struct mqtt5_packet packet;
        err = mqtt5_next(link->wire.in + used, link->wire.in_len - used, &packet);
        if (err == ERR_OK) {
            used += packet.size;
            on_packet(swarm, link, &packet);
        }
    }
    if (link->state != LINK_CLOSED) {
        wire_consume(&link->wire, used);
    }
    return err == ERR_AGAIN ? ERR_OK : err;
}

void link_serve(struct swarm *swarm, struct link *link)
{
    do {
        enum err err = wire_pump(&link->wire);
        if (err == ERR_OK) {
            err = take_packets(swarm, link);
        }
        if (err != ERR_OK) {
            swarm->links_failed += link->state == LINK_CONNECTING;
            link_close(swarm, link);
        }
        if (link->state == LINK_CLOSED) {
            return;
        }
        fill(swarm, link);
    } while (link->wire.state == WIRE_OPEN && wire_pending(&link->wire) > 0 && !link->wire.wants_write);
    link_watch(swarm, link);
}
