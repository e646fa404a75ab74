/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/dnsecho.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dnsmaker.h"

static const uint8_t RANDOM[DNSQUERY_RANDOM_LEN] = {1, 2, 0xff, 0x0f, 0xf0, 0x33};

enum kind { ADDRESS, TEXT, SUBNET_AND_TEXT, TWO, NOTHING, STRANGER };

static struct dnsmaker make(const struct dnsquery *query, unsigned flags, enum kind kind, const char *value)
{
    struct dnsmaker maker = maker_answer(query, flags, DNS_RCODE_NOERROR);
    switch (kind) {
    case ADDRESS:
        maker_address(&maker, value);
        break;
    case SUBNET_AND_TEXT:
        maker_text(&maker, query->rrclass, "edns0-client-subnet 198.51.100.0/24");
        maker_text(&maker, query->rrclass, value);
        break;
    case TEXT:
        maker_text(&maker, query->rrclass, value);
        break;
    case TWO:
        maker_text(&maker, query->rrclass, value);
        maker_text(&maker, query->rrclass, "198.41.0.5");
        break;
    case STRANGER:
        maker_record(&maker, "\1x\0", 3, DNS_TYPE_A, DNS_CLASS_IN, "\xc6\x29\0\4", 4);
        break;
    case NOTHING:
        break;
    }
    return maker;
}

/* What the world answers, and what it is worth. */
static void answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *service;
        uint8_t family;
        unsigned flags;
        enum kind kind;
        const char *value;
        const char *refused; /* part of the detail; NULL: the value is the address */
    } cases[] = {
        {"opendns", IP_V4, MAKER_RA, ADDRESS, "198.41.0.4", NULL},
        {"opendns", IP_V6, MAKER_RA, ADDRESS, "2620:fe::9", NULL},
        {"google", IP_V4, MAKER_AA, TEXT, "198.41.0.4", NULL},
        {"google", IP_V6, MAKER_AA, TEXT, "2620:fe::9", NULL},
        {"google", IP_V4, MAKER_AA, SUBNET_AND_TEXT, "198.41.0.4", NULL},
        {"cloudflare", IP_V4, 0, TEXT, "198.41.0.4", NULL},
        {"akamai", IP_V4, MAKER_AA, ADDRESS, "198.41.0.4", NULL},
        /* a resolver in between, which has looked it up for itself */
        {"google", IP_V4, MAKER_RA, TEXT, "198.41.0.4", "without authority"},
        {"akamai", IP_V4, MAKER_RA, ADDRESS, "198.41.0.4", "without authority"},
        /* a router or a portal that answers everything with itself */
        {"opendns", IP_V4, MAKER_AA, ADDRESS, "192.168.1.1", "192.168.1.1 (private)"},
        {"opendns", IP_V4, MAKER_AA, ADDRESS, "100.64.1.2", "(cgnat)"},
        {"opendns", IP_V4, MAKER_AA, ADDRESS, "127.0.0.1", "(loopback)"},
        {"opendns", IP_V4, MAKER_AA, ADDRESS, "203.0.113.5", "(documentation)"},
        {"opendns", IP_V6, MAKER_AA, ADDRESS, "fd00::1", "intercepted"},
        {"opendns", IP_V6, MAKER_AA, ADDRESS, "::ffff:198.41.0.4", "intercepted"},
        {"opendns", IP_V6, MAKER_AA, ADDRESS, "64:ff9b::c629:4", "intercepted"},
        {"google", IP_V4, MAKER_AA, TEXT, "172.16.0.1", "intercepted"},
        /* of the wrong family, and what is no address */
        {"google", IP_V4, MAKER_AA, TEXT, "2620:fe::9", "not of the family"},
        {"google", IP_V6, MAKER_AA, TEXT, "198.41.0.4", "not of the family"},
        {"google", IP_V4, MAKER_AA, TEXT, "010.1.2.3", "which is no address"},
        {"google", IP_V4, MAKER_AA, TEXT, "198.41.0.4 and more", "which is no address"},
        {"google", IP_V6, MAKER_AA, TEXT, "fe80::1%eth0", "which is no address"},
        {"cloudflare", IP_V4, 0, TEXT, "\x1b[31m", "says \"?[31m\""},
        {"google", IP_V4, MAKER_AA, TWO, "198.41.0.4", "more than one address"},
        {"google", IP_V4, MAKER_AA, NOTHING, "", "knows no address of ours"},
        {"opendns", IP_V4, 0, STRANGER, "", "knows no address of ours"},
        {"opendns", IP_V4, 0, TEXT, "198.41.0.4", "knows no address of ours"}, /* not the type that was asked */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct dnsecho *echo = dnsecho_find(cases[i].service);
        struct source_answer answer = {.status = SOURCE_ANSWER_ABSENT};
        struct dnsquery query;
        char text[IP_TEXT_SIZE] = "";
        assert_int_equal(dnsecho_query(echo, cases[i].family, RANDOM, &query), ERR_OK);
        struct dnsmaker maker = make(&query, cases[i].flags, cases[i].kind, cases[i].value);
        enum dnsecho_verdict verdict =
            dnsecho_judge(echo, &query, maker_view(&maker), false, cases[i].family, "srv", &answer);
        (void)ip_format(&answer.ip, text);
        if (cases[i].refused == NULL) {
            assert_string_equal(text, cases[i].value);
            assert_int_equal(verdict, DNSECHO_ADDRESS);
            assert_int_equal(answer.status, SOURCE_ANSWER_ADDRESS);
            assert_non_null(strstr(answer.detail, cases[i].value));
        } else {
            assert_int_equal(verdict, DNSECHO_FAILED);
            assert_int_equal(answer.status, SOURCE_ANSWER_FAILED);
            assert_int_equal(answer.ip.family, IP_NONE);
            if (strstr(answer.detail, cases[i].refused) == NULL) {
                fail_msg("case %zu: %s", i, answer.detail);
            }
        }
    }
}

