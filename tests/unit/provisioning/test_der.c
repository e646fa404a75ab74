/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "provisioning/limits.h"

#define BYTES(literal) VIEW_LITERAL(literal)

static void assert_hex(const struct der_writer *writer, const char *want)
{
    char hex[2048];
    size_t len = 0;
    assert_int_equal(der_writer_end(writer, &len), ERR_OK);
    assert_true(2 * len < sizeof(hex));
    crypto_hex(writer->buffer, len, hex);
    assert_string_equal(hex, want);
}

static void writes_primitives(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct der_writer w;
    der_writer_init(&w, buffer, sizeof(buffer));
    der_put_bool(&w, true);
    der_put_bool(&w, false);
    der_put_small(&w, 0);
    der_put_small(&w, 127);
    der_put_small(&w, 128);
    der_put_small(&w, 0xffffffff);
    der_put_uint(&w, BYTES("\0\0\x01"));
    der_put_uint(&w, BYTES(""));
    der_put_bits(&w, BYTES("\xaa"));
    der_put(&w, DER_OID, BYTES("\x55\x04\x03"));
    assert_hex(&w, "0101ff"
                   "010100"
                   "020100"
                   "02017f"
                   "02020080"
                   "020500ffffffff"
                   "020101"
                   "020100"
                   "030200aa"
                   "0603550403");
}

static void writes_flags_without_trailing_zeros(void **state)
{
    (void)state;
    static const struct {
        uint16_t flags;
        const char *hex;
    } rows[] = {
        {0, "030100"},
        {1 << 0, "03020780"},          /* digitalSignature */
        {1 << 5 | 1 << 6, "03020106"}, /* keyCertSign, cRLSign */
        {1 << 7, "03020001"},
        {1 << 8, "0303070080"}, /* decipherOnly */
        {0xffff, "030300ffff"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buffer[16];
        struct der_writer w;
        der_writer_init(&w, buffer, sizeof(buffer));
        der_put_flags(&w, rows[i].flags);
        assert_hex(&w, rows[i].hex);
        struct view rest = view_n((const char *)buffer, w.len);
        struct view body;
        uint16_t flags = 0xdead;
        assert_int_equal(der_expect(&rest, DER_BIT_STRING, &body), ERR_OK);
        assert_int_equal(der_flags(body, &flags), ERR_OK);
        assert_int_equal(flags, rows[i].flags);
    }
}

/* Body lengths around every change of the length's own form. */
static void lengths_round_trip_nested(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000};
    const size_t size = 70100;
    char *content = malloc(size);
    uint8_t *buffer = malloc(size);
    assert_non_null(content);
    assert_non_null(buffer);
    memset(content, 'x', size);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct der_writer w;
        der_writer_init(&w, buffer, size);
        size_t outer = der_open(&w, DER_SEQUENCE);
        size_t inner = der_open(&w, DER_SET);
        der_put(&w, DER_OCTET_STRING, view_n(content, lens[i]));
        der_close(&w, inner);
        der_put(&w, DER_NULL, BYTES(""));
        der_close(&w, outer);
        size_t len = 0;
        assert_int_equal(der_writer_end(&w, &len), ERR_OK);
        struct view rest = view_n((const char *)buffer, len);
        assert_int_equal(der_check(rest), ERR_OK);
        struct view sequence;
        struct view set;
        struct view octets;
        struct view null;
        assert_int_equal(der_expect(&rest, DER_SEQUENCE, &sequence), ERR_OK);
        assert_int_equal(rest.len, 0);
        assert_int_equal(der_expect(&sequence, DER_SET, &set), ERR_OK);
        assert_int_equal(der_expect(&set, DER_OCTET_STRING, &octets), ERR_OK);
        assert_int_equal(octets.len, lens[i]);
        assert_memory_equal(octets.ptr, content, lens[i]);
        assert_int_equal(der_expect(&sequence, DER_NULL, &null), ERR_OK);
        assert_int_equal(sequence.len + set.len + null.len, 0);
        for (size_t cut = 0; cut < len; cut += 1 + len / 64) { /* every shorter text is refused */
            struct view part = view_n((const char *)buffer, cut);
            struct der_item item;
            assert_int_equal(der_next(&part, &item), ERR_PARSE);
        }
    }
    free(content);
    free(buffer);
}

