/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/crl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provisioning/der.h"

#define NOW 1795365780 /* 2026-11-22T16:43:00Z */

static const struct view name = VIEW_LITERAL("\x30\x00"); /* an empty Name will do here */
static const struct view key_id = VIEW_LITERAL("01234567890123456789");

struct parts {
    struct view whole_body;
    struct view entries; /* body of the list; empty when it was left out */
    bool has_entries;
    struct view signature;
};

static struct parts take_apart(struct view der)
{
    struct parts parts = {0};
    struct view outer;
    struct der_item body;
    struct der_item item;
    struct view field;
    int64_t time_s = 0;
    uint32_t version = 0;
    assert_int_equal(der_check(der), ERR_OK);
    assert_int_equal(der_expect(&der, DER_SEQUENCE, &outer), ERR_OK);
    assert_int_equal(der_next(&outer, &body), ERR_OK);
    parts.whole_body = body.whole;
    assert_int_equal(der_expect(&outer, DER_SEQUENCE, &field), ERR_OK);
    assert_int_equal(der_expect(&outer, DER_BIT_STRING, &field), ERR_OK);
    assert_int_equal(der_bits(field, &parts.signature), ERR_OK);
    assert_int_equal(der_expect(&body.body, DER_INTEGER, &field), ERR_OK);
    assert_int_equal(der_small(field, &version), ERR_OK);
    assert_int_equal(version, 1);
    assert_int_equal(der_expect(&body.body, DER_SEQUENCE, &field), ERR_OK); /* algorithm */
    assert_int_equal(der_next(&body.body, &item), ERR_OK);
    assert_true(view_equal(item.whole, name));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(der_next(&body.body, &item), ERR_OK);
        assert_int_equal(der_time(item.tag, item.body, &time_s), ERR_OK);
        assert_true(time_s == NOW + i * 86400);
    }
    assert_int_equal(der_optional(&body.body, DER_SEQUENCE, &parts.entries, &parts.has_entries), ERR_OK);
    assert_int_equal(der_expect(&body.body, DER_CONTEXT_CONSTRUCTED | 0, &field), ERR_OK);
    assert_int_equal(body.body.len + outer.len, 0);
    return parts;
}

static void lists_hold_their_entries_and_a_signature(void **state)
{
    (void)state;
    const size_t size = 65536;
    uint8_t *der = malloc(size);
    struct crl_entry *entries = calloc(1000, sizeof(*entries));
    struct key_rng *rng = NULL;
    struct key *key = NULL;
    uint8_t point[KEY_POINT_SIZE];
    assert_non_null(der);
    assert_non_null(entries);
    assert_int_equal(key_rng_new(&rng), ERR_OK);
    assert_int_equal(key_make(rng, &key), ERR_OK);
    key_public(key, point);
    const struct cert_signer signer = {.name = name, .key_id = key_id, .key = key};
    const struct crl_times times = {.this_update_s = NOW, .next_update_s = NOW + 86400};
    for (size_t i = 0; i < 1000; i++) { /* every second serial has its top bit set */
        entries[i] =
            (struct crl_entry){.serial = {(uint8_t)(1 + i % 255), (uint8_t)i}, .serial_len = 2, .revoked_s = NOW};
    }
    static const size_t counts[] = {0, 1, 2, 1000};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        size_t len = 0;
        assert_int_equal(crl_build(&signer, &times, entries, counts[i], der, size, &len), ERR_OK);
        struct parts parts = take_apart(view_n((const char *)der, len));
        assert_int_equal(parts.has_entries, counts[i] > 0);
        for (size_t k = 0; k < counts[i]; k++) {
            struct view entry;
            struct view number;
            struct view serial;
            assert_int_equal(der_expect(&parts.entries, DER_SEQUENCE, &entry), ERR_OK);
            assert_int_equal(der_expect(&entry, DER_INTEGER, &number), ERR_OK);
            assert_int_equal(der_uint(number, &serial), ERR_OK);
            assert_true(view_equal(serial, view_n((const char *)entries[k].serial, 2)));
        }
        assert_int_equal(parts.entries.len, 0);
        assert_int_equal(key_verify(view_n((const char *)point, sizeof(point)), parts.whole_body, parts.signature),
                         ERR_OK);
        size_t untouched = 77;
        assert_int_equal(crl_build(&signer, &times, entries, counts[i], der, len - 16, &untouched), ERR_LIMIT);
        assert_int_equal(untouched, 77);
    }
    const struct crl_times backwards = {.this_update_s = NOW, .next_update_s = NOW};
    size_t len;
    assert_int_equal(crl_build(&signer, &backwards, entries, 1, der, size, &len), ERR_RANGE);
    assert_int_equal(crl_build(&signer, &times, entries, CRL_ENTRIES_MAX + 1, der, size, &len), ERR_LIMIT);
    key_free(key);
    key_rng_free(rng);
    free(entries);
    free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_hold_their_entries_and_a_signature)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
