/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine does for services with bulk APIs: documented rates, lookups that others wait for, listings page by
 * page. The service is bulk_service.h's; the real ones are replayed (test_replay.c) and run against strict services
 * (tests/contract).
 */
#include "bulk_service.h"

static void a_zone_under_constant_change_keeps_the_daily_limit(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 100,
                                             .depth_max = 1,
                                             .rates = {{RATE_OF_ZONE, RATE_WRITES, 15, 60 * 1000, 0},
                                                       {RATE_OF_ZONE, RATE_WRITES, 300, 24 * HOURS, 0}},
                                             .rates_len = 2});
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    uint64_t rev = 0;
    for (uint64_t now = 1000; now < 2 * 24 * (uint64_t)HOURS; now += 5000) {
        submit(zone, "a.example", (uint8_t)(rev % 200), rev + 1);
        rev++;
        run_until(now);
    }
    assert_int_equal(bulk.writes, 600); /* all that was allowed */
    for (unsigned i = 300; i < bulk.writes; i++) {
        assert_true(bulk.writes_ms[i] - bulk.writes_ms[i - 300] >= 24 * (uint64_t)HOURS);
    }
    for (unsigned i = 15; i < bulk.writes; i++) {
        assert_true(bulk.writes_ms[i] - bulk.writes_ms[i - 15] >= 60 * 1000);
    }
    service_close(&service);
}

static void what_a_change_costs_is_paid_before_the_next_batch(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 500,
                                             .depth_max = 1,
                                             .rates = {{RATE_OF_ACCOUNT, RATE_CHANGES, 100, 1000, 100}},
                                             .rates_len = 1});
    bulk.cost = 2;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 2000, 1, 1);
    run_until(100 * 1000);
    assert_int_equal(bulk.writes, 4);
    assert_int_equal(told.applied, 2000);
    assert_in_range(bulk.writes_ms[3] - bulk.writes_ms[0], 30000, 30100);
    service_close(&service);
}

static void what_was_refused_is_not_sent_again_after_a_wait(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10,
                                             .depth_max = 1,
                                             .rates = {{RATE_OF_ZONE, RATE_WRITES, 1, 60 * 1000, 0}},
                                             .rates_len = 1});
    bulk.partial = true;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 6, 1, 1);
    run_until(50 * 1000);
    assert_int_equal(told.refused, 1);
    run_until(100 * 1000);
    assert_int_equal(told.applied, 5);
    assert_int_equal(bulk.writes, 2);
    assert_int_equal(bulk.items, 11);
    service_close(&service);
}

static void one_token_serves_every_zone_of_the_account(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 4});
    bulk.wants_token = bulk.wants_id = true;
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &told);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &told);
    submit(one, "a.one.example", 1, 1);
    submit(two, "b.two.example", 1, 1);
    run_until(10 * 1000);
    assert_int_equal(told.applied, 2);
    assert_int_equal(bulk.tokens, 1);
    assert_int_equal(bulk.ids, 2);
    assert_int_equal(bulk.writes, 2);
    assert_int_equal(world.once, 2);           /* a lookup may be asked again unasked */
    assert_int_equal(world.timeout_ms, 10000); /* whatever the lookups before took */
    service_close(&service);
}

/** A zone that was deleted at the service, or that the login does not see, is asked for again and again: whoever else
 * is of that account must not wait for it. */
static void a_zone_that_is_not_there_holds_up_no_other(void **state)
{
    (void)state;
    struct service service;
    struct told good = {0}, bad = {0};
    struct engine_zone_status status;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    bulk.wants_id = true;
    bulk.missing = "bad.example";
    struct engine_zone *one = service_zone(&service, "good.example", on_settled, &good);
    struct engine_zone *two = service_zone(&service, "bad.example", on_settled, &bad); /* the first in line */
    submit(two, "a.bad.example", 1, 1);
    for (uint64_t i = 0; i < 600; i++) {
        submit(one, "a.good.example", (uint8_t)(1 + i % 2), 1 + i);
        run_until(1000 * (2 + i));
        assert_int_equal(good.applied, i + 1);
    }
    engine_zone_status(two, &status);
    assert_string_equal(status.state, "broken");
    assert_true(status.resume_ms > world.now_ms);
    assert_string_equal(bad.error, "notfound");
    assert_in_range(bulk.ids, 3, 40); /* ever more rarely */
    bulk.missing = NULL;
    run_until(3 * HOURS);
    assert_int_equal(bad.applied, 1);
    engine_zone_status(two, &status);
    assert_string_equal(status.state, "running");
    service_close(&service);
}

