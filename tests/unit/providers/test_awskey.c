/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/awskey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char file[] = "# made by hand\r\n"
                           "[default]\r\n"
                           "aws_access_key_id = AKIA1\r\n"
                           "aws_secret_access_key=se+cret/1==\r\n"
                           "\n; another\n[profile fleet]\n"
                           "aws_access_key_id = ASIA2\n"
                           "aws_secret_access_key = s2\n"
                           "aws_session_token = t2==\n"
                           "region = eu-west-1\n";

static void sections_are_told_apart(void **state)
{
    (void)state;
    struct awskey key;
    assert_int_equal(awskey_parse(view_of(file), "default", &key, NULL), ERR_OK);
    assert_true(view_equals(secret_view(&key.id), "AKIA1"));
    assert_true(view_equals(secret_view(&key.secret), "se+cret/1=="));
    assert_int_equal(key.token.len, 0);
    awskey_deinit(&key);
    assert_int_equal(awskey_parse(view_of(file), "fleet", &key, NULL), ERR_OK);
    assert_true(view_equals(secret_view(&key.id), "ASIA2"));
    assert_true(view_equals(secret_view(&key.token), "t2=="));
    awskey_deinit(&key);
    assert_null(key.id.ptr);
    assert_int_equal(awskey_parse(view_of("aws_access_key_id=a\naws_secret_access_key=b"), "default", &key, NULL),
                     ERR_OK);
    awskey_deinit(&key);
}

static void what_is_wrong_is_told_without_its_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *profile;
        enum err err;
    } rows[] = {
        {"", "default", ERR_NOTFOUND},
        {file, "other", ERR_NOTFOUND},
        {"[default]", "default", ERR_INVALID},
        {"aws_access_key_id = a\n", "default", ERR_INVALID},
        {"aws_access_key_id = a\naws_secret_access_key = hunter2\naws_session_token = x\001y", "default", ERR_INVALID},
        {"aws_access_key_id = a\naws_secret_access_key = hunter2 b\n", "default", ERR_INVALID},
        {"[default\naws_access_key_id = a\n", "default", ERR_PARSE},
        {"hunter2\n", "default", ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct awskey key;
        struct errinfo info = {0};
        if (awskey_parse(view_of(rows[i].text), rows[i].profile, &key, &info) != rows[i].err || info.text[0] == '\0' ||
            strstr(info.text, "hunter2") != NULL) {
            fail_msg("row %zu: %s", i, info.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_told_apart),
        cmocka_unit_test(what_is_wrong_is_told_without_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
