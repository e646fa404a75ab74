/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn.h>

#include "base/crypto.h"
#include "provisioning/der.h"

static struct key_rng *rng;
static struct key *key;

/* Made by OpenSSL 3.0: O=Elsewhere, CN=cam-7, asks for CA:TRUE, another device's URN, a server's name and use. */
static const char greedy[] =
    "MIIBTTCB9QIBADAkMRIwEAYDVQQKDAlFbHNld2hlcmUxDjAMBgNVBAMMBWNhbS03MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"
    "8eHJM6uR/dux3H1JTRMExt7p4zDQGyIH8ZAxTuHM3EBUZdevlQxsu+5u2WSRgjsRFapRYimrvUNudm5Nesu64qBvMG0GCSqGSIb3"
    "DQEJDjFgMF4wDwYDVR0TAQH/BAUwAwEB/zA2BgNVHREELzAthhd1cm46bXVzdGVyOmRldmljZTpjYW0tMYISYnJva2VyLmV4YW1w"
    "bGUubmV0MBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0cAMEQCIBicwNmPLAAMCUhqmzL2sPD+a1rd0q+hPbNkCkiP"
    "qZjdAiALNx+H8w8vuserUKn+XgzMNM9w0Pj+pELSqTuL6CioFA==";

/* Made by OpenSSL 3.0: P-384, and P-256 signed with SHA-384. */
static const char p384[] =
    "MIIBCDCBjwIBADAQMQ4wDAYDVQQDDAVjYW0tMTB2MBAGByqGSM49AgEGBSuBBAAiA2IABPKEJpPvURiHUGgwHaOYRtr5VY4Hx7bt"
    "FhCgsurhMGA/Feqr3+OxJj9RID5pUg1Y4QAmSsH00rMpi+6qF8AKUnTIv+ZlniCZA4b4Byc1afLusZM1jsZClVDBHQM9lHWvmqAA"
    "MAoGCCqGSM49BAMDA2gAMGUCMEkP94Ua6vm5qMmiGb6ErYtGKRogjl0cwjX3DMBqorg86Sv7GJPDCjPTb1DIRJkB2QIxALByHfol"
    "7qhkxaMNKQWC5IuDT2QdtCSZKGpb0mGrQLWgSFgTA/Uk4bAMgXHvT5Q65Q==";
static const char sha384[] =
    "MIHKMHICAQAwEDEOMAwGA1UEAwwFY2FtLTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATx4ckzq5H927HcfUlNEwTG3unjMNAb"
    "IgfxkDFO4czcQFRl16+VDGy77m7ZZJGCOxEVqlFiKau9Q252bk16y7rioAAwCgYIKoZIzj0EAwMDSAAwRQIgS1am6qK6UR2Qd2uo"
    "dl2faNf2eBKGdbuuKMqYQDEc5poCIQDgMB5TgTjbsblL1Fs2pL5v/THyJROTPamtYwAEL8NeNw==";

static int set_up(void **state)
{
    (void)state;
    return key_rng_new(&rng) == ERR_OK && key_make(rng, &key) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    key_free(key);
    key_rng_free(rng);
    return 0;
}

static struct view decode(const char *text, uint8_t der[static CSR_DER_MAX])
{
    size_t len = 0;
    assert_int_equal(crypto_base64_decode(view_of(text), der, CSR_DER_MAX, &len), ERR_OK);
    return view_n((const char *)der, len);
}

static size_t build(uint8_t der[static CSR_DER_MAX])
{
    size_t len = 0;
    assert_int_equal(csr_build(key, VIEW_LITERAL("cam-1"), der, &len), ERR_OK);
    return len;
}

/** wolfSSL's word on a request: 0 when it is one and its key signed it. */
static int wolfssl_says(struct view der)
{
    struct DecodedCert *decoded = malloc(sizeof(*decoded));
    assert_non_null(decoded);
    wc_InitDecodedCert(decoded, (const byte *)der.ptr, (word32)der.len, NULL);
    int rc = wc_ParseCert(decoded, CERTREQ_TYPE, VERIFY, NULL);
    wc_FreeDecodedCert(decoded);
    free(decoded);
    return rc;
}

