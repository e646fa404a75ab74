/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/engine_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct rrset_value value(unsigned last)
{
    return (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)last}}}};
}

static void submit(struct change_queue *queue, const char *name, unsigned last, uint64_t rev)
{
    struct rrset_change change = {.name = name, .type = RRTYPE_A, .ttl = 60, .want = value(last), .rev = rev};
    assert_int_equal(change_queue_submit(queue, &change, 0), ERR_OK);
}

static unsigned last_byte(const struct change *change)
{
    struct batch_item item;
    change_unpack(change, &item);
    assert_int_equal(item.want.len, 1);
    return item.want.ips[0].bytes[3];
}

static void newer_takes_the_place_of_what_waits(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    submit(&queue, "b.example", 2, 2);
    submit(&queue, "a.example", 3, 3);
    submit(&queue, "a.example", 4, 2); /* out of order: older than what waits */
    assert_int_equal(queue.len, 2);
    assert_string_equal(change_name(queue.waiting.head), "a.example");
    assert_int_equal(last_byte(queue.waiting.head), 3);
    assert_int_equal(queue.waiting.head->rev, 3);
    change_queue_deinit(&queue);
}

static void never_two_of_one_rrset_at_once(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    struct change *first = queue.waiting.head;
    change_queue_take(&queue, first);
    submit(&queue, "a.example", 2, 2);
    submit(&queue, "a.example", 3, 3);
    assert_null(queue.waiting.head);
    change_queue_settle(&queue, first, true, 0);
    assert_int_equal(queue.waiting.len, 1);
    assert_int_equal(last_byte(queue.waiting.head), 3);
    struct change *second = queue.waiting.head;
    change_queue_take(&queue, second);
    change_queue_settle(&queue, second, true, 0);
    assert_int_equal(queue.len, 0);
    change_queue_deinit(&queue);
}

static void what_is_under_way_is_not_sent_again(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    struct change *change = queue.waiting.head;
    change_queue_take(&queue, change);
    submit(&queue, "a.example", 1, 1); /* told again */
    assert_null(change->newer);
    struct rrset_change adopt = {
        .name = "a.example", .type = RRTYPE_A, .ttl = 60, .want = value(1), .rev = 1, .adopt = true};
    assert_int_equal(change_queue_submit(&queue, &adopt, 0), ERR_OK); /* the same in another way */
    assert_non_null(change->newer);
    submit(&queue, "a.example", 1, 2); /* a later one with the same value: a refresh */
    assert_int_equal(change->newer->rev, 2);
    struct change *newer = change->newer;
    submit(&queue, "a.example", 1, 2);
    assert_ptr_equal(change->newer, newer);
    struct rrset_change longer = {.name = "a.example", .type = RRTYPE_A, .ttl = 90, .want = value(1), .rev = 2};
    assert_int_equal(change_queue_submit(&queue, &longer, 0), ERR_OK); /* the same for another time */
    assert_int_equal(change->newer->ttl, 90);
    submit(&queue, "a.example", 7, 1); /* older than what comes after the one under way */
    assert_int_equal(change->newer->rev, 2);
    change_queue_settle(&queue, change, true, 0);
    assert_int_equal(queue.waiting.len, 1);
    change_queue_deinit(&queue);
}

/** Of an unknown outcome: whatever is sent next, this or what is newer, must not be overtaken by it; then it is over.
 */
static void what_was_lost_concerns_the_next_one_alone(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    struct change *change = queue.waiting.head;
    change_queue_take(&queue, change);
    change->lost = true;
    submit(&queue, "a.example", 2, 2); /* comes while it is under way */
    change_queue_delay(&queue, change, 100);
    assert_true(queue.delayed.head->lost);
    submit(&queue, "a.example", 3, 3); /* and while it waits */
    assert_true(queue.delayed.head->lost);
    (void)change_queue_wake(&queue, 100);
    change = queue.waiting.head;
    change_queue_take(&queue, change);
    assert_false(change->lost);
    change_queue_deinit(&queue);
}

static void tries_count_until_one_is_settled(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    struct change *change = queue.waiting.head;
    change_queue_take(&queue, change);
    change->attempts = 3;
    submit(&queue, "a.example", 2, 2);
    change = change_queue_put_back(&queue, change, 0);
    assert_int_equal(change->attempts, 3); /* the service is the same for a newer value */
    change_queue_take(&queue, change);
    submit(&queue, "a.example", 3, 3);
    change_queue_settle(&queue, change, true, 0);
    assert_int_equal(queue.waiting.head->attempts, 0);
    change_queue_deinit(&queue);
}

static void put_back_goes_first_and_gives_way_to_the_newer(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    submit(&queue, "b.example", 2, 2);
    struct change *first = queue.waiting.head;
    change_queue_take(&queue, first);
    submit(&queue, "a.example", 9, 3);
    struct change *back = change_queue_put_back(&queue, first, 0);
    assert_ptr_equal(queue.waiting.head, back);
    assert_int_equal(last_byte(back), 9);
    assert_int_equal(back->rev, 3);
    assert_int_equal(queue.len, 2);
    change_queue_deinit(&queue);
}

