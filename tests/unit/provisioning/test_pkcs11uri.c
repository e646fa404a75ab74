/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pkcs11uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_all_of_it(void **state)
{
    (void)state;
    struct pkcs11_uri uri;
    assert_int_equal(
        pkcs11_uri_parse(view_of("pkcs11:token=my%20fleet;slot-id=7;object=ca%3b1;id=%01%00%ff;type=private"
                                 "?module-path=/usr/lib/a.so&pin-source=file:/etc/pin"),
                         &uri, NULL),
        ERR_OK);
    assert_string_equal(uri.token, "my fleet");
    assert_string_equal(uri.object, "ca;1");
    assert_int_equal(uri.id_len, 3);
    assert_memory_equal(uri.id, "\x01\x00\xff", 3);
    assert_true(uri.has_slot && uri.slot == 7);
    assert_string_equal(uri.module_path, "/usr/lib/a.so");
    assert_string_equal(uri.pin_source, "/etc/pin");
    assert_int_equal(pkcs11_uri_parse(view_of("pkcs11:slot-id=0;id=a?module-path=/m&pin-source=/p"), &uri, NULL),
                     ERR_OK);
    assert_string_equal(uri.pin_source, "/p");
    assert_true(uri.has_slot && uri.slot == 0 && uri.token[0] == '\0');
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } rows[] = {
        {"", ERR_PARSE, "not a pkcs11"},
        {"pkcs12:token=a", ERR_PARSE, "not a pkcs11"},
        {"pkcs11:", ERR_INVALID, "module-path"},
        {"pkcs11:token=a;object=b", ERR_INVALID, "module-path"},
        {"pkcs11:object=b?module-path=/m", ERR_INVALID, "no token"},
        {"pkcs11:token=a?module-path=/m", ERR_INVALID, "no object"},
        {"pkcs11:token=a;object=b?module-path=m.so", ERR_PARSE, "module-path"},
        {"pkcs11:token=a;token=a;object=b?module-path=/m", ERR_PARSE, "twice"},
        {"pkcs11:token=a;object=b;serial=1?module-path=/m", ERR_PARSE, "serial is not known"},
        {"pkcs11:token=a;object=b?module-path=/m&pin-value=1234", ERR_PARSE, "pin-source"},
        {"pkcs11:token=a;object=b;module-path=/m", ERR_PARSE, "not known"},
        {"pkcs11:token=%4;object=b?module-path=/m", ERR_PARSE, "token"},
        {"pkcs11:token=%zz;object=b?module-path=/m", ERR_PARSE, "token"},
        {"pkcs11:token=a%00b;object=b?module-path=/m", ERR_PARSE, "token"},
        {"pkcs11:token;object=b?module-path=/m", ERR_PARSE, "without"},
        {"pkcs11:token=a;object=b;type=public?module-path=/m", ERR_PARSE, "type"},
        {"pkcs11:slot-id=x;object=b?module-path=/m", ERR_PARSE, "slot-id"},
        {"pkcs11:token=a;;object=b?module-path=/m", ERR_PARSE, "without"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pkcs11_uri uri;
        struct errinfo info = {0};
        assert_int_equal(pkcs11_uri_parse(view_of(rows[i].text), &uri, &info), rows[i].err);
        assert_non_null(strstr(info.text, rows[i].says));
        assert_null(strstr(info.text, "1234")); /* a PIN does not get into messages */
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char text[1024];
    struct pkcs11_uri uri;
    for (size_t n = PKCS11_LABEL_MAX; n <= PKCS11_LABEL_MAX + 1; n++) {
        memset(text, 'a', sizeof(text));
        memcpy(text, "pkcs11:token=", 13);
        (void)snprintf(text + 13 + n, sizeof(text) - 13 - n, ";object=b?module-path=/m"); /* fits */
        assert_int_equal(pkcs11_uri_parse(view_of(text), &uri, NULL), n == PKCS11_LABEL_MAX ? ERR_OK : ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
