/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static const struct view topic = VIEW_LITERAL("muster/v1/up/3f/cam/state");

/* The MACs were computed with Python's hmac over "topic|address", key 00 01 02 .. 1f. */
static void values_are_those_of_another_implementation(void **state)
{
    (void)state;
    uint8_t key[STAMP_KEY_LEN];
    for (uint8_t i = 0; i < STAMP_KEY_LEN; i++) {
        key[i] = i;
    }
    static const struct {
        const char *address, *value;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1 ba65131a272a6c65dc19f41f6f5bcf4ddf5e22e9922a5b98240e48a6a048147f"},
        {"2001:db8::7", "2001:db8::7 b8b5a3302ce5ca8656e1ed97aab8a31b2e62bb0a020eafe764aa1a0de0dbf248"},
        {"192.0.2.1", "192.0.2.1 ba65131a272a6c65dc19f41f6f5bcf4ddf5e22e9922a5b98240e48a6a048147f"},
    };
    struct stamp *stamp = NULL;
    assert_int_equal(stamp_new(key, &stamp), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char value[STAMP_SIZE];
        assert_int_equal(stamp_write(stamp, topic, rows[i].address, value), ERR_OK);
        assert_string_equal(value, rows[i].value);
    }
    stamp_free(stamp);
    stamp_free(NULL);
}

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *address; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:0201", "192.0.2.1"},
        {"2001:DB8:0:0::7", "2001:db8::7"},
        {"::1", "::1"},
        {"", NULL},
        {"localhost", NULL},
        {"192.0.2", NULL},
        {"fe80::1%eth0", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char address[INET6_ADDRSTRLEN];
        assert_int_equal(stamp_address(rows[i].peer, address), rows[i].address != NULL ? ERR_OK : ERR_PARSE);
        if (rows[i].address != NULL) {
            assert_string_equal(address, rows[i].address);
        }
    }
}

static void the_longest_address_fits(void **state)
{
    (void)state;
    const char *longest = "1111:2222:3333:4444:5555:6666:7777:8888";
    uint8_t key[STAMP_KEY_LEN] = {0};
    struct stamp *stamp = NULL;
    char value[STAMP_SIZE];
    char address[INET6_ADDRSTRLEN];
    assert_int_equal(stamp_new(key, &stamp), ERR_OK);
    assert_int_equal(stamp_address(longest, address), ERR_OK);
    assert_int_equal(stamp_write(stamp, topic, address, value), ERR_OK);
    assert_int_equal(strlen(value), strlen(longest) + 1 + 64);
    stamp_free(stamp);
}

static void shard_is_the_first_byte_of_the_digest(void **state)
{
    (void)state;
    uint8_t shard = 0;
    assert_int_equal(stamp_shard(view_of("cam-1"), &shard), ERR_OK);
    assert_int_equal(shard, 0x1f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_another_implementation),
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(the_longest_address_fits),
        cmocka_unit_test(shard_is_the_first_byte_of_the_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
