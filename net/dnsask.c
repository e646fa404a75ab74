/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dnsask.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/file.h"
#include "net/datagram.h"
#include "net/dnsquery.h"
#include "net/stream.h"

#define RESOLV_CONF "/etc/resolv.conf"
enum { RESOLV_CONF_MAX = 64 * 1024, ROUNDS = 2, REPLY_MAX = 65535 };

struct dnsask {
    struct loop *loop;
    dnsask_fn fn;
    void *context;
    char name[DNSNAME_SIZE];
    uint16_t type;
    struct ip servers[DNSASK_SERVERS_MAX];
    size_t servers_len;
    size_t tries;              /* made or under way; the next one's server is the remainder */
    struct dnsquery query;     /* of the try under way: each has its own id */
    struct loop_timer *timer;  /* owned: begins, and ends what takes too long */
    struct datagram *datagram; /* owned; NULL = none */
    struct stream *stream;     /* owned; NULL = none */
    struct errinfo info;       /* of the last failure */
};

size_t dnsask_servers(struct view text, struct ip *ret_servers, size_t max)
{
    struct view line, word;
    size_t len = 0;
    while (len < max && view_next(&text, '\n', &line)) {
        struct view rest = view_trim(line);
        if (!view_starts_with(rest, VIEW_LITERAL("nameserver"))) {
            continue;
        }
        rest = view_n(rest.ptr + sizeof("nameserver") - 1, rest.len - (sizeof("nameserver") - 1));
        if (rest.len == 0 || (rest.ptr[0] != ' ' && rest.ptr[0] != '\t')) {
            continue;
        }
        rest = view_trim(rest);
        if (view_next(&rest, ' ', &word) && ip_parse(view_trim(word), &ret_servers[len]) == ERR_OK) {
            len++;
        }
    }
    if (len == 0 && max > 0) {
        ret_servers[len++] = (struct ip){.family = IP_V4, .bytes = {127, 0, 0, 1}};
    }
    return len;
}

static void read_servers(struct dnsask *ask)
{
    char *text = NULL;
    size_t len = 0;
    if (file_read(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len) != ERR_OK) { /* as if it were empty */
        text = NULL;
        len = 0;
    }
    ask->servers_len = dnsask_servers(view_n(text != NULL ? text : "", len), ask->servers, DNSASK_SERVERS_MAX);
    free(text);
}

static void hang_up(struct dnsask *ask)
{
    datagram_free(ask->datagram);
    ask->datagram = NULL;
    stream_free(ask->stream);
    ask->stream = NULL;
}

static void destroy(struct dnsask *ask)
{
    hang_up(ask);
    loop_timer_free(ask->timer);
    free(ask);
}

static void finish(struct dnsask *ask, struct view reply)
{
    ask->fn(ask->context, reply, &ask->info);
    destroy(ask);
}

static const struct ip *server(const struct dnsask *ask)
{
    return &ask->servers[(ask->tries - 1) % ask->servers_len];
}

/* This server is of no use: the next one from the loop, since this may be inside a callback of a socket. */
static void failed(struct dnsask *ask, const char *why)
{
    char text[IP_TEXT_SIZE];
    (void)ip_format(server(ask), text); /* fits */
    (void)errinfo_set(&ask->info, ERR_IO, "dns", 0, "asking %s for %s: %s", text, ask->name, why);
    hang_up(ask);
    loop_timer_after(ask->timer, 0);
}

static void judge(struct dnsask *ask, const struct dnsreply *reply)
{
    if (reply->rcode == DNS_RCODE_NOERROR || reply->rcode == DNS_RCODE_NXDOMAIN) {
        finish(ask, reply->message);
    } else {
        failed(ask, dns_rcode_name(reply->rcode));
    }
}

static size_t on_stream_read(void *context, struct view data)
{
    struct dnsask *ask = context;
    struct view rest = data, message;
    struct dnsreply reply;
    if (!stream_next_framed(&rest, &message)) {
        return 0;
    }
    if (dnsreply_open(&ask->query, message, &reply) != ERR_OK || reply.question == DNSREPLY_OTHER || reply.truncated) {
        failed(ask, "the answer over TCP is none to the question");
    } else {
        judge(ask, &reply);
    }
    return data.len;
}

