/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/loop_uv.h"

#define POSTS_MAX   65536
#define POSTS_FIRST 64

struct post {
    loop_fn fn;
    void *context;
};

struct posts {
    struct post *items; /* owned */
    size_t len, size;
};

struct loop {
    uv_loop_t uv;
    uv_async_t posted;
    bool in_timers; /* a timer callback is on the stack */
    pthread_mutex_t lock;
    struct posts waiting; /* guarded by lock */
    struct posts running; /* loop thread: the batch taken last, kept for its memory */
    bool closed;          /* guarded by lock */
};

/* Each handle stands first in a heap block of its own, to which handle->data points: closing frees the block. */
struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    loop_fn fn;
    void *context;
};

struct loop_wake {
    uv_async_t uv;
    loop_fn fn;
    void *context;
};

struct loop_signal {
    uv_signal_t uv;
    loop_fn fn;
    void *context;
};

struct loop_poll {
    uv_poll_t uv;
    void (*fn)(void *context, int events);
    void *context;
};

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

enum err loop_uv_err(int status)
{
    if (status >= 0) {
        return ERR_OK;
    }
    if (status <= UV_EAI_ADDRFAMILY && status >= UV_EAI_SOCKTYPE) {
        return status == UV_EAI_MEMORY ? ERR_NOMEM : status == UV_EAI_AGAIN ? ERR_AGAIN : ERR_NOTFOUND;
    }
    return err_from_errno(-status);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, on_closed);
    }
}

static void close_walked(uv_handle_t *handle, void *context)
{
    (void)context;
    close_handle(handle);
}

static void on_posted(uv_async_t *async)
{
    struct loop *loop = async->loop->data;
    (void)pthread_mutex_lock(&loop->lock); /* a plain mutex that is locked and unlocked in pairs cannot fail */
    struct posts batch = loop->waiting;
    loop->waiting = loop->running;
    loop->waiting.len = 0;
    loop->running = batch;
    (void)pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < batch.len; i++) {
        batch.items[i].fn(batch.items[i].context);
    }
}

enum err loop_new(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return ERR_NOMEM;
    }
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        free(loop);
        return loop_uv_err(rc);
    }
    loop->uv.data = loop;
    rc = uv_async_init(&loop->uv, &loop->posted, on_posted);
    if (rc != 0) {
        (void)uv_loop_close(&loop->uv); /* holds no handle yet */
        free(loop);
        return loop_uv_err(rc);
    }
    (void)pthread_mutex_init(&loop->lock, NULL); /* default attributes: never fails on Linux */
    (void)signal(SIGPIPE, SIG_IGN);              /* a lost peer is an error code of the write, for TLS libraries too */
    *ret_loop = loop;
    return ERR_OK;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&loop->lock);
    loop->closed = true;
    loop->waiting.len = 0;
    (void)pthread_mutex_unlock(&loop->lock);
    uv_walk(&loop->uv, close_walked, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* runs the close callbacks; nothing else is active */
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0); /* every handle was closed above */
    (void)rc;
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop->waiting.items);
    free(loop->running.items);
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* says only whether handles are left: the post handle always is */
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

void loop_catch_up(struct loop *loop)
{
    uv_update_time(&loop->uv);
}

/* Makes room for one more. */
static enum err posts_reserve(struct posts *posts)
{
    if (posts->len >= POSTS_MAX) {
        return ERR_LIMIT;
    }
    if (posts->len < posts->size) {
        return ERR_OK;
    }
    size_t size = posts->size == 0 ? POSTS_FIRST : posts->size * 2;
    struct post *items = realloc(posts->items, size * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    posts->items = items;
    posts->size = size;
    return ERR_OK;
}

enum err loop_post(struct loop *loop, loop_fn fn, void *context)
{
    (void)pthread_mutex_lock(&loop->lock);
    enum err err = loop->closed ? ERR_CLOSED : posts_reserve(&loop->waiting);
    bool first = loop->waiting.len == 0;
    if (err == ERR_OK) {
        loop->waiting.items[loop->waiting.len++] = (struct post){.fn = fn, .context = context};
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (err == ERR_OK && first) {
        (void)uv_async_send(&loop->posted); /* fails only for a handle of another type */
    }
    return err;
}

static void on_timer(uv_timer_t *handle)
{
    struct loop_timer *timer = handle->data;
    struct loop *loop = timer->loop;
    loop->in_timers = true;
    timer->fn(timer->context);
    loop->in_timers = false;
}

enum err loop_timer_new(struct loop *loop, loop_fn fn, void *context, struct loop_timer **ret_timer)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));
    if (timer == NULL) {
        return ERR_NOMEM;
    }
    *timer = (struct loop_timer){.loop = loop, .fn = fn, .context = context};
    (void)uv_timer_init(&loop->uv, &timer->uv); /* always 0 */
    timer->uv.data = timer;
    *ret_timer = timer;
    return ERR_OK;
}

