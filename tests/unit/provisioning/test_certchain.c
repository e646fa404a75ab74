/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/certchain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1795365780) /* 2026-11-22T16:43:00Z */
#define DAY 86400

static struct key_rng *rng;

/** Authorities of two fleets, in memory; and a leaf of each profile for clients. */
struct certified {
    struct key *key;
    uint8_t der[CERT_DER_MAX];
    size_t len;
    struct certread cert;
};
static struct certified ours[CERT_CLAIM_CA + 1], theirs[CERT_CLAIM_CA + 1];

static struct view der_of(const struct certified *certified)
{
    return view_n((const char *)certified->der, certified->len);
}

/** @param issuer NULL: signs itself. */
static void certify(const struct cert_subject *subject, const struct certified *issuer, uint32_t days,
                    struct certified *ret)
{
    uint8_t point[KEY_POINT_SIZE];
    assert_int_equal(key_make(rng, &ret->key), ERR_OK);
    key_public(ret->key, point);
    struct cert_request request = {.subject = subject, .point = point, .validity = cert_validity_of(NOW, days)};
    cert_serial_make(request.serial);
    struct cert_signer signer = {.key = ret->key};
    if (issuer != NULL) {
        signer = (struct cert_signer){.name = issuer->cert.subject,
                                      .key_id = issuer->cert.key_id,
                                      .validity = issuer->cert.validity,
                                      .key = issuer->key};
    }
    assert_int_equal(cert_build(&request, &signer, ret->der, &ret->len, NULL), ERR_OK);
    assert_int_equal(certread_parse(der_of(ret), &ret->cert), ERR_OK);
}

static void make_fleet(struct certified fleet[static CERT_CLAIM_CA + 1])
{
    static const char *const names[] = {"t root CA", "t device CA", "t service CA", "t server CA", "t claim CA"};
    for (enum cert_profile profile = CERT_ROOT_CA; profile <= CERT_CLAIM_CA; profile++) {
        const struct cert_subject subject = {.profile = profile, .common_name = view_of(names[profile])};
        certify(&subject, profile == CERT_ROOT_CA ? NULL : &fleet[CERT_ROOT_CA], 1000, &fleet[profile]);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK) {
        return -1;
    }
    make_fleet(ours);
    make_fleet(theirs);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        key_free(ours[i].key);
        key_free(theirs[i].key);
    }
    key_rng_free(rng);
    return 0;
}

/** Verifies a chain of @p leaf and @p ca at @p now_s, trusting the root of ours. */
static enum err verify_at(const struct certified *leaf, const struct certified *ca, enum cert_profile profile,
                          int64_t now_s, bool lags, int64_t *ret_signed_s)
{
    const struct view roots[] = {der_of(&theirs[CERT_CLAIM_CA]), der_of(&ours[CERT_ROOT_CA])};
    const struct view chain[] = {der_of(leaf), der_of(ca)};
    const struct certchain_rules rules = {
        .profile = profile, .roots = roots, .roots_len = 2, .now_s = now_s, .clock_lags = lags};
    struct certread cert;
    struct errinfo info = {0};
    enum err err = certchain_verify(chain, 2, &rules, &cert, ret_signed_s, &info);
    assert_int_equal(err == ERR_OK, info.text[0] == '\0');
    if (err == ERR_OK) {
        assert_true(view_equal(cert.common_name, leaf->cert.common_name));
    }
    return err;
}

