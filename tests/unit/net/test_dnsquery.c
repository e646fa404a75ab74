/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dnsquery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dnsmaker.h"

static const uint8_t LOWER[DNSQUERY_RANDOM_LEN] = {0xab, 0xcd};
static const uint8_t MIXED[DNSQUERY_RANDOM_LEN] = {0xab, 0xcd, 0x55, 0x55, 0x55, 0x55};

static struct dnsquery query_of(const char *name, uint16_t type, uint16_t rrclass)
{
    struct dnsquery query;
    assert_int_equal(dnsquery_make(view_of(name), type, rrclass, false, LOWER, &query), ERR_OK);
    return query;
}

static void a_question_is_written_byte_by_byte(void **state)
{
    (void)state;
    static const char plain[] = "\xab\xcd\x01\0\0\1\0\0\0\0\0\0\6whoami\xa"
                                "cloudflare\0\0\x10\0\3";
    static const char mixed[] = "\xab\xcd\0\0\0\1\0\0\0\0\0\0\6wHoAmI\xa"
                                "ClOuDfLaRe\0\0\x10\0\3";
    struct dnsquery query;
    assert_int_equal(dnsquery_make(view_of("Whoami.Cloudflare."), DNS_TYPE_TXT, DNS_CLASS_CH, true, LOWER, &query),
                     ERR_OK);
    assert_int_equal(query.len, sizeof(plain) - 1);
    assert_memory_equal(query.wire, plain, query.len);
    assert_int_equal(dnsquery_make(view_of("whoami.cloudflare"), DNS_TYPE_TXT, DNS_CLASS_CH, false, MIXED, &query),
                     ERR_OK);
    assert_int_equal(query.len, sizeof(mixed) - 1);
    assert_memory_equal(query.wire, mixed, query.len);
    assert_int_equal(dnsquery_view(&query).len, query.len);
}

static void names_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct dnsquery query;
    char longest[DNSNAME_MAX + 2];
    for (size_t i = 0; i < sizeof(longest); i++) {
        longest[i] = i % 64 == 63 ? '.' : 'a';
    }
    longest[DNSNAME_MAX] = '\0'; /* 63.63.63.61 */
    assert_int_equal(dnsquery_make(view_of(longest), DNS_TYPE_A, DNS_CLASS_IN, false, MIXED, &query), ERR_OK);
    assert_int_equal(query.name_len, DNSQUERY_NAME_MAX);
    assert_int_equal(query.len, DNSQUERY_SIZE);
    longest[DNSNAME_MAX] = 'a';
    assert_int_equal(dnsquery_make(view_n(longest, DNSNAME_MAX + 1), 1, 1, false, MIXED, &query), ERR_LIMIT);
    assert_int_equal(dnsquery_make(view_of("a..b"), DNS_TYPE_A, DNS_CLASS_IN, false, MIXED, &query), ERR_INVALID);
    assert_int_equal(dnsquery_make(view_of(""), DNS_TYPE_A, DNS_CLASS_IN, false, MIXED, &query), ERR_INVALID);
}

static void an_answer_is_read(void **state)
{
    (void)state;
    struct dnsquery query = query_of("a.example", DNS_TYPE_A, DNS_CLASS_IN);
    struct dnsmaker maker = maker_answer(&query, MAKER_AA, DNS_RCODE_NOERROR);
    struct dnsreply reply;
    struct dnsrecord record;
    struct ip ip;
    char text[IP_TEXT_SIZE];
    maker_address(&maker, "198.41.0.4");
    maker_record(&maker, "\1b\xc0\x0e", 4, DNS_TYPE_AAAA, DNS_CLASS_IN, "0123456789abcdef", 16); /* b.example */
    maker_record(&maker, "\1A\7eXample\0", 11, DNS_TYPE_A, DNS_CLASS_IN, "abc", 3);
    assert_int_equal(dnsreply_open(&query, maker_view(&maker), &reply), ERR_OK);
    assert_int_equal(reply.question, DNSREPLY_SAME);
    assert_true(reply.authoritative && !reply.truncated && reply.rcode == 0 && reply.answers == 3);
    assert_int_equal(dnsreply_next(&reply, &query, &record), ERR_OK);
    assert_true(record.owned && record.type == DNS_TYPE_A && record.rrclass == DNS_CLASS_IN && record.ttl == 60);
    assert_int_equal(dnsrecord_address(&record, &ip), ERR_OK);
    (void)ip_format(&ip, text);
    assert_string_equal(text, "198.41.0.4");
    struct view view;
    assert_int_equal(dnsrecord_text(&record, &view), ERR_INVALID);
    assert_int_equal(dnsreply_next(&reply, &query, &record), ERR_OK);
    assert_true(!record.owned && record.type == DNS_TYPE_AAAA);
    assert_int_equal(dnsrecord_address(&record, &ip), ERR_OK);
    assert_int_equal(ip.family, IP_V6);
    assert_int_equal(dnsreply_next(&reply, &query, &record), ERR_OK);
    assert_true(record.owned);
    assert_int_equal(dnsrecord_address(&record, &ip), ERR_PARSE); /* of three bytes */
    assert_int_equal(dnsreply_next(&reply, &query, &record), ERR_NOTFOUND);
}

