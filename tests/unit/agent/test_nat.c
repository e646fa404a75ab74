/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/nat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static struct ip ip_of(const char *text)
{
    struct ip ip = {.family = IP_NONE};
    if (text[0] != '\0') {
        assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    }
    return ip;
}

static void classifies_by_the_table(void **state)
{
    (void)state;
    const struct {
        const char *own, *router, *seen;
        bool port_control, clat, has_ip6;
        enum nat_class expected;
    } rows[] = {
        {"", "", "", false, false, true, NAT_UNKNOWN},
        {"", "", "93.184.216.34", false, false, false, NAT_UNKNOWN},
        {"2606:4700::1", "", "93.184.216.34", false, false, true, NAT_UNKNOWN}, /* an IPv6 address is not its IPv4 */
        {"93.184.216.34", "", "", false, false, false, NAT_PUBLIC},
        {"93.184.216.34", "", "93.184.216.34", false, false, true, NAT_PUBLIC},
        {"93.184.216.34", "", "192.168.1.1", false, false, false, NAT_PUBLIC}, /* a broker on the LAN side */
        {"93.184.216.34", "93.184.216.1", "93.184.216.34", true, false, false, NAT_PUBLIC},
        {"192.0.0.2", "", "93.184.216.34", false, false, true, NAT_DSLITE},
        {"192.0.0.7", "", "", false, false, true, NAT_DSLITE},
        {"192.0.0.2", "", "93.184.216.34", false, false, false, NAT_CGNAT},
        {"192.0.0.8", "", "93.184.216.34", false, false, true, NAT_NAT}, /* past the /29 */
        {"192.0.0.4", "", "93.184.216.34", false, true, true, NAT_464XLAT},
        {"10.1.2.3", "", "93.184.216.34", false, true, false, NAT_464XLAT},
        {"100.64.0.1", "", "", false, false, false, NAT_CGNAT},
        {"100.127.255.255", "", "93.184.216.34", false, false, true, NAT_CGNAT},
        {"100.128.0.0", "", "", false, false, true, NAT_PUBLIC}, /* past the /10 */
        {"100.64.0.1", "93.184.216.34", "93.184.216.34", false, false, false, NAT_CGNAT},
        {"100.64.0.1", "93.184.216.34", "93.184.216.34", true, false, false, NAT_PORT_CONTROL},
        {"192.168.1.9", "100.64.0.1", "93.184.216.34", true, false, false, NAT_CGNAT},
        {"192.168.1.9", "100.64.0.1", "", false, false, false, NAT_CGNAT},
        {"192.168.1.9", "10.0.0.2", "93.184.216.34", true, false, false, NAT_DOUBLE},
        {"192.168.1.9", "172.16.0.2", "", false, false, false, NAT_DOUBLE},
        {"192.168.1.9", "192.0.0.2", "93.184.216.34", true, false, true, NAT_DSLITE},
        {"192.168.1.9", "93.184.216.34", "93.184.216.34", true, false, false, NAT_PORT_CONTROL},
        {"192.168.1.9", "93.184.216.34", "", true, false, false, NAT_PORT_CONTROL},
        {"192.168.1.9", "93.184.216.34", "93.184.216.34", false, false, false, NAT_NAT},
        {"192.168.1.9", "93.184.216.34", "151.101.1.1", true, false, false, NAT_CGNAT},
        {"192.168.1.9", "0.0.0.0", "93.184.216.34", true, false, false, NAT_NAT}, /* a router whose line is down */
        {"192.168.1.9", "", "93.184.216.34", false, false, false, NAT_NAT},
        {"169.254.7.7", "", "93.184.216.34", false, false, false, NAT_NAT},
        {"192.168.1.9", "", "", false, false, true, NAT_UNKNOWN},
        {"192.168.1.9", "", "192.168.1.9", false, false, true, NAT_UNKNOWN},
        {"192.168.1.9", "", "100.64.3.3", false, false, true, NAT_UNKNOWN},
        {"93.184.216.34", "", "151.101.1.1", false, false, false, NAT_TUNNEL},
        {"93.184.216.34", "151.101.1.1", "151.101.1.1", true, false, false, NAT_PORT_CONTROL}, /* public LAN numbers */
        {"93.184.216.34", "100.64.0.1", "151.101.1.1", true, false, false, NAT_CGNAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct nat_input input = {.own = ip_of(rows[i].own),
                                        .router = ip_of(rows[i].router),
                                        .seen = ip_of(rows[i].seen),
                                        .port_control = rows[i].port_control,
                                        .clat = rows[i].clat,
                                        .has_ip6 = rows[i].has_ip6};
        enum nat_class nat = nat_classify(&input);
        if (nat != rows[i].expected) {
            fail_msg("own %s router %s seen %s: %s, not %s", rows[i].own, rows[i].router, rows[i].seen,
                     nat_class_name(nat), nat_class_name(rows[i].expected));
        }
    }
}

static void a_router_without_a_public_address_has_another_nat_behind_it(void **state)
{
    (void)state;
    const struct {
        const char *own, *router, *seen;
        enum nat_class expected;
    } rows[] = {
        {"192.168.1.9", "", "93.184.216.34", NAT_DOUBLE},
        {"192.168.1.9", "", "", NAT_DOUBLE},
        {"192.168.1.9", "0.0.0.0", "93.184.216.34", NAT_DOUBLE},
        {"192.168.1.9", "100.64.0.1", "", NAT_CGNAT},               /* another source knows more */
        {"192.168.1.9", "93.184.216.34", "93.184.216.34", NAT_NAT}, /* and here, that it has one */
        {"93.184.216.34", "", "93.184.216.34", NAT_PUBLIC},
        {"100.64.0.1", "", "93.184.216.34", NAT_CGNAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct nat_input input = {.own = ip_of(rows[i].own),
                                        .router = ip_of(rows[i].router),
                                        .seen = ip_of(rows[i].seen),
                                        .no_outside = true};
        assert_int_equal(nat_classify(&input), rows[i].expected);
    }
}

static void every_class_says_what_comes_in(void **state)
{
    (void)state;
    static const char *const expected[NAT_CLASSES] = {
        [NAT_UNKNOWN] = "unproven",      [NAT_PUBLIC] = "open",  [NAT_NAT] = "unproven",
        [NAT_PORT_CONTROL] = "possible", [NAT_DOUBLE] = "none",  [NAT_CGNAT] = "none",
        [NAT_DSLITE] = "none",           [NAT_464XLAT] = "none", [NAT_TUNNEL] = "unproven",
    };
    for (int nat = 0; nat < NAT_CLASSES; nat++) {
        assert_string_equal(nat_inbound_name(nat_inbound((enum nat_class)nat)), expected[nat]);
    }
}

/* No combination of special addresses is ever called reachable. */
static void nothing_but_public_addresses_is_reachable(void **state)
{
    (void)state;
    static const char *const special[] = {
        "",          "0.0.0.0",        "10.0.0.1",    "100.64.0.1", "127.0.0.1",    "169.254.1.1", "172.16.0.1",
        "192.0.0.1", "192.0.2.1",      "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255"};
    for (size_t own = 0; own < ARRAY_LEN(special); own++) {
        for (size_t router = 0; router < ARRAY_LEN(special); router++) {
            for (size_t seen = 0; seen < ARRAY_LEN(special); seen++) {
                const struct nat_input input = {.own = ip_of(special[own]),
                                                .router = ip_of(special[router]),
                                                .seen = ip_of(special[seen]),
                                                .port_control = true};
                enum nat_inbound inbound = nat_inbound(nat_classify(&input));
                assert_true(inbound == NAT_INBOUND_UNPROVEN || inbound == NAT_INBOUND_NONE);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classifies_by_the_table),
        cmocka_unit_test(a_router_without_a_public_address_has_another_nat_behind_it),
        cmocka_unit_test(every_class_says_what_comes_in),
        cmocka_unit_test(nothing_but_public_addresses_is_reachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