static void writer_failures_stick(void **state)
{
    (void)state;
    for (size_t size = 0; size < 9; size++) { /* the whole needs 9 bytes */
        uint8_t *buffer = malloc(size + 1);
        assert_non_null(buffer);
        struct der_writer w;
        der_writer_init(&w, buffer, size);
        size_t mark = der_open(&w, DER_SEQUENCE);
        der_put(&w, DER_OCTET_STRING, BYTES("12345"));
        der_close(&w, mark);
        size_t len;
        assert_int_equal(der_writer_end(&w, &len), ERR_LIMIT);
        free(buffer);
    }
    uint8_t buffer[256];
    struct der_writer w;
    der_writer_init(&w, buffer, sizeof(buffer));
    size_t len;
    (void)der_open(&w, DER_SEQUENCE); /* never closed: that is the case */
    assert_int_equal(der_writer_end(&w, &len), ERR_STATE);
    der_writer_init(&w, buffer, sizeof(buffer));
    for (int i = 0; i <= DER_DEPTH_MAX; i++) {
        (void)der_open(&w, DER_SEQUENCE); /* one deeper than allowed */
    }
    assert_int_equal(der_writer_end(&w, &len), ERR_LIMIT);
}

static void reader_refuses_what_der_forbids(void **state)
{
    (void)state;
    static const struct view rows[] = {
        BYTES(""),
        BYTES("\x30"),
        BYTES("\x30\x80\x00\x00"),    /* indefinite */
        BYTES("\x04\x81\x05hello"),   /* long form of a short length */
        BYTES("\x04\x82\x00\x80xxx"), /* leading zero in the length */
        BYTES("\x04\x81"),            /* length cut short */
        BYTES("\x04\x82\x01"),
        BYTES("\x04\x05hell"), /* body cut short */
        BYTES("\x04\x83\xff\xff\xff"),
        BYTES("\x04\x84\x00\xff\xff\xff"), /* four length bytes */
        BYTES("\x04\x84\xff\xff\xff\xff"),
        BYTES("\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff"),
        BYTES("\x04\xff"),
        BYTES("\x1f\x81\x00\x00"), /* long tag */
        BYTES("\xbf\x20\x00"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view rest = rows[i];
        struct der_item item = {.tag = 77};
        if (der_next(&rest, &item) != ERR_PARSE) {
            fail_msg("row %zu is read", i);
        }
        assert_true(view_equal(rest, rows[i]));
        assert_int_equal(item.tag, 77);
    }
}

static void expect_and_optional_leave_the_rest_alone(void **state)
{
    (void)state;
    struct view rest = BYTES("\x02\x01\x05\x04\x01x");
    struct view body;
    bool found = true;
    assert_int_equal(der_expect(&rest, DER_SEQUENCE, &body), ERR_PARSE);
    assert_int_equal(der_optional(&rest, DER_BOOLEAN, &body, &found), ERR_OK);
    assert_false(found);
    assert_int_equal(rest.len, 6);
    assert_int_equal(der_optional(&rest, DER_INTEGER, &body, &found), ERR_OK);
    assert_true(found);
    assert_int_equal(rest.len, 3);
    struct view cut = BYTES("\x02\x05\x01");
    assert_int_equal(der_optional(&cut, DER_INTEGER, &body, &found), ERR_PARSE);
    struct view empty = BYTES("");
    assert_int_equal(der_optional(&empty, DER_INTEGER, &body, &found), ERR_OK);
    assert_false(found);
}

static void reads_numbers_strictly(void **state)
{
    (void)state;
    static const struct {
        struct view body;
        enum err err;
        uint32_t value;
    } rows[] = {
        {BYTES("\x00"), ERR_OK, 0},
        {BYTES("\x7f"), ERR_OK, 127},
        {BYTES("\x00\x80"), ERR_OK, 128},
        {BYTES("\x00\xff\xff\xff\xff"), ERR_OK, 0xffffffff},
        {BYTES("\x01\x00\x00\x00\x00"), ERR_RANGE, 0},
        {BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15"), ERR_RANGE, 0},
        {BYTES(""), ERR_PARSE, 0},
        {BYTES("\x80"), ERR_PARSE, 0}, /* negative */
        {BYTES("\xff\xff"), ERR_PARSE, 0},
        {BYTES("\x00\x01"), ERR_PARSE, 0}, /* not minimal */
        {BYTES("\x00\x00"), ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t value = 0;
        if (der_small(rows[i].body, &value) != rows[i].err || value != rows[i].value) {
            fail_msg("row %zu", i);
        }
    }
}

static void reads_bits_and_bools_strictly(void **state)
{
    (void)state;
    bool flag = false;
    assert_int_equal(der_bool(BYTES("\xff"), &flag), ERR_OK);
    assert_true(flag);
    assert_int_equal(der_bool(BYTES("\x01"), &flag), ERR_PARSE);
    assert_int_equal(der_bool(BYTES(""), &flag), ERR_PARSE);
    assert_int_equal(der_bool(BYTES("\xff\xff"), &flag), ERR_PARSE);
    struct view bytes;
    assert_int_equal(der_bits(BYTES("\x00"
                                    "ab"),
                              &bytes),
                     ERR_OK);
    assert_int_equal(bytes.len, 2);
    assert_int_equal(der_bits(BYTES("\x01"
                                    "ab"),
                              &bytes),
                     ERR_PARSE);
    assert_int_equal(der_bits(BYTES(""), &bytes), ERR_PARSE);
    uint16_t flags = 0;
    assert_int_equal(der_flags(BYTES("\x08\x80"), &flags), ERR_PARSE);         /* 8 unused bits */
    assert_int_equal(der_flags(BYTES("\x07\x40"), &flags), ERR_PARSE);         /* a bit in the unused part */
    assert_int_equal(der_flags(BYTES("\x00\x80"), &flags), ERR_PARSE);         /* trailing zero bits */
    assert_int_equal(der_flags(BYTES("\x01"), &flags), ERR_PARSE);             /* unused bits of nothing */
    assert_int_equal(der_flags(BYTES("\x00\xff\xff\xff"), &flags), ERR_RANGE); /* more than 16 */
}

static void times_round_trip_across_2050(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_s;
        uint8_t tag;
        const char *text;
    } rows[] = {
        {0, DER_UTC_TIME, "700101000000Z"},
        {951782399, DER_UTC_TIME, "000228235959Z"},
        {951782400, DER_UTC_TIME, "000229000000Z"}, /* 2000 is a leap year */
        {1795365780, DER_UTC_TIME, "261122164300Z"},
        {2524607999, DER_UTC_TIME, "491231235959Z"},
        {2524608000, DER_GENERALIZED_TIME, "20500101000000Z"},
        {4107542400, DER_GENERALIZED_TIME, "21000301000000Z"}, /* 2100 is none */
        {253402300799, DER_GENERALIZED_TIME, "99991231235959Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buffer[32];
        struct der_writer w;
        der_writer_init(&w, buffer, sizeof(buffer));
        der_put_time(&w, rows[i].wall_s);
        struct view rest = view_n((const char *)buffer, w.len);
        struct der_item item;
        assert_int_equal(der_next(&rest, &item), ERR_OK);
        assert_int_equal(item.tag, rows[i].tag);
        assert_true(view_equals(item.body, rows[i].text));
        int64_t wall_s = -1;
        assert_int_equal(der_time(item.tag, item.body, &wall_s), ERR_OK);
        assert_true(wall_s == rows[i].wall_s);
    }
    static const struct {
        uint8_t tag;
        const char *text;
    } bad[] = {
        {DER_UTC_TIME, "261122164300"},
        {DER_UTC_TIME, "2611221643Z"},
        {DER_UTC_TIME, "261122164300+0100"},
        {DER_UTC_TIME, "261322164300Z"},
        {DER_UTC_TIME, "260229000000Z"},
        {DER_UTC_TIME, "261122246000Z"},
        {DER_UTC_TIME, "26112216430xZ"},
        {DER_UTC_TIME, "261100164300Z"},
        {DER_UTC_TIME, "690101000000Z"},
        /* 1969 */ {DER_GENERALIZED_TIME, "261122164300Z"},
        {DER_GENERALIZED_TIME, "19000101000000Z"},
        {DER_GENERALIZED_TIME, "20261122164300.5Z"},
        {DER_IA5_STRING, "261122164300Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t wall_s;
        if (der_time(bad[i].tag, view_of(bad[i].text), &wall_s) == ERR_OK) {
            fail_msg("%s is read", bad[i].text);
        }
    }
}

static void check_walks_to_a_bounded_depth(void **state)
{
    (void)state;
    uint8_t nested[2 * 40];
    for (size_t depth = 1; depth <= 40; depth++) {
        for (size_t i = 0; i < depth; i++) {
            nested[2 * i] = DER_SEQUENCE;
            nested[2 * i + 1] = (uint8_t)(2 * (depth - 1 - i));
        }
        enum err want = depth < DER_DEPTH_MAX ? ERR_OK : ERR_LIMIT;
        assert_int_equal(der_check(view_n((const char *)nested, 2 * depth)), want);
    }
    assert_int_equal(der_check(BYTES("\x30\x03\x02\x05\x01")), ERR_PARSE);
    assert_int_equal(der_check(BYTES("\x30\x02\x05\x00\x30")), ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_primitives),
        cmocka_unit_test(writes_flags_without_trailing_zeros),
        cmocka_unit_test(lengths_round_trip_nested),
        cmocka_unit_test(writer_failures_stick),
        cmocka_unit_test(reader_refuses_what_der_forbids),
        cmocka_unit_test(expect_and_optional_leave_the_rest_alone),
        cmocka_unit_test(reads_numbers_strictly),
        cmocka_unit_test(reads_bits_and_bools_strictly),
        cmocka_unit_test(times_round_trip_across_2050),
        cmocka_unit_test(check_walks_to_a_bounded_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
