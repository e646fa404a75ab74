/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/addrcount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ADDRESSES 100000

static const struct ip none;

static struct ip address(uint32_t number)
{
    struct ip ip = {.family = number % 2 == 0 ? IP_V4 : IP_V6};
    memcpy(ip.bytes, &number, sizeof(number));
    return ip;
}

static void counts_what_stands_behind_an_address(void **state)
{
    (void)state;
    struct addrcount *counts;
    assert_int_equal(addrcount_new(&counts), ERR_OK);
    struct ip a = address(2);
    struct ip b = address(4);
    assert_int_equal(addrcount_move(counts, &none, &a), 1);
    assert_int_equal(addrcount_move(counts, &none, &a), 2);
    assert_int_equal(addrcount_move(counts, &a, &a), 2);
    assert_int_equal(addrcount_move(counts, &a, &b), 1);
    assert_int_equal(addrcount_get(counts, &a), 1);
    assert_int_equal(addrcount_move(counts, &b, &none), 0);
    assert_int_equal(addrcount_get(counts, &b), 0);
    assert_int_equal(addrcount_get(counts, &none), 0);
    addrcount_free(counts);
}

/* A fleet that is renumbered again and again: the addresses it has left cost nothing for long. */
static void forgets_addresses_that_were_left(void **state)
{
    (void)state;
    struct addrcount *counts;
    assert_int_equal(addrcount_new(&counts), ERR_OK);
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            struct ip from = round > 0 ? address((round - 1) * ADDRESSES + i) : none;
            struct ip to = address(round * ADDRESSES + i);
            assert_int_equal(addrcount_move(counts, &from, &to), 1);
        }
    }
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        struct ip now = address(9 * ADDRESSES + i);
        struct ip before = address(8 * ADDRESSES + i);
        assert_int_equal(addrcount_get(counts, &now), 1);
        assert_int_equal(addrcount_get(counts, &before), 0);
    }
    print_message("%zu bytes for %d addresses\n", addrcount_bytes(counts), ADDRESSES);
    assert_true(addrcount_bytes(counts) <= (size_t)ADDRESSES * 16 * 6);
    addrcount_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_stands_behind_an_address),
        cmocka_unit_test(forgets_addresses_that_were_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
