/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * engine_world: a world for the engine in place of loop, HTTP client and TCP: a virtual clock, a scripted service and
 * an authoritative server that knows one address. Replaced at link time: one file of a test program includes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "net/dnsask.h"
#include "net/http.h"
#include "net/stream.h"
#include "providers/account.h"
#include "providers/engine.h"

enum { TIMERS_MAX = 8, TRANSFERS_MAX = 4, HOURS = 3600 * 1000, ANSWER_MS = 50, QUERY_SIZE = 2048, QUERIES_MAX = 20 };
enum { CONNECTIONS_MAX = 20000 /* more in one test is a client that hammers */ };

struct loop_timer {
    loop_fn fn;
    void *context;
    uint64_t at_ms; /* UINT64_MAX = not armed */
    bool used;
    unsigned number; /* timers that are due at once fire in the order in which they were armed */
};

struct http_transfer {
    http_fn done; /* NULL = free */
    void *context;
    uint64_t at_ms;  /* of its answer */
    unsigned number; /* answers that are due at once come in the order of their requests */
    bool timed_out;  /* the answer would have come too late */
    char url[512];
};

/** A question to the system's resolvers. */
struct dnsask {
    dnsask_fn fn; /* NULL = free */
    void *context;
    uint64_t at_ms; /* of its answer */
    char name[256];
    uint16_t type;
};

struct query {
    uint64_t at_ms; /* of its answer */
    uint8_t wire[QUERY_SIZE];
    size_t len;
};

struct stream {
    struct stream_options options;
    char host[256];
    bool open;
    uint64_t connected_ms;             /* when `connected` is to be called; UINT64_MAX = it was */
    struct query queries[QUERIES_MAX]; /* `len` of them, oldest first */
    size_t len;
    unsigned answers;
};

/** One reply of the service. */
struct reply {
    unsigned status;
    const char *body; /* NULL: "good" for every host */
    enum err err;     /* not ERR_OK: no reply; ERR_CRYPTO: nothing was sent */
};

static struct {
    uint64_t now_ms;
    struct loop_timer timers[TIMERS_MAX];
    unsigned armed;
    /* the service: script, then `faulty` so many times, then all is well */
    const struct reply *script;
    size_t script_len;
    struct reply faulty;
    uint64_t retry_after_s;
    unsigned requests, faults_left;
    unsigned once;       /* of the requests, that may not be sent again unasked */
    uint32_t timeout_ms; /* of the last request */
    struct http_transfer transfers[TRANSFERS_MAX];
    /* the authoritative server */
    struct stream stream;
    bool authority; /* can be reached */
    uint8_t served[4];
    unsigned queries, connections;
    /* in its place a server of the test's own: writes its answer, at most QUERY_SIZE bytes. 0 = none */
    size_t (*serve)(const uint8_t *query, size_t len, uint8_t *reply);
    unsigned closes_after;   /* answers it ends a connection; 0 = never */
    const char *unreachable; /* host to which every connection fails; NULL = none */
    /* the system's resolvers: writes the answer, at most QUERY_SIZE bytes. 0 = none; NULL = they are silent */
    size_t (*resolve)(const char *name, uint16_t type, uint8_t *reply);
    struct dnsask asks[TRANSFERS_MAX];
    unsigned asked;
} world;

uint64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return world.now_ms;
}

void loop_catch_up(struct loop *loop)
{
    (void)loop; /* time stands still in a turn of the simulation */
}

enum err loop_timer_new(struct loop *loop, loop_fn fn, void *context, struct loop_timer **ret_timer)
{
    (void)loop;
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        if (!world.timers[i].used) {
            world.timers[i] = (struct loop_timer){.fn = fn, .context = context, .at_ms = UINT64_MAX, .used = true};
            *ret_timer = &world.timers[i];
            return ERR_OK;
        }
    }
    return ERR_LIMIT;
}

void loop_timer_at(struct loop_timer *timer, uint64_t mono_ms)
{
    timer->at_ms = MAX(mono_ms, world.now_ms);
    timer->number = ++world.armed;
}

void loop_timer_after(struct loop_timer *timer, uint64_t delay_ms)
{
    loop_timer_at(timer, world.now_ms + delay_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->at_ms = UINT64_MAX;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL) {
        timer->used = false;
        timer->at_ms = UINT64_MAX;
    }
}

