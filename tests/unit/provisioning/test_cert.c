/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn.h>

#include "provisioning/certread.h"
#include "provisioning/der.h"

#define NOW 1795365780 /* 2026-11-22T16:43:00Z */

static struct key_rng *rng;

/** A root and one issuing CA of each kind, in memory. */
static struct authority {
    struct key *key;
    uint8_t der[CERT_DER_MAX];
    size_t len;
    struct certread cert;
} authorities[CERT_CLAIM_CA + 1];

static struct cert_signer signer_of(enum cert_profile profile)
{
    struct authority *authority = &authorities[profile];
    return (struct cert_signer){
        .name = authority->cert.subject,
        .key_id = authority->cert.key_id,
        .validity = authority->cert.validity,
        .key = authority->key,
    };
}

static struct cert_request request_of(const struct cert_subject *subject, const uint8_t *point, uint32_t days)
{
    struct cert_request request = {.subject = subject, .point = point, .validity = cert_validity_of(NOW, days)};
    cert_serial_make(request.serial);
    return request;
}

static int set_up(void **state)
{
    (void)state;
    static const char *const names[] = {"t root CA", "t device CA", "t service CA", "t server CA", "t claim CA"};
    if (key_rng_new(&rng) != ERR_OK) {
        return -1;
    }
    for (enum cert_profile profile = CERT_ROOT_CA; profile <= CERT_CLAIM_CA; profile++) {
        struct authority *authority = &authorities[profile];
        const struct cert_subject subject = {.profile = profile, .common_name = view_of(names[profile])};
        uint8_t point[KEY_POINT_SIZE];
        if (key_make(rng, &authority->key) != ERR_OK) {
            return -1;
        }
        key_public(authority->key, point);
        struct cert_request request = request_of(&subject, point, cert_profile_days(profile));
        struct cert_signer self = {.key = authority->key};
        struct cert_signer root = signer_of(CERT_ROOT_CA);
        if (cert_build(&request, profile == CERT_ROOT_CA ? &self : &root, authority->der, &authority->len, NULL) !=
                ERR_OK ||
            certread_parse(view_n((const char *)authority->der, authority->len), &authority->cert) != ERR_OK) {
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
        key_free(authorities[i].key);
    }
    key_rng_free(rng);
    return 0;
}

/** wolfSSL's own parser as the second opinion. */
static void assert_wolfssl_agrees(const uint8_t *der, size_t len, const char *common_name, bool is_ca, int path_len)
{
    struct DecodedCert *decoded = malloc(sizeof(*decoded));
    assert_non_null(decoded);
    wc_InitDecodedCert(decoded, der, (word32)len, NULL);
    assert_int_equal(wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL), 0);
    assert_int_equal(decoded->subjectCNLen, strlen(common_name));
    assert_memory_equal(decoded->subjectCN, common_name, strlen(common_name));
    assert_int_equal(decoded->isCA, is_ca);
    assert_int_equal(decoded->pathLengthSet, path_len >= 0);
    if (path_len >= 0) {
        assert_int_equal(decoded->pathLength, path_len);
    }
    assert_int_equal(decoded->extBasicConstCrit, 1);
    assert_int_equal(decoded->extKeyUsageCrit, 1);
    assert_int_equal(decoded->serialSz, CERT_SERIAL_SIZE);
    wc_FreeDecodedCert(decoded);
    free(decoded);
}

static void authorities_have_their_constraints(void **state)
{
    (void)state;
    static const struct {
        enum cert_profile profile;
        const char *name;
        int path_len;
        bool client;
        bool server;
    } rows[] = {
        {CERT_ROOT_CA, "t root CA", 1, false, false},      {CERT_DEVICE_CA, "t device CA", 0, true, false},
        {CERT_SERVICE_CA, "t service CA", 0, true, false}, {CERT_SERVER_CA, "t server CA", 0, false, true},
        {CERT_CLAIM_CA, "t claim CA", 0, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct authority *authority = &authorities[rows[i].profile];
        assert_wolfssl_agrees(authority->der, authority->len, rows[i].name, true, rows[i].path_len);
        assert_true(authority->cert.is_ca);
        assert_true(authority->cert.has_path_len);
        assert_int_equal(authority->cert.path_len, rows[i].path_len);
        assert_int_equal(authority->cert.key_usage, 1 << 5 | 1 << 6);
        assert_int_equal(authority->cert.client_auth, rows[i].client);
        assert_int_equal(authority->cert.server_auth, rows[i].server);
        assert_int_equal(certread_verify(&authority->cert, &authorities[CERT_ROOT_CA].cert), ERR_OK);
        assert_true(view_equal(authority->cert.authority_id, authorities[CERT_ROOT_CA].cert.key_id));
        assert_int_equal(authority->cert.alt_names.len, 0);
        assert_int_equal(authority->cert.constraints.len > 0, rows[i].client);
    }
    assert_int_equal(certread_verify(&authorities[CERT_DEVICE_CA].cert, &authorities[CERT_SERVER_CA].cert), ERR_AUTH);
}

static void assert_alt_names(struct view alt_names, const struct view *want, const uint8_t *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct view body;
        assert_int_equal(der_expect(&alt_names, tags[i], &body), ERR_OK);
        assert_true(view_equal(body, want[i]));
    }
    assert_int_equal(alt_names.len, 0);
}

