/* SPDX-License-Identifier: Apache-2.0 */
/** Vectors made by hand from the figures of RFC 6887 (7.1, 7.2, 11.1, 14.1) and RFC 6886 (3.2, 3.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/detect/pcpwire.h"
#include "base/crypto.h"

#define NONCE "000102030405060708090a0b"

static const struct pcp_map asked = {.nonce = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                                     .client = {.family = IP_V4, .bytes = {192, 168, 1, 7}},
                                     .internal_port = 0x9c40,
                                     .lifetime_s = 120};

static uint8_t room[PCP_MAX + 8];

/* Blanks between the fields are for the reader. */
static struct view bytes(const char *hex)
{
    char digits[2 * sizeof(room)];
    size_t len = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        if (*at != ' ') {
            digits[len++] = *at;
        }
    }
    assert_int_equal(crypto_unhex(view_n(digits, len), room, len / 2), ERR_OK);
    return view_n((const char *)room, len / 2);
}

static struct ip ip(const char *text)
{
    struct ip parsed = {0};
    assert_int_equal(ip_parse(view_of(text), &parsed), ERR_OK);
    return parsed;
}

static void requests_have_the_bytes_of_the_rfcs(void **state)
{
    (void)state;
    uint8_t buffer[PCP_MAP_SIZE];
    struct pcp_map map = asked;
    assert_int_equal(pcp_write_map(&map, buffer), PCP_MAP_SIZE);
    assert_memory_equal(buffer,
                        bytes("02 01 0000 00000078 00000000000000000000ffffc0a80107" NONCE
                              "11 000000 9c40 0000 00000000000000000000ffff00000000")
                            .ptr,
                        PCP_MAP_SIZE);
    map.lifetime_s = 0; /* deletion */
    map.client = ip("fe80::7");
    assert_int_equal(pcp_write_map(&map, buffer), PCP_MAP_SIZE);
    assert_memory_equal(buffer,
                        bytes("02 01 0000 00000000 fe800000000000000000000000000007" NONCE
                              "11 000000 9c40 0000 00000000000000000000000000000000")
                            .ptr,
                        PCP_MAP_SIZE);
    assert_int_equal(natpmp_write_request(buffer), NATPMP_REQUEST_SIZE);
    assert_memory_equal(buffer, bytes("00 00").ptr, NATPMP_REQUEST_SIZE);
}

#define MAP_HEAD(result) "02 81 00" result "00000078 00000e10 000000000000000000000000"
#define MAP_BODY         NONCE "11 000000 9c40 c001"

static void map_answers(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex;
        enum err err;
        uint16_t result;
        const char *external;
    } cases[] = {
        {"success", MAP_HEAD("00") MAP_BODY "00000000000000000000ffff54080101", ERR_OK, 0, "84.8.1.1"},
        {"IPv6", MAP_HEAD("00") MAP_BODY "2a020000000000000000000000000005", ERR_OK, 0, "2a02::5"},
        {"success with an option", MAP_HEAD("00") MAP_BODY "00000000000000000000ffff54080101 02000000", ERR_OK, 0,
         "84.8.1.1"},
        {"no outer address", MAP_HEAD("00") MAP_BODY "00000000000000000000ffff00000000", ERR_OK, 0, NULL},
        {"network failure", MAP_HEAD("07") MAP_BODY "00000000000000000000ffff54080101", ERR_OK, 7, NULL},
        {"unknown result", MAP_HEAD("c8") MAP_BODY "00000000000000000000000000000000", ERR_OK, 200, NULL},
        {"version refused by PCP", "02 81 00 01 00000000 00000e10 000000000000000000000000", ERR_OK, 1, NULL},
        {"version refused by NAT-PMP", "00 81 0001 00000e10", ERR_OK, 1, NULL},
        {"version refused, opcode left out", "00 80 0001 00000e10", ERR_OK, 1, NULL},
        {"other nonce", MAP_HEAD("00") "000102030405060708090a0c 11 000000 9c40 c001 00000000000000000000ffff54080101",
         ERR_STATE, 0, NULL},
        {"refusal with another nonce",
         MAP_HEAD("02") "ff0102030405060708090a0b 11 000000 9c40 c001 00000000000000000000ffff54080101", ERR_STATE, 0,
         NULL},
        {"other protocol", MAP_HEAD("00") NONCE "06 000000 9c40 c001 00000000000000000000ffff54080101", ERR_STATE, 0,
         NULL},
        {"other port", MAP_HEAD("00") NONCE "11 000000 9c41 c001 00000000000000000000ffff54080101", ERR_STATE, 0, NULL},
        {"a request",
         "02 01 0000 00000078 00000e10 000000000000000000000000" MAP_BODY "00000000000000000000ffff54080101", ERR_STATE,
         0, NULL},
        {"an announcement", "02 80 00 00 00000000 00000e10 000000000000000000000000", ERR_STATE, 0, NULL},
        {"an address of NAT-PMP", "00 80 0000 00000e10 54080101", ERR_STATE, 0, NULL},
        {"version 1",
         "01 81 00 00 00000078 00000e10 000000000000000000000000" MAP_BODY "00000000000000000000ffff54080101",
         ERR_STATE, 0, NULL},
        {"cut", MAP_HEAD("00") MAP_BODY "00000000000000000000ffff", ERR_PARSE, 0, NULL},
        {"refusal cut", MAP_HEAD("02"), ERR_PARSE, 0, NULL},
        {"no multiple of four", MAP_HEAD("00") MAP_BODY "00000000000000000000ffff54080101 02", ERR_PARSE, 0, NULL},
        {"short", "02 81 00 01", ERR_PARSE, 0, NULL},
        {"short NAT-PMP", "00 81 0001", ERR_PARSE, 0, NULL},
        {"empty", "", ERR_PARSE, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pcp_reply reply = {0};
        print_message("%s\n", cases[i].what);
        assert_int_equal(pcp_parse_map(bytes(cases[i].hex), &asked, &reply), cases[i].err);
        if (cases[i].err == ERR_OK) {
            struct ip wanted = cases[i].external != NULL ? ip(cases[i].external) : (struct ip){0};
            assert_int_equal(reply.result, cases[i].result);
            assert_true(ip_equal(&reply.external, &wanted));
            assert_int_equal(reply.epoch, 3600);
            assert_int_equal(reply.version, PCP_V2);
        }
    }
}

