/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/echobody.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DYNDNS(address)                                                                                                \
    "<html><head><title>Current IP Check</title></head><body>Current IP Address: " address "</body></html>"
#define TRACE(lines) "fl=22f16\nh=echo.test\n" lines "ts=1763826000.1\nvisit_scheme=https\nuag=muster/0.1.0\n"
#define PORTAL                                                                                                         \
    "<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>Your address 172.16.0.23 is not logged in yet. " \
    "Gateway 198.41.0.4, nginx/1.18.0.2</p></body></html>"

struct row {
    const char *format;
    uint8_t family;
    struct view body;
    const char *expected; /* NULL: refused */
};

static const struct row rows[] = {
    /* text: the whole trimmed body */
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4"), "198.41.0.4"},
    {"", IP_V4, VIEW_LITERAL(" \t198.41.0.4\r\n\r\n"), "198.41.0.4"},
    {"text", IP_V6, VIEW_LITERAL("2A00:0:0::0001\n"), "2a00::1"},
    {"text", IP_V4, VIEW_LITERAL("192.168.1.5"), "192.168.1.5"}, /* judged by its class elsewhere */
    {"text", IP_V4, VIEW_LITERAL("100.64.1.2"), "100.64.1.2"},
    {"text", IP_V4, VIEW_LITERAL(""), NULL},
    {"text", IP_V4, VIEW_LITERAL(" \r\n\t"), NULL},
    {"text", IP_V4, VIEW_LITERAL(PORTAL), NULL},
    {"text", IP_V4, VIEW_LITERAL("nginx/1.18.0.2"), NULL},
    {"text", IP_V4, VIEW_LITERAL("build 4.1.9.77\n198.41.0.4\n"), NULL},
    {"text", IP_V4, VIEW_LITERAL("4.1.9.77 198.41.0.4"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4\n198.41.0.4\n"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4, 198.41.0.5"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4:443"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4/32"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4."), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4 is your address"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.4\0"), NULL},
    {"text", IP_V4,
     VIEW_LITERAL("\xef\xbb\xbf"
                  "198.41.0.4"),
     NULL},
    {"text", IP_V4, VIEW_LITERAL("\"198.41.0.4\""), NULL},
    {"text", IP_V4, VIEW_LITERAL("010.1.2.3"), NULL}, /* octal 8.1.2.3 to inet_aton */
    {"text", IP_V4, VIEW_LITERAL("198.41.0.04"), NULL},
    {"text", IP_V4, VIEW_LITERAL("3324575748"), NULL},
    {"text", IP_V4, VIEW_LITERAL("0xc6.41.0.4"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.4"), NULL},
    {"text", IP_V4, VIEW_LITERAL("198.41.0.256"), NULL},
    {"text", IP_V4, VIEW_LITERAL("2a00::1"), NULL},
    {"text", IP_V6, VIEW_LITERAL("198.41.0.4"), NULL},
    {"text", IP_V6, VIEW_LITERAL("::ffff:198.41.0.4"), NULL},
    {"text", IP_V4, VIEW_LITERAL("::ffff:198.41.0.4"), NULL},
    {"text", IP_V6, VIEW_LITERAL("fe80::1%eth0"), NULL},
    {"text", IP_V6, VIEW_LITERAL("2a00::1%25eth0"), NULL},
    {"text", IP_V6, VIEW_LITERAL("[2a00::1]"), NULL},
    {"text", IP_V4, VIEW_LITERAL("\x1f\x8b\x08\0\0\0\0\0\0\x03\x33\xb4\xd4\x33\x31\xd4\x33\xd0\x33\x01\0"),
     NULL},                                                              /* gzip */
    {"text", IP_V4, VIEW_LITERAL("a\r\n198.41.0.4\r\n0\r\n\r\n"), NULL}, /* chunks that nobody took apart */
    /* trace */
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\n")), "198.41.0.4"},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\ngateway=off\nrbi=off\nkex=X25519\n")), "198.41.0.4"},
    {"trace", IP_V6, VIEW_LITERAL("h=ECHO.test\r\nip=2a00::1\r\nwarp=off\r\n"), "2a00::1"},
    {"trace", IP_V4, VIEW_LITERAL("ip=198.41.0.4\nwarp=off\n"), NULL},
    {"trace", IP_V4, VIEW_LITERAL("h=other.test\nip=198.41.0.4\nwarp=off\n"), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=on\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=plus\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\ngateway=on\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nip=198.41.0.5\nwarp=off\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\nh=echo.test\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4 \nwarp=off\n")), "198.41.0.4"},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=\nwarp=off\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4 x\nwarp=off\n")), NULL},
    {"trace", IP_V6, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\n")), NULL},
    {"trace", IP_V4, VIEW_LITERAL(TRACE("ip=198.41.0.4\nwarp=off\n") "<html>"), NULL},
    {"trace", IP_V4, VIEW_LITERAL(PORTAL), NULL},
    {"trace", IP_V4, VIEW_LITERAL("198.41.0.4"), NULL},
    {"trace", IP_V4, VIEW_LITERAL(""), NULL},
    /* json:ip */
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\"}"), "198.41.0.4"},
    {"json:ip", IP_V4, VIEW_LITERAL(" {\"via\": \"198.41.0.5\", \"ip\": \"198.41.0.4\", \"more\": {\"a\": [1]}}\n"),
     "198.41.0.4"},
    {"json:ip", IP_V6, VIEW_LITERAL("{\"ip\":\"2a00::1\"}"), "2a00::1"},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\",\"ip\":\"198.41.0.5\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4, 198.41.0.5\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":[\"198.41.0.4\",\"198.41.0.5\"]}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\" 198.41.0.4\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\\u0000\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"origin\":\"198.41.0.4\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"data\":{\"ip\":\"198.41.0.4\"}}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":3324575748}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":null}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("[\"198.41.0.4\"]"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("\"198.41.0.4\""), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("callback({\"ip\":\"198.41.0.4\"});"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\"} trailing"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\"}{\"ip\":\"198.41.0.5\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL("[[[[[[[[[[\"ip\"]]]]]]]]]]"), NULL},
    {"json:ip", IP_V6, VIEW_LITERAL("{\"ip\":\"198.41.0.4\"}"), NULL},
    {"json:ip", IP_V4, VIEW_LITERAL(PORTAL), NULL},
    {"text", IP_V4, VIEW_LITERAL("{\"ip\":\"198.41.0.4\"}"), NULL},
    /* dyndns: the fixed page */
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS("198.41.0.4") "\r\n"), "198.41.0.4"},
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS("198.41.0.4, 198.41.0.5")), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS(" 198.41.0.4")), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS("")), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS("2a00::1")), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL("Current IP Address: 198.41.0.4"), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL("<html><head><title>Current IP Check</title></head><body>Current IP Address: "),
     NULL},
    {"dyndns", IP_V4, VIEW_LITERAL(DYNDNS("198.41.0.4") DYNDNS("198.41.0.4")), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL(PORTAL), NULL},
    {"dyndns", IP_V4, VIEW_LITERAL("198.41.0.4"), NULL},
};

static void only_the_exact_form_is_an_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct echo_format format;
        struct errinfo info = {0};
        struct ip ip = {0};
        char text[IP_TEXT_SIZE];
        assert_int_equal(echo_format_parse(view_of(rows[i].format), &format, NULL), ERR_OK);
        enum err err = echo_body_parse(&format, view_of("echo.test"), rows[i].family, rows[i].body, &ip, &info);
        (void)ip_format(&ip, text);
        const char *expected = rows[i].expected != NULL ? rows[i].expected : "";
        if (strcmp(text, expected) != 0 || err != (rows[i].expected != NULL ? ERR_OK : ERR_PARSE)) {
            fail_msg("row %zu (%s): \"%.*s\" gave \"%s\" (%s)", i, rows[i].format, VIEW_ARG(rows[i].body), text,
                     info.text);
        }
        assert_true(err == ERR_OK || info.text[0] != '\0');
    }
}

