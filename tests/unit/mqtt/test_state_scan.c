/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/messages.h"

#define HEAD "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3"

static uint64_t hash_of(const char *text)
{
    struct state_scan scan;
    assert_int_equal(state_scan(view_of(text), &scan), ERR_OK);
    return scan.content_hash;
}

static void time_and_reason_do_not_count_as_content(void **state)
{
    (void)state;
    uint64_t plain = hash_of(HEAD ",\"ip4\":\"192.0.2.1\"}");
    assert_true(plain == hash_of(HEAD ",\"ts\":5,\"tsq\":\"ntp\",\"why\":\"heartbeat\",\"ip4\":\"192.0.2.1\"}"));
    assert_true(plain == hash_of(HEAD ",\"ts\":6,\"ip4\":\"192.0.2.1\",\"why\":\"repeat\" }"));
}

static void every_other_byte_counts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HEAD "}",
        HEAD ",\"ip4\":null}",
        HEAD ",\"ip4\":\"192.0.2.1\"}",
        HEAD ",\"ip4\":\"192.0.2.2\"}",
        HEAD ",\"ip6\":\"192.0.2.1\"}",
        HEAD ",\"ip41\":\"92.0.2.1\"}",
        HEAD ",\"x\":0}",
        HEAD ",\"ts\":1,\"Ts\":1}",
    };
    uint64_t hashes[ARRAY_LEN(texts)];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        hashes[i] = hash_of(texts[i]);
        for (size_t k = 0; k < i; k++) {
            assert_true(hashes[k] != hashes[i]);
        }
    }
}

/* A reconnect raises conn and seq and changes nothing else: its content must look the same. */
static void order_and_presence_are_not_content(void **state)
{
    (void)state;
    uint64_t plain = hash_of("{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3,\"ip4\":\"192.0.2.1\"}");
    assert_true(plain == hash_of("{\"v\":1,\"s\":\"off\",\"boot\":9,\"conn\":8,\"seq\":7,\"ip4\":\"192.0.2.1\"}"));
    assert_true(plain != hash_of("{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3,\"ip4\":\"192.0.2.9\"}"));
}

static void repeat_is_told(void **state)
{
    (void)state;
    struct state_scan scan;
    const char *text = HEAD ",\"why\":\"repeat\"}";
    assert_int_equal(state_scan(view_of(text), &scan), ERR_OK);
    assert_true(scan.repeat);
    text = HEAD ",\"why\":\"heartbeat\"}";
    assert_int_equal(state_scan(view_of(text), &scan), ERR_OK);
    assert_false(scan.repeat);
}

/* A single changed address byte among 65,536 spreads over the whole hash: no two alike, every bit flips. */
static void neighbouring_addresses_do_not_collide(void **state)
{
    (void)state;
    static uint64_t hashes[65536];
    uint64_t ones = 0;
    uint64_t zeros = 0;
    for (unsigned i = 0; i < ARRAY_LEN(hashes); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), HEAD ",\"ip4\":\"198.51.%u.%u\"}", i / 256, i % 256);
        hashes[i] = hash_of(text);
        ones |= hashes[i];
        zeros |= ~hashes[i];
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
    static uint32_t buckets[65536];
    unsigned crowded = 0;
    for (unsigned i = 0; i < ARRAY_LEN(hashes); i++) {
        crowded += ++buckets[hashes[i] & 0xffff] > 12; /* Poisson of mean 1: over 12 has odds of about 1e-10 a bucket */
    }
    assert_int_equal(crowded, 0);
}

static void what_is_not_a_state_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        HEAD,
        HEAD "}}",
        HEAD "}x",
        HEAD ",}",
        HEAD ",\"seq\":3}",
        HEAD ",\"x\":1,\"x\":1}",
        HEAD ",\"\\u0073eq\":9}",
        HEAD ",\"x\":NaN}",
        HEAD ",\"x\":[[[[1]]]]}",
        HEAD ",\"x\":\"\xff\"}",
        "{\"v\":2,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3}",
        "{\"v\":\"1\",\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"up\",\"boot\":1,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":true,\"boot\":1,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":4294967296,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":-1,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":1.0,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":1e0,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":01,\"conn\":2,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":null,\"seq\":3}",
        "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct state_scan scan;
        if (state_scan(view_of(bad[i]), &scan) == ERR_OK) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    static char big[MQTT_PAYLOAD_MAX + 2];
    memset(big, ' ', sizeof(big));
    memcpy(big, HEAD "}", strlen(HEAD "}"));
    struct state_scan scan;
    assert_int_equal(state_scan(view_n(big, MQTT_PAYLOAD_MAX), &scan), ERR_OK);
    assert_int_equal(state_scan(view_n(big, MQTT_PAYLOAD_MAX + 1), &scan), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_and_reason_do_not_count_as_content), cmocka_unit_test(every_other_byte_counts),
        cmocka_unit_test(order_and_presence_are_not_content),      cmocka_unit_test(repeat_is_told),
        cmocka_unit_test(neighbouring_addresses_do_not_collide),   cmocka_unit_test(what_is_not_a_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
