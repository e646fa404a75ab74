/* SPDX-License-Identifier: Apache-2.0 */
#include "net/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/view.h"

#define USEC_PER_MS 1000

struct notify_watchdog {
    struct loop_timer *timer;
    uint64_t period_ms;
};

static void send_text(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        view_copy(view_of(path), address.sun_path, sizeof(address.sun_path)) != ERR_OK) {
        return;
    }
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* abstract name space */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                 length); /* a manager that is away misses it */
    (void)close(fd);      /* nothing was written to a file */
}

void notify_ready(void)
{
    send_text("READY=1");
}

void notify_stopping(void)
{
    send_text("STOPPING=1");
}

void notify_reloading(void)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)(clock_mono_ns() / 1000)); /* fits */
    send_text(text);
}

void notify_status(const char *text)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "STATUS=%s", text); /* a cut status is still one */
    send_text(line);
}

static void pet(void *context)
{
    struct notify_watchdog *watchdog = context;
    send_text("WATCHDOG=1");
    loop_timer_after(watchdog->timer, watchdog->period_ms);
}

static bool is_for_us(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t value;
    return pid == NULL || (view_to_u64(view_of(pid), UINT32_MAX, &value) == ERR_OK && value == (uint64_t)getpid());
}

enum err notify_watchdog_new(struct loop *loop, struct notify_watchdog **ret_watchdog)
{
    const char *period = getenv("WATCHDOG_USEC");
    uint64_t usec;
    *ret_watchdog = NULL;
    if (period == NULL || view_to_u64(view_of(period), UINT64_MAX, &usec) != ERR_OK || usec < 2 * USEC_PER_MS ||
        !is_for_us()) {
        return ERR_OK;
    }
    struct notify_watchdog *watchdog = calloc(1, sizeof(*watchdog));
    if (watchdog == NULL) {
        return ERR_NOMEM;
    }
    watchdog->period_ms = usec / (2 * USEC_PER_MS);
    enum err err = loop_timer_new(loop, pet, watchdog, &watchdog->timer);
    if (err != ERR_OK) {
        free(watchdog);
        return err;
    }
    pet(watchdog);
    *ret_watchdog = watchdog;
    return ERR_OK;
}

void notify_watchdog_free(struct notify_watchdog *watchdog)
{
    if (watchdog != NULL) {
        loop_timer_free(watchdog->timer);
        free(watchdog);
    }
}
