/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/denyline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define ISSUER "0123456789abcdef0123456789abcdef01234567"

static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        enum deny_verb verb;
        const char *serial; /* as it is written back; the name for DENY_KICK */
    } rows[] = {
        {"deny " ISSUER " 5f0e", ERR_OK, DENY_ADD, "5f0e"},
        {"deny " ISSUER " 5F0E", ERR_OK, DENY_ADD, "5f0e"},
        {"deny " ISSUER " 0005f0e", ERR_OK, DENY_ADD, "5f0e"},
        {"deny " ISSUER " 0", ERR_OK, DENY_ADD, "0"},
        {"deny " ISSUER " " ISSUER, ERR_OK, DENY_ADD, "123456789abcdef0123456789abcdef01234567"},
        {"allow " ISSUER " f", ERR_OK, DENY_TAKE_BACK, "f"},
        {"kick cam-1", ERR_OK, DENY_KICK, "cam-1"},
        {"", ERR_PARSE, 0, NULL},
        {"deny", ERR_PARSE, 0, NULL},
        {"deny " ISSUER, ERR_PARSE, 0, NULL},
        {"deny " ISSUER " ", ERR_PARSE, 0, NULL},
        {"deny " ISSUER "  5f", ERR_PARSE, 0, NULL},
        {"deny " ISSUER " 5f ", ERR_PARSE, 0, NULL},
        {"deny " ISSUER " 5g", ERR_PARSE, 0, NULL},
        {"deny " ISSUER " " ISSUER "0", ERR_PARSE, 0, NULL},
        {"deny 0" ISSUER " 5f", ERR_PARSE, 0, NULL},
        {"deny 123 5f", ERR_PARSE, 0, NULL},
        {"Deny " ISSUER " 5f", ERR_PARSE, 0, NULL},
        {" deny " ISSUER " 5f", ERR_PARSE, 0, NULL},
        {"kick", ERR_PARSE, 0, NULL},
        {"kick ", ERR_PARSE, 0, NULL},
        {"kick cam+", ERR_PARSE, 0, NULL},
        {"kick cam 1", ERR_PARSE, 0, NULL},
        {"kick aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx", ERR_PARSE, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct deny_line line;
        assert_int_equal(deny_line_parse(view_of(rows[i].text), &line), rows[i].err);
        if (rows[i].err != ERR_OK) {
            continue;
        }
        assert_int_equal(line.verb, rows[i].verb);
        if (line.verb == DENY_KICK) {
            assert_true(view_equals(line.id, rows[i].serial));
            continue;
        }
        char issuer[CERT_PART_HEX];
        char serial[CERT_PART_HEX];
        cert_ref_hex(&line.cert, issuer, serial);
        assert_string_equal(issuer, ISSUER);
        assert_string_equal(serial, rows[i].serial);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char *const serials[] = {"0", "1", "ff", "ffffffffffffffffffffffffffffffffffffffff"};
    static const enum deny_verb verbs[] = {DENY_ADD, DENY_TAKE_BACK};
    for (size_t i = 0; i < ARRAY_LEN(serials) * ARRAY_LEN(verbs); i++) {
        struct cert_ref ref;
        struct deny_line line;
        char text[DENY_LINE_SIZE];
        enum deny_verb verb = verbs[i / ARRAY_LEN(serials)];
        assert_int_equal(cert_ref_parse(view_of(ISSUER), view_of(serials[i % ARRAY_LEN(serials)]), &ref), ERR_OK);
        deny_line_write(verb, &ref, text);
        assert_int_equal(deny_line_parse(view_of(text), &line), ERR_OK);
        assert_int_equal(line.verb, verb);
        assert_memory_equal(&line.cert, &ref, sizeof(ref));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