/* One byte of a good answer changed. */
static void answers_to_something_else_are_told_apart(void **state)
{
    (void)state;
    const struct dnsecho *echo = dnsecho_find("google");
    struct dnsquery query;
    assert_int_equal(dnsecho_query(echo, IP_V4, RANDOM, &query), ERR_OK);
    const struct dnsmaker good = make(&query, MAKER_AA, TEXT, "198.41.0.4");
    static const struct {
        size_t at;
        uint8_t flip;
        enum dnsecho_verdict by_udp, by_tcp;
        const char *detail;
    } cases[] = {
        {1, 1, DNSECHO_IGNORE, DNSECHO_FAILED, "malformed"},                           /* another id */
        {2, 0x80, DNSECHO_IGNORE, DNSECHO_FAILED, "malformed"},                        /* not an answer */
        {13, 0x20, DNSECHO_BY_TCP, DNSECHO_ADDRESS, "198.41.0.4"},                     /* a letter's case */
        {13, 0x01, DNSECHO_FAILED, DNSECHO_FAILED, "another question than was asked"}, /* another name */
        {2, 0x02, DNSECHO_BY_TCP, DNSECHO_FAILED, "cut off even by TCP"},              /* truncated */
        {3, 2, DNSECHO_FAILED, DNSECHO_FAILED, "SERVFAIL"},
        {3, 3, DNSECHO_FAILED, DNSECHO_FAILED, "NXDOMAIN: it does not know this service"},
        {3, 5, DNSECHO_FAILED, DNSECHO_FAILED, "REFUSED: it does not know this service"},
        {7, 3, DNSECHO_FAILED, DNSECHO_FAILED, "malformed"}, /* two answers announced, one there */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dnsmaker bad = good;
        struct source_answer answer = {0};
        bad.data[cases[i].at] ^= cases[i].flip;
        assert_int_equal(dnsecho_judge(echo, &query, maker_view(&bad), false, IP_V4, "srv", &answer), cases[i].by_udp);
        assert_int_equal(dnsecho_judge(echo, &query, maker_view(&bad), true, IP_V4, "srv", &answer), cases[i].by_tcp);
        assert_non_null(strstr(answer.detail, cases[i].detail));
    }
}

