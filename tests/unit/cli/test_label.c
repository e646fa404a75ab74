/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct ownercode code = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
static char code_text[OWNERCODE_SIZE];

static int set_up(void **state)
{
    (void)state;
    ownercode_write(&code, code_text);
    return 0;
}

static void write_label(const char *serial, const char *model, enum label_format format, struct strbuf *out)
{
    const struct label label = {.serial = serial, .model = model, .tail = "01ab-cdef", .code = &code};
    strbuf_init(out, LABEL_MAX);
    assert_int_equal(label_write(&label, format, out), ERR_OK);
}

static void the_qr_code_says_serial_and_owner_code(void **state)
{
    (void)state;
    const struct label label = {.serial = "A7-00001", .model = "", .tail = "", .code = &code};
    struct strbuf text;
    strbuf_init(&text, 100);
    assert_int_equal(label_text(&label, &text), ERR_OK);
    assert_true(view_starts_with(strbuf_view(&text), VIEW_LITERAL("muster:1:A7-00001:")));
    assert_true(view_ends_with(strbuf_view(&text), view_of(code_text)));
    strbuf_deinit(&text);
}

static void each_format_is_its_own(void **state)
{
    (void)state;
    static const struct {
        enum label_format format;
        struct view begins, ends;
    } rows[] = {
        {LABEL_PNG, {"\x89PNG\r\n\x1a\n", 8}, {"IEND\xae\x42\x60\x82", 8}},
        {LABEL_SVG, {"<?xml ", 6}, {"</svg>\n", 7}},
        {LABEL_ZPL, {"^XA\n", 4}, {"^XZ\n", 4}},
    };
    static const char longest[] = "Z_.-9876543210ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh";
    assert_int_equal(strlen(longest), 48);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf text;
        write_label(longest, "Cam 2", rows[i].format, &text);
        assert_true(view_starts_with(strbuf_view(&text), rows[i].begins));
        assert_true(view_ends_with(strbuf_view(&text), rows[i].ends));
        strbuf_deinit(&text);
    }
}

/** What a model may be called is no command and no markup. */
static void names_stay_names(void **state)
{
    (void)state;
    struct strbuf svg, zpl;
    write_label("A7-1", "a<b>&^XA~JR", LABEL_SVG, &svg);
    write_label("A7-1", "a<b>&^XA~JR", LABEL_ZPL, &zpl);
    assert_non_null(strstr(strbuf_str(&svg), ">a&#60;b&#62;&#38;^XA~JR</text>"));
    assert_non_null(strstr(strbuf_str(&zpl), "^FDa<b>& XA JR^FS"));
    assert_non_null(strstr(strbuf_str(&zpl), code_text));
    strbuf_deinit(&svg);
    strbuf_deinit(&zpl);
}

static void too_long_a_serial_is_refused(void **state)
{
    (void)state;
    const struct label label = {
        .serial = "0123456789012345678901234567890123456789012345678", .model = "", .tail = "", .code = &code};
    for (int format = 0; format < LABEL_FORMATS; format++) {
        struct strbuf text;
        strbuf_init(&text, LABEL_MAX);
        assert_int_equal(label_write(&label, (enum label_format)format, &text), ERR_LIMIT);
        strbuf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_qr_code_says_serial_and_owner_code),
        cmocka_unit_test(each_format_is_its_own),
        cmocka_unit_test(names_stay_names),
        cmocka_unit_test(too_long_a_serial_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
