/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/lifeline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void finds_the_local_ends_of_connections(void **state)
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
    (void)close(client);
    assert_int_equal(lifeline_addresses(found), 0);
    (void)close(listener);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_local_ends_of_connections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
