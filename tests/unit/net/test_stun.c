/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

#define BYTES_MAX 512
#define ID        "b7e7a701bc34d686fa87dfae"
#define COOKIE_ID "2112a442" ID

/* RFC 5769 2.1 to 2.4 */
#define RFC_REQUEST                                                                                                    \
    "00010058" COOKIE_ID "802200105354554e207465737420636c69656e74"                                                    \
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"                                         \
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
#define RFC_ANSWER4                                                                                                    \
    "0101003c" COOKIE_ID "8022000b7465737420766563746f7220002000080001a147e112a643"                                    \
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
#define RFC_ANSWER6                                                                                                    \
    "01010048" COOKIE_ID "8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"            \
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
#define RFC_LONG_TERM                                                                                                  \
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"                         \
    "0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f726700"                 \
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"

#define XOR4   "002000080001a147e112a643" /* 192.0.2.1:32853 */
#define PLAIN4 "000100080001271bc6336401" /* 198.51.100.1:10011 */

struct bytes_of {
    uint8_t data[BYTES_MAX];
    size_t len;
};

static struct bytes_of unhex(const char *text)
{
    struct bytes_of bytes = {.len = strlen(text) / 2};
    assert_true(bytes.len <= sizeof(bytes.data));
    assert_int_equal(crypto_unhex(view_of(text), bytes.data, bytes.len), ERR_OK);
    return bytes;
}

static struct view as_view(const struct bytes_of *bytes)
{
    return view_n((const char *)bytes->data, bytes->len);
}

static enum err parse(const char *hex, struct stun_message *message)
{
    struct bytes_of bytes = unhex(hex);
    return stun_parse(as_view(&bytes), message);
}

static enum err answer(const char *hex, struct stun_message *message)
{
    struct bytes_of id = unhex(ID);
    struct bytes_of bytes = unhex(hex);
    return stun_answer_parse(as_view(&bytes), id.data, message);
}

static void assert_mapped(const struct stun_message *message, const char *address, uint16_t port)
{
    char text[IP_TEXT_SIZE];
    (void)ip_format(&message->mapped, text); /* the length is of no interest */
    assert_string_equal(text, address);
    assert_int_equal(message->mapped_port, port);
}

static void test_requests_of_rfc5769(void **state)
{
    (void)state;
    struct stun_message message;
    assert_int_equal(parse(RFC_REQUEST, &message), ERR_OK);
    assert_int_equal(message.msg_class, STUN_REQUEST);
    assert_int_equal(message.method, STUN_BINDING);
    assert_memory_equal(message.id, unhex(ID).data, STUN_ID_SIZE);
    assert_true(message.fingerprint);
    assert_int_equal(message.unknown_len, 1); /* ICE's PRIORITY must be understood, ICE-CONTROLLED need not */
    assert_int_equal(message.unknown[0], 0x0024);

    assert_int_equal(parse(RFC_LONG_TERM, &message), ERR_OK);
    assert_false(message.fingerprint);
    assert_int_equal(message.unknown_len, 0);
}

static void test_answers_of_rfc5769(void **state)
{
    (void)state;
    struct stun_message message;
    assert_int_equal(answer(RFC_ANSWER4, &message), ERR_OK);
    assert_mapped(&message, "192.0.2.1", 32853);
    assert_true(message.fingerprint);
    assert_false(message.plain);
    assert_int_equal(answer(RFC_ANSWER6, &message), ERR_OK);
    assert_mapped(&message, "2001:db8:1234:5678:11:2233:4455:6677", 32853);
    assert_true(message.fingerprint);
}