static void the_longest_answer_is_1100_bytes(void **state)
{
    (void)state;
    struct pcp_reply reply;
    uint8_t *data = room;
    (void)bytes(MAP_HEAD("00") MAP_BODY "00000000000000000000ffff54080101");
    memset(data + PCP_MAP_SIZE, 0, sizeof(room) - PCP_MAP_SIZE);
    assert_int_equal(pcp_parse_map(view_n((const char *)data, PCP_MAX), &asked, &reply), ERR_OK);
    assert_int_equal(reply.external_port, 0xc001);
    assert_int_equal(reply.lifetime_s, 120);
    assert_int_equal(pcp_parse_map(view_n((const char *)data, PCP_MAX + 4), &asked, &reply), ERR_PARSE);
}

static void natpmp_answers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
        uint16_t result;
        enum pcp_version version;
        const char *external;
    } cases[] = {
        {"00 80 0000 00000e10 54080101", ERR_OK, 0, PCP_NATPMP, "84.8.1.1"},
        {"00 80 0000 00000e10 00000000", ERR_OK, 0, PCP_NATPMP, NULL},
        {"00 80 0003 00000e10 00000000", ERR_OK, 3, PCP_NATPMP, NULL},
        {"00 80 0003 00000e10", ERR_OK, 3, PCP_NATPMP, NULL},
        {"00 80 0102 00000e10", ERR_OK, 0x102, PCP_NATPMP, NULL},
        {"02 80 00 01 00000000 00000e10 000000000000000000000000", ERR_OK, 1, PCP_NATPMP, NULL},
        {"02 80 00 00 00000000 00000e10 000000000000000000000000", ERR_STATE, 0, PCP_V2, NULL},
        {"00 81 0000 00000e10 54080101", ERR_STATE, 0, PCP_NATPMP, NULL},
        {"00 00 0000 00000e10 54080101", ERR_STATE, 0, PCP_NATPMP, NULL},
        {"00 80 0000 00000e10 540801", ERR_PARSE, 0, PCP_NATPMP, NULL},
        {"00 80 0000 00000e", ERR_PARSE, 0, PCP_NATPMP, NULL},
        {"", ERR_PARSE, 0, PCP_NATPMP, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pcp_reply reply = {0};
        print_message("%s\n", cases[i].hex);
        assert_int_equal(natpmp_parse(bytes(cases[i].hex), &reply), cases[i].err);
        if (cases[i].err == ERR_OK) {
            struct ip wanted = cases[i].external != NULL ? ip(cases[i].external) : (struct ip){0};
            assert_int_equal(reply.result, cases[i].result);
            assert_int_equal(reply.version, cases[i].version);
            assert_true(ip_equal(&reply.external, &wanted));
        }
    }
}

static void announcements(void **state)
{
    (void)state;
    struct pcp_reply reply;
    assert_int_equal(pcp_parse_announcement(bytes("02 80 00 00 00000000 00000002 000000000000000000000000"), &reply),
                     ERR_OK);
    assert_int_equal(reply.version, PCP_V2);
    assert_int_equal(reply.epoch, 2);
    assert_int_equal(reply.external.family, IP_NONE);
    assert_int_equal(pcp_parse_announcement(bytes("00 80 0000 00000003 54080101"), &reply), ERR_OK);
    assert_int_equal(reply.version, PCP_NATPMP);
    assert_int_equal(reply.epoch, 3);
    assert_true(ip_equal(&reply.external, &(struct ip){.family = IP_V4, .bytes = {84, 8, 1, 1}}));
    static const char *const others[] = {
        "",
        "02 00 00 00 00000000 00000002 000000000000000000000000", /* a client's request */
        "02 80 00 07 00000000 00000002 000000000000000000000000",
        "02 80 00 00 00000000 00000002 0000000000000000000000",
        MAP_HEAD("00") MAP_BODY "00000000000000000000ffff54080101",
        "00 80 0003 00000003 00000000",
        "00 00",
        "4d2d5345 41524348",
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        print_message("%s\n", others[i]);
        assert_int_equal(pcp_parse_announcement(bytes(others[i]), &reply), ERR_PARSE);
    }
}