/** A batch may need as many lookups as a large zone has pages: `timeout` is for each request. */
static void each_request_of_a_batch_has_its_own_time(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct engine_zone_status status;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    bulk.wants_id = true;
    bulk.lookups = 500; /* of 50 ms: twice the account's timeout and a half */
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(30 * 1000);
    engine_zone_status(zone, &status);
    assert_int_equal(status.failures, 0);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

static void batches_of_a_zone_wait_for_one_lookup(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct engine_zone_status status;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 4});
    bulk.wants_id = true;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 40, 1, 1);
    run_until(1000 + ANSWER_MS - 1);
    assert_int_equal(world.requests, 1);
    run_until(1000 + 2 * ANSWER_MS - 1);
    assert_int_equal(bulk.writes, 4); /* then all at once */
    run_until(10 * 1000);
    assert_int_equal(told.applied, 40);
    assert_int_equal(bulk.ids, 1);
    engine_zone_status(zone, &status);
    assert_int_equal(status.lookups, 1);
    assert_int_equal(status.messages, 5);
    service_close(&service);
}

static void an_account_has_no_more_requests_out_than_it_may(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 1, .depth_max = 4, .account_max = 2});
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &told);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &told);
    for (unsigned i = 0; i < 4; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "n%u.one.example", i); /* fits */
        submit(one, name, 1, 1);
        (void)snprintf(name, sizeof(name), "n%u.two.example", i); /* fits */
        submit(two, name, 1, 1);
    }
    for (uint64_t now = 1000; now < 3000; now += 10) {
        run_until(now);
        assert_true(http_client_active(NULL) <= 2);
    }
    assert_int_equal(told.applied, 8);
    service_close(&service);
}

static void a_zone_with_much_to_do_leaves_room_for_others(void **state)
{
    (void)state;
    struct service service;
    struct told much = {0}, little[2] = {{0}};
    begin(&service, (struct provider_limits){.batch_max = 1, .depth_max = 1, .account_max = 1});
    struct engine_zone *first = service_zone(&service, "first.example", on_settled, &little[0]);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &much);
    struct engine_zone *last = service_zone(&service, "last.example", on_settled, &little[1]);
    submit_many(zone, 50, 1, 1);
    run_until(1010);
    submit(first, "a.first.example", 1, 1);
    submit(last, "a.last.example", 1, 1);
    run_until(1000 + 6 * ANSWER_MS);
    assert_int_equal(little[0].applied, 1);
    assert_int_equal(little[1].applied, 1);
    run_until(60 * 1000);
    assert_int_equal(much.applied, 50);
    service_close(&service);
}

static void a_zone_has_no_more_changes_out_than_it_may(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct engine_zone_status status;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 4, .flight_max = 25});
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 100, 1, 1);
    for (uint64_t now = 1000; now < 3000; now += 10) {
        run_until(now);
        engine_zone_status(zone, &status);
        assert_true(status.in_flight <= 25);
    }
    assert_int_equal(told.applied, 100);
    assert_int_equal(bulk.writes, 10);
    service_close(&service);
}

static void an_unknown_outcome_is_sent_again_where_that_does_no_harm(void **state)
{
    (void)state;
    static const struct reply script[] = {{0, "", ERR_IO}, {0, "", ERR_TIMEOUT}};
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1500);
    assert_string_equal(told.error, "connection-lost");
    run_until(1 * HOURS);
    assert_int_equal(told.unknown, 2);
    assert_string_equal(told.error, "timeout");
    assert_int_equal(told.applied, 1);
    assert_int_equal(bulk.writes, 3);
    assert_int_equal(world.queries, 0);
    service_close(&service);
}

static size_t ten(const struct provider_zone *zone, const struct batch_item *item)
{
    (void)zone;
    (void)item;
    return 10;
}

static void a_request_is_no_larger_than_the_service_takes(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 100, .depth_max = 1, .bytes_max = 55});
    ops.item_size = ten;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 20, 1, 1);
    run_until(1 * HOURS);
    assert_int_equal(told.applied, 20);
    assert_int_equal(bulk.writes, 4);
    ops.item_size = NULL;
    service_close(&service);
}