static const struct cert_subject subjects[] = {
    {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")},
    {.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-prov-1")},
    {.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("claim-b1")},
};

/** Every leaf under every issuing CA, asked for as every profile: right in one place only. */
static void test_leaf_issuer_and_question_belong_together(void **state)
{
    (void)state;
    for (size_t l = 0; l < ARRAY_LEN(subjects); l++) {
        for (enum cert_profile ca = CERT_DEVICE_CA; ca <= CERT_CLAIM_CA; ca++) {
            struct certified leaf = {0};
            certify(&subjects[l], &ours[ca], 10, &leaf);
            for (size_t q = 0; q < ARRAY_LEN(subjects); q++) {
                bool right = l == q && ca == cert_profile_issuer(subjects[l].profile);
                assert_int_equal(verify_at(&leaf, &ours[ca], subjects[q].profile, NOW, false, NULL),
                                 right ? ERR_OK : ERR_AUTH);
            }
            key_free(leaf.key);
        }
    }
}

static void test_another_fleet_of_the_same_names(void **state)
{
    (void)state;
    struct certified leaf = {0};
    certify(&subjects[1], &theirs[CERT_SERVICE_CA], 10, &leaf);
    assert_int_equal(verify_at(&leaf, &theirs[CERT_SERVICE_CA], CERT_SERVICE, NOW, false, NULL), ERR_AUTH);
    assert_int_equal(verify_at(&leaf, &ours[CERT_SERVICE_CA], CERT_SERVICE, NOW, false, NULL), ERR_AUTH);
    key_free(leaf.key);
}

static void test_a_leaf_is_no_authority(void **state)
{
    (void)state;
    struct certified first = {0};
    struct certified second = {0};
    const struct cert_subject below = {.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-b")};
    certify(&subjects[1], &ours[CERT_SERVICE_CA], 10, &first);
    certify(&below, &first, 5, &second);
    assert_int_equal(verify_at(&second, &first, CERT_SERVICE, NOW, false, NULL), ERR_AUTH);
    assert_int_equal(verify_at(&first, &ours[CERT_ROOT_CA], CERT_SERVICE, NOW, false, NULL), ERR_AUTH);
    key_free(first.key);
    key_free(second.key);
}

static void test_times(void **state)
{
    (void)state;
    struct certified leaf = {0};
    int64_t signed_s = 0;
    certify(&subjects[1], &ours[CERT_SERVICE_CA], 10, &leaf);
    const struct {
        int64_t now_s;
        bool lags;
        enum err err;
    } rows[] = {
        {leaf.cert.validity.not_before_s, false, ERR_OK},
        {leaf.cert.validity.not_before_s - 1, false, ERR_RANGE},
        {leaf.cert.validity.not_before_s - 1000 * DAY, true, ERR_OK},
        {leaf.cert.validity.not_after_s, false, ERR_OK},
        {leaf.cert.validity.not_after_s + 1, false, ERR_RANGE},
        {leaf.cert.validity.not_after_s + 1, true, ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(verify_at(&leaf, &ours[CERT_SERVICE_CA], CERT_SERVICE, rows[i].now_s, rows[i].lags, &signed_s),
                         rows[i].err);
    }
    assert_int_equal(signed_s, leaf.cert.validity.not_before_s);
    key_free(leaf.key);
}

static void test_every_damaged_byte_is_noticed(void **state)
{
    (void)state;
    struct certified leaf = {0};
    certify(&subjects[1], &ours[CERT_SERVICE_CA], 10, &leaf);
    for (size_t i = 0; i < leaf.len; i++) {
        struct certified bad = leaf;
        bad.der[i] ^= 1;
        assert_int_not_equal(verify_at(&bad, &ours[CERT_SERVICE_CA], CERT_SERVICE, NOW, false, NULL), ERR_OK);
    }
    key_free(leaf.key);
}

static void test_a_chain_has_two(void **state)
{
    (void)state;
    const struct view root = der_of(&ours[CERT_ROOT_CA]);
    const struct view chain[] = {der_of(&ours[CERT_SERVICE_CA]), root, root};
    const struct certchain_rules rules = {.profile = CERT_SERVICE, .roots = &root, .roots_len = 1, .now_s = NOW};
    struct certread leaf;
    for (size_t len = 0; len <= 3; len++) {
        assert_int_equal(certchain_verify(chain, len, &rules, &leaf, NULL, NULL), ERR_AUTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_issuer_and_question_belong_together),
        cmocka_unit_test(test_another_fleet_of_the_same_names),
        cmocka_unit_test(test_a_leaf_is_no_authority),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_every_damaged_byte_is_noticed),
        cmocka_unit_test(test_a_chain_has_two),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
