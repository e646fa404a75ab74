/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ip parse(const char *text)
{
    struct ip ip = {0};
    if (ip_parse(view_of(text), &ip) != ERR_OK) {
        fail_msg("\"%s\" does not parse", text);
    }
    return ip;
}

static void parses_and_formats_canonically(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *canonical;
    } rows[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"9.10.99.100", "9.10.99.100"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::A", "2001:db8::a"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"0:0:1:0:0:0:0:0", "0:0:1::"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"::FFFF:c000:201", "::ffff:192.0.2.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"abcd:abcd:abcd:abcd:abcd:abcd:255.255.255.255", "abcd:abcd:abcd:abcd:abcd:abcd:ffff:ffff"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[IP_TEXT_SIZE];
        struct ip ip = parse(rows[i].text);
        assert_int_equal(ip_format(&ip, text), strlen(rows[i].canonical));
        assert_string_equal(text, rows[i].canonical);
        struct ip again = parse(text);
        assert_true(ip_equal(&ip, &again));
    }
}

static void refuses_all_other_text(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4.",
        ".1.2.3.4",
        "1..3.4",
        "010.1.2.3", /* octal to inet_aton */
        "1.2.3.00",
        "0x7f.0.0.1",
        "1.2.3.256",
        "1.2.3.1000",
        "1.2.3.-4",
        "1.2.3.+4",
        "2130706433",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4\n",
        "1.2.3.4<br>",
        "192.0.2.1:80",
        "192.0.2.0/24",
        "1.18.0",
        "<html>4.1.9.77</html>",
        ":",
        ":::",
        "1:",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2:3:4:5:6:7:8", /* "::" stands for nothing */
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "1::2::3",
        "1:::2",
        "12345::",
        "g::",
        "::1%eth0",
        "fe80::1%1",
        "[::1]",
        "::1.2.3",
        "::1.2.3.4:5",
        "::01.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::",
        "::ffff:1.2.3.4.5",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = {.family = 99};
        if (ip_parse(view_of(rows[i]), &ip) != ERR_PARSE) {
            fail_msg("\"%s\" parses", rows[i]);
        }
        assert_int_equal(ip.family, 99);
    }
    struct ip ip;
    assert_int_equal(ip_parse(view_n("1.2.3.4\0", 8), &ip), ERR_PARSE);
    assert_int_equal(ip_parse(view_n(NULL, 0), &ip), ERR_PARSE);
}

