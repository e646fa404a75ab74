/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"

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

#include "net/sockaddr.h"
#include "tests/lib/loop_run.h"

static const struct ip LOOPBACK = {.family = IP_V4, .bytes = {127, 0, 0, 1}};

struct asking {
    struct loop *loop;
    struct datagram *datagram;
    int answers, errno_value;
    char text[32];
    struct ip from;
    uint16_t from_port;
    bool free_it;
};

static void on_received(void *context, struct view data)
{
    struct asking *asking = context;
    asking->answers++;
    assert_int_equal(view_copy(data, asking->text, sizeof(asking->text)), ERR_OK);
    if (asking->free_it) {
        datagram_free(TAKE(asking->datagram));
    }
    loop_stop(asking->loop);
}

static void on_failed(void *context, int errno_value)
{
    struct asking *asking = context;
    asking->errno_value = errno_value;
    loop_stop(asking->loop);
}

static int bound_socket(uint16_t *ret_port)
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(&LOOPBACK, 0, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = sockaddr_port(&address);
    return fd;
}

static void begin(struct asking *asking, uint16_t port)
{
    struct datagram_options options = {
        .peer = LOOPBACK, .port = port, .received = on_received, .failed = on_failed, .context = asking};
    assert_int_equal(datagram_new(asking->loop, &options, &asking->datagram), ERR_OK);
}

static void questions_and_answers_pass_and_strangers_do_not(void **state)
{
    (void)state;
    struct asking asking = {0};
    uint16_t port;
    uint16_t stranger_port;
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    char question[16] = "";
    int server = bound_socket(&port);
    int stranger = bound_socket(&stranger_port);
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    begin(&asking, port);
    assert_int_equal(datagram_send(asking.datagram, view_of("who?")), ERR_OK);
    assert_int_equal(recvfrom(server, question, sizeof(question), 0, (struct sockaddr *)&from, &len), 4);
    assert_string_equal(question, "who?");
    assert_int_equal(sendto(stranger, "me", 2, 0, (struct sockaddr *)&from, len), 2);
    assert_int_equal(sendto(server, "you", 3, 0, (struct sockaddr *)&from, len), 3);
    asking.free_it = true;
    loop_run_or_fail(asking.loop);
    assert_int_equal(asking.answers, 1);
    assert_string_equal(asking.text, "you");
    loop_free(asking.loop);
    assert_int_equal(close(server), 0);
    assert_int_equal(close(stranger), 0);
}

static void a_closed_port_is_told_and_the_socket_lives_on(void **state)
{
    (void)state;
    struct asking asking = {0};
    uint16_t port;
    int server = bound_socket(&port);
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    begin(&asking, port);
    assert_int_equal(close(server), 0);
    for (int i = 0; i < 2; i++) {
        asking.errno_value = 0;
        assert_int_equal(datagram_send(asking.datagram, view_of("who?")), ERR_OK);
        loop_run_or_fail(asking.loop);
        assert_int_equal(asking.errno_value, ECONNREFUSED);
    }
    static char big[DATAGRAM_MAX + 1];
    assert_int_equal(datagram_send(asking.datagram, view_n(big, sizeof(big))), ERR_LIMIT);
    datagram_free(asking.datagram);
    struct datagram_options nobody = {.port = 53};
    assert_int_equal(datagram_new(asking.loop, &nobody, &asking.datagram), ERR_INVALID);
    loop_free(asking.loop);
}

static void on_received_from(void *context, struct view data, const struct ip *from, uint16_t port)
{
    struct asking *asking = context;
    asking->from = *from;
    asking->from_port = port;
    on_received(context, data);
}

/* One socket, two servers, and a stranger: each datagram says whose it is. */
static void without_a_peer_everybody_is_heard_and_named(void **state)
{
    (void)state;
    struct asking asking = {0};
    uint16_t ports[2];
    int servers[2] = {bound_socket(&ports[0]), bound_socket(&ports[1])};
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    struct datagram_options options = {
        .family = IP_V4, .local = LOOPBACK, .received_from = on_received_from, .context = &asking};
    assert_int_equal(datagram_new(asking.loop, &options, &asking.datagram), ERR_OK);
    struct ip local;
    uint16_t local_port;
    assert_int_equal(datagram_local(asking.datagram, &local, &local_port), ERR_OK);
    assert_true(ip_equal(&local, &LOOPBACK));
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        char question[8];
        assert_int_equal(datagram_send_to(asking.datagram, &LOOPBACK, ports[i], view_of("who?")), ERR_OK);
        assert_int_equal(recvfrom(servers[i], question, sizeof(question), 0, (struct sockaddr *)&from, &len), 4);
        assert_int_equal(sockaddr_port(&from), local_port); /* the same socket asks both */
        assert_int_equal(sendto(servers[i], "you", 3, 0, (struct sockaddr *)&from, len), 3);
        loop_run_or_fail(asking.loop);
        assert_int_equal(asking.from_port, ports[i]);
        assert_true(ip_equal(&asking.from, &LOOPBACK));
        assert_int_equal(close(servers[i]), 0);
    }
    const struct ip other_family = {.family = IP_V6, .bytes = {[15] = 1}};
    assert_int_equal(datagram_send_to(asking.datagram, &other_family, 9, view_of("who?")), ERR_INVALID);
    datagram_free(asking.datagram);
    loop_free(asking.loop);
}

