/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TERM "2b1c6f0e-6c3d-4d0a-9a53-0c7d1a1f8c11:7"

/* The decoded value writes the same text again: structs are not compared, they have holes. */
#define ASSERT_SAME_TEXT(encode, value, buf)                                                                           \
    do {                                                                                                               \
        struct strbuf again_;                                                                                          \
        strbuf_init(&again_, MQTT_PAYLOAD_MAX);                                                                        \
        assert_int_equal(encode((value), &again_), ERR_OK);                                                            \
        assert_string_equal(strbuf_str(&again_), strbuf_str(buf));                                                     \
        strbuf_deinit(&again_);                                                                                        \
    } while (0)

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

static struct address_field set(const char *text)
{
    return (struct address_field){.presence = FIELD_SET, .ip = ip_of(text)};
}

static struct ip_prefix prefix_of(const char *text)
{
    struct ip_prefix prefix;
    assert_int_equal(ip_prefix_parse(view_of(text), &prefix), ERR_OK);
    return prefix;
}

static void state_survives_the_wire(void **state)
{
    (void)state;
    struct state_message in = {.on = true,
                               .boot = 17,
                               .conn = UINT32_MAX,
                               .seq = 3,
                               .ts = 1795000000123,
                               .tsq = TIME_NTP,
                               .ip4 = set("198.51.100.7"),
                               .ip6 = {.presence = FIELD_NULL},
                               .has_prefix6 = true,
                               .prefix6_life = {.preferred_s = 1800, .valid_s = UINT32_MAX},
                               .prefix6_also = {{.life = {.preferred_s = 540}}, {.life = {.valid_s = 1}}},
                               .prefix6_also_len = 2,
                               .uplinks_len = 2,
                               .src = "interface",
                               .why = "change",
                               .agent = "0.1.0",
                               .fw = "x 1.2",
                               .cfg = "g-12",
                               .caps = {"dns", "config"},
                               .caps_len = 2};
    in.prefix6 = prefix_of("2001:db8:5::/48");
    in.prefix6_also[0].prefix = prefix_of("2001:db8:4::/48");
    in.prefix6_also[1].prefix = prefix_of("2001:db8::/128");
    in.uplinks[0] = (struct uplink){.name = "eth0",
                                    .up = true,
                                    .ip4 = set("192.0.2.1"),
                                    .ip6 = set("2001:db8::1"),
                                    .seen4 = ip_of("198.51.100.7"),
                                    .seen6 = ip_of("2001:db8::1"),
                                    .nat = NAT_PORT_CONTROL,
                                    .alive4 = ALIVE_YES,
                                    .alive6 = ALIVE_NO,
                                    .has_metric = true};
    in.uplinks[1] = (struct uplink){.name = "wwan0"};
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    assert_int_equal(state_encode(&in, &buf), ERR_OK);
    assert_string_equal(
        strbuf_str(&buf),
        "{\"v\":1,\"s\":\"on\",\"boot\":17,\"conn\":4294967295,\"seq\":3,\"ts\":1795000000123,"
        "\"tsq\":\"ntp\",\"ip4\":\"198.51.100.7\",\"ip6\":null,\"prefix6\":\"2001:db8:5::/48\","
        "\"prefix6_preferred\":1800,\"prefix6_valid\":4294967295,"
        "\"prefix6_also\":[{\"prefix\":\"2001:db8:4::/48\",\"preferred\":540},"
        "{\"prefix\":\"2001:db8::/128\",\"valid\":1}],"
        "\"uplinks\":[{\"name\":\"eth0\",\"up\":true,\"metric\":0,\"ip4\":\"192.0.2.1\",\"ip6\":\"2001:db8::1\","
        "\"seen4\":\"198.51.100.7\",\"seen6\":\"2001:db8::1\",\"nat\":\"port-control\","
        "\"alive4\":true,\"alive6\":false},"
        "{\"name\":\"wwan0\",\"up\":false}],\"src\":\"interface\",\"why\":\"change\",\"agent\":\"0.1.0\","
        "\"fw\":\"x 1.2\",\"cfg\":\"g-12\",\"caps\":[\"dns\",\"config\"]}");
    struct state_message out;
    struct errinfo info;
    assert_int_equal(state_decode(strbuf_view(&buf), &out, &info), ERR_OK);
    ASSERT_SAME_TEXT(state_encode, &out, &buf);
    assert_true(out.uplinks[0].alive4 == ALIVE_YES && out.uplinks[0].alive6 == ALIVE_NO);
    assert_true(out.uplinks[1].alive4 == ALIVE_UNKNOWN && out.uplinks[1].alive6 == ALIVE_UNKNOWN);
    struct state_scan scan;
    assert_int_equal(state_scan(strbuf_view(&buf), &scan), ERR_OK);
    assert_true(scan.on && scan.boot == 17 && scan.conn == UINT32_MAX && scan.seq == 3);
    strbuf_deinit(&buf);
}

