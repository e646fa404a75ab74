/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/crlread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "provisioning/crl.h"
#include "provisioning/der.h"
#include "provisioning/x509.h"

#define NOW 1795365780 /* 2026-11-22T16:43:00Z */

static const struct view key_id = VIEW_LITERAL("01234567890123456789");

struct maker {
    struct key_rng *rng;
    struct key *key;
    uint8_t point[KEY_POINT_SIZE];
    uint8_t name[64];
    size_t name_len;
};

static struct maker maker_new(const char *common_name)
{
    struct maker maker = {.rng = NULL};
    struct der_writer w;
    der_writer_init(&w, maker.name, sizeof(maker.name));
    x509_put_name(&w, view_of(common_name));
    assert_int_equal(der_writer_end(&w, &maker.name_len), ERR_OK);
    assert_int_equal(key_rng_new(&maker.rng), ERR_OK);
    assert_int_equal(key_make(maker.rng, &maker.key), ERR_OK);
    key_public(maker.key, maker.point);
    return maker;
}

static void maker_free(struct maker *maker)
{
    key_free(maker->key);
    key_rng_free(maker->rng);
}

static struct view bytes(const uint8_t *data, size_t len)
{
    return view_n((const char *)data, len);
}

static size_t make(const struct maker *maker, const struct crl_entry *entries, size_t entries_len, uint8_t *der,
                   size_t size)
{
    size_t len = 0;
    const struct cert_signer signer = {
        .name = bytes(maker->name, maker->name_len), .key_id = key_id, .key = maker->key};
    const struct crl_times times = {.this_update_s = NOW, .next_update_s = NOW + 7 * 86400};
    assert_int_equal(crl_build(&signer, &times, entries, entries_len, der, size, &len), ERR_OK);
    return len;
}

static void what_is_built_is_read(void **state)
{
    (void)state;
    struct maker maker = maker_new("test devices CA");
    struct maker other = maker_new("test devices CA");
    struct maker third = maker_new("test services CA");
    const struct crl_entry entries[] = {{.serial = {0x7f}, .serial_len = 1, .revoked_s = NOW},
                                        {.serial = {0x80, 0x01}, .serial_len = 2, .revoked_s = NOW}};
    for (size_t count = 0; count <= ARRAY_LEN(entries); count++) {
        uint8_t der[512];
        struct crlread crl;
        size_t len = make(&maker, entries, count, der, sizeof(der));
        assert_int_equal(crlread_parse(bytes(der, len), &crl), ERR_OK);
        assert_int_equal(crl.entries_len, count);
        assert_true(crl.this_update_s == NOW && crl.next_update_s == NOW + 7 * 86400);
        assert_int_equal(crlread_has(&crl, VIEW_LITERAL("\x7f")), count > 0);
        assert_int_equal(crlread_has(&crl, VIEW_LITERAL("\x80\x01")), count > 1);
        assert_false(crlread_has(&crl, VIEW_LITERAL("\x01")));
        struct certread issuer = {.subject = bytes(maker.name, maker.name_len), .point = bytes(maker.point, 65)};
        assert_int_equal(crlread_verify(&crl, &issuer), ERR_OK);
        issuer.point = bytes(other.point, 65);
        assert_int_equal(crlread_verify(&crl, &issuer), ERR_AUTH);
        issuer = (struct certread){.subject = bytes(third.name, third.name_len), .point = bytes(maker.point, 65)};
        assert_int_equal(crlread_verify(&crl, &issuer), ERR_AUTH);
    }
    maker_free(&maker);
    maker_free(&other);
    maker_free(&third);
}

/* Every list that was cut or has one bit turned is refused, or no longer verifies. */
static void damage_is_found(void **state)
{
    (void)state;
    struct maker maker = maker_new("test devices CA");
    const struct crl_entry entry = {.serial = {0x11, 0x22}, .serial_len = 2, .revoked_s = NOW};
    const struct certread issuer = {.subject = bytes(maker.name, maker.name_len), .point = bytes(maker.point, 65)};
    uint8_t der[512];
    struct crlread crl;
    size_t len = make(&maker, &entry, 1, der, sizeof(der));
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(crlread_parse(bytes(der, cut), &crl), ERR_OK);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        der[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(crlread_parse(bytes(der, len), &crl) != ERR_OK || crlread_verify(&crl, &issuer) != ERR_OK);
        der[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(crlread_parse(bytes(der, len), &crl), ERR_OK);
    maker_free(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_is_read),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
