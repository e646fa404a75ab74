/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stream.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/bindpath.h"
#include "net/bytes.h"
#include "net/loop_uv.h"
#include "net/resolve.h"
#include "net/sockaddr.h"

#define ATTEMPT_MIN_MS       250 /* no address gets less, however many there are */
#define CONNECT_MS_DEFAULT   10000
#define USER_TIMEOUT_DEFAULT 30000
#define KEEPALIVE_S_DEFAULT  30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES     3
#define READ_MAX_DEFAULT     ((size_t)128 * 1024)
#define WRITE_MAX_DEFAULT    ((size_t)4 * 1024 * 1024)
#define READ_MIN             4096 /* room of a read, at least */
#define READS_PER_TURN       16   /* then the rest of the loop has its turn */
#define FRAME_HEADER         2
#define FRAME_MAX            65535

enum state { STATE_RESOLVING, STATE_CONNECTING, STATE_HANDSHAKE, STATE_OPEN, STATE_CLOSED };

struct stream {
    struct loop *loop;
    struct stream_options options; /* host and bind_device are NULL here: see below */
    char host[RESOLVE_HOST_MAX + 1];
    char device[IFNAMSIZ];
    enum state state;
    struct resolve *resolve; /* NULL when no question is out */
    struct loop_timer *timer;
    struct loop_timer *kick; /* does from the loop what must not happen inside a caller's call */
    uint64_t deadline_ms;    /* mono; of the whole connect */
    struct resolve_result found;
    size_t tried; /* of the addresses found */
    int fd;       /* -1 = none */
    struct loop_poll *poll;
    int events;                /* watched now */
    void *layer;               /* owned, of options.layer; NULL = none, or not yet */
    int wants;                 /* what it waits for, after it could not go on */
    struct errinfo layer_info; /* of its failure, with the address in use */
    struct bytes in, out;
    bool must_tell_drained;
    enum stream_close why; /* with info: the failure to tell when the kick comes */
    bool broken;
    struct errinfo info;
    bool in_callback, freed;
};

static void try_next(struct stream *stream);

/* Lets go of the socket; the watch goes first, or libuv aborts. */
static void drop_socket(struct stream *stream)
{
    if (stream->layer != NULL) {
        stream->options.layer->free(TAKE(stream->layer));
    }
    loop_poll_free(TAKE(stream->poll));
    stream->events = 0;
    if (stream->fd >= 0) {
        (void)close(stream->fd); /* nothing to do about it; the descriptor is gone either way */
        stream->fd = -1;
    }
}

static void release(struct stream *stream)
{
    resolve_cancel(TAKE(stream->resolve));
    drop_socket(stream);
    loop_timer_free(TAKE(stream->timer));
    loop_timer_free(TAKE(stream->kick));
    bytes_deinit(&stream->in);
    bytes_deinit(&stream->out);
    stream->state = STATE_CLOSED;
}

static void enter(struct stream *stream)
{
    assert(!stream->in_callback);
    stream->in_callback = true;
}

static void leave(struct stream *stream)
{
    stream->in_callback = false;
    if (stream->freed) {
        free(stream);
    }
}

/* Tells the owner of the end. Only from the loop. */
static void end(struct stream *stream, enum stream_close why, const struct errinfo *info)
{
    struct errinfo told = *info;
    release(stream);
    stream->options.closed(stream->options.context, why, &told);
}

static enum err err_of(enum stream_close why, int errno_value)
{
    switch (why) {
    case STREAM_CLOSE_PEER:
        return ERR_CLOSED;
    case STREAM_CLOSE_TIMEOUT:
        return ERR_TIMEOUT;
    case STREAM_CLOSE_LIMIT:
        return ERR_LIMIT;
    default:
        return err_from_errno(errno_value);
    }
}

