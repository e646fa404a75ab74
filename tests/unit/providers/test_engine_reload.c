/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a reload, and a restart: spent rates, requests under way, stops. */
#include <fcntl.h>

#include "bulk_service.h"

/** As the coordinator does it: accounts first, then the zones end, the old account, and zones are made again. */
static struct engine_zone *reload(struct service *service, struct engine_zone *zone, struct told *told)
{
    struct engine_account *old = service->account;
    service_account(service, "bulk", "https://h.example/u", 0);
    engine_zone_free(zone);
    engine_account_free(old);
    return service_zone(service, "example", on_settled, told);
}

static void a_reload_does_not_renew_what_may_be_spent(void **state)
{
    (void)state;
    static const struct provider_rate rates[] = {{RATE_OF_ACCOUNT, RATE_WRITES, 2, HOURS, 0},
                                                 {RATE_OF_ACCOUNT, RATE_CHANGES, 2, HOURS, 2},
                                                 {RATE_OF_ZONE, RATE_WRITES, 2, HOURS, 0},
                                                 {RATE_OF_HOST, RATE_WRITES, 2, HOURS, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct service service;
        struct told told = {0};
        begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1, .rates = {rates[i]}, .rates_len = 1});
        struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
        for (uint8_t round = 1; round <= 2; round++) {
            submit(zone, "a.example", round, round);
            run_until(round * 60000u);
            zone = reload(&service, zone, &told);
        }
        assert_int_equal(bulk.writes, 2);
        submit(zone, "a.example", 3, 3);
        run_until(HOURS / 4);
        zone = reload(&service, zone, &told); /* a zone that has nothing under way */
        submit(zone, "a.example", 3, 3);
        run_until(HOURS / 3);
        assert_int_equal(bulk.writes, 2);
        run_until(2 * HOURS);
        assert_int_equal(bulk.writes, 3);
        assert_int_equal(told.applied, 3);
        service_close(&service);
    }
}

static void what_was_under_way_at_a_reload_is_not_overtaken(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1000 + ANSWER_MS / 2);
    assert_int_equal(bulk.writes, 1);
    zone = reload(&service, zone, &told);
    submit(zone, "a.example", 2, 2); /* the service may still be about the first one */
    submit(zone, "b.example", 1, 1);
    run_until(1900);
    assert_int_equal(told.applied, 1);
    assert_int_equal(bulk.items, 2);
    run_until(60 * 1000);
    assert_int_equal(told.applied, 2);
    assert_int_equal(bulk.items, 3);
    service_close(&service);
}

static void a_stop_outlives_a_reload_that_nobody_wrote_down(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    struct engine_stop stop = {.name = "", .error = "badauth", .detail = "mend the account"};
    assert_int_equal(engine_account_restore_stop(service.account, &stop), ERR_OK);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    zone = reload(&service, zone, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1 * HOURS);
    assert_int_equal(world.requests, 0);
    assert_string_equal(told.error, "badauth");
    assert_int_equal(write(open(service.path, O_WRONLY | O_APPEND), "y", 1), 1); /* another password */
    zone = reload(&service, zone, &told);
    submit(zone, "a.example", 1, 1);
    run_until(2 * HOURS);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

struct kept {
    char account[65], name[DNSNAME_SIZE], error[32], detail[64];
    enum rrtype type;
    bool both;
    unsigned len;
};

static void keep_stop(void *context, const struct engine_stop *stop)
{
    struct kept *kept = context;
    kept->len++;
    kept->type = stop->type;
    kept->both = stop->both;
    (void)snprintf(kept->account, sizeof(kept->account), "%s", stop->account); /* these four fit */
    (void)snprintf(kept->name, sizeof(kept->name), "%s", stop->name);
    (void)snprintf(kept->error, sizeof(kept->error), "%s", stop->error);
    (void)snprintf(kept->detail, sizeof(kept->detail), "%s", stop->detail);
}

static void a_stop_outlives_the_engine_until_a_person_clears_it(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct kept kept = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    engine_on_stop(service.engine, keep_stop, &kept);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    bulk.stop = BATCH_STOP_HOST;
    submit(zone, "a.example", 1, 1);
    run_until(2000);
    assert_int_equal(kept.len, 1);
    assert_string_equal(kept.account, "t");
    assert_string_equal(kept.name, "a.example");
    assert_string_equal(kept.error, "nohost");
    assert_true(kept.both);
    service_close(&service);

    begin(&service, bulk.limits);
    struct engine_stop stop = {
        .name = kept.name, .type = kept.type, .both = kept.both, .error = kept.error, .detail = kept.detail};
    assert_int_equal(engine_account_restore_stop(service.account, &stop), ERR_OK);
    zone = service_zone(&service, "example", on_settled, &told);
    told = (struct told){0};
    submit(zone, "a.example", 1, 1);
    run_until(2000);
    assert_int_equal(told.refused, 1);
    assert_string_equal(told.error, "nohost");
    assert_int_equal(bulk.writes, 0);
    assert_int_equal(engine_account_clear_stops(service.account, "a.example"), 2);
    submit(zone, "a.example", 1, 2);
    run_until(4000);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

static void an_account_that_was_stopped_starts_stopped(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    struct engine_stop stop = {.name = "", .error = "badauth", .detail = "mend the account"};
    assert_int_equal(engine_account_restore_stop(service.account, &stop), ERR_OK);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(world.requests, 0);
    assert_string_equal(told.error, "badauth");
    assert_int_equal(engine_account_clear_stops(service.account, NULL), 1);
    run_until(25 * (uint64_t)HOURS);
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_does_not_renew_what_may_be_spent),
        cmocka_unit_test(what_was_under_way_at_a_reload_is_not_overtaken),
        cmocka_unit_test(a_stop_outlives_a_reload_that_nobody_wrote_down),
        cmocka_unit_test(a_stop_outlives_the_engine_until_a_person_clears_it),
        cmocka_unit_test(an_account_that_was_stopped_starts_stopped),
    };
    return cmocka_run_group_tests_name("engine_reload", tests, NULL, NULL);
}
