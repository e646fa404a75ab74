/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_shim: preloaded into a program, moves its clocks while it runs. CLOCK_SHIM=FILE names 16 bytes, two native
 * 64-bit numbers of seconds: what CLOCK_REALTIME, and what CLOCK_BOOTTIME is ahead of the machine's. A machine that
 * slept is one whose boot clock and wall clock have moved on and whose monotonic clock has not; a camera without a
 * battery is one whose wall clock is years behind. Waits are the kernel's and do not move.
 *
 * A timer of CLOCK_REALTIME tells whoever set it with TFD_TIMER_CANCEL_ON_SET that the wall clock jumped, at a resume
 * too. In its place stands a watch on FILE, which becomes readable when the numbers change and quiet when the timer is
 * set again.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum ahead { AHEAD_WALL, AHEAD_BOOT, AHEAD_COUNT };

typedef int (*clock_fn)(clockid_t, struct timespec *);
typedef int (*timer_create_fn)(clockid_t, int);
typedef int (*timer_set_fn)(int, int, const struct itimerspec *, struct itimerspec *);

static const volatile int64_t *offsets;
static clock_fn next_clock;
static int jump_fd = -1; /* the watch; a program has one such timer */

__attribute__((constructor)) static void map_offsets(void)
{
    void *symbol = dlsym(RTLD_NEXT, "clock_gettime");
    memcpy(&next_clock, &symbol, sizeof(symbol));
    const char *path = getenv("CLOCK_SHIM");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, AHEAD_COUNT * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd); /* the map stays */
    if (map != MAP_FAILED) {
        offsets = map;
    }
}

static time_t ahead(clockid_t clock)
{
    if (offsets == NULL) {
        return 0;
    }
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return (time_t)offsets[AHEAD_WALL];
    case CLOCK_BOOTTIME:
        return (time_t)offsets[AHEAD_BOOT];
    default:
        return 0;
    }
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (next_clock == NULL) {
        map_offsets(); /* another library's constructor came first */
    }
    int rc = next_clock(clock, ret_time);
    if (rc == 0) {
        ret_time->tv_sec += ahead(clock);
    }
    return rc;
}

time_t time(time_t *ret_seconds)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    if (ret_seconds != NULL) {
        *ret_seconds = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    (void)zone; /* obsolete, and nobody's here */
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    ret_time->tv_sec = now.tv_sec;
    ret_time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int timerfd_create(clockid_t clock, int flags)
{
    const char *path = getenv("CLOCK_SHIM");
    if (clock == CLOCK_REALTIME && path != NULL) {
        jump_fd = inotify_init1(((flags & TFD_NONBLOCK) != 0 ? IN_NONBLOCK : 0) | IN_CLOEXEC);
        return jump_fd >= 0 && inotify_add_watch(jump_fd, path, IN_MODIFY) >= 0 ? jump_fd : -1;
    }
    timer_create_fn next;
    void *symbol = dlsym(RTLD_NEXT, "timerfd_create");
    memcpy(&next, &symbol, sizeof(symbol));
    return next(clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *ret_old)
{
    if (fd == jump_fd && fd >= 0) {
        char events[4096];
        (void)!read(fd, events, sizeof(events)); /* nothing to read: nothing jumped since */
        return 0;
    }
    timer_set_fn next;
    void *symbol = dlsym(RTLD_NEXT, "timerfd_settime");
    memcpy(&next, &symbol, sizeof(symbol));
    return next(fd, flags, value, ret_old);
}
