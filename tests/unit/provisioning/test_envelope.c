/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provisioning/cert.h"

#define NOW     INT64_C(1795365780) /* 2026-11-22T16:43:00Z */
#define PAYLOAD VIEW_LITERAL("{\"v\":1,\"op\":\"nonce\"}")

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

static struct view bytes(const uint8_t *data, size_t len)
{
    return view_n((const char *)data, len);
}

static void test_key_purpose_and_payload_count(void **state)
{
    (void)state;
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len;
    assert_int_equal(envelope_sign(key, ENVELOPE_PROV, PAYLOAD, signature, &len), ERR_OK);
    struct view mine = bytes(point, sizeof(point));
    struct view sig = bytes(signature, len);
    assert_int_equal(envelope_verify(mine, ENVELOPE_PROV, PAYLOAD, sig), ERR_OK);
    assert_int_equal(envelope_verify(mine, ENVELOPE_MANIFEST, PAYLOAD, sig), ERR_AUTH);
    assert_int_equal(envelope_verify(mine, ENVELOPE_PROV, VIEW_LITERAL("{}"), sig), ERR_AUTH);
    assert_int_equal(envelope_verify(bytes(other_point, sizeof(other_point)), ENVELOPE_PROV, PAYLOAD, sig), ERR_AUTH);
    assert_int_equal(envelope_verify(bytes(point, 10), ENVELOPE_PROV, PAYLOAD, sig), ERR_INVALID);
    /* what is signed: the purpose, one NUL, the payload, as the documentation says */
    struct view plain = VIEW_LITERAL("muster-prov-1\0{\"v\":1,\"op\":\"nonce\"}");
    assert_int_equal(key_verify(mine, plain, sig), ERR_OK);
}

/** Root, CA and a leaf called @p name; the leaf's key is `key`. */
struct chain {
    uint8_t root[CERT_DER_MAX], ca[CERT_DER_MAX], leaf[CERT_DER_MAX];
    size_t root_len, ca_len, leaf_len;
};

static size_t certify(enum cert_profile profile, const char *name, struct key *subject, struct key *issuer,
                      struct view issuer_der, uint8_t der[static CERT_DER_MAX])
{
    const struct cert_subject what = {.profile = profile, .common_name = view_of(name)};
    uint8_t own[KEY_POINT_SIZE];
    size_t len;
    key_public(subject, own);
    struct cert_request request = {.subject = &what, .point = own, .validity = cert_validity_of(NOW, 9)};
    cert_serial_make(request.serial);
    struct cert_signer signer = {.key = issuer};
    struct certread cert;
    if (issuer_der.len > 0) {
        assert_int_equal(certread_parse(issuer_der, &cert), ERR_OK);
        signer = (struct cert_signer){cert.subject, cert.key_id, cert.validity, issuer};
    }
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_OK);
    return len;
}

static void test_the_name_on_the_chain_is_asked_for(void **state)
{
    (void)state;
    struct chain c;
    struct key *ca_key = NULL;
    assert_int_equal(key_make(rng, &ca_key), ERR_OK);
    c.root_len = certify(CERT_ROOT_CA, "t root CA", other, other, view_n(NULL, 0), c.root);
    c.ca_len = certify(CERT_SERVICE_CA, "t service CA", ca_key, other, bytes(c.root, c.root_len), c.ca);
    c.leaf_len = certify(CERT_SERVICE, "svc-prov-1", key, ca_key, bytes(c.ca, c.ca_len), c.leaf);
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len;
    assert_int_equal(envelope_sign(key, ENVELOPE_PROV, PAYLOAD, signature, &len), ERR_OK);
    const struct view chain[] = {bytes(c.leaf, c.leaf_len), bytes(c.ca, c.ca_len)};
    const struct view root = bytes(c.root, c.root_len);
    struct envelope_signed envelope = {chain, 2, PAYLOAD, bytes(signature, len)};
    const struct certchain_rules rules = {.profile = CERT_SERVICE, .roots = &root, .roots_len = 1, .now_s = NOW};
    struct errinfo info = {0};
    int64_t signed_s = 0;
    struct view prov = VIEW_LITERAL("svc-prov");
    assert_int_equal(envelope_verify_chain(&envelope, &rules, ENVELOPE_PROV, prov, &signed_s, &info), ERR_OK);
    assert_int_equal(signed_s, NOW - 3600);
    assert_int_equal(envelope_verify_chain(&envelope, &rules, ENVELOPE_PROV, VIEW_LITERAL("svc-coord"), NULL, &info),
                     ERR_AUTH);
    assert_non_null(strstr(info.text, "svc-prov-1"));
    envelope.payload = VIEW_LITERAL("{}");
    assert_int_equal(envelope_verify_chain(&envelope, &rules, ENVELOPE_PROV, prov, NULL, &info), ERR_AUTH);
    envelope.payload = PAYLOAD;
    envelope.chain_len = 1;
    assert_int_equal(envelope_verify_chain(&envelope, &rules, ENVELOPE_PROV, prov, NULL, &info), ERR_AUTH);
    key_free(ca_key);
}

