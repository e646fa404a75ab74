/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/addrcount.h"
#include "mqtt/topics.h"

#define MILLION        1000000u
#define BYTES_A_DEVICE 250 /* what the design promises, all included */
#define GATEWAYS       1000u

static struct view id_of(uint32_t number, char buffer[static DEVICE_ID_MAX + 1])
{
    int len = snprintf(buffer, DEVICE_ID_MAX + 1, "cam-%08x-%u", number * 2654435761u, number);
    return view_n(buffer, (size_t)len);
}

static struct device_table *table_of_gateways(void)
{
    struct device_table *table;
    char buffer[DEVICE_ID_MAX + 1];
    assert_int_equal(device_table_new(&table), ERR_OK);
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        uint32_t index;
        assert_int_equal(device_add(table, id_of(i, buffer), &index), ERR_OK);
    }
    return table;
}

static void a_million_devices_fit_the_promise(void **state)
{
    (void)state;
    struct device_table *table;
    struct addrcount *counts;
    assert_int_equal(device_table_new(&table), ERR_OK);
    assert_int_equal(addrcount_new(&counts), ERR_OK);
    char buffer[DEVICE_ID_MAX + 1];
    for (uint32_t i = 0; i < MILLION; i++) {
        uint32_t index;
        assert_int_equal(device_add(table, id_of(i, buffer), &index), ERR_OK);
        assert_int_equal(index, i);
        struct ip to = {.family = IP_V4};
        memcpy(to.bytes, &i, sizeof(i));
        (void)addrcount_move(counts, &device_at(table, index)->observed,
                             &to); /* each its own address: the dearest case */
        device_at(table, index)->observed = to;
    }
    for (uint32_t i = 0; i < MILLION; i += 997) {
        uint32_t index = device_find(table, id_of(i, buffer));
        assert_int_equal(index, i);
        assert_true(view_equal(device_id(table, device_at(table, index)), id_of(i, buffer)));
        assert_int_equal(device_at(table, index)->shard, topic_shard(id_of(i, buffer)));
    }
    assert_int_equal(device_find(table, VIEW_LITERAL("cam-x")), DEVICE_NONE);
    double bytes = (double)(device_table_bytes(table) + addrcount_bytes(counts)) / MILLION;
    print_message("%.1f bytes a device, of them %zu of struct device\n", bytes, sizeof(struct device));
    assert_true(bytes <= BYTES_A_DEVICE);
    device_table_free(table);
    addrcount_free(counts);
}

static void an_id_is_added_once(void **state)
{
    (void)state;
    struct device_table *table;
    assert_int_equal(device_table_new(&table), ERR_OK);
    uint32_t first;
    uint32_t again;
    assert_int_equal(device_add(table, VIEW_LITERAL("a"), &first), ERR_OK);
    assert_int_equal(device_add(table, VIEW_LITERAL("a"), &again), ERR_OK);
    assert_int_equal(first, again);
    assert_int_equal(device_at(table, first)->registry_ref, DEVICE_NONE);
    assert_int_equal(device_add(table, VIEW_LITERAL(""), &again), ERR_LIMIT);
    assert_int_equal(device_add(table, VIEW_LITERAL("a2345678901234567890123456789012345678901"), &again), ERR_LIMIT);
    assert_int_equal(device_count(table), 1);
    device_table_free(table);
}

static void prefixes_stay_with_their_gateways(void **state)
{
    (void)state;
    struct device_table *table = table_of_gateways();
    for (uint32_t i = 0; i < GATEWAYS; i++) { /* in an order of its own */
        uint32_t at = i * 7 % GATEWAYS;
        const struct ip_prefix prefix = {.ip = {.family = IP_V6, .bytes = {0x20, 1, (uint8_t)(at >> 8), (uint8_t)at}},
                                         .len = 64};
        device_set_prefix6(table, at, &prefix);
    }
    struct ip_prefix got;
    for (uint32_t i = 0; i < GATEWAYS; i += 2) {
        device_set_prefix6(table, i, &(struct ip_prefix){0});
        assert_false(device_prefix6(table, i, &got));
        assert_true(device_prefix6(table, i + 1, &got));
        assert_int_equal(got.ip.bytes[2] << 8 | got.ip.bytes[3], i + 1);
    }
    assert_int_equal(device_at(table, 0)->flags & DEVICE_HAS_PREFIX, 0);
    device_table_free(table);
}

