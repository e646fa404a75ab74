/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "provisioning/enrol_proof.h"

static void layout(void **state)
{
    (void)state;
    uint8_t bytes[ENROL_PROOF_SIZE], digest[SHA256_SIZE];
    size_t len = 0;
    static const char want[] = "muster-enrol-1\0stored\0nonce";
    assert_int_equal(enrol_proof("stored", view_of("nonce"), view_of(NULL), bytes, &len), ERR_OK);
    assert_int_equal(len, sizeof(want) - 1);
    assert_memory_equal(bytes, want, len);
    assert_int_equal(enrol_proof("stored", view_of("nonce"), view_of("csr"), bytes, &len), ERR_OK);
    crypto_sha256(view_of("csr"), digest);
    assert_int_equal(len, sizeof(want) - 1 + SHA256_SIZE);
    assert_memory_equal(bytes + sizeof(want) - 1, digest, SHA256_SIZE);
}

static void limits(void **state)
{
    (void)state;
    uint8_t bytes[ENROL_PROOF_SIZE];
    char nonce[ENROL_PROOF_NONCE_MAX + 1];
    size_t len = 0;
    memset(nonce, 'n', sizeof(nonce));
    assert_int_equal(enrol_proof("12345678", view_n(nonce, ENROL_PROOF_NONCE_MAX), view_of("c"), bytes, &len), ERR_OK);
    assert_true(len <= ENROL_PROOF_SIZE);
    assert_int_equal(enrol_proof("csr", view_n(nonce, sizeof(nonce)), view_of("c"), bytes, &len), ERR_LIMIT);
    assert_int_equal(enrol_proof("123456789", view_of("n"), view_of("c"), bytes, &len), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layout), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
