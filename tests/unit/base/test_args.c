/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

struct options {
    bool verbose, check;
    const char *config;
    struct args_strings labels;
    uint32_t count;
    uint64_t wait_ms;
    int level;
};

static const char *const levels[] = {"error", "info", "debug", NULL};
static const struct args_row rows[] = {
    {"config", 'c', "FILE", ARGS_STRING, offsetof(struct options, config), .help = "Config file"},
    {"check-config", 0, NULL, ARGS_FLAG, offsetof(struct options, check), .help = "Check the config and exit"},
    {"verbose", 'v', NULL, ARGS_FLAG, offsetof(struct options, verbose), .help = "Say more"},
    {"label", 'l', "KEY=VALUE", ARGS_STRINGS, offsetof(struct options, labels), .help = "Label, repeatable"},
    {"count", 'n', "N", ARGS_U32, offsetof(struct options, count), .min = 1, .max = 100, .help = "How many"},
    {"wait", 0, "TIME", ARGS_DURATION, offsetof(struct options, wait_ms), .max = 60000, .help = "How long"},
    {"a-level-with-long-name", 0, NULL, ARGS_ENUM, offsetof(struct options, level), levels, .help = "What to say"},
    {0},
};
static const struct args_schema schema = {
    .program = "tool", .operands = "ZONE [NAME]", .summary = "Does things.", .rows = rows, .operands_max = 2};

struct run {
    struct options options;
    struct args_result result;
    struct strbuf report;
    enum err err;
};

/* Runs the words of `line`, parted by single blanks. */
static void run(const struct args_schema *with, char *line, struct run *ret)
{
    char *argv[20] = {(char *)"tool"};
    int argc = 1;
    for (char *word = line; word != NULL && *word != '\0'; argc++) {
        argv[argc] = word;
        word = strchr(word, ' ');
        if (word != NULL) {
            *word++ = '\0';
        }
    }
    *ret = (struct run){0};
    strbuf_init(&ret->report, 4000);
    ret->err = args_parse(with, argc, argv, &ret->options, &ret->result, &ret->report);
}

static void reads_every_form(void **state)
{
    (void)state;
    char line[] = "a.example --config=/etc/x -v --count 7 -l a=1 -lb=2 --wait 15s --a-level-with-long-name=debug "
                  "--check-config -- -dash";
    struct run got;
    run(&schema, line, &got);
    assert_int_equal(got.err, ERR_OK);
    assert_int_equal(got.result.action, ARGS_RUN);
    assert_string_equal(got.options.config, "/etc/x");
    assert_true(got.options.verbose && got.options.check);
    assert_int_equal(got.options.count, 7);
    assert_int_equal(got.options.labels.len, 2);
    assert_string_equal(got.options.labels.items[1], "b=2");
    assert_int_equal(got.options.wait_ms, 15000);
    assert_int_equal(got.options.level, 2);
    assert_int_equal(got.result.operands_len, 2);
    assert_string_equal(got.result.operands[1], "-dash");
    assert_string_equal(strbuf_str(&got.report), "");
    char grouped[] = "-vc FILE -";
    run(&schema, grouped, &got);
    assert_true(got.err == ERR_OK && got.options.verbose);
    assert_string_equal(got.options.config, "FILE");
    assert_string_equal(got.result.operands[0], "-");
}

static void refuses_with_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *line, *report;
    } wrong[] = {
        {"--confg x", "tool: unknown option --confg, did you mean --config?\n"},
        {"--conf x", "tool: unknown option --conf, did you mean --config?\n"},
        {"--halp", "tool: unknown option --halp, did you mean --help?\n"},
        {"--nothing-like-it", "tool: unknown option --nothing-like-it, see --help\n"},
        {"-x", "tool: unknown option -x, see --help\n"},
        {"-vx", "tool: unknown option -x, see --help\n"},
        {"--config", "tool: --config needs a value: --config=FILE\n"},
        {"-c", "tool: --config needs a value: --config=FILE\n"},
        {"--verbose=1", "tool: --verbose takes no value\n"},
        {"--help=1", "tool: --help takes no value\n"},
        {"-v -v", "tool: --verbose is given twice\n"},
        {"--config=a -c b", "tool: --config is given twice\n"},
        {"--count=0", "tool: --count: 0 is out of range, allowed are 1 to 100\n"},
        {"--count=101", "tool: --count: 101 is out of range, allowed are 1 to 100\n"},
        {"--count=99999999999", "tool: --count: 99999999999 is out of range, allowed are 1 to 100\n"},
        {"--count=-1", "tool: --count: -1 is not a number\n"},
        {"--count=", "tool: --count:  is not a number\n"},
        {"--wait=5", "tool: --wait: 5 is not a duration: write a number and a unit, as in 250ms, 60s, 15m, 1h, 25d\n"},
        {"--wait=2m", "tool: --wait: 2m is out of range, allowed are 0ms to 1m\n"},
        {"--a-level-with-long-name=inof", "tool: --a-level-with-long-name: unknown value inof, did you mean info?\n"},
        {"--a-level-with-long-name=x", "tool: --a-level-with-long-name: unknown value x, see --help\n"},
        {"a b c", "tool: unexpected argument c, see --help\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char line[100];
        assert_int_equal(view_copy(view_of(wrong[i].line), line, sizeof(line)), ERR_OK);
        struct run got;
        run(&schema, line, &got);
        assert_int_equal(got.err, ERR_INVALID);
        assert_string_equal(strbuf_str(&got.report), wrong[i].report);
        strbuf_deinit(&got.report);
    }
}