static void issue(const struct cert_subject *subject, uint8_t der[static CERT_DER_MAX], struct certread *cert)
{
    uint8_t point[KEY_POINT_SIZE];
    size_t len = 0;
    struct key *key = NULL;
    assert_int_equal(key_make(rng, &key), ERR_OK);
    key_public(key, point);
    struct cert_request request = request_of(subject, point, cert_profile_days(subject->profile));
    enum cert_profile issuer = cert_profile_issuer(subject->profile);
    struct cert_signer signer = signer_of(issuer);
    struct errinfo info = {0};
    if (cert_build(&request, &signer, der, &len, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    assert_int_equal(certread_parse(view_n((const char *)der, len), cert), ERR_OK);
    assert_int_equal(certread_verify(cert, &authorities[issuer].cert), ERR_OK);
    assert_true(view_equal(cert->common_name, subject->common_name));
    assert_true(view_equal(cert->point, view_n((const char *)point, sizeof(point))));
    assert_true(view_equal(cert->serial, view_n((const char *)request.serial, sizeof(request.serial))));
    assert_int_equal(cert->key_usage, 1);
    assert_false(cert->is_ca);
    assert_true(cert->validity.not_before_s == NOW - 3600);
    char name[CERT_COMMON_MAX + 1];
    assert_int_equal(view_copy(subject->common_name, name, sizeof(name)), ERR_OK);
    assert_wolfssl_agrees(der, len, name, false, -1);
    key_free(key);
}

static void leaves_say_what_their_profile_says(void **state)
{
    (void)state;
    uint8_t der[CERT_DER_MAX];
    struct certread cert;
    const struct cert_subject device = {.profile = CERT_DEVICE,
                                        .common_name = VIEW_LITERAL("cam-00000000000000000000000000000000-001")};
    issue(&device, der, &cert);
    const struct view urn = VIEW_LITERAL("urn:muster:device:cam-00000000000000000000000000000000-001");
    assert_alt_names(cert.alt_names, &urn, (const uint8_t[]){0x86}, 1);
    assert_true(cert.client_auth && !cert.server_auth);

    const struct cert_subject service = {.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-coordinator")};
    issue(&service, der, &cert);
    assert_int_equal(cert.alt_names.len, 0);
    assert_true(cert.client_auth && !cert.server_auth);

    static const char *const dns[] = {"Broker.Example.NET.", "localhost"};
    const struct ip ips[] = {{.family = IP_V4, .bytes = {127, 0, 0, 1}}, {.family = IP_V6, .bytes = {[15] = 1}}};
    const struct cert_subject server = {.profile = CERT_SERVER,
                                        .common_name = VIEW_LITERAL("Core broker (hall 3)"),
                                        .dns = dns,
                                        .dns_len = 2,
                                        .ips = ips,
                                        .ips_len = 2};
    issue(&server, der, &cert);
    const struct view names[] = {VIEW_LITERAL("broker.example.net"), VIEW_LITERAL("localhost"),
                                 VIEW_LITERAL("\x7f\0\0\1"), VIEW_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")};
    assert_alt_names(cert.alt_names, names, (const uint8_t[]){0x82, 0x82, 0x87, 0x87}, 4);
    assert_true(cert.server_auth && !cert.client_auth);
}

static void subjects_are_judged_by_their_profile(void **state)
{
    (void)state;
    static const char *const dns[] = {"broker.example.net"};
    static const char *const wildcard[] = {"*.example.net"};
    static const char *const address[] = {"192.0.2.1"};
    static const struct ip no_ip[1];
    static const struct {
        struct cert_subject subject;
        enum err err;
    } rows[] = {
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("a")}, ERR_OK},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("0123456789012345678901234567890123456789")}, ERR_OK},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("01234567890123456789012345678901234567890")},
         ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("Cam-1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam_1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam/1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam 1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam+1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam#")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam\0")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("c\xc3\xa4m")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("svc-")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("svc-x")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("svcx")}, ERR_OK},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("claim-b1")}, ERR_INVALID},
        {{.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("claim-b1")}, ERR_INVALID},
        {{.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("claim-b1")}, ERR_OK},
        {{.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("claim-")}, ERR_INVALID},
        {{.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("svc-1")}, ERR_INVALID},
        {{.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("cam-1")}, ERR_INVALID},
        {{.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("a"), .dns = dns, .dns_len = 1}, ERR_INVALID},
        {{.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-x")}, ERR_OK},
        {{.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-")}, ERR_INVALID},
        {{.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("cam-1")}, ERR_INVALID},
        {{.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("SVC-x")}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .dns = dns, .dns_len = 1}, ERR_OK},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b")}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL(""), .dns = dns, .dns_len = 1}, ERR_LIMIT},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b\n"), .dns = dns, .dns_len = 1}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .dns = wildcard, .dns_len = 1}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .dns = address, .dns_len = 1}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .ips = no_ip, .ips_len = 1}, ERR_INVALID},
        {{.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .dns = dns, .dns_len = CERT_SAN_MAX + 1},
         ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        enum err err = cert_subject_check(&rows[i].subject, &info);
        if (err != rows[i].err) {
            fail_msg("row %zu: %s", i, err_name(err));
        }
        assert_int_equal(info.text[0] != '\0', err != ERR_OK);
    }
}

