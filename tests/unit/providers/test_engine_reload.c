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

static void what_is_under_way_at_a_reload_counts_as_written(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service,
          (struct provider_limits){
              .batch_max = 10, .depth_max = 1, .rates = {{RATE_OF_HOST, RATE_WRITES, 1, HOURS, 0}}, .rates_len = 1});
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1000 + ANSWER_MS / 2);
    zone = reload(&service, zone, &told);
    submit(zone, "a.example", 2, 2);
    run_until(HOURS / 2);
    assert_int_equal(bulk.writes, 1);
    run_until(2 * HOURS);
    assert_int_equal(bulk.writes, 2);
    assert_int_equal(told.applied, 1);
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

/** Which name a login stands for is forgotten with the account: the other one must not be first then. */
static void a_name_that_the_login_is_not_for_stays_refused(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    begin(&service, (struct provider_limits){.batch_max = 1, .depth_max = 1});
    bulk.one_host = true;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(1000);
    submit(zone, "b.example", 2, 1);
    run_until(2000);
    assert_string_equal(told.error, PROVIDER_ONE_HOST);
    zone = reload(&service, zone, &told);
    submit(zone, "b.example", 2, 1); /* what was refused is sent again, what is served is not */
    run_until(1 * HOURS);
    assert_int_equal(bulk.writes, 1);
    submit(zone, "a.example", 3, 3);
    run_until(2 * HOURS);
    assert_int_equal(bulk.writes, 2);
    assert_int_equal(engine_account_clear_stops(service.account, NULL), 2); /* b's, in both types */
    service_close(&service);
}

enum { NAMES = 5, LATE_MS = 900 /* less than retry_min */, ROUNDS = 400 };

/** A service that loses answers, and does late what it was asked: what it holds, and what of it is to come. */
static struct {
    uint64_t random;
    unsigned newest[NAMES], sent[NAMES], settled[NAMES], served[NAMES]; /* revisions; the value is the revision's */
    bool unknown[NAMES];                                                /* asked about before the next message */
    bool open[NAMES];                                                   /* in an unanswered message */
    struct {
        uint64_t at_ms; /* 0 = free */
        unsigned name, rev;
    } coming[256];
    struct reply answers[ROUNDS * NAMES * 4];
    enum verdict_kind kinds[ROUNDS * NAMES * 4]; /* beside the answers */
    size_t answers_len;
} chaos;

static uint64_t chance(uint64_t below)
{
    chaos.random ^= chaos.random << 13;
    chaos.random ^= chaos.random >> 7;
    chaos.random ^= chaos.random << 17;
    return chaos.random % below;
}

/** What has come to be done by now, in its order. */
static void chaos_run(void)
{
    for (;;) {
        size_t first = ARRAY_LEN(chaos.coming);
        for (size_t i = 0; i < ARRAY_LEN(chaos.coming); i++) {
            bool due = chaos.coming[i].at_ms != 0 && chaos.coming[i].at_ms <= world.now_ms;
            if (due && (first == ARRAY_LEN(chaos.coming) || chaos.coming[i].at_ms < chaos.coming[first].at_ms)) {
                first = i;
            }
        }
        if (first == ARRAY_LEN(chaos.coming)) {
            return;
        }
        chaos.served[chaos.coming[first].name] = chaos.coming[first].rev;
        chaos.coming[first].at_ms = 0;
    }
}

static void chaos_wrote(const struct batch *batch)
{
    bool lost = chance(3) == 0, refused = !lost && chance(5) == 0;
    uint64_t at_ms = world.now_ms + 1 + chance(lost ? LATE_MS : ANSWER_MS - 1);
    chaos_run();
    assert_true(chaos.answers_len < ARRAY_LEN(chaos.answers));
    chaos.kinds[chaos.answers_len] = !refused ? VERDICT_SETTLED : batch->len == 1 ? VERDICT_RETRY : VERDICT_SPLIT;
    chaos.answers[chaos.answers_len++] = (struct reply){200, NULL, lost ? ERR_IO : ERR_OK};
    world.script_len++;
    for (size_t i = 0; i < batch->len; i++) {
        unsigned name = (unsigned)(batch->items[i].name[0] - 'a'), rev = chaos.newest[name];
        size_t slot = 0;
        while (rev > 0 && (uint8_t)rev != batch->items[i].want.ips[0].bytes[3]) {
            rev--; /* the latest of that value */
        }
        assert_true(rev >= chaos.sent[name]); /* nothing older after something newer */
        assert_false(chaos.open[name]);
        assert_false(ops.asks && chaos.unknown[name]);
        chaos.unknown[name] = lost;
        chaos.sent[name] = rev;
        chaos.open[name] = !refused; /* nothing of it is written then */
        while (chaos.coming[slot].at_ms != 0) {
            assert_true(++slot < ARRAY_LEN(chaos.coming));
        }
        chaos.coming[slot].at_ms = refused ? 0 : at_ms;
        chaos.coming[slot].name = name;
        chaos.coming[slot].rev = rev;
    }
}

/** Of the answer that was read last: they come in their order. */
static enum verdict_kind chaos_judge(void)
{
    return chaos.kinds[world.script - chaos.answers - 1];
}

