/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ownercode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void known_codes(void **state)
{
    (void)state;
    static const struct {
        struct ownercode code;
        const char *text;
    } rows[] = {
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, "0000-0000-0000-0000-0"},
        {{{0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf}}, "0123-4567-89AB-CDEF-8"},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, "0000-0000-0000-0001-Y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[OWNERCODE_SIZE];
        struct ownercode code;
        ownercode_write(&rows[i].code, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(ownercode_read(view_of(text), &code), ERR_OK);
        assert_memory_equal(&code, &rows[i].code, sizeof(code));
    }
}

static void as_people_type_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"0123-4567-89AB-CDEF-8", "0123456789abcdef8", " 0123 4567 89ab cdef 8\n",
                                        "oI23-4567-89AB-CDEF-8", "Ol23-4567-89ab-cdef-8"};
    struct ownercode first;
    assert_int_equal(ownercode_read(view_of(texts[0]), &first), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct ownercode code;
        assert_int_equal(ownercode_read(view_of(texts[i]), &code), ERR_OK);
        assert_memory_equal(&code, &first, sizeof(code));
    }
}

static void what_is_no_code(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "0123-4567-89AB-CDEF",
                                        "0123-4567-89AB-CDEF-88",
                                        "U123-4567-89AB-CDEF-8",
                                        "0123-4567-89AB-CDEF-*",
                                        "0123/4567/89AB/CDEF/5",
                                        "\xc3\x9c"};
    struct ownercode code;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(ownercode_read(view_of(texts[i]), &code), ERR_PARSE);
    }
    assert_int_equal(ownercode_read(view_n("0123-4567-89AB-CDEF-8\0", 22), &code), ERR_PARSE);
}

/* One wrong character, and every two neighbours exchanged, in 200 codes. */
static void mistakes_show(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (int round = 0; round < 200; round++) {
        struct ownercode code;
        struct ownercode read;
        char text[OWNERCODE_SIZE];
        ownercode_make(&code);
        ownercode_write(&code, text);
        for (size_t i = 0; text[i] != '\0'; i++) {
            char right = text[i];
            for (const char *wrong = alphabet; right != '-' && *wrong != '\0'; wrong++) {
                text[i] = *wrong;
                assert_int_equal(ownercode_read(view_of(text), &read), *wrong == right ? ERR_OK : ERR_INVALID);
            }
            text[i] = right;
            char next = text[i + 1];
            bool plain = right != '-' && next != '-' && next != '\0' && right != next;
            if (plain && !((right == '0' && next == 'Z') || (right == 'Z' && next == '0'))) {
                text[i] = next;
                text[i + 1] = right;
                assert_int_equal(ownercode_read(view_of(text), &read), ERR_INVALID);
                text[i] = right;
                text[i + 1] = next;
            }
        }
    }
}

static void the_digest_is_of_code_and_serial(void **state)
{
    (void)state;
    struct ownercode code = {{1, 2, 3}};
    uint8_t one[SHA256_SIZE];
    uint8_t other[SHA256_SIZE];
    ownercode_digest(&code, VIEW_LITERAL("A-1"), one);
    ownercode_digest(&code, VIEW_LITERAL("A-1"), other);
    assert_memory_equal(one, other, sizeof(one));
    ownercode_digest(&code, VIEW_LITERAL("A-2"), other);
    assert_memory_not_equal(one, other, sizeof(one));
    code.bytes[9] = 1;
    ownercode_digest(&code, VIEW_LITERAL("A-1"), other);
    assert_memory_not_equal(one, other, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_codes),
        cmocka_unit_test(as_people_type_it),
        cmocka_unit_test(what_is_no_code),
        cmocka_unit_test(mistakes_show),
        cmocka_unit_test(the_digest_is_of_code_and_serial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
