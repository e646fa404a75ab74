/* SPDX-License-Identifier: Apache-2.0 */
/* A name server that never answers must not hold up the loop: not while a transfer waits for it, and not when the
 * transfer ends before it. In namespaces of its own: needs the right to make them, else the test is skipped. */
#include "net/http.h"

#include <net/if.h>
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

#include "base/clock.h"
#include "net/resolve.h"
#include "net/sockaddr.h"

#define SKIP 77

static int silent_server = -1;

struct asking {
    struct loop *loop;
    enum err err;
    bool sent;
};

static void on_done(void *context, const struct http_result *result)
{
    struct asking *asking = context;
    asking->err = result->err;
    asking->sent = result->sent;
    loop_stop(asking->loop);
}

static void a_silent_name_server_costs_no_more_than_the_time_limit(void **state)
{
    (void)state;
    struct asking asking = {0};
    struct http_client *client;
    struct http_transfer *transfer;
    char byte;
    assert_int_equal(loop_new(&asking.loop), ERR_OK);
    assert_int_equal(http_client_new(asking.loop, &(struct http_client_options){0}, &client), ERR_OK);
    struct http_request request = {
        .url = "https://slow.example/", .timeout_ms = 300, .done = on_done, .context = &asking};
    uint64_t before = clock_mono_ms();
    assert_int_equal(http_start(client, &request, &transfer), ERR_OK);
    loop_run(asking.loop);
    uint64_t timed_out_ms = clock_mono_ms() - before;
    assert_int_equal(asking.err, ERR_TIMEOUT);
    assert_false(asking.sent);
    assert_true(recv(silent_server, &byte, 1, MSG_TRUNC) > 0); /* it is asked, by a thread that may be late */
    assert_in_range(timed_out_ms, 299, 20000);                 /* the resolver gives up after 30 s */
    assert_int_equal(http_start(client, &request, &transfer), ERR_OK);
    http_cancel(transfer);
    http_client_free(client);
    loop_free(asking.loop);
    assert_in_range(clock_mono_ms() - before, 299, 25000);
}

static void never(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    (void)context;
    (void)result;
    fail_msg("a cancelled question was answered: %s", info->text);
}

static void a_look_up_that_hangs_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct loop *loop;
    struct resolve *resolve;
    char byte;
    assert_int_equal(loop_new(&loop), ERR_OK);
    uint64_t before = clock_mono_ms();
    assert_int_equal(resolve_start(loop, "slow.example", 53, never, NULL, &resolve), ERR_OK);
    assert_true(recv(silent_server, &byte, 1, MSG_TRUNC) > 0);
    resolve_cancel(resolve);
    loop_free(loop);
    assert_in_range(clock_mono_ms() - before, 0, 20000); /* the resolver gives up after 30 s */
}

/* 127.0.0.1:53 of a new network namespace, as the only name server there is. */
static bool make_silence(void)
{
    char path[] = "/tmp/muster-resolv-XXXXXX";
    static const char config[] = "nameserver 127.0.0.1\noptions attempts:1 timeout:30\n";
    int file = mkstemp(path);
    bool ok = file >= 0 && write(file, config, sizeof(config) - 1) == (ssize_t)sizeof(config) - 1 &&
              unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
    (void)close(file);
    (void)unlink(path); /* the mount keeps it */
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct sockaddr_storage address;
    struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    socklen_t len = sockaddr_make(&loopback, 53, &address);
    silent_server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return ok && ioctl(silent_server, SIOCSIFFLAGS, &lo) == 0 &&
           bind(silent_server, (struct sockaddr *)&address, len) == 0;
}

int main(void)
{
    if (!make_silence()) {
        (void)fprintf(stderr, "no right to make network and mount namespaces\n");
        return SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_up_that_hangs_does_not_hold_up_the_end),
        cmocka_unit_test(a_silent_name_server_costs_no_more_than_the_time_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
