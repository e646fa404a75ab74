/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/resume.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define FAR_FUTURE_S 253402300799 /* the end of the year 9999: never due by itself */

struct resume {
    struct resume_options options;
    uint64_t distance_ms; /* of the two clocks, as of the last look */
    int fd;               /* -1: none */
    struct loop_poll *poll;
};

static uint64_t distance(void)
{
    uint64_t mono = clock_mono_ms(), boot = clock_boot_ms();
    return boot > mono ? boot - mono : 0;
}

void resume_check(struct resume *resume)
{
    uint64_t now = distance(), before = resume->distance_ms;
    if (now < before || now - before >= RESUME_LEAST_MS) {
        resume->distance_ms = now;
    }
    if (now > before && now - before >= RESUME_LEAST_MS) {
        resume->options.resumed(resume->options.context, now - before);
    }
}

/* Each notice ends the timer: it is set anew. */
static bool arm(const struct resume *resume)
{
    const struct itimerspec far = {.it_value = {.tv_sec = FAR_FUTURE_S}};
    return timerfd_settime(resume->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0;
}

static void on_ready(void *context, int events)
{
    struct resume *resume = context;
    uint64_t ticks;
    (void)events;
    (void)!read(resume->fd, &ticks, sizeof(ticks)); /* ECANCELED is the notice itself */
    if (!arm(resume)) {
        loop_poll_free(resume->poll); /* else it stays readable */
        resume->poll = NULL;
    }
    resume_check(resume);
}

static void watch(struct loop *loop, struct resume *resume)
{
    resume->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (resume->fd < 0 || !arm(resume) || loop_poll_new(loop, resume->fd, on_ready, resume, &resume->poll) != ERR_OK) {
        return;
    }
    if (loop_poll_events(resume->poll, LOOP_READABLE) != ERR_OK) {
        loop_poll_free(resume->poll);
        resume->poll = NULL;
    }
}

enum err resume_new(struct loop *loop, const struct resume_options *options, struct resume **ret_resume)
{
    struct resume *resume = calloc(1, sizeof(*resume));
    if (resume == NULL) {
        return ERR_NOMEM;
    }
    resume->options = *options;
    resume->distance_ms = distance();
    watch(loop, resume);
    *ret_resume = resume;
    return ERR_OK;
}

void resume_free(struct resume *resume)
{
    if (resume == NULL) {
        return;
    }
    loop_poll_free(resume->poll);
    if (resume->fd >= 0) {
        (void)close(resume->fd);
    }
    free(resume);
}