/** A question whose answer is lost has changed nothing. */
static void a_lookup_that_is_lost_leaves_no_doubt(void **state)
{
    (void)state;
    static const struct reply script[] = {{0, "", ERR_IO}, {0, "", ERR_TIMEOUT}};
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    bulk.wants_id = true;
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1 * HOURS);
    assert_int_equal(told.unknown, 0);
    assert_int_equal(told.applied, 1);
    assert_int_equal(bulk.ids, 3);
    assert_int_equal(bulk.writes, 1);
    service_close(&service);
}

static void a_name_is_not_written_more_often_than_the_service_allows(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10,
                                             .depth_max = 1,
                                             .rates = {{RATE_OF_HOST, RATE_WRITES, 1, 600 * 1000, 0}},
                                             .rates_len = 1});
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(5000);
    submit(zone, "a.example", 2, 2);
    submit(zone, "b.example", 2, 3); /* is not held up */
    run_until(500 * 1000);
    submit(zone, "a.example", 3, 4); /* takes the place of the one that waits */
    assert_int_equal(bulk.writes, 2);
    run_until(1000 * 1000);
    assert_int_equal(bulk.writes, 3);
    assert_int_equal(bulk.items, 3);
    assert_in_range(bulk.writes_ms[2] - bulk.writes_ms[0], 600 * 1000, 600 * 1000 + 100);
    service_close(&service);
}

static void a_name_that_never_left_is_not_held_up(void **state)
{
    (void)state;
    static const struct reply script[] = {{0, "", ERR_CRYPTO}};
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10,
                                             .depth_max = 1,
                                             .rates = {{RATE_OF_HOST, RATE_WRITES, 1, 600 * 1000, 0}},
                                             .rates_len = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(60 * 1000);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

struct listed {
    unsigned sets, addresses, done;
    enum err err;
};

static void list_each(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct rrset_value *value)
{
    struct listed *listed = context;
    assert_string_equal(name, "a.example");
    assert_true(type == RRTYPE_A && ttl == 60);
    listed->sets++;
    listed->addresses += value->len;
}

static void list_done(void *context, enum err err, const char *detail)
{
    struct listed *listed = context;
    (void)detail;
    listed->done++;
    listed->err = err;
}

static void a_zone_is_listed_page_by_page(void **state)
{
    (void)state;
    static const struct reply script[] = {{429, "", ERR_OK}, {200, "", ERR_OK}, {200, "", ERR_OK}};
    struct service service;
    struct listed listed = {0};
    struct engine_listing listing = {.each = list_each, .done = list_done, .context = &listed};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    bulk.pages = 0;
    struct engine_zone *zone = service_zone(&service, "example", NULL, NULL);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_STATE);
    run_until(60 * 1000);
    assert_int_equal(listed.done, 1);
    assert_int_equal(listed.err, ERR_OK);
    assert_int_equal(world.requests, 3);
    assert_int_equal(listed.sets, 1);
    service_close(&service);
}

static void a_stopped_account_is_listed_for_a_person_only(void **state)
{
    (void)state;
    struct service service;
    struct listed listed = {0};
    struct engine_listing listing = {.each = list_each, .done = list_done, .context = &listed};
    struct engine_stop stop = {.name = "", .error = "badauth", .detail = "mend the account"};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    assert_int_equal(engine_account_restore_stop(service.account, &stop), ERR_OK);
    struct engine_zone *zone = service_zone(&service, "example", NULL, NULL);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_DENIED);
    run_until(60 * 1000);
    assert_int_equal(world.requests, 0);
    assert_int_equal(listed.done, 0);
    listing.asked = true;
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    run_until(120 * 1000);
    assert_int_equal(listed.done, 1);
    assert_int_equal(listed.err, ERR_OK);
    service_close(&service);
}