/* "connecting to ns1.example.net (192.0.2.1) port 53: Connection refused" */
static void describe(struct stream *stream, enum stream_close why, int errno_value, const char *doing)
{
    char text[128];
    char ip_text[IP_TEXT_SIZE];
    struct ip peer = stream_peer(stream);
    (void)ip_format(&peer, ip_text);
    bool named = peer.family != IP_NONE && !view_equals(view_of(ip_text), stream->host);
    const char *what = errno_value == 0 ? "closed by the peer" : uv_strerror_r(-errno_value, text, sizeof(text));
    bool layer = stream->layer_info.err != ERR_OK;
    (void)errinfo_set(&stream->info, layer ? stream->layer_info.err : err_of(why, errno_value), layer ? "tls" : "tcp",
                      layer ? stream->layer_info.native : errno_value, "%s %s%s%s%s port %u: %s", doing, stream->host,
                      named ? " (" : "", named ? ip_text : "", named ? ")" : "", (unsigned)stream->options.port,
                      layer ? stream->layer_info.text : what);
}

static void end_errno(struct stream *stream, enum stream_close why, int errno_value, const char *doing)
{
    describe(stream, why, errno_value, doing);
    end(stream, why, &stream->info);
}

/* Remembers a failure found inside a call of the owner and tells it from the loop. */
static void break_later(struct stream *stream, enum stream_close why, int errno_value, const char *doing)
{
    describe(stream, why, errno_value, doing);
    stream->why = why;
    stream->broken = true;
    loop_timer_at(stream->kick, 0);
}

static int watch(struct stream *stream, int events)
{
    if (stream->events == events) {
        return 0;
    }
    enum err err = loop_poll_events(stream->poll, events);
    stream->events = err == ERR_OK ? events : 0;
    return err == ERR_OK ? 0 : EIO;
}

/* What the layer answered as an errno. */
static int layer_errno(struct stream *stream, enum err err)
{
    if (err == ERR_OK || err == ERR_AGAIN || err == ERR_CLOSED) {
        return err == ERR_AGAIN ? EAGAIN : 0;
    }
    stream->layer_info.err = err;
    return EPROTO;
}

/* As send(2). */
static ssize_t put(struct stream *stream, struct view data)
{
    size_t sent = 0;
    if (stream->layer == NULL) {
        stream->wants = LOOP_WRITABLE;
        return send(stream->fd, data.ptr, data.len, MSG_NOSIGNAL);
    }
    enum err err = stream->options.layer->send(stream->layer, data, &sent, &stream->wants, &stream->layer_info);
    errno = err == ERR_CLOSED ? EPIPE : layer_errno(stream, err);
    return err == ERR_OK ? (ssize_t)sent : -1;
}

/* As recv(2). */
static ssize_t get(struct stream *stream, char *buffer, size_t room)
{
    size_t got = 0;
    if (stream->layer == NULL) {
        return recv(stream->fd, buffer, room, 0);
    }
    enum err err = stream->options.layer->recv(stream->layer, buffer, room, &got, &stream->wants, &stream->layer_info);
    errno = layer_errno(stream, err);
    return err == ERR_OK || err == ERR_CLOSED ? (ssize_t)got : -1;
}

/* Hands what it can to the kernel. @return errno, 0 also when some had to wait. */
static int flush(struct stream *stream)
{
    while (stream->out.len > 0) {
        ssize_t sent = put(stream, view_n(stream->out.ptr + stream->out.head, stream->out.len));
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            return errno;
        }
        if (sent < 0) {
            stream->must_tell_drained = true;
            return watch(stream, LOOP_READABLE | stream->wants);
        }
        bytes_consume(&stream->out, (size_t)sent);
    }
    return watch(stream, LOOP_READABLE);
}

/* Gives the owner what is buffered. False when the stream ended. */
static bool hand_over(struct stream *stream)
{
    size_t had = stream->in.len;
    size_t taken = stream->options.read(stream->options.context, bytes_view(&stream->in));
    if (stream->freed) {
        return false;
    }
    bytes_consume(&stream->in, taken);
    if (taken == 0 && had == stream->in.max) {
        end_errno(stream, STREAM_CLOSE_LIMIT, EMSGSIZE, "reading from");
        return false;
    }
    return true;
}

