/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/loop_run.h"

#define JOBS 1000

struct bench {
    struct loop *loop;
    struct loop_worker *worker;
    pthread_t loop_thread;
    int worked, done;
    int work_wrong, done_wrong; /* each touched by one thread */
    int stop_after;
    sem_t gate;
};

struct numbered_job {
    struct bench *bench;
    int number;
};

static struct numbered_job jobs[JOBS];

static void work(void *context)
{
    const struct numbered_job *job = context;
    struct bench *bench = job->bench;
    bench->work_wrong += pthread_equal(pthread_self(), bench->loop_thread) != 0;
    bench->work_wrong += job->number != bench->worked++; /* only the worker touches it, one job at a time */
}

static void done(void *context)
{
    const struct numbered_job *job = context;
    struct bench *bench = job->bench;
    bench->done_wrong += pthread_equal(pthread_self(), bench->loop_thread) == 0;
    bench->done_wrong += job->number != bench->done++;
    if (bench->done == bench->stop_after) {
        loop_stop(bench->loop);
    }
}

static void bench_init(struct bench *bench, size_t queue_max)
{
    *bench = (struct bench){.loop_thread = pthread_self(), .stop_after = -1};
    assert_int_equal(sem_init(&bench->gate, 0, 0), 0);
    assert_int_equal(loop_new(&bench->loop), ERR_OK);
    assert_int_equal(loop_worker_new(bench->loop, "test-worker", queue_max, &bench->worker), ERR_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct numbered_job){.bench = bench, .number = i};
    }
}

static void bench_deinit(struct bench *bench)
{
    loop_worker_free(bench->worker);
    loop_free(bench->loop);
    assert_int_equal(sem_destroy(&bench->gate), 0);
}

static void jobs_run_in_order_and_are_done_on_the_loop(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, JOBS);
    bench.stop_after = JOBS;
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[i]), ERR_OK);
    }
    loop_run_or_fail(bench.loop);
    assert_int_equal(bench.done, JOBS);
    assert_int_equal(bench.work_wrong + bench.done_wrong, 0);
    bench_deinit(&bench);
}

static void wait_at_gate(void *context)
{
    struct bench *bench = context;
    while (sem_wait(&bench->gate) != 0) {
    }
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 3);
    assert_int_equal(loop_worker_submit(bench.worker, wait_at_gate, NULL, &bench), ERR_OK);
    assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[0]), ERR_OK);
    assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[1]), ERR_OK);
    assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[2]), ERR_LIMIT);
    bench.stop_after = 2;
    assert_int_equal(sem_post(&bench.gate), 0);
    loop_run_or_fail(bench.loop);
    assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[2]), ERR_OK); /* room again */
    bench_deinit(&bench);
    assert_int_equal(bench.done, 3);
    assert_int_equal(bench.work_wrong + bench.done_wrong, 0);
}

static void free_finishes_what_is_queued(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(loop_worker_submit(bench.worker, work, done, &jobs[i]), ERR_OK);
    }
    bench_deinit(&bench); /* the loop never ran */
    assert_int_equal(bench.worked, JOBS);
    assert_int_equal(bench.done, JOBS);
    assert_int_equal(bench.work_wrong + bench.done_wrong, 0);
}

static enum err late_submit = ERR_OK;

static void submit_again(void *context)
{
    struct bench *bench = context;
    late_submit = loop_worker_submit(bench->worker, work, NULL, &jobs[0]);
}

static void nothing(void *context)
{
    (void)context;
}

static void a_closing_worker_takes_no_more(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 2);
    assert_int_equal(loop_worker_submit(bench.worker, nothing, submit_again, &bench), ERR_OK);
    bench_deinit(&bench);
    assert_int_equal(late_submit, ERR_CLOSED);
    assert_int_equal(bench.worked, 0);
}

static void a_queue_of_nothing_is_refused(void **state)
{
    (void)state;
    struct loop *loop;
    struct loop_worker *worker;
    assert_int_equal(loop_new(&loop), ERR_OK);
    assert_int_equal(loop_worker_new(loop, "w", 0, &worker), ERR_RANGE);
    assert_int_equal(loop_worker_new(loop, "w", SIZE_MAX / 2, &worker), ERR_RANGE);
    loop_worker_free(NULL);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_and_are_done_on_the_loop),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(free_finishes_what_is_queued),
        cmocka_unit_test(a_closing_worker_takes_no_more),
        cmocka_unit_test(a_queue_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
