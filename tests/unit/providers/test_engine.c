/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine over dyndns2 for a simulated day in the world of engine_world.h, so that what a client must not do for
 * hours is tested in milliseconds. The same replies over real TLS are in tests/contract/test_dyndns2.py.
 */
#include "engine_world.h"
#include "providers/provider.h"

/* A provider of this file's own stands beside the registry: its functions are renamed here and wrapped below. */
const struct provider_ops *registered_find(struct view name);
#define provider_find registered_find
#include "providers/provider.c"
#undef provider_find

/** Needs three look-ups before it knows how to write. */
static enum err steps_open(const struct engine_account_config *config, const struct template *template,
                           void **ret_state, struct errinfo *info)
{
    (void)template;
    static unsigned replies;
    (void)config;
    (void)info;
    replies = 0;
    *ret_state = &replies;
    return ERR_OK;
}

static void steps_close(void *state)
{
    (void)state;
}

static void steps_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state;
    *ret_limits = (struct provider_limits){.batch_max = 20, .depth_max = 1};
}

static enum err steps_build(void *state, struct provider_zone *zone, struct batch *batch,
                            struct provider_request *request)
{
    (void)state;
    (void)zone;
    (void)batch;
    return strbuf_adds(&request->url, "https://h.example/");
}

static enum err steps_parse(void *state, struct provider_zone *zone, struct batch *batch,
                            const struct provider_request *request, const struct provider_reply *reply,
                            struct verdict *ret_verdict)
{
    unsigned *replies = state;
    (void)zone;
    (void)request;
    (void)reply;
    *ret_verdict = (struct verdict){.kind = ++*replies < 4 ? VERDICT_CONTINUE : VERDICT_SETTLED};
    batch->items[0].outcome = OUTCOME_APPLIED;
    return ERR_OK;
}

static const struct provider_ops steps = {.about = {.name = "steps"},
                                          .takes = PROVIDER_URL | PROVIDER_USERNAME | PROVIDER_PASSWORD,
                                          .transport = PROVIDER_HTTP,
                                          .open = steps_open,
                                          .close = steps_close,
                                          .limits = steps_limits,
                                          .build_request = steps_build,
                                          .parse_reply = steps_parse};

const struct provider_ops *provider_find(struct view name)
{
    return view_equals(name, "steps") ? &steps : registered_find(name);
}

/** What the owner of the zones was told. */
struct told {
    unsigned applied, refused, retried, unknown, not_applied, alarms;
    const char *error; /* of the last that was not applied */
    struct engine_zone *zone;
    uint64_t rev; /* resubmits_inside: of the last change */
};

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    struct told *told = context;
    for (size_t i = 0; i < results_len; i++) {
        told->applied += results[i].outcome == OUTCOME_APPLIED;
        told->refused += results[i].outcome == OUTCOME_REFUSED;
        told->retried += results[i].outcome == OUTCOME_RETRY;
        told->unknown += results[i].outcome == OUTCOME_UNKNOWN;
        assert_true((results[i].error == NULL) == (results[i].outcome == OUTCOME_APPLIED));
        told->error = results[i].error != NULL ? results[i].error : told->error;
        told->alarms += results[i].alarm != NULL;
        assert_true(results[i].alarm == NULL || results[i].detail[0] != '\0');
        told->not_applied += results[i].error != NULL && strcmp(results[i].error, "not-applied") == 0;
    }
}

struct day {
    const char *body;
    unsigned status;
    enum err err;
    unsigned faults; /* replies of this kind before the service is well again; 0 = always */
    uint64_t retry_after_s;
    unsigned requests_min, requests_max; /* in 24 hours, two hosts of one address */
    unsigned applied, refused;
};

static void run_day(const struct day *day)
{
    struct service service;
    struct told told = {0};
    service_open(&service);
    world.faulty = (struct reply){day->status, day->body, day->err};
    world.retry_after_s = day->retry_after_s;
    world.faults_left = day->faults != 0 ? day->faults : UINT32_MAX;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 0);
    submit(zone, "b.example", 1, 1);
    run_until(24 * (uint64_t)HOURS);
    if (world.requests < day->requests_min || world.requests > day->requests_max || told.applied != day->applied ||
        told.refused != day->refused) {
        print_error("status %u \"%s\": %u requests, %u applied, %u refused\n", day->status, day->body, world.requests,
                    told.applied, told.refused);
    }
    assert_in_range(world.requests, day->requests_min, day->requests_max);
    assert_int_equal(told.applied, day->applied);
    assert_int_equal(told.refused, day->refused);
    service_close(&service);
}