static void fill(struct stream *stream)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        size_t room = MIN(stream->in.max - stream->in.len, MAX(stream->in.size / 2, (size_t)READ_MIN));
        if (bytes_reserve(&stream->in, room) != ERR_OK) {
            end_errno(stream, STREAM_CLOSE_IO, ENOMEM, "reading from");
            return;
        }
        ssize_t got = get(stream, bytes_tail(&stream->in), room);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            int error = got < 0 ? errno : 0;
            end_errno(stream, got < 0 ? STREAM_CLOSE_IO : STREAM_CLOSE_PEER, error,
                      got < 0 ? "reading from" : "connection to");
            return;
        }
        bytes_commit(&stream->in, (size_t)got);
        if (!hand_over(stream)) {
            return;
        }
        if ((size_t)got < room && stream->layer == NULL) {
            return; /* the kernel had no more: spares the call that would say EAGAIN */
        }
    }
    if (stream->layer != NULL) {
        loop_timer_at(stream->kick, 0); /* what the layer holds already makes no socket readable */
    }
}

static int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static void connected(struct stream *stream)
{
    stream->state = STATE_OPEN;
    loop_timer_stop(stream->timer);
    stream->options.connected(stream->options.context);
    if (stream->freed) {
        return;
    }
    int error = flush(stream);
    if (error != 0) {
        end_errno(stream, STREAM_CLOSE_IO, error, "writing to");
    }
}

static void give_up_address(struct stream *stream, int error)
{
    (void)errinfo_set(&stream->info, err_from_errno(error), "tcp", error, "%s", "");
    try_next(stream);
}

static void on_handshake(struct stream *stream)
{
    enum err err = stream->options.layer->handshake(stream->layer, &stream->wants, &stream->layer_info);
    int error = layer_errno(stream, err);
    if (err == ERR_AGAIN) {
        error = watch(stream, stream->wants);
    } else if (error == 0) {
        connected(stream);
    }
    if (error != 0) {
        give_up_address(stream, error);
    }
}

static void on_connecting(struct stream *stream)
{
    const struct stream_layer *layer = stream->options.layer;
    int error = socket_error(stream->fd);
    if (error != 0) {
        give_up_address(stream, error);
    } else if (layer == NULL) {
        connected(stream);
    } else if (layer->open(stream->options.layer_context, stream->fd, stream->host, &stream->layer) != ERR_OK) {
        give_up_address(stream, ENOMEM);
    } else {
        stream->state = STATE_HANDSHAKE;
        on_handshake(stream);
    }
}

static void on_open(struct stream *stream, int events)
{
    if (events == 0) {
        int error = socket_error(stream->fd);
        end_errno(stream, STREAM_CLOSE_IO, error != 0 ? error : EIO, "connection to");
        return;
    }
    if (events & (LOOP_WRITABLE | stream->wants)) {
        int error = flush(stream);
        if (error != 0) {
            end_errno(stream, STREAM_CLOSE_IO, error, "writing to");
            return;
        }
        if (stream->out.len == 0 && stream->must_tell_drained) {
            stream->must_tell_drained = false;
            if (stream->options.drained != NULL) {
                stream->options.drained(stream->options.context);
            }
        }
    }
    if ((events & LOOP_READABLE) && !stream->freed && !stream->broken) {
        fill(stream);
    }
}

static void on_ready(void *context, int events)
{
    struct stream *stream = context;
    enter(stream);
    stream->events = events == 0 ? 0 : stream->events; /* an error pauses the watch */
    if (stream->state == STATE_CONNECTING) {
        on_connecting(stream);
    } else if (stream->state == STATE_HANDSHAKE) {
        on_handshake(stream);
    } else {
        on_open(stream, events);
    }
    leave(stream);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value)); /* a comfort: the connection works without */
}

