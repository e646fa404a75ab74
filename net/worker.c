/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of loop.h: a ring of jobs, each going from submitted to worked to delivered in the same order. */
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct job {
    loop_fn work, done;
    void *context;
};

struct loop_worker {
    pthread_t thread;
    struct loop_wake *wake; /* owned; "some job is worked" */
    size_t max;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closing;                        /* guarded by lock, as all below */
    size_t submitted, worked, delivered; /* running counts; a job's place is its count modulo max */
    struct job ring[];
};

static void *worker_main(void *context)
{
    struct loop_worker *worker = context;
    (void)pthread_mutex_lock(&worker->lock); /* a plain mutex that is locked and unlocked in pairs cannot fail */
    for (;;) {
        while (worker->worked == worker->submitted && !worker->closing) {
            (void)pthread_cond_wait(&worker->changed, &worker->lock); /* fails only for a mutex not held */
        }
        if (worker->worked == worker->submitted) {
            break;
        }
        struct job job = worker->ring[worker->worked % worker->max];
        (void)pthread_mutex_unlock(&worker->lock);
        job.work(job.context);
        (void)pthread_mutex_lock(&worker->lock);
        worker->worked++;
        loop_wake(worker->wake);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static void deliver(void *context)
{
    struct loop_worker *worker = context;
    (void)pthread_mutex_lock(&worker->lock);
    while (worker->delivered != worker->worked) {
        struct job job = worker->ring[worker->delivered % worker->max];
        worker->delivered++;
        (void)pthread_mutex_unlock(&worker->lock);
        if (job.done != NULL) {
            job.done(job.context);
        }
        (void)pthread_mutex_lock(&worker->lock);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

/* Signals belong to the loop's thread: the worker starts with all of them blocked. */
static int start_thread(struct loop_worker *worker, const char *name)
{
    sigset_t all, old;
    (void)sigfillset(&all);                         /* cannot fail */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* valid how */
    int rc = pthread_create(&worker->thread, NULL, worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(worker->thread, name); /* over 15 characters: goes without a name */
    }
    return rc;
}

enum err loop_worker_new(struct loop *loop, const char *name, size_t queue_max, struct loop_worker **ret_worker)
{
    if (queue_max == 0 || queue_max > (SIZE_MAX - sizeof(struct loop_worker)) / sizeof(struct job)) {
        return ERR_RANGE;
    }
    struct loop_worker *worker = calloc(1, sizeof(*worker) + queue_max * sizeof(struct job));
    if (worker == NULL) {
        return ERR_NOMEM;
    }
    worker->max = queue_max;
    enum err err = loop_wake_new(loop, deliver, worker, &worker->wake);
    if (err != ERR_OK) {
        free(worker);
        return err;
    }
    (void)pthread_mutex_init(&worker->lock, NULL); /* default attributes: never fails on Linux */
    (void)pthread_cond_init(&worker->changed, NULL);
    int rc = start_thread(worker, name);
    if (rc != 0) {
        loop_wake_free(worker->wake);
        free(worker);
        return err_from_errno(rc);
    }
    *ret_worker = worker;
    return ERR_OK;
}

enum err loop_worker_submit(struct loop_worker *worker, loop_fn work, loop_fn done, void *context)
{
    enum err err = ERR_OK;
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->closing) {
        err = ERR_CLOSED;
    } else if (worker->submitted - worker->delivered >= worker->max) {
        err = ERR_LIMIT;
    } else {
        worker->ring[worker->submitted % worker->max] = (struct job){.work = work, .done = done, .context = context};
        worker->submitted++;
        (void)pthread_cond_signal(&worker->changed); /* always 0 */
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return err;
}

void loop_worker_free(struct loop_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    (void)pthread_cond_signal(&worker->changed);
    (void)pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, NULL); /* our own joinable thread */
    deliver(worker);
    loop_wake_free(worker->wake);
    (void)pthread_cond_destroy(&worker->changed);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}
