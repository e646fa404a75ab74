/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine over rfc2136 in the world of engine_world.h: what a zone that is claimed does while its server, its
 * connection or another writer fail it, over simulated days. Real servers are in tests/contract/test_rfc2136.py.
 */
#include "engine_world.h"

#include <limits.h>

enum { UPDATE = 5, REFUSED = 5, NXRRSET = 8, CHANGES = 10 };

/** An authoritative server as far as the owner's record goes, and the coordinator that is asked for epochs. */
static struct {
    uint64_t epoch;             /* 0 = no record */
    bool frozen;                /* every update is refused */
    unsigned poison;            /* changes are refused, the owner's record is not */
    unsigned claims, changes;   /* messages that were applied */
    unsigned updates;           /* and those that were not */
    struct engine_zone *asking; /* waits for an epoch while `slow` */
    bool slow;                  /* the store: the test answers */
    uint64_t seen, stored;
    unsigned asked, deposed, applied, refused, retried;
    unsigned troubles, recoveries; /* as told */
    char error[32], detail[256];   /* of the last that was not applied */
} server;

/** The @p n-th "epoch=N" of a message. @return what follows it, NULL = there are less. */
static const uint8_t *find_epoch(const uint8_t *wire, size_t len, unsigned n, uint64_t *ret_epoch)
{
    for (size_t i = 13; i + 6 < len; i++) {
        if (memcmp(wire + i, "epoch=", 6) == 0 && n-- == 0) {
            size_t digits = wire[i - 1] - 6u;
            struct view text = view_n((const char *)wire + i + 6, digits);
            assert_int_equal(view_to_u64(text, UINT64_MAX, ret_epoch), ERR_OK);
            return wire + i + 6 + digits;
        }
    }
    return NULL;
}

static unsigned update(const uint8_t *query, size_t len)
{
    uint64_t first = 0, second = 0;
    const uint8_t *end = find_epoch(query, len, 0, &first), *last = find_epoch(query, len, 1, &second);
    bool claim = end == query + len || last != NULL;
    server.updates++;
    if (server.frozen || (!claim && server.poison > 0)) {
        server.poison -= !server.frozen;
        return REFUSED;
    }
    if (end == query + len ? server.epoch != 0 : first != server.epoch) {
        return NXRRSET;
    }
    server.epoch = claim ? MAX(first, second) : server.epoch;
    server.claims += claim;
    server.changes += !claim;
    return 0;
}

static size_t serve(const uint8_t *query, size_t len, uint8_t *reply)
{
    size_t question = 12;
    while (query[question] != 0) {
        question += query[question] + 1u;
    }
    question += 5;
    assert_true(question <= len);
    memcpy(reply, query, question);
    memset(reply + 4, 0, 8);
    reply[2] = (uint8_t)(0x84 | (query[2] & 0x78)); /* QR, AA, opcode */
    reply[3] = 0;
    reply[5] = 1;
    if ((query[2] >> 3 & 15) == UPDATE) {
        reply[3] = (uint8_t)update(query, len);
    } else if (server.epoch != 0) {
        char text[32];
        int digits = snprintf(text, sizeof(text), "epoch=%llu", (unsigned long long)server.epoch);
        const uint8_t head[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, (uint8_t)(digits + 1), (uint8_t)digits};
        reply[7] = 1;
        memcpy(reply + question, head, sizeof(head));
        memcpy(reply + question + sizeof(head), text, (size_t)digits);
        question += sizeof(head) + (size_t)digits;
    }
    return question;
}

static void store_epoch(void)
{
    struct engine_zone *zone = server.asking;
    server.asking = NULL;
    server.stored = MAX(server.stored, server.seen) + 1;
    engine_zone_claimed(zone, server.stored, ERR_OK);
}

static void on_claim(void *context, struct engine_zone *zone, uint64_t seen)
{
    (void)context;
    server.asked++;
    server.asking = zone;
    server.seen = seen;
    if (!server.slow) {
        store_epoch();
    }
}

static void on_trouble(void *context, struct engine_zone *zone, const char *error, const char *detail)
{
    (void)context;
    (void)zone;
    assert_non_null(detail);
    server.troubles += error != NULL;
    server.recoveries += error == NULL;
}

