/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/swarm.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

#define EVENTS_MAX    256
#define OPENING_MAX   64 /* handshakes at a time: the broker makes one after another anyway */
#define EXTRA_INDEX   UINT32_MAX
#define PROBE_INDEX   (UINT32_MAX - 1)
#define PING_EVERY_MS 10000
#define PAYLOAD_CAP   (256 * 1024)

static enum err parse_peer(const char *text, struct sockaddr_in *ret_peer)
{
    struct view rest = view_of(text);
    struct view host;
    uint64_t port = 0;
    char address[INET_ADDRSTRLEN];
    *ret_peer = (struct sockaddr_in){.sin_family = AF_INET};
    if (!view_next(&rest, ':', &host) || view_copy(host, address, sizeof(address)) != ERR_OK ||
        view_to_u64(rest, UINT16_MAX, &port) != ERR_OK || inet_pton(AF_INET, address, &ret_peer->sin_addr) != 1) {
        return ERR_INVALID;
    }
    ret_peer->sin_port = htons((uint16_t)port);
    return ERR_OK;
}

static enum err open_probe(struct swarm *swarm)
{
    struct sockaddr_in server;
    if (swarm->options->dns == NULL) {
        return ERR_OK;
    }
    enum err err = parse_peer(swarm->options->dns, &server);
    if (err == ERR_OK) {
        err = probe_open(&swarm->probe, &server, swarm->options->zone);
    }
    if (err == ERR_OK) {
        err = probe_open(&swarm->address_probe, &server, swarm->options->zone);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = PROBE_INDEX};
    if (err == ERR_OK && epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, swarm->probe.fd, &event) != 0) {
        err = ERR_IO;
    }
    return err;
}

enum err swarm_init(struct swarm *swarm, const struct swarm_options *options)
{
    *swarm = (struct swarm){
        .options = options, .epoll = epoll_create1(EPOLL_CLOEXEC), .probe = {.fd = -1}, .address_probe = {.fd = -1}};
    strbuf_init(&swarm->payload, PAYLOAD_CAP);
    char host[INET_ADDRSTRLEN];
    enum err err = swarm->epoll >= 0 ? parse_peer(options->broker, &swarm->peer) : ERR_IO;
    if (err == ERR_OK) {
        err = fleet_init(&swarm->fleet, options->devices, options->prefix, options->boot, options->seed, options->log);
    }
    if (err == ERR_OK && options->serials != NULL) {
        swarm->serials = fopen(options->serials, "we");
        err = swarm->serials != NULL ? ERR_OK : ERR_IO;
    }
    if (err == ERR_OK) {
        (void)inet_ntop(AF_INET, &swarm->peer.sin_addr, host, sizeof(host)); /* the buffer is large enough */
        err = wire_trust_new(options->ca, host, &swarm->trust);
    }
    if (err == ERR_OK) {
        err = open_probe(swarm);
    }
    size_t links = options->own ? options->devices : MIN(options->connections, options->devices);
    swarm->links = err == ERR_OK ? calloc(links, sizeof(*swarm->links)) : NULL;
    if (err == ERR_OK && swarm->links == NULL) {
        err = ERR_NOMEM;
    }
    for (size_t i = 0; err == ERR_OK && i < links; i++) {
        wire_init(&swarm->links[i].wire);
        swarm->links[i].index = (uint32_t)i;
        swarm->links_len++;
    }
    return err;
}

void swarm_deinit(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        wire_deinit(&swarm->links[i].wire);
    }
    free(swarm->links);
    probe_close(&swarm->probe);
    probe_close(&swarm->address_probe);
    wire_trust_free(swarm->trust);
    fleet_deinit(&swarm->fleet);
    strbuf_deinit(&swarm->payload);
    if (swarm->serials != NULL) {
        (void)fclose(swarm->serials); /* flushed and looked at by every command */
    }
    if (swarm->epoll >= 0) {
        (void)close(swarm->epoll);
    }
}

static void take_probe(struct swarm *swarm)
{
    struct probe_answer answer;
    while (probe_take(&swarm->probe, &answer) == ERR_OK) {
        if (!answer.is_soa || answer.answers == 0 || answer.value == swarm->serial) {
            continue;
        }
        swarm->serial = answer.value;
        swarm->serial_ns = clock_mono_ns();
        if (swarm->serials != NULL) {
            (void)fprintf(swarm->serials, "%.6f %u\n", (double)(swarm->serial_ns - swarm->fleet.began_ns) / 1e9,
                          swarm->serial); /* ferror is looked at after each command */
        }
    }
}