void loop_timer_after(struct loop_timer *timer, uint64_t delay_ms)
{
    uint64_t now = clock_mono_ms(); /* not the loop's: a long callback must not shorten the delay */
    loop_timer_at(timer, delay_ms > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + delay_ms);
}

void loop_timer_at(struct loop_timer *timer, uint64_t mono_ms)
{
    if (mono_ms == UINT64_MAX) {
        loop_timer_stop(timer);
        return;
    }
    uint64_t now = uv_now(&timer->loop->uv);
    uint64_t delay = mono_ms > now ? mono_ms - now : 0;
    if (delay == 0 && timer->loop->in_timers) {
        delay = 1; /* libuv 1.44 runs a timer that is due at once in the same pass: for ever, if it re-arms itself */
    }
    (void)uv_timer_start(&timer->uv, on_timer, delay, 0); /* fails only for a closing handle */
}

void loop_timer_stop(struct loop_timer *timer)
{
    (void)uv_timer_stop(&timer->uv); /* always 0 */
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL) {
        close_handle((uv_handle_t *)&timer->uv);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct loop_wake *wake = handle->data;
    wake->fn(wake->context);
}

enum err loop_wake_new(struct loop *loop, loop_fn fn, void *context, struct loop_wake **ret_wake)
{
    struct loop_wake *wake = calloc(1, sizeof(*wake));
    if (wake == NULL) {
        return ERR_NOMEM;
    }
    *wake = (struct loop_wake){.fn = fn, .context = context};
    int rc = uv_async_init(&loop->uv, &wake->uv, on_wake);
    if (rc != 0) {
        free(wake);
        return loop_uv_err(rc);
    }
    wake->uv.data = wake;
    *ret_wake = wake;
    return ERR_OK;
}

void loop_wake(struct loop_wake *wake)
{
    (void)uv_async_send(&wake->uv); /* fails only for a handle of another type */
}

void loop_wake_free(struct loop_wake *wake)
{
    if (wake != NULL) {
        close_handle((uv_handle_t *)&wake->uv);
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct loop_signal *sig = handle->data;
    sig->fn(sig->context);
}

enum err loop_signal_new(struct loop *loop, int signum, loop_fn fn, void *context, struct loop_signal **ret_signal)
{
    struct loop_signal *sig = calloc(1, sizeof(*sig));
    if (sig == NULL) {
        return ERR_NOMEM;
    }
    *sig = (struct loop_signal){.fn = fn, .context = context};
    int rc = uv_signal_init(&loop->uv, &sig->uv);
    if (rc != 0) {
        free(sig);
        return loop_uv_err(rc);
    }
    sig->uv.data = sig;
    rc = uv_signal_start(&sig->uv, on_signal, signum);
    if (rc != 0) {
        close_handle((uv_handle_t *)&sig->uv);
        return rc == UV_EINVAL ? ERR_INVALID : loop_uv_err(rc);
    }
    *ret_signal = sig;
    return ERR_OK;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (signal != NULL) {
        close_handle((uv_handle_t *)&signal->uv);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct loop_poll *poll = handle->data;
    int ready = (events & UV_READABLE ? LOOP_READABLE : 0) | (events & UV_WRITABLE ? LOOP_WRITABLE : 0);
    poll->fn(poll->context, status < 0 ? 0 : ready);
}

enum err loop_poll_new(struct loop *loop, int fd, void (*fn)(void *context, int events), void *context,
                       struct loop_poll **ret_poll)
{
    struct loop_poll *poll = calloc(1, sizeof(*poll));
    if (poll == NULL) {
        return ERR_NOMEM;
    }
    *poll = (struct loop_poll){.fn = fn, .context = context};
    int rc = uv_poll_init(&loop->uv, &poll->uv, fd);
    if (rc != 0) {
        free(poll);
        return loop_uv_err(rc);
    }
    poll->uv.data = poll;
    *ret_poll = poll;
    return ERR_OK;
}

enum err loop_poll_events(struct loop_poll *poll, int events)
{
    int wanted = (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0);
    return loop_uv_err(wanted == 0 ? uv_poll_stop(&poll->uv) : uv_poll_start(&poll->uv, wanted, on_poll));
}

void loop_poll_free(struct loop_poll *poll)
{
    if (poll != NULL) {
        close_handle((uv_handle_t *)&poll->uv); /* takes the descriptor out of epoll at once, frees later */
    }
}