static void what_is_said_of_a_body_is_printable_and_short(void **state)
{
    (void)state;
    struct echo_format format = {.form = ECHO_TEXT};
    struct errinfo info = {0};
    struct ip ip;
    assert_int_equal(echo_body_parse(&format, view_of("h"), IP_V4, VIEW_LITERAL("<\x1b[2J\n-\xff>"), &ip, &info),
                     ERR_PARSE);
    assert_string_equal(info.text, "not exactly one address: \"<?[2J?-?>\"");
    assert_int_equal(echo_body_parse(&format, view_of("h"), IP_V4, view_of(PORTAL), &ip, &info), ERR_PARSE);
    assert_string_equal(info.text, "not exactly one address: \"<!DOCTYPE html><html><head><title>Welcom\"");
    static char large[ECHO_BODY_MAX + 1];
    memset(large, ' ', sizeof(large));
    memcpy(large, "198.41.0.4", 10);
    assert_int_equal(echo_body_parse(&format, view_of("h"), IP_V4, view_n(large, ECHO_BODY_MAX), &ip, &info), ERR_OK);
    assert_int_equal(echo_body_parse(&format, view_of("h"), IP_V4, view_n(large, ECHO_BODY_MAX + 1), &ip, &info),
                     ERR_LIMIT);
}

