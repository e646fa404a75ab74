/* SPDX-License-Identifier: Apache-2.0 */
/**
 * source dns: asks a server that answers with the asker's address (agent/detect/dnsecho.h), by UDP, and by TCP where
 * the answer was cut off; never a resolver of the system, except for the address of a server that is given by name.
 *
 *   query ──answer──▶ canary: a name that cannot exist ──no address for it, or no answer──▶ ADDRESS
 *     │ ▲ └─repeat: next server, new socket, new id          └─an address─▶ FAILED
 *     │ └─ cut off, case changed: the same by TCP
 *     └─ judged bad ─▶ FAILED          both within the question's deadline
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/asking.h"
#include "agent/detect/dnsecho.h"
#include "agent/detect/sources.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/hostport.h"
#include "net/datagram.h"
#include "net/stream.h"

#define FIRST_WAIT_MS   500 /* then doubling: about what resolvers do (RFC 1536 1) */
#define LONGEST_WAIT_MS 2000
#define CANARY_SENDS    2
#define CANARY_WAIT_MS  400  /* that nobody answers it is no reproach: not every server answers what is not its own */
#define LONGEST         1232 /* bytes; without EDNS no answer has more than 512 (RFC 1035 2.3.4) */
#define WHO_SIZE        64

struct source {
    struct askings askings; /* first: asking_cancel, asking_close */
    struct dnsecho echo;
};

struct dns_asking {
    struct asking base;
    const struct dnsecho *echo; /* the source's */
    struct dnsquery query;
    bool canary;               /* the query is the second one */
    struct source_answer held; /* the answer to the first one by then */
    unsigned sent;             /* of the query */
    size_t turn;               /* which server is asked */
    struct ip server;
    uint16_t port;
    char who[WHO_SIZE]; /* the server for people */
    struct datagram *datagram;
    struct stream *stream;
    char trouble[WHO_SIZE]; /* the network's last word; told if nothing better comes */
};

static void release(struct asking *asking)
{
    struct dns_asking *dns = (struct dns_asking *)asking;
    datagram_free(TAKE(dns->datagram));
    stream_free(TAKE(dns->stream));
}

static const char *const *servers_of(const struct dnsecho *echo, uint8_t family)
{
    return family == IP_V6 ? echo->servers6 : echo->servers4;
}

static const char *server_of(const struct dns_asking *dns)
{
    const char *const *servers = servers_of(dns->echo, dns->base.question.family);
    size_t len = servers[1] != NULL ? 2 : 1;
    return servers[dns->turn % len];
}

static enum err make_query(struct dns_asking *dns)
{
    uint8_t random[DNSQUERY_RANDOM_LEN];
    crypto_random(random, sizeof(random));
    if (dns->canary) {
        dnsecho_canary(random, &dns->query);
        return ERR_OK;
    }
    return dnsecho_query(dns->echo, dns->base.question.family, random, &dns->query);
}

static void send_canary(struct dns_asking *dns);
static void ask_by_tcp(struct dns_asking *dns);

/* What came, by either way. */
static void take(struct dns_asking *dns, struct view message, bool tcp)
{
    struct source_answer answer = {0};
    enum dnsecho_verdict verdict =
        dns->canary ? dnsecho_judge_canary(&dns->query, message, dns->who, &answer)
                    : dnsecho_judge(dns->echo, &dns->query, message, tcp, dns->base.question.family, dns->who, &answer);
    switch (verdict) {
    case DNSECHO_IGNORE:
        return;
    case DNSECHO_BY_TCP:
        ask_by_tcp(dns);
        return;
    case DNSECHO_FAILED:
        asking_end(&dns->base, &answer);
        return;
    case DNSECHO_ADDRESS:
        break;
    }
    if (dns->canary) {
        asking_end(&dns->base, &dns->held);
        return;
    }
    dns->held = answer;
    dns->canary = true;
    dns->sent = 0;
    send_canary(dns);
}

static void on_received(void *context, struct view data)
{
    take(context, data, false);
}