static void the_smallest_state_has_only_what_orders_it(void **state)
{
    (void)state;
    struct state_message message;
    const char *text = "{\"v\":1,\"s\":\"off\",\"boot\":1,\"conn\":2,\"seq\":3}";
    assert_int_equal(state_decode(view_of(text), &message, NULL), ERR_OK);
    assert_false(message.on);
    assert_int_equal(message.ip4.presence, FIELD_ABSENT);
    assert_int_equal(message.ip6.presence, FIELD_ABSENT);
    assert_int_equal(message.tsq, TIME_NONE);
    assert_string_equal(message.fw, "");
}

static void a_prefix_that_is_gone_is_not_one_that_is_unknown(void **state)
{
    (void)state;
    struct state_message message;
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    const char *text = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3,\"prefix6\":null}";
    assert_int_equal(state_decode(view_of(text), &message, NULL), ERR_OK);
    assert_true(message.prefix6_gone && !message.has_prefix6);
    assert_int_equal(state_encode(&message, &buf), ERR_OK);
    assert_non_null(strstr(strbuf_str(&buf), ",\"prefix6\":null"));
    message.has_prefix6 = true;
    message.prefix6.ip.family = IP_V6;
    assert_int_equal(state_encode(&message, &buf), ERR_INVALID);
    strbuf_deinit(&buf);
    text = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3}";
    assert_int_equal(state_decode(view_of(text), &message, NULL), ERR_OK);
    assert_false(message.prefix6_gone || message.has_prefix6);
}

static void a_state_written_before_lifetimes_says_none(void **state)
{
    (void)state;
    struct state_message message;
    const char *text = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3,\"prefix6\":\"2001:db8:5::/48\"}";
    assert_int_equal(state_decode(view_of(text), &message, NULL), ERR_OK);
    assert_true(message.has_prefix6 && message.prefix6_life.preferred_s == 0 && message.prefix6_life.valid_s == 0);
    assert_int_equal(message.prefix6_also_len, 0);
}

static void what_is_no_further_prefix_is_not_sent(void **state)
{
    (void)state;
    struct state_message message = {.prefix6_also_len = 1}; /* of no family */
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    assert_int_equal(state_encode(&message, &buf), ERR_INVALID);
    message.prefix6_also_len = MQTT_ALSO_MAX + 1;
    assert_int_equal(state_encode(&message, &buf), ERR_INVALID);
    strbuf_deinit(&buf);
}

static struct address_field longest(enum ip_family family)
{
    struct address_field field = {.presence = FIELD_SET, .ip = {.family = (uint8_t)family}};
    memset(field.ip.bytes, 0xfe, family == IP_V4 ? 4 : 16);
    return field;
}

