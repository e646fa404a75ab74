/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/leaveby.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
static const struct ip another = {.family = IP_V4, .bytes = {127, 0, 0, 2}};

static struct sockaddr_in listening;

/* @return 0, or what connect says; @p ret_device what the socket is bound to. */
static int connect_by(int type, char ret_device[static IF_NAMESIZE])
{
    int fd = socket(AF_INET, type, 0);
    int result = connect(fd, (const struct sockaddr *)&listening, sizeof(listening)) == 0 ? 0 : errno;
    socklen_t len = IF_NAMESIZE;
    memset(ret_device, 0, IF_NAMESIZE);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ret_device, &len), 0);
    (void)close(fd);
    return result;
}

static void binds_what_goes_to_the_peer_and_nothing_else(void **state)
{
    (void)state;
    char device[IF_NAMESIZE];
    socklen_t len = sizeof(listening);
    listening = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&listening, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&listening, &len), 0);
    assert_int_equal(connect_by(SOCK_STREAM, device), 0);
    assert_string_equal(device, "");
    leaveby_set(&loopback, "lo");
    assert_int_equal(connect_by(SOCK_STREAM, device), 0);
    assert_string_equal(device, "lo");
    assert_int_equal(connect_by(SOCK_DGRAM, device), 0);
    assert_string_equal(device, "");
    leaveby_set(&another, "lo");
    assert_int_equal(connect_by(SOCK_STREAM, device), 0);
    assert_string_equal(device, "");
    leaveby_set(&loopback, "no-such-link"); /* never by another way */
    assert_int_equal(connect_by(SOCK_STREAM, device), ENODEV);
    leaveby_clear();
    assert_int_equal(connect_by(SOCK_STREAM, device), 0);
    assert_string_equal(device, "");
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(binds_what_goes_to_the_peer_and_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
