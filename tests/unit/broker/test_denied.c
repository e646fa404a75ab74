/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/denied.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"

#define ISSUER "0123456789abcdef0123456789abcdef01234567"

static struct cert_ref ref_of(unsigned number)
{
    struct cert_ref ref = {.issuer = {1}};
    memcpy(ref.serial, &number, sizeof(number));
    return ref;
}

static void a_set(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct denied denied = {.refs = NULL};
    for (unsigned i = 0; i < 2 * MANY; i++) {
        struct cert_ref ref = ref_of(i * 7919 % MANY); /* in no order, each twice */
        assert_int_equal(denied_add(&denied, &ref), ERR_OK);
    }
    assert_int_equal(denied.len, MANY);
    for (unsigned i = 0; i < MANY; i += 2) {
        struct cert_ref ref = ref_of(i);
        denied_remove(&denied, &ref);
        denied_remove(&denied, &ref);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct cert_ref ref = ref_of(i);
        assert_int_equal(denied_has(&denied, &ref), i % 2 != 0);
        ref.issuer[0] = 2; /* the same number of another authority */
        assert_false(denied_has(&denied, &ref));
    }
    denied_deinit(&denied);
    struct cert_ref ref = ref_of(1);
    assert_false(denied_has(&denied, &ref));
}

static enum err load(const char *text, struct denied *ret_denied)
{
    char path[] = "/tmp/muster-denied-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    enum err err = denied_load(path, ret_denied);
    assert_int_equal(unlink(path), 0);
    return err;
}

/* A list that is partly unreadable must not become a shorter list. */
static void files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        size_t len;
    } rows[] = {
        {"", ERR_OK, 0},
        {"# nobody\n\n", ERR_OK, 0},
        {"deny " ISSUER " 5f\ndeny " ISSUER " 1\n", ERR_OK, 2},
        {"deny " ISSUER " 5f\r\n  # c\ndeny " ISSUER " 05F", ERR_OK, 1},
        {"deny " ISSUER " 5f\ndeny " ISSUER "\n", ERR_PARSE, 0},
        {"deny " ISSUER " 5f # trailing\n", ERR_PARSE, 0},
        {"allow " ISSUER " 5f\n", ERR_PARSE, 0},
        {"kick cam-1\n", ERR_PARSE, 0},
        {"deny " ISSUER " 5f\n\x01\n", ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct denied denied = {.refs = NULL};
        assert_int_equal(load(rows[i].text, &denied), rows[i].err);
        assert_int_equal(denied.len, rows[i].len);
        denied_deinit(&denied);
    }
    struct denied denied = {.refs = NULL};
    assert_int_equal(denied_load("/tmp/muster-there-is-no-such-file", &denied), ERR_NOTFOUND);
    assert_int_equal(denied_load("/tmp", &denied), ERR_IO);
    assert_null(denied.refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
