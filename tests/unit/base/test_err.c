/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_a_name_and_a_text(void **state)
{
    (void)state;
    static const char *const names[] = {
#define X(name, text) #name,
        ERR_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_string_equal(err_name((enum err)i), names[i]);
        assert_true(strlen(err_text((enum err)i)) > 1);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)k));
        }
    }
    assert_int_equal(ERR_OK, 0);
    assert_string_equal(err_name((enum err)9999), "UNKNOWN");
    assert_string_equal(err_text((enum err)9999), "unknown error");
}

static void errno_values_are_translated(void **state)
{
    (void)state;
    static const struct {
        int native;
        enum err err;
    } rows[] = {
        {0, ERR_OK},           {ENOMEM, ERR_NOMEM},      {ENOSPC, ERR_FULL},  {EDQUOT, ERR_FULL},
        {EROFS, ERR_READONLY}, {EACCES, ERR_DENIED},     {EPERM, ERR_DENIED}, {ENOENT, ERR_NOTFOUND},
        {EEXIST, ERR_EXISTS},  {ETIMEDOUT, ERR_TIMEOUT}, {EAGAIN, ERR_AGAIN}, {EIO, ERR_IO},
        {EISDIR, ERR_IO},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(err_from_errno(rows[i].native), rows[i].err);
    }
}

static void details_are_optional_and_cut(void **state)
{
    (void)state;
    struct errinfo info;
    char longer[ERRINFO_TEXT_MAX * 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(errinfo_set(NULL, ERR_IO, "l", 1, "%s", "t"), ERR_IO);
    assert_int_equal(errinfo_set(&info, ERR_RANGE, "layer", -7, "%s %d", "text", 5), ERR_RANGE);
    assert_int_equal(info.err, ERR_RANGE);
    assert_int_equal(info.native, -7);
    assert_string_equal(info.layer, "layer");
    assert_string_equal(info.text, "text 5");
    assert_int_equal(errinfo_set(&info, ERR_IO, "l", 0, "%s", longer), ERR_IO);
    assert_int_equal(strlen(info.text), ERRINFO_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_and_a_text),
        cmocka_unit_test(errno_values_are_translated),
        cmocka_unit_test(details_are_optional_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