static void formats_are_four(void **state)
{
    (void)state;
    static const char *const bad[] = {"html", "json", "json:", "Text", "trace ", "regex:.*"};
    struct echo_format format;
    char long_field[ECHO_FIELD_SIZE + 16];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(echo_format_parse(view_of(bad[i]), &format, NULL), ERR_INVALID);
    }
    memset(long_field, 'a', sizeof(long_field));
    memcpy(long_field, "json:", 5);
    assert_int_equal(echo_format_parse(view_n(long_field, 5 + ECHO_FIELD_SIZE - 1), &format, NULL), ERR_OK);
    assert_int_equal(echo_format_parse(view_n(long_field, 5 + ECHO_FIELD_SIZE), &format, NULL), ERR_INVALID);
    assert_int_equal(echo_format_parse(view_of("json:ip_addr"), &format, NULL), ERR_OK);
    assert_int_equal(format.form, ECHO_JSON);
    assert_string_equal(format.field, "ip_addr");
}

static void hosts_of_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host; /* NULL: refused */
    } urls[] = {
        {"https://api.ipify.org", "api.ipify.org"},
        {"https://www.cloudflare.com/cdn-cgi/trace", "www.cloudflare.com"},
        {"http://checkip.dyndns.com:80/", "checkip.dyndns.com"},
        {"https://echo.test?format=json", "echo.test"},
        {"https://echo.test#x@y", "echo.test"},
        {"https://[2a00::1]:8443/", "2a00::1"},
        {"https://192.0.2.1", "192.0.2.1"},
        {"https://[2a00::1", NULL},
        {"https://user:secret@echo.test/", NULL},
        {"https://echo.test\\@evil.test/", "echo.test"},
        {"https://", NULL},
        {"https:///path", NULL},
        {"https://:443/", NULL},
        {"ftp://echo.test/", NULL},
        {"file:///etc/passwd", NULL},
        {"echo.test", NULL},
        {"", NULL},
        {"https://echo test/", NULL},
        {"https://echo.test/\r\nHost: x", NULL},
        {"https://\xc3\xa9.test/", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        char host[ECHO_HOST_SIZE] = "";
        enum err err = echo_url_host(view_of(urls[i].url), host, NULL);
        assert_int_equal(err, urls[i].host != NULL ? ERR_OK : ERR_INVALID);
        assert_string_equal(host, urls[i].host != NULL ? urls[i].host : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_exact_form_is_an_address),
        cmocka_unit_test(what_is_said_of_a_body_is_printable_and_short),
        cmocka_unit_test(formats_are_four),
        cmocka_unit_test(hosts_of_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
