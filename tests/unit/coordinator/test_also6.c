/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/also6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macros.h"

#define NOW    INT64_C(1795000000000)
#define MINUTE INT64_C(60000)

static struct ip_prefix prefix_of(uint8_t number)
{
    return (struct ip_prefix){.ip = {.family = IP_V6, .bytes = {0x2a, 0, number}}, .len = 48};
}

static struct state_message said(uint8_t number, uint32_t preferred_s)
{
    return (struct state_message){.has_prefix6 = true,
                                  .prefix6 = prefix_of(9),
                                  .prefix6_also = {{.prefix = prefix_of(number), .life = {.preferred_s = preferred_s}}},
                                  .prefix6_also_len = 1};
}

static struct also6 known(uint8_t number, int64_t until_ms)
{
    return (struct also6){.items = {{.prefix = prefix_of(number), .until_ms = until_ms}}, .len = 1};
}

static const struct also6 nothing = {.len = 0};

/* One row: what is said of prefix 1, and when that ends. */
struct row {
    uint32_t preferred_s;
    int64_t ts; /* of the message; 0: its device has no clock */
    bool retained, newer;
    int64_t known_until; /* 0: not known */
    int64_t until;       /* 0: does not count */
};

static void a_word_is_worth_what_is_known_of_its_age(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* from the device */
        {600, 0, false, true, 0, NOW + 10 * MINUTE},
        {0, 0, false, true, 0, ALSO6_NO_END},
        {600, NOW - 50 * MINUTE, false, true, 0, NOW + 10 * MINUTE}, /* its clock is behind: nobody asks */
        {600, 0, false, true, NOW + 3 * MINUTE, NOW + 10 * MINUTE},  /* refreshed */
        {600, 0, false, false, NOW + 3 * MINUTE, NOW + 10 * MINUTE}, /* by a heartbeat */
        {600, 0, false, true, NOW + 60 * MINUTE, NOW + 10 * MINUTE}, /* shortened */
        {600, 0, false, true, ALSO6_NO_END, NOW + 10 * MINUTE},
        {0, 0, false, true, NOW + 3 * MINUTE, ALSO6_NO_END},
        {600, 0, false, false, NOW + 10 * MINUTE + 1000, NOW + 10 * MINUTE + 1000}, /* the same end, rounded */
        {600, 0, false, false, NOW + 10 * MINUTE - 1000, NOW + 10 * MINUTE - 1000},
        {600, 0, false, false, 0, NOW + 10 * MINUTE}, /* ended too early here: it is there */
        /* out of the broker's store, and never heard of before */
        {600, NOW - 4 * MINUTE, true, true, 0, NOW + 6 * MINUTE},
        {600, NOW - 40 * MINUTE, true, true, 0, 0},
        {600, NOW + 40 * MINUTE, true, true, 0, NOW + 10 * MINUTE}, /* a clock that is ahead prolongs nothing */
        {600, 0, true, true, 0, NOW + 10 * MINUTE},
        {0, NOW - 40 * MINUTE, true, true, 0, ALSO6_NO_END},
        /* out of the broker's store, and known: after a restart */
        {600, 0, true, false, NOW + 3 * MINUTE, NOW + 3 * MINUTE},
        {600, NOW - 8 * MINUTE, true, false, NOW + 3 * MINUTE, NOW + 2 * MINUTE},
        {600, 0, true, false, 0, 0}, /* it has ended */
        {600, 0, true, false, NOW, 0},
        {0, 0, true, false, ALSO6_NO_END, ALSO6_NO_END},
        {0, 0, true, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct state_message message = said(1, rows[i].preferred_s);
        message.ts = rows[i].ts;
        const struct also6_word word = {
            .state = &message, .retained = rows[i].retained, .newer = rows[i].newer, .now_ms = NOW};
        const struct also6 before = rows[i].known_until != 0 ? known(1, rows[i].known_until) : nothing;
        struct also6 also;
        also6_take(&word, &before, &also);
        if (also.len != (rows[i].until != 0) || (also.len > 0 && also.items[0].until_ms != rows[i].until)) {
            fail_msg("row %zu: %u, until %lld", i, also.len, (long long)also.items[0].until_ms);
        }
    }
}

static void what_is_not_said_leaves(void **state)
{
    (void)state;
    struct state_message message = said(1, 60);
    const struct also6_word word = {.state = &message, .newer = true, .now_ms = NOW};
    struct also6 also = known(2, NOW + 60 * MINUTE);
    also6_take(&word, &also, &also);
    assert_int_equal(also.len, 1);
    assert_int_equal(also.items[0].prefix.ip.bytes[2], 1);
    message.prefix6_also_len = 0;
    also6_take(&word, &also, &also);
    assert_int_equal(also.len, 0);
}

static void nothing_counts_twice(void **state)
{
    (void)state;
    struct state_message message = said(9, 60); /* the first prefix again */
    const struct also6_word word = {.state = &message, .newer = true, .now_ms = NOW};
    struct also6 also;
    message.prefix6_also[1] = message.prefix6_also[2] = said(1, 60).prefix6_also[0];
    message.prefix6_also_len = 3;
    also6_take(&word, &nothing, &also);
    assert_int_equal(also.len, 1);
    assert_int_equal(also.items[0].prefix.ip.bytes[2], 1);
}

static void what_has_ended_goes_and_the_rest_stays(void **state)
{
    (void)state;
    struct also6 also = {.items = {{.prefix = prefix_of(1), .until_ms = NOW},
                                   {.prefix = prefix_of(2), .until_ms = ALSO6_NO_END},
                                   {.prefix = prefix_of(3), .until_ms = NOW + 1}},
                         .len = 3};
    struct also6 before = also;
    assert_true(also6_next_end(&also) == NOW);
    also6_expire(&also, NOW - 1);
    assert_true(also6_ends_equal(&also, &before));
    also6_expire(&also, NOW);
    assert_false(also6_equal(&also, &before));
    assert_int_equal(also.len, 2);
    assert_int_equal(also.items[0].prefix.ip.bytes[2], 2);
    assert_true(also6_next_end(&also) == NOW + 1);
    before = also;
    before.items[1].until_ms++;
    assert_true(also6_equal(&also, &before));
    assert_false(also6_ends_equal(&also, &before));
    before.items[1].prefix.len--;
    assert_false(also6_equal(&also, &before));
    also6_expire(&also, INT64_MAX - 1);
    assert_int_equal(also.len, 1);
    assert_true(also6_next_end(&also) == ALSO6_NO_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_worth_what_is_known_of_its_age),
        cmocka_unit_test(what_is_not_said_leaves),
        cmocka_unit_test(nothing_counts_twice),
        cmocka_unit_test(what_has_ended_goes_and_the_rest_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