static void requests_of_a_day_stay_within_the_rules(void **state)
{
    (void)state;
    static const struct day days[] = {
        /* body, status, err, faults, retry_after_s, requests, applied, refused */
        {"good\ngood", 200, ERR_OK, 0, 0, 1, 1, 2, 0},
        {"nochg\nnochg", 200, ERR_OK, 0, 0, 1, 1, 2, 0},
        {"badauth", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"badagent", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"good 127.0.0.1", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"", 401, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"", 403, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"notfqdn\nnohost", 200, ERR_OK, 0, 0, 1, 1, 0, 2},
        {"abuse\n!donator", 200, ERR_OK, 0, 0, 1, 1, 0, 2},
        {"nohost\ngood", 200, ERR_OK, 0, 0, 1, 1, 1, 1},
        {"nohost", 200, ERR_OK, 0, 0, 3, 3, 0, 2}, /* as few, and it refuses: each alone */
        {"good\nabuse", 200, ERR_OK, 0, 0, 1, 1, 1, 1},
        {"good\nbadauth", 200, ERR_OK, 0, 0, 1, 1, 1, 0},
        {"numhost", 200, ERR_OK, 0, 0, 3, 3, 0, 2}, /* together, then each alone */
        {"numhost", 200, ERR_OK, 1, 0, 3, 3, 2, 0},
        {"dnserr\ndnserr", 200, ERR_OK, 0, 0, 24, 96, 0, 0}, /* at most each half hour a host */
        {"dnserr\ndnserr", 200, ERR_OK, 1, 0, 2, 3, 2, 0},
        {"911", 200, ERR_OK, 0, 0, 24, 48, 0, 0}, /* at most each half hour */
        {"911", 200, ERR_OK, 3, 0, 4, 4, 2, 0},
        {"", 429, ERR_OK, 0, 3600, 12, 24, 0, 0},
        {"", 429, ERR_OK, 1, 7, 2, 2, 2, 0},
        {"", 500, ERR_OK, 0, 0, 150, 600, 0, 0}, /* full jitter up to ten minutes */
        {"", 503, ERR_OK, 5, 0, 6, 6, 2, 0},
        {"", 200, ERR_OK, 0, 0, 1, 1, 0, 0}, /* unknown, and nobody can tell: never again */
        {"<html>\n<p>\n</html>", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"goo", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"good", 200, ERR_OK, 0, 0, 1, 1, 0, 0}, /* fewer lines than hosts: nobody knows whose it is */
        {"", 0, ERR_TIMEOUT, 0, 0, 1, 1, 0, 0},  /* stalled after the request had left */
        {"", 0, ERR_IO, 0, 0, 1, 1, 0, 0},
        {"", 0, ERR_CRYPTO, 0, 0, 150, 600, 0, 0}, /* TLS: nothing had left, so it may be tried again */
        {"", 0, ERR_CRYPTO, 4, 0, 5, 5, 2, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        run_day(&days[i]);
    }
}

/* A service that answers 500 is probed by one request. Whatever becomes of that one, the others go on. */

static void a_probe_that_is_refused_unsent_leaves_room_for_the_next(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "nohost", ERR_OK}, {500, "", ERR_OK}};
    struct service service;
    struct told first = {0}, second = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &first);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &second);
    submit(one, "a.one.example", 1, 1);
    run_until(2000);
    assert_int_equal(first.refused, 1);
    submit(two, "b.two.example", 1, 1);
    run_world(1 * HOURS, 2);
    run_until(world.now_ms + ANSWER_MS);
    submit(one, "a.one.example", 2, 2); /* waits for the same moment as b */
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(first.refused, 2);
    assert_int_equal(second.applied, 1);
    service_close(&service);
}

