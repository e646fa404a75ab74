/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * loop: the one event loop of a process, on libuv. Everything but loop_post, loop_wake and the body of a loop_work job
 * runs on the loop's thread. No other header of the rooms above shows libuv.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_timer;
struct loop_wake;
struct loop_signal;
struct loop_poll;

typedef void (*loop_fn)(void *context);

/** Also sets SIGPIPE to be ignored in the process. @return ERR_NOMEM, ERR_IO (no descriptors left). */
enum err loop_new(struct loop **ret_loop) MUST_CHECK;
/** Closes every timer, wake, signal and poll that still stands and frees all; waiting posts are dropped unrun. Workers,
 *  streams, clients and servers on it are freed by their owners first. NULL allowed. Not from inside a callback. */
void loop_free(struct loop *loop);
/** Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* loop thread only; from elsewhere use loop_post */
/** Monotonic milliseconds of this turn of the loop. */
uint64_t loop_now_ms(const struct loop *loop);
/** Brings loop_now_ms up to date in the middle of a turn, which may be long: for waits that somebody else counts. Loop
 * thread only. */
void loop_catch_up(struct loop *loop);

/** Runs @p fn on the loop thread, soon and in order of posting. Any thread. @return ERR_LIMIT when 65,536 posts wait,
 * ERR_NOMEM, ERR_CLOSED. */
enum err loop_post(struct loop *loop, loop_fn fn, void *context) MUST_CHECK;

/** One-shot timer, armed and re-armed by loop_timer_at; the callback may re-arm it. Never fires before its time; one
 *  that a timer callback arms for now or the past fires a millisecond later, so that timers cannot starve the rest. */
enum err loop_timer_new(struct loop *loop, loop_fn fn, void *context, struct loop_timer **ret_timer) MUST_CHECK;
void loop_timer_after(struct loop_timer *timer, uint64_t delay_ms); /* replaces an earlier arming */
void loop_timer_at(struct loop_timer *timer, uint64_t mono_ms);     /* UINT64_MAX disarms */
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL allowed; also inside its own callback */

/** Coalescing wake-up from any thread: n wakes before the loop gets to it are one call; the callback drains everything.
 */
enum err loop_wake_new(struct loop *loop, loop_fn fn, void *context, struct loop_wake **ret_wake) MUST_CHECK;
void loop_wake(struct loop_wake *wake); /* any thread; async-signal-safe */
void loop_wake_free(struct loop_wake *wake);

enum err loop_signal_new(struct loop *loop, int signum, loop_fn fn, void *context,
                         struct loop_signal **ret_signal) MUST_CHECK;
void loop_signal_free(struct loop_signal *signal);

enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
/** Watches a descriptor that the caller owns; one watch a descriptor, paused until loop_poll_events. Free the watch
 *  before the descriptor is closed: libuv aborts otherwise. @p fn gets the ready events, or 0 with a poll error: the
 *  watch is paused then, and goes on with loop_poll_events once the socket's error was fetched. */
enum err loop_poll_new(struct loop *loop, int fd, void (*fn)(void *context, int events), void *context,
                       struct loop_poll **ret_poll) MUST_CHECK;
enum err loop_poll_events(struct loop_poll *poll, int events) MUST_CHECK; /* 0 pauses */
void loop_poll_free(struct loop_poll *poll);

/** A worker thread of its own with a bounded queue, for the store, fsync and key operations: jobs run one after the
 * other, in order. */
struct loop_worker;
enum err loop_worker_new(struct loop *loop, const char *name, size_t queue_max,
                         struct loop_worker **ret_worker) MUST_CHECK;
/** @p work runs on the worker, then @p done (NULL allowed) on the loop thread. Any thread. @return ERR_LIMIT when
 *  queue_max jobs are not yet done, ERR_CLOSED once loop_worker_free has begun. */
enum err loop_worker_submit(struct loop_worker *worker, loop_fn work, loop_fn done, void *context) MUST_CHECK;
/** Finishes what is queued, runs its `done`, joins. Blocks. NULL allowed. Loop thread, not from inside a `done`. */
void loop_worker_free(struct loop_worker *worker);
