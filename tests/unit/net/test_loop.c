/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/loop_run.h"

#define THREADS          4
#define POSTS_PER_THREAD 10000

static int make_loop(void **state)
{
    return loop_new((struct loop **)state) == ERR_OK ? 0 : -1;
}

static int drop_loop(void **state)
{
    loop_free(*state);
    return 0;
}

static void stop(void *context)
{
    loop_stop(context);
}

struct poster {
    struct loop *loop;
    struct gathering *gathering;
    unsigned next_sent, next_seen;
    pthread_t thread;
};

struct gathering {
    struct loop *loop;
    unsigned seen, out_of_order;
    struct poster posters[THREADS];
};

struct numbered {
    struct poster *poster;
    unsigned number;
};

static struct numbered numbered[THREADS][POSTS_PER_THREAD];

static void gather(void *context)
{
    const struct numbered *post = context;
    struct gathering *gathering = post->poster->gathering;
    gathering->out_of_order += post->number != post->poster->next_seen++;
    if (++gathering->seen == THREADS * POSTS_PER_THREAD) {
        loop_stop(gathering->loop);
    }
}

static void *post_all(void *context)
{
    struct poster *poster = context;
    struct numbered *mine = numbered[poster - poster->gathering->posters];
    for (unsigned i = 0; i < POSTS_PER_THREAD; i++) {
        mine[i] = (struct numbered){.poster = poster, .number = i};
        if (loop_post(poster->loop, gather, &mine[i]) != ERR_OK) {
            return NULL;
        }
        poster->next_sent++;
    }
    return NULL;
}

static void posts_of_many_threads_all_arrive_in_order(void **state)
{
    struct gathering gathering = {.loop = *state};
    for (int i = 0; i < THREADS; i++) {
        gathering.posters[i] = (struct poster){.loop = *state, .gathering = &gathering};
        assert_int_equal(pthread_create(&gathering.posters[i].thread, NULL, post_all, &gathering.posters[i]), 0);
    }
    loop_run_or_fail(*state);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(gathering.posters[i].thread, NULL), 0);
        assert_int_equal(gathering.posters[i].next_sent, POSTS_PER_THREAD);
        assert_int_equal(gathering.posters[i].next_seen, POSTS_PER_THREAD);
    }
    assert_int_equal(gathering.out_of_order, 0);
}

static void nothing(void *context)
{
    (void)context;
}

static void posts_are_bounded_and_room_comes_back(void **state)
{
    for (int i = 0; i < 65536; i++) {
        assert_int_equal(loop_post(*state, nothing, NULL), ERR_OK);
    }
    assert_int_equal(loop_post(*state, nothing, NULL), ERR_LIMIT);
    struct loop_timer *timer;
    assert_int_equal(loop_timer_new(*state, stop, *state, &timer), ERR_OK);
    loop_timer_after(timer, 1);
    loop_run_or_fail(*state);
    assert_int_equal(loop_post(*state, nothing, NULL), ERR_OK);
}

struct reposting {
    struct loop *loop;
    int left;
};

static void repost(void *context)
{
    struct reposting *reposting = context;
    if (--reposting->left == 0) {
        loop_stop(reposting->loop);
        return;
    }
    assert_int_equal(loop_post(reposting->loop, repost, reposting), ERR_OK);
}

static void a_post_may_post(void **state)
{
    struct reposting reposting = {.loop = *state, .left = 100};
    assert_int_equal(loop_post(*state, repost, &reposting), ERR_OK);
    loop_run_or_fail(*state);
    assert_int_equal(reposting.left, 0);
}

struct waking {
    struct loop *loop;
    struct loop_wake *wake;
    int calls;
};

static void count_wake(void *context)
{
    struct waking *waking = context;
    waking->calls++;
    loop_stop(waking->loop);
}

static void wakes_coalesce(void **state)
{
    struct waking waking = {.loop = *state};
    assert_int_equal(loop_wake_new(*state, count_wake, &waking, &waking.wake), ERR_OK);
    for (int i = 0; i < 1000; i++) {
        loop_wake(waking.wake);
    }
    loop_run_or_fail(*state);
    assert_int_equal(waking.calls, 1);
    loop_wake(waking.wake);
    loop_run_or_fail(*state);
    assert_int_equal(waking.calls, 2);
    loop_wake_free(waking.wake);
}

struct firing {
    struct loop *loop;
    char order[8];
    size_t fired;
    uint64_t at_ms[8];
};

struct named_timer {
    struct firing *firing;
    char name;
    struct loop_timer *timer;
};

static void fire(void *context)
{
    struct named_timer *named = context;
    struct firing *firing = named->firing;
    firing->at_ms[firing->fired] = clock_mono_ms();
    firing->order[firing->fired++] = named->name;
    if (named->name == 'z') {
        loop_stop(firing->loop);
    }
}

static void timers_fire_in_order_and_not_before_their_time(void **state)
{
    struct firing firing = {.loop = *state};
    struct named_timer timers[] = {{.name = 'c'}, {.name = 'a'}, {.name = 'x'}, {.name = 'b'}, {.name = 'z'}};
    const uint64_t delays[] = {20, 5, 10, 12, 30};
    uint64_t start = clock_mono_ms();
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        timers[i].firing = &firing;
        assert_int_equal(loop_timer_new(*state, fire, &timers[i], &timers[i].timer), ERR_OK);
        loop_timer_at(timers[i].timer, start + delays[i]);
    }
    loop_timer_at(timers[2].timer, UINT64_MAX); /* 'x' is disarmed */
    loop_timer_after(timers[1].timer, 50000);   /* 'a' is re-armed twice */
    loop_timer_at(timers[1].timer, start + 6);
    loop_run_or_fail(*state);
    assert_string_equal(firing.order, "abcz");
    const uint64_t due[] = {6, 12, 20, 30};
    for (size_t i = 0; i < firing.fired; i++) {
        assert_true(firing.at_ms[i] >= start + due[i]);
        loop_timer_free(timers[i].timer);
    }
    loop_timer_free(timers[4].timer);
}

