/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/revoked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

struct fixture {
    char dir[64];
    char path[96];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (fixture == NULL) {
        return -1;
    }
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/muster-revoked-XXXXXX");
    if (mkdtemp(fixture->dir) == NULL) {
        return -1;
    }
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/devices.revoked", fixture->dir);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->path); /* not every test writes it */
    int rc = rmdir(fixture->dir);
    free(fixture);
    return rc;
}

static void keeps_what_was_added_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct revoked revoked = {0};
    assert_int_equal(revoked_load(fixture->path, &revoked, NULL), ERR_OK); /* absent is empty */
    assert_int_equal(revoked.len, 0);
    for (int i = 1; i <= 50; i++) {
        const char serial[2] = {(char)i, (char)(2 * i)};
        assert_int_equal(revoked_add(fixture->path, view_n(serial, sizeof(serial)), 1000 + i, NULL), ERR_OK);
        assert_int_equal(revoked_add(fixture->path, view_n(serial, sizeof(serial)), 2000, NULL), ERR_EXISTS);
    }
    assert_int_equal(revoked_load(fixture->path, &revoked, NULL), ERR_OK);
    assert_int_equal(revoked.len, 50);
    for (int i = 1; i <= 50; i++) {
        const struct crl_entry *entry = &revoked.entries[i - 1];
        assert_int_equal(entry->serial_len, 2);
        assert_int_equal(entry->serial[0], i);
        assert_int_equal(entry->serial[1], 2 * i);
        assert_int_equal(entry->revoked_s, 1000 + i);
    }
    revoked_deinit(&revoked);
    assert_int_equal(revoked_add(fixture->path, view_n("", 0), 1, NULL), ERR_INVALID);
}

static void a_damaged_file_is_an_error_never_a_shorter_list(void **state)
{
    struct fixture *fixture = *state;
    static const char *const rows[] = {
        "0a0b 1", /* cut in the middle of a line */
        "0a0b 1\n0c0d",
        "0a0b 1\n\n",
        "0a0b1\n",
        "0a0 1\n",
        "0a0g 1\n",
        "000b 1\n",
        "0a0b -1\n",
        "0a0b 01\n",
        "0a0b 1 \n",
        "0a0b 1\r\n",
        " 0a0b 1\n",
        "0a0b 99999999999999999999\n",
        "010203040506070809101112131415161718192021 1\n", /* 21 bytes */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(file_replace(fixture->path, view_of(rows[i]), 0644), ERR_OK);
        struct revoked revoked = {0};
        struct errinfo info = {0};
        if (revoked_load(fixture->path, &revoked, &info) != ERR_CORRUPT) {
            fail_msg("row %zu is read", i);
        }
        assert_null(revoked.entries);
        assert_non_null(strstr(info.text, "damaged line"));
        assert_int_equal(revoked_add(fixture->path, VIEW_LITERAL("\x0e"), 1, NULL), ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_was_added_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_an_error_never_a_shorter_list, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
