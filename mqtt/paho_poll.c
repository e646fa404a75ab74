/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho_poll.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

#define MS_SECOND 1000
#define NS_MS     1000000L
#define NAME_SIZE 16 /* of a thread, prctl(2) */

static _Atomic uint64_t hurry_from_ms; /* monotonic; 0 = no attempt is under way */
static _Atomic uint64_t shortened;

void paho_poll_hurry(bool on)
{
    atomic_store_explicit(&hurry_from_ms, on ? clock_mono_ms() : 0, memory_order_relaxed);
}

uint64_t paho_poll_shortened(void)
{
    return atomic_load_explicit(&shortened, memory_order_relaxed);
}

/* By name: the thread is Paho's, and begins anew when it likes. */
static bool is_receiver(void)
{
    char name[NAME_SIZE] = "";
    return prctl(PR_GET_NAME, name) == 0 && strcmp(name, PAHO_POLL_THREAD) == 0;
}

/* What the receiver's long wait becomes. */
static int wait_of_attempt(int timeout_ms)
{
    uint64_t from = atomic_load_explicit(&hurry_from_ms, memory_order_relaxed);
    uint64_t since = from > 0 ? clock_mono_ms() - from : PAHO_POLL_GIVE_UP_MS;
    if (since >= PAHO_POLL_GIVE_UP_MS || !is_receiver()) {
        return timeout_ms;
    }
    atomic_fetch_add_explicit(&shortened, 1, memory_order_relaxed);
    return since < PAHO_POLL_BRISK_MS ? PAHO_POLL_HURRY_MS : PAHO_POLL_SLOW_MS;
}

/* Paho closes a socket that hung up without reading what came before, which is the TLS alert that says why. */
static void read_before_hangup(struct pollfd *fds, nfds_t len)
{
    char byte;
    for (nfds_t i = 0; i < len; i++) {
        if ((fds[i].revents & (POLLERR | POLLHUP)) != 0 && is_receiver() &&
            recv(fds[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            fds[i].revents = (short)((fds[i].revents & ~(POLLERR | POLLHUP)) | (fds[i].events & (POLLIN | POLLOUT)));
        }
    }
}

/* Found before libc's by every library of the process. */
__attribute__((visibility("default"), used)) int poll(struct pollfd *fds, nfds_t len, int timeout_ms)
{
    if (timeout_ms == PAHO_POLL_MS) {
        timeout_ms = wait_of_attempt(timeout_ms);
    }
    struct timespec timeout = {.tv_sec = timeout_ms / MS_SECOND, .tv_nsec = timeout_ms % MS_SECOND * NS_MS};
    int ready = ppoll(fds, len, timeout_ms < 0 ? NULL : &timeout, NULL);
    if (ready > 0) {
        read_before_hangup(fds, len);
    }
    return ready;
}