static void on_stream_connected(void *context)
{
    (void)context; /* the question was written before */
}

static void on_stream_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    (void)why;
    failed(context, info->text);
}

static void ask_tcp(struct dnsask *ask)
{
    char host[IP_TEXT_SIZE];
    (void)ip_format(server(ask), host); /* fits */
    struct stream_options options = {.host = host,
                                     .port = DNS_PORT,
                                     .connect_ms = DNSASK_TRY_MS,
                                     .read_max = REPLY_MAX + 2,
                                     .connected = on_stream_connected,
                                     .read = on_stream_read,
                                     .closed = on_stream_closed,
                                     .context = ask};
    hang_up(ask);
    loop_timer_after(ask->timer, DNSASK_TRY_MS);
    enum err err = stream_new(ask->loop, &options, &ask->stream);
    if (err == ERR_OK) {
        err = stream_write_framed(ask->stream, dnsquery_view(&ask->query));
    }
    if (err != ERR_OK) {
        failed(ask, err_text(err));
    }
}

static void on_datagram(void *context, struct view data)
{
    struct dnsask *ask = context;
    struct dnsreply reply;
    if (dnsreply_open(&ask->query, data, &reply) != ERR_OK || reply.question == DNSREPLY_OTHER) {
        return; /* anybody can send that: the true answer may be on its way */
    }
    if (reply.truncated || reply.question == DNSREPLY_OTHER_CASE) {
        ask_tcp(ask);
    } else {
        judge(ask, &reply);
    }
}

static void on_datagram_failed(void *context, int errno_value)
{
    failed(context, err_text(err_from_errno(errno_value)));
}

static enum err ask_udp(struct dnsask *ask)
{
    uint8_t random[DNSQUERY_RANDOM_LEN];
    crypto_random(random, sizeof(random));
    struct datagram_options options = {
        .peer = *server(ask), .port = DNS_PORT, .received = on_datagram, .failed = on_datagram_failed, .context = ask};
    enum err err = dnsquery_make(view_of(ask->name), ask->type, DNS_CLASS_IN, true, random, &ask->query);
    if (err == ERR_OK) {
        err = datagram_new(ask->loop, &options, &ask->datagram);
    }
    return err == ERR_OK ? datagram_send(ask->datagram, dnsquery_view(&ask->query)) : err;
}

/* Begins, or goes on after a server that failed (nothing is open then) or was silent. */
static void on_timer(void *context)
{
    struct dnsask *ask = context;
    if (ask->datagram != NULL || ask->stream != NULL) {
        failed(ask, "no answer in time");
        return;
    }
    if (ask->tries == ROUNDS * ask->servers_len) {
        finish(ask, (struct view){0});
        return;
    }
    ask->tries++;
    loop_timer_after(ask->timer, DNSASK_TRY_MS);
    enum err err = ask_udp(ask);
    if (err != ERR_OK) {
        failed(ask, err_text(err));
    }
}

enum err dnsask_start(struct loop *loop, const char *name, uint16_t type, dnsask_fn fn, void *context,
                      struct dnsask **ret_ask)
{
    struct dnsask *ask = calloc(1, sizeof(*ask));
    if (ask == NULL) {
        return ERR_NOMEM;
    }
    ask->loop = loop;
    ask->fn = fn;
    ask->context = context;
    ask->type = type;
    enum err err =
        view_copy(view_of(name), ask->name, sizeof(ask->name)) == ERR_OK && name[0] != '\0' ? ERR_OK : ERR_INVALID;
    if (err == ERR_OK) {
        err = loop_timer_new(loop, on_timer, ask, &ask->timer);
    }
    if (err != ERR_OK) {
        destroy(ask);
        return err;
    }
    read_servers(ask);
    loop_timer_after(ask->timer, 0);
    *ret_ask = ask;
    return ERR_OK;
}

void dnsask_cancel(struct dnsask *ask)
{
    if (ask != NULL) {
        destroy(ask);
    }
}
