/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of two devices with one identity, and the many things that one device does alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/clone.h"
#include "coordinator/dedup.h"

#define HERE   "198.51.100.1"
#define THERE  "203.0.113.2"
#define SECOND 1000

static struct clone_table *table;
static struct clone_line stored; /* what the coordinator would have accepted */
static uint64_t now_ms;
static struct clone_verdict verdict;
static bool suspected;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(clone_table_new(&table), ERR_OK);
    now_ms = 1000000;
    suspected = false;
    stored = (struct clone_line){.boot = 10, .conn = 1, .seq = 40};
    assert_int_equal(ip_parse(view_of(HERE), &stored.observed), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clone_table_free(table);
    return 0;
}

static struct ip address(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

/* As the core does: what is lower is answered, the rest is accepted. @return true when it was lower. */
static bool say(uint32_t boot, uint32_t conn, uint32_t seq, const char *from)
{
    const struct clone_sign sign = {
        .device = 7,
        .now_ms = now_ms,
        .stored = stored,
        .said = {.boot = boot, .conn = conn, .seq = seq, .observed = address(from)},
        .bound = {.ip4 = {.ips = {stored.observed}, .len = 1}},
    };
    suspected = clone_state(table, &sign, &verdict) || suspected;
    bool lower = boot < stored.boot || (boot == stored.boot && seq < stored.seq);
    if (!lower) {
        stored = sign.said;
    }
    now_ms += 5 * SECOND;
    return lower;
}

/* An agent: a new connection raises seq; an answer with a later life makes it begin one above. */
struct agent {
    uint32_t boot, conn, seq;
};

static void connects(struct agent *agent, const char *from)
{
    agent->conn++;
    agent->seq++;
    if (say(agent->boot, agent->conn, agent->seq, from)) {
        agent->boot = stored.boot + 1;
        agent->conn++;
        agent->seq++;
        (void)say(agent->boot, agent->conn, agent->seq, from);
    }
}

/* The flash of a camera is copied; both run, and push each other out. */
static void two_with_one_flash_are_found(void **state)
{
    (void)state;
    struct agent original = {10, 1, 40}, copy = {10, 0, 0};
    unsigned turns = 0;
    while (!suspected && turns++ < 10) {
        connects(&copy, THERE);
        connects(&original, HERE);
    }
    assert_true(turns <= 4);
    assert_true(verdict.has_good);
    struct ip good = address(HERE);
    assert_true(ip_equal(&verdict.good.ip4.ips[0], &good)); /* what the original had before the copy came */
}

static void two_behind_one_router_are_found_by_their_lives(void **state)
{
    (void)state;
    struct agent original = {10, 1, 40}, copy = {6, 0, 0};
    for (unsigned turn = 0; turn < 6 && !suspected; turn++) {
        connects(&copy, HERE);
        connects(&original, HERE);
    }
    assert_true(suspected);
    assert_int_equal(verdict.kind, SUSPECT_BOOT);
}

/* They wait ten minutes before they come back: agents that notice that they are pushed out do. */
static void two_that_take_turns_slowly_are_found(void **state)
{
    (void)state;
    struct agent original = {10, 1, 40}, copy = {10, 0, 0};
    for (unsigned turn = 0; turn < 8 && !suspected; turn++) {
        connects(&copy, THERE);
        now_ms += 600 * SECOND;
        connects(&original, HERE);
        now_ms += 600 * SECOND;
    }
    assert_true(suspected);
}

/* Neither listens to answers: the lower one stays below and goes on. */
static void a_lower_life_that_goes_on_beside_is_found(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 8 && !suspected; i++) {
        (void)say(5, 1, i, THERE);
        (void)say(10, 1, 40 + i, HERE);
    }
    assert_true(suspected);
}

/* Each restarts when it is pushed out, and counts boots in a flash of its own: one pair twice. */
static void two_that_restart_in_step_are_found(void **state)
{
    (void)state;
    for (uint32_t boot = 11; boot < 18 && !suspected; boot++) {
        (void)say(boot, 1, 1, HERE);
        (void)say(boot, 1, 1, THERE);
    }
    assert_true(suspected);
}

/* ---- one device ---- */

static void a_device_with_two_stacks_is_one(void **state)
{
    (void)state;
    struct agent agent = {10, 1, 40};
    for (unsigned i = 0; i < 200; i++) {
        connects(&agent, i % 2 == 0 ? "2001:db8::7" : HERE);
    }
    assert_false(suspected);
}

static void a_nat_pool_with_an_address_for_each_flow_is_one(void **state)
{
    (void)state;
    static const char *const pool[] = {"100.64.0.1", "100.64.0.2", "192.0.2.9", "192.0.2.10"};
    struct agent agent = {10, 1, 40};
    uint32_t random = 1;
    for (unsigned i = 0; i < 500; i++) {
        random = random * 1664525 + 1013904223;
        connects(&agent, pool[random >> 30]);
    }
    assert_false(suspected);
}

/* The boot counter begins again at 1, once or each day; the life before never comes back. */
static void a_factory_reset_is_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct agent agent = {1, 0, 0};
        connects(&agent, i % 2 == 0 ? HERE : THERE);
        assert_true(agent.boot > 10);
        connects(&agent, HERE);
        connects(&agent, HERE);
    }
    assert_false(suspected);
}