static void on_deposed(void *context, struct engine_zone *zone)
{
    (void)context;
    (void)zone;
    server.deposed++;
}

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    (void)context;
    for (size_t i = 0; i < results_len; i++) {
        server.applied += results[i].outcome == OUTCOME_APPLIED;
        server.refused += results[i].outcome == OUTCOME_REFUSED;
        server.retried += results[i].outcome == OUTCOME_RETRY;
        if (results[i].error != NULL) {
            (void)snprintf(server.error, sizeof(server.error), "%s", results[i].error);    /* fits */
            (void)snprintf(server.detail, sizeof(server.detail), "%s", results[i].detail); /* cut: for its words */
        }
    }
}

static struct engine_zone *open_zone(struct service *service)
{
    struct engine_zone *zone = NULL;
    memset(&server, 0, sizeof(server));
    *service = (struct service){.path = "/nonexistent"};
    memset(&world, 0, sizeof(world));
    world.now_ms = 1000;
    world.authority = true;
    world.serve = serve;
    service_account(service, "rfc2136", NULL, 0);
    struct engine_zone_options options = {
        .name = "example",
        .account = service->account,
        .callbacks = {.settled = on_settled, .claim = on_claim, .trouble = on_trouble, .deposed = on_deposed}};
    assert_int_equal(engine_zone_new(service->engine, &options, &zone), ERR_OK);
    return zone;
}

static void run_for(uint64_t ms)
{
    run_until(world.now_ms + ms);
}

static const char *state_of(struct engine_zone *zone)
{
    struct engine_zone_status status;
    engine_zone_status(zone, &status);
    return status.state;
}

static uint64_t failures_of(struct engine_zone *zone)
{
    struct engine_zone_status status;
    engine_zone_status(zone, &status);
    return status.failures;
}

/** Steps of a millisecond until the store is asked for an epoch. */
static void run_until_asked(void)
{
    for (unsigned i = 0; i < 3600000 && server.asking == NULL; i++) {
        run_for(1);
    }
    assert_non_null(server.asking);
}

static void claims_and_writes(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    submit(zone, "a.example", 1, 1);
    run_for(1000);
    assert_string_equal(state_of(zone), "running");
    assert_int_equal(server.applied, 1);
    assert_int_equal(server.claims, 1);
    run_for(HOURS);
    assert_int_equal(world.connections, 1);
    assert_int_equal(failures_of(zone), 0);
    engine_free(service.engine);
}

static void zone_that_was_deposed_by_its_probe_can_be_resumed(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    run_for(1000);
    close_stream(STREAM_CLOSE_IO);
    server.epoch = 7; /* somebody else, while we could not look */
    run_for(HOURS);
    assert_int_equal(server.deposed, 1);
    assert_string_equal(state_of(zone), "deposed");
    engine_zone_resume(zone);
    submit(zone, "a.example", 1, 1);
    run_for(48 * (uint64_t)HOURS);
    assert_string_equal(state_of(zone), "running");
    assert_int_equal(server.epoch, 8);
    assert_int_equal(server.applied, 1);
    engine_free(service.engine);
}

static void connection_that_ends_while_the_epoch_is_stored_is_opened_again(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    world.authority = false;
    server.slow = true;
    submit(zone, "a.example", 1, 1);
    run_for(100);
    world.authority = true;
    run_until_asked();
    close_stream(STREAM_CLOSE_PEER);
    server.slow = false;
    store_epoch();
    run_for(48 * (uint64_t)HOURS);
    assert_string_equal(state_of(zone), "running");
    assert_int_equal(server.applied, 1);
    engine_free(service.engine);
}

/** An hour with a store that takes its time. */
static void run_an_hour(void)
{
    for (unsigned i = 0; i < HOURS / 10; i++) {
        run_for(10);
        if (server.asking != NULL) {
            store_epoch();
        }
    }
}

