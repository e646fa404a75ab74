/* SPDX-License-Identifier: Apache-2.0 */
#include "net/udpserver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sockaddr.h"
#include "tests/lib/loop_run.h"

struct house {
    struct loop *loop;
    struct udpserver *server;
    struct ip peer;
    uint16_t peer_port;
    unsigned asked, wanted;
};

/* Says what it was told, but for "quiet"; one call of the loop for as many questions as the test asked. */
static size_t on_question(void *context, const struct ip *peer, uint16_t peer_port, struct view data, uint8_t *reply)
{
    struct house *house = context;
    house->peer = *peer;
    house->peer_port = peer_port;
    if (++house->asked == house->wanted) {
        loop_stop(house->loop);
    }
    if (view_equals(data, "quiet")) {
        return 0;
    }
    size_t len = MIN(data.len, (size_t)UDPSERVER_REPLY_MAX);
    memcpy(reply, data.ptr, len);
    return len;
}

static void serve(struct house *house, unsigned wanted)
{
    house->asked = 0;
    house->wanted = wanted;
    loop_run_or_fail(house->loop);
}

static enum err listen_on(struct house *house, const char *address, uint16_t port, struct errinfo *info)
{
    struct udpserver_options options = {.port = port, .answer = on_question, .context = house};
    assert_int_equal(ip_parse(view_of(address), &options.ip), ERR_OK);
    return udpserver_new(house->loop, &options, &house->server, info);
}

static void open_house(struct house *house, const char *address)
{
    struct errinfo info = {0};
    *house = (struct house){0};
    assert_int_equal(loop_new(&house->loop), ERR_OK);
    if (listen_on(house, address, 0, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

static void close_house(struct house *house)
{
    udpserver_free(house->server);
    loop_free(house->loop);
}

/* Connected: what comes from another address than the one that was asked is not seen. */
static int ask_from(const struct house *house, const char *address)
{
    struct ip ip;
    struct sockaddr_storage to;
    assert_int_equal(ip_parse(view_of(address), &ip), ERR_OK);
    socklen_t len = sockaddr_make(&ip, udpserver_port(house->server), &to);
    int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, len), 0);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    return sockaddr_port(&own);
}

static void assert_answered(struct house *house, const char *listen, const char *asked, const char *seen)
{
    char buffer[64], text[IP_TEXT_SIZE];
    open_house(house, listen);
    int fd = ask_from(house, asked);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    serve(house, 1);
    assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 5);
    assert_memory_equal(buffer, "hello", 5);
    (void)ip_format(&house->peer, text); /* its length is of no interest */
    assert_string_equal(text, seen);
    assert_int_equal(house->peer_port, port_of(fd));
    (void)close(fd); /* only read from */
    close_house(house);
}

static bool has_ipv6(void)
{
    struct ip ip = {.family = IP_V6, .bytes = {[15] = 1}};
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(&ip, 0, &address);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0;
    if (fd >= 0) {
        (void)close(fd); /* was only a probe */
    }
    return has;
}

static void test_answers_from_the_address_that_was_asked(void **state)
{
    (void)state;
    struct house house;
    assert_answered(&house, "127.0.0.1", "127.0.0.1", "127.0.0.1");
    assert_answered(&house, "0.0.0.0", "127.0.0.1", "127.0.0.1");
    /* By itself the kernel would answer from 127.0.0.1, and the asker's socket would drop that. */
    assert_answered(&house, "0.0.0.0", "127.77.0.5", "127.0.0.1");
    if (!has_ipv6()) {
        print_message("no IPv6 on this machine: the rest is left out\n");
        return;
    }
    assert_answered(&house, "::1", "::1", "::1");
    assert_answered(&house, "::", "::1", "::1");
    assert_answered(&house, "::", "127.77.0.5", "127.0.0.1");
}

static void test_a_burst_is_served_whole(void **state)
{
    (void)state;
    struct house house;
    char buffer[16];
    const unsigned count = UDPSERVER_BATCH * 3 + 5; /* more than one turn of the loop takes */
    open_house(&house, "127.0.0.1");
    int fd = ask_from(&house, "127.0.0.1");
    for (unsigned i = 0; i < count; i++) {
        int len = snprintf(buffer, sizeof(buffer), "%u", i);
        assert_int_equal(send(fd, buffer, (size_t)len, 0), len);
    }
    serve(&house, count);
    for (unsigned i = 0; i < count; i++) {
        char want[16];
        int len = snprintf(want, sizeof(want), "%u", i);
        assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), len);
        assert_memory_equal(buffer, want, (size_t)len);
    }
    struct udpserver_stats stats;
    udpserver_stats(house.server, &stats);
    assert_int_equal(stats.received, count);
    assert_int_equal(stats.sent, count);
    assert_int_equal(stats.bytes_sent, stats.bytes_received);
    assert_int_equal(stats.unsent, 0);
    (void)close(fd); /* only read from */
    close_house(&house);
}

static void test_silence_and_too_long(void **state)
{
    (void)state;
    struct house house;
    static const char LONG[UDPSERVER_REQUEST_MAX + 1];
    char buffer[UDPSERVER_REPLY_MAX + 1];
    open_house(&house, "127.0.0.1");
    int fd = ask_from(&house, "127.0.0.1");
    assert_int_equal(send(fd, LONG, sizeof(LONG), 0), sizeof(LONG));
    assert_int_equal(send(fd, "quiet", 5, 0), 5);
    assert_int_equal(send(fd, "", 0, 0), 0);
    assert_int_equal(send(fd, LONG, sizeof(LONG) - 1, 0), sizeof(LONG) - 1);
    serve(&house, 3);
    assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), UDPSERVER_REPLY_MAX);
    assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), -1);
    struct udpserver_stats stats;
    udpserver_stats(house.server, &stats);
    assert_int_equal(stats.oversized, 1);
    assert_int_equal(stats.received, 3);
    assert_int_equal(stats.sent, 1);
    (void)close(fd); /* only read from */
    close_house(&house);
}

static void test_a_port_in_use_and_a_foreign_address_are_told(void **state)
{
    (void)state;
    struct house house;
    struct errinfo info = {0};
    open_house(&house, "127.0.0.1");
    struct udpserver *first = house.server;
    assert_int_equal(listen_on(&house, "127.0.0.1", udpserver_port(first), &info), ERR_EXISTS);
    assert_non_null(strstr(info.text, "127.0.0.1 port"));
    assert_int_equal(listen_on(&house, "192.0.2.1", 0, &info), ERR_INVALID);
    const struct udpserver_options none = {.answer = on_question};
    assert_int_equal(udpserver_new(house.loop, &none, &house.server, &info), ERR_INVALID);
    assert_ptr_equal(house.server, first);
    close_house(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_from_the_address_that_was_asked),
        cmocka_unit_test(test_a_burst_is_served_whole),
        cmocka_unit_test(test_silence_and_too_long),
        cmocka_unit_test(test_a_port_in_use_and_a_foreign_address_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
