/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/netlimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct netlimit_options USUAL = {
    .per_s = 2, .burst = 4, .total_per_s = 1000, .total_burst = 1000, .networks_max = 64, .seed = 0x1234567};

static struct netlimit *make(const struct netlimit_options *options)
{
    struct netlimit *limit;
    assert_int_equal(netlimit_new(options, 1000, &limit), ERR_OK);
    return limit;
}

static enum netlimit_verdict ask(struct netlimit *limit, const char *address, uint64_t now_ms)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(address), &ip), ERR_OK);
    return netlimit_take(limit, &ip, 1, now_ms);
}

static void exhaust(struct netlimit *limit, const char *address, uint64_t now_ms)
{
    for (unsigned i = 0; i < USUAL.burst; i++) {
        assert_int_equal(ask(limit, address, now_ms), NETLIMIT_PASS);
    }
    assert_int_equal(ask(limit, address, now_ms), NETLIMIT_NETWORK);
}

static void a_network_is_limited_and_recovers(void **state)
{
    (void)state;
    struct netlimit *limit = make(&USUAL);
    exhaust(limit, "198.51.100.7", 1000);
    assert_int_equal(ask(limit, "198.51.100.7", 1499), NETLIMIT_NETWORK);
    assert_int_equal(ask(limit, "198.51.100.7", 1500), NETLIMIT_PASS);
    assert_int_equal(ask(limit, "198.51.100.7", 1500), NETLIMIT_NETWORK);
    exhaust(limit, "198.51.100.7", 100000);
    netlimit_free(limit);
}

static void networks_are_24_and_56_bits_wide(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool same;
    } ROWS[] = {
        {"198.51.100.7", "198.51.100.255", true},
        {"198.51.100.7", "198.51.101.7", false},
        {"198.51.100.7", "198.50.100.7", false},
        {"198.51.100.7", "199.51.100.7", false},
        {"2001:db8:1:2::1", "2001:db8:1:2::2", true},
        {"2001:db8:1:2::1", "2001:db8:1:ff::1", true},
        {"2001:db8:1:2::1", "2001:db8:1:102::1", false},
        {"2001:db8:1:2::1", "2001:db8:2:2::1", false},
        {"2001:db8:1:2::1", "2002:db8:1:2::1", false},
        {"0.0.1.5", "0:0:0:100::", false}, /* as numbers the same network */
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct netlimit *limit = make(&USUAL);
        exhaust(limit, ROWS[i].first, 1000);
        enum netlimit_verdict verdict = ask(limit, ROWS[i].second, 1000);
        if (verdict != (ROWS[i].same ? NETLIMIT_NETWORK : NETLIMIT_PASS)) {
            fail_msg("%s and %s", ROWS[i].first, ROWS[i].second);
        }
        assert_int_equal(netlimit_networks(limit), ROWS[i].same ? 1 : 2);
        netlimit_free(limit);
    }
}

static struct ip nth(uint32_t n)
{
    return (struct ip){.family = IP_V4, .bytes = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 1}};
}

static void the_longest_silent_gives_way(void **state)
{
    (void)state;
    struct netlimit *limit = make(&USUAL);
    exhaust(limit, "0.0.0.1", 1000);
    exhaust(limit, "0.0.1.1", 1000);
    for (uint32_t n = 2; n < USUAL.networks_max; n++) {
        struct ip ip = nth(n);
        assert_int_equal(netlimit_take(limit, &ip, 1, 1000), NETLIMIT_PASS);
    }
    assert_int_equal(netlimit_networks(limit), USUAL.networks_max);
    assert_int_equal(ask(limit, "0.0.0.1", 1000), NETLIMIT_NETWORK); /* still known, and now the newest */
    struct ip more = nth(USUAL.networks_max);
    assert_int_equal(netlimit_take(limit, &more, 1, 1000), NETLIMIT_PASS); /* 0.0.1 goes */
    assert_int_equal(netlimit_networks(limit), USUAL.networks_max);
    assert_int_equal(ask(limit, "0.0.0.1", 1000), NETLIMIT_NETWORK);
    assert_int_equal(ask(limit, "0.0.1.1", 1000), NETLIMIT_PASS);
    netlimit_free(limit);
}

/* Against a list that is searched from its end: every verdict and every eviction is the same. */
static void the_table_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { MOST = 8, NETWORKS = 20 };
    struct netlimit_options options = USUAL;
    options.networks_max = MOST;
    options.per_s = 0;
    options.burst = 3;
    options.total_burst = UINT32_MAX;
    struct netlimit *limit = make(&options);
    uint32_t list[MOST] = {0}, left[MOST] = {0};
    size_t len = 0;
    uint64_t random = 42;
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t n = (uint32_t)(random >> 33) % NETWORKS;
        size_t at = 0;
        while (at < len && list[at] != n) {
            at++;
        }
        uint32_t tokens = at < len ? left[at] : options.burst;
        if (at == len && len < MOST) {
            len++;
        } else if (at == len) {
            at = 0; /* the oldest leaves */
        }
        for (; at + 1 < len; at++) {
            list[at] = list[at + 1];
            left[at] = left[at + 1];
        }
        list[len - 1] = n;
        left[len - 1] = tokens > 0 ? tokens - 1 : 0;
        struct ip ip = nth(n);
        assert_int_equal(netlimit_take(limit, &ip, 1, 1000), tokens > 0 ? NETLIMIT_PASS : NETLIMIT_NETWORK);
    }
    netlimit_free(limit);
}

/* Invented sources: each network is a new one, and yet no more than the total goes out. */
static void all_together_are_limited(void **state)
{
    (void)state;
    struct netlimit_options options = USUAL;
    options.total_burst = 100;
    options.total_per_s = 10;
    struct netlimit *limit = make(&options);
    unsigned passed = 0;
    for (uint32_t n = 0; n < 100000; n++) {
        struct ip ip = nth(n);
        enum netlimit_verdict verdict = netlimit_take(limit, &ip, 1, 1000 + n / 100); /* a second in all */
        assert_int_not_equal(verdict, NETLIMIT_NETWORK);
        passed += verdict == NETLIMIT_PASS;
    }
    assert_int_equal(passed, 109); /* 999 ms at 10 a second */
    netlimit_free(limit);
}

static void a_dear_question_takes_more(void **state)
{
    (void)state;
    struct netlimit *limit = make(&USUAL);
    struct ip ip = nth(1);
    assert_int_equal(netlimit_take(limit, &ip, 3, 1000), NETLIMIT_PASS);
    assert_int_equal(netlimit_take(limit, &ip, 3, 1000), NETLIMIT_NETWORK);
    assert_int_equal(netlimit_take(limit, &ip, 1, 1000), NETLIMIT_PASS);
    netlimit_free(limit);
    struct netlimit_options options = USUAL;
    options.networks_max = 0;
    assert_int_equal(netlimit_new(&options, 0, &limit), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_is_limited_and_recovers), cmocka_unit_test(networks_are_24_and_56_bits_wide),
        cmocka_unit_test(the_longest_silent_gives_way),      cmocka_unit_test(the_table_agrees_with_a_plain_list),
        cmocka_unit_test(all_together_are_limited),          cmocka_unit_test(a_dear_question_takes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