static void tune(const struct stream *stream)
{
    set_option(stream->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(stream->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(stream->fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)stream->options.keepalive_s);
    set_option(stream->fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(stream->fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)stream->options.user_timeout_ms);
}

/* Begins to connect to one address. @return errno. */
static int try_address(struct stream *stream, const struct sockaddr_storage *address)
{
    stream->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (stream->fd < 0) {
        return errno;
    }
    tune(stream);
    uint8_t family = address->ss_family == AF_INET ? IP_V4 : IP_V6;
    if (bindpath(stream->fd, family, stream->device, &stream->options.local, 0) != ERR_OK) {
        return errno;
    }
    socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (connect(stream->fd, (const struct sockaddr *)address, len) != 0 && errno != EINPROGRESS) {
        return errno;
    }
    if (loop_poll_new(stream->loop, stream->fd, on_ready, stream, &stream->poll) != ERR_OK) {
        return ENOMEM;
    }
    return watch(stream, LOOP_WRITABLE);
}

/* The time left is shared among the addresses left, so that a dead one does not eat it all. */
static void arm_attempt(struct stream *stream)
{
    uint64_t now = clock_mono_ms();
    uint64_t left_ms = stream->deadline_ms > now ? stream->deadline_ms - now : 0;
    uint64_t share_ms = left_ms / (stream->found.len - stream->tried + 1);
    loop_timer_at(stream->timer, MIN(stream->deadline_ms, now + MAX(share_ms, (uint64_t)ATTEMPT_MIN_MS)));
}

static void try_next(struct stream *stream)
{
    int error = (int)stream->info.native;
    while (stream->tried < stream->found.len) {
        drop_socket(stream);
        stream->layer_info = (struct errinfo){0};
        error = try_address(stream, &stream->found.addresses[stream->tried++]);
        if (error == 0) {
            stream->state = STATE_CONNECTING;
            arm_attempt(stream);
            return;
        }
    }
    end_errno(stream, STREAM_CLOSE_CONNECT, error, "connecting to");
}

static void on_timer(void *context)
{
    struct stream *stream = context;
    enter(stream);
    if (clock_mono_ms() >= stream->deadline_ms) {
        const char *doing = stream->state == STATE_RESOLVING   ? "resolving the name of"
                            : stream->state == STATE_HANDSHAKE ? "waiting for the TLS handshake of"
                                                               : "connecting to";
        end_errno(stream, STREAM_CLOSE_TIMEOUT, ETIMEDOUT, doing);
    } else {
        (void)errinfo_set(&stream->info, ERR_TIMEOUT, "tcp", ETIMEDOUT, "%s", "");
        try_next(stream);
    }
    leave(stream);
}

static void on_resolved(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    struct stream *stream = context;
    stream->resolve = NULL;
    enter(stream);
    if (result->len > 0) {
        stream->found = *result;
        try_next(stream);
    } else {
        end(stream, STREAM_CLOSE_RESOLVE, info);
    }
    leave(stream);
}

static void on_kick(void *context)
{
    struct stream *stream = context;
    enter(stream);
    if (stream->broken) {
        end(stream, stream->why, &stream->info);
    } else if (stream->state == STATE_RESOLVING && stream->found.len > 0) {
        try_next(stream);
    } else if (stream->state == STATE_OPEN && stream->layer != NULL) {
        fill(stream); /* with what the layer holds */
    }
    leave(stream);
}

static void set_defaults(struct stream_options *options)
{
    options->host = NULL;
    options->bind_device = NULL;
    options->connect_ms = options->connect_ms != 0 ? options->connect_ms : CONNECT_MS_DEFAULT;
    options->user_timeout_ms = options->user_timeout_ms != 0 ? options->user_timeout_ms : USER_TIMEOUT_DEFAULT;
    options->keepalive_s = options->keepalive_s != 0 ? options->keepalive_s : KEEPALIVE_S_DEFAULT;
    options->read_max = options->read_max != 0 ? options->read_max : READ_MAX_DEFAULT;
    options->write_max = options->write_max != 0 ? options->write_max : WRITE_MAX_DEFAULT;
}

static enum err begin(struct stream *stream)
{
    enum err err = loop_timer_new(stream->loop, on_timer, stream, &stream->timer);
    if (err == ERR_OK) {
        err = loop_timer_new(stream->loop, on_kick, stream, &stream->kick);
    }
    if (err != ERR_OK) {
        return err;
    }
    stream->deadline_ms = clock_mono_ms() + stream->options.connect_ms;
    loop_timer_at(stream->timer, stream->deadline_ms);
    if (resolve_numeric(stream->host, stream->options.port, &stream->found)) {
        loop_timer_at(stream->kick, 0);
        return ERR_OK;
    }
    return resolve_start(stream->loop, stream->host, stream->options.port, on_resolved, stream, &stream->resolve);
}

enum err stream_new(struct loop *loop, const struct stream_options *options, struct stream **ret_stream)
{
    struct view host = view_of(options->host);
    if (host.len == 0 || host.len > RESOLVE_HOST_MAX || options->port == 0) {
        return ERR_INVALID;
    }
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return ERR_NOMEM;
    }
    stream->loop = loop;
    stream->fd = -1;
    stream->options = *options;
    set_defaults(&stream->options);
    bytes_init(&stream->in, stream->options.read_max);
    bytes_init(&stream->out, stream->options.write_max);
    enum err err = view_copy(host, stream->host, sizeof(stream->host));
    if (err == ERR_OK && view_copy(view_of(options->bind_device), stream->device, sizeof(stream->device)) != ERR_OK) {
        err = ERR_INVALID;
    }
    if (err == ERR_OK) {
        err = begin(stream);
    }
    if (err != ERR_OK) {
        stream_free(stream);
        return err;
    }
    *ret_stream = stream;
    return ERR_OK;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    release(stream);
    if (stream->in_callback) {
        stream->freed = true;
    } else {
        free(stream);
    }
}

