/* SPDX-License-Identifier: Apache-2.0 */
/* The set against a plain array of what is in it, over random additions and removals; and at its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "provisioner/awaited.h"
#include "provisioner/limits.h"

#define NAMES 3000

static struct view name_of(unsigned n, char text[static 16])
{
    int len = snprintf(text, 16, "cam-%u", n);
    return view_n(text, (size_t)len);
}

static void like_an_array(void **state)
{
    (void)state;
    struct awaited *awaited = NULL;
    static bool in[NAMES];
    char text[16];
    unsigned seed = 17;
    assert_int_equal(awaited_new(&awaited), ERR_OK);
    for (unsigned step = 0; step < 60000; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned n = (seed >> 8) % NAMES;
        bool add = (seed >> 28) % 2 == 0;
        (add ? awaited_add : awaited_drop)(awaited, name_of(n, text));
        in[n] = add;
        if (step % 5000 == 0) {
            for (unsigned k = 0; k < NAMES; k++) {
                assert_int_equal(awaited_has(awaited, name_of(k, text)), in[k]);
            }
        }
    }
    awaited_free(awaited);
}

static void full(void **state)
{
    (void)state;
    struct awaited *awaited = NULL;
    char text[16];
    assert_int_equal(awaited_new(&awaited), ERR_OK);
    for (unsigned n = 0; n < AWAITED_MAX + 10; n++) {
        awaited_add(awaited, name_of(n, text));
    }
    assert_true(awaited_has(awaited, name_of(AWAITED_MAX - 1, text)));
    assert_false(awaited_has(awaited, name_of(AWAITED_MAX, text)));
    awaited_drop(awaited, name_of(0, text));
    awaited_add(awaited, name_of(AWAITED_MAX, text));
    assert_true(awaited_has(awaited, name_of(AWAITED_MAX, text)));
    awaited_free(awaited);
    awaited_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_an_array), cmocka_unit_test(full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