static void epochs_hold_by_the_rules(void **state)
{
    (void)state;
    static const struct {
        enum pcp_version version;
        uint32_t server_s;  /* the first was 10,000 */
        uint64_t client_ms; /* since the first */
        bool holds;
    } cases[] = {
        /* RFC 6887 8.5 */
        {PCP_V2, 10000, 0, true},
        {PCP_V2, 10060, 60000, true},
        {PCP_V2, 9999, 0, true}, /* one second back: reordered answers */
        {PCP_V2, 9998, 0, false},
        {PCP_V2, 0, 60000, false},
        {PCP_V2, 12, 10000, false},
        {PCP_V2, 11600, 1498000, true}, /* 1,600 s there are 1,500 s here at least, give or take two */
        {PCP_V2, 11600, 1497999, false},
        {PCP_V2, 11498, 1600000, true},
        {PCP_V2, 11497, 1600000, false},
        {PCP_V2, 10000, 3600000, false}, /* it stood still */
        {PCP_V2, UINT32_MAX, 60000, false},
        /* RFC 6886 3.6 */
        {PCP_NATPMP, 10060, 60000, true},
        {PCP_NATPMP, 9998, 0, true},
        {PCP_NATPMP, 9997, 0, false},
        {PCP_NATPMP, 10698, 800000, true}, /* seven eighths of 800 s, less 2 s */
        {PCP_NATPMP, 10697, 800000, false},
        {PCP_NATPMP, 99999, 1000, true},
        {PCP_NATPMP, 1, 3600000, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pcp_epoch epoch;
        pcp_epoch_set(&epoch, cases[i].version, 10000, 5000);
        print_message("version %d: %u after %u ms\n", (int)cases[i].version, (unsigned)cases[i].server_s,
                      (unsigned)cases[i].client_ms);
        assert_int_equal(pcp_epoch_holds(&epoch, cases[i].version, cases[i].server_s, 5000 + cases[i].client_ms),
                         cases[i].holds);
    }
    struct pcp_epoch epoch = {0};
    assert_true(pcp_epoch_holds(&epoch, PCP_V2, 77, 0)); /* the first is right whatever it is */
    pcp_epoch_set(&epoch, PCP_V2, 10000, 0);
    assert_true(pcp_epoch_holds(&epoch, PCP_NATPMP, 1, 0)); /* another clock */
}

static void every_result_has_words(void **state)
{
    (void)state;
    for (unsigned version = PCP_NATPMP; version <= PCP_V2; version += PCP_V2) {
        for (uint16_t result = 0; result < 300; result++) {
            assert_in_range(strlen(pcp_result_name(version, result)), 5, 24);
            assert_in_range(strlen(pcp_result_remedy(version, result)), 5, 72);
        }
    }
    assert_string_equal(pcp_result_name(PCP_V2, 12), "ADDRESS_MISMATCH");
    assert_string_equal(pcp_result_name(PCP_V2, 13), "EXCESSIVE_REMOTE_PEERS");
    assert_string_equal(pcp_result_name(PCP_V2, 14), "unknown result");
    assert_string_equal(pcp_result_name(PCP_NATPMP, 5), "unsupported opcode");
    assert_string_equal(pcp_result_name(PCP_NATPMP, 6), "unknown result");
}

static void waits_double(void **state)
{
    (void)state;
    assert_int_equal(pcp_wait_ms(0, 0), 2700);
    assert_int_equal(pcp_wait_ms(0, 300), 3000);
    assert_int_equal(pcp_wait_ms(0, 600), 3300);
    assert_int_equal(pcp_wait_ms(3000, 600), 6000);
    assert_int_equal(pcp_wait_ms(1024000, 102400), 1024000);
    static const uint32_t natpmp[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 64000};
    uint32_t wait = 0;
    for (size_t i = 0; i < ARRAY_LEN(natpmp); i++) {
        wait = natpmp_wait_ms(wait);
        assert_int_equal(wait, natpmp[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_the_bytes_of_the_rfcs),
        cmocka_unit_test(map_answers),
        cmocka_unit_test(the_longest_answer_is_1100_bytes),
        cmocka_unit_test(natpmp_answers),
        cmocka_unit_test(announcements),
        cmocka_unit_test(epochs_hold_by_the_rules),
        cmocka_unit_test(every_result_has_words),
        cmocka_unit_test(waits_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
