/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_verdict_has_one_action_alone_and_in_company(void **state)
{
    (void)state;
    static const struct {
        enum verdict_kind kind;
        enum batch_action alone, together;
    } cases[VERDICT_KINDS] = {
        {VERDICT_SETTLED, BATCH_SETTLE, BATCH_SETTLE},
        {VERDICT_SPLIT, BATCH_REFUSE, BATCH_BISECT},
        {VERDICT_CONTINUE, BATCH_AGAIN, BATCH_AGAIN},
        {VERDICT_FENCED, BATCH_FENCE, BATCH_FENCE},
        {VERDICT_SUSPECT, BATCH_FENCE_THEN_BISECT, BATCH_FENCE_THEN_BISECT},
        {VERDICT_RETRY, BATCH_RETURN, BATCH_RETURN},
        {VERDICT_UNKNOWN, BATCH_SETTLE_UNKNOWN, BATCH_SETTLE_UNKNOWN},
        {VERDICT_STOP, BATCH_STOP, BATCH_STOP},
    };
    for (size_t i = 0; i < VERDICT_KINDS; i++) {
        assert_int_equal(batch_judge(cases[i].kind, 1), cases[i].alone);
        assert_int_equal(batch_judge(cases[i].kind, 2), cases[i].together);
        assert_int_equal(batch_judge(cases[i].kind, 1000), cases[i].together);
    }
}

/** Bisects @p len items until all are settled. @return messages; counts items refused that are not poison. */
static size_t bisect(size_t len, const bool *poison, size_t *ret_wrong)
{
    struct {
        size_t from, len;
    } waiting[64] = {{0, len}};
    size_t depth = 1, messages = 0, settled = 0;
    *ret_wrong = 0;
    while (depth > 0) {
        size_t from = waiting[depth - 1].from, part = waiting[depth - 1].len;
        depth--;
        messages++;
        bool bad = false;
        for (size_t i = from; i < from + part; i++) {
            bad |= poison[i];
        }
        enum batch_action action = batch_judge(bad ? VERDICT_SPLIT : VERDICT_SETTLED, part);
        if (action == BATCH_BISECT) {
            size_t half = batch_half(part);
            waiting[depth].from = from;
            waiting[depth++].len = half;
            waiting[depth].from = from + half;
            waiting[depth++].len = part - half;
            assert_in_range(depth, 1, 63);
        } else {
            settled += part;
            *ret_wrong += action == BATCH_REFUSE && !poison[from];
        }
    }
    assert_int_equal(settled, len);
    return messages;
}

static void one_poison_costs_two_messages_a_level(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 2, 3, 20, 500, 1000};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        for (size_t at = 0; at < lens[i]; at++) {
            bool poison[1000] = {false};
            size_t wrong = 0, levels = 0;
            poison[at] = true;
            while ((1u << levels) < lens[i]) {
                levels++;
            }
            assert_in_range(bisect(lens[i], poison, &wrong), 1, 2 * levels + 1);
            assert_int_equal(wrong, 0);
        }
    }
}

static void all_poison_ends_too(void **state)
{
    (void)state;
    bool poison[1000];
    size_t wrong = 0;
    memset(poison, true, sizeof(poison));
    assert_int_equal(bisect(1000, poison, &wrong), 1999);
    assert_int_equal(wrong, 0);
}

static void detail_is_cut_to_one_line(void **state)
{
    (void)state;
    struct verdict verdict = {.wait_ms = 7};
    char text[1000];
    memset(text, 'x', sizeof(text));
    verdict_set(&verdict, VERDICT_RETRY, "id", "%.*s", (int)sizeof(text), text);
    assert_int_equal(strlen(verdict.detail), PROVIDER_DETAIL_MAX - 1);
    assert_int_equal(verdict.wait_ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_has_one_action_alone_and_in_company),
        cmocka_unit_test(one_poison_costs_two_messages_a_level),
        cmocka_unit_test(all_poison_ends_too),
        cmocka_unit_test(detail_is_cut_to_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