enum err dnsask_start(struct loop *loop, const char *name, uint16_t type, dnsask_fn fn, void *context,
                      struct dnsask **ret_ask)
{
    (void)loop;
    struct dnsask *ask = world.asks;
    while (ask->fn != NULL) {
        assert_true(++ask < world.asks + TRANSFERS_MAX);
    }
    assert_true(++world.asked < CONNECTIONS_MAX);
    *ask = (struct dnsask){.fn = fn, .context = context, .at_ms = world.now_ms + ANSWER_MS, .type = type};
    (void)snprintf(ask->name, sizeof(ask->name), "%s", name); /* names are shorter */
    *ret_ask = ask;
    return ERR_OK;
}

void dnsask_cancel(struct dnsask *ask)
{
    if (ask != NULL) {
        ask->fn = NULL;
    }
}

static void answer_ask(struct dnsask *ask)
{
    uint8_t reply[QUERY_SIZE];
    struct dnsask asked = *ask;
    struct errinfo info = {.err = ERR_IO, .text = "the resolvers are silent"};
    size_t len = world.resolve != NULL ? world.resolve(ask->name, ask->type, reply) : 0;
    ask->fn = NULL;
    asked.fn(asked.context, view_n((const char *)reply, len), &info);
}

enum err stream_new(struct loop *loop, const struct stream_options *options, struct stream **ret_stream)
{
    (void)loop;
    if (!world.authority) {
        return ERR_IO;
    }
    assert_false(world.stream.open);
    assert_true(++world.connections < CONNECTIONS_MAX);
    world.stream = (struct stream){.options = *options, .open = true, .connected_ms = world.now_ms + 1};
    (void)snprintf(world.stream.host, sizeof(world.stream.host), "%s", options->host); /* names are shorter */
    *ret_stream = &world.stream;
    return ERR_OK;
}

void stream_free(struct stream *stream)
{
    if (stream != NULL) {
        stream->open = false;
        stream->len = 0;
        stream->connected_ms = UINT64_MAX;
    }
}

/** The connection ends, seen from the other side. */
static void close_stream(enum stream_close why)
{
    struct errinfo info = {.text = "the test ended it"};
    assert_true(world.stream.open);
    world.stream.options.closed(world.stream.options.context, why, &info);
}

enum err stream_write_framed(struct stream *stream, struct view message)
{
    assert_true(stream->open && stream->len < QUERIES_MAX && message.len <= QUERY_SIZE);
    struct query *query = &stream->queries[stream->len++];
    memcpy(query->wire, message.ptr, message.len);
    query->len = message.len;
    query->at_ms = world.now_ms + ANSWER_MS;
    return ERR_OK;
}

bool stream_next_framed(struct view *data, struct view *ret_message)
{
    if (data->len < 2) {
        return false;
    }
    size_t len = (size_t)(uint8_t)data->ptr[0] << 8 | (uint8_t)data->ptr[1];
    *ret_message = view_n(data->ptr + 2, len); /* this world frames no less than it says */
    *data = view_n(data->ptr + 2 + len, data->len - 2 - len);
    return true;
}

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct http_client **ret_client)
{
    (void)loop;
    assert_true(strncmp(options->user_agent, "muster/", 7) == 0);
    *ret_client = (struct http_client *)&world;
    return ERR_OK;
}

void http_client_free(struct http_client *client)
{
    (void)client;
}

enum err http_start(struct http_client *client, const struct http_request *request, struct http_transfer **ret_transfer)
{
    struct http_transfer *transfer = world.transfers;
    assert_ptr_equal(client, &world);
    while (transfer->done != NULL) {
        assert_true(++transfer < world.transfers + TRANSFERS_MAX);
    }
    world.requests++;
    world.once += request->once;
    world.timeout_ms = request->timeout_ms;
    *transfer = (struct http_transfer){.done = request->done,
                                       .context = request->context,
                                       .at_ms = world.now_ms + MIN(ANSWER_MS, request->timeout_ms),
                                       .number = world.requests,
                                       .timed_out = request->timeout_ms < ANSWER_MS};
    (void)snprintf(transfer->url, sizeof(transfer->url), "%s", request->url); /* fits: a few hosts */
    *ret_transfer = transfer;
    return ERR_OK;
}

