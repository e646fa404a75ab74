/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pemfile.h"

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
#include "provisioning/limits.h"

#define BLOCK "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static char folder[] = "/tmp/muster-pemfile-XXXXXX";
static char path[64];

static enum err check(struct view content)
{
    struct errinfo info = {0};
    assert_int_equal(file_replace(path, content, 0600), ERR_OK);
    enum err err = pemfile_check(path, &info);
    assert_true(err == ERR_OK || strncmp(info.text, path, strlen(path)) == 0);
    return err;
}

static void looks_for_a_block(void **state)
{
    (void)state;
    assert_int_equal(check(view_of(BLOCK)), ERR_OK);
    assert_int_equal(check(view_of("# made by hand\n" BLOCK)), ERR_OK);
    assert_int_equal(check(view_of("")), ERR_PARSE);
    assert_int_equal(check(view_of("0123456789abcdef\n")), ERR_PARSE);
}

/* The bundle of a distribution is several times what one of our own chains may be. */
static void takes_a_bundle_of_many_authorities(void **state)
{
    (void)state;
    char *text = calloc(1, PEM_BUNDLE_MAX + 2);
    assert_non_null(text);
    memset(text, '#', PEM_BUNDLE_MAX + 1);
    memcpy(text, BLOCK, sizeof(BLOCK) - 1);
    assert_int_equal(check(view_n(text, 300000)), ERR_OK);
    assert_int_equal(check(view_n(text, PEM_BUNDLE_MAX + 1)), ERR_LIMIT);
    free(text);
}

static void says_that_a_file_is_missing(void **state)
{
    (void)state;
    struct errinfo info = {0};
    assert_int_equal(pemfile_check("/nonexistent/muster.pem", &info), ERR_NOTFOUND);
    assert_string_equal(info.text, "/nonexistent/muster.pem: not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_for_a_block),
        cmocka_unit_test(takes_a_bundle_of_many_authorities),
        cmocka_unit_test(says_that_a_file_is_missing),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/file.pem", folder); /* fits */
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path); /* best effort */
    (void)rmdir(folder);
    return failed;
}