static void texts_are_one_string_or_said_not_to_be(void **state)
{
    (void)state;
    static const struct {
        struct view rdata;
        enum err err;
    } cases[] = {{VIEW_LITERAL("\5hello"), ERR_OK},     {VIEW_LITERAL("\0"), ERR_OK},
                 {VIEW_LITERAL(""), ERR_PARSE},         {VIEW_LITERAL("\6hello"), ERR_PARSE},
                 {VIEW_LITERAL("\4hello"), ERR_PARSE},  {VIEW_LITERAL("\2he\3llo"), ERR_LIMIT},
                 {VIEW_LITERAL("\5hello\0"), ERR_LIMIT}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dnsrecord record = {.type = DNS_TYPE_TXT, .rdata = cases[i].rdata};
        struct view text;
        struct ip ip;
        assert_int_equal(dnsrecord_text(&record, &text), cases[i].err);
        assert_int_equal(dnsrecord_address(&record, &ip), ERR_INVALID);
        assert_true(cases[i].err != ERR_OK || text.len + 1 == cases[i].rdata.len);
    }
}

static void what_is_no_answer_of_ours_is_told_apart(void **state)
{
    (void)state;
    struct dnsquery query = query_of("a.example", DNS_TYPE_A, DNS_CLASS_IN);
    const struct dnsmaker good = maker_answer(&query, 0, DNS_RCODE_NOERROR);
    static const struct {
        size_t at;
        uint8_t value;
        enum err err;
        enum dnsreply_question question;
    } cases[] = {
        {0, 0xaa, ERR_STATE, 0},                /* another id */
        {2, 0x00, ERR_STATE, 0},                /* a question itself */
        {2, 0xa8, ERR_STATE, 0},                /* an UPDATE's answer */
        {13, 'A', ERR_OK, DNSREPLY_OTHER_CASE}, /* A.example */
        {13, 'b', ERR_OK, DNSREPLY_OTHER},      /* b.example */
        {12, 2, ERR_PARSE, 0},                  /* a label that swallows the next one's length */
        {24, 28, ERR_OK, DNSREPLY_OTHER},       /* AAAA */
        {26, 3, ERR_OK, DNSREPLY_OTHER},        /* CH */
        {5, 0, ERR_OK, DNSREPLY_OTHER},         /* no question */
        {5, 2, ERR_OK, DNSREPLY_OTHER},         /* two */
        {12, 0x41, ERR_PARSE, 0},               /* a label of a kind that does not exist */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dnsmaker bad = good;
        struct dnsreply reply;
        bad.data[cases[i].at] = cases[i].value;
        assert_int_equal(dnsreply_open(&query, maker_view(&bad), &reply), cases[i].err);
        assert_true(cases[i].err != ERR_OK || reply.question == cases[i].question);
    }
}

/* Cut at each byte: never read past the end (memory of exactly that size), never an answer of a part. */
static void a_message_cut_anywhere_is_noticed(void **state)
{
    (void)state;
    struct dnsquery query = query_of("a.example", DNS_TYPE_TXT, DNS_CLASS_IN);
    struct dnsmaker maker = maker_answer(&query, 0, DNS_RCODE_NOERROR);
    maker_text(&maker, DNS_CLASS_IN, "198.41.0.4");
    for (size_t len = 0; len < maker.len; len++) {
        char *cut = malloc(len == 0 ? 1 : len);
        struct dnsreply reply;
        struct dnsrecord record;
        assert_non_null(cut);
        memcpy(cut, maker.data, len);
        enum err err = dnsreply_open(&query, view_n(cut, len), &reply);
        assert_int_equal(err, len < query.len ? ERR_PARSE : ERR_OK);
        assert_true(err != ERR_OK || dnsreply_next(&reply, &query, &record) == ERR_PARSE);
        free(cut);
    }
}

static void pointers_go_backwards_or_not_at_all(void **state)
{
    (void)state;
    struct dnsquery query = query_of("a.example", DNS_TYPE_A, DNS_CLASS_IN);
    static const struct {
        struct view owner;
        enum err err;
    } cases[] = {
        {VIEW_LITERAL("\xc0\x0c"), ERR_OK},       {VIEW_LITERAL("\1a\xc0\x0e"), ERR_OK},
        {VIEW_LITERAL("\xc0\x1b"), ERR_PARSE}, /* itself: the record begins at byte 27 */
        {VIEW_LITERAL("\xc0\x1c"), ERR_PARSE}, /* forwards */
        {VIEW_LITERAL("\xff\xff"), ERR_PARSE},    {VIEW_LITERAL("\x80\x0c"), ERR_PARSE},
        {VIEW_LITERAL("\1a\xc0\x1b"), ERR_PARSE}, /* a.a.a...: backwards, and longer than any name */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dnsmaker maker = maker_answer(&query, 0, DNS_RCODE_NOERROR);
        struct dnsreply reply;
        struct dnsrecord record;
        assert_int_equal(maker.len, 0x1b);
        maker_record(&maker, cases[i].owner.ptr, cases[i].owner.len, DNS_TYPE_A, DNS_CLASS_IN, "abcd", 4);
        assert_int_equal(dnsreply_open(&query, maker_view(&maker), &reply), ERR_OK);
        assert_int_equal(dnsreply_next(&reply, &query, &record), cases[i].err);
        assert_true(cases[i].err != ERR_OK || record.owned);
    }
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dns_rcode_name(DNS_RCODE_REFUSED), "REFUSED");
    assert_string_equal(dns_rcode_name(DNS_RCODE_NXDOMAIN), "NXDOMAIN");
    assert_string_equal(dns_rcode_name(15), "RCODE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_written_byte_by_byte),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(texts_are_one_string_or_said_not_to_be),
        cmocka_unit_test(what_is_no_answer_of_ours_is_told_apart),
        cmocka_unit_test(a_message_cut_anywhere_is_noticed),
        cmocka_unit_test(pointers_go_backwards_or_not_at_all),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
