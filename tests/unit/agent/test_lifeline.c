/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/lifeline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void finds_and_probes_connections(void **state)
{
    (void)state;
    struct ip found[LIFELINE_MAX];
    assert_int_equal(lifeline_addresses(found), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); /* no address: not counted */
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(lifeline_addresses(found), 0); /* listening is no connection */
    assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
    assert_int_equal(lifeline_addresses(found), 1);
    char text[IP_TEXT_SIZE];
    (void)ip_format(&found[0], text);
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 0);
    lifeline_probe(0); /* asks nothing, and is patient with what is sent */
    assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 1000 * LIFELINE_PATIENCE_S);
    static const int cases[][4] = {{1, 1, 1, 3500}, {8, 4, 1, 7500}, {9, 4, 1, 8500}, {80, 40, 10, 75000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lifeline_probe(cases[i][0]);
        assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPIDLE), cases[i][1]);
        assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPINTVL), cases[i][2]);
        assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), cases[i][3]);
    }
    lifeline_probe(0);
    assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(listener, SOL_SOCKET, SO_KEEPALIVE), 0);
    lifeline_cut();
    char byte;
    assert_int_equal(recv(client, &byte, 1, 0), 0); /* the end, without a peer that said so */
    assert_int_equal(send(pair[0], "x", 1, 0), 1);  /* what is no connection stays */
    (void)close(client);
    assert_int_equal(lifeline_addresses(found), 0);
    (void)close(listener);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_and_probes_connections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
