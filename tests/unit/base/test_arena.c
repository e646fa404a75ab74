/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_zeroed_aligned_memory_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *last = NULL;
    for (size_t size = 0; size < 300; size++) {
        unsigned char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xaa, size);
        assert_true(size < 2 || last == NULL || last[0] == 0xaa);
        last = size > 0 ? memory : NULL;
    }
    arena_deinit(&arena);
}

static void keeps_to_its_cap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100);
    assert_null(arena_alloc(&arena, 101));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_non_null(arena_alloc(&arena, 50));
    assert_null(arena_alloc(&arena, 50)); /* 50 counts as 64 */
    assert_non_null(arena_alloc(&arena, 32));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 90));
    arena_deinit(&arena);
    assert_non_null(arena_alloc(&arena, 90)); /* usable after deinit */
    arena_deinit(&arena);
}

static void a_reset_gives_clean_memory_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        unsigned char *small = arena_alloc(&arena, 16);
        unsigned char *large = arena_alloc(&arena, 10000);
        assert_true(small != NULL && large != NULL);
        assert_int_equal(small[15] | large[9999], 0);
        memset(small, 1, 16);
        memset(large, 1, 10000);
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    arena_deinit(&arena);
}

static void copies_text_with_a_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 16);
    assert_string_equal(arena_strdup(&arena, VIEW_LITERAL("fifteen chars..")), "fifteen chars..");
    assert_null(arena_strdup(&arena, VIEW_LITERAL("")));
    arena_reset(&arena);
    assert_string_equal(arena_strdup(&arena, (struct view){0}), "");
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory_apart),
        cmocka_unit_test(keeps_to_its_cap),
        cmocka_unit_test(a_reset_gives_clean_memory_again),
        cmocka_unit_test(copies_text_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
