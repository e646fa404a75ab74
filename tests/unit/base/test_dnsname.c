/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dnsname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define L10 "0123456789"
#define L63 L10 L10 L10 L10 L10 L10 "abc"
#define L61 L10 L10 L10 L10 L10 L10 "a"

static void judges_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err host;
        enum err record;
        const char *canonical;
    } rows[] = {
        {"Cam-1.Example.NET.", ERR_OK, ERR_OK, "cam-1.example.net"},
        {"a", ERR_OK, ERR_OK, "a"},
        {"1.example", ERR_OK, ERR_OK, "1.example"},
        {L63 ".example", ERR_OK, ERR_OK, L63 ".example"},
        {L63 "." L63 "." L63 "." L61, ERR_OK, ERR_OK, L63 "." L63 "." L63 "." L61},
        {L63 "." L63 "." L63 "." L61 ".", ERR_OK, ERR_OK, L63 "." L63 "." L63 "." L61},
        {"_acme-challenge.example.net", ERR_INVALID, ERR_OK, "_acme-challenge.example.net"},
        {"a._TCP.example.net", ERR_INVALID, ERR_OK, "a._tcp.example.net"},
        {"*.example.net", ERR_INVALID, ERR_OK, "*.example.net"},
        {"*", ERR_INVALID, ERR_OK, "*"},
        {"", ERR_INVALID, ERR_INVALID, NULL},
        {".", ERR_INVALID, ERR_INVALID, NULL},
        {"..", ERR_INVALID, ERR_INVALID, NULL},
        {"a..b", ERR_INVALID, ERR_INVALID, NULL},
        {".a", ERR_INVALID, ERR_INVALID, NULL},
        {"a..", ERR_INVALID, ERR_INVALID, NULL},
        {"-a.b", ERR_INVALID, ERR_INVALID, NULL},
        {"a-.b", ERR_INVALID, ERR_INVALID, NULL},
        {"a.*.b", ERR_INVALID, ERR_INVALID, NULL},
        {"a*.b", ERR_INVALID, ERR_INVALID, NULL},
        {"_", ERR_INVALID, ERR_INVALID, NULL},
        {"__a.b", ERR_INVALID, ERR_INVALID, NULL},
        {"a_b.c", ERR_INVALID, ERR_INVALID, NULL},
        {"_-a.b", ERR_INVALID, ERR_INVALID, NULL},
        {"a b.c", ERR_INVALID, ERR_INVALID, NULL},
        {"a\tb.c", ERR_INVALID, ERR_INVALID, NULL},
        {"b\xc3\xbc"
         "cher.example",
         ERR_INVALID, ERR_INVALID, NULL},
        {"a\\046b.c", ERR_INVALID, ERR_INVALID, NULL},
        {L63 "d.example", ERR_LIMIT, ERR_LIMIT, NULL},
        {L63 "." L63 "." L63 "." L61 "b", ERR_LIMIT, ERR_LIMIT, NULL},
        {"192.0.2.1", ERR_INVALID, ERR_OK, "192.0.2.1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int kind = DNSNAME_HOST; kind <= DNSNAME_RECORD; kind++) {
            enum err want = kind == DNSNAME_HOST ? rows[i].host : rows[i].record;
            char name[DNSNAME_SIZE] = "untouched";
            struct errinfo info = {0};
            enum err err = dnsname_parse(view_of(rows[i].text), (enum dnsname_kind)kind, name, &info);
            if (err != want) {
                fail_msg("\"%s\" kind %d: %s", rows[i].text, kind, err_name(err));
            }
            assert_string_equal(name, want == ERR_OK ? rows[i].canonical : "untouched");
            assert_int_equal(info.err, want);
            assert_int_equal(info.text[0] != '\0', want != ERR_OK);
        }
    }
    char name[DNSNAME_SIZE];
    assert_int_equal(dnsname_parse(view_n("a\0b.c", 5), DNSNAME_RECORD, name, NULL), ERR_INVALID);
}

static void error_names_the_label_in_printable_text(void **state)
{
    (void)state;
    char name[DNSNAME_SIZE];
    struct errinfo info = {0};
    assert_int_equal(dnsname_parse(view_of("good.b\x1b[0m.example"), DNSNAME_HOST, name, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "\"b?[0m\""));
}

static void zones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *zone;
        bool inside;
        const char *relative;
    } rows[] = {
        {"a.example.net", "example.net", true, "a"},
        {"a.b.example.net", "example.net", true, "a.b"},
        {"example.net", "example.net", true, ""},
        {"badexample.net", "example.net", false, NULL},
        {"example.net", "a.example.net", false, NULL},
        {"example.org", "example.net", false, NULL},
        {"net", "example.net", false, NULL},
        {"", "example.net", false, NULL},
        {"example.net", "", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view name = view_of(rows[i].name);
        struct view zone = view_of(rows[i].zone);
        assert_int_equal(dnsname_in_zone(name, zone), rows[i].inside);
        if (rows[i].inside) {
            assert_true(view_equals(dnsname_relative(name, zone), rows[i].relative));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_names),
        cmocka_unit_test(error_names_the_label_in_printable_text),
        cmocka_unit_test(zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