void http_cancel(struct http_transfer *transfer)
{
    if (transfer != NULL) {
        transfer->done = NULL;
    }
}

bool http_result_header(const struct http_result *result, const char *name, struct view *ret_value)
{
    (void)result;
    (void)name;
    (void)ret_value;
    return false;
}

bool http_result_retry_after(const struct http_result *result, int64_t wall_ms, uint64_t *ret_ms)
{
    (void)wall_ms;
    *ret_ms = world.retry_after_s * 1000;
    return result->status != 200 && world.retry_after_s > 0;
}

size_t http_client_active(const struct http_client *client)
{
    (void)client;
    size_t active = 0;
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        active += world.transfers[i].done != NULL;
    }
    return active;
}

static struct reply next_reply(void)
{
    if (world.script_len > 0) {
        world.script_len--;
        return *world.script++;
    }
    if (world.faults_left > 0) {
        world.faults_left--;
        return world.faulty;
    }
    return (struct reply){200, NULL, ERR_OK};
}

static void answer_http(struct http_transfer *transfer)
{
    http_fn done = transfer->done;
    struct reply reply = transfer->timed_out ? (struct reply){.err = ERR_TIMEOUT} : next_reply();
    struct strbuf good;
    strbuf_init(&good, 256);
    strbuf_adds(&good, "good\n");
    for (const char *at = strchr(transfer->url, ','); at != NULL; at = strchr(at + 1, ',')) {
        strbuf_adds(&good, "good\n");
    }
    struct http_result result = {.status = reply.err == ERR_OK ? reply.status : 0,
                                 .err = reply.err,
                                 .sent = reply.err != ERR_CRYPTO,
                                 .body = view_of(reply.body != NULL ? reply.body : strbuf_str(&good))};
    transfer->done = NULL;
    done(transfer->context, &result);
    strbuf_deinit(&good);
}

/** The question with one A record of `served` behind it. */
static size_t serve_address(const uint8_t *query, size_t len, uint8_t *reply)
{
    static const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    assert_true(len + sizeof(head) + 4 <= QUERY_SIZE);
    memcpy(reply, query, len);
    reply[2] = 0x84; /* QR, AA */
    reply[7] = 1;    /* ANCOUNT */
    memcpy(reply + len, head, sizeof(head));
    memcpy(reply + len + sizeof(head), world.served, 4);
    return len + sizeof(head) + 4;
}

static void answer_dns(void)
{
    struct stream *stream = &world.stream;
    const struct query query = stream->queries[0];
    uint8_t wire[2 + QUERY_SIZE];
    size_t len = (world.serve != NULL ? world.serve : serve_address)(query.wire, query.len, wire + 2);
    wire[0] = (uint8_t)(len >> 8);
    wire[1] = (uint8_t)len;
    world.queries++;
    memmove(stream->queries, stream->queries + 1, --stream->len * sizeof(query));
    if (len > 0) {
        assert_int_equal(stream->options.read(stream->options.context, view_n((const char *)wire, len + 2)), len + 2);
    }
    if (++stream->answers == world.closes_after && stream->open) {
        close_stream(STREAM_CLOSE_PEER);
    }
}

static uint64_t stream_next_ms(void)
{
    const struct stream *stream = &world.stream;
    uint64_t answer_ms = stream->len > 0 ? stream->queries[0].at_ms : UINT64_MAX;
    return stream->open ? MIN(answer_ms, stream->connected_ms) : UINT64_MAX;
}

/** The connection is there, or the answer is. */
static void run_stream(void)
{
    struct stream *stream = &world.stream;
    if (stream->connected_ms != UINT64_MAX) {
        stream->connected_ms = UINT64_MAX;
        if (world.unreachable != NULL && strcmp(world.unreachable, stream->host) == 0) {
            close_stream(STREAM_CLOSE_CONNECT);
        } else {
            stream->options.connected(stream->options.context);
        }
    } else {
        answer_dns();
    }
}

