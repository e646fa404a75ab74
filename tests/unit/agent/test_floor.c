/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"

/* The machine's clocks, as seen by base/clock. */
static int64_t wall_s, boot_s;

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    *ret_time = (struct timespec){.tv_sec = id == CLOCK_REALTIME ? wall_s : boot_s};
    return 0;
}

#define YEAR_S 31536000

static char folder[] = "/tmp/muster-floor-XXXXXX";
static char path[64];

static int64_t built_s(void)
{
    return clock_wall_floor_ms() / 1000;
}

static int set_up(void **state)
{
    (void)state;
    wall_s = 30;
    boot_s = 30;
    (void)unlink(path);
    floor_start(folder);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/clock", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void pass(int64_t seconds)
{
    wall_s += seconds;
    boot_s += seconds;
}

static void test_1970(void **state)
{
    (void)state;
    assert_int_equal(floor_kind(), FLOOR_SAVED);
    assert_int_equal(floor_now_ms() / 1000, built_s());
    pass(100);
    assert_int_equal(floor_now_ms() / 1000, built_s() + 100); /* it runs */
    time_t told = 0;
    assert_int_equal(time(&told), built_s() + 100);
    assert_int_equal(told, built_s() + 100);
}

static void test_a_clock_that_is_ahead_rules(void **state)
{
    (void)state;
    wall_s = built_s() + YEAR_S;
    assert_int_equal(floor_kind(), FLOOR_CLOCK);
    assert_int_equal(time(NULL), built_s() + YEAR_S);
}

static void test_a_signed_time_survives_a_restart(void **state)
{
    (void)state;
    assert_int_equal(floor_signed(built_s() + YEAR_S), ERR_OK);
    assert_int_equal(floor_kind(), FLOOR_SIGNED);
    assert_int_equal(time(NULL), built_s() + YEAR_S);
    wall_s = 10;
    boot_s = 10;
    floor_start(folder);
    assert_int_equal(floor_kind(), FLOOR_SAVED);
    assert_int_equal(time(NULL), built_s() + YEAR_S);
}

static void test_never_backwards(void **state)
{
    (void)state;
    assert_int_equal(floor_signed(built_s() + YEAR_S), ERR_OK);
    assert_int_equal(floor_signed(built_s() + 10), ERR_OK);
    assert_int_equal(time(NULL), built_s() + YEAR_S);
    wall_s = 5; /* a step back of the machine's */
    assert_int_equal(time(NULL), built_s() + YEAR_S);
}

static void test_tried_and_dropped_leaves_nothing(void **state)
{
    (void)state;
    assert_true(floor_try(built_s() + YEAR_S));
    assert_int_equal(time(NULL), built_s() + YEAR_S);
    floor_drop();
    assert_int_equal(time(NULL), built_s());
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(floor_keep(), ERR_OK); /* nothing was tried */
    assert_int_equal(time(NULL), built_s());
}

static void test_tried_and_kept_is_saved(void **state)
{
    (void)state;
    assert_true(floor_try(built_s() + YEAR_S));
    pass(7);
    assert_int_equal(floor_keep(), ERR_OK);
    assert_int_equal(floor_kind(), FLOOR_SIGNED);
    boot_s = 1;
    floor_start(folder);
    assert_int_equal(time(NULL), built_s() + YEAR_S + 7);
}

static void test_only_what_is_ahead_is_tried(void **state)
{
    (void)state;
    assert_false(floor_try(built_s() - 1));
    assert_false(floor_try(built_s()));
    assert_false(floor_try(INT64_C(5000000000))); /* 2128: no time */
    wall_s = built_s() + 2 * YEAR_S;
    assert_false(floor_try(built_s() + YEAR_S));
    assert_int_equal(floor_signed(-1), ERR_RANGE);
    assert_int_equal(floor_signed(INT64_C(5000000000)), ERR_RANGE);
}

static void test_flash_is_written_once_a_day(void **state)
{
    (void)state;
    assert_int_equal(floor_signed(built_s() + YEAR_S), ERR_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(floor_signed(built_s() + YEAR_S + 3600), ERR_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(floor_signed(built_s() + YEAR_S + 90000), ERR_OK);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_a_damaged_file_is_none(void **state)
{
    static const char *const rows[] = {"", "x", "-5", "99999999999999", "1796000000 x"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(file_replace(path, view_of(rows[i]), 0600), ERR_OK);
        floor_start(folder);
        assert_int_equal(time(NULL), built_s());
    }
}

int main(void)
{
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_1970, set_up),
        cmocka_unit_test_setup(test_a_clock_that_is_ahead_rules, set_up),
        cmocka_unit_test_setup(test_a_signed_time_survives_a_restart, set_up),
        cmocka_unit_test_setup(test_never_backwards, set_up),
        cmocka_unit_test_setup(test_tried_and_dropped_leaves_nothing, set_up),
        cmocka_unit_test_setup(test_tried_and_kept_is_saved, set_up),
        cmocka_unit_test_setup(test_only_what_is_ahead_is_tried, set_up),
        cmocka_unit_test_setup(test_flash_is_written_once_a_day, set_up),
        cmocka_unit_test_setup(test_a_damaged_file_is_none, set_up),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