static void build_checks_signer_and_validity(void **state)
{
    (void)state;
    uint8_t der[CERT_DER_MAX];
    size_t len = 0;
    const struct cert_subject device = {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")};
    const struct cert_subject root = {.profile = CERT_ROOT_CA, .common_name = VIEW_LITERAL("r")};
    const struct cert_subject wrong = {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("svc-1")};
    const uint8_t *point = (const uint8_t *)authorities[CERT_ROOT_CA].cert.point.ptr;
    struct cert_signer signer = signer_of(CERT_DEVICE_CA);
    struct cert_signer self = {.key = authorities[CERT_ROOT_CA].key};
    struct cert_request request = request_of(&device, point, 10);
    assert_int_equal(cert_build(&request, &self, der, &len, NULL), ERR_STATE);
    request.subject = &root;
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_STATE);
    request.subject = &wrong;
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_INVALID);
    request.subject = &device;
    request.validity.not_after_s = signer.validity.not_after_s + 1;
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_RANGE);
    request.validity = cert_validity_of(NOW - 1, 10); /* a second before the CA */
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_RANGE);
    request.validity = (struct cert_validity){.not_before_s = NOW, .not_after_s = NOW};
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_RANGE);
    assert_int_equal(len, 0);
}

static void a_flipped_bit_anywhere_is_noticed(void **state)
{
    (void)state;
    const struct authority *device_ca = &authorities[CERT_DEVICE_CA];
    uint8_t der[CERT_DER_MAX];
    struct certread original;
    const struct cert_subject subject = {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")};
    issue(&subject, der, &original);
    size_t body_start = (size_t)((const uint8_t *)original.body.ptr - der);
    for (size_t i = body_start; i < body_start + original.body.len; i++) {
        uint8_t copy[CERT_DER_MAX];
        memcpy(copy, der, sizeof(copy));
        copy[i] ^= 1;
        struct certread cert;
        size_t len = (size_t)((const uint8_t *)original.signature.ptr + original.signature.len - der);
        if (certread_parse(view_n((const char *)copy, len), &cert) == ERR_OK) {
            assert_int_equal(certread_verify(&cert, &device_ca->cert), ERR_AUTH);
        }
    }
}

static void cut_certificates_are_refused(void **state)
{
    (void)state;
    const struct authority *root = &authorities[CERT_ROOT_CA];
    struct certread cert;
    for (size_t len = 0; len < root->len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, root->der, len);
        assert_int_not_equal(certread_parse(view_n((const char *)exact, len), &cert), ERR_OK);
        free(exact);
    }
    uint8_t longer[CERT_DER_MAX] = {0};
    memcpy(longer, root->der, root->len);
    assert_int_equal(certread_parse(view_n((const char *)longer, root->len + 1), &cert), ERR_PARSE);
}

static void serials_are_positive_and_long(void **state)
{
    (void)state;
    uint8_t last[CERT_SERIAL_SIZE] = {0};
    for (int i = 0; i < 2000; i++) {
        uint8_t serial[CERT_SERIAL_SIZE];
        cert_serial_make(serial);
        assert_in_range(serial[0], 1, 0x7f);
        assert_memory_not_equal(serial, last, sizeof(serial));
        memcpy(last, serial, sizeof(last));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authorities_have_their_constraints),   cmocka_unit_test(leaves_say_what_their_profile_says),
        cmocka_unit_test(subjects_are_judged_by_their_profile), cmocka_unit_test(build_checks_signer_and_validity),
        cmocka_unit_test(a_flipped_bit_anywhere_is_noticed),    cmocka_unit_test(cut_certificates_are_refused),
        cmocka_unit_test(serials_are_positive_and_long),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
