/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/view.h"

static void send_text(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || view_copy(view_of(path), address.sun_path, sizeof(address.sun_path)) != ERR_OK) {
        return;
    }
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* abstract name */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
        (void)close(fd); /* a datagram is gone or lost by now */
    }
}

void notify_ready(void)
{
    send_text("READY=1");
}

void notify_reloading(void)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_ns() / 1000);
    send_text(text);
}

void notify_stopping(void)
{
    send_text("STOPPING=1");
}

void notify_watchdog(void)
{
    send_text("WATCHDOG=1");
}

uint64_t notify_watchdog_ms(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t usec = 0, wanted = 0;
    if (text == NULL || view_to_u64(view_of(text), UINT64_MAX, &usec) != ERR_OK) {
        return 0;
    }
    if (pid != NULL && (view_to_u64(view_of(pid), INT32_MAX, &wanted) != ERR_OK || wanted != (uint64_t)getpid())) {
        return 0;
    }
    return usec / 1000;
}
