/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho_poll.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

#define MS_SECOND 1000
#define NS_MS     1000000L

static _Atomic uint64_t hurry_until_ms; /* monotonic; 0 = never */

void paho_poll_hurry(uint32_t for_ms)
{
    atomic_store_explicit(&hurry_until_ms, for_ms > 0 ? clock_mono_ms() + for_ms : 0, memory_order_relaxed);
}

static bool hurrying(void)
{
    uint64_t until = atomic_load_explicit(&hurry_until_ms, memory_order_relaxed);
    return until > 0 && clock_mono_ms() < until;
}

/* Found before libc's by every library of the process. */
__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t len, int timeout_ms)
{
    if (timeout_ms == PAHO_POLL_MS && hurrying()) {
        timeout_ms = PAHO_POLL_HURRY_MS;
    }
    struct timespec timeout = {.tv_sec = timeout_ms / MS_SECOND, .tv_nsec = timeout_ms % MS_SECOND * NS_MS};
    return ppoll(fds, len, timeout_ms < 0 ? NULL : &timeout, NULL);
}