static void a_probe_that_must_be_split_is_split(void **state)
{
    (void)state;
    static const struct reply script[] = {{500, "", ERR_OK}, {200, "numhost", ERR_OK}};
    struct service service;
    struct told told = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    submit(zone, "b.example", 1, 2);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(told.applied, 2);
    assert_int_equal(world.requests, 4);
    service_close(&service);
}

static void a_zone_that_ends_takes_no_probe_with_it(void **state)
{
    (void)state;
    static const struct reply script[] = {{500, "", ERR_OK}};
    struct service service;
    struct told first = {0}, second = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &first);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &second);
    submit(one, "a.one.example", 1, 1);
    run_world(24 * (uint64_t)HOURS, 2);
    assert_int_equal(http_client_active(NULL), 1); /* the probe */
    submit(two, "b.two.example", 1, 1);
    run_until(world.now_ms + 1);
    engine_zone_free(one);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(second.applied, 1);
    service_close(&service);
}

static void a_probe_of_unknown_outcome_does_not_hold_up_other_zones(void **state)
{
    (void)state;
    static const struct reply script[] = {{500, "", ERR_OK}, {0, "", ERR_IO}};
    struct service service;
    struct told first = {0}, second = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    world.authority = true;
    memcpy(world.served, (uint8_t[4]){192, 0, 2, 1}, 4);
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &first);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &second);
    submit(one, "a.one.example", 1, 1);
    run_world(24 * (uint64_t)HOURS, 2);
    submit(two, "b.two.example", 1, 1); /* finds the probe out */
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(first.unknown, 1);
    assert_int_equal(first.applied, 1); /* the authoritative server had it: nobody probes for this zone */
    assert_int_equal(second.applied, 1);
    service_close(&service);
}

static void what_is_never_applied_is_sent_ever_more_rarely(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    service_open(&service);
    world.authority = true; /* answers with another address for ever */
    world.faulty = (struct reply){200, "<html>", ERR_OK};
    world.faults_left = UINT32_MAX;
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(told.applied, 0);
    assert_in_range(told.not_applied, world.requests - 1, world.requests);
    assert_in_range(world.requests, 100, 400); /* questions take 85 s, backoff up to 600 s */
    service_close(&service);
}

static void lookups_are_calls_of_the_budget_too(void **state)
{
    (void)state;
    struct service service;
    struct told told = {0};
    service_open_as(&service, "steps", 6); /* a call in ten seconds */
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    for (unsigned requests = 1; requests <= 4; requests++) {
        run_until(1000 + requests * 10000 - 1);
        assert_int_equal(world.requests, requests);
    }
    assert_int_equal(told.applied, 1);
    service_close(&service);
}

static void who_comes_after_a_stop_is_told(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "badauth", ERR_OK}};
    struct service service;
    struct told first = {0}, second = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &first);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &second);
    submit(one, "a.one.example", 1, 1);
    run_until(1 * HOURS);
    submit(one, "b.one.example", 1, 2);
    submit(two, "c.two.example", 1, 1);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(world.requests, 1);
    assert_int_equal(first.retried, 2);
    assert_int_equal(second.retried, 1);
    assert_string_equal(second.error, "badauth");
    submit(one, "a.one.example", 2, 3); /* a newer value of a name that was told */
    run_until(25 * (uint64_t)HOURS);
    assert_int_equal(first.retried, 3);
    submit(one, "a.one.example", 2, 3); /* the same again is no news */
    run_until(26 * (uint64_t)HOURS);
    assert_int_equal(first.retried, 3);
    service_close(&service);
}

static void a_stop_in_the_middle_of_a_bisection_is_told_to_all(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "numhost", ERR_OK}, {200, "badauth", ERR_OK}};
    struct service service;
    struct told told = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    submit(zone, "a.example", 1, 1);
    submit(zone, "b.example", 1, 2);
    submit(zone, "c.example", 1, 3);
    submit(zone, "d.example", 1, 4);
    run_until(1 * HOURS);
    assert_int_equal(world.requests, 2);
    assert_int_equal(told.retried, 4);
    assert_string_equal(told.error, "badauth");
    assert_int_equal(engine_account_clear_stops(service.account, NULL), 1);
    run_until(2 * HOURS);
    assert_int_equal(told.applied, 4);
    service_close(&service);
}