static void note(struct dns_asking *dns, const char *trouble)
{
    (void)snprintf(dns->trouble, sizeof(dns->trouble), "%s", trouble); /* cut at worst */
}

static void on_failed(void *context, int errno_value)
{
    struct dns_asking *dns = context;
    note(dns, strerror(errno_value));
}

/* One datagram from a socket of its own, so that each has its own port (RFC 5452 9.2). */
static enum err send_by_udp(struct dns_asking *dns)
{
    const struct source_question *question = &dns->base.question;
    const struct datagram_options options = {.peer = dns->server,
                                             .port = dns->port,
                                             .bind_device = question->uplink,
                                             .local = question->local,
                                             .longest = LONGEST,
                                             .received = on_received,
                                             .failed = on_failed,
                                             .context = dns};
    stream_free(TAKE(dns->stream));
    datagram_free(TAKE(dns->datagram));
    enum err err = make_query(dns);
    if (err == ERR_OK) {
        err = datagram_new(dns->base.askings->loop, &options, &dns->datagram);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = datagram_send(dns->datagram, dnsquery_view(&dns->query));
    if (err != ERR_OK) { /* as good as lost on the way */
        note(dns, err_text(err));
    }
    return ERR_OK;
}

static void send_canary(struct dns_asking *dns)
{
    dns->sent++;
    (void)send_by_udp(dns); /* a canary that cannot fly proves nothing */
    asking_wake_at(&dns->base, clock_mono_ms() + CANARY_WAIT_MS);
}

static void send_query(struct dns_asking *dns)
{
    uint64_t wait_ms = MIN((uint64_t)FIRST_WAIT_MS << MIN(dns->sent, 8u), (uint64_t)LONGEST_WAIT_MS);
    dns->sent++;
    dns->turn++;
    enum err err = send_by_udp(dns);
    if (err == ERR_DENIED || err == ERR_NOTFOUND) {
        asking_fail(&dns->base, "cannot bind to %s: %s", dns->base.question.uplink, err_text(err));
        return;
    }
    if (err != ERR_OK) { /* no route now; there may be one when it is sent again */
        note(dns, err_text(err));
    }
    asking_wake_at(&dns->base, clock_mono_ms() + wait_ms);
}

static size_t on_stream_read(void *context, struct view data)
{
    struct view message;
    struct view rest = data;
    if (!stream_next_framed(&rest, &message)) {
        return 0;
    }
    take(context, message, true); /* frees the stream in every case */
    return 0;
}

static void on_stream_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    struct dns_asking *dns = context;
    (void)why; /* info has it in words */
    struct errinfo told = *info;
    asking_fail(&dns->base, "%s", told.text);
}

static void on_stream_connected(void *context)
{
    (void)context; /* the query has been written: it goes out by itself */
}

/* The same question anew, with the rest of the time. */
static void ask_by_tcp(struct dns_asking *dns)
{
    const struct source_question *question = &dns->base.question;
    char host[IP_TEXT_SIZE];
    (void)ip_format(&dns->server, host);
    uint64_t now = clock_mono_ms();
    uint64_t left_ms = dns->base.deadline_ms > now ? dns->base.deadline_ms - now : 1;
    const struct stream_options options = {.host = host,
                                           .port = dns->port,
                                           .connect_ms = (uint32_t)left_ms,
                                           .bind_device = question->uplink,
                                           .local = question->local,
                                           .connected = on_stream_connected,
                                           .read = on_stream_read,
                                           .closed = on_stream_closed,
                                           .context = dns};
    datagram_free(TAKE(dns->datagram));
    enum err err = make_query(dns);
    if (err == ERR_OK) {
        err = stream_new(dns->base.askings->loop, &options, &dns->stream);
    }
    if (err == ERR_OK) {
        err = stream_write_framed(dns->stream, dnsquery_view(&dns->query));
    }
    if (err != ERR_OK) {
        asking_fail(&dns->base, "%s by TCP: %s", dns->who, err_text(err));
        return;
    }
    asking_wake_at(&dns->base, UINT64_MAX);
}