static void a_name_that_cannot_exist_has_no_address(void **state)
{
    (void)state;
    struct dnsquery query, other;
    struct source_answer answer = {0};
    dnsecho_canary(RANDOM, &query);
    assert_memory_equal(query.wire + query.len - 4 - 9, "\7", 1);
    struct dnsmaker nothing = maker_answer(&query, MAKER_RA, DNS_RCODE_NXDOMAIN);
    assert_int_equal(dnsecho_judge_canary(&query, maker_view(&nothing), "srv", &answer), DNSECHO_ADDRESS);
    struct dnsmaker refused = maker_answer(&query, 0, DNS_RCODE_REFUSED);
    assert_int_equal(dnsecho_judge_canary(&query, maker_view(&refused), "srv", &answer), DNSECHO_ADDRESS);
    struct dnsmaker portal = make(&query, MAKER_AA, ADDRESS, "198.41.0.4");
    assert_int_equal(dnsecho_judge_canary(&query, maker_view(&portal), "srv", &answer), DNSECHO_FAILED);
    assert_non_null(strstr(answer.detail, "intercepted"));
    assert_int_equal(answer.status, SOURCE_ANSWER_FAILED);
    portal.data[0] ^= 1;
    assert_int_equal(dnsecho_judge_canary(&query, maker_view(&portal), "srv", &answer), DNSECHO_IGNORE);
    uint8_t different[DNSQUERY_RANDOM_LEN];
    memset(different, 7, sizeof(different));
    dnsecho_canary(different, &other);
    assert_memory_not_equal(query.wire + 12, other.wire + 12, 16); /* never twice the same name */
}

static void families_that_a_service_does_not_tell_are_not_asked(void **state)
{
    (void)state;
    struct dnsquery query;
    struct dnsecho only6 = {.servers4 = {"a:53"}, .servers6 = {"a:53"}, .query = "a.b", .type = DNS_TYPE_AAAA};
    assert_int_equal(dnsecho_query(dnsecho_find("akamai"), IP_V6, RANDOM, &query), ERR_UNSUPPORTED);
    assert_int_equal(dnsecho_query(&only6, IP_V4, RANDOM, &query), ERR_UNSUPPORTED);
    assert_int_equal(dnsecho_query(&only6, IP_V6, RANDOM, &query), ERR_OK);
}

static void configs_are_judged_with_the_remedy(void **state)
{
    (void)state;
    static const struct {
        struct source_config config;
        const char *wrong; /* NULL: right */
    } cases[] = {
        {{.service = "opendns"}, NULL},
        {{.service = "google", .server = "192.0.2.1:53"}, NULL},
        {{.service = "openns"}, "none of opendns, google"},
        {{.service = "google", .query = "a.example"}, "has its own query"},
        {{.service = "google", .rrtype = "A"}, "has its own query"},
        {{.service = "google", .server = "192.0.2.1"}, "server: "},
        {{.server = "ns.example.net:53"}, "both server and query"},
        {{.query = "me.example.net"}, "both server and query"},
        {{.server = "ns.example.net:53", .query = "me.example.net"}, NULL},
        {{.server = "ns.example.net:53", .query = "me.example.net", .rrtype = "ch txt"}, NULL},
        {{.server = "ns.example.net:53", .query = "me..net"}, "query: "},
        {{.server = "ns.example.net:53", .query = "me.example.net", .rrtype = "MX"}, "none of A, AAAA"},
        {{.service = "opendns", .url = "https://a.example"}, "url"},
        {{.service = "opendns", .server2 = "a.example:53"}, "server2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_config config = cases[i].config;
        struct dnsecho echo;
        struct errinfo info = {0};
        config.type = "dns";
        enum err err = dnsecho_of_config(&config, &echo, &info);
        assert_int_equal(err, cases[i].wrong == NULL ? ERR_OK : ERR_INVALID);
        assert_true(cases[i].wrong == NULL || strstr(info.text, cases[i].wrong) != NULL);
    }
    struct source_config own = {.type = "dns", .server = "192.0.2.1:53", .query = "me.example.net"};
    struct dnsecho echo;
    assert_int_equal(dnsecho_of_config(&own, &echo, NULL), ERR_OK);
    assert_true(echo.authoritative); /* one's own server is the authority of its name */
    own.rrtype = "CH TXT";
    assert_int_equal(dnsecho_of_config(&own, &echo, NULL), ERR_OK);
    assert_false(echo.authoritative);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(answers_to_something_else_are_told_apart),
        cmocka_unit_test(a_name_that_cannot_exist_has_no_address),
        cmocka_unit_test(families_that_a_service_does_not_tell_are_not_asked),
        cmocka_unit_test(configs_are_judged_with_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
