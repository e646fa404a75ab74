/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void round_trips_every_length(void **state)
{
    (void)state;
    char content[200];
    for (size_t i = 0; i < sizeof(content); i++) {
        content[i] = (char)(i * 7);
    }
    for (size_t len = 1; len <= sizeof(content); len++) {
        struct strbuf text;
        strbuf_init(&text, 4096);
        assert_int_equal(strbuf_adds(&text, "a comment before\n"), ERR_OK);
        assert_int_equal(pem_write(&text, PEM_CERTIFICATE, view_n(content, len)), ERR_OK);
        uint8_t der[sizeof(content)];
        size_t got = 0;
        assert_int_equal(pem_find(strbuf_view(&text), PEM_CERTIFICATE, der, sizeof(der), &got), ERR_OK);
        assert_int_equal(got, len);
        assert_memory_equal(der, content, len);
        assert_int_equal(pem_find(strbuf_view(&text), PEM_CERTIFICATE, der, len - 1, &got), ERR_LIMIT);
        assert_int_equal(pem_find(strbuf_view(&text), PEM_CRL, der, sizeof(der), &got), ERR_NOTFOUND);
        strbuf_deinit(&text);
    }
}

static void walks_through_blocks(void **state)
{
    (void)state;
    struct view rest = VIEW_LITERAL("-----BEGIN A-----\r\nZm9v\r\n-----END A-----\r\n"
                                    "text between\n"
                                    "-----BEGIN EC PRIVATE KEY-----\nYmFy\n-----END EC PRIVATE KEY-----");
    struct view label;
    uint8_t der[8];
    size_t len;
    assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &len), ERR_OK);
    assert_true(view_equals(label, "A"));
    assert_memory_equal(der, "foo", 3);
    assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &len), ERR_OK);
    assert_true(view_equals(label, PEM_SEC1));
    assert_memory_equal(der, "bar", 3);
    assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &len), ERR_NOTFOUND);
}

static void refuses_damaged_blocks(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "-----BEGIN A-----\n",
        "-----BEGIN A-----\nZm9v\n",
        "-----BEGIN A-----\n-----END A-----\n",
        "-----BEGIN A-----\nZm9v\n-----END B-----\n",
        "-----BEGIN A-----\nZm9\n-----END A-----\n",
        "-----BEGIN A-----\nZm 9v\n-----END A-----\n",
        "-----BEGIN A-----\n\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nZm9v\nZm9v\n-----END A-----\n", /* a short line that is not the last */
        "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nZm9v\n-----BEGIN A-----\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view rest = view_of(rows[i]);
        struct view label;
        uint8_t der[256];
        size_t len;
        if (pem_next(&rest, &label, der, sizeof(der), &len) != ERR_PARSE) {
            fail_msg("%s", rows[i]);
        }
    }
    static const char *const absent[] = {"", "text", "-----BEGIN -----\n", "-----BEGIN A----\n",
                                         " -----BEGIN A-----\n"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        struct view rest = view_of(absent[i]);
        struct view label;
        uint8_t der[256];
        size_t len;
        assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &len), ERR_NOTFOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips_every_length),
        cmocka_unit_test(walks_through_blocks),
        cmocka_unit_test(refuses_damaged_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