static struct also6 also_until(uint8_t number, int64_t until_ms)
{
    return (struct also6){
        .items = {{.prefix = {.ip = {.family = IP_V6, .bytes = {0x20, 2, number}}, .len = 64}, .until_ms = until_ms}},
        .len = 1};
}

static void further_prefixes_end_in_their_time(void **state)
{
    (void)state;
    struct device_table *table;
    assert_int_equal(device_table_new(&table), ERR_OK);
    assert_true(device_also6_due(table) == ALSO6_NO_END);
    char buffer[DEVICE_ID_MAX + 1];
    uint32_t index;
    const struct ip_prefix first = {.ip = {.family = IP_V6, .bytes = {0x20, 1}}, .len = 64};
    struct also6 also;
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        assert_int_equal(device_add(table, id_of(i, buffer), &index), ERR_OK);
        also = also_until((uint8_t)i, 1000 + i);
        device_set_also6(table, i, &also); /* has no prefix: nothing to stand beside */
        device_also6(table, i, &also);
        assert_int_equal(also.len, 0);
    }
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        device_set_prefix6(table, i, &first);
        also = also_until((uint8_t)i, i % 3 == 0 ? ALSO6_NO_END : 1000 + i % 7);
        device_set_also6(table, i, &also);
    }
    assert_true(device_also6_due(table) == 1000);
    size_t at = 0;
    uint32_t ended = 0;
    while ((index = device_also6_ended(table, 1002, &at)) != DEVICE_NONE) {
        assert_true(index % 3 != 0 && index % 7 <= 2);
        if (index % 2 == 0) { /* the others cannot be taken now */
            device_set_also6(table, index, &(const struct also6){.len = 0});
        }
        ended++;
    }
    assert_true(ended > GATEWAYS / 7);
    assert_true(device_also6_due(table) <= 1002); /* not late for them */
    for (at = 0; (index = device_also6_ended(table, 1002, &at)) != DEVICE_NONE;) {
        assert_int_equal(index % 2, 1);
        device_set_also6(table, index, &(const struct also6){.len = 0});
    }
    assert_true(device_also6_due(table) == 1003);
    const struct ip_prefix second = {.ip = {.family = IP_V6, .bytes = {0x20, 3}}, .len = 64};
    device_set_prefix6(table, 3, &second); /* the first one changes: what stands beside it is said on its own */
    device_also6(table, 3, &also);
    assert_int_equal(also.len, 1);
    device_set_prefix6(table, 3, &(struct ip_prefix){0});
    device_set_prefix6(table, 3, &second);
    device_also6(table, 3, &also);
    assert_int_equal(also.len, 0);
    device_table_free(table);
}

static struct rrset_value addresses_of(uint32_t number, uint8_t len)
{
    struct rrset_value value = {.len = 0};
    for (uint8_t i = 0; i < len; i++) {
        const struct ip ip = {.family = IP_V4,
                              .bytes = {93, (uint8_t)(number >> 8), (uint8_t)number, (uint8_t)(i + 1)}};
        assert_true(rrset_value_add(&value, RRTYPE_A, &ip));
    }
    return value;
}

static void several_addresses_stay_with_their_device(void **state)
{
    (void)state;
    struct device_table *table = table_of_gateways();
    for (uint32_t round = 0; round < 3; round++) { /* more, fewer and none, in an order of its own */
        for (uint32_t i = 0; i < GATEWAYS; i++) {
            uint32_t at = i * 7 % GATEWAYS;
            const struct device_addresses some = {.ip4 = addresses_of(at, (uint8_t)((at + round) % 5))};
            device_set_addresses(table, at, &some);
        }
        for (uint32_t i = 0; i < GATEWAYS; i++) {
            struct device_addresses got = device_addresses(table, i);
            struct rrset_value expected = addresses_of(i, (uint8_t)((i + round) % 5));
            assert_true(rrset_value_equal(&got.ip4, &expected));
            assert_int_equal(got.ip6.len, 0);
            assert_int_equal((device_at(table, i)->flags & DEVICE_HAS_MORE) != 0, expected.len > 1);
        }
    }
    device_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_devices_fit_the_promise),
        cmocka_unit_test(an_id_is_added_once),
        cmocka_unit_test(prefixes_stay_with_their_gateways),
        cmocka_unit_test(further_prefixes_end_in_their_time),
        cmocka_unit_test(several_addresses_stay_with_their_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
