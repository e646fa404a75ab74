/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

#define REPORT_MAX 65536 /* help text */

static enum exit_code usage(const char *name, const char *cause)
{
    char hint[COMMAND_NAME_MAX + 32];
    (void)snprintf(hint, sizeof(hint), "see the options: %s --help", name); /* names are bounded by COMMAND_NAME_MAX */
    const struct report report = {
        .error = "the command line is not understood", .cause = cause, .hint = hint, .docs = name};
    report_print(&report, stderr);
    return EXIT_USAGE;
}

enum exit_code command_misuse(const struct command_call *call, const char *cause)
{
    return usage(call->name, cause);
}

/** The parser's complaint without "program: " before and the newline behind it. */
static enum exit_code complain(const struct args_schema *schema, struct strbuf *text)
{
    size_t prefix = strlen(schema->program) + 2;
    if (text->len > prefix + 1) {
        text->ptr[text->len - 1] = '\0';
        return usage(schema->program, text->ptr + prefix);
    }
    return usage(schema->program, "out of memory");
}

/** Parses one level. @return true to go on; false when *ret_code is the end of it. */
static bool parse_level(const struct args_schema *schema, int argc, char *const argv[], void *options,
                        struct args_result *ret_result, enum exit_code *ret_code)
{
    struct strbuf text;
    strbuf_init(&text, REPORT_MAX);
    bool go_on = false;
    enum err err = args_parse(schema, argc, argv, options, ret_result, &text);
    if (err != ERR_OK) {
        *ret_code = complain(schema, &text);
    } else if (ret_result->action != ARGS_RUN) {
        *ret_code = fputs(strbuf_str(&text), stdout) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    } else {
        go_on = true;
    }
    strbuf_deinit(&text);
    return go_on;
}

static enum exit_code run_one(const struct command *command, const char *name, int argc, char *const argv[])
{
    const struct args_schema schema = {
        .program = name,
        .operands = command->operands,
        .summary = command->help,
        .rows = command->rows,
        .operands_min = command->operands_min,
        .operands_max = command->operands_max,
    };
    void *options = calloc(1, MAX(command->options_size, (size_t)1));
    if (options == NULL) {
        return usage(name, "out of memory");
    }
    if (command->defaults != NULL) {
        memcpy(options, command->defaults, command->options_size);
    }
    enum exit_code code;
    struct args_result result;
    if (parse_level(&schema, argc, argv, options, &result, &code)) {
        const struct command_call call = {
            .name = name,
            .options = options,
            .operands = result.operands,
            .operands_len = result.operands_len,
        };
        code = command->run(&call);
    }
    free(options);
    return code;
}

static const struct command *find(const struct command *table, const char *noun, const char *verb)
{
    for (const struct command *row = table; row->noun != NULL; row++) {
        if (strcmp(row->noun, noun) == 0 && (verb == NULL || (row->verb != NULL && strcmp(row->verb, verb) == 0))) {
            return row;
        }
    }
    return NULL;
}

static const struct command_noun *find_noun(const struct command_noun *nouns, const char *name)
{
    for (const struct command_noun *noun = nouns; noun->noun != NULL; noun++) {
        if (strcmp(noun->noun, name) == 0) {
            return noun;
        }
    }
    return NULL;
}

/** The second word of a noun that belongs to @p first; NULL when it does not. */
static const char *second_word(const struct command_noun *noun, const char *first)
{
    size_t len = strlen(first);
    return strncmp(noun->noun, first, len) == 0 && noun->noun[len] == ' ' ? noun->noun + len + 1 : NULL;
}

/** What may follow @p noun: its verbs, and the second words of nouns that begin with it. */
static void list_verbs(const struct command *table, const struct command_noun *nouns, const struct command_noun *noun,
                       struct args_command verbs[static COMMANDS_MAX + 1])
{
    size_t count = 0;
    for (const struct command *row = table; row->noun != NULL && count < COMMANDS_MAX; row++) {
        if (strcmp(row->noun, noun->noun) == 0) {
            verbs[count++] = (struct args_command){row->verb, row->help};
        }
    }
    for (; nouns->noun != NULL && count < COMMANDS_MAX; nouns++) {
        if (second_word(nouns, noun->noun) != NULL) {
            verbs[count++] = (struct args_command){second_word(nouns, noun->noun), nouns->help};
        }
    }
}

static enum exit_code run_noun(const struct command *table, const struct command_noun *nouns,
                               const struct command_noun *noun, int argc, char *const argv[])
{
    struct args_command verbs[COMMANDS_MAX + 1] = {0};
    char name[COMMAND_NAME_MAX];
    list_verbs(table, nouns, noun, verbs);
    (void)snprintf(name, sizeof(name), "muster %s", noun->noun); /* bounded, see above */
    const struct args_schema schema = {
        .program = name, .operands = "COMMAND", .summary = noun->help, .commands = verbs, .operands_min = 1};
    enum exit_code code;
    struct args_result result;
    if (!parse_level(&schema, argc, argv, NULL, &result, &code)) {
        return code;
    }
    int rest = argc - (result.next - 1);
    char *const *arguments = argv + (result.next - 1);
    const struct command *command = find(table, noun->noun, result.command->name);
    (void)snprintf(name, sizeof(name), "%s %s", noun->noun, result.command->name); /* bounded, see above */
    if (command == NULL) {
        noun = find_noun(nouns, name);
        assert(noun != NULL); /* the words offered come from the same tables */
        return run_noun(table, nouns, noun, rest, arguments);
    }
    (void)snprintf(name, sizeof(name), "muster %s %s", noun->noun, command->verb); /* bounded, see above */
    return run_one(command, name, rest, arguments);
}

enum exit_code command_run(const struct command *table, const struct command_noun *nouns, int argc, char *const argv[])
{
    struct args_command words[2 * COMMANDS_MAX + 1] = {0};
    size_t count = 0;
    for (const struct command *row = table; row->noun != NULL && count < COMMANDS_MAX; row++) {
        if (row->verb == NULL) {
            words[count++] = (struct args_command){row->noun, row->help};
        }
    }
    for (const struct command_noun *noun = nouns; noun->noun != NULL && count < 2 * COMMANDS_MAX; noun++) {
        if (strchr(noun->noun, ' ') == NULL) {
            words[count++] = (struct args_command){noun->noun, noun->help};
        }
    }
    const struct args_schema schema = {
        .program = "muster",
        .operands = "COMMAND",
        .summary = "Dynamic DNS for fleets: certificates, devices, records and zones.",
        .commands = words,
        .operands_min = 1,
    };
    enum exit_code code;
    struct args_result result;
    if (!parse_level(&schema, argc, argv, NULL, &result, &code)) {
        return code;
    }
    int rest = argc - (result.next - 1);
    const struct command_noun *noun = find_noun(nouns, result.command->name);
    if (noun != NULL) {
        return run_noun(table, nouns, noun, rest, argv + (result.next - 1));
    }
    char name[COMMAND_NAME_MAX];
    (void)snprintf(name, sizeof(name), "muster %s", result.command->name); /* bounded, see above */
    const struct command *command = find(table, result.command->name, NULL);
    assert(command != NULL); /* the words offered come from the same table */
    return run_one(command, name, rest, argv + (result.next - 1));
}