static void test_a_file_gives_its_payload_to_who_knows_the_key(void **state)
{
    (void)state;
    struct strbuf text;
    struct strbuf payload;
    struct errinfo info = {0};
    strbuf_init(&text, ENVELOPE_FILE_MAX);
    strbuf_init(&payload, ENVELOPE_PAYLOAD_MAX);
    assert_int_equal(envelope_seal(key, ENVELOPE_MANIFEST, PAYLOAD, &text), ERR_OK);
    struct view mine = bytes(point, sizeof(point));
    assert_int_equal(envelope_open(strbuf_view(&text), mine, ENVELOPE_MANIFEST, &payload, &info), ERR_OK);
    assert_true(view_equal(strbuf_view(&payload), PAYLOAD));
    strbuf_clear(&payload);
    struct view theirs = bytes(other_point, sizeof(other_point));
    assert_int_equal(envelope_open(strbuf_view(&text), theirs, ENVELOPE_MANIFEST, &payload, &info), ERR_AUTH);
    assert_int_equal(envelope_open(strbuf_view(&text), mine, ENVELOPE_PROV, &payload, &info), ERR_AUTH);
    assert_int_equal(payload.len, 0);
    strbuf_deinit(&payload);
    strbuf_deinit(&text);
}

static void test_what_is_no_envelope(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "[1]",
        "{\"v\":2,\"payload\":\"AA==\",\"sig\":\"AA==\"}",
        "{\"v\":1,\"payload\":\"AA=\",\"sig\":\"AA==\"}",
        "{\"v\":1,\"payload\":\"AA==\",\"sig\":7}",
        "{\"v\":1,\"payload\":\"AA==\",\"sig\":\"AA==\",\"more\":1}",
        "{\"v\":1,\"payload\":\"AA==\",\"payload\":\"AQ==\",\"sig\":\"AA==\"}",
    };
    struct strbuf payload;
    strbuf_init(&payload, ENVELOPE_PAYLOAD_MAX);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct errinfo info = {0};
        assert_int_equal(
            envelope_open(view_of(texts[i]), bytes(point, sizeof(point)), ENVELOPE_MANIFEST, &payload, &info),
            ERR_PARSE);
        assert_true(info.text[0] != '\0');
    }
    assert_int_equal(payload.len, 0);
    strbuf_deinit(&payload);
}

static void test_the_largest_payload(void **state)
{
    (void)state;
    struct strbuf text;
    struct strbuf payload;
    strbuf_init(&text, ENVELOPE_FILE_MAX);
    strbuf_init(&payload, ENVELOPE_PAYLOAD_MAX);
    char *big = calloc(1, ENVELOPE_PAYLOAD_MAX + 1);
    assert_non_null(big);
    assert_int_equal(envelope_seal(key, ENVELOPE_MANIFEST, view_n(big, ENVELOPE_PAYLOAD_MAX + 1), &text), ERR_LIMIT);
    strbuf_clear(&text);
    assert_int_equal(envelope_seal(key, ENVELOPE_MANIFEST, view_n(big, ENVELOPE_PAYLOAD_MAX), &text), ERR_OK);
    assert_int_equal(envelope_open(strbuf_view(&text), bytes(point, sizeof(point)), ENVELOPE_MANIFEST, &payload, NULL),
                     ERR_OK);
    assert_int_equal(payload.len, ENVELOPE_PAYLOAD_MAX);
    free(big);
    strbuf_deinit(&payload);
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_purpose_and_payload_count),
        cmocka_unit_test(test_the_name_on_the_chain_is_asked_for),
        cmocka_unit_test(test_a_file_gives_its_payload_to_who_knows_the_key),
        cmocka_unit_test(test_what_is_no_envelope),
        cmocka_unit_test(test_the_largest_payload),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