static void a_listing_obeys_the_wait_that_the_service_asked_for(void **state)
{
    (void)state;
    static const struct reply script[] = {{429, "", ERR_OK}, {200, "", ERR_OK}, {429, "", ERR_OK}};
    struct service service;
    struct told told = {0};
    struct listed listed = {0};
    struct engine_listing listing = {.each = list_each, .done = list_done, .context = &listed};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    world.retry_after_s = 3600; /* more than a listing waits */
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    run_until(2000);
    assert_int_equal(listed.done, 1);
    submit(zone, "a.example", 1, 1); /* the wait is the account's */
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    run_until(1000 * 1000);
    assert_int_equal(listed.done, 2);
    assert_int_equal(listed.err, ERR_AGAIN);
    assert_int_equal(world.requests, 1);
    run_until(2 * HOURS);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

static void a_service_is_asked_again_after_a_day_whatever_it_said(void **state)
{
    (void)state;
    static const struct reply script[] = {{429, "", ERR_OK}};
    struct service service;
    struct told told = {0};
    struct listed listed = {0};
    struct engine_listing listing = {.each = list_each, .done = list_done, .context = &listed};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    world.retry_after_s = 3000000; /* a month and more */
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    run_until(2000);
    submit(zone, "a.example", 1, 1);
    run_until(23ull * HOURS);
    assert_int_equal(told.applied, 0);
    run_until(25ull * HOURS);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

static void a_listing_that_fails_says_so_once(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "", ERR_OK}, {403, "", ERR_OK}};
    struct service service;
    struct listed listed = {0};
    struct engine_listing listing = {.each = list_each, .done = list_done, .context = &listed};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", NULL, NULL);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    run_until(60 * 1000);
    assert_int_equal(listed.done, 1);
    assert_int_equal(listed.err, ERR_IO);
    service_close(&service);
}

static void what_became_of_a_change_is_sampled(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct engine_zone_status status;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    ops.build_follow = bulk_build_follow;
    ops.parse_follow = bulk_parse_follow;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit_many(zone, 5, 1, 1);
    run_until(3000);
    submit_many(zone, 5, 3, 10);
    run_until(3060); /* the first question is out */
    submit_many(zone, 5, 4, 15);
    run_until(3062);
    assert_int_equal(bulk.writes, 3); /* and nothing waits for it */
    run_until(30 * 1000);
    assert_int_equal(bulk.followed, 2);
    submit_many(zone, 5, 2, 20);
    run_until(50 * 1000); /* too soon for another sample */
    assert_int_equal(bulk.followed, 2);
    assert_int_equal(bulk.follows, 3);
    engine_zone_status(zone, &status);
    assert_in_range(status.insync_ms, 6000, 6500);
    assert_int_equal(told.applied, 20);
    service_close(&service);
}

static void a_ttl_is_what_the_service_takes(void **state)
{
    (void)state;
    struct service service;
    begin(&service, (struct provider_limits){.batch_max = 1, .depth_max = 1, .ttl_min = 300, .ttl_max = 86400});
    struct engine_zone *zone = service_zone(&service, "example", NULL, NULL);
    assert_int_equal(engine_zone_ttl(zone, 60), 300);
    assert_int_equal(engine_zone_ttl(zone, 600), 600);
    assert_int_equal(engine_zone_ttl(zone, 100000), 86400);
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_under_constant_change_keeps_the_daily_limit),
        cmocka_unit_test(what_a_change_costs_is_paid_before_the_next_batch),
        cmocka_unit_test(what_was_refused_is_not_sent_again_after_a_wait),
        cmocka_unit_test(one_token_serves_every_zone_of_the_account),
        cmocka_unit_test(a_zone_that_is_not_there_holds_up_no_other),
        cmocka_unit_test(each_request_of_a_batch_has_its_own_time),
        cmocka_unit_test(batches_of_a_zone_wait_for_one_lookup),
        cmocka_unit_test(an_account_has_no_more_requests_out_than_it_may),
        cmocka_unit_test(a_zone_with_much_to_do_leaves_room_for_others),
        cmocka_unit_test(a_zone_has_no_more_changes_out_than_it_may),
        cmocka_unit_test(an_unknown_outcome_is_sent_again_where_that_does_no_harm),
        cmocka_unit_test(a_request_is_no_larger_than_the_service_takes),
        cmocka_unit_test(a_lookup_that_is_lost_leaves_no_doubt),
        cmocka_unit_test(a_name_is_not_written_more_often_than_the_service_allows),
        cmocka_unit_test(a_name_that_never_left_is_not_held_up),
        cmocka_unit_test(a_zone_is_listed_page_by_page),
        cmocka_unit_test(a_service_is_asked_again_after_a_day_whatever_it_said),
        cmocka_unit_test(a_listing_that_fails_says_so_once),
        cmocka_unit_test(a_stopped_account_is_listed_for_a_person_only),
        cmocka_unit_test(a_listing_obeys_the_wait_that_the_service_asked_for),
        cmocka_unit_test(what_became_of_a_change_is_sampled),
        cmocka_unit_test(a_ttl_is_what_the_service_takes),
    };
    return cmocka_run_group_tests_name("engine_bulk", tests, NULL, NULL);
}
