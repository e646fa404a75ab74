/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#define RING     8192u
#define MESSAGES 100000u

/* What a message of a number looks like: every length from 0 on, so that records end everywhere in the ring. */
static size_t payload_of(uint32_t number, char *buffer)
{
    size_t len = number * 7919u % 700;
    memset(buffer, (int)('a' + number % 26), len);
    return len;
}

static struct core_message message_of(uint32_t number, char *buffer)
{
    size_t len = payload_of(number, buffer + 16);
    int topic = snprintf(buffer, 16, "t/%u", number);
    return (struct core_message){.topic = view_n(buffer, (size_t)topic),
                                 .payload = view_n(buffer + 16, len),
                                 .observed = number % 3 == 0 ? VIEW_LITERAL("seen") : (struct view){0},
                                 .retained = number % 2 == 0,
                                 .received_ms = number};
}

static void check(const struct core_message *got, uint32_t number)
{
    char buffer[1024];
    struct core_message want = message_of(number, buffer);
    if (got->received_ms != number || !view_equal(got->topic, want.topic) || !view_equal(got->payload, want.payload) ||
        !view_equal(got->observed, want.observed) || got->retained != want.retained) {
        fail_msg("message %u came as %.*s", number, VIEW_ARG(got->topic));
    }
}

static void wraps_around(void **state)
{
    (void)state;
    struct intake *intake;
    assert_int_equal(intake_new(RING, &intake), ERR_OK);
    struct core_message got;
    assert_false(intake_pop(intake, &got));
    uint32_t pushed = 0;
    uint32_t popped = 0;
    char buffer[1024];
    while (popped < 20000) {
        struct core_message next = message_of(pushed, buffer);
        uint64_t before = intake_overflows(intake);
        if (pushed - popped < 1 + popped % 9 && intake_push(intake, &next) == ERR_OK) {
            pushed++;
            continue;
        }
        assert_true(intake_overflows(intake) - before <= 1);
        assert_true(intake_pop(intake, &got));
        check(&got, popped++);
    }
    intake_free(intake);
}

static void a_full_ring_drops_and_counts(void **state)
{
    (void)state;
    struct intake *intake;
    assert_int_equal(intake_new(RING, &intake), ERR_OK);
    char buffer[1024];
    uint32_t kept = 0;
    struct core_message next = message_of(kept, buffer);
    while (intake_push(intake, &next) == ERR_OK) {
        next = message_of(++kept, buffer);
    }
    assert_true(kept > 5 && intake_used(intake) <= RING);
    assert_int_equal(intake_overflows(intake), 1);
    struct core_message got;
    for (uint32_t i = 0; i < kept; i++) {
        assert_true(intake_pop(intake, &got));
        check(&got, i);
    }
    assert_false(intake_pop(intake, &got));
    assert_int_equal(intake_used(intake), 0);
    assert_int_equal(intake_push(intake, &next), ERR_OK);
    static char large[RING];
    next.payload = view_n(large, sizeof(large)); /* larger than the ring: never */
    assert_int_equal(intake_push(intake, &next), ERR_LIMIT);
    assert_int_equal(intake_overflows(intake), 2);
    intake_free(intake);
}

static void *produce(void *context)
{
    struct intake *intake = context;
    char buffer[1024];
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct core_message message = message_of(i, buffer);
        while (intake_push(intake, &message) != ERR_OK) {
            (void)sched_yield(); /* cannot fail on Linux */
        }
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state)
{
    (void)state;
    struct intake *intake;
    assert_int_equal(intake_new(RING, &intake), ERR_OK);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, intake), 0);
    struct core_message got;
    for (uint32_t i = 0; i < MESSAGES;) {
        if (intake_pop(intake, &got)) {
            check(&got, i++);
        } else {
            (void)sched_yield(); /* cannot fail on Linux */
        }
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_false(intake_pop(intake, &got));
    intake_free(intake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps_around),
        cmocka_unit_test(a_full_ring_drops_and_counts),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
