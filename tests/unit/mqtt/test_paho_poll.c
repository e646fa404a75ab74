/* SPDX-License-Identifier: Apache-2.0 */
/* That Paho's thread is the one it is taken for, only a broker shows: tests/integration/test_session.py. */
#include "mqtt/paho_poll.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* How poll got into the process: through the symbol that a library finds. */
typedef int (*poll_fn)(struct pollfd *fds, nfds_t len, int timeout_ms);

static poll_fn poll_of_a_library(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "poll");
    poll_fn found = NULL;
    assert_non_null(symbol);
    memcpy(&found, &symbol, sizeof(found)); /* ISO C has no cast from object to function pointer */
    return found;
}

static void call_this_thread(const char *name)
{
    assert_int_equal(prctl(PR_SET_NAME, name), 0);
}

static uint64_t waits(int timeout_ms)
{
    uint64_t before = clock_mono_ms();
    assert_int_equal(poll_of_a_library()(NULL, 0, timeout_ms), 0);
    return clock_mono_ms() - before;
}

static void shortens_only_the_wait_of_an_attempt(void **state)
{
    (void)state;
    uint64_t before = paho_poll_shortened();
    call_this_thread(PAHO_POLL_THREAD);
    paho_poll_hurry(true);
    assert_true(waits(PAHO_POLL_MS) < PAHO_POLL_MS / 2);
    assert_int_equal(paho_poll_shortened(), before + 1);
    assert_true(waits(60) >= 59);
    assert_true(waits(0) < 50);
    paho_poll_hurry(false);
    assert_true(waits(PAHO_POLL_MS) >= PAHO_POLL_MS - 1);
    assert_int_equal(paho_poll_shortened(), before + 1);
}

/* Of an attempt that lasts: as long as the network takes as a rule, then seldom, then not. */
static void shortens_less_and_less(void **state)
{
    (void)state;
    uint64_t before = paho_poll_shortened(), start = clock_mono_ms();
    call_this_thread(PAHO_POLL_THREAD);
    paho_poll_hurry(true);
    while (clock_mono_ms() - start < PAHO_POLL_GIVE_UP_MS) {
        (void)waits(PAHO_POLL_MS);
    }
    uint64_t count = paho_poll_shortened() - before;
    assert_in_range(count, 2,
                    PAHO_POLL_BRISK_MS / PAHO_POLL_HURRY_MS +
                        (PAHO_POLL_GIVE_UP_MS - PAHO_POLL_BRISK_MS) / PAHO_POLL_SLOW_MS + 2);
    assert_true(waits(PAHO_POLL_MS) >= PAHO_POLL_MS - 1);
    assert_int_equal(paho_poll_shortened() - before, count);
    paho_poll_hurry(false);
}

static void leaves_other_threads_alone(void **state)
{
    (void)state;
    uint64_t before = paho_poll_shortened();
    call_this_thread("a-library");
    paho_poll_hurry(true);
    assert_true(waits(PAHO_POLL_MS) >= PAHO_POLL_MS - 1);
    paho_poll_hurry(false);
    assert_int_equal(paho_poll_shortened(), before);
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

/* What poll(2) promises, whoever asks: also Paho's thread during an attempt. */
static void keeps_the_promises_of_poll(void **state)
{
    (void)state;
    int ends[2];
    call_this_thread(PAHO_POLL_THREAD);
    paho_poll_hurry(true);
    assert_int_equal(pipe(ends), 0);
    struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN, .revents = POLLNVAL},
                           {.fd = -1, .events = POLLIN, .revents = POLLNVAL}};
    assert_int_equal(poll(fds, 2, PAHO_POLL_MS), 0); /* nothing is ready: all is cleared */
    assert_true(fds[0].revents == 0 && fds[1].revents == 0);
    assert_true(fds[0].fd == ends[0] && fds[0].events == POLLIN && fds[1].fd == -1);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(poll(fds, 2, PAHO_POLL_MS), 1);
    assert_int_equal(fds[0].revents, POLLHUP);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(poll(fds, 1, PAHO_POLL_MS), 1);
    assert_int_equal(fds[0].revents, POLLNVAL);
    paho_poll_hurry(false);
}

static void on_signal(int number)
{
    (void)number;
}

struct sleeper {
    pthread_t thread;
    _Atomic bool awake;
};

/* Until it is awake: the first signal may come before it sleeps. */
static void *interrupt(void *context)
{
    struct sleeper *sleeper = context;
    while (!sleeper->awake) {
        (void)pthread_kill(sleeper->thread, SIGUSR1); /* it lives until this thread is joined */
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

static void is_interrupted_by_a_signal(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sleeper sleeper = {.thread = pthread_self()};
    pthread_t other;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&other, NULL, interrupt, &sleeper), 0);
    assert_int_equal(poll(NULL, 0, 30000), -1);
    assert_int_equal(errno, EINTR);
    sleeper.awake = true;
    assert_int_equal(pthread_join(other, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shortens_only_the_wait_of_an_attempt), cmocka_unit_test(shortens_less_and_less),
        cmocka_unit_test(leaves_other_threads_alone),           cmocka_unit_test(tells_what_is_ready),
        cmocka_unit_test(keeps_the_promises_of_poll),           cmocka_unit_test(is_interrupted_by_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