static void too_few_operands_are_named(void **state)
{
    (void)state;
    struct args_schema needy = schema;
    needy.operands_min = 1;
    char line[] = "-v";
    struct run got;
    run(&needy, line, &got);
    assert_int_equal(got.err, ERR_INVALID);
    assert_string_equal(strbuf_str(&got.report), "tool: missing ZONE [NAME], see --help\n");
    strbuf_deinit(&got.report);
}

static void a_command_keeps_its_own_arguments(void **state)
{
    (void)state;
    static const struct args_command commands[] = {{"device", "Devices"}, {"zone", "Zones"}, {0}};
    static const struct args_schema top = {.program = "tool",
                                           .operands = "COMMAND",
                                           .summary = "Does.",
                                           .rows = rows,
                                           .commands = commands,
                                           .operands_min = 1};
    char line[] = "-v zone sweep --force";
    struct run got;
    run(&top, line, &got);
    assert_int_equal(got.err, ERR_OK);
    assert_ptr_equal(got.result.command, &commands[1]);
    assert_int_equal(got.result.next, 3);
    char wrong[] = "zones";
    run(&top, wrong, &got);
    assert_string_equal(strbuf_str(&got.report), "tool: unknown command zones, did you mean zone?\n");
    strbuf_deinit(&got.report);
    char none[] = "";
    run(&top, none, &got);
    assert_string_equal(strbuf_str(&got.report), "tool: missing COMMAND, see --help\n");
    strbuf_deinit(&got.report);
}

static void help_comes_from_the_rows(void **state)
{
    (void)state;
    char line[] = "--help --nonsense";
    struct run got;
    run(&schema, line, &got);
    assert_int_equal(got.err, ERR_OK);
    assert_int_equal(got.result.action, ARGS_HELP);
    assert_string_equal(strbuf_str(&got.report), "Usage: tool [OPTION...] ZONE [NAME]\nDoes things.\n\nOptions:\n"
                                                 "  -c, --config=FILE         Config file\n"
                                                 "      --check-config        Check the config and exit\n"
                                                 "  -v, --verbose             Say more\n"
                                                 "  -l, --label=KEY=VALUE     Label, repeatable\n"
                                                 "  -n, --count=N             How many\n"
                                                 "      --wait=TIME           How long\n"
                                                 "      --a-level-with-long-name=error|info|debug\n"
                                                 "                            What to say\n"
                                                 "  -h, --help                Show this help and exit\n"
                                                 "      --version             Show the version and exit\n");
    strbuf_deinit(&got.report);
    char version[] = "--version";
    run(&schema, version, &got);
    assert_int_equal(got.result.action, ARGS_VERSION);
    assert_string_equal(strbuf_str(&got.report), "tool " MUSTER_VERSION "\n");
    strbuf_deinit(&got.report);
}

static bool go_on(const char *word, int *ret_status)
{
    char *argv[] = {(char *)"tool", (char *)word, NULL};
    struct options options = {0};
    struct args_result result;
    return args_run(&schema, 2, argv, &options, &result, ret_status);
}

static void what_is_told_instead_of_run_has_its_status(void **state)
{
    (void)state;
    int status = 99, kept = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(go_on("zone", &status));
    assert_int_equal(status, 99);
    assert_false(go_on("--help", &status));
    assert_int_equal(status, EX_OK);
    assert_false(go_on("--nonsense", &status));
    assert_int_equal(status, EX_USAGE);
    assert_true(kept >= 0 && full >= 0);
    assert_int_equal(dup2(full, STDOUT_FILENO), STDOUT_FILENO);
    assert_false(go_on("--help", &status));
    assert_int_equal(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
    clearerr(stdout);
    assert_int_equal(status, EX_IOERR);
    assert_int_equal(close(kept) + close(full), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),           cmocka_unit_test(refuses_with_a_remedy),
        cmocka_unit_test(too_few_operands_are_named), cmocka_unit_test(a_command_keeps_its_own_arguments),
        cmocka_unit_test(help_comes_from_the_rows),   cmocka_unit_test(what_is_told_instead_of_run_has_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
