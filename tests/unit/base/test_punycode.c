/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of RFC 3492 7.1 (upper case is lowered, as names are), and what is no name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/punycode.h"

static void labels_are_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"cam.example.net", "cam.example.net"},
        {"Cam.example.net.", "cam.example.net"},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"*.m\xc3\xbcnchen.example.", "*.xn--mnchen-3ya.example"},
        {"\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87",
         "xn--ihqwcrb4cv8a8dqg056pqjye"}, /* (B) */
        {"Pro\xc4\x8dprost\xc4\x9bnemluv\xc3\xad\xc4\x8d"
         "esky",
         "xn--proprostnemluvesky-uyb24dma41a"}, /* (D) */
        {"3\xe5\xb9\xb4"
         "B\xe7\xb5\x84\xe9\x87\x91\xe5\x85\xab\xe5\x85\x88\xe7\x94\x9f",
         "xn--3b-ww4c5e180e575a65lsy2b"}, /* (L) */
        {"a.\xf0\x9f\x92\xa9.example", "a.xn--ls8h.example"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[DNSNAME_SIZE];
        assert_int_equal(punycode_parse(view_of(rows[i].text), DNSNAME_RECORD, name), ERR_OK);
        assert_string_equal(name, rows[i].name);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "\xc3.example",             /* cut off */
        "\xc3",                     /* at the end */
        "\xc0\xaf.example",         /* overlong */
        "\xe0\x80\xaf.example",     /* overlong */
        "\xed\xa0\x80.example",     /* a surrogate */
        "\xf4\x90\x80\x80.example", /* beyond Unicode */
        "\xff.example",
        "\x80.example",
        "\xc3\xbc..example",
        "\xc3\xbc b.example",
    };
    char name[DNSNAME_SIZE] = "untouched", text[4 * DNSNAME_SIZE] = "";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_not_equal(punycode_parse(view_of(rows[i]), DNSNAME_RECORD, name), ERR_OK);
    }
    for (size_t i = 0; i < 62; i++) { /* 62 of them do not fit a label, and so do not 128 labels of one */
        memcpy(text + 3 * i, "\xe4\xbb\x96", 4);
    }
    assert_int_not_equal(punycode_parse(view_of(text), DNSNAME_RECORD, name), ERR_OK);
    for (size_t i = 0; i < 128; i++) {
        memcpy(text + 3 * i, "\xc3\xbc.", 4);
    }
    assert_int_not_equal(punycode_parse(view_of(text), DNSNAME_RECORD, name), ERR_OK);
    assert_string_equal(name, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_encoded),
        cmocka_unit_test(what_is_no_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