/* Each byte of a fingerprinted message counts, and so does each missing one. */
static void test_any_changed_byte_is_noticed(void **state)
{
    (void)state;
    const char *vectors[] = {RFC_REQUEST, RFC_ANSWER4, RFC_ANSWER6};
    for (size_t v = 0; v < ARRAY_LEN(vectors); v++) {
        struct bytes_of bytes = unhex(vectors[v]);
        struct stun_message message;
        for (size_t i = 0; i < bytes.len; i++) {
            bytes.data[i] ^= 1;
            bool parsed = stun_parse(as_view(&bytes), &message) == ERR_OK;
            /* a fingerprint that became an optional attribute of another type is none */
            assert_true(!parsed || !message.fingerprint);
            assert_true(!parsed || i >= bytes.len - 8);
            bytes.data[i] ^= 1;
        }
        for (size_t len = 0; len < bytes.len; len++) {
            assert_int_equal(stun_parse(view_n((const char *)bytes.data, len), &message), ERR_PARSE);
        }
    }
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex;
        enum err err;
        const char *address;
        uint16_t port;
    } ROWS[] = {
        {"xor only", "0101000c" COOKIE_ID XOR4, ERR_OK, "192.0.2.1", 32853},
        {"plain only", "0101000c" COOKIE_ID PLAIN4, ERR_OK, "198.51.100.1", 10011},
        {"xor wins, first", "01010018" COOKIE_ID XOR4 PLAIN4, ERR_OK, "192.0.2.1", 32853},
        {"xor wins, last", "01010018" COOKIE_ID PLAIN4 XOR4, ERR_OK, "192.0.2.1", 32853},
        {"first xor counts",
         "01010018" COOKIE_ID XOR4 "0020000800010000"
         "00000000",
         ERR_OK, "192.0.2.1", 32853},
        {"RFC 3489 server",
         "01010024" COOKIE_ID PLAIN4 "0004000800010d96c0000209"
         "0005000800010d97c000020a",
         ERR_OK, "198.51.100.1", 10011},
        {"RESPONSE-ORIGIN, OTHER-ADDRESS, SOFTWARE",
         "0101002c" COOKIE_ID XOR4 "802b000800010d96c0000209"
         "802c000800010d97c000020a"
         "80220003"
         "616263ff",
         ERR_OK, "192.0.2.1", 32853},
        {"unknown required", "01010010" COOKIE_ID XOR4 "00330000", ERR_UNSUPPORTED, NULL, 0},
        {"unknown optional", "01010010" COOKIE_ID XOR4 "80330000", ERR_OK, "192.0.2.1", 32853},
        {"behind the integrity",
         "01010028" COOKIE_ID "00080014000102030405060708090a0b0c0d0e0f10111213"
         "00330000" XOR4,
         ERR_INVALID, NULL, 0},
        {"no address", "01010000" COOKIE_ID, ERR_INVALID, NULL, 0},
        {"error 500", "01110008" COOKIE_ID "0009000400000500", ERR_DENIED, NULL, 0},
        {"error with an address", "01110014" COOKIE_ID "0009000400000500" XOR4, ERR_DENIED, NULL, 0},
        {"error without a code", "01110000" COOKIE_ID, ERR_DENIED, NULL, 0},
        {"another id", "0101000c2112a44200e7a701bc34d686fa87dfae" XOR4, ERR_STATE, NULL, 0},
        {"our own request", "00010000" COOKIE_ID, ERR_STATE, NULL, 0},
        {"indication", "00110000" COOKIE_ID, ERR_STATE, NULL, 0},
        {"another method", "0103000c" COOKIE_ID XOR4, ERR_STATE, NULL, 0},
        {"no cookie", "0101000c2112a443" ID XOR4, ERR_PARSE, NULL, 0},
        {"first bits", "4101000c" COOKIE_ID XOR4, ERR_PARSE, NULL, 0},
        {"length too small", "01010008" COOKIE_ID XOR4, ERR_PARSE, NULL, 0},
        {"length too large", "01010010" COOKIE_ID XOR4, ERR_PARSE, NULL, 0},
        {"length no multiple of 4", "0101000d" COOKIE_ID XOR4 "00", ERR_PARSE, NULL, 0},
        {"attribute too long", "0101000c" COOKIE_ID "0020000c0001a147e112a643", ERR_PARSE, NULL, 0},
        {"IPv4 in the length of IPv6", "01010018" COOKIE_ID "002000140001a1470113a9faa5d3f179bc25f4b5bed2b9d9",
         ERR_PARSE, NULL, 0},
        {"IPv6 in the length of IPv4", "0101000c" COOKIE_ID "002000080002a147e112a643", ERR_PARSE, NULL, 0},
        {"family 3", "0101000c" COOKIE_ID "002000080003a147e112a643", ERR_PARSE, NULL, 0},
        {"address of no bytes", "01010004" COOKIE_ID "00200000", ERR_PARSE, NULL, 0},
        {"error class 7", "01110008" COOKIE_ID "0009000400000700", ERR_PARSE, NULL, 0},
        {"error number 100", "01110008" COOKIE_ID "0009000400000464", ERR_PARSE, NULL, 0},
        {"error of two bytes", "01110008" COOKIE_ID "0009000200000000", ERR_PARSE, NULL, 0},
        {"attribute behind the fingerprint", "01010014" COOKIE_ID "80280004000000000020000800010000", ERR_PARSE, NULL,
         0},
        {"fingerprint of 2 bytes", "01010014" COOKIE_ID XOR4 "8028000200000000", ERR_PARSE, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct stun_message message;
        enum err err = answer(ROWS[i].hex, &message);
        if (err != ROWS[i].err) {
            fail_msg("%s: %s", ROWS[i].what, err_name(err));
        }
        if (err == ERR_OK) {
            assert_mapped(&message, ROWS[i].address, ROWS[i].port);
        }
    }
}

