/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MINIMAL                                                                                                        \
    "device_id: cam-1\n"                                                                                               \
    "broker:\n  endpoints: [\"broker.example.net:8883\", \"[2001:db8::1]:8883\"]\n"                                    \
    "tls:\n  ca_file: /ca.pem\n  cert_file: /cert.pem\n"

static enum err load(const char *text, struct arena *arena, struct agent_config *config, struct strbuf *report)
{
    arena_init(arena, AGENT_CONFIG_ARENA_MAX);
    strbuf_init(report, 65536);
    return config_load_text(agent_config_schema(), "agent.yaml", view_of(text), arena, config, report);
}

static void fills_in_defaults(void **state)
{
    (void)state;
    struct arena arena;
    struct agent_config config;
    struct strbuf report;
    assert_int_equal(load(MINIMAL, &arena, &config, &report), ERR_OK);
    assert_string_equal(config.device_id, "cam-1");
    assert_int_equal(config.broker.endpoints.len, 2);
    assert_int_equal(config.broker.keepalive_ms, 240000);
    assert_int_equal(config.broker.probe_ms, 0);
    assert_string_equal(config.control_socket, AGENT_CONTROL_SOCKET);
    assert_int_equal(agent_config_log_level(&config), LOG_LEVEL_INFO);
    struct report_timing timing = agent_config_timing(&config);
    const struct report_timing expected = REPORT_TIMING_DEFAULT;
    assert_memory_equal(&timing, &expected, sizeof(timing));
    struct address_policy policy = agent_config_policy(&config);
    assert_true(policy.ip4 && policy.ip6 && policy.hold_ms == 60000 && policy.prefix6_from == NULL);
    struct source_config sources[FUSION_SOURCES_MAX];
    assert_int_equal(detect_settings_sources(&config.detect, sources), 2); /* who costs nothing */
    assert_string_equal(sources[0].type, "interface");
    assert_string_equal(sources[1].type, "observed");
    assert_string_equal(sources[1].server, ""); /* left out is never NULL */
    assert_true(sources[1].ip4 && sources[1].ip6 && !sources[1].shown_only);
    struct fusion_policy fusion = detect_settings_policy(&config.detect);
    assert_true(fusion.quorum == 1 && fusion.confirm_ms == 10000 && fusion.hold_ms == 0);
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

static void refuses_what_cannot_work(void **state)
{
    (void)state;
    const struct {
        const char *text, *said;
    } rows[] = {
        {"tls:\n  ca_file: /c\n  cert_file: /c\n", "broker"},
        {MINIMAL "devise_id: x\n", "device_id"}, /* did you mean */
        {"device_id: Cam_1\n", "device id"},
        {"device_id: svc-x\n", "device id"},
        {MINIMAL "addresses: {ip4: false, ip6: false}\n", "nothing would be reported"},
        {MINIMAL "report: {repeat_first: 1h, repeat_max: 1m}\n", "repeat_max"},
        {MINIMAL "report: {heartbeat: 1}\n", "heartbeat"},
        {MINIMAL "addresses: {include: [\"\"]}\n", "include"},
        {MINIMAL "detect: {sources: []}\n", "sources"},
        {MINIMAL "detect: {sources: [{type: observe}]}\n", "did you mean observed?"},
        {MINIMAL "detect: {sources: [{type: interface, every: 5m}]}\n",
         "agent.yaml:7:20: detect.sources[0]: interface"},
        {MINIMAL "detect: {sources: [{type: observed, uplink: eth0}]}\n", "tells of each uplink by itself"},
        {MINIMAL "detect: {sources: [{type: interface, ip4: false, ip6: false}]}\n", "leave the source out"},
        {MINIMAL "detect: {sources: [{type: observed}, {type: observed}]}\n", "are called observed"},
        {MINIMAL "detect: {quorum: 3}\n", "only 2 of the list decide"},
        {MINIMAL "detect: {quorum: 2, sources: [{type: interface}, {type: observed, shown_only: true}]}\n",
         "only 1 of the list decide"},
        {MINIMAL "detect: {flap_max: 9}\n", "flap_max"},
        {"device_id: a\nbroker: {endpoints: []}\ntls: {ca_file: /c, cert_file: /c}\n", "endpoints"},
        {"device_id: a\nbroker: {endpoints: [nowhere]}\ntls: {ca_file: /c, cert_file: /c}\n", "endpoints"},
        {"device_id: a\nbroker: {endpoints: [\"a:1\"]}\ntls: {ca_file: ca.pem, cert_file: /c}\n", "ca_file"},
        {"device_id: a\nbroker: {endpoints: [\"a:1\"]}\n", "ca_file"},
        {MINIMAL "provisioning: {endpoints: [\"p:1\"], serial: A}\n", "tls: not with provisioning"},
        {"provisioning: {endpoints: [\"p:1\"], serial: A, serial_file: /s}\n", "serial_file"},
        {"provisioning: {endpoints: [\"p:1\"], serial: \"A B\"}\n", "serial"},
        {"provisioning: {endpoints: [nowhere], serial: A}\n", "endpoints"},
        {"provisioning: {serial: A}\n", "endpoints"},
        {MINIMAL "firmware: \"1.2 \xe2\x80\x93 b\"\n", "firmware"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct agent_config config;
        struct strbuf report;
        assert_int_equal(load(rows[i].text, &arena, &config, &report), ERR_INVALID);
        if (strstr(strbuf_str(&report), rows[i].said) == NULL) {
            fail_msg("%s\nis refused without a word of %s: %s", rows[i].text, rows[i].said, strbuf_str(&report));
        }
        strbuf_deinit(&report);
        arena_deinit(&arena);
    }
}

static void dumps_what_loads_back(void **state)
{
    (void)state;
    struct arena arena, again_arena;
    struct agent_config config, again;
    struct strbuf report, dump, names;
    assert_int_equal(load(MINIMAL "addresses: {exclude: [\"docker*\"], prefix6_from: br-lan}\n"
                                  "detect: {sources: [{type: observed, name: broker}]}\n",
                          &arena, &config, &report),
                     ERR_OK);
    strbuf_deinit(&report);
    strbuf_init(&dump, 65536);
    strbuf_init(&names, 65536);
    assert_int_equal(config_dump(agent_config_schema(), &config, &dump), ERR_OK);
    enum err err = load(strbuf_str(&dump), &again_arena, &again, &report);
    if (err != ERR_OK) {
        fail_msg("%s", strbuf_str(&report));
    }
    assert_int_equal(agent_config_restart_rows(&config, &again, &names), ERR_OK);
    assert_string_equal(strbuf_str(&names), "");
    assert_string_equal(again.addresses.exclude.items[0], "docker*");
    assert_string_equal(again.addresses.prefix6_from, "br-lan");
    struct source_config sources[FUSION_SOURCES_MAX];
    assert_int_equal(detect_settings_sources(&again.detect, sources), 1);
    assert_string_equal(sources[0].name, "broker");
    strbuf_deinit(&report);
    strbuf_deinit(&dump);
    strbuf_deinit(&names);
    arena_deinit(&arena);
    arena_deinit(&again_arena);
}

static void names_rows_that_need_a_restart(void **state)
{
    (void)state;
    struct arena arena, other_arena;
    struct agent_config config, other;
    struct strbuf report, names;
    assert_int_equal(load(MINIMAL, &arena, &config, &report), ERR_OK);
    strbuf_deinit(&report);
    assert_int_equal(load("device_id: cam-1\nlog_level: debug\n"
                          "broker:\n  endpoints: [\"other.example.net:8883\"]\n  keepalive: 1m\n  probe: 30s\n"
                          "tls:\n  ca_file: /ca.pem\n  cert_file: /cert.pem\n  key_file: /key.pem\n"
                          "report: {heartbeat: 30m}\naddresses: {ip6: false}\n",
                          &other_arena, &other, &report),
                     ERR_OK);
    strbuf_init(&names, 65536);
    assert_int_equal(agent_config_restart_rows(&config, &other, &names), ERR_OK);
    assert_string_equal(strbuf_str(&names), "broker.endpoints, broker.keepalive, broker.probe, tls.key_file");
    strbuf_deinit(&names);
    strbuf_deinit(&report);
    arena_deinit(&arena);
    arena_deinit(&other_arena);
}

/* Brokers and identity come over the air: the block is enough. */
static void a_provisioned_device_needs_no_more(void **state)
{
    (void)state;
    struct arena arena;
    struct agent_config config;
    struct strbuf report;
    if (load("provisioning: {endpoints: [\"prov.example.net:8883\"]}\n", &arena, &config, &report) != ERR_OK) {
        fail_msg("%s", strbuf_str(&report));
    }
    assert_true(agent_config_is_provisioned(&config));
    assert_string_equal(config.provisioning.claim_dir, "/etc/muster/claim");
    assert_int_equal(config.broker.endpoints.len, 0);
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

static void ships_an_example_that_loads(void **state)
{
    (void)state;
    struct arena arena;
    struct agent_config config;
    struct strbuf report;
    arena_init(&arena, AGENT_CONFIG_ARENA_MAX);
    strbuf_init(&report, 65536);
    enum err err =
        config_load(agent_config_schema(), MUSTER_SOURCE_DIR "/deploy/examples/agent.yaml", &arena, &config, &report);
    if (err != ERR_OK) {
        fail_msg("%s", strbuf_str(&report));
    }
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(refuses_what_cannot_work),
        cmocka_unit_test(dumps_what_loads_back),
        cmocka_unit_test(names_rows_that_need_a_restart),
        cmocka_unit_test(a_provisioned_device_needs_no_more),
        cmocka_unit_test(ships_an_example_that_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