bool swarm_serve(struct swarm *swarm, int wait_ms, int extra_fd)
{
    struct epoll_event events[EVENTS_MAX];
    bool extra = false;
    if (extra_fd >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = EXTRA_INDEX};
        extra = epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, extra_fd, &event) != 0; /* a file is always readable */
        wait_ms = extra ? 0 : wait_ms;
    }
    int count = epoll_wait(swarm->epoll, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EXTRA_INDEX) {
            extra = true;
        } else if (events[i].data.u32 == PROBE_INDEX) {
            take_probe(swarm);
        } else {
            link_serve(swarm, &swarm->links[events[i].data.u32]);
        }
    }
    if (extra_fd >= 0) {
        (void)epoll_ctl(swarm->epoll, EPOLL_CTL_DEL, extra_fd, NULL); /* was added above, or could not be */
    }
    static uint64_t pinged_ms; /* one swarm a process */
    uint64_t now_ms = clock_mono_ms();
    if (now_ms - pinged_ms > PING_EVERY_MS) {
        pinged_ms = now_ms;
        for (size_t i = 0; i < swarm->links_len; i++) {
            link_ping(swarm, &swarm->links[i], now_ms);
        }
    }
    return extra;
}

void swarm_connect_some(struct swarm *swarm)
{
    size_t opening = 0;
    for (size_t i = 0; i < swarm->links_len && opening < OPENING_MAX; i++) {
        struct link *link = &swarm->links[i];
        if (link->state == LINK_CLOSED) {
            for (size_t k = i; link->again && k < swarm->fleet.len; k += swarm->links_len) {
                swarm->acked -= swarm->fleet.devices[k].acked;
                fleet_reconnect(&swarm->fleet, k);
            }
            if (link_open(swarm, link) != ERR_OK) {
                (void)fprintf(stderr, "muster-swarm: link %u: no connection (certificate?)\n",
                              link->index); /* message */
                swarm->links_failed++;
                return;
            }
            link->sent_ms = clock_mono_ms();
        }
        opening += link->state == LINK_CONNECTING || link->state == LINK_SUBSCRIBING;
    }
}

void swarm_drop_all(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        if (swarm->links[i].state != LINK_CLOSED) {
            link_close(swarm, &swarm->links[i]);
        }
    }
}

void swarm_leave(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        struct link *link = &swarm->links[i];
        uint8_t *out = link->state == LINK_READY ? wire_reserve(&link->wire, mqtt5_room(0)) : NULL;
        if (out != NULL) {
            wire_wrote(&link->wire, mqtt5_disconnect(out));
            (void)!wire_pump(&link->wire); /* a full socket turns a farewell into a loss of connection */
        }
    }
    swarm_drop_all(swarm);
}

bool swarm_job_has_room(const struct swarm *swarm)
{
    return swarm->job.open_max == 0 || swarm->job_open_devices < swarm->job.open_max;
}

void swarm_fill(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        if (swarm->links[i].state == LINK_READY) {
            link_serve(swarm, &swarm->links[i]);
        }
    }
}

static void start_round(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        swarm->links[i].cursor = i;
        swarm->links[i].rounds = i < swarm->job.limit ? swarm->job.rounds - 1 : 0;
    }
    swarm->job_open_devices = 0;
    swarm_fill(swarm);
}

void swarm_begin(struct swarm *swarm, const struct job *job)
{
    swarm->job = *job;
    swarm->job_open = true;
    swarm->job_first_ns = swarm->job_last_ns = swarm->ack_last_ns = 0;
    swarm->counts.published = swarm->counts.confirmed = swarm->counts.refused = swarm->counts.repeats = 0;
    start_round(swarm);
}

static bool round_published(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->links_len; i++) {
        if (swarm->links[i].cursor < swarm->job.limit || swarm->links[i].rounds > 0) {
            return false;
        }
    }
    return true;
}

bool swarm_done(const struct swarm *swarm)
{
    return swarm->counts.confirmed == swarm->counts.published && round_published(swarm);
}

void swarm_report(struct swarm *swarm, size_t device)
{
    struct link *link = &swarm->links[device % swarm->links_len];
    swarm->fleet.devices[device].due = true;
    link->due_cursor = MIN(link->due_cursor, device);
    if (link->state == LINK_READY) {
        link_serve(swarm, link);
    }
}
