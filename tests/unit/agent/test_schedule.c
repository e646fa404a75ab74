/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define WEEK   (7 * 24 * 60 * MINUTE)

static const struct schedule_timing polled = {.floor_ms = 30 * SECOND, .every_ms = 15 * MINUTE};

/* One question that is answered after 50 ms. @return when it ended. */
static uint64_t ask(struct schedule *schedule, uint64_t now, bool good, uint64_t random)
{
    assert_true(schedule_is_due(schedule, now, false));
    schedule_asked(schedule, now);
    assert_true(schedule_due(schedule) == SCHEDULE_NEVER);
    schedule_ended(schedule, good, now + 50, random);
    return now + 50;
}

static void spreads_the_first_questions_of_a_fleet(void **state)
{
    (void)state;
    unsigned seconds[2] = {0};
    uint64_t random = 88172645463325252ULL;
    for (unsigned i = 0; i < 10000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t at = schedule_first_ms(5 * SECOND, 2000, random);
        assert_in_range(at, 5 * SECOND, 7 * SECOND - 1);
        seconds[(at - 5 * SECOND) / SECOND]++;
    }
    assert_in_range(seconds[0], 4500, 5500);
    assert_int_equal(schedule_first_ms(5 * SECOND, 0, random), 5 * SECOND);
}

static void rests_until_somebody_wants_it(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, &polled);
    assert_false(schedule_is_due(&schedule, WEEK, true));
    schedule_want(&schedule, 1000, true);
    assert_false(schedule_is_due(&schedule, 999, false));
    assert_int_equal(schedule_due(&schedule), 1000);
    assert_true(schedule.event);
    (void)ask(&schedule, 1000, true, 0);
    assert_false(schedule.event);
}

static void polls_a_week_within_its_jitter(void **state)
{
    (void)state;
    struct schedule schedule;
    unsigned asked = 0;
    uint64_t random = 88172645463325252ULL, before = 0;
    schedule_init(&schedule, &polled);
    schedule_want(&schedule, 0, false);
    for (uint64_t now = 0; now < WEEK; now = schedule_due(&schedule), asked++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        assert_true(asked == 0 || now - before >= 12 * MINUTE);
        assert_true(now - before <= 18 * MINUTE + 50);
        before = now;
        (void)ask(&schedule, now, true, random);
    }
    assert_in_range(asked, 600, 750); /* 672 periods */
}

static void never_breaks_its_floor(void **state)
{
    (void)state;
    struct schedule schedule;
    unsigned asked = 0;
    schedule_init(&schedule, &polled);
    for (uint64_t now = 0; now < 10 * MINUTE; now += 100) { /* a link that flaps ten times a second */
        schedule_want(&schedule, now, true);
        if (schedule_is_due(&schedule, now, true)) {
            (void)ask(&schedule, now, asked % 2 == 0, 0);
            asked++;
        }
    }
    assert_int_equal(asked, 20);
}

static void asks_again_what_an_event_wanted_meanwhile(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, &polled);
    schedule_want(&schedule, 0, false);
    schedule_asked(&schedule, 0);
    schedule_want(&schedule, 10, false); /* a person: served by what is under way */
    assert_false(schedule.wanted_again);
    schedule_want(&schedule, 20, true); /* a new path: it is not */
    assert_false(schedule_is_due(&schedule, 20, false));
    schedule_ended(&schedule, true, 40, 0);
    assert_int_equal(schedule_due(&schedule), 30 * SECOND);
    assert_true(schedule.event);
}

static void backs_off_up_to_its_period(void **state)
{
    (void)state;
    const struct schedule_timing eager = {.floor_ms = 1 * SECOND, .every_ms = 15 * MINUTE};
    struct schedule schedule;
    uint64_t now = 0, longest = 0;
    schedule_init(&schedule, &eager);
    schedule_want(&schedule, 0, true);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t ended = ask(&schedule, now, false, UINT64_MAX / 2);
        assert_true(schedule.event); /* a retry still is the event's question */
        uint64_t wait = schedule_due(&schedule) - ended;
        assert_true(wait >= longest - longest / 2);
        longest = wait > longest ? wait : longest;
        now = schedule_due(&schedule);
    }
    assert_in_range(longest, 14 * MINUTE, 18 * MINUTE);
    (void)ask(&schedule, now, true, 0);
    assert_int_equal(schedule.failures, 0);
}

static void leaves_an_unpolled_source_alone(void **state)
{
    (void)state;
    const struct schedule_timing unpolled = {.floor_ms = 1 * SECOND, .every_ms = 0};
    struct schedule schedule;
    schedule_init(&schedule, &unpolled);
    schedule_want(&schedule, 0, true);
    (void)ask(&schedule, 0, true, 0);
    assert_true(schedule_due(&schedule) == SCHEDULE_NEVER);
    schedule_want(&schedule, 5 * SECOND, true);
    schedule_rest(&schedule); /* the path is gone */
    assert_true(schedule_due(&schedule) == SCHEDULE_NEVER);
}

static void leaves_alone_who_can_never_answer(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, &polled);
    schedule_want(&schedule, 0, true);
    schedule_asked(&schedule, 0);
    schedule_want(&schedule, 0, true);
    schedule_declined(&schedule);
    assert_true(schedule_due(&schedule) == SCHEDULE_NEVER);
    assert_int_equal(schedule.failures, 0); /* nobody who waits for it to come back */
    schedule_want(&schedule, MINUTE, true);
    assert_int_equal(schedule_due(&schedule), MINUTE);
    (void)ask(&schedule, MINUTE, true, 0);
}

static void goes_along_with_another(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, &polled);
    schedule_want(&schedule, 10 * MINUTE, false);
    assert_false(schedule_is_due(&schedule, 8 * MINUTE, true));
    assert_true(schedule_is_due(&schedule, 9 * MINUTE, true)); /* a tenth of the period early */
    assert_false(schedule_is_due(&schedule, 9 * MINUTE, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_the_first_questions_of_a_fleet),
        cmocka_unit_test(rests_until_somebody_wants_it),
        cmocka_unit_test(polls_a_week_within_its_jitter),
        cmocka_unit_test(never_breaks_its_floor),
        cmocka_unit_test(asks_again_what_an_event_wanted_meanwhile),
        cmocka_unit_test(backs_off_up_to_its_period),
        cmocka_unit_test(leaves_an_unpolled_source_alone),
        cmocka_unit_test(leaves_alone_who_can_never_answer),
        cmocka_unit_test(goes_along_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
