/* SPDX-License-Identifier: Apache-2.0 */
/* In a network namespace of its own, where port 53 is free and /etc/resolv.conf is the test's. */
#include "net/dnsask.h"

#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dnsquery.h"
#include "net/sockaddr.h"
#include "tests/lib/loop_run.h"

enum { SKIP = 77, MESSAGE_MAX = 512, TRUNCATED = 0x02, SERVFAIL = 2 };

/** A name server at an address. */
struct server {
    struct loop *loop;
    struct loop_poll *poll;
    int udp;
    unsigned asked, forgeries, rcode;
    bool truncates;
};

struct asking {
    struct loop *loop;
    unsigned called;
    size_t len;
    uint8_t last; /* byte of the reply */
    char text[ERRINFO_TEXT_MAX];
};

static void on_reply(void *context, struct view reply, const struct errinfo *info)
{
    struct asking *asking = context;
    asking->called++;
    asking->len = reply.len;
    asking->last = reply.len > 0 ? (uint8_t)reply.ptr[reply.len - 1] : 0;
    (void)snprintf(asking->text, sizeof(asking->text), "%s", info->text); /* same size */
    loop_stop(asking->loop);
}

/** The question becomes its answer, which ends in @p mark: an SOA record without sense, for what follows is not read.
 */
static size_t make_answer(uint8_t *message, size_t len, unsigned flags, unsigned rcode, uint8_t mark)
{
    static const uint8_t record[] = {0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 1};
    message[2] = (uint8_t)(0x80 | flags);
    message[3] = (uint8_t)rcode;
    message[7] = 1;
    memcpy(message + len, record, sizeof(record));
    message[len + sizeof(record)] = mark;
    return len + sizeof(record) + 1;
}

