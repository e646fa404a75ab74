/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void fill_report(struct report *report)
{
    const struct report_timing timing = REPORT_TIMING_DEFAULT;
    struct address_set set = {.ip4 = {.presence = FIELD_SET}, .ip6 = {.presence = FIELD_NULL}, .uplinks_len = 1};
    assert_int_equal(ip_parse(view_of("192.0.2.7"), &set.ip4.ip), ERR_OK);
    set.uplinks[0] =
        (struct uplink){.name = "eth0", .up = true, .ip4 = set.ip4, .seen4 = set.ip4.ip, .nat = NAT_PUBLIC};
    report_init(report, 3, &timing);
    (void)report_step(report, &(struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set}, 1000, 0);
    (void)report_step(report, &(struct report_event){.kind = REPORT_EV_ATTEMPT}, 2000, 0);
    (void)report_step(report, &(struct report_event){.kind = REPORT_EV_CONNECTED}, 2000, 0);
    (void)report_step(
        report, &(struct report_event){.kind = REPORT_EV_ANSWER, .answer = {.has_ack = true, .boot = 3, .seq = 1}},
        3000, 0);
}

static void fill_dns(struct dns_message *dns)
{
    *dns = (struct dns_message){.names_len = MQTT_NAMES_MAX};
    assert_int_equal(ip_parse(view_of("198.51.100.4"), &dns->observed), ERR_OK);
    for (size_t i = 0; i < dns->names_len; i++) {
        memset(dns->names[i].name, 'n', 253);
        memcpy(dns->names[i].type, "A", 2);
        memcpy(dns->names[i].value, "192.0.2.7", 10);
        memset(dns->names[i].error, 'e', MQTT_TEXT_MAX);
        dns->names[i].state = NAME_REFUSED;
    }
}

static json_t *parse(const struct strbuf *text)
{
    json_t *root = NULL;
    assert_int_equal(json_parse(strbuf_view(text), 65536, 5, &root, NULL), ERR_OK);
    return root;
}

static const char *at(const json_t *root, const char *section, const char *key)
{
    return json_string_value(json_object_get(json_object_get(root, section), key));
}

static void says_all_as_json_and_as_lines(void **state)
{
    (void)state;
    struct report report;
    struct dns_message dns;
    struct strbuf json, text;
    fill_report(&report);
    fill_dns(&dns);
    struct agent_status status = {.device_id = "cam-1",
                                  .version = "9.9",
                                  .now_ms = 10000,
                                  .started_ms = 500,
                                  .wall_ms = 1700000000000,
                                  .endpoint = "b:1",
                                  .connection_error = "",
                                  .connection_since_ms = 2000,
                                  .probe_ms = 8000,
                                  .source = "interface",
                                  .report = &report,
                                  .boot_stored = true,
                                  .dns = &dns,
                                  .dns_ms = 3000};
    strbuf_init(&json, 65536);
    strbuf_init(&text, 65536);
    assert_int_equal(agent_status_json(&status, &json), ERR_OK);
    json_t *root = parse(&json);
    assert_string_equal(at(root, "connection", "state"), "connected");
    assert_string_equal(at(root, "connection", "since"), "2023-11-14T22:13:12.000Z");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "connection"), "probe_s")), 8);
    assert_string_equal(at(root, "report", "state"), "acknowledged");
    assert_string_equal(at(root, "report", "acknowledged"), "2023-11-14T22:13:13.000Z");
    assert_string_equal(at(root, "addresses", "ip4"), "192.0.2.7");
    assert_true(json_is_null(json_object_get(json_object_get(root, "addresses"), "ip6")));
    const json_t *uplink = json_array_get(json_object_get(json_object_get(root, "addresses"), "uplinks"), 0);
    assert_string_equal(json_string_value(json_object_get(uplink, "seen4")), "192.0.2.7");
    assert_string_equal(json_string_value(json_object_get(uplink, "nat")), "public");
    assert_null(json_object_get(uplink, "seen6"));
    assert_null(json_object_get(uplink, "metric"));
    assert_string_equal(at(root, "dns", "observed"), "198.51.100.4");
    assert_int_equal(json_array_size(json_object_get(json_object_get(root, "dns"), "names")), MQTT_NAMES_MAX);
    json_decref(root);
    assert_int_equal(agent_status_text(strbuf_view(&json), &text), ERR_OK);
    assert_non_null(
        strstr(strbuf_str(&text), "IPv4 192.0.2.7, IPv6 none, from interface; the broker sees 198.51.100.4"));
    assert_non_null(strstr(strbuf_str(&text), "acknowledged, boot 3 seq 1"));
    assert_non_null(strstr(strbuf_str(&text), " A 192.0.2.7 (refused: eee"));
    strbuf_deinit(&json);
    strbuf_deinit(&text);
}

static void knows_what_it_does_not_know(void **state)
{
    (void)state;
    struct report report;
    struct strbuf json, text;
    const struct report_timing timing = REPORT_TIMING_DEFAULT;
    report_init(&report, 1, &timing);
    struct agent_status status = {.device_id = "cam-1",
                                  .version = "9.9",
                                  .now_ms = 10,
                                  .started_ms = 10,
                                  .endpoint = "",
                                  .connection_error = "no \"route\"\n",
                                  .source = "none",
                                  .report = &report};
    strbuf_init(&json, 65536);
    strbuf_init(&text, 65536);
    assert_int_equal(agent_status_json(&status, &json), ERR_OK);
    json_t *root = parse(&json);
    assert_null(json_object_get(root, "dns"));
    assert_null(json_object_get(json_object_get(root, "addresses"), "ip4")); /* unknown, not none */
    assert_null(json_object_get(json_object_get(root, "report"), "next_s"));
    assert_string_equal(at(root, "connection", "error"), "no \"route\"\n");
    assert_string_equal(at(root, "addresses", "source"), "none");
    json_decref(root);
    assert_int_equal(agent_status_text(strbuf_view(&json), &text), ERR_OK);
    assert_non_null(strstr(strbuf_str(&text), "IPv4 -, IPv6 -, from none; the broker sees -"));
    strbuf_deinit(&json);
    strbuf_deinit(&text);
}

static void refuses_what_is_no_status(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 65536);
    assert_int_not_equal(agent_status_text(view_of("<html>"), &text), ERR_OK);
    assert_int_equal(agent_status_text(view_of("{}"), &text), ERR_OK); /* of another version: nothing is known */
    assert_non_null(strstr(strbuf_str(&text), "device       - (muster-agent -"));
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_all_as_json_and_as_lines),
        cmocka_unit_test(knows_what_it_does_not_know),
        cmocka_unit_test(refuses_what_is_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
