/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho_poll.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static uint64_t waits(int timeout_ms)
{
    uint64_t before = clock_mono_ms();
    assert_int_equal(poll(NULL, 0, timeout_ms), 0);
    return clock_mono_ms() - before;
}

static void shortens_only_the_wait_of_an_attempt(void **state)
{
    (void)state;
    paho_poll_hurry(60000);
    assert_true(waits(PAHO_POLL_MS) < PAHO_POLL_MS / 2);
    assert_true(waits(60) >= 59);
    assert_true(waits(0) < 50);
    paho_poll_hurry(0);
    assert_true(waits(PAHO_POLL_MS) >= PAHO_POLL_MS - 1);
}

static void tells_what_is_ready(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}};
    assert_int_equal(poll(fds, 2, -1), 1);
    assert_int_equal(fds[1].revents, POLLOUT);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(poll(fds, 2, PAHO_POLL_MS), 2);
    assert_int_equal(fds[0].revents, POLLIN);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shortens_only_the_wait_of_an_attempt),
                                       cmocka_unit_test(tells_what_is_ready)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
