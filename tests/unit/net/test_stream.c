/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sockaddr.h"
#include "tests/lib/loop_run.h"

/* A listener on 127.0.0.1 whose one connection is served by `script` on a thread. */
struct server {
    int listener;
    uint16_t port;
    void (*script)(struct server *server, int fd);
    pthread_t thread;
    sem_t go; /* posted by the test */
    size_t received;
    unsigned sum;
    struct ip peer; /* who connected */
};

struct client {
    struct loop *loop;
    struct stream *stream;
    struct server *server;
    bool connected, drained, closed;
    enum stream_close why;
    struct errinfo info;
    size_t (*consume)(struct client *client, struct view data);
    size_t messages, bytes;
    bool free_in_read, free_in_connected;
};

static void *serve(void *context)
{
    struct server *server = context;
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    int fd = accept4(server->listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    if (fd >= 0) {
        server->peer = sockaddr_ip(&from);
        server->script(server, fd);
        (void)close(fd); /* the test is over either way */
    }
    return NULL;
}

static uint16_t listen_on(int fd, int backlog)
{
    struct sockaddr_storage address;
    struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    socklen_t len = sockaddr_make(&loopback, 0, &address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return sockaddr_port(&address);
}

static void server_start(struct server *server, void (*script)(struct server *server, int fd))
{
    *server = (struct server){.script = script};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    server->port = listen_on(server->listener, 8);
    assert_int_equal(sem_init(&server->go, 0, 0), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_join(struct server *server)
{
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_int_equal(close(server->listener), 0);
    assert_int_equal(sem_destroy(&server->go), 0);
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

static void on_connected(void *context)
{
    struct client *client = context;
    client->connected = true;
    if (client->free_in_connected) {
        stream_free(TAKE(client->stream));
        loop_stop(client->loop);
    }
}

static size_t on_read(void *context, struct view data)
{
    struct client *client = context;
    if (client->free_in_read) {
        stream_free(TAKE(client->stream));
        loop_stop(client->loop);
        return 0;
    }
    return client->consume != NULL ? client->consume(client, data) : data.len;
}

static void on_drained(void *context)
{
    struct client *client = context;
    client->drained = true;
    loop_stop(client->loop);
}

static void on_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    struct client *client = context;
    assert_false(client->closed);
    client->closed = true;
    client->why = why;
    client->info = *info;
    stream_free(TAKE(client->stream));
    loop_stop(client->loop);
}

static enum err client_start(struct client *client, const char *host, uint16_t port, struct stream_options options)
{
    options.host = host;
    options.port = port;
    options.connected = on_connected;
    options.read = on_read;
    options.drained = on_drained;
    options.closed = on_closed;
    options.context = client;
    return stream_new(client->loop, &options, &client->stream);
}

static int make_client(void **state)
{
    struct client *client = calloc(1, sizeof(*client));
    *state = client;
    return client != NULL && loop_new(&client->loop) == ERR_OK ? 0 : -1;
}

static int drop_client(void **state)
{
    struct client *client = *state;
    stream_free(client->stream);
    loop_free(client->loop);
    free(client);
    return 0;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
}

static bool receive_all(int fd, char *bytes, size_t len)
{
    return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

/* Sends three framed messages back, byte by byte at first, then in one piece, then waits for the end. */
static void answer_framed(struct server *server, int fd)
{
    char query[5];
    if (!receive_all(fd, query, sizeof(query)) || memcmp(query, "\0\3abc", 5) != 0) {
        return;
    }
    server->received = sizeof(query);
    const char answer[] = "\0\2xy\0\0\0\3end";
    for (size_t i = 0; i < 4; i++) {
        send_all(fd, answer + i, 1);
    }
    send_all(fd, answer + 4, sizeof(answer) - 1 - 4);
}

static size_t consume_framed(struct client *client, struct view data)
{
    struct view rest = data;
    struct view message;
    static const char *const expected[] = {"xy", "", "end"};
    while (stream_next_framed(&rest, &message)) {
        assert_true(client->messages < ARRAY_LEN(expected));
        assert_true(view_equals(message, expected[client->messages++]));
    }
    return data.len - rest.len;
}

static void framed_messages_go_and_come(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, answer_framed);
    client->consume = consume_framed;
    assert_int_equal(client_start(client, "127.0.0.1", server.port, (struct stream_options){0}), ERR_OK);
    assert_int_equal(stream_write_framed(client->stream, view_of("abc")), ERR_OK); /* before it is connected */
    assert_int_equal(stream_pending(client->stream), 5);
    static char big[65536];
    assert_int_equal(stream_write_framed(client->stream, view_n(big, sizeof(big))), ERR_RANGE);
    loop_run_or_fail(client->loop);
    server_join(&server);
    assert_int_equal(server.received, 5);
    assert_true(client->connected);
    assert_int_equal(client->messages, 3);
    assert_int_equal(client->why, STREAM_CLOSE_PEER);
    assert_int_equal(client->info.err, ERR_CLOSED);
}

static void a_name_with_a_dead_address_ends_at_the_living_one(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, answer_framed); /* nothing listens on ::1 */
    client->consume = consume_framed;
    assert_int_equal(client_start(client, "localhost", server.port, (struct stream_options){0}), ERR_OK);
    assert_int_equal(stream_write_framed(client->stream, view_of("abc")), ERR_OK);
    loop_run_or_fail(client->loop);
    server_join(&server);
    assert_int_equal(client->messages, 3);
}

static void a_refused_connection_says_so(void **state)
{
    struct client *client = *state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage address;
    struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    socklen_t len = sockaddr_make(&loopback, 0, &address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0); /* bound and not listening: ours, and refusing */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(client_start(client, "127.0.0.1", sockaddr_port(&address), (struct stream_options){0}), ERR_OK);
    assert_false(client->closed); /* never from inside stream_new */
    loop_run_or_fail(client->loop);
    assert_int_equal(client->why, STREAM_CLOSE_CONNECT);
    assert_int_equal(client->info.native, ECONNREFUSED);
    assert_non_null(strstr(client->info.text, "connecting to 127.0.0.1 port "));
    assert_int_equal(close(fd), 0);
}

static void a_name_that_cannot_exist_says_so(void **state)
{
    struct client *client = *state;
    const char *label_over_63 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.localhost";
    assert_int_equal(client_start(client, label_over_63, 53, (struct stream_options){0}), ERR_OK);
    loop_run_or_fail(client->loop);
    assert_int_equal(client->why, STREAM_CLOSE_RESOLVE);
    assert_string_equal(client->info.layer, "dns");
    assert_int_equal(client_start(client, "", 53, (struct stream_options){0}), ERR_INVALID);
    assert_int_equal(client_start(client, "127.0.0.1", 0, (struct stream_options){0}), ERR_INVALID);
}

static void a_silent_host_runs_into_the_deadline(void **state)
{
    struct client *client = *state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = listen_on(listener, 0);
    struct sockaddr_storage address;
    struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    socklen_t len = sockaddr_make(&loopback, port, &address);
    int fillers[4]; /* fill the accept queue: the kernel then drops every further SYN */
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, len); /* in progress, for ever */
    }
    assert_int_equal(client_start(client, "127.0.0.1", port, (struct stream_options){.connect_ms = 300}), ERR_OK);
    loop_run_or_fail(client->loop);
    assert_int_equal(client->why, STREAM_CLOSE_TIMEOUT);
    assert_int_equal(client->info.err, ERR_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        assert_int_equal(close(fillers[i]), 0);
    }
    assert_int_equal(close(listener), 0);
}

static void read_when_told(struct server *server, int fd)
{
    wait_for(&server->go);
    static char bytes[65536];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            server->sum = server->sum * 31 + (unsigned char)bytes[i];
        }
        server->received += (size_t)got;
    }
}