static void shared_zones_hand_on_what_stands_at_the_server(void **state)
{
    (void)state;
    struct change_queue queue;
    struct batch_item item;
    struct rrset_value one = value(1), two = value(2);
    change_queue_init(&queue, true);
    submit(&queue, "a.example", 1, 1);
    struct change *change = queue.waiting.head;
    change_queue_take(&queue, change);
    submit(&queue, "a.example", 2, 2);
    change_queue_settle(&queue, change, true, 0); /* 1 was applied: 2 must require it */
    change = queue.waiting.head;
    change_unpack(change, &item);
    assert_true(item.have_known && rrset_value_equal(&item.have, &one));
    change_queue_take(&queue, change);
    change_mark_unsure(change); /* 2 went unanswered: 3 must know that 1 or 2 may stand there */
    submit(&queue, "a.example", 3, 3);
    change = change_queue_put_back(&queue, change, 0);
    change_unpack(change, &item);
    assert_true(item.unsure && rrset_value_equal(&item.sent, &two) && rrset_value_equal(&item.have, &one));
    assert_int_equal(last_byte(change), 3);
    item.unsure = false;
    item.have = two;
    change_learn(change, &item);
    change_unpack(change, &item);
    assert_true(!item.unsure && rrset_value_equal(&item.have, &two));
    change_queue_take(&queue, change);
    change_mark_unsure(change);
    submit(&queue, "a.example", 4, 4);
    change_queue_settle(&queue, change, true, 0); /* it turned out that 3 was applied: nothing is in doubt for 4 */
    change_unpack(queue.waiting.head, &item);
    assert_true(!item.unsure && item.have.ips[0].bytes[3] == 3);
    change_queue_deinit(&queue);
}

/* 2 went unanswered, and so does the question whether it stands there: nothing of 3 was sent. */
static void a_question_that_goes_unanswered_keeps_what_was_sent(void **state)
{
    (void)state;
    struct change_queue queue;
    struct batch_item item;
    struct rrset_value two = value(2);
    change_queue_init(&queue, true);
    submit(&queue, "a.example", 2, 2);
    struct change *change = queue.waiting.head;
    change_queue_take(&queue, change);
    change_mark_unsure(change);
    submit(&queue, "a.example", 3, 3);
    change = change_queue_put_back(&queue, change, 0);
    change_queue_take(&queue, change);
    change_mark_unsure(change);
    change_unpack(change, &item);
    assert_true(item.unsure && rrset_value_equal(&item.sent, &two));
    change_queue_deinit(&queue);
}

static void a_name_outlives_its_replacement_until_it_is_buried(void **state)
{
    (void)state;
    struct change_queue queue;
    change_queue_init(&queue, false);
    submit(&queue, "a.example", 1, 1);
    const char *name = change_name(queue.waiting.head); /* as a result that is being told has it */
    submit(&queue, "a.example", 2, 2);
    assert_ptr_not_equal(change_name(queue.waiting.head), name);
    assert_string_equal(name, "a.example");
    change_queue_bury(&queue);
    assert_null(queue.replaced);
    submit(&queue, "a.example", 3, 3);
    change_queue_deinit(&queue); /* buries the rest: the sanitizer would tell */
}

static void delayed_wake_in_their_order(void **state)
{
    (void)state;
    struct change_queue queue;
    char name[32];
    static const uint64_t until[] = {300, 100, 200};
    change_queue_init(&queue, false);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof(name), "h%u.example", i); /* fits */
        submit(&queue, name, i, i);
        struct change *change = queue.waiting.head;
        change_queue_take(&queue, change);
        change_queue_delay(&queue, change, until[i]);
    }
    submit(&queue, "h1.example", 9, 9); /* waits as long */
    assert_int_equal(change_queue_wake(&queue, 99), 100);
    assert_int_equal(queue.waiting.len, 0);
    assert_int_equal(change_queue_wake(&queue, 200), 300);
    assert_int_equal(queue.waiting.len, 2);
    assert_int_equal(last_byte(queue.waiting.head), 9);
    assert_string_equal(change_name(queue.waiting.tail), "h2.example");
    assert_int_equal(change_queue_wake(&queue, 300), UINT64_MAX);
    change_queue_deinit(&queue);
}

static void many_names_are_found_again(void **state)
{
    (void)state;
    struct change_queue queue;
    char name[32];
    change_queue_init(&queue, false);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            (void)snprintf(name, sizeof(name), "host%u.example", i); /* fits */
            submit(&queue, name, i % 250, round);
        }
    }
    assert_int_equal(queue.len, 5000);
    assert_int_equal(queue.waiting.len, 5000);
    change_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newer_takes_the_place_of_what_waits),
        cmocka_unit_test(never_two_of_one_rrset_at_once),
        cmocka_unit_test(what_is_under_way_is_not_sent_again),
        cmocka_unit_test(what_was_lost_concerns_the_next_one_alone),
        cmocka_unit_test(tries_count_until_one_is_settled),
        cmocka_unit_test(put_back_goes_first_and_gives_way_to_the_newer),
        cmocka_unit_test(shared_zones_hand_on_what_stands_at_the_server),
        cmocka_unit_test(a_question_that_goes_unanswered_keeps_what_was_sent),
        cmocka_unit_test(a_name_outlives_its_replacement_until_it_is_buried),
        cmocka_unit_test(delayed_wake_in_their_order),
        cmocka_unit_test(many_names_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