static void server_that_hangs_up_on_us_is_not_hammered(void **state)
{
    (void)state;
    for (unsigned answers = 1; answers <= 2; answers++) { /* before and after the claim */
        for (int slow = 0; slow <= 1; slow++) {
            struct service service;
            struct engine_zone *zone = open_zone(&service);
            world.closes_after = answers;
            server.slow = slow;
            submit(zone, "a.example", 1, 1);
            run_an_hour();
            assert_in_range(world.connections, 5, 60);
            assert_in_range(failures_of(zone), 5, 60);
            assert_in_range(server.asked, 5, 60); /* each is a commit of the store */
            world.closes_after = 0;
            server.slow = false;
            run_for(2 * (uint64_t)HOURS);
            assert_string_equal(state_of(zone), "running");
            assert_int_equal(server.applied, 1);
            engine_free(service.engine);
        }
    }
}

static void connection_that_ends_for_idleness_is_no_failure(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    for (unsigned i = 0; i < 100; i++) {
        run_for(2000);
        close_stream(STREAM_CLOSE_PEER);
    }
    run_for(1000);
    assert_int_equal(failures_of(zone), 0);
    assert_int_equal(world.connections, 101);
    assert_string_equal(state_of(zone), "running");
    engine_free(service.engine);
}

static void connection_that_ends_after_a_change_was_written_is_no_failure(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    world.closes_after = 3;
    for (uint8_t i = 1; i <= 20; i++) {
        submit(zone, "a.example", i, i);
        run_for(1000);
        assert_int_equal(server.applied, i);
    }
    assert_int_equal(failures_of(zone), 0);
    engine_free(service.engine);
}

static void submit_all(struct engine_zone *zone)
{
    static const char *const names[CHANGES] = {"a.example", "b.example", "c.example", "d.example", "e.example",
                                               "f.example", "g.example", "h.example", "i.example", "j.example"};
    for (uint8_t i = 0; i < CHANGES; i++) {
        submit(zone, names[i], i, i);
    }
}

static void frozen_zone_refuses_nothing_for_good(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    run_for(1000);
    server.frozen = true;
    submit_all(zone);
    run_for(HOURS);
    assert_int_equal(server.refused, 0);
    assert_int_equal(server.retried, CHANGES);
    assert_string_equal(server.error, "frozen");
    assert_non_null(strstr(server.detail, "thaw"));
    assert_string_not_equal(state_of(zone), "running");
    assert_in_range(server.updates, 5, 60);
    assert_int_equal(server.troubles, 1); /* for hours, told once */
    assert_int_equal(server.recoveries, 0);
    server.frozen = false;
    run_for(HOURS);
    assert_int_equal(server.refused, 0);
    assert_int_equal(server.applied, CHANGES);
    assert_string_equal(state_of(zone), "running");
    assert_int_equal(server.epoch, 1);
    assert_int_equal(server.asked, 1);
    assert_int_equal(server.troubles, 1);
    assert_int_equal(server.recoveries, 1);
    engine_free(service.engine);
}

static void zone_that_thaws_before_the_probe_refuses_nothing_either(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    run_for(1000);
    server.poison = 1; /* one message */
    submit(zone, "a.example", 1, 1);
    run_for(HOURS);
    assert_int_equal(server.refused, 0);
    assert_int_equal(server.applied, 1);
    engine_free(service.engine);
}

static void policy_that_allows_the_owner_only_refuses_for_good(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service);
    run_for(1000);
    server.poison = UINT_MAX;
    submit_all(zone);
    run_for(HOURS);
    assert_int_equal(server.refused, CHANGES);
    assert_string_equal(server.error, "refused");
    assert_string_equal(state_of(zone), "running");
    assert_int_equal(failures_of(zone), 0);
    engine_free(service.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_and_writes),
        cmocka_unit_test(zone_that_was_deposed_by_its_probe_can_be_resumed),
        cmocka_unit_test(connection_that_ends_while_the_epoch_is_stored_is_opened_again),
        cmocka_unit_test(server_that_hangs_up_on_us_is_not_hammered),
        cmocka_unit_test(connection_that_ends_for_idleness_is_no_failure),
        cmocka_unit_test(connection_that_ends_after_a_change_was_written_is_no_failure),
        cmocka_unit_test(frozen_zone_refuses_nothing_for_good),
        cmocka_unit_test(zone_that_thaws_before_the_probe_refuses_nothing_either),
        cmocka_unit_test(policy_that_allows_the_owner_only_refuses_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
