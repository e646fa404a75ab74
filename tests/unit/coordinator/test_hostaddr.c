/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/hostaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static struct host_id of_suffix(const char *suffix, uint32_t subnet)
{
    struct host_id id = {.subnet = subnet, .is_64 = subnet != 0};
    assert_int_equal(ip_parse(view_of(suffix), &id.suffix), ERR_OK);
    return id;
}

static void assert_address(const char *prefix_text, const struct host_id *id, const char *expected)
{
    struct ip_prefix prefix = {.len = 0};
    char text[IP_TEXT_SIZE];
    if (prefix_text[0] != '\0') {
        assert_int_equal(ip_prefix_parse(view_of(prefix_text), &prefix), ERR_OK);
    }
    struct ip ip = host_address(&prefix, id);
    (void)ip_format(&ip, text);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s subnet %u: %s, not %s", prefix_text, id->subnet, text, expected);
    }
}

static void a_suffix_fills_what_the_prefix_leaves(void **state)
{
    (void)state;
    const struct {
        const char *prefix, *suffix;
        uint32_t subnet;
        const char *expected;
    } rows[] = {
        {"2a00:1:2:3::/64", "::10", 0, "2a00:1:2:3::10"},
        {"2a00:1:2:3::/64", "2001:db8::10", 0, "2a00:1:2:3::10"}, /* what the prefix covers does not count */
        {"2a00:1:2::/48", "::7:0:0:0:10", 0, "2a00:1:2:7::10"},
        {"2a00:1:2:f0::/60", "::f:0:0:0:10", 0, "2a00:1:2:ff::10"},
        {"2a00:1:2:f0::/60", "::1f:0:0:0:10", 0, "2a00:1:2:ff::10"},
        {"2a00:1:2:3::80/121", "::ff", 0, "2a00:1:2:3::ff"},
        {"2a00:1:2:3::7/128", "::ff", 0, "2a00:1:2:3::7"},
        {"::/0", "2a00::1", 0, "2a00::1"},
        {"2a00:1:2::/48", "::10", 7, "2a00:1:2:7::10"},
        {"2a00:1:2::/48", "::10", 65535, "2a00:1:2:ffff::10"},
        {"2a00:1:2::/48", "::10", 65536, ""},
        {"2a00:1:2:f0::/60", "::10", 15, "2a00:1:2:ff::10"},
        {"2a00:1:2:f0::/60", "::10", 16, ""},
        {"2a00:1::/32", "::10", UINT32_MAX, "2a00:1:ffff:ffff::10"},
        {"2a00::/31", "::10", UINT32_MAX, "2a00:0:ffff:ffff::10"},
        {"2a00:1:2:3::/64", "::10", 1, ""},
        {"2a00:1:2:3::/65", "::10", 1, ""},
        {"", "::10", 0, ""},
        {"10.0.0.0/8", "::10", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct host_id id = of_suffix(rows[i].suffix, rows[i].subnet);
        assert_address(rows[i].prefix, &id, rows[i].expected);
    }
    const struct host_id none = {.subnet = 0};
    assert_address("2a00::/64", &none, "");
}

static void a_mac_address_makes_an_interface_id(void **state)
{
    (void)state;
    const struct {
        const char *mac, *prefix;
        uint32_t subnet;
        const char *expected;
    } rows[] = {
        {"34:56:78:9a:bc:de", "2a00::/64", 0, "2a00::3656:78ff:fe9a:bcde"}, /* RFC 4291 appendix A: the bit is turned */
        {"36-56-78-9A-BC-DE", "2a00::/64", 0, "2a00::3456:78ff:fe9a:bcde"},
        {"00:00:00:00:00:01", "2a00:1:2::/48", 3, "2a00:1:2:3:200:ff:fe00:1"},
        {"34:56:78:9a:bc:de", "2a00::/56", 256, ""},
        {"34:56:78:9a:bc:de", "2a00::/65", 0, ""}, /* 64 bits have no room: it would be another host's */
        {"34:56:78:9a:bc:de", "2a00::1/128", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host_id id = {.subnet = rows[i].subnet};
        assert_int_equal(host_id_of_mac(view_of(rows[i].mac), &id), ERR_OK);
        assert_address(rows[i].prefix, &id, rows[i].expected);
    }
}

static void what_is_no_mac_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "00:11:22:33:44",
                                      "00:11:22:33:44:5",
                                      "00:11:22:33:44:55:66",
                                      "00:11:22:33:44:5g",
                                      "00:11:22-33:44:55",
                                      "00 11 22 33 44 55",
                                      "001122334455",
                                      "0011.2233.4455xxx",
                                      "00:11:22:33:44:5 ",
                                      "::::::::::::::::::"};
    struct host_id id = {.subnet = 3};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(host_id_of_mac(view_of(bad[i]), &id), ERR_PARSE);
    }
    assert_int_equal(host_id_of_mac(view_of("01:00:5e:00:00:01"), &id), ERR_INVALID);
    assert_int_equal(host_id_of_mac(view_of("ff:ff:ff:ff:ff:ff"), &id), ERR_INVALID);
    assert_int_equal(host_id_of_mac(view_of("00:00:00:00:00:00"), &id), ERR_INVALID);
    assert_true(id.subnet == 3 && id.suffix.family == IP_NONE && !id.is_64); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suffix_fills_what_the_prefix_leaves),
        cmocka_unit_test(a_mac_address_makes_an_interface_id),
        cmocka_unit_test(what_is_no_mac_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