static void stop(void *context)
{
    loop_stop(context);
}

static void a_full_queue_pushes_back_and_then_drains(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, read_when_told);
    struct stream_options options = {.write_max = (size_t)1024 * 1024};
    assert_int_equal(client_start(client, "127.0.0.1", server.port, options), ERR_OK);
    struct loop_timer *tick;
    assert_int_equal(loop_timer_new(client->loop, stop, client->loop, &tick), ERR_OK);
    unsigned sum = 0;
    size_t written = 0;
    char piece[1000];
    enum err err = ERR_OK;
    for (int turns = 0; turns < 10000 && err == ERR_OK; turns++) {
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = (char)(written + i);
        }
        err = stream_write(client->stream, view_n(piece, sizeof(piece)));
        if (err == ERR_OK) {
            written += sizeof(piece);
            for (size_t i = 0; i < sizeof(piece); i++) {
                sum = sum * 31 + (unsigned char)piece[i];
            }
        }
        if (turns % 100 == 0) {
            loop_timer_after(tick, 0);
            loop_run(client->loop);
        }
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_false(client->drained);
    assert_int_equal(sem_post(&server.go), 0);
    loop_run_or_fail(client->loop);
    assert_true(client->drained);
    assert_int_equal(stream_pending(client->stream), 0);
    stream_free(TAKE(client->stream));
    server_join(&server);
    assert_int_equal(server.received, written);
    assert_int_equal(server.sum, sum);
    loop_timer_free(tick);
}

