/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/age.h"

static const struct grid_column columns[] = {
    {.title = "NAME"}, {.title = "STATE", .state = true}, {.title = "N", .right = true}, {.title = "ERROR"}, {0}};

struct sheet {
    struct grid grid;
    char *text; /* owned */
    size_t len;
};

static void open_sheet(struct sheet *sheet, bool people)
{
    sheet->text = NULL;
    FILE *stream = open_memstream(&sheet->text, &sheet->len);
    assert_non_null(stream);
    grid_init(&sheet->grid, columns, stream, people);
    sheet->grid.now_ms = 1000000;
}

static void row(struct grid *grid, const char *name, const char *state, uint64_t n, const char *error)
{
    grid_text(grid, name);
    grid_text(grid, state);
    grid_u64(grid, n);
    grid_text(grid, error);
}

static void expect(struct sheet *sheet, const char *text)
{
    assert_int_equal(grid_flush(&sheet->grid), ERR_OK);
    assert_string_equal(sheet->text, text);
}

static void close_sheet(struct sheet *sheet)
{
    (void)fclose(sheet->grid.stream); /* memory */
    grid_deinit(&sheet->grid);
    free(sheet->text);
}

static void test_people_read_columns(void **state)
{
    (void)state; /* none */
    struct sheet sheet;
    open_sheet(&sheet, true);
    row(&sheet.grid, "cam-1", "online", 1234, "");
    row(&sheet.grid, "k\xc3\xb6ln-200", "late", 5, "no answer");
    expect(&sheet, "NAME      STATE       N  ERROR\n"
                   "cam-1     online  1,234  -\n"
                   "k\xc3\xb6ln-200  late        5  no answer\n");
    row(&sheet.grid, "x", "off", 7, "second page");
    assert_int_equal(grid_flush(&sheet.grid), ERR_OK);
    assert_non_null(
        strstr(sheet.text, "\nx         off         7  second page\n")); /* same columns, no second header */
    close_sheet(&sheet);
}

static void test_scripts_read_tabs(void **state)
{
    (void)state; /* none */
    struct sheet sheet;
    open_sheet(&sheet, false);
    row(&sheet.grid, "cam-1", "online", 1234, "a\tb\nc");
    expect(&sheet, "cam-1\tonline\t1234\ta?b?c\n");
    close_sheet(&sheet);
}

static void test_nothing_is_printed_of_nothing(void **state)
{
    (void)state; /* none */
    struct sheet sheet;
    open_sheet(&sheet, true);
    expect(&sheet, "");
    close_sheet(&sheet);
}

static void test_a_peer_s_words_cannot_drive_the_terminal(void **state)
{
    (void)state; /* none */
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"\033[2J\007", "?[2J?"},
        {"a\xc2\x9b"
         "b",
         "a??b"},
        {"\xff\xfe", "??"},
        {"cut \xe2\x82", "cut ??"},
        {"\x7f", "?"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sheet sheet;
        char line[64];
        open_sheet(&sheet, false);
        row(&sheet.grid, "x", "y", 1, rows[i].text);
        (void)snprintf(line, sizeof(line), "x\ty\t1\t%s\n", rows[i].shown); /* fits */
        expect(&sheet, line);
        close_sheet(&sheet);
    }
}

static void test_what_the_edge_would_cut_stands_below(void **state)
{
    (void)state; /* none */
    struct sheet sheet;
    open_sheet(&sheet, true);
    sheet.grid.edge = 20;
    row(&sheet.grid, "cam", "off", 1, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    row(&sheet.grid, "cam", "off", 1, "");
    row(&sheet.grid, "cam", "off", 1, "four");
    expect(&sheet, "NAME  STATE  N  ERRO\n"
                   "cam   off    1  \n"
                   "  ERROR: \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\n"
                   "cam   off    1  -\n"
                   "cam   off    1  four\n");
    close_sheet(&sheet);
}

static void test_times(void **state)
{
    (void)state; /* none */
    static const char *const texts[] = {"1970-01-01T00:13:40.000Z", "", "not a time", "1970-01-01T00:16:40.000Z"};
    struct sheet sheet;
    open_sheet(&sheet, true);
    for (size_t i = 0; i < 4; i++) {
        grid_time(&sheet.grid, texts[i]);
    }
    assert_int_equal(grid_flush(&sheet.grid), ERR_OK);
    assert_non_null(strstr(sheet.text, "3m ago  never  not a time  now"));
    close_sheet(&sheet);
    open_sheet(&sheet, false);
    for (size_t i = 0; i < 4; i++) {
        grid_time(&sheet.grid, texts[i]);
    }
    expect(&sheet, "1970-01-01T00:13:40.000Z\t-\tnot a time\t1970-01-01T00:16:40.000Z\n");
    close_sheet(&sheet);
}

static void test_colour(void **state)
{
    (void)state; /* none */
    struct sheet sheet;
    open_sheet(&sheet, true);
    sheet.grid.colour = true;
    row(&sheet.grid, "online", "online", 1, "lost");
    expect(&sheet, "NAME    STATE   N  ERROR\nonline  \033[32monline\033[0m  1  lost\n");
    close_sheet(&sheet);
}

static void test_when_there_is_colour(void **state)
{
    (void)state; /* none */
    assert_int_equal(unsetenv("NO_COLOR") | unsetenv("CLICOLOR_FORCE") | setenv("TERM", "xterm", 1), 0);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_false(grid_colour(file));
    assert_int_equal(setenv("CLICOLOR_FORCE", "1", 1), 0);
    assert_true(grid_colour(file));
    assert_int_equal(setenv("NO_COLOR", "", 1), 0);
    assert_true(grid_colour(file)); /* set but empty does not count */
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    assert_false(grid_colour(file));
    assert_int_equal(unsetenv("NO_COLOR") | setenv("TERM", "dumb", 1), 0);
    assert_false(grid_colour(file));
    (void)fclose(file); /* nothing was written */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_people_read_columns),
        cmocka_unit_test(test_scripts_read_tabs),
        cmocka_unit_test(test_nothing_is_printed_of_nothing),
        cmocka_unit_test(test_a_peer_s_words_cannot_drive_the_terminal),
        cmocka_unit_test(test_what_the_edge_would_cut_stands_below),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_when_there_is_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
