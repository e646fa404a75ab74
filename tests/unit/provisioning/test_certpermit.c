/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/certpermit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const domains[] = {"Example.net", "iot.example.org"};

static struct ip_prefix net(const char *text)
{
    struct ip_prefix prefix;
    assert_int_equal(ip_prefix_parse(view_of(text), &prefix), ERR_OK);
    return prefix;
}

static enum err check(struct view constraints, const char *dns, const char *address)
{
    struct ip ip;
    struct cert_subject subject = {.profile = CERT_SERVER};
    struct errinfo info = {0};
    if (dns != NULL) {
        subject.dns = &dns;
        subject.dns_len = 1;
    }
    if (address != NULL) {
        assert_int_equal(ip_parse(view_of(address), &ip), ERR_OK);
        subject.ips = &ip;
        subject.ips_len = 1;
    }
    enum err err = certpermit_check(constraints, &subject, &info);
    if (err != ERR_OK) {
        assert_non_null(strstr(info.text, dns != NULL ? dns : address));
    }
    return err;
}

static void test_names_and_networks(void **state)
{
    (void)state;
    const struct ip_prefix nets[] = {net("192.0.2.0/25"), net("2001:db8::/32")};
    const struct certpermit permit = {domains, 2, nets, 2};
    uint8_t der[CERTPERMIT_DER_MAX];
    size_t len;
    assert_int_equal(certpermit_encode(&permit, der, &len, NULL), ERR_OK);
    struct view constraints = view_n((const char *)der, len);
    static const struct {
        const char *dns, *ip;
        enum err err;
    } rows[] = {
        {"example.net", NULL, ERR_OK},         {"broker.EXAMPLE.net", NULL, ERR_OK},
        {"a.b.iot.example.org", NULL, ERR_OK}, {"badexample.net", NULL, ERR_DENIED},
        {"example.org", NULL, ERR_DENIED},     {"net", NULL, ERR_DENIED},
        {NULL, "192.0.2.127", ERR_OK},         {NULL, "192.0.2.128", ERR_DENIED},
        {NULL, "2001:db8:ffff::1", ERR_OK},    {NULL, "2001:db9::1", ERR_DENIED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(check(constraints, rows[i].dns, rows[i].ip), rows[i].err);
    }
}

static void test_what_is_not_given_is_forbidden(void **state)
{
    (void)state;
    uint8_t der[CERTPERMIT_DER_MAX];
    size_t len;
    const struct ip_prefix one = net("192.0.2.1/32");
    assert_int_equal(certpermit_encode(&(struct certpermit){.dns = domains, .dns_len = 1}, der, &len, NULL), ERR_OK);
    assert_int_equal(check(view_n((const char *)der, len), NULL, "192.0.2.1"), ERR_DENIED);
    assert_int_equal(check(view_n((const char *)der, len), NULL, "::1"), ERR_DENIED);
    assert_int_equal(certpermit_encode(&(struct certpermit){.nets = &one, .nets_len = 1}, der, &len, NULL), ERR_OK);
    assert_int_equal(check(view_n((const char *)der, len), "example.net", NULL), ERR_DENIED);
    assert_int_equal(check(view_n((const char *)der, len), NULL, "192.0.2.1"), ERR_OK);
    assert_int_equal(check(view_n((const char *)der, len), NULL, "2001:db8::1"), ERR_DENIED);
    assert_int_equal(certpermit_encode(&(struct certpermit){.dns = NULL}, der, &len, NULL), ERR_OK);
    assert_int_equal(len, 0);
    assert_int_equal(check(view_n(NULL, 0), "anything.example", NULL), ERR_OK);
    assert_int_equal(check(view_n(NULL, 0), NULL, "::1"), ERR_OK);
}

static void test_limits_and_damage(void **state)
{
    (void)state;
    uint8_t der[CERTPERMIT_DER_MAX];
    size_t len;
    const char *const wrong[] = {"-a.example"};
    struct ip_prefix many[CERTPERMIT_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = net("10.0.0.0/8");
    }
    assert_int_equal(certpermit_encode(&(struct certpermit){.dns = wrong, .dns_len = 1}, der, &len, NULL), ERR_INVALID);
    assert_int_equal(
        certpermit_encode(&(struct certpermit){.nets = many, .nets_len = CERTPERMIT_MAX + 1}, der, &len, NULL),
        ERR_LIMIT);
    assert_int_equal(certpermit_encode(&(struct certpermit){.nets = many, .nets_len = CERTPERMIT_MAX}, der, &len, NULL),
                     ERR_OK);
    for (size_t cut = 1; cut < len; cut++) {
        assert_int_equal(check(view_n((const char *)der, cut), NULL, "10.0.0.1"), ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_networks),
        cmocka_unit_test(test_what_is_not_given_is_forbidden),
        cmocka_unit_test(test_limits_and_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