/* Half of what a message may have; names of interfaces have 15 bytes. */
static void the_largest_state_fits(void **state)
{
    (void)state;
    struct state_message in = {.ip4 = longest(IP_V4),
                               .ip6 = longest(IP_V6),
                               .ts = 253402300799999,
                               .has_prefix6 = true,
                               .prefix6 = {.ip = longest(IP_V6).ip, .len = 127},
                               .prefix6_life = {UINT32_MAX, UINT32_MAX},
                               .prefix6_also_len = MQTT_ALSO_MAX,
                               .uplinks_len = MQTT_UPLINKS_MAX};
    for (size_t i = 0; i < MQTT_ALSO_MAX; i++) {
        in.prefix6_also[i] = (struct also_prefix){.prefix = in.prefix6, .life = in.prefix6_life};
    }
    for (size_t i = 0; i < MQTT_UPLINKS_MAX; i++) {
        in.uplinks[i] = (struct uplink){.name = "an-interface-15",
                                        .ip4 = longest(IP_V4),
                                        .ip6 = longest(IP_V6),
                                        .seen4 = longest(IP_V4).ip,
                                        .seen6 = longest(IP_V6).ip,
                                        .nat = NAT_PORT_CONTROL,
                                        .has_metric = true,
                                        .metric = UINT32_MAX};
    }
    memset(in.src, 'a', MQTT_TEXT_MAX);
    memset(in.why, 'a', MQTT_TEXT_MAX);
    memset(in.agent, 'a', MQTT_TEXT_MAX);
    memset(in.fw, 'a', MQTT_TEXT_MAX);
    memset(in.cfg, 'a', MQTT_TEXT_MAX);
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    assert_int_equal(state_encode(&in, &buf), ERR_OK);
    assert_true(strbuf_view(&buf).len < 4096);
    struct state_message out;
    assert_int_equal(state_decode(strbuf_view(&buf), &out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(state_encode, &out, &buf);
    strbuf_deinit(&buf);
}

static void each_nat_class_survives_the_wire_and_the_unknown_one_stays_away(void **state)
{
    (void)state;
    static const char *const names[NAT_CLASSES] = {"unknown", "public", "nat",     "port-control", "double",
                                                   "cgnat",   "dslite", "464xlat", "tunnel"};
    for (int nat = 0; nat < NAT_CLASSES; nat++) {
        struct state_message in = {.uplinks_len = 1};
        struct state_message out;
        struct strbuf buf;
        in.uplinks[0] = (struct uplink){.name = "eth0", .nat = (enum nat_class)nat};
        assert_string_equal(nat_class_name((enum nat_class)nat), names[nat]);
        strbuf_init(&buf, MQTT_PAYLOAD_MAX);
        assert_int_equal(state_encode(&in, &buf), ERR_OK);
        assert_int_equal(strstr(strbuf_str(&buf), "\"nat\":") != NULL, nat != NAT_UNKNOWN);
        assert_int_equal(state_decode(strbuf_view(&buf), &out, NULL), ERR_OK);
        assert_int_equal(out.uplinks[0].nat, nat);
        assert_int_equal(out.uplinks[0].seen4.family, IP_NONE);
        assert_false(out.uplinks[0].has_metric);
        strbuf_deinit(&buf);
    }
    assert_string_equal(nat_class_name((enum nat_class)NAT_CLASSES), "unknown");
}

static void encoders_refuse_what_decoders_would(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    struct state_message wrong_family = {.ip4 = set("2001:db8::1")};
    assert_int_equal(state_encode(&wrong_family, &buf), ERR_INVALID);
    struct state_message blank_src = {.src = "a b"};
    assert_int_equal(state_encode(&blank_src, &buf), ERR_INVALID);
    struct state_message many = {.uplinks_len = MQTT_UPLINKS_MAX + 1};
    assert_int_equal(state_encode(&many, &buf), ERR_INVALID);
    const struct uplink misfits[] = {
        {.name = "eth0", .seen4 = ip_of("2001:db8::1")},      {.name = "eth0", .seen6 = ip_of("192.0.2.1")},
        {.name = "eth0", .nat = (enum nat_class)NAT_CLASSES}, {.name = "eth0", .alive4 = (enum alive)ALIVE_STATES},
        {.name = "eth0", .alive6 = (enum alive)ALIVE_STATES},
    };
    for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
        struct state_message message = {.uplinks_len = 1};
        message.uplinks[0] = misfits[i];
        assert_int_equal(state_encode(&message, &buf), ERR_INVALID);
    }
    struct dns_message no_term = {.term = ""};
    assert_int_equal(dns_encode(&no_term, &buf), ERR_INVALID);
    struct summary_message negative = {.term = TERM, .change_p50_ms = -1};
    assert_int_equal(summary_encode(&negative, &buf), ERR_INVALID);
    struct feed_message service = {.device = "svc-a", .event = "lost"};
    assert_int_equal(feed_encode(&service, &buf), ERR_INVALID);
    struct coord_message early = {.term = TERM, .ts = -1};
    assert_int_equal(coord_encode(&early, &buf), ERR_INVALID);
    struct sync_message wide = {.window_s = 86401};
    assert_int_equal(sync_encode(&wide, &buf), ERR_INVALID);
    assert_int_equal(buf.len, 0);
    strbuf_deinit(&buf);
}

static void dns_survives_the_wire(void **state)
{
    (void)state;
    struct dns_message in = {.term = TERM,
                             .has_ack = true,
                             .ack_boot = 4,
                             .ack_seq = 9,
                             .observed = ip_of("203.0.113.9"),
                             .error = "not-public",
                             .names_len = 2};
    in.names[0] = (struct name_status){.name = "cam-1.lab.cams.example.net",
                                       .type = "A",
                                       .value = "203.0.113.9",
                                       .ttl = 60,
                                       .state = NAME_APPLIED,
                                       .since = 1795000000000};
    in.names[1] = (struct name_status){.name = "cam-1.lab.cams.example.net",
                                       .type = "AAAA",
                                       .ttl = 60,
                                       .state = NAME_HELD,
                                       .since = 1,
                                       .error = "foreign",
                                       .next = 1795000060000};
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    assert_int_equal(dns_encode(&in, &buf), ERR_OK);
    struct dns_message out;
    assert_int_equal(dns_decode(strbuf_view(&buf), &out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(dns_encode, &out, &buf);
    strbuf_deinit(&buf);
}

static void a_dns_ack_over_the_payload_cap_is_an_error_not_a_long_message(void **state)
{
    (void)state;
    static struct dns_message in = {.term = TERM, .names_len = MQTT_NAMES_MAX};
    for (size_t i = 0; i < in.names_len; i++) {
        in.names[i] = (struct name_status){.type = "A", .state = NAME_PENDING};
        memset(in.names[i].name, 'a', 253);
    }
    struct strbuf buf;
    strbuf_init(&buf, 4 * MQTT_PAYLOAD_MAX);
    assert_int_equal(dns_encode(&in, &buf), ERR_LIMIT);
    strbuf_deinit(&buf);
}

static void fleet_bodies_survive_the_wire(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, MQTT_PAYLOAD_MAX);
    struct summary_message summary = {.ts = 5,
                                      .term = TERM,
                                      .devices = 1000000,
                                      .online = 7,
                                      .changes = 1ull << 52,
                                      .change_p50_ms = 1.5,
                                      .change_p99_ms = 20.25};
    struct summary_message summary_out;
    assert_int_equal(summary_encode(&summary, &buf), ERR_OK);
    assert_int_equal(summary_decode(strbuf_view(&buf), &summary_out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(summary_encode, &summary_out, &buf);
    strbuf_clear(&buf);
    struct feed_message feed = {.ts = 5,
                                .device = "cam-1",
                                .event = "applied",
                                .name = "a.example.net",
                                .type = "A",
                                .value = "192.0.2.1",
                                .dropped = 12};
    struct feed_message feed_out;
    assert_int_equal(feed_encode(&feed, &buf), ERR_OK);
    assert_int_equal(feed_decode(strbuf_view(&buf), &feed_out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(feed_encode, &feed_out, &buf);
    strbuf_clear(&buf);
    struct coord_message coord = {.on = true, .term = TERM, .ts = 1};
    struct coord_message coord_out;
    assert_int_equal(coord_encode(&coord, &buf), ERR_OK);
    assert_int_equal(coord_decode(strbuf_view(&buf), &coord_out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(coord_encode, &coord_out, &buf);
    strbuf_clear(&buf);
    struct gone_message gone = {.boot = UINT32_MAX, .conn = 1};
    struct gone_message gone_out;
    assert_int_equal(gone_encode(&gone, &buf), ERR_OK);
    assert_int_equal(gone_decode(strbuf_view(&buf), &gone_out, NULL), ERR_OK);
    ASSERT_SAME_TEXT(gone_encode, &gone_out, &buf);
    strbuf_clear(&buf);
    struct sync_message sync = {.window_s = 300};
    struct sync_message sync_out;
    assert_int_equal(sync_encode(&sync, &buf), ERR_OK);
    assert_int_equal(sync_decode(strbuf_view(&buf), &sync_out, NULL), ERR_OK);
    assert_int_equal(sync_out.window_s, 300);
    strbuf_deinit(&buf);
}

static void failures_name_the_field(void **state)
{
    (void)state;
    struct errinfo info;
    struct gone_message gone;
    assert_int_equal(gone_decode(view_of("{\"v\":1,\"boot\":4294967296,\"conn\":0}"), &gone, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "boot"));
    assert_int_equal(gone_decode(view_of("{\"v\":2,\"boot\":1,\"conn\":0}"), &gone, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "v:"));
    assert_int_equal(gone_decode(view_of("[1]"), &gone, &info), ERR_INVALID);
    assert_int_equal(gone_decode(view_of(""), &gone, &info), ERR_PARSE);
}

static void stamps_split_into_address_and_mac(void **state)
{
    (void)state;
#define MAC "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    struct ip ip;
    struct view text;
    uint8_t mac[32];
    assert_int_equal(observed_parse(view_of("2001:db8::7 " MAC), &ip, &text, mac), ERR_OK);
    assert_true(view_equals(text, "2001:db8::7"));
    assert_int_equal(ip.family, IP_V6);
    assert_int_equal(mac[31], 0x1f);
    static const char *const bad[] = {"",
                                      " " MAC,
                                      "192.0.2.1",
                                      "192.0.2.1 ",
                                      "192.0.2.1 " MAC "0",
                                      "192.0.2.1  " MAC,
                                      "300.0.2.1 " MAC,
                                      "192.0.2.1 " MAC " "};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(observed_parse(view_of(bad[i]), &ip, &text, mac), ERR_PARSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_survives_the_wire),
        cmocka_unit_test(the_smallest_state_has_only_what_orders_it),
        cmocka_unit_test(a_prefix_that_is_gone_is_not_one_that_is_unknown),
        cmocka_unit_test(a_state_written_before_lifetimes_says_none),
        cmocka_unit_test(what_is_no_further_prefix_is_not_sent),
        cmocka_unit_test(the_largest_state_fits),
        cmocka_unit_test(each_nat_class_survives_the_wire_and_the_unknown_one_stays_away),
        cmocka_unit_test(encoders_refuse_what_decoders_would),
        cmocka_unit_test(dns_survives_the_wire),
        cmocka_unit_test(a_dns_ack_over_the_payload_cap_is_an_error_not_a_long_message),
        cmocka_unit_test(fleet_bodies_survive_the_wire),
        cmocka_unit_test(failures_name_the_field),
        cmocka_unit_test(stamps_split_into_address_and_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
