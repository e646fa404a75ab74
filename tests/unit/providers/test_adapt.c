/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/adapt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/limits.h"

/** A server as arithmetic: it takes what waits, up to @c group messages, and answers them together. */
struct server {
    double fixed_us;  /* of one commit */
    double record_us; /* of one change */
    uint32_t group;   /* messages a commit can take */
    uint32_t total;   /* changes; 0 = 100,000 */
    double stall_us;  /* once, a second after the start */
};

struct message {
    struct adapt_stamp stamp;
    uint32_t changes;
};

/** Feeds @p total changes. @return changes a second, over the whole run from a cold start. */
static double run(struct adapt *adapt, const struct server *server, uint32_t total)
{
    struct message queue[PROVIDER_DEPTH_MAX];
    uint32_t left = total, queued = 0, flying = 0;
    double now = 1e6, stall = server->stall_us;
    while (left > 0 || queued > 0) {
        while (left > 0 && queued < adapt_depth(adapt) && (left >= adapt_batch(adapt) || queued == 0)) {
            bool alone = queued == 0 && adapt_fits_alone(adapt, left);
            uint32_t changes = alone ? left : MIN(left, adapt_batch(adapt));
            bool starved = flying + left < adapt_batch(adapt) * adapt_depth(adapt);
            left -= changes;
            flying += changes;
            queue[queued].stamp = adapt_sent(adapt, (uint64_t)now, queued == 0, starved);
            queue[queued++].changes = changes;
        }
        uint32_t taken = MIN(queued, server->group), changes = 0;
        for (uint32_t i = 0; i < taken; i++) {
            changes += queue[i].changes;
        }
        now += server->fixed_us + server->record_us * changes;
        if (now > 2e6) {
            now += stall;
            stall = 0;
        }
        for (uint32_t i = 0; i < taken; i++) {
            adapt_answered(adapt, &queue[i].stamp, queue[i].changes, (uint64_t)now);
        }
        for (uint32_t i = taken; i < queued; i++) {
            queue[i - taken] = queue[i];
        }
        queued -= taken;
        flying -= changes;
    }
    return total / (now - 1e6) * 1e6;
}

static double best_fixed(const struct server *server, uint32_t total)
{
    static const uint32_t batches[] = {1, 10, 100, 500, 1000}, depths[] = {1, 4, 16};
    double best = 0;
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        for (size_t j = 0; j < ARRAY_LEN(depths); j++) {
            struct adapt fixed;
            adapt_init(&fixed, batches[i], depths[j], false);
            double rate = run(&fixed, server, total);
            best = MAX(best, rate);
        }
    }
    return best;
}

static void reaches_85_percent_of_the_best_fixed_setting_from_a_cold_start(void **state)
{
    (void)state;
    static const struct server servers[] = {
        {.fixed_us = 1000, .record_us = 50, .group = 1},   /* cost in the record */
        {.fixed_us = 26000, .record_us = 18, .group = 16}, /* cost in the commit, which takes all that waits */
        {.fixed_us = 300, .record_us = 3, .group = 1},     /* fast */
        {.fixed_us = 20000, .record_us = 400, .group = 1}, /* slow */
        /* a zone so large that a commit takes most of a second whatever is in it */
        {.fixed_us = 700000, .group = 1, .total = 300000},
        {.fixed_us = 700000, .group = 16, .total = 4000000},
        {.fixed_us = 26000, .record_us = 18, .group = 16, .total = 1000000, .stall_us = 3e6},
    };
    bool failed = false;
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        struct adapt adapt;
        adapt_init(&adapt, 1000, 16, true);
        uint32_t total = servers[i].total != 0 ? servers[i].total : 100000;
        double rate = run(&adapt, &servers[i], total), best = best_fixed(&servers[i], total);
        failed |= rate < 0.85 * best;
        if (rate < 0.85 * best) {
            print_error("server %zu: %.0f of %.0f changes/s, batch %u, depth %u\n", i, rate, best, adapt_batch(&adapt),
                        adapt_depth(&adapt));
        }
    }
    assert_false(failed);
}

