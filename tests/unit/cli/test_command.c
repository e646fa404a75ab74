/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/report.h"
#include "cli/table.h"

struct options {
    const char *color;
    uint32_t count;
};

static const struct args_row rows[] = {
    {"color", 'c', "NAME", ARGS_STRING, offsetof(struct options, color), .help = "A color"},
    {"count", 'n', "N", ARGS_U32, offsetof(struct options, count), .help = "A number"},
    {0},
};
static const struct options defaults = {.color = "blue", .count = 7};

static struct {
    int calls;
    char name[COMMAND_NAME_MAX];
    char color[16];
    uint32_t count;
    size_t operands;
} seen;

static enum exit_code paint(const struct command_call *call)
{
    const struct options *options = call->options;
    seen.calls++;
    (void)snprintf(seen.name, sizeof(seen.name), "%s", call->name);
    (void)snprintf(seen.color, sizeof(seen.color), "%s", options->color);
    seen.count = options->count;
    seen.operands = call->operands_len;
    return EXIT_PENDING;
}

static enum exit_code plain(const struct command_call *call)
{
    seen.calls++;
    (void)snprintf(seen.name, sizeof(seen.name), "%s", call->name);
    return EXIT_OK;
}

static const struct command_noun nouns[] = {{"wall", "Walls"}, {"wall door", "Doors"}, {0}};
static const struct command table[] = {
    {.noun = "wall",
     .verb = "paint",
     .operands = "WALL",
     .operands_min = 1,
     .operands_max = 2,
     .help = "Paint",
     .rows = rows,
     .options_size = sizeof(struct options),
     .defaults = &defaults,
     .run = paint},
    {.noun = "wall", .verb = "list", .help = "List", .run = plain},
    {.noun = "wall door", .verb = "open", .help = "Open", .run = plain},
    {.noun = "status", .help = "Status", .run = plain},
    {0},
};

/** Runs "muster" with the words of @p line. */
static enum exit_code run(const char *line)
{
    char words[128];
    char *argv[16] = {NULL};
    int argc = 0;
    assert_int_equal(view_copy(view_of(line), words, sizeof(words)), ERR_OK);
    for (char *p = words; p != NULL; argc++) {
        argv[argc] = p;
        p = strchr(p, ' ');
        if (p != NULL) {
            *p++ = '\0';
        }
    }
    memset(&seen, 0, sizeof(seen));
    return command_run(table, nouns, argc, argv);
}

static void runs_the_command_with_its_options(void **state)
{
    (void)state;
    assert_int_equal(run("muster wall paint north"), EXIT_PENDING);
    assert_int_equal(seen.calls, 1);
    assert_string_equal(seen.name, "muster wall paint");
    assert_string_equal(seen.color, "blue");
    assert_int_equal(seen.count, 7);
    assert_int_equal(seen.operands, 1);
    assert_int_equal(run("muster wall paint --count=9 north -c red south"), EXIT_PENDING);
    assert_string_equal(seen.color, "red");
    assert_int_equal(seen.count, 9);
    assert_int_equal(seen.operands, 2);
    assert_int_equal(run("muster wall list"), EXIT_OK);
    assert_string_equal(seen.name, "muster wall list");
    assert_int_equal(run("muster wall door open"), EXIT_OK);
    assert_string_equal(seen.name, "muster wall door open");
    assert_int_equal(run("muster status"), EXIT_OK);
    assert_string_equal(seen.name, "muster status");
}

static void refuses_other_lines_without_running_anything(void **state)
{
    (void)state;
    assert_int_equal(run("muster"), EXIT_USAGE);
    assert_int_equal(run("muster wall"), EXIT_USAGE);
    assert_int_equal(run("muster wal"), EXIT_USAGE);
    assert_int_equal(run("muster wall pain"), EXIT_USAGE);
    assert_int_equal(run("muster wall paint"), EXIT_USAGE);
    assert_int_equal(run("muster wall paint a b c"), EXIT_USAGE);
    assert_int_equal(run("muster wall paint a --count=x"), EXIT_USAGE);
    assert_int_equal(run("muster wall list a"), EXIT_USAGE);
    assert_int_equal(run("muster wall door"), EXIT_USAGE);
    assert_int_equal(run("muster wall door paint"), EXIT_USAGE);
    assert_int_equal(run("muster door open"), EXIT_USAGE);
    assert_int_equal(run("muster wall open"), EXIT_USAGE);
    assert_int_equal(run("muster status --color=red"), EXIT_USAGE);
    assert_int_equal(run("muster paint"), EXIT_USAGE);
    assert_int_equal(seen.calls, 0);
}

static void help_of_every_level_succeeds(void **state)
{
    (void)state;
    assert_int_equal(run("muster --help"), EXIT_OK);
    assert_int_equal(run("muster wall --help"), EXIT_OK);
    assert_int_equal(run("muster wall paint --help"), EXIT_OK);
    assert_int_equal(run("muster wall door --help"), EXIT_OK);
    assert_int_equal(run("muster --version"), EXIT_OK);
    assert_int_equal(seen.calls, 0);
}

/** What the dispatcher relies on: rows of one noun together, names that fit, a noun row for every verb. */
static void the_real_table_is_well_formed(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct command *row = cli_commands; row->noun != NULL; row++, count++) {
        assert_non_null(row->help);
        assert_non_null(row->run);
        size_t len = sizeof("muster ") + strlen(row->noun) + (row->verb != NULL ? strlen(row->verb) + 1 : 0);
        assert_true(len <= COMMAND_NAME_MAX);
        assert_true((row->rows == NULL) == (row->options_size == 0));
        bool listed = false;
        for (const struct command_noun *noun = cli_nouns; noun->noun != NULL; noun++) {
            listed = listed || strcmp(noun->noun, row->noun) == 0;
        }
        assert_int_equal(listed, row->verb != NULL);
        for (const struct command *other = cli_commands; other < row; other++) {
            bool same_verb =
                other->verb == NULL ? row->verb == NULL : row->verb != NULL && strcmp(other->verb, row->verb) == 0;
            assert_false(strcmp(other->noun, row->noun) == 0 && same_verb);
        }
    }
    assert_in_range(count, 1, COMMANDS_MAX);
}

static void report_has_four_printable_lines(void **state)
{
    (void)state;
    const struct report report = {
        .error = "no\nway", .cause = "\x1b[31mbad", .hint = "do it", .docs = "muster ca issue"};
    struct strbuf text;
    strbuf_init(&text, 1024);
    report_format(&report, &text);
    assert_string_equal(strbuf_str(&text), "muster: error: no?way\n"
                                           "  cause: ?[31mbad\n"
                                           "  hint:  do it\n"
                                           "  docs:  muster ca issue --help\n");
    strbuf_deinit(&text);
}

static void exit_codes_are_the_documented_numbers(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int code;
    } codes[] = {
        {ERR_OK, 0},       {ERR_IO, 1},     {ERR_NOMEM, 1},    {ERR_INVALID, 2}, {ERR_DENIED, 4}, {ERR_AUTH, 4},
        {ERR_NOTFOUND, 5}, {ERR_EXISTS, 6}, {ERR_CONFLICT, 6}, {ERR_TIMEOUT, 7}, {ERR_AGAIN, 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        assert_int_equal(exit_code_of(codes[i].err), codes[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_the_command_with_its_options),
        cmocka_unit_test(refuses_other_lines_without_running_anything),
        cmocka_unit_test(help_of_every_level_succeeds),
        cmocka_unit_test(the_real_table_is_well_formed),
        cmocka_unit_test(report_has_four_printable_lines),
        cmocka_unit_test(exit_codes_are_the_documented_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