static enum err write_parts(struct stream *stream, struct view header, struct view body)
{
    if (stream->state == STATE_CLOSED || stream->broken) {
        return ERR_CLOSED;
    }
    if (body.len > SIZE_MAX - header.len) {
        return ERR_LIMIT;
    }
    enum err err = bytes_reserve(&stream->out, header.len + body.len);
    if (err != ERR_OK) {
        return err;
    }
    bytes_append(&stream->out, header);
    bytes_append(&stream->out, body);
    bool waits_for_room = (stream->events & LOOP_WRITABLE) != 0;
    if (stream->state == STATE_OPEN && !waits_for_room) {
        int error = flush(stream);
        if (error != 0) {
            break_later(stream, STREAM_CLOSE_IO, error, "writing to");
        }
    }
    return ERR_OK;
}

enum err stream_write(struct stream *stream, struct view data)
{
    return write_parts(stream, (struct view){0}, data);
}

enum err stream_write_framed(struct stream *stream, struct view message)
{
    if (message.len > FRAME_MAX) {
        return ERR_RANGE;
    }
    const char header[FRAME_HEADER] = {(char)(message.len >> 8), (char)(message.len & 0xff)};
    return write_parts(stream, view_n(header, sizeof(header)), message);
}

bool stream_next_framed(struct view *data, struct view *ret_message)
{
    if (data->len < FRAME_HEADER) {
        return false;
    }
    size_t len = (size_t)(unsigned char)data->ptr[0] << 8 | (unsigned char)data->ptr[1];
    if (data->len - FRAME_HEADER < len) {
        return false;
    }
    *ret_message = view_n(data->ptr + FRAME_HEADER, len);
    *data = view_n(data->ptr + FRAME_HEADER + len, data->len - FRAME_HEADER - len);
    return true;
}

size_t stream_pending(const struct stream *stream)
{
    return stream->out.len;
}

bool stream_is_connected(const struct stream *stream)
{
    return stream->state == STATE_OPEN && !stream->broken;
}

struct ip stream_peer(const struct stream *stream)
{
    return stream->tried == 0 ? (struct ip){0} : sockaddr_ip(&stream->found.addresses[stream->tried - 1]);
}

enum err stream_local(const struct stream *stream, struct ip *ret_ip, uint16_t *ret_port)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    if (stream->state != STATE_OPEN) {
        return ERR_STATE;
    }
    if (getsockname(stream->fd, (struct sockaddr *)&local, &len) != 0) {
        return err_from_errno(errno);
    }
    *ret_ip = sockaddr_ip(&local);
    *ret_port = sockaddr_port(&local);
    return ERR_OK;
}
