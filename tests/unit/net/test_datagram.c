/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sockaddr.h"

static const struct ip LOOPBACK = {.family = IP_V4, .bytes = {127, 0, 0, 1}};

struct asking {
    struct loop *loop;
    struct datagram *datagram;
    int answers, errno_value;
    char text[32];
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

static void give_up(void *context)
{
    (void)context;
    fail_msg("nothing came in time");
}

static void run(struct loop *loop)
{
    struct loop_timer *deadline;
    assert_int_equal(loop_timer_new(loop, give_up, NULL, &deadline), ERR_OK);
    loop_timer_after(deadline, 30000);
    loop_run(loop);
    loop_timer_free(deadline);
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
    run(asking.loop);
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
        run(asking.loop);
        assert_int_equal(asking.errno_value, ECONNREFUSED);
    }
    static char big[DATAGRAM_MAX + 1];
    assert_int_equal(datagram_send(asking.datagram, view_n(big, sizeof(big))), ERR_LIMIT);
    datagram_free(asking.datagram);
    struct datagram_options nobody = {.port = 53};
    assert_int_equal(datagram_new(asking.loop, &nobody, &asking.datagram), ERR_INVALID);
    loop_free(asking.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_and_answers_pass_and_strangers_do_not),
        cmocka_unit_test(a_closed_port_is_told_and_the_socket_lives_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
