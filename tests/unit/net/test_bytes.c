/* SPDX-License-Identifier: Apache-2.0 */
#include "net/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Against a model: a number stream appended and consumed in pieces of changing size. */
static void what_goes_in_comes_out_in_order(void **state)
{
    (void)state;
    struct bytes bytes;
    unsigned in = 0, out = 0;
    bytes_init(&bytes, 10000);
    for (unsigned round = 0; round < 5000; round++) {
        char piece[700];
        size_t len = (round * 37) % sizeof(piece);
        enum err err = bytes_reserve(&bytes, len);
        assert_int_equal(err, bytes.len + len > 10000 ? ERR_LIMIT : ERR_OK);
        for (size_t i = 0; err == ERR_OK && i < len; i++) {
            piece[i] = (char)in++;
        }
        if (err == ERR_OK) {
            bytes_append(&bytes, view_n(piece, len));
        }
        size_t taken = MIN((size_t)(round * 53) % 640, bytes.len);
        struct view view = bytes_view(&bytes);
        for (size_t i = 0; i < taken; i++) {
            assert_int_equal((unsigned char)view.ptr[i], out++ & 0xff);
        }
        bytes_consume(&bytes, taken);
        assert_true(bytes.size <= 10000);
    }
    assert_true(out > 100000);
    bytes_deinit(&bytes);
}

static void room_can_be_filled_in_place(void **state)
{
    (void)state;
    struct bytes bytes;
    bytes_init(&bytes, 8);
    assert_int_equal(bytes_reserve(&bytes, 9), ERR_LIMIT);
    assert_int_equal(bytes_reserve(&bytes, 8), ERR_OK);
    bytes_tail(&bytes)[0] = 'a';
    bytes_tail(&bytes)[1] = 'b';
    bytes_commit(&bytes, 2);
    assert_true(view_equals(bytes_view(&bytes), "ab"));
    bytes_consume(&bytes, 2);
    assert_int_equal(bytes_view(&bytes).len, 0);
    assert_int_equal(bytes_reserve(&bytes, 8), ERR_OK);
    bytes_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(room_can_be_filled_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
