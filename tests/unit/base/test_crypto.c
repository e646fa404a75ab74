/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void assert_digest(const uint8_t digest[static SHA256_SIZE], const char *want)
{
    char hex[2 * SHA256_SIZE + 1];
    crypto_hex(digest, SHA256_SIZE, hex);
    assert_string_equal(hex, want);
}

static void sha256_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *digest;
    } rows[] = {
        /* FIPS 180-4 examples */
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t digest[SHA256_SIZE];
        crypto_sha256(view_of(rows[i].text), digest);
        assert_digest(digest, rows[i].digest);
    }
}

/* RFC 4231 test cases 1 to 4, 6, 7 */
static const struct {
    const char *key;
    const char *data;
    const char *mac;
} hmac_rows[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

static void hmac_vectors_whole_and_in_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hmac_rows); i++) {
        uint8_t key[256];
        uint8_t data[256];
        size_t key_len = strlen(hmac_rows[i].key) / 2;
        size_t data_len = strlen(hmac_rows[i].data) / 2;
        assert_int_equal(crypto_unhex(view_of(hmac_rows[i].key), key, key_len), ERR_OK);
        assert_int_equal(crypto_unhex(view_of(hmac_rows[i].data), data, data_len), ERR_OK);
        struct crypto_hmac *hmac = NULL;
        assert_int_equal(crypto_hmac_new(key, key_len, &hmac), ERR_OK);
        for (size_t cut = 0; cut <= data_len; cut++) { /* also: one object makes any number of MACs */
            const struct view parts[] = {view_n((const char *)data, cut),
                                         view_n((const char *)data + cut, data_len - cut)};
            uint8_t mac[SHA256_SIZE];
            assert_int_equal(crypto_hmac_sha256(hmac, parts, ARRAY_LEN(parts), mac), ERR_OK);
            assert_digest(mac, hmac_rows[i].mac);
        }
        crypto_hmac_free(hmac);
    }
    crypto_hmac_free(NULL);
}

static void hmac_cost_is_printed(void **state)
{
    (void)state;
    struct crypto_hmac *hmac = NULL;
    assert_int_equal(crypto_hmac_new((const uint8_t *)"0123456789abcdef0123456789abcdef", 32, &hmac), ERR_OK);
    char text[90];
    memset(text, 'x', sizeof(text));
    const struct view part = view_n(text, sizeof(text));
    uint8_t mac[SHA256_SIZE];
    const unsigned rounds = 2000;
    uint64_t start = clock_mono_ns();
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(crypto_hmac_sha256(hmac, &part, 1, mac), ERR_OK);
    }
    print_message("HMAC-SHA256 of 90 bytes: %llu ns\n", (unsigned long long)((clock_mono_ns() - start) / rounds));
    crypto_hmac_free(hmac);
}

static void equal_sees_every_byte(void **state)
{
    (void)state;
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};
    assert_true(crypto_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 1;
        assert_false(crypto_equal(a, b, sizeof(a)));
        b[i] = 0;
    }
    assert_true(crypto_equal(a, "x", 0));
}

static void random_fills_all_and_differs(void **state)
{
    (void)state;
    uint8_t seen[1000] = {0};
    for (int round = 0; round < 8; round++) { /* a byte that stays zero in 8 rounds: 1000 / 256^8 */
        uint8_t bytes[1000] = {0};
        crypto_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seen[i] |= bytes[i];
        }
    }
    for (size_t i = 0; i < sizeof(seen); i++) {
        assert_int_not_equal(seen[i], 0);
    }
    assert_true(crypto_random_u64() != crypto_random_u64());
}

static void hex_is_strict(void **state)
{
    (void)state;
    uint8_t data[2] = {7, 7};
    assert_int_equal(crypto_unhex(view_of("aF09"), data, 2), ERR_OK);
    assert_int_equal(data[0], 0xaf);
    assert_int_equal(data[1], 0x09);
    static const char *const bad[] = {"", "af0", "af090", "af0g", " f09", "0xaf", "af0\xff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(crypto_unhex(view_of(bad[i]), data, 2), ERR_PARSE);
        assert_int_equal(data[0], 0xaf);
    }
}

static void base64_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfb\xf0", "//778A=="},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[32];
        uint8_t plain[32];
        size_t len = 99;
        crypto_base64_encode((const uint8_t *)rows[i].plain, strlen(rows[i].plain), text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(crypto_base64_decode(view_of(text), plain, strlen(rows[i].plain), &len), ERR_OK);
        assert_int_equal(len, strlen(rows[i].plain));
        assert_memory_equal(plain, rows[i].plain, len);
        if (len > 0) {
            assert_int_equal(crypto_base64_decode(view_of(text), plain, len - 1, &len), ERR_LIMIT);
        }
    }
    static const char *const bad[] = {"Z",     "Zg",       "Zg=",      "Zg==Zg==", "Zh==",      "Zm9=", "Zm9v\n",
                                      "Zm 9v", "Zm9vY===", "====",     "=",        "Z===",      "Zm-_", "Zm9vYg==\n",
                                      " Zg==", "Zg=a",     "Zm9v====", "Zm9vZg=",  "Zm\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t plain[32];
        size_t len = 99;
        if (crypto_base64_decode(view_of(bad[i]), plain, sizeof(plain), &len) != ERR_PARSE) {
            fail_msg("\"%s\" decodes", bad[i]);
        }
        assert_int_equal(len, 99);
    }
}

/* RFC 4648 10, and RFC 7515 appendix C: 3, 236, 255, 224, 193 */
static void base64url_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"\xff\xfe\xfb\xf0", "__778A"},
        {"\x03\xec\xff\xe0\xc1", "A-z_4ME"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[32];
        crypto_base64url_encode((const uint8_t *)rows[i].plain, strlen(rows[i].plain), text);
        assert_string_equal(text, rows[i].text);
    }
}

static void secrets_are_copies(void **state)
{
    (void)state;
    struct secret secret = {0};
    char text[] = "hunter2";
    assert_int_equal(secret_set(&secret, view_of(text)), ERR_OK);
    crypto_zeroise(text, sizeof(text));
    assert_true(view_equals(view_of(text), ""));
    assert_true(view_equals(secret_view(&secret), "hunter2"));
    assert_int_equal(secret_set(&secret, secret_view(&secret)), ERR_OK);
    assert_true(view_equals(secret_view(&secret), "hunter2"));
    assert_int_equal(secret_set(&secret, view_of("")), ERR_OK);
    assert_int_equal(secret_view(&secret).len, 0);
    secret_deinit(&secret);
    secret_deinit(&secret);
    assert_null(secret.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors_whole_and_in_parts),
        cmocka_unit_test(hmac_cost_is_printed),
        cmocka_unit_test(equal_sees_every_byte),
        cmocka_unit_test(random_fills_all_and_differs),
        cmocka_unit_test(hex_is_strict),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64url_vectors),
        cmocka_unit_test(secrets_are_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
