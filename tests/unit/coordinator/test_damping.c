/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/damping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* What a caller does: it keeps the newest value and publishes that one when told. */
struct caller {
    struct damping damping;
    uint64_t until_ms; /* 0 = nothing held */
    unsigned newest, published, publications;
    uint64_t worst_wait_ms, held_at_ms;
};

static void publish(struct caller *caller, uint64_t now_ms)
{
    if (caller->until_ms != 0 && now_ms - caller->held_at_ms > caller->worst_wait_ms) {
        caller->worst_wait_ms = now_ms - caller->held_at_ms;
    }
    caller->until_ms = 0;
    caller->published = caller->newest;
    caller->publications++;
}

static void judge(struct caller *caller, struct damping_decision decision, uint64_t now_ms)
{
    if (decision.publish) {
        publish(caller, now_ms);
        return;
    }
    assert_true(decision.until_ms > now_ms);
    if (caller->until_ms == 0) {
        caller->held_at_ms = now_ms;
    }
    caller->until_ms = decision.until_ms;
}

/* Lets time pass up to and including @p now_ms. */
static void pass(struct caller *caller, uint64_t now_ms)
{
    while (caller->until_ms != 0 && caller->until_ms <= now_ms) {
        uint64_t at = caller->until_ms;
        judge(caller, damping_release(&caller->damping, &damping_default, at), at);
    }
}

static void change(struct caller *caller, uint64_t now_ms)
{
    pass(caller, now_ms);
    caller->newest++;
    judge(caller, damping_change(&caller->damping, &damping_default, now_ms), now_ms);
}

static struct caller flap(uint64_t every_ms, uint64_t for_ms)
{
    struct caller caller = {0};
    for (uint64_t now = 5 * DAY; now < 5 * DAY + for_ms; now += every_ms) {
        change(&caller, now);
    }
    pass(&caller, 5 * DAY + for_ms + HOUR);
    return caller;
}

static void the_first_change_is_immediate(void **state)
{
    (void)state;
    static const uint64_t starts[] = {0, 1, 999, DAY, 400 * DAY};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct damping damping = {0};
        assert_true(damping_change(&damping, &damping_default, starts[i]).publish);
        assert_int_equal(damping_penalty(&damping, &damping_default, starts[i]), 1000);
        assert_int_equal(damping_penalty(&damping, &damping_default, starts[i] + 15 * MINUTE), 500);
    }
}

static void the_fourth_quick_change_is_held_until_reuse(void **state)
{
    (void)state;
    struct damping damping = {0};
    uint64_t now = HOUR;
    for (int i = 0; i < 3; i++) {
        assert_true(damping_change(&damping, &damping_default, now).publish);
    }
    struct damping_decision decision = damping_change(&damping, &damping_default, now);
    assert_false(decision.publish);
    assert_int_equal(decision.until_ms, now + 30 * MINUTE); /* 4000 halves twice to 1000 */
    decision = damping_release(&damping, &damping_default, decision.until_ms - SECOND);
    assert_false(decision.publish);
    assert_true(damping_release(&damping, &damping_default, decision.until_ms).publish);
    assert_true(damping_change(&damping, &damping_default, decision.until_ms + SECOND).publish);
}

static void changes_that_come_slowly_always_flow(void **state)
{
    (void)state;
    for (uint64_t every = 10 * MINUTE; every <= 6 * HOUR; every += 7 * MINUTE) {
        struct caller caller = flap(every, 7 * DAY);
        assert_int_equal(caller.publications, caller.newest);
        assert_int_equal(caller.worst_wait_ms, 0);
    }
}

static void fast_flapping_is_thinned_and_the_newest_value_gets_out(void **state)
{
    (void)state;
    static const uint64_t every[] = {1 * SECOND, 10 * SECOND, 59 * SECOND, 3 * MINUTE, 5 * MINUTE};
    for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
        struct caller caller = flap(every[i], 2 * DAY);
        assert_int_equal(caller.published, caller.newest);
        assert_int_equal(caller.until_ms, 0);
        assert_true(caller.publications < caller.newest / 2);
        assert_true(caller.worst_wait_ms <= HOUR);
        assert_true(caller.publications >= 48); /* an ever-flapping address still goes out once an hour */
    }
    assert_true(flap(SECOND, 2 * DAY).publications <= 2 * 48 + 4);
}

static void a_burst_then_calm_is_forgotten(void **state)
{
    (void)state;
    struct caller caller = {0};
    for (uint64_t i = 0; i < 500; i++) {
        change(&caller, DAY + i * SECOND);
    }
    pass(&caller, DAY + 3 * HOUR);
    assert_int_equal(caller.published, 500);
    unsigned before = caller.publications;
    for (uint64_t i = 0; i < 3; i++) {
        change(&caller, 2 * DAY + i * SECOND);
    }
    assert_int_equal(caller.publications, before + 3);
}

static void no_hold_is_longer_than_its_limit(void **state)
{
    (void)state;
    struct damping_params params = damping_default;
    for (params.max_suppress_s = 1; params.max_suppress_s < 7200; params.max_suppress_s += 97) {
        struct damping damping = {0};
        uint64_t now = HOUR, held_at = 0;
        for (unsigned i = 0; i < 20000; i++, now += SECOND) {
            bool publish = damping_change(&damping, &params, now).publish;
            if (!publish && held_at == 0) {
                held_at = now;
            } else if (publish && held_at != 0) {
                assert_true(now - held_at <= params.max_suppress_s * SECOND);
                held_at = 0;
            }
        }
    }
}

static void release_of_nothing_held_publishes(void **state)
{
    (void)state;
    struct damping damping = {0};
    assert_true(damping_release(&damping, &damping_default, DAY).publish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_change_is_immediate),
        cmocka_unit_test(the_fourth_quick_change_is_held_until_reuse),
        cmocka_unit_test(changes_that_come_slowly_always_flow),
        cmocka_unit_test(fast_flapping_is_thinned_and_the_newest_value_gets_out),
        cmocka_unit_test(a_burst_then_calm_is_forgotten),
        cmocka_unit_test(no_hold_is_longer_than_its_limit),
        cmocka_unit_test(release_of_nothing_held_publishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