static void the_way_out_is_bound_or_refused(void **state)
{
    (void)state;
    struct loop *loop;
    struct datagram *datagram;
    uint16_t port;
    int server = bound_socket(&port);
    assert_int_equal(loop_new(&loop), ERR_OK);
    const struct ip v6 = {.family = IP_V6, .bytes = {[15] = 1}};
    const struct ip elsewhere = {.family = IP_V4, .bytes = {192, 0, 2, 1}};
    const struct ip other = {.family = IP_V4, .bytes = {127, 9, 8, 7}};
    struct ip local;
    uint16_t local_port;
    struct datagram_options options = {.peer = LOOPBACK, .port = port, .received = on_received, .local = v6};
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_INVALID);
    options.local = elsewhere;
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_IO);
    options.local = other;
    options.bind_device = "no-such-device";
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_NOTFOUND);
    options.bind_device = "a-name-longer-than-any-device";
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_INVALID);
    options.bind_device = "lo";
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_OK);
    assert_int_equal(datagram_local(datagram, &local, &local_port), ERR_OK);
    assert_true(ip_equal(&local, &other));
    datagram_free(datagram);
    options.local_port = port; /* the server's, on another address: free there */
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_OK);
    datagram_free(datagram);
    options.local = LOOPBACK;
    assert_int_equal(datagram_new(loop, &options, &datagram), ERR_EXISTS);
    struct datagram_options nothing = {.local_port = port};
    assert_int_equal(datagram_new(loop, &nothing, &datagram), ERR_INVALID);
    assert_int_equal(close(server), 0);
    loop_free(loop);
}

/* Two listeners share a port and a group; what is sent to the group reaches both. */
static void a_multicast_group_is_heard_by_all_who_joined(void **state)
{
    (void)state;
    struct asking asking[2] = {{0}, {0}};
    const struct ip group = {.family = IP_V4, .bytes = {224, 0, 0, 1}};
    struct ip local;
    uint16_t port = 0;
    struct loop *loop;
    assert_int_equal(loop_new(&loop), ERR_OK);
    for (int i = 0; i < 2; i++) {
        asking[i].loop = loop;
        struct datagram_options options = {.family = IP_V4,
                                           .local_port = port,
                                           .share_port = true,
                                           .received_from = on_received_from,
                                           .context = &asking[i]};
        assert_int_equal(datagram_new(loop, &options, &asking[i].datagram), ERR_OK);
        if (port == 0) {
            assert_int_equal(datagram_local(asking[i].datagram, &local, &port), ERR_OK);
        }
        assert_int_equal(datagram_join(asking[i].datagram, &group, "no-such-device"), ERR_NOTFOUND);
        assert_int_equal(datagram_join(asking[i].datagram, &group, "lo"), ERR_OK);
    }
    int router = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ip_mreqn out = {.imr_address.s_addr = htonl(INADDR_LOOPBACK), .imr_ifindex = (int)if_nametoindex("lo")};
    assert_int_equal(setsockopt(router, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)), 0);
    struct sockaddr_storage to;
    socklen_t len = sockaddr_make(&group, port, &to);
    assert_int_equal(sendto(router, "new", 3, 0, (struct sockaddr *)&to, len), 3);
    while (asking[0].answers == 0 || asking[1].answers == 0) {
        loop_run_or_fail(loop);
    }
    for (int i = 0; i < 2; i++) {
        assert_string_equal(asking[i].text, "new");
        datagram_free(asking[i].datagram);
    }
    assert_int_equal(close(router), 0);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_and_answers_pass_and_strangers_do_not),
        cmocka_unit_test(a_closed_port_is_told_and_the_socket_lives_on),
        cmocka_unit_test(without_a_peer_everybody_is_heard_and_named),
        cmocka_unit_test(the_way_out_is_bound_or_refused),
        cmocka_unit_test(a_multicast_group_is_heard_by_all_who_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
