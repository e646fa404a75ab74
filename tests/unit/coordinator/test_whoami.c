/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/whoami.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/limits.h"
#include "net/stun.h"

struct house {
    struct loop *loop;
    struct coordinator_config config;
    struct whoami *whoami;
    uint64_t now_ms; /* of the loop's clock, by which the limits began */
    uint8_t reply[STUN_WRITE_MAX];
};

static int open_house(void **state)
{
    static struct house house;
    struct errinfo info = {0};
    house = (struct house){.config.whoami = {.rate = 2, .burst = 10}}; /* listens nowhere */
    assert_int_equal(loop_new(&house.loop), ERR_OK);
    assert_int_equal(whoami_new(house.loop, &house.config, &house.whoami, &info), ERR_OK);
    house.now_ms = loop_now_ms(house.loop);
    *state = &house;
    return 0;
}

static int close_house(void **state)
{
    struct house *house = *state;
    whoami_free(house->whoami);
    loop_free(house->loop);
    return 0;
}

static struct ip address_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

static size_t ask(struct house *house, const char *from, const void *data, size_t len, uint64_t now_ms)
{
    struct ip peer = address_of(from);
    return whoami_answer_stun(house->whoami, &peer, 4000, view_n(data, len), now_ms, house->reply);
}

static const uint8_t ID[STUN_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static size_t ask_binding(struct house *house, const char *from, uint64_t now_ms)
{
    uint8_t request[STUN_WRITE_MAX];
    size_t len = stun_write_request(ID, request);
    return ask(house, from, request, len, now_ms);
}

static struct whoami_stats stats_of(const struct house *house)
{
    struct whoami_stats stats;
    whoami_stats(house->whoami, &stats);
    return stats;
}

static void an_asker_is_told_his_address(void **state)
{
    struct house *house = *state;
    static const char *const FROM[] = {"198.51.100.7", "2001:db8::7", "127.0.0.1"};
    for (size_t i = 0; i < ARRAY_LEN(FROM); i++) {
        struct stun_message answer;
        char text[IP_TEXT_SIZE];
        size_t len = ask_binding(house, FROM[i], house->now_ms);
        assert_int_equal(stun_answer_parse(view_n((const char *)house->reply, len), ID, &answer), ERR_OK);
        (void)ip_format(&answer.mapped, text); /* its length is of no interest */
        assert_string_equal(text, FROM[i]);
        assert_int_equal(answer.mapped_port, 4000);
    }
    assert_int_equal(stats_of(house).stun.asked, 3);
    assert_int_equal(stats_of(house).stun.answered, 3);
}

static void only_binding_requests_are_answered_and_cost_something(void **state)
{
    struct house *house = *state;
    uint8_t request[STUN_WRITE_MAX];
    size_t len = stun_write_request(ID, request);
    for (unsigned i = 0; i < 100; i++) {
        request[1] = 3; /* Allocate */
        assert_int_equal(ask(house, "198.51.100.7", request, len, house->now_ms), 0);
        request[1] = 0x11; /* an indication */
        assert_int_equal(ask(house, "198.51.100.7", request, len, house->now_ms), 0);
        assert_int_equal(ask(house, "198.51.100.7", request, len - 1, house->now_ms), 0);
        assert_int_equal(ask(house, "198.51.100.7", "", 0, house->now_ms), 0);
    }
    assert_int_equal(stats_of(house).stun_method, 200);
    assert_int_equal(stats_of(house).stun_malformed, 200);
    assert_int_equal(stats_of(house).stun.asked, 0);
    assert_int_equal(ask_binding(house, "198.51.100.7", house->now_ms), 32);
}

static void an_attribute_that_must_be_understood_is_refused(void **state)
{
    struct house *house = *state;
    uint8_t request[STUN_WRITE_MAX];
    size_t len = stun_write_request(ID, request);
    static const uint8_t CHANGE_REQUEST[] = {0, 3, 0, 4, 0, 0, 0, 6};
    memcpy(request + len, CHANGE_REQUEST, sizeof(CHANGE_REQUEST));
    request[3] = sizeof(CHANGE_REQUEST);
    size_t answered = ask(house, "198.51.100.7", request, len + sizeof(CHANGE_REQUEST), house->now_ms);
    struct stun_message answer;
    assert_int_equal(stun_answer_parse(view_n((const char *)house->reply, answered), ID, &answer), ERR_DENIED);
    assert_int_equal(answer.error_code, 420);
    assert_int_equal(stats_of(house).stun_attribute, 1);
    assert_int_equal(stats_of(house).stun.answered, 0);
}

static unsigned ask_many(struct house *house, const char *from, unsigned times, uint64_t now_ms)
{
    unsigned answers = 0;
    for (unsigned i = 0; i < times; i++) {
        answers += ask_binding(house, from, now_ms) > 0;
    }
    return answers;
}

static void a_network_is_limited_and_a_reload_may_raise_it(void **state)
{
    struct house *house = *state;
    struct errinfo info = {0};
    assert_int_equal(ask_many(house, "198.51.100.7", 50, house->now_ms), 10);
    assert_int_equal(ask_many(house, "198.51.100.8", 50, house->now_ms), 0);
    assert_int_equal(ask_many(house, "198.51.101.7", 50, house->now_ms), 10);
    assert_int_equal(ask_many(house, "198.51.100.7", 50, house->now_ms + 2000), 4);
    assert_int_equal(stats_of(house).stun.limited, 40 + 50 + 40 + 46);
    assert_int_equal(whoami_reload(house->whoami, &house->config, &info), ERR_OK); /* the same: nothing is forgotten */
    assert_int_equal(ask_many(house, "198.51.100.7", 50, house->now_ms + 2000), 0);
    house->config.whoami.burst = 30;
    assert_int_equal(whoami_reload(house->whoami, &house->config, &info), ERR_OK);
    assert_int_equal(ask_many(house, "198.51.100.7", 50, house->now_ms + 2000), 30);
}

static void invented_sources_do_not_get_more_than_all_may(void **state)
{
    struct house *house = *state;
    uint8_t request[STUN_WRITE_MAX];
    size_t len = stun_write_request(ID, request);
    unsigned answers = 0;
    for (uint32_t n = 0; n < 3 * WHOAMI_STUN_PER_S; n++) {
        struct ip peer = {.family = IP_V4, .bytes = {9, (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)(n >> 16)}};
        struct view view = view_n((const char *)request, len);
        answers += whoami_answer_stun(house->whoami, &peer, 4000, view, house->now_ms, house->reply) > 0;
    }
    assert_int_equal(answers, WHOAMI_STUN_PER_S);
    assert_int_equal(stats_of(house).stun.overload, 2 * WHOAMI_STUN_PER_S);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HOUSE(an_asker_is_told_his_address),
        IN_HOUSE(only_binding_requests_are_answered_and_cost_something),
        IN_HOUSE(an_attribute_that_must_be_understood_is_refused),
        IN_HOUSE(a_network_is_limited_and_a_reload_may_raise_it),
        IN_HOUSE(invented_sources_do_not_get_more_than_all_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
