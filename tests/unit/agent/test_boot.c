/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/boot.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

struct fixture {
    char folder[32];
    char file[40];
};

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    memcpy(fixture->folder, "/tmp/muster-boot-XXXXXX", sizeof("/tmp/muster-boot-XXXXXX"));
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->file, sizeof(fixture->file), "%s/boot", fixture->folder);
    *state = fixture;
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->file);                 /* not every test makes it */
    assert_int_equal(rmdir(fixture->folder), 0); /* and nothing else was left behind */
    free(fixture);
    return 0;
}

static void put(const struct fixture *fixture, const char *text)
{
    assert_int_equal(file_replace(fixture->file, view_of(text), 0600), ERR_OK);
}

static void rises_once_a_start(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t expected = 1; expected <= 5; expected++) {
        struct boot_start start;
        assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
        assert_int_equal(start.boot, expected);
        assert_int_equal(start.origin, expected == 1 ? BOOT_FRESH : BOOT_RAISED);
    }
}

static void goes_on_from_a_stored_number(void **state)
{
    struct fixture *fixture = *state;
    struct boot_start start;
    assert_int_equal(boot_store(fixture->folder, 4000000000U), ERR_OK);
    assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
    assert_int_equal(start.boot, 4000000001U);
}

static void starts_over_from_damage_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(boot_store(fixture->folder, 41), ERR_OK);
    char *good = NULL;
    size_t len = 0;
    assert_int_equal(file_read(fixture->file, 64, &good, &len), ERR_OK);
    for (size_t i = 0; i <= len; i++) { /* every truncation and every flipped byte */
        struct boot_start start;
        char broken[64];
        memcpy(broken, good, len + 1);
        if (i < len) {
            broken[i] ^= 1;
        } else {
            broken[len - 1] = '\0';
        }
        put(fixture, broken);
        assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
        assert_int_equal(start.boot, 1);
        assert_int_equal(start.origin, BOOT_DAMAGED);
        memcpy(broken, good, len);
        broken[i < len ? i : 0] = '\0';
        put(fixture, broken);
        assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
        assert_int_equal(start.origin, BOOT_DAMAGED);
        assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
        assert_int_equal(start.boot, 2); /* mended */
    }
    free(good);
}

static void stays_at_its_end(void **state)
{
    struct fixture *fixture = *state;
    struct boot_start start;
    assert_int_equal(boot_store(fixture->folder, UINT32_MAX), ERR_OK);
    assert_int_equal(boot_raise(fixture->folder, &start), ERR_RANGE);
    assert_int_equal(start.boot, UINT32_MAX);
}

static void reports_without_a_place_to_store(void **state)
{
    (void)state;
    struct boot_start start = {0};
    assert_int_equal(boot_raise("/nonexistent/folder", &start), ERR_NOTFOUND);
    assert_int_equal(start.boot, 1);
    assert_int_equal(start.origin, BOOT_FRESH);
}

static void keeps_the_old_number_when_the_write_fails(void **state)
{
    struct fixture *fixture = *state;
    struct boot_start start;
    assert_int_equal(boot_store(fixture->folder, 7), ERR_OK);
    if (geteuid() == 0) {
        /* root ignores modes: a folder in the place of the file makes the rename fail instead */
        assert_int_equal(unlink(fixture->file), 0);
        assert_int_equal(mkdir(fixture->file, 0700), 0);
        assert_int_not_equal(boot_raise(fixture->folder, &start), ERR_OK);
        assert_int_equal(start.boot, 1);
        assert_int_equal(rmdir(fixture->file), 0);
        return;
    }
    assert_int_equal(chmod(fixture->folder, 0500), 0);
    assert_int_equal(boot_raise(fixture->folder, &start), ERR_DENIED);
    assert_int_equal(start.boot, 8);
    assert_int_equal(chmod(fixture->folder, 0700), 0);
    assert_int_equal(boot_raise(fixture->folder, &start), ERR_OK);
    assert_int_equal(start.boot, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rises_once_a_start, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(goes_on_from_a_stored_number, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(starts_over_from_damage_and_says_so, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(stays_at_its_end, make_folder, remove_folder),
        cmocka_unit_test(reports_without_a_place_to_store),
        cmocka_unit_test_setup_teardown(keeps_the_old_number_when_the_write_fails, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