static void on_resolved(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    struct dns_asking *dns = context;
    dns->base.resolve = NULL;
    dns->server = asking_address(&dns->base.question, result, &dns->port);
    if (dns->server.family != IP_NONE) {
        send_query(dns);
    } else if (result->len == 0) {
        struct errinfo told = *info;
        asking_fail(&dns->base, "%s", told.text);
    } else {
        asking_fail(&dns->base, "%s has no address of this family", dns->who);
    }
}

/* Finds the address of the server whose turn it is, then sends. */
static void begin_turn(struct dns_asking *dns)
{
    struct view host;
    struct resolve_result result;
    char name[RESOLVE_HOST_MAX + 1];
    enum err err = hostport_parse(view_of(server_of(dns)), &host, &dns->port, NULL);
    assert(err == ERR_OK); /* checked when the config was read */
    err = view_copy(host, name, sizeof(name));
    assert(err == ERR_OK);
    (void)snprintf(dns->who, sizeof(dns->who), "%.*s", WHO_SIZE - 1, name); /* it is shown only */
    if (resolve_numeric(name, dns->port, &result)) {
        const struct errinfo none = {0};
        on_resolved(dns, &result, &none);
        return;
    }
    asking_wake_at(&dns->base, UINT64_MAX);
    err = resolve_start(dns->base.askings->loop, name, dns->port, on_resolved, dns, &dns->base.resolve);
    if (err != ERR_OK) {
        asking_fail(&dns->base, "%s: %s", dns->who, err_text(err));
    }
}

static void on_timer(void *context)
{
    struct dns_asking *dns = context;
    bool late = asking_is_late(&dns->base);
    if (dns->canary && (late || dns->sent >= CANARY_SENDS)) {
        asking_end(&dns->base, &dns->held);
    } else if (dns->canary) {
        send_canary(dns);
    } else if (late && dns->trouble[0] != '\0' && dns->stream == NULL) {
        asking_fail(&dns->base, "no answer from %s: %s", dns->who, dns->trouble);
    } else if (late) {
        asking_fail(&dns->base, "no answer from %s in %u ms: is %s port %u let out?", dns->who,
                    (unsigned)dns->base.question.timeout_ms, dns->stream != NULL ? "TCP" : "UDP", (unsigned)dns->port);
    } else if (dns->base.resolve == NULL && dns->stream == NULL) {
        begin_turn(dns);
    }
}

static enum err check(const struct source_config *config, struct errinfo *info)
{
    struct dnsecho echo;
    return dnsecho_of_config(config, &echo, info);
}

static enum err open_source(struct loop *loop, const struct source_config *config,
                            const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "out of memory");
    }
    source->askings = (struct askings){.loop = loop, .callbacks = *callbacks, .on_timer = on_timer, .release = release};
    enum err err = dnsecho_of_config(config, &source->echo, info);
    if (err != ERR_OK) {
        free(source);
        return err;
    }
    *ret_source = source;
    return ERR_OK;
}

static enum err ask(struct source *source, const struct source_question *question)
{
    static const uint8_t none[DNSQUERY_RANDOM_LEN];
    struct dnsquery probe;
    enum err err = dnsecho_query(&source->echo, question->family, none, &probe);
    if (err == ERR_OK && !asking_may_know(servers_of(&source->echo, question->family)[0], question->family)) {
        err = ERR_UNSUPPORTED; /* of a service's own servers each is of its family */
    }
    if (err != ERR_OK) {
        return err;
    }
    struct dns_asking *dns = calloc(1, sizeof(*dns));
    if (dns == NULL) {
        return ERR_NOMEM;
    }
    dns->echo = &source->echo;
    return asking_begin(&source->askings, question, &dns->base);
}

const struct source_ops source_dns = {
    .type = "dns",
    .view = SOURCE_VIEW_PATH,
    .min_every_ms = 10 * 1000,          /* they are other people's servers, and cheap for them */
    .default_every_ms = 15 * 60 * 1000, /* one or two datagrams */
    .check = check,
    .open = open_source,
    .ask = ask,
    .cancel = asking_cancel,
    .close = asking_close,
};