/** Runs the world until @p until_ms, or until as many requests as @p requests have been sent. */
static void run_world(uint64_t until_ms, unsigned requests)
{
    while (world.requests < requests) {
        struct loop_timer *timer = NULL;
        struct http_transfer *transfer = NULL;
        struct dnsask *ask = NULL;
        for (size_t i = 0; i < TIMERS_MAX; i++) {
            struct loop_timer *other = &world.timers[i];
            bool sooner = timer == NULL || other->at_ms < timer->at_ms ||
                          (other->at_ms == timer->at_ms && other->number < timer->number);
            if (other->used && sooner) {
                timer = other;
            }
        }
        for (size_t i = 0; i < TRANSFERS_MAX; i++) {
            struct http_transfer *other = &world.transfers[i];
            bool sooner = transfer == NULL || other->at_ms < transfer->at_ms ||
                          (other->at_ms == transfer->at_ms && other->number < transfer->number);
            if (other->done != NULL && sooner) {
                transfer = other;
            }
        }
        for (size_t i = 0; i < TRANSFERS_MAX; i++) {
            struct dnsask *other = &world.asks[i];
            ask = other->fn != NULL && (ask == NULL || other->at_ms < ask->at_ms) ? other : ask;
        }
        uint64_t timer_ms = timer != NULL ? timer->at_ms : UINT64_MAX;
        uint64_t http_ms = transfer != NULL ? transfer->at_ms : UINT64_MAX;
        uint64_t dns_ms = stream_next_ms();
        uint64_t ask_ms = ask != NULL ? ask->at_ms : UINT64_MAX;
        uint64_t at_ms = MIN(MIN(timer_ms, ask_ms), MIN(http_ms, dns_ms));
        if (at_ms > until_ms) {
            world.now_ms = until_ms;
            return;
        }
        world.now_ms = MAX(at_ms, world.now_ms);
        if (timer_ms == at_ms) {
            timer->at_ms = UINT64_MAX;
            timer->fn(timer->context);
        } else if (http_ms == at_ms) {
            answer_http(transfer);
        } else if (ask_ms == at_ms) {
            answer_ask(ask);
        } else {
            run_stream();
        }
    }
}

static void run_until(uint64_t until_ms)
{
    run_world(until_ms, UINT32_MAX);
}

/** An engine with one account. */
struct service {
    char path[32];
    struct engine *engine;
    struct engine_account *account;
};

/** Another account: zones made from now on are of it. */
static void service_account(struct service *service, const char *provider, const char *url, uint32_t rate)
{
    struct engine_account_config config = {.name = "t",
                                           .provider = provider,
                                           .url = url,
                                           .server = url == NULL ? "127.0.0.1:53" : NULL,
                                           .username = url != NULL ? "u" : NULL,
                                           .password_file = url != NULL ? service->path : NULL,
                                           .verify_server = "127.0.0.1:53",
                                           .timeout = 10000,
                                           .retry_min = 1000,
                                           .retry_max = 600000,
                                           .rate = rate,
                                           .burst = 1};
    if (service->engine == NULL) {
        assert_int_equal(engine_new(NULL, &service->engine), ERR_OK);
    }
    assert_int_equal(engine_account_new(service->engine, &config, &service->account, NULL), ERR_OK);
}

static inline void service_open_as(struct service *service, const char *provider, uint32_t rate)
{
    *service = (struct service){.path = "/tmp/muster-engine-XXXXXX"};
    int fd = mkstemp(service->path);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    memset(&world, 0, sizeof(world));
    world.now_ms = 1000;
    service_account(service, provider, "https://h.example/u", rate);
}

static inline void service_open(struct service *service)
{
    service_open_as(service, "dyndns2", 0);
}

static inline void service_close(struct service *service)
{
    engine_free(service->engine);
    unlink(service->path);
}

static inline struct engine_zone *service_zone(struct service *service, const char *name,
                                               void (*settled)(void *, const struct engine_result *, size_t),
                                               void *context)
{
    struct engine_zone *zone = NULL;
    struct engine_zone_options options = {
        .name = name, .account = service->account, .callbacks = {.settled = settled}, .context = context};
    assert_int_equal(engine_zone_new(service->engine, &options, &zone), ERR_OK);
    return zone;
}

/** @p name to 192.0.2.@p last. */
static void submit(struct engine_zone *zone, const char *name, uint8_t last, uint64_t rev)
{
    struct rrset_change change = {.name = name, .type = RRTYPE_A, .ttl = 60, .rev = rev};
    change.want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, last}}}};
    assert_int_equal(engine_zone_submit(zone, &change), ERR_OK);
}