/* Its flash takes nothing: every start is boot 4 again, on whichever network it finds, and the supply is bad. */
static void a_read_only_flash_that_keeps_restarting_is_one(void **state)
{
    (void)state;
    struct agent agent = {4, 0, 0};
    stored = (struct clone_line){.boot = 4, .conn = 9, .seq = 90, .observed = address(HERE)};
    for (unsigned i = 0; i < 100; i++) {
        agent = (struct agent){4, 0, 0};
        for (unsigned k = 0; k <= i % 5; k++) {
            connects(&agent, (i + k) % 2 == 0 ? HERE : THERE);
        }
    }
    assert_false(suspected);
}

/* The uplink fails over and back all day, the boot counter rises with some of it. */
static void a_gateway_with_two_uplinks_is_one(void **state)
{
    (void)state;
    struct agent agent = {10, 1, 40};
    for (unsigned i = 0; i < 300; i++) {
        connects(&agent, i % 2 == 0 ? HERE : THERE);
        if (i % 7 == 0) {
            agent = (struct agent){agent.boot + 1, 0, 0};
        }
    }
    assert_false(suspected);
}

/* A van drives from network to network. */
static void a_device_that_travels_is_one(void **state)
{
    (void)state;
    struct agent agent = {10, 1, 40};
    for (unsigned i = 0; i < 250; i++) {
        char from[32];
        (void)snprintf(from, sizeof(from), "192.0.2.%u", i); /* fits */
        connects(&agent, from);
    }
    assert_false(suspected);
}

/* A snapshot from yesterday is put back: the life of then begins anew, and is lifted. */
static void a_restored_snapshot_is_one(void **state)
{
    (void)state;
    struct agent agent = {10, 1, 40};
    connects(&agent, HERE);
    agent = (struct agent){agent.boot + 1, 0, 0};
    connects(&agent, HERE);
    for (unsigned i = 0; i < 10; i++) {
        agent = (struct agent){10, 0, 0};
        connects(&agent, THERE);
        connects(&agent, HERE);
    }
    assert_false(suspected);
}

/* ---- connections, by the broker's word ---- */

static bool seen(const char *from, uint32_t certificate, bool spoke)
{
    const struct clone_seen sign = {.device = 7,
                                    .now_ms = now_ms,
                                    .peer = address(from),
                                    .before = address(HERE),
                                    .certificate = certificate,
                                    .spoke = spoke};
    now_ms += 5 * SECOND;
    suspected = clone_seen(table, &sign, &verdict) || suspected;
    return suspected;
}

static void a_stranger_that_says_nothing_is_found(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 12 && !suspected; turn++) {
        (void)seen(THERE, 1, true); /* the device itself spoke before it was pushed out */
        (void)seen(HERE, 1, false);
    }
    assert_true(suspected);
    assert_int_equal(verdict.kind, SUSPECT_TAKEOVER);
    assert_non_null(strstr(verdict.detail, THERE));
}

static void one_that_speaks_on_every_connection_is_not_a_stranger(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 200; turn++) {
        assert_false(seen(turn % 2 == 0 ? THERE : HERE, 1, true));
    }
}

static void a_few_connections_that_break_early_prove_nothing(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 40; turn++) {
        assert_false(seen(turn % 2 == 0 ? THERE : HERE, 1, turn % 4 != 3));
        now_ms += 60 * SECOND; /* slower than eight in ten minutes */
    }
}

static void a_renewed_certificate_begins_anew(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 40; turn++) {
        assert_false(seen(turn % 2 == 0 ? THERE : HERE, turn / 4, false));
    }
}

/* Ten thousand others are renumbered in between: proofs are kept, the weak make room. */
static void a_crowd_does_not_wash_proofs_away(void **state)
{
    (void)state;
    struct agent original = {10, 1, 40}, copy = {10, 0, 0};
    for (unsigned turn = 0; turn < 8 && !suspected; turn++) {
        connects(&copy, THERE);
        connects(&original, HERE);
        for (uint32_t device = 100; device < 10100 && turn > 0; device++) {
            const struct clone_sign sign = {.device = device,
                                            .now_ms = now_ms,
                                            .stored = {.boot = 1, .conn = 1, .seq = 1, .observed = address(HERE)},
                                            .said = {.boot = 1, .conn = 2, .seq = 2, .observed = address(THERE)}};
            struct clone_verdict other;
            assert_false(clone_state(table, &sign, &other));
        }
    }
    assert_true(suspected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_with_one_flash_are_found),
        TEST(two_behind_one_router_are_found_by_their_lives),
        TEST(two_that_take_turns_slowly_are_found),
        TEST(a_lower_life_that_goes_on_beside_is_found),
        TEST(two_that_restart_in_step_are_found),
        TEST(a_device_with_two_stacks_is_one),
        TEST(a_nat_pool_with_an_address_for_each_flow_is_one),
        TEST(a_factory_reset_is_one),
        TEST(a_read_only_flash_that_keeps_restarting_is_one),
        TEST(a_gateway_with_two_uplinks_is_one),
        TEST(a_device_that_travels_is_one),
        TEST(a_restored_snapshot_is_one),
        TEST(a_stranger_that_says_nothing_is_found),
        TEST(one_that_speaks_on_every_connection_is_not_a_stranger),
        TEST(a_few_connections_that_break_early_prove_nothing),
        TEST(a_renewed_certificate_begins_anew),
        TEST(a_crowd_does_not_wash_proofs_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
