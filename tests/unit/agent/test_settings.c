/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the section `detect` of a config: periods, ages, and what of it cannot work. */
#include "agent/detect/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/detect/schedule.h"
#include "agent/detect/sources.h"

#define SECOND  1000ULL
#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)
#define TIMEOUT (10 * SECOND) /* the default */

struct loaded {
    struct arena arena;
    struct agent_config config;
    struct source_config sources[FUSION_SOURCES_MAX];
    size_t sources_len;
};

static void load(const char *detect, struct loaded *loaded)
{
    struct strbuf text, report;
    arena_init(&loaded->arena, AGENT_CONFIG_ARENA_MAX);
    strbuf_init(&text, 4096);
    strbuf_init(&report, 4096);
    assert_int_equal(strbuf_addf(&text,
                                 "broker: {endpoints: ['localhost:1']}\ntls: {ca_file: /c, cert_file: /c}\n"
                                 "detect: {%s}\n",
                                 detect),
                     ERR_OK);
    enum err err = config_load_text(agent_config_schema(), "agent.yaml", strbuf_view(&text), &loaded->arena,
                                    &loaded->config, &report);
    if (err != ERR_OK) {
        fail_msg("%s", strbuf_str(&report));
    }
    loaded->sources_len = detect_settings_sources(&loaded->config.detect, loaded->sources);
    strbuf_deinit(&text);
    strbuf_deinit(&report);
}

static void unload(struct loaded *loaded)
{
    arena_deinit(&loaded->arena);
}

#define STUN "type: stun, server: '192.0.2.1:3478'"

/* A carrier's NAT with two ways out: every poll sees the other one. @return the path was found unstable. */
static bool finds_that_it_flaps(const struct loaded *loaded, unsigned polls)
{
    static const char *const addresses[] = {"93.184.216.34", "151.101.1.1"};
    const struct fusion_policy policy = detect_settings_policy(&loaded->config.detect);
    const struct source_ops *ops = &source_stun;
    const struct fusion_source source = {
        .view = ops->view, .counts = true, .fresh_ms = source_fresh_ms(ops, &loaded->sources[0], TIMEOUT)};
    struct schedule schedule;
    struct fusion fusion;
    const struct schedule_timing timing = {.floor_ms = ops->min_every_ms,
                                           .every_ms = source_period_ms(ops, &loaded->sources[0])};
    schedule_init(&schedule, &timing);
    fusion_init(&fusion, IP_V4, &policy, &source, 1, 0);
    schedule_want(&schedule, 0, false);
    for (unsigned i = 0; i < polls; i++) {
        uint64_t now = schedule_due(&schedule);
        struct source_answer answer = {.status = SOURCE_ANSWER_ADDRESS};
        assert_int_equal(ip_parse(view_of(addresses[i % 2]), &answer.ip), ERR_OK);
        schedule_asked(&schedule, now);
        schedule_ended(&schedule, true, now, UINT64_MAX); /* each as late as it can be */
        (void)fusion_answer(&fusion, 0, &answer, false, now);
        (void)fusion_tick(&fusion, now + policy.confirm_ms);
    }
    return fusion.unstable;
}

static void what_flaps_from_poll_to_poll_is_recognised(void **state)
{
    (void)state;
    static const char *const periods[] = {"0s", "1m", "15m", "24h"};
    for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
        struct loaded loaded;
        char text[128];
        (void)snprintf(text, sizeof(text), "sources: [{" STUN ", every: %s}]", periods[i]);
        load(text, &loaded);
        assert_false(finds_that_it_flaps(&loaded, 4)); /* three changes */
        assert_true(finds_that_it_flaps(&loaded, 5));
        unload(&loaded);
    }
}

static void the_window_is_as_long_as_the_slowest_who_decides_needs(void **state)
{
    (void)state;
    static const struct {
        const char *detect;
        uint64_t window_ms;
    } cases[] = {
        {"", 10 * MINUTE}, /* events only */
        {"sources: [{" STUN "}]", 72 * MINUTE},
        {"sources: [{" STUN ", every: 30s}]", 10 * MINUTE},
        {"sources: [{" STUN "}, {type: exec, command: [/x], every: 1h}]", 288 * MINUTE},
        {"sources: [{" STUN "}, {type: exec, command: [/x], every: 1h, shown_only: true}]", 72 * MINUTE},
        {"flap_max: 2, sources: [{" STUN "}]", 36 * MINUTE},
        {"flap_max: 0, sources: [{" STUN "}]", 10 * MINUTE},
        {"flap_window: 20s, sources: [{" STUN "}]", 20 * SECOND},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;
        load(cases[i].detect, &loaded);
        assert_int_equal(detect_settings_policy(&loaded.config.detect).flap_window_ms, cases[i].window_ms);
        unload(&loaded);
    }
}

static void a_window_that_never_can_is_warned_about(void **state)
{
    (void)state;
    static const struct {
        const char *detect;
        bool warned;
    } cases[] = {
        {"", false},
        {"flap_window: 10m", false},
        {"sources: [{" STUN "}]", false},
        {"flap_window: 10m, sources: [{" STUN "}]", true},
        {"flap_window: 45m, sources: [{" STUN "}]", true},
        {"flap_window: 46m, sources: [{" STUN "}]", false},
        {"flap_window: 10m, flap_max: 0, sources: [{" STUN "}]", false},
        {"flap_window: 10m, flap_max: 1, sources: [{" STUN "}]", false},
        {"flap_window: 10m, sources: [{type: interface}, {" STUN ", shown_only: true}]", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;
        struct strbuf out;
        strbuf_init(&out, 4096);
        load(cases[i].detect, &loaded);
        assert_int_equal(detect_settings_warn(&loaded.config.detect, &out), ERR_OK);
        if (cases[i].warned != (strstr(strbuf_str(&out), "detect.flap_window: ") != NULL)) {
            fail_msg("%s: \"%s\"", cases[i].detect, strbuf_str(&out));
        }
        strbuf_deinit(&out);
        unload(&loaded);
    }
}

static void an_answer_counts_for_two_polls_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *sources;
        uint64_t period_ms, fresh_ms;
    } cases[] = {
        {"sources: [{type: interface}]", 0, 0},
        {"sources: [{type: static, address4: 45.83.1.9}]", 0, 0},
        {"sources: [{" STUN "}]", 15 * MINUTE, 35 * MINUTE + TIMEOUT},
        {"sources: [{" STUN ", every: 3m}]", 3 * MINUTE, 7 * MINUTE + TIMEOUT},
        {"sources: [{" STUN ", every: 24h}]", 24 * HOUR, 56 * HOUR + TIMEOUT},
        {"sources: [{type: exec, command: [/x]}]", 5 * MINUTE, 700 * SECOND + TIMEOUT},
        {"sources: [{type: http, url: 'https://x/', every: 6h}]", 6 * HOUR, 14 * HOUR + TIMEOUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;
        bool left_out = false;
        load(cases[i].sources, &loaded);
        const struct source_ops *ops = source_find(loaded.sources[0].type, &left_out);
        assert_non_null(ops);
        assert_int_equal(source_period_ms(ops, &loaded.sources[0]), cases[i].period_ms);
        assert_int_equal(source_fresh_ms(ops, &loaded.sources[0], TIMEOUT), cases[i].fresh_ms);
        unload(&loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_flaps_from_poll_to_poll_is_recognised),
        cmocka_unit_test(the_window_is_as_long_as_the_slowest_who_decides_needs),
        cmocka_unit_test(a_window_that_never_can_is_warned_about),
        cmocka_unit_test(an_answer_counts_for_two_polls_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