static void on_question(void *context, int events)
{
    struct server *server = context;
    uint8_t message[MESSAGE_MAX], forged[MESSAGE_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    (void)events;
    ssize_t got = recvfrom(server->udp, message, sizeof(message) - 32, 0, (struct sockaddr *)&from, &from_len);
    assert_true(got > 12);
    assert_int_equal(message[2] & 1, 1); /* recursion desired */
    server->asked++;
    for (unsigned i = 0; i < server->forgeries; i++) { /* another id, then another question */
        memcpy(forged, message, (size_t)got);
        forged[i == 0 ? 0 : (size_t)got - 3] ^= 1;
        size_t len = make_answer(forged, (size_t)got, 0, 0, 66);
        assert_int_equal(sendto(server->udp, forged, len, 0, (struct sockaddr *)&from, from_len), len);
    }
    size_t len = make_answer(message, (size_t)got, server->truncates ? TRUNCATED : 0, server->rcode, 1);
    assert_int_equal(sendto(server->udp, message, len, 0, (struct sockaddr *)&from, from_len), len);
}

static int bound(int type, uint8_t last)
{
    struct sockaddr_storage address;
    struct ip ip = {.family = IP_V4, .bytes = {127, 0, 0, last}};
    socklen_t len = sockaddr_make(&ip, 53, &address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

static void server_open(struct server *server, struct loop *loop, uint8_t last)
{
    server->loop = loop;
    server->udp = bound(SOCK_DGRAM, last);
    assert_int_equal(loop_poll_new(loop, server->udp, on_question, server, &server->poll), ERR_OK);
    assert_int_equal(loop_poll_events(server->poll, LOOP_READABLE), ERR_OK);
}

static void server_close(struct server *server)
{
    loop_poll_free(server->poll);
    assert_int_equal(close(server->udp), 0);
}

static void ask(struct asking *asking)
{
    struct dnsask *handle;
    asking->called = 0;
    assert_int_equal(dnsask_start(asking->loop, "zone.example", DNS_TYPE_SOA, on_reply, asking, &handle), ERR_OK);
    loop_run_or_fail(asking->loop);
    assert_int_equal(asking->called, 1);
}

static void servers_are_read_as_the_c_library_does(void **state)
{
    (void)state;
    struct ip servers[2];
    char text[IP_TEXT_SIZE];
    assert_int_equal(dnsask_servers(view_of("# nameserver 192.0.2.9\nsearch example\n"), servers, 2), 1);
    ip_format(&servers[0], text);
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(dnsask_servers(view_of("nameserver fe80::1%eth0\nnameservers 192.0.2.8\n"
                                            "  nameserver\t2001:db8::53  # ours\nnameserver 192.0.2.1\n"
                                            "nameserver 192.0.2.2"),
                                    servers, 2),
                     2);
    ip_format(&servers[0], text);
    assert_string_equal(text, "2001:db8::53");
    ip_format(&servers[1], text);
    assert_string_equal(text, "192.0.2.1");
}

static void the_next_server_answers_where_one_cannot(void **state)
{
    (void)state;
    struct asking asking = {0};
    struct server first = {.rcode = SERVFAIL}, second = {.forgeries = 2};
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    server_open(&second, asking.loop, 2);
    ask(&asking); /* nobody listens at the first: the kernel says so at once */
    assert_int_equal(asking.last, 1);
    server_open(&first, asking.loop, 1);
    ask(&asking);
    assert_int_equal(asking.last, 1); /* and none of the forgeries */
    assert_int_equal(first.asked, 1);
    assert_int_equal(second.asked, 2);
    second.rcode = SERVFAIL;
    ask(&asking);
    assert_int_equal(asking.len, 0);
    assert_non_null(strstr(asking.text, "127.0.0.2"));
    assert_non_null(strstr(asking.text, "zone.example: SERVFAIL"));
    assert_int_equal(first.asked, 3); /* each twice */
    server_close(&first);
    server_close(&second);
    loop_free(asking.loop);
}

static void *serve_tcp(void *context)
{
    int listener = *(int *)context;
    uint8_t message[2 + MESSAGE_MAX];
    int fd = accept(listener, NULL, NULL);
    ssize_t got = recv(fd, message, 2, MSG_WAITALL);
    size_t len = got == 2 ? (size_t)message[0] << 8 | message[1] : 0;
    if (len == 0 || len > MESSAGE_MAX - 32 || recv(fd, message + 2, len, MSG_WAITALL) != (ssize_t)len) {
        abort();
    }
    len = make_answer(message + 2, len, 0, 0, 7);
    message[0] = (uint8_t)(len >> 8);
    message[1] = (uint8_t)len;
    if (send(fd, message, len + 2, 0) != (ssize_t)len + 2) {
        abort();
    }
    (void)close(fd);
    return NULL;
}

static void a_truncated_answer_is_fetched_over_tcp(void **state)
{
    (void)state;
    struct asking asking = {0};
    struct server server = {.truncates = true};
    pthread_t thread;
    int listener = bound(SOCK_STREAM, 1);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    server_open(&server, asking.loop, 1);
    assert_int_equal(pthread_create(&thread, NULL, serve_tcp, &listener), 0);
    ask(&asking);
    assert_int_equal(asking.last, 7);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(listener), 0);
    server_close(&server);
    loop_free(asking.loop);
}

static void a_question_that_is_cancelled_is_not_answered(void **state)
{
    (void)state;
    struct asking asking = {0}, other = {0};
    struct dnsask *handle;
    struct server server = {.rcode = 0};
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    other.loop = asking.loop;
    server_open(&server, asking.loop, 1);
    assert_int_equal(dnsask_start(asking.loop, "", DNS_TYPE_SOA, on_reply, &asking, &handle), ERR_INVALID);
    assert_int_equal(dnsask_start(asking.loop, "zone.example", DNS_TYPE_SOA, on_reply, &other, &handle), ERR_OK);
    dnsask_cancel(handle);
    dnsask_cancel(NULL);
    ask(&asking);
    assert_int_equal(other.called, 0);
    assert_int_equal(server.asked, 1);
    server_close(&server);
    loop_free(asking.loop);
}

/** /etc/resolv.conf with two servers, in new namespaces. */
static bool make_world(void)
{
    char path[] = "/tmp/muster-resolv-XXXXXX";
    static const char config[] = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    int file = mkstemp(path);
    bool ok = file >= 0 && write(file, config, sizeof(config) - 1) == (ssize_t)sizeof(config) - 1 &&
              unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
    (void)close(file);
    (void)unlink(path); /* the mount keeps it */
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ok = ok && ioctl(any, SIOCSIFFLAGS, &lo) == 0;
    (void)close(any);
    return ok;
}

int main(void)
{
    if (!make_world()) {
        (void)fprintf(stderr, "no right to make network and mount namespaces\n");
        return SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_read_as_the_c_library_does),
        cmocka_unit_test(the_next_server_answers_where_one_cannot),
        cmocka_unit_test(a_truncated_answer_is_fetched_over_tcp),
        cmocka_unit_test(a_question_that_is_cancelled_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
