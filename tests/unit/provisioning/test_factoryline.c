/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/factoryline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct key_rng *rng;
static struct key *key;
static uint8_t point[KEY_POINT_SIZE];

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK || key_make(rng, &key) != ERR_OK) {
        return -1;
    }
    key_public(key, point);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    key_free(key);
    key_rng_free(rng);
    return 0;
}

static struct view line_of(const struct strbuf *text)
{
    assert_true(view_ends_with(strbuf_view(text), VIEW_LITERAL("\n")));
    return view_n(text->ptr, text->len - 1);
}

static void requests_survive_the_line(void **state)
{
    (void)state;
    for (enum factory_op op = FACTORY_KEY; op < FACTORY_NO; op++) {
        struct factory_request request = {.op = op, .serial = "A7-00001", .nonce = {1, 2, 3}, .file = "claim.key"};
        struct factory_request back;
        struct strbuf text;
        request.data_len = FACTORY_FILE_MAX;
        memset(request.data, 0xff, FACTORY_FILE_MAX);
        strbuf_init(&text, FACTORY_LINE_MAX);
        assert_int_equal(factory_request_write(&request, &text), ERR_OK);
        assert_int_equal(factory_request_read(line_of(&text), &back, NULL), ERR_OK);
        assert_int_equal(back.op, op);
        bool proof = op == FACTORY_PROVE || op == FACTORY_TEST;
        assert_string_equal(back.serial, proof || op == FACTORY_SERIAL ? "A7-00001" : "");
        assert_int_equal(back.nonce[2], proof ? 3 : 0);
        assert_int_equal(back.data_len, op == FACTORY_INSTALL ? FACTORY_FILE_MAX : 0);
        assert_true(op != FACTORY_INSTALL || back.data[FACTORY_FILE_MAX - 1] == 0xff);
        strbuf_deinit(&text);
    }
}

static void answers_survive_the_line(void **state)
{
    (void)state;
    for (enum factory_op op = FACTORY_KEY; op <= FACTORY_NO; op++) {
        struct factory_answer answer = {
            .op = op, .signature = {9}, .signature_len = 70, .serial = "A7-1", .tail = "01ab-cdef", .why = "a \"why\""};
        struct factory_answer back;
        struct strbuf text;
        memcpy(answer.key, point, sizeof(point));
        strbuf_init(&text, FACTORY_LINE_MAX);
        assert_int_equal(factory_answer_write(&answer, &text), ERR_OK);
        assert_int_equal(factory_answer_read(line_of(&text), &back, NULL), ERR_OK);
        assert_int_equal(back.op, op);
        assert_string_equal(back.tail, op == FACTORY_LABEL_TAIL ? "01ab-cdef" : "");
        assert_string_equal(back.why, op == FACTORY_NO ? "a \"why\"" : "");
        assert_int_equal(back.signature_len, op == FACTORY_PROVE || op == FACTORY_TEST ? 70 : 0);
        assert_int_equal(back.key[0], op == FACTORY_KEY ? 4 : 0);
        strbuf_deinit(&text);
    }
}

static void wrong_requests_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } rows[] = {
        {"", ERR_PARSE, ""},
        {"{\"op\":\"key\"}", ERR_INVALID, "v: "},
        {"{\"v\":2,\"op\":\"key\"}", ERR_INVALID, "v: "},
        {"{\"v\":1}", ERR_INVALID, "op: "},
        {"{\"v\":1,\"op\":\"format\"}", ERR_INVALID, "op: not known"},
        {"{\"v\":1,\"op\":\"no\"}", ERR_INVALID, "op: not a request"},
        {"{\"v\":1,\"op\":\"serial\"}", ERR_INVALID, "serial: "},
        {"{\"v\":1,\"op\":\"serial\",\"serial\":\"../x\"}", ERR_INVALID, "serial: not a serial"},
        {"{\"v\":1,\"op\":\"serial\",\"serial\":\"0123456789012345678901234567890123456789012345678\"}", ERR_INVALID,
         "serial: too long"},
        {"{\"v\":1,\"op\":\"prove\",\"serial\":\"A\"}", ERR_INVALID, "n: "},
        {"{\"v\":1,\"op\":\"prove\",\"serial\":\"A\",\"n\":\"AAAA\"}", ERR_INVALID, "n: not base64"},
        {"{\"v\":1,\"op\":\"install\",\"file\":\"../../etc/passwd\",\"data\":\"AAAA\"}", ERR_INVALID, "file: "},
        {"{\"v\":1,\"op\":\"install\",\"file\":\"device.key\",\"data\":\"AAAA\"}", ERR_INVALID, "file: not one"},
        {"{\"v\":1,\"op\":\"install\",\"file\":\"root.pem\",\"data\":\"\"}", ERR_INVALID, "data: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct factory_request request = {.op = FACTORY_TEST};
        struct errinfo info = {0};
        assert_int_equal(factory_request_read(view_of(rows[i].text), &request, &info), rows[i].err);
        assert_true(view_starts_with(view_of(info.text), view_of(rows[i].says)));
        assert_int_equal(request.op, FACTORY_TEST);
    }
}

static void a_devices_words_are_made_harmless(void **state)
{
    (void)state;
    struct factory_answer answer;
    assert_int_equal(
        factory_answer_read(VIEW_LITERAL("{\"v\":1,\"op\":\"no\",\"why\":\"a\\u001b[2Jb\"}"), &answer, NULL), ERR_OK);
    assert_string_equal(answer.why, "a?[2Jb");
    assert_int_equal(
        factory_answer_read(VIEW_LITERAL("{\"v\":1,\"op\":\"label-tail\",\"serial\":\"A\",\"tail\":\"<\"}"), &answer,
                            NULL),
        ERR_INVALID);
}

static void a_proof_is_of_one_question_alone(void **state)
{
    (void)state;
    struct factory_request asked = {.op = FACTORY_PROVE, .serial = "A7-1", .nonce = {1}};
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    assert_int_equal(factory_proof_sign(key, &asked, signature, &len), ERR_OK);
    struct view sig = view_n((const char *)signature, len);
    assert_int_equal(factory_proof_verify(point, &asked, sig), ERR_OK);
    struct factory_request others[] = {asked, asked, asked};
    others[0].op = FACTORY_TEST;
    others[1].serial[3] = '2';
    others[2].nonce[31] = 1;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(factory_proof_verify(point, &others[i], sig), ERR_AUTH);
    }
}

static void the_tail_is_the_digests_end(void **state)
{
    (void)state;
    char tail[FACTORY_TAIL_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    char expected[FACTORY_TAIL_SIZE];
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(view_n((const char *)point, sizeof(point)), digest);
    crypto_hex(digest, sizeof(digest), hex);
    (void)snprintf(expected, sizeof(expected), "%.4s-%.4s", hex + 56, hex + 60);
    factory_tail(point, tail);
    assert_string_equal(tail, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_survive_the_line),        cmocka_unit_test(answers_survive_the_line),
        cmocka_unit_test(wrong_requests_are_named),         cmocka_unit_test(a_devices_words_are_made_harmless),
        cmocka_unit_test(a_proof_is_of_one_question_alone), cmocka_unit_test(the_tail_is_the_digests_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