static void a_refused_client_stops_every_account_of_that_service(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "badagent", ERR_OK}};
    struct service service;
    struct told told[3] = {{0}};
    struct engine_zone *zones[3];
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    zones[0] = service_zone(&service, "one.example", on_settled, &told[0]);
    service_account(&service, "dyndns2", "https://H.example:443/other", 0);
    zones[1] = service_zone(&service, "two.example", on_settled, &told[1]);
    service_account(&service, "dyndns2", "https://elsewhere.example/u", 0);
    zones[2] = service_zone(&service, "three.example", on_settled, &told[2]);
    submit(zones[0], "a.one.example", 1, 1);
    run_until(1 * HOURS);
    submit(zones[1], "a.two.example", 1, 1);
    submit(zones[2], "a.three.example", 1, 1);
    run_until(24 * (uint64_t)HOURS);
    assert_int_equal(world.requests, 2);
    assert_string_equal(told[1].error, "badagent");
    assert_int_equal(told[0].alarms, 1);
    assert_int_equal(told[1].alarms, 1);
    assert_int_equal(told[2].applied, 1);
    assert_int_equal(told[2].alarms, 0);
    service_close(&service);
}

static void count_stop(void *context, const struct engine_stop *stop)
{
    assert_string_equal(stop->name, "");
    assert_true(stop->both);
    (*(unsigned *)context)++;
}

/** Who else is at the service has another password; and who is stopped already is not stopped twice. */
static void a_wrong_password_stops_its_own_account_alone(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "badauth", ERR_OK}, {200, "badagent", ERR_OK}};
    struct service service;
    struct told told[2] = {{0}};
    unsigned stops = 0;
    service_open(&service);
    engine_on_stop(service.engine, count_stop, &stops);
    world.script = script;
    world.script_len = 1;
    struct engine_zone *one = service_zone(&service, "one.example", on_settled, &told[0]);
    service_account(&service, "dyndns2", "https://h.example/u", 0);
    struct engine_zone *two = service_zone(&service, "two.example", on_settled, &told[1]);
    submit(one, "a.one.example", 1, 1);
    run_until(1 * HOURS);
    submit(two, "a.two.example", 1, 1);
    run_until(2 * HOURS);
    assert_string_equal(told[0].error, "badauth");
    assert_int_equal(told[1].applied, 1);
    assert_int_equal(stops, 1);
    world.script_len = 1;
    submit(two, "a.two.example", 2, 2);
    run_until(3 * HOURS);
    assert_string_equal(told[1].error, "badagent");
    assert_int_equal(stops, 2);
    service_close(&service);
}

static void the_second_nochg_is_told_and_is_the_last_request(void **state)
{
    (void)state;
    static const struct reply script[] = {{200, "nochg", ERR_OK}, {200, "nochg", ERR_OK}};
    struct service service;
    struct told told = {0};
    service_open(&service);
    world.script = script;
    world.script_len = ARRAY_LEN(script);
    struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
    for (uint8_t i = 1; i <= 4; i++) {
        submit(zone, "a.example", i, i);
        run_until(i * (uint64_t)HOURS);
    }
    assert_int_equal(world.requests, 2);
    assert_int_equal(told.applied, 2);
    assert_int_equal(told.alarms, 1);
    assert_int_equal(told.refused, 2);
    assert_string_equal(told.error, "nochg");
    service_close(&service);
}

/** As an owner that has newer values at hand: submits them while it is told about the old ones. */
static void resubmits_inside(void *context, const struct engine_result *results, size_t results_len)
{
    struct told *told = context;
    char names[4][16];
    for (size_t i = 0; i < results_len && i < ARRAY_LEN(names); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s", results[i].name); /* fits */
    }
    for (size_t i = 0; told->rev < 100 && i < 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%zu.example", i); /* fits */
        told->rev++;
        submit(told->zone, name, (uint8_t)(told->rev % 3), told->rev);
    }
    for (size_t i = 0; i < results_len && i < ARRAY_LEN(names); i++) {
        assert_string_equal(results[i].name, names[i]); /* lives for the call */
    }
    on_settled(context, results, results_len);
}