static void server_that_is_slow_by_the_record_gets_a_shallow_pipeline(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    (void)run(&adapt, &(struct server){.fixed_us = 1000, .record_us = 50, .group = 1},
              100000); /* the rate is judged above */
    assert_in_range(adapt_depth(&adapt), 1, 2);
    assert_in_range(adapt_batch(&adapt), 32, 512);
}

static void server_that_commits_in_groups_gets_a_deep_pipeline(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    (void)run(&adapt, &(struct server){.fixed_us = 26000, .record_us = 18, .group = 16},
              100000); /* the rate is judged above */
    assert_in_range(adapt_batch(&adapt) * adapt_depth(&adapt), 4000, 16000);
}

static void slow_messages_shrink_the_window_where_that_costs_nothing(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    (void)run(&adapt, &(struct server){.record_us = 20000, .group = 1}, 20000); /* the same at every window */
    assert_in_range(adapt_batch(&adapt) * adapt_depth(&adapt), 1, 64);
}

static void limits_of_a_provider_are_kept(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 20, 2, true);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(adapt_batch(&adapt), 1, 20);
        assert_in_range(adapt_depth(&adapt), 1, 2);
        struct adapt_stamp stamp = adapt_sent(&adapt, (uint64_t)i * 1000, true, false);
        adapt_answered(&adapt, &stamp, adapt_batch(&adapt), (uint64_t)i * 1000 + 500);
    }
    adapt_init(&adapt, 20, 1, false);
    assert_int_equal(adapt_batch(&adapt), 20);
    assert_int_equal(adapt_depth(&adapt), 1);
}

static void what_comes_at_once_goes_at_once(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    assert_int_equal(adapt_batch(&adapt), 64);
    assert_true(adapt_fits_alone(&adapt, 256));
    assert_false(adapt_fits_alone(&adapt, 257));
    adapt_overload(&adapt); /* this server wants less */
    assert_int_equal(adapt_batch(&adapt), 32);
    assert_true(adapt_fits_alone(&adapt, 32));
    assert_false(adapt_fits_alone(&adapt, 33));
    adapt_init(&adapt, 100, 16, true);
    assert_true(adapt_fits_alone(&adapt, 100));
    assert_false(adapt_fits_alone(&adapt, 101));
    adapt_init(&adapt, 1, 1, true);
    assert_true(adapt_fits_alone(&adapt, 1));
    assert_false(adapt_fits_alone(&adapt, 2));
    adapt_init(&adapt, 20, 4, false);
    assert_true(adapt_fits_alone(&adapt, 20));
    assert_false(adapt_fits_alone(&adapt, 21));
}

static void overload_halves_down_to_one(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    for (int i = 0; i < 40; i++) {
        adapt_overload(&adapt);
    }
    assert_int_equal(adapt_batch(&adapt), 1);
    assert_int_equal(adapt_depth(&adapt), 1);
}

static void starved_rounds_change_nothing(void **state)
{
    (void)state;
    struct adapt adapt;
    adapt_init(&adapt, 1000, 16, true);
    uint32_t batch = adapt_batch(&adapt);
    for (uint64_t now = 0; now < 100000000; now += 100000) {
        struct adapt_stamp stamp = adapt_sent(&adapt, now, true, true);
        adapt_answered(&adapt, &stamp, 1, now + 800);
    }
    assert_int_equal(adapt_batch(&adapt), batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_85_percent_of_the_best_fixed_setting_from_a_cold_start),
        cmocka_unit_test(server_that_is_slow_by_the_record_gets_a_shallow_pipeline),
        cmocka_unit_test(server_that_commits_in_groups_gets_a_deep_pipeline),
        cmocka_unit_test(slow_messages_shrink_the_window_where_that_costs_nothing),
        cmocka_unit_test(limits_of_a_provider_are_kept),
        cmocka_unit_test(what_comes_at_once_goes_at_once),
        cmocka_unit_test(overload_halves_down_to_one),
        cmocka_unit_test(starved_rounds_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
