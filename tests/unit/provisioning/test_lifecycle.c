/* SPDX-License-Identifier: Apache-2.0 */
/* Every state with every step: what the table says is compared with the rules in words, and names read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "provisioning/lifecycle.h"

static void names_read_back(void **state)
{
    (void)state;
    enum life life = LIFE_MADE;
    for (int i = 0; i < LIVES; i++) {
        assert_int_equal(life_parse(view_of(life_name((enum life)i)), &life), ERR_OK);
        assert_int_equal(life, i);
    }
    assert_int_equal(life_parse(view_of("planned"), &life), ERR_NOTFOUND);
    for (int i = 0; i < LIFE_STEPS; i++) {
        assert_non_null(life_step_name((enum life_step)i));
    }
}

static void all_pairs(void **state)
{
    (void)state;
    for (int from = 0; from < LIVES; from++) {
        for (int step = 0; step < LIFE_STEPS; step++) {
            enum life life = (enum life)from, held = LIFE_ACTIVE;
            enum err err = life_step(&life, &held, (enum life_step)step);
            if (err != ERR_OK) {
                assert_int_equal(err, ERR_STATE);
                assert_int_equal(life, from);
                assert_int_equal(held, LIFE_ACTIVE);
            }
            if (from == LIFE_SCRAPPED) {
                assert_int_equal(life, LIFE_SCRAPPED); /* for good */
            }
            if (step == LIFE_SCRAP && from != LIFE_SCRAPPED) {
                assert_int_equal(life, LIFE_SCRAPPED);
            }
            if (step == LIFE_LAPSE) {
                assert_int_equal(err, ERR_OK); /* the clock asks nobody */
            }
            bool stopped =
                from == LIFE_SUSPENDED || from == LIFE_CLONED || from == LIFE_REVOKED || from == LIFE_SCRAPPED;
            if (step == LIFE_ISSUE) {
                assert_int_equal(err == ERR_OK, !stopped); /* no certificate for what was stopped */
            }
            if (step == LIFE_CONFIRM && stopped) {
                assert_int_not_equal(life, LIFE_ACTIVE); /* presence lifts nothing that an operator laid down */
            }
            if (from == LIFE_REVOKED && err == ERR_OK) {
                assert_true(step == LIFE_REKEY || step == LIFE_SCRAP || step == LIFE_LAPSE);
            }
        }
    }
}

static void held_ones_go_back(void **state)
{
    (void)state;
    enum life life = LIFE_ISSUED, held = LIFE_MADE;
    assert_int_equal(life_step(&life, &held, LIFE_SUSPECT), ERR_OK);
    assert_int_equal(life, LIFE_CLONED);
    assert_int_equal(life_step(&life, &held, LIFE_SUSPEND), ERR_OK);
    assert_int_equal(life, LIFE_SUSPENDED);
    assert_int_equal(held, LIFE_ISSUED); /* not cloned-suspect */
    assert_int_equal(life_step(&life, &held, LIFE_RESUME), ERR_OK);
    assert_int_equal(life, LIFE_ISSUED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(all_pairs),
        cmocka_unit_test(held_ones_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