static void submitting_from_inside_settled_is_safe(void **state)
{
    (void)state;
    static const struct reply script[] = {{500, "", ERR_OK},       {200, "nohost", ERR_OK}, {200, "nohost", ERR_OK},
                                          {200, "<p>", ERR_OK},    {503, "", ERR_OK},       {200, "numhost", ERR_OK},
                                          {200, "!yours", ERR_OK}, {500, "", ERR_OK}};
    for (size_t skip = 0; skip < ARRAY_LEN(script); skip++) {
        struct service service;
        struct told told = {0};
        service_open(&service);
        world.script = script + skip;
        world.script_len = ARRAY_LEN(script) - skip;
        told.zone = service_zone(&service, "example", resubmits_inside, &told);
        for (told.rev = 0; told.rev < 3; told.rev++) {
            submit(told.zone,
                   told.rev == 0   ? "n0.example"
                   : told.rev == 1 ? "n1.example"
                                   : "n2.example",
                   (uint8_t)told.rev, told.rev);
        }
        run_until(24 * (uint64_t)HOURS);
        assert_true(told.rev >= 100);
        service_close(&service);
    }
}

/** A reload makes the zones anew and submits again what was not settled. */
static void outcome_that_a_reload_cut_off_is_asked_for_before_anything_is_sent(void **state)
{
    (void)state;
    static const struct {
        struct reply reply; /* before the reload; ERR_OK: none came */
        uint8_t served;
        unsigned requests;
    } cases[] = {
        {{200, NULL, ERR_OK}, 1, 1},    /* the request had arrived */
        {{200, NULL, ERR_OK}, 9, 2},    /* it had not */
        {{0, NULL, ERR_TIMEOUT}, 1, 1}, /* its outcome was being asked for already */
        {{0, NULL, ERR_TIMEOUT}, 9, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct service service;
        struct told told = {0};
        service_open(&service);
        world.script = &cases[i].reply;
        world.script_len = 1;
        struct engine_zone *zone = service_zone(&service, "example", on_settled, &told);
        submit(zone, "a.example", 1, 1);
        run_world(HOURS, 1);
        if (cases[i].reply.err != ERR_OK) {
            run_until(world.now_ms + 200);
            assert_int_equal(told.unknown, 1);
        }
        engine_zone_free(zone);
        world.authority = true;
        memcpy(world.served, (uint8_t[]){192, 0, 2, cases[i].served}, 4);
        world.script_len = 0;
        service_account(&service, "dyndns2", "https://h.example/u", 0);
        zone = service_zone(&service, "example", on_settled, &told);
        submit(zone, "a.example", 1, 1);
        submit(zone, "b.example", 1, 2); /* was not under way: goes at once */
        run_until(world.now_ms + 500);
        assert_int_equal(told.applied, 1);
        assert_int_equal(world.requests, 2);
        run_until(world.now_ms + HOURS);
        assert_int_equal(told.applied, 2);
        assert_int_equal(world.requests, cases[i].requests + 1);
        submit(zone, "a.example", 2, 3); /* once is enough */
        run_until(world.now_ms + 500);
        assert_int_equal(told.applied, 3);
        service_close(&service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_a_day_stay_within_the_rules),
        cmocka_unit_test(a_probe_that_is_refused_unsent_leaves_room_for_the_next),
        cmocka_unit_test(a_probe_that_must_be_split_is_split),
        cmocka_unit_test(a_zone_that_ends_takes_no_probe_with_it),
        cmocka_unit_test(a_probe_of_unknown_outcome_does_not_hold_up_other_zones),
        cmocka_unit_test(what_is_never_applied_is_sent_ever_more_rarely),
        cmocka_unit_test(lookups_are_calls_of_the_budget_too),
        cmocka_unit_test(who_comes_after_a_stop_is_told),
        cmocka_unit_test(a_stop_in_the_middle_of_a_bisection_is_told_to_all),
        cmocka_unit_test(a_refused_client_stops_every_account_of_that_service),
        cmocka_unit_test(a_wrong_password_stops_its_own_account_alone),
        cmocka_unit_test(the_second_nochg_is_told_and_is_the_last_request),
        cmocka_unit_test(submitting_from_inside_settled_is_safe),
        cmocka_unit_test(outcome_that_a_reload_cut_off_is_asked_for_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