static void a_request_is_read_back(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX];
    uint8_t point[KEY_POINT_SIZE];
    struct csr csr;
    struct view request = view_n((const char *)der, build(der));
    assert_int_equal(csr_parse(request, &csr), ERR_OK);
    key_public(key, point);
    assert_true(view_equals(csr.common_name, "cam-1"));
    assert_int_equal(csr.point.len, KEY_POINT_SIZE);
    assert_memory_equal(csr.point.ptr, point, KEY_POINT_SIZE);
    assert_int_equal(wolfssl_says(request), 0);
}

static void names_have_a_length(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX];
    char name[CERT_COMMON_MAX + 1];
    size_t len;
    memset(name, 'a', sizeof(name));
    assert_int_equal(csr_build(key, view_n(name, 0), der, &len), ERR_INVALID);
    assert_int_equal(csr_build(key, view_n(name, CERT_COMMON_MAX), der, &len), ERR_OK);
    assert_int_equal(csr_build(key, view_n(name, CERT_COMMON_MAX + 1), der, &len), ERR_INVALID);
}

/* Of everything that such a request asks for, only the key comes out. */
static void wishes_are_read_over(void **state)
{
    (void)state;
    static const uint8_t start[] = {0x04, 0xf1, 0xe1, 0xc9};
    uint8_t der[CSR_DER_MAX];
    struct csr csr;
    assert_int_equal(csr_parse(decode(greedy, der), &csr), ERR_OK);
    assert_true(view_equals(csr.common_name, "cam-7"));
    assert_memory_equal(csr.point.ptr, start, sizeof(start));
}

static void other_algorithms_are_refused(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX];
    struct csr csr;
    assert_int_equal(csr_parse(decode(p384, der), &csr), ERR_UNSUPPORTED);
    assert_int_equal(csr_parse(decode(sha384, der), &csr), ERR_UNSUPPORTED);
}

/* One bit anywhere: never a request that is believed with another key or name, and never one that wolfSSL refuses. */
static void a_changed_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX];
    struct csr csr;
    size_t len = build(der);
    size_t forged = 0;
    for (size_t i = 0; i < len * 8; i++) {
        der[i / 8] ^= (uint8_t)(1u << i % 8);
        enum err err = csr_parse(view_n((const char *)der, len), &csr);
        assert_int_not_equal(err, ERR_OK);
        forged += err == ERR_AUTH;
        der[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(forged > len); /* most bits are the name's, the signature's and so on: read well, signed wrongly */
    assert_int_equal(csr_parse(view_n((const char *)der, len), &csr), ERR_OK);
}

/* The proof of possession: a request with somebody else's public key, signed by one's own. */
static void anothers_key_is_not_proven(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX];
    uint8_t point[KEY_POINT_SIZE];
    struct csr csr;
    struct key *other;
    size_t len = build(der);
    assert_int_equal(key_make(rng, &other), ERR_OK);
    assert_int_equal(csr_parse(view_n((const char *)der, len), &csr), ERR_OK);
    key_public(other, point);
    memcpy(der + (csr.point.ptr - (const char *)der), point, sizeof(point));
    assert_int_equal(csr_parse(view_n((const char *)der, len), &csr), ERR_AUTH);
    assert_int_not_equal(wolfssl_says(view_n((const char *)der, len)), 0);
    key_free(other);
}

static void cut_and_overlong_texts(void **state)
{
    (void)state;
    uint8_t der[CSR_DER_MAX + 1] = {0};
    struct csr csr;
    size_t len = build(der);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(csr_parse(view_n((const char *)der, i), &csr), ERR_PARSE);
    }
    assert_int_equal(csr_parse(view_n((const char *)der, len + 1), &csr), ERR_PARSE);
    assert_int_equal(csr_parse(view_n((const char *)der, sizeof(der)), &csr), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_back),   cmocka_unit_test(names_have_a_length),
        cmocka_unit_test(wishes_are_read_over),     cmocka_unit_test(other_algorithms_are_refused),
        cmocka_unit_test(a_changed_bit_is_noticed), cmocka_unit_test(anothers_key_is_not_proven),
        cmocka_unit_test(cut_and_overlong_texts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
