/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

#define NONCE VIEW_LITERAL("0123456789abcdef")
#define CSR   VIEW_LITERAL("a request")

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

static struct view public_half(void)
{
    return view_n((const char *)point, sizeof(point));
}

static void test_covers_every_part(void **state)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(proof_sign(key, "csr", NONCE, CSR, signature, &len), ERR_OK);
    struct view proof = view_n((const char *)signature, len);
    assert_int_equal(proof_verify(public_half(), "csr", NONCE, CSR, proof), ERR_OK);
    assert_int_equal(proof_verify(public_half(), "stored", NONCE, CSR, proof), ERR_AUTH);
    assert_int_equal(proof_verify(public_half(), "csr", VIEW_LITERAL("0123456789abcdeF"), CSR, proof), ERR_AUTH);
    assert_int_equal(proof_verify(public_half(), "csr", NONCE, VIEW_LITERAL("another"), proof), ERR_AUTH);
    assert_int_equal(proof_verify(public_half(), "csr", NONCE, (struct view){0}, proof), ERR_AUTH);
}

/* What another implementation has to sign. */
static void test_covered_bytes(void **state)
{
    static const char head[] = "muster-enrol-1\0renew\0n";
    uint8_t covered[sizeof(head) - 1 + SHA256_SIZE];
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    (void)state;
    memcpy(covered, head, sizeof(head) - 1);
    crypto_sha256(CSR, covered + sizeof(head) - 1);
    assert_int_equal(key_sign(key, view_n((const char *)covered, sizeof(covered)), signature, &len), ERR_OK);
    assert_int_equal(
        proof_verify(public_half(), PROOF_RENEW, VIEW_LITERAL("n"), CSR, view_n((const char *)signature, len)), ERR_OK);
}

static void test_limits(void **state)
{
    static const char longest[PROOF_NONCE_MAX + 1] = {0};
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(proof_sign(key, "csr", view_n(longest, PROOF_NONCE_MAX), CSR, signature, &len), ERR_OK);
    assert_int_equal(proof_sign(key, "csr", view_n(longest, PROOF_NONCE_MAX + 1), CSR, signature, &len), ERR_LIMIT);
    assert_int_equal(proof_sign(key, "csr", (struct view){0}, CSR, signature, &len), ERR_LIMIT);
    assert_int_equal(proof_sign(key, "", NONCE, CSR, signature, &len), ERR_LIMIT);
    assert_int_equal(proof_sign(key, "seventeen-letters", NONCE, CSR, signature, &len), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers_every_part),
        cmocka_unit_test(test_covered_bytes),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
