/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/sealed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct key_rng *rng;
static struct key *key, *other;
static uint8_t point[KEY_POINT_SIZE], other_point[KEY_POINT_SIZE];

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK || key_make(rng, &key) != ERR_OK || key_make(rng, &other) != ERR_OK) {
        return -1;
    }
    key_public(key, point);
    key_public(other, other_point);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    key_free(key);
    key_free(other);
    key_rng_free(rng);
    return 0;
}

static void seal(const char *open, struct strbuf *text)
{
    strbuf_init(text, 1024);
    assert_int_equal(strbuf_adds(text, open), ERR_OK);
    assert_int_equal(sealed_close(text, key), ERR_OK);
}

static void what_was_sealed_holds_for_its_key_alone(void **state)
{
    (void)state;
    static const char *const rows[] = {"{\"a\":1", "{\"a\":\"b\"", "{\"a\":{\"sig\":\"AAAA\"}", "{\"sig2\":\"\"", ""};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf text;
        seal(rows[i], &text);
        assert_int_equal(sealed_verify(strbuf_view(&text), point, NULL), ERR_OK);
        assert_int_equal(sealed_verify(strbuf_view(&text), other_point, NULL), ERR_AUTH);
        strbuf_deinit(&text);
    }
}

static void a_changed_bit_is_noticed(void **state)
{
    (void)state;
    struct strbuf text;
    seal("{\"v\":1,\"t\":\"made\"", &text);
    for (size_t i = 0; i < text.len * 8; i++) {
        text.ptr[i / 8] = (char)(text.ptr[i / 8] ^ (1 << (i % 8)));
        assert_int_not_equal(sealed_verify(strbuf_view(&text), point, NULL), ERR_OK);
        text.ptr[i / 8] = (char)(text.ptr[i / 8] ^ (1 << (i % 8)));
    }
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(sealed_verify(view_n(text.ptr, len), point, NULL), ERR_INVALID);
    }
    strbuf_deinit(&text);
}

static void a_signature_that_is_none_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } rows[] = {
        {"{\"a\":1}", ERR_INVALID, "sig: not the last member"},
        {"{\"sig\":\"AAAA\"}", ERR_INVALID, "sig: not the last member"},
        {"{\"a\":1,\"sig\":\"AAAA\",\"b\":\"\"}", ERR_INVALID, "sig: not the last member"},
        {"{\"a\":1,\"sig\":\"\"}", ERR_INVALID, "sig: not a signature"},
        {"{\"a\":1,\"sig\":\"A A=\"}", ERR_INVALID, "sig: not a signature"},
        {"{\"a\":1,\"sig\":\"AAAA\"}", ERR_AUTH, "sig: not the signature of this text by that key"},
        {",\"sig\":\"\"}", ERR_INVALID, "sig: not a signature"},
        {"\"}", ERR_INVALID, "sig: not the last member"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        assert_int_equal(sealed_verify(view_of(rows[i].text), point, &info), rows[i].err);
        assert_string_equal(info.text, rows[i].says);
    }
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 20);
    assert_int_equal(strbuf_adds(&text, "{\"a\":1"), ERR_OK);
    assert_int_equal(sealed_close(&text, key), ERR_LIMIT);
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_holds_for_its_key_alone),
        cmocka_unit_test(a_changed_bit_is_noticed),
        cmocka_unit_test(a_signature_that_is_none_is_told_apart),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