static void pour(struct server *server, int fd)
{
    (void)server;
    static const char bytes[65536];
    send_all(fd, bytes, sizeof(bytes));
    char rest;
    (void)recv(fd, &rest, 1, 0); /* until the other side closes */
}

static size_t consume_nothing(struct client *client, struct view data)
{
    client->bytes = data.len;
    return 0;
}

static void an_unread_flood_ends_at_the_cap(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, pour);
    client->consume = consume_nothing;
    assert_int_equal(client_start(client, "127.0.0.1", server.port, (struct stream_options){.read_max = 6000}), ERR_OK);
    loop_run_or_fail(client->loop);
    assert_int_equal(client->why, STREAM_CLOSE_LIMIT);
    assert_int_equal(client->bytes, 6000);
    server_join(&server);
}

static void reset_it(struct server *server, int fd)
{
    wait_for(&server->go);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); /* the test sees it in the outcome */
}

static void a_reset_is_told_with_its_errno(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, reset_it);
    assert_int_equal(client_start(client, "127.0.0.1", server.port, (struct stream_options){0}), ERR_OK);
    assert_int_equal(sem_post(&server.go), 0);
    loop_run_or_fail(client->loop);
    assert_true(client->why == STREAM_CLOSE_IO || client->why == STREAM_CLOSE_CONNECT);
    assert_int_equal(client->info.native, ECONNRESET);
    server_join(&server);
}

static void the_owner_may_free_in_any_callback(void **state)
{
    struct client *client = *state;
    struct server server;
    server_start(&server, pour);
    client->free_in_read = true;
    assert_int_equal(client_start(client, "127.0.0.1", server.port, (struct stream_options){0}), ERR_OK);
    loop_run_or_fail(client->loop);
    server_join(&server);
    server_start(&server, pour);
    client->free_in_connected = true;
    assert_int_equal(client_start(client, "localhost", server.port, (struct stream_options){0}), ERR_OK);
    loop_run_or_fail(client->loop);
    server_join(&server);
    assert_false(client->closed);
}

static void a_stream_may_be_freed_while_it_resolves(void **state)
{
    struct client *client = *state;
    assert_int_equal(client_start(client, "localhost", 9, (struct stream_options){0}), ERR_OK);
    stream_free(TAKE(client->stream)); /* the sanitizers judge; drop_client runs the loop out */
}

/* "localhost" has an IPv6 address that cannot be bound to an IPv4 one: it is passed over. */
static void the_way_out_is_bound_or_told_why_not(void **state)
{
    struct client *client = *state;
    struct server server;
    const struct ip other = {.family = IP_V4, .bytes = {127, 9, 8, 7}};
    server_start(&server, pour);
    client->free_in_connected = true;
    struct stream_options options = {.bind_device = "lo", .local = other};
    assert_int_equal(client_start(client, "localhost", server.port, options), ERR_OK);
    loop_run_or_fail(client->loop);
    server_join(&server);
    assert_true(ip_equal(&server.peer, &other));
    options.bind_device = "no-such-device";
    assert_int_equal(client_start(client, "127.0.0.1", 9, options), ERR_OK);
    loop_run_or_fail(client->loop);
    assert_int_equal(client->why, STREAM_CLOSE_CONNECT);
    assert_int_equal(client->info.native, ENODEV);
    options.bind_device = "a-name-longer-than-any-device";
    assert_int_equal(client_start(client, "127.0.0.1", 9, options), ERR_INVALID);
}

static void frames_are_cut_only_when_whole(void **state)
{
    (void)state;
    const char bytes[] = "\0\1a\1\0";
    struct view data = view_n(bytes, 5);
    struct view message;
    assert_true(stream_next_framed(&data, &message));
    assert_true(view_equals(message, "a"));
    assert_false(stream_next_framed(&data, &message)); /* 256 bytes announced, none there */
    assert_int_equal(data.len, 2);
    data = view_n(bytes, 1);
    assert_false(stream_next_framed(&data, &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(framed_messages_go_and_come, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_name_with_a_dead_address_ends_at_the_living_one, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_refused_connection_says_so, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_name_that_cannot_exist_says_so, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_silent_host_runs_into_the_deadline, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_full_queue_pushes_back_and_then_drains, make_client, drop_client),
        cmocka_unit_test_setup_teardown(an_unread_flood_ends_at_the_cap, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_reset_is_told_with_its_errno, make_client, drop_client),
        cmocka_unit_test_setup_teardown(the_owner_may_free_in_any_callback, make_client, drop_client),
        cmocka_unit_test_setup_teardown(a_stream_may_be_freed_while_it_resolves, make_client, drop_client),
        cmocka_unit_test_setup_teardown(the_way_out_is_bound_or_told_why_not, make_client, drop_client),
        cmocka_unit_test(frames_are_cut_only_when_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
