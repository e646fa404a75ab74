/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/dedup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t boots[] = {0, 1, 7, UINT32_MAX};
static const uint32_t seqs[] = {0, 1, 5, UINT32_MAX};

static enum dedup_verdict expected(int order, bool same, const struct dedup_input *input, bool durable)
{
    if (!input->known) {
        return DEDUP_CHANGED;
    }
    if (order < 0) {
        return input->retained ? DEDUP_STALE : DEDUP_LOWER;
    }
    if (!same) {
        return DEDUP_CHANGED;
    }
    if (order > 0) {
        return DEDUP_NEWER;
    }
    return (input->repeat || !durable) && !input->retained ? DEDUP_UNACKED : DEDUP_SAME;
}

/* One stored pair against one scanned pair, in every combination of the rest. */
static void judge_all(uint32_t boot, uint32_t seq, uint32_t scan_boot, uint32_t scan_seq)
{
    uint64_t stored_pair = (uint64_t)boot << 32 | seq;
    uint64_t scan_pair = (uint64_t)scan_boot << 32 | scan_seq;
    int order = (scan_pair > stored_pair) - (scan_pair < stored_pair);
    const struct ip here = {.family = IP_V4, .bytes = {1, 1, 1, 1}};
    const struct ip there = {.family = IP_V4, .bytes = {1, 1, 1, 2}};
    for (unsigned bits = 0; bits < 64; bits++) {
        struct device device = {.boot = boot, .seq = seq, .content_hash = 5, .observed = here};
        device.flags = (bits & 1) != 0 ? DEVICE_DURABLE : 0;
        const struct state_scan scan = {.boot = scan_boot, .seq = scan_seq, .content_hash = (bits & 2) != 0 ? 5 : 6};
        const struct dedup_input input = {.scan = &scan,
                                          .observed = (bits & 4) != 0 ? &here : &there,
                                          .retained = (bits & 8) != 0,
                                          .repeat = (bits & 16) != 0,
                                          .known = (bits & 32) != 0};
        bool same = (bits & 2) != 0 && (bits & 4) != 0;
        assert_int_equal(dedup_compare(&device, scan_boot, scan_seq), order);
        assert_int_equal(dedup_judge(&device, &input), expected(order, same, &input, (bits & 1) != 0));
    }
}

static void all_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(boots) * ARRAY_LEN(seqs); i++) {
        for (size_t k = 0; k < ARRAY_LEN(boots) * ARRAY_LEN(seqs); k++) {
            judge_all(boots[i / 4], seqs[i % 4], boots[k / 4], seqs[k % 4]);
        }
    }
}

static void an_unstamped_address_is_no_change(void **state)
{
    (void)state;
    const struct device device = {
        .boot = 1, .seq = 1, .content_hash = 5, .observed = {.family = IP_V4}, .flags = DEVICE_DURABLE};
    const struct state_scan scan = {.boot = 1, .seq = 1, .content_hash = 5};
    const struct dedup_input input = {.scan = &scan, .observed = &(struct ip){0}, .known = true};
    assert_int_equal(dedup_judge(&device, &input), DEDUP_SAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs),
        cmocka_unit_test(an_unstamped_address_is_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