static void chaos_settled(void *context, const struct engine_result *results, size_t results_len)
{
    (void)context;
    for (size_t i = 0; i < results_len; i++) {
        unsigned name = (unsigned)(results[i].name[0] - 'a');
        if (results[i].outcome == OUTCOME_APPLIED) {
            chaos.settled[name] = (unsigned)results[i].rev;
        }
        if (results[i].outcome != OUTCOME_RETRY) {
            chaos.open[name] = false;
        }
    }
}

/** The authoritative server: what the service holds of a name, one letter before the zone's. */
static size_t chaos_serve(const uint8_t *query, size_t len, uint8_t *reply)
{
    unsigned name = (unsigned)(query[13] - 'a');
    chaos_run();
    chaos.unknown[name] = false;
    world.served[0] = 192;
    world.served[1] = 0;
    world.served[2] = 2;
    world.served[3] = (uint8_t)chaos.served[name];
    return serve_address(query, len, reply);
}

static const char *const chaos_names[NAMES] = {"a.example", "b.example", "c.example", "d.example", "e.example"};

/** What is not settled is submitted again; the answers that were to come are nobody's. */
static struct engine_zone *chaos_reload(struct service *service, struct engine_zone *zone)
{
    struct engine_account *old = service->account;
    service_account(service, "bulk", "https://h.example/u", 0);
    engine_zone_free(zone);
    engine_account_free(old);
    world.script = chaos.answers + chaos.answers_len;
    world.script_len = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        chaos.unknown[i] |= chaos.open[i];
        chaos.open[i] = false;
    }
    zone = service_zone(service, "example", chaos_settled, NULL);
    for (unsigned i = 0; i < NAMES; i++) {
        if (chaos.settled[i] < chaos.newest[i]) {
            submit(zone, chaos_names[i], (uint8_t)chaos.newest[i], chaos.newest[i]);
        }
    }
    return zone;
}

static void run_chaos(bool asks)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct service service;
        begin(&service, (struct provider_limits){.batch_max = 2, .depth_max = 2});
        memset(&chaos, 0, sizeof(chaos));
        chaos.random = seed * 0x9e3779b97f4a7c15u;
        bulk.wrote = chaos_wrote;
        bulk.judge = chaos_judge;
        ops.asks = asks;
        world.serve = chaos_serve;
        world.authority = true;
        world.script = chaos.answers;
        struct engine_zone *zone = service_zone(&service, "example", chaos_settled, NULL);
        for (unsigned round = 0; round < ROUNDS; round++) {
            unsigned name = (unsigned)chance(NAMES);
            chaos.newest[name]++;
            submit(zone, chaos_names[name], (uint8_t)chaos.newest[name], chaos.newest[name]);
            if (chance(20) == 0) {
                zone = chaos_reload(&service, zone);
            }
            run_until(world.now_ms + chance(500));
            chaos_run();
        }
        run_until(world.now_ms + HOURS);
        chaos_run();
        for (unsigned i = 0; i < NAMES; i++) {
            if (chaos.served[i] != chaos.newest[i] || chaos.settled[i] != chaos.newest[i]) {
                fail_msg("seed %u: %s is %u of %u", (unsigned)seed, chaos_names[i], chaos.served[i], chaos.newest[i]);
            }
        }
        service_close(&service);
    }
}

static void whatever_happens_the_newest_value_is_the_last(void **state)
{
    (void)state;
    run_chaos(false);
}

static void whatever_happens_nothing_is_repeated_before_it_is_asked_for(void **state)
{
    (void)state;
    run_chaos(true);
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

static void a_stop_of_one_family_leaves_the_other(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    struct kept kept = {0};
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    engine_on_stop(service.engine, keep_stop, &kept);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    bulk.stop = BATCH_STOP_FAMILY;
    submit(zone, "a.example", 1, 1);
    run_until(2000);
    assert_int_equal(kept.len, 1);
    assert_false(kept.both);
    assert_int_equal(kept.type, RRTYPE_A);
    service_close(&service);
}

/** A store that was damaged, or is of another version. */
static void a_stop_that_cannot_be_is_not_taken(void **state)
{
    (void)state;
    char longer[DNSNAME_SIZE + 1];
    struct service service;
    begin(&service, (struct provider_limits){.batch_max = 10, .depth_max = 1});
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct engine_stop rows[] = {{.name = longer, .type = RRTYPE_A}, {.name = "a.example", .type = (enum rrtype)16}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i].error = "nohost";
        rows[i].detail = "create it";
        assert_int_equal(engine_account_restore_stop(service.account, &rows[i]), ERR_INVALID);
    }
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
        cmocka_unit_test(what_is_under_way_at_a_reload_counts_as_written),
        cmocka_unit_test(a_stop_outlives_a_reload_that_nobody_wrote_down),
        cmocka_unit_test(a_name_that_the_login_is_not_for_stays_refused),
        cmocka_unit_test(whatever_happens_the_newest_value_is_the_last),
        cmocka_unit_test(whatever_happens_nothing_is_repeated_before_it_is_asked_for),
        cmocka_unit_test(a_stop_outlives_the_engine_until_a_person_clears_it),
        cmocka_unit_test(a_stop_of_one_family_leaves_the_other),
        cmocka_unit_test(a_stop_that_cannot_be_is_not_taken),
        cmocka_unit_test(an_account_that_was_stopped_starts_stopped),
    };
    return cmocka_run_group_tests_name("engine_reload", tests, NULL, NULL);
}