static void test_error_answer_tells_why(void **state)
{
    (void)state;
    struct stun_message message;
    assert_int_equal(answer("01110010" COOKIE_ID "0009000b"
                            "00000401476f206177617900",
                            &message),
                     ERR_DENIED);
    assert_int_equal(message.error_code, 401);
    assert_true(view_equals(message.reason, "Go away"));
}

static void test_request_is_the_header_alone(void **state)
{
    (void)state;
    uint8_t buffer[STUN_WRITE_MAX];
    assert_int_equal(stun_write_request(unhex(ID).data, buffer), STUN_HEADER_SIZE);
    assert_memory_equal(buffer, unhex("00010000" COOKIE_ID).data, STUN_HEADER_SIZE);
}

static struct ip address_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

/* Requests of every kind; what is answered must read back, and never be longer than 2.2 times the question. */
static void test_server_answers(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex, *peer;
        size_t len;
        enum err err;
    } ROWS[] = {
        {"bare, IPv4", "00010000" COOKIE_ID, "198.51.100.7", 32, ERR_OK},
        {"bare, IPv6", "00010000" COOKIE_ID, "2001:db8::7", 44, ERR_OK},
        {"fingerprint, IPv4", "00010008" COOKIE_ID "80280004fdf6ae02", "198.51.100.7", 40, ERR_OK},
        {"fingerprint, IPv6", "00010008" COOKIE_ID "80280004fdf6ae02", "2001:db8::7", 52, ERR_OK},
        {"RFC 5769 2.1", RFC_REQUEST, "198.51.100.7", 44, ERR_DENIED},
        {"credentials are not asked for", RFC_LONG_TERM, "203.0.113.2", 32, ERR_STATE}, /* its id is another */
        {"one unknown", "00010004" COOKIE_ID "00330000", "2001:db8::7", 36, ERR_DENIED},
        {"CHANGE-REQUEST", "00010008" COOKIE_ID "0003000400000006", "198.51.100.7", 36, ERR_DENIED},
        {"two unknown", "00010008" COOKIE_ID "0033000000340000", "198.51.100.7", 36, ERR_DENIED},
        {"one unknown twice", "00010008" COOKIE_ID "0033000000330000", "198.51.100.7", 36, ERR_DENIED},
        {"nine unknown",
         "00010024" COOKIE_ID "003100000032000000330000003400000035000000360000003700000038000000390000",
         "198.51.100.7", 48, ERR_DENIED},
        {"SOURCE-ADDRESS in a request", "0001000c" COOKIE_ID "0004000800010d96c0000209", "198.51.100.7", 36,
         ERR_DENIED},
        {"indication", "00110000" COOKIE_ID, "198.51.100.7", 0, ERR_OK},
        {"success", "0101000c" COOKIE_ID XOR4, "198.51.100.7", 0, ERR_OK},
        {"error", "01110008" COOKIE_ID "0009000400000500", "198.51.100.7", 0, ERR_OK},
        {"TURN's Allocate", "00030000" COOKIE_ID, "198.51.100.7", 0, ERR_OK},
        {"method 0xfff", "3eef0000" COOKIE_ID, "198.51.100.7", 0, ERR_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct stun_message request, reply;
        struct bytes_of out;
        struct ip peer = address_of(ROWS[i].peer);
        if (parse(ROWS[i].hex, &request) != ERR_OK) {
            fail_msg("%s: not read", ROWS[i].what);
        }
        out.len = stun_write_answer(&request, &peer, 40000, out.data);
        assert_string_equal(ROWS[i].what, out.len == ROWS[i].len ? ROWS[i].what : "another length");
        assert_true(out.len * 10 <= strlen(ROWS[i].hex) / 2 * 22);
        if (out.len == 0) {
            continue;
        }
        assert_int_equal(stun_answer_parse(as_view(&out), unhex(ID).data, &reply), ROWS[i].err);
        if (ROWS[i].err == ERR_OK) {
            assert_mapped(&reply, ROWS[i].peer, 40000);
        }
        if (ROWS[i].err == ERR_DENIED) {
            assert_int_equal(reply.error_code, 420);
        }
        assert_true(ROWS[i].err == ERR_STATE || reply.fingerprint == request.fingerprint);
    }
}