/** First and last address of every block, then its neighbours outside. */
static void every_block_ends_where_the_registry_says(void **state)
{
    (void)state;
    static const struct {
        enum ip_class ip_class;
        const char *first;
        const char *last;
        enum ip_class before_class;
        const char *before;
        enum ip_class after_class;
        const char *after;
    } rows[] = {
        {IP_CLASS_THIS_NETWORK, "0.0.0.1", "0.255.255.255", IP_CLASS_UNSPECIFIED, "0.0.0.0", 0, "1.0.0.0"},
        {IP_CLASS_PRIVATE, "10.0.0.0", "10.255.255.255", 0, "9.255.255.255", 0, "11.0.0.0"},
        {IP_CLASS_CGNAT, "100.64.0.0", "100.127.255.255", 0, "100.63.255.255", 0, "100.128.0.0"},
        {IP_CLASS_LOOPBACK, "127.0.0.0", "127.255.255.255", 0, "126.255.255.255", 0, "128.0.0.0"},
        {IP_CLASS_LINK_LOCAL, "169.254.0.0", "169.254.255.255", 0, "169.253.255.255", 0, "169.255.0.0"},
        {IP_CLASS_PRIVATE, "172.16.0.0", "172.31.255.255", 0, "172.15.255.255", 0, "172.32.0.0"},
        {IP_CLASS_PROTOCOL, "192.0.0.0", "192.0.0.255", 0, "191.255.255.255", 0, "192.0.1.0"},
        {IP_CLASS_PROTOCOL, "192.0.0.170", "192.0.0.171", IP_CLASS_PROTOCOL, "192.0.0.169", 0, "192.0.1.0"},
        {IP_CLASS_DOCUMENTATION, "192.0.2.0", "192.0.2.255", 0, "192.0.1.255", 0, "192.0.3.0"},
        {IP_CLASS_TRANSLATION, "192.88.99.0", "192.88.99.255", 0, "192.88.98.255", 0, "192.88.100.0"},
        {IP_CLASS_PRIVATE, "192.168.0.0", "192.168.255.255", 0, "192.167.255.255", 0, "192.169.0.0"},
        {IP_CLASS_BENCHMARKING, "198.18.0.0", "198.19.255.255", 0, "198.17.255.255", 0, "198.20.0.0"},
        {IP_CLASS_DOCUMENTATION, "198.51.100.0", "198.51.100.255", 0, "198.51.99.255", 0, "198.51.101.0"},
        {IP_CLASS_DOCUMENTATION, "203.0.113.0", "203.0.113.255", 0, "203.0.112.255", 0, "203.0.114.0"},
        {IP_CLASS_MULTICAST, "224.0.0.0", "239.255.255.255", 0, "223.255.255.255", IP_CLASS_RESERVED, "240.0.0.0"},
        {IP_CLASS_RESERVED, "240.0.0.0", "255.255.255.254", IP_CLASS_MULTICAST, "239.255.255.255", IP_CLASS_BROADCAST,
         "255.255.255.255"},
        {IP_CLASS_RESERVED, "::2", "::fffe:ffff:ffff", IP_CLASS_LOOPBACK, "::1", IP_CLASS_TRANSLATION,
         "::ffff:0.0.0.0"},
        {IP_CLASS_TRANSLATION, "::ffff:0.0.0.0", "::ffff:255.255.255.255", IP_CLASS_RESERVED, "::fffe:ffff:ffff",
         IP_CLASS_RESERVED, "::1:0:0:0"},
        {IP_CLASS_TRANSLATION, "64:ff9b::", "64:ff9b::ffff:ffff", IP_CLASS_RESERVED,
         "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED, "64:ff9b::1:0:0"},
        {IP_CLASS_TRANSLATION, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED, "64:ff9b:2::"},
        {IP_CLASS_DISCARD, "100::", "100::ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL, "100:0:0:1::"},
        {IP_CLASS_PROTOCOL, "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", IP_CLASS_DISCARD, "100::ffff:ffff:ffff:ffff",
         IP_CLASS_RESERVED, "100:0:0:2::"},
        {IP_CLASS_TRANSLATION, "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", 0,
         "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL, "2001:1::"},
        {IP_CLASS_PROTOCOL, "2001:1::1", "2001:1::3", IP_CLASS_PROTOCOL, "2001:1::", IP_CLASS_PROTOCOL, "2001:1::4"},
        {IP_CLASS_BENCHMARKING, "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL,
         "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL, "2001:2:1::"},
        {IP_CLASS_PROTOCOL, "2001:3::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL,
         "2001:2:ffff:ffff:ffff:ffff:ffff:ffff", 0, "2001:200::"},
        {IP_CLASS_PROTOCOL, "2001:4:112::", "2001:20::", IP_CLASS_PROTOCOL, "2001:1f::", IP_CLASS_PROTOCOL,
         "2001:30::"},
        {IP_CLASS_DOCUMENTATION, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 0,
         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 0, "2001:db9::"},
        {IP_CLASS_TRANSLATION, "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0,
         "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, "2003::"},
        {IP_CLASS_DOCUMENTATION, "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", 0,
         "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, "3fff:1000::"},
        {IP_CLASS_PUBLIC, "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", 0, "2620:4f:7fff::", 0,
         "2620:4f:8001::"},
        {IP_CLASS_RESERVED, "4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0,
         "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_PROTOCOL, "5f00::"},
        {IP_CLASS_PROTOCOL, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED, "5f01::"},
        {IP_CLASS_UNIQUE_LOCAL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED, "fe00::"},
        {IP_CLASS_LINK_LOCAL, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED, "fec0::"},
        {IP_CLASS_MULTICAST, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_RESERVED,
         "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IP_CLASS_UNSPECIFIED, "::"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct {
            const char *text;
            enum ip_class ip_class;
        } probes[] = {
            {rows[i].first, rows[i].ip_class},
            {rows[i].last, rows[i].ip_class},
            {rows[i].before, rows[i].before_class},
            {rows[i].after, rows[i].after_class},
        };
        for (size_t k = 0; k < ARRAY_LEN(probes); k++) {
            struct ip ip = parse(probes[k].text);
            if (ip_classify(&ip) != probes[k].ip_class) {
                fail_msg("%s is %s, not %s", probes[k].text, ip_class_name(ip_classify(&ip)),
                         ip_class_name(probes[k].ip_class));
            }
            assert_int_equal(ip_is_public(&ip), probes[k].ip_class == IP_CLASS_PUBLIC);
        }
    }
}

static void single_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ip_class ip_class;
    } rows[] = {
        /* what dynamic DNS clients were seen to publish by mistake */
        {"100.64.1.2", IP_CLASS_CGNAT},
        {"192.168.1.5", IP_CLASS_PRIVATE},
        {"172.16.0.1", IP_CLASS_PRIVATE},
        {"203.0.113.5", IP_CLASS_DOCUMENTATION},
        {"::", IP_CLASS_UNSPECIFIED},
        {"::1", IP_CLASS_LOOPBACK},
        {"::192.0.2.1", IP_CLASS_RESERVED},
        {"fd12:3456:789a::1", IP_CLASS_UNIQUE_LOCAL},
        /* addresses of the ordinary internet */
        {"1.1.1.1", IP_CLASS_PUBLIC},
        {"8.8.8.8", IP_CLASS_PUBLIC},
        {"9.9.9.9", IP_CLASS_PUBLIC},
        {"93.184.216.34", IP_CLASS_PUBLIC},
        {"192.31.196.1", IP_CLASS_PUBLIC},
        {"192.52.193.1", IP_CLASS_PUBLIC},
        {"192.175.48.1", IP_CLASS_PUBLIC},
        {"223.255.255.255", IP_CLASS_PUBLIC},
        {"2001:4860:4860::8888", IP_CLASS_PUBLIC},
        {"2003:e1:ff00::1", IP_CLASS_PUBLIC},
        {"2606:4700:4700::1111", IP_CLASS_PUBLIC},
        {"2a02:8071::1", IP_CLASS_PUBLIC},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = parse(rows[i].text);
        if (ip_classify(&ip) != rows[i].ip_class) {
            fail_msg("%s is %s", rows[i].text, ip_class_name(ip_classify(&ip)));
        }
    }
    struct ip none = {0};
    char text[IP_TEXT_SIZE] = "x";
    assert_false(ip_is_public(&none));
    assert_int_equal(ip_format(&none, text), 0);
    assert_string_equal(text, "");
}

static void class_names_differ(void **state)
{
    (void)state;
    for (int a = IP_CLASS_PUBLIC; a <= IP_CLASS_RESERVED; a++) {
        assert_non_null(ip_class_name((enum ip_class)a));
        for (int b = IP_CLASS_PUBLIC; b < a; b++) {
            assert_string_not_equal(ip_class_name((enum ip_class)a), ip_class_name((enum ip_class)b));
        }
    }
}

static void orders_and_unmaps(void **state)
{
    (void)state;
    struct ip a = parse("192.0.2.1");
    struct ip b = parse("192.0.2.2");
    struct ip c = parse("::1");
    assert_int_equal(ip_compare(&a, &b), -1);
    assert_int_equal(ip_compare(&b, &a), 1);
    assert_int_equal(ip_compare(&b, &c), -1);
    assert_int_equal(ip_compare(&c, &c), 0);
    struct ip mapped = ip_unmap(parse("::ffff:192.0.2.1"));
    assert_true(ip_equal(&mapped, &a));
    struct ip same = ip_unmap(c);
    assert_true(ip_equal(&same, &c));
}

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"0.0.0.0/0", ERR_OK},
        {"192.0.2.0/24", ERR_OK},
        {"192.0.2.1/32", ERR_OK},
        {"192.0.2.128/25", ERR_OK},
        {"::/0", ERR_OK},
        {"2001:db8::/33", ERR_OK},
        {"2001:db8::1/128", ERR_OK},
        {"192.0.2.1/24", ERR_INVALID},
        {"192.0.2.64/25", ERR_INVALID},
        {"2001:db8::1/64", ERR_INVALID},
        {"192.0.2.0/33", ERR_RANGE},
        {"2001:db8::/129", ERR_RANGE},
        {"192.0.2.0", ERR_PARSE},
        {"192.0.2.0/", ERR_PARSE},
        {"192.0.2.0/024", ERR_PARSE},
        {"192.0.2.0/24/24", ERR_PARSE},
        {"/24", ERR_PARSE},
        {"", ERR_PARSE},
        {"192.0.2/24", ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_prefix prefix;
        enum err err = ip_prefix_parse(view_of(rows[i].text), &prefix);
        if (err != rows[i].err) {
            fail_msg("%s: %s", rows[i].text, err_name(err));
        }
        if (err == ERR_OK) {
            char text[IP_PREFIX_TEXT_SIZE];
            assert_int_equal(ip_prefix_format(&prefix, text), strlen(rows[i].text));
            assert_string_equal(text, rows[i].text);
        }
    }
}

static void prefix_holds_its_addresses_only(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        const char *ip;
        bool inside;
    } rows[] = {
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.255", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.3.128", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"192.0.2.1/32", "192.0.2.0", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::/0", "192.0.2.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_prefix prefix;
        assert_int_equal(ip_prefix_parse(view_of(rows[i].prefix), &prefix), ERR_OK);
        struct ip ip = parse(rows[i].ip);
        if (ip_prefix_contains(&prefix, &ip) != rows[i].inside) {
            fail_msg("%s in %s", rows[i].ip, rows[i].prefix);
        }
        struct ip_prefix other = prefix;
        assert_true(ip_prefix_equal(&prefix, &other));
        other.len++;
        assert_false(ip_prefix_equal(&prefix, &other));
        other.len = prefix.len;
        other.ip.bytes[0] ^= 1;
        assert_false(ip_prefix_equal(&prefix, &other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats_canonically),
        cmocka_unit_test(refuses_all_other_text),
        cmocka_unit_test(every_block_ends_where_the_registry_says),
        cmocka_unit_test(single_addresses),
        cmocka_unit_test(class_names_differ),
        cmocka_unit_test(orders_and_unmaps),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(prefix_holds_its_addresses_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