struct rearming {
    struct loop *loop;
    struct loop_timer *timer;
    int rounds;
    bool post_ran;
};

static void outlast_the_turn(void *context)
{
    struct loop *loop = context;
    uint64_t began = loop_now_ms(loop), until_ns = clock_mono_ns() + 20000000;
    while (clock_mono_ns() < until_ns) {
        /* a turn that takes long */
    }
    assert_int_equal(loop_now_ms(loop), began);
    loop_catch_up(loop);
    assert_true(loop_now_ms(loop) >= began + 19); /* whole milliseconds */
    loop_stop(loop);
}

static void the_time_of_a_turn_can_catch_up(void **state)
{
    struct loop *loop = *state;
    assert_int_equal(loop_post(loop, outlast_the_turn, loop), ERR_OK);
    loop_run(loop);
}

static void mark_post(void *context)
{
    struct rearming *rearming = context;
    rearming->post_ran = true;
    loop_stop(rearming->loop);
}

static void rearm_now(void *context)
{
    struct rearming *rearming = context;
    rearming->rounds++;
    loop_timer_at(rearming->timer, 0);
}

static void a_timer_always_due_does_not_starve_posts(void **state)
{
    struct rearming rearming = {.loop = *state};
    assert_int_equal(loop_timer_new(*state, rearm_now, &rearming, &rearming.timer), ERR_OK);
    loop_timer_at(rearming.timer, 0);
    assert_int_equal(loop_post(*state, mark_post, &rearming), ERR_OK);
    loop_run_or_fail(*state);
    assert_true(rearming.post_ran);
    assert_true(rearming.rounds >= 1);
}

static void free_self(void *context)
{
    struct rearming *rearming = context;
    loop_timer_free(rearming->timer);
    loop_stop(rearming->loop);
}

static void a_timer_may_be_freed_in_its_own_callback(void **state)
{
    struct rearming rearming = {.loop = *state};
    assert_int_equal(loop_timer_new(*state, free_self, &rearming, &rearming.timer), ERR_OK);
    loop_timer_after(rearming.timer, 0);
    loop_run_or_fail(*state);
}

static void signals_arrive_on_the_loop(void **state)
{
    struct waking waking = {.loop = *state};
    struct loop_signal *sig;
    assert_int_equal(loop_signal_new(*state, SIGUSR1, count_wake, &waking, &sig), ERR_OK);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    loop_run_or_fail(*state);
    assert_int_equal(waking.calls, 1);
    loop_signal_free(sig);
    assert_int_equal(loop_signal_new(*state, 9999, count_wake, &waking, &sig), ERR_INVALID);
}

struct polling {
    struct loop *loop;
    struct loop_poll *poll;
    int fd;
    int events;
    char byte;
};

static void on_ready(void *context, int events)
{
    struct polling *polling = context;
    polling->events |= events;
    if (events & LOOP_WRITABLE) {
        assert_int_equal(loop_poll_events(polling->poll, LOOP_READABLE), ERR_OK);
    }
    if (events & LOOP_READABLE) {
        assert_int_equal(recv(polling->fd, &polling->byte, 1, 0), 1);
        loop_poll_free(polling->poll);
        loop_stop(polling->loop);
    }
}

static void send_byte(void *context)
{
    assert_int_equal(send(*(const int *)context, "!", 1, 0), 1);
}

static void polls_tell_writable_and_readable(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    struct polling polling = {.loop = *state, .fd = fds[0]};
    assert_int_equal(loop_poll_new(*state, fds[0], on_ready, &polling, &polling.poll), ERR_OK);
    struct loop_poll *second;
    assert_int_not_equal(loop_poll_new(*state, -1, on_ready, &polling, &second), ERR_OK);
    assert_int_equal(loop_poll_events(polling.poll, LOOP_READABLE | LOOP_WRITABLE), ERR_OK);
    struct loop_timer *sender;
    assert_int_equal(loop_timer_new(*state, send_byte, &fds[1], &sender), ERR_OK);
    loop_timer_after(sender, 1);
    loop_run_or_fail(*state);
    assert_int_equal(polling.events, LOOP_READABLE | LOOP_WRITABLE);
    assert_int_equal(polling.byte, '!');
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

static void free_closes_what_still_stands(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_new(&loop), ERR_OK);
    struct loop_timer *timer;
    struct loop_wake *wake;
    struct loop_signal *sig;
    assert_int_equal(loop_timer_new(loop, nothing, NULL, &timer), ERR_OK);
    loop_timer_after(timer, 100000);
    assert_int_equal(loop_wake_new(loop, nothing, NULL, &wake), ERR_OK);
    assert_int_equal(loop_signal_new(loop, SIGUSR2, nothing, NULL, &sig), ERR_OK);
    assert_int_equal(loop_post(loop, nothing, NULL), ERR_OK);
    loop_free(loop); /* the address sanitizer judges */
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_of_many_threads_all_arrive_in_order, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(posts_are_bounded_and_room_comes_back, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_post_may_post, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(wakes_coalesce, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(timers_fire_in_order_and_not_before_their_time, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(the_time_of_a_turn_can_catch_up, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_timer_always_due_does_not_starve_posts, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_timer_may_be_freed_in_its_own_callback, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(signals_arrive_on_the_loop, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(polls_tell_writable_and_readable, make_loop, drop_loop),
        cmocka_unit_test(free_closes_what_still_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