/* As the RFC has it, byte for byte, but for what we leave out. */
static void test_answer_bytes(void **state)
{
    (void)state;
    struct stun_message request;
    uint8_t buffer[STUN_WRITE_MAX];
    struct ip peer = address_of("192.0.2.1");
    assert_int_equal(parse("00010000" COOKIE_ID, &request), ERR_OK);
    assert_int_equal(stun_write_answer(&request, &peer, 32853, buffer), 32);
    assert_memory_equal(buffer, unhex("0101000c" COOKIE_ID XOR4).data, 32);
    assert_int_equal(parse("00010004" COOKIE_ID "00330000", &request), ERR_OK);
    assert_int_equal(stun_write_answer(&request, &peer, 32853, buffer), 36);
    assert_memory_equal(buffer,
                        unhex("01110010" COOKIE_ID "0009000400000414"
                              "000a000200330000")
                            .data,
                        36);
    struct ip none = {0};
    assert_int_equal(stun_write_answer(&request, &none, 32853, buffer), 0);
}

static void test_schedule(void **state)
{
    (void)state;
    uint32_t total = 0;
    for (unsigned sent = 1; sent <= STUN_SENDS; sent++) {
        total += stun_wait_ms(sent);
    }
    assert_int_equal(stun_wait_ms(1), 500);
    assert_int_equal(stun_wait_ms(6), 16000);
    assert_int_equal(stun_wait_ms(7), 8000);
    assert_int_equal(total, 39500); /* RFC 8489 6.2.1: "times out after 39500 ms" */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_of_rfc5769),
        cmocka_unit_test(test_answers_of_rfc5769),
        cmocka_unit_test(test_any_changed_byte_is_noticed),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_error_answer_tells_why),
        cmocka_unit_test(test_request_is_the_header_alone),
        cmocka_unit_test(test_server_answers),
        cmocka_unit_test(test_answer_bytes),
        cmocka_unit_test(test_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
