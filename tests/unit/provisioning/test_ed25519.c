/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ed25519.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/macros.h"

static struct key_rng *rng;

/* A key, its public half and its signature of "muster", all by OpenSSL 3.0. */
static const char theirs[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MC4CAQAwBQYDK2VwBCIEIHBC8ntu4x4SuCtHXjqfc1G10Pqm6S6H8/nl/05XrGhB\n"
                             "-----END PRIVATE KEY-----\n";
static const char theirs_public[] = "-----BEGIN PUBLIC KEY-----\n"
                                    "MCowBQYDK2VwAyEAwTTkzlZz/fS+6bf8Kh7SqRKsFVsT2sbT1QKA8mu7UhI=\n"
                                    "-----END PUBLIC KEY-----\n";
static const char theirs_signature[] = "efb1a7384aeafc8dcd5130eb41ffe84057ab34f5f37fd41e338dc65e9e2767a7"
                                       "7ae87f3781f8af4f32e081349b1c0384514a048bb93371c833ad62d27b0c0f0e";

static int set_up(void **state)
{
    (void)state;
    return key_rng_new(&rng) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    key_rng_free(rng);
    return 0;
}

static struct view bytes(const uint8_t *data, size_t len)
{
    return view_n((const char *)data, len);
}

/* RFC 8032 7.1, tests 1 to 3: a seed as PKCS#8, its public half, message and signature. */
static void published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *pkcs8, *point, *message, *signature;
    } rows[] = {
        {"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "\xaf\x82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char pem[200];
        struct ed25519 *key;
        uint8_t point[ED25519_POINT_SIZE];
        uint8_t want[ED25519_SIGNATURE_SIZE];
        uint8_t signature[ED25519_SIGNATURE_SIZE];
        (void)snprintf(pem, sizeof(pem), "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", rows[i].pkcs8);
        assert_int_equal(ed25519_parse(view_of(pem), &key, NULL), ERR_OK);
        ed25519_public(key, point);
        assert_int_equal(crypto_unhex(view_of(rows[i].point), want, sizeof(point)), ERR_OK);
        assert_memory_equal(point, want, sizeof(point));
        assert_int_equal(ed25519_sign(key, view_of(rows[i].message), signature), ERR_OK);
        assert_int_equal(crypto_unhex(view_of(rows[i].signature), want, sizeof(want)), ERR_OK);
        assert_memory_equal(signature, want, sizeof(want));
        ed25519_free(key);
    }
}

static void keys_of_openssl_are_read_and_written_alike(void **state)
{
    (void)state;
    struct ed25519 *key;
    struct strbuf text;
    uint8_t want[ED25519_SIGNATURE_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    assert_int_equal(ed25519_parse(view_of(theirs), &key, NULL), ERR_OK);
    assert_int_equal(ed25519_sign(key, VIEW_LITERAL("muster"), signature), ERR_OK);
    assert_int_equal(crypto_unhex(view_of(theirs_signature), want, sizeof(want)), ERR_OK);
    assert_memory_equal(signature, want, sizeof(want));
    strbuf_init(&text, 1000);
    assert_int_equal(ed25519_write(key, &text), ERR_OK);
    assert_true(view_equals(strbuf_view(&text), theirs));
    strbuf_deinit(&text);
    strbuf_init(&text, 1000);
    assert_int_equal(ed25519_write_public(key, &text), ERR_OK);
    assert_true(view_equals(strbuf_view(&text), theirs_public));
    strbuf_deinit(&text);
    ed25519_free(key);
}

static void only_its_own_point_verifies(void **state)
{
    (void)state;
    struct ed25519 *key;
    struct ed25519 *other;
    uint8_t point[ED25519_POINT_SIZE];
    uint8_t foreign[ED25519_POINT_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    assert_int_equal(ed25519_make(rng, &key), ERR_OK);
    assert_int_equal(ed25519_make(rng, &other), ERR_OK);
    ed25519_public(key, point);
    ed25519_public(other, foreign);
    assert_memory_not_equal(point, foreign, sizeof(point));
    assert_int_equal(ed25519_sign(key, VIEW_LITERAL("message"), signature), ERR_OK);
    struct view signed_by = bytes(point, sizeof(point));
    struct view view = bytes(signature, sizeof(signature));
    assert_int_equal(ed25519_verify(signed_by, VIEW_LITERAL("message"), view), ERR_OK);
    assert_int_equal(ed25519_verify(signed_by, VIEW_LITERAL("massage"), view), ERR_AUTH);
    assert_int_equal(ed25519_verify(bytes(foreign, sizeof(foreign)), VIEW_LITERAL("message"), view), ERR_AUTH);
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        assert_int_equal(ed25519_verify(signed_by, VIEW_LITERAL("message"), view), ERR_AUTH);
        signature[i] ^= 1;
    }
    assert_int_equal(ed25519_verify(signed_by, VIEW_LITERAL("message"), bytes(signature, sizeof(signature) - 1)),
                     ERR_INVALID);
    assert_int_equal(ed25519_verify(bytes(point, sizeof(point) - 1), VIEW_LITERAL("message"), view), ERR_INVALID);
    ed25519_free(key);
    ed25519_free(other);
}

static void other_keys_are_refused(void **state)
{
    (void)state;
    struct strbuf text;
    struct key *ecdsa;
    struct ed25519 *key = NULL;
    struct errinfo info = {0};
    assert_int_equal(key_make(rng, &ecdsa), ERR_OK);
    strbuf_init(&text, 1000);
    assert_int_equal(key_write(ecdsa, &text), ERR_OK);
    assert_int_equal(ed25519_parse(strbuf_view(&text), &key, &info), ERR_UNSUPPORTED);
    assert_string_equal(info.text, "not an unencrypted Ed25519 key");
    assert_int_equal(ed25519_parse(view_of(theirs_public), &key, &info), ERR_UNSUPPORTED);
    assert_int_equal(ed25519_parse(VIEW_LITERAL("no key\n"), &key, &info), ERR_PARSE);
    assert_int_equal(key_parse(view_of(theirs), rng, &ecdsa, &info), ERR_UNSUPPORTED);
    assert_null(key);
    strbuf_deinit(&text);
    key_free(ecdsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(keys_of_openssl_are_read_and_written_alike),
        cmocka_unit_test(only_its_own_point_verifies),
        cmocka_unit_test(other_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
