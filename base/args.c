/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/suggest.h"
#include "base/units.h"

#define ROWS_MAX    64 /* options of one command: bits of `given` */
#define HELP_COLUMN 28
#define TEXT_MAX    (64 * 1024) /* of a help */

struct parser {
    const struct args_schema *schema;
    int argc;
    char *const *argv;
    int at; /* next argument */
    void *options;
    uint64_t given; /* bit i: row i was given */
    struct strbuf *report;
};

static const struct args_row help_row = {.name = "help", .letter = 'h', .help = "Show this help and exit"};
static const struct args_row version_row = {.name = "version", .help = "Show the version and exit"};
static const struct args_row no_rows[] = {{0}};

static enum err complain(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
static enum err complain(struct parser *parser, const char *format, ...)
{
    (void)strbuf_addf(parser->report, "%s: ", parser->schema->program); /* the error sticks until the end */
    va_list args;
    va_start(args, format);
    (void)strbuf_addv(parser->report, format, args);
    va_end(args);
    (void)strbuf_adds(parser->report, "\n");
    return strbuf_error(parser->report) == ERR_NOMEM ? ERR_NOMEM : ERR_INVALID;
}

static const struct args_row *find_long(const struct args_row *rows, struct view name)
{
    for (const struct args_row *row = rows; row->name != NULL; row++) {
        if (view_equals(name, row->name)) {
            return row;
        }
    }
    return view_equals(name, help_row.name) ? &help_row : view_equals(name, version_row.name) ? &version_row : NULL;
}

static const struct args_row *find_letter(const struct args_row *rows, char letter)
{
    for (const struct args_row *row = rows; row->name != NULL; row++) {
        if (row->letter == letter) {
            return row;
        }
    }
    return letter == help_row.letter ? &help_row : NULL;
}

static enum err unknown_option(struct parser *parser, const struct args_row *rows, struct view name)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (const struct args_row *row = rows; row->name != NULL; row++) {
        suggest_offer(&suggest, row->name);
    }
    suggest_offer(&suggest, help_row.name);
    suggest_offer(&suggest, version_row.name);
    if (suggest.best != NULL) {
        return complain(parser, "unknown option --%.*s, did you mean --%s?", VIEW_ARG(name), suggest.best);
    }
    return complain(parser, "unknown option --%.*s, see --help", VIEW_ARG(name));
}

static enum err store_choice(struct parser *parser, const struct args_row *row, const char *value, int *field)
{
    struct suggest suggest;
    suggest_init(&suggest, view_of(value));
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], value) == 0) {
            *field = i;
            return ERR_OK;
        }
        suggest_offer(&suggest, row->choices[i]);
    }
    if (suggest.best != NULL) {
        return complain(parser, "--%s: unknown value %s, did you mean %s?", row->name, value, suggest.best);
    }
    return complain(parser, "--%s: unknown value %s, see --help", row->name, value);
}

static enum err store_number(struct parser *parser, const struct args_row *row, const char *value, void *field)
{
    uint64_t type_max = row->type == ARGS_U32 ? UINT32_MAX : UINT64_MAX;
    uint64_t max = row->max != 0 ? row->max : type_max;
    uint64_t number = 0;
    bool duration = row->type == ARGS_DURATION;
    enum err err =
        duration ? units_parse_duration(view_of(value), &number) : view_to_u64(view_of(value), type_max, &number);
    if (err == ERR_PARSE) {
        return complain(parser, "--%s: %s is not a %s", row->name, value,
                        duration ? "duration: write a number and a unit, as in 250ms, 60s, 15m, 1h, 25d" : "number");
    }
    if ((err != ERR_OK || number < row->min || number > max) && duration) {
        char least[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE];
        return complain(parser, "--%s: %s is out of range, allowed are %s to %s", row->name, value,
                        units_format_duration(row->min, least), units_format_duration(max, most));
    }
    if (err != ERR_OK || number < row->min || number > max) {
        return complain(parser, "--%s: %s is out of range, allowed are %" PRIu64 " to %" PRIu64, row->name, value,
                        row->min, max);
    }
    if (row->type == ARGS_U32) {
        *(uint32_t *)field = (uint32_t)number;
    } else {
        *(uint64_t *)field = number;
    }
    return ERR_OK;
}

static enum err store(struct parser *parser, const struct args_row *row, const char *value)
{
    void *field = (char *)parser->options + row->offset;
    struct args_strings *strings = field;
    switch (row->type) {
    case ARGS_FLAG:
        *(bool *)field = true;
        return ERR_OK;
    case ARGS_STRING:
        *(const char **)field = value;
        return ERR_OK;
    case ARGS_STRINGS:
        if (strings->len == ARGS_STRINGS_MAX) {
            return complain(parser, "--%s: given more than %d times", row->name, ARGS_STRINGS_MAX);
        }
        strings->items[strings->len++] = value;
        return ERR_OK;
    case ARGS_ENUM:
        return store_choice(parser, row, value, field);
    default:
        return store_number(parser, row, value, field);
    }
}

static enum err mark_given(struct parser *parser, const struct args_row *rows, const struct args_row *row)
{
    assert(row - rows < ROWS_MAX);
    uint64_t bit = 1ull << (row - rows);
    if ((parser->given & bit) != 0 && row->type != ARGS_STRINGS) {
        return complain(parser, "--%s is given twice", row->name);
    }
    parser->given |= bit;
    return ERR_OK;
}

/* One option whose row is found. @p attached: value in the same argument ("=x", "-nx"), or NULL. */
static enum err take_option(struct parser *parser, const struct args_row *rows, const struct args_row *row,
                            const char *attached, enum args_action *action)
{
    if (row == &help_row || row == &version_row) {
        *action = row == &help_row ? ARGS_HELP : ARGS_VERSION;
        return attached == NULL ? ERR_OK : complain(parser, "--%s takes no value", row->name);
    }
    enum err err = mark_given(parser, rows, row);
    if (err != ERR_OK) {
        return err;
    }
    if (row->type == ARGS_FLAG) {
        return attached == NULL ? store(parser, row, NULL) : complain(parser, "--%s takes no value", row->name);
    }
    if (attached == NULL && parser->at == parser->argc) {
        return complain(parser, "--%s needs a value: --%s=%s", row->name, row->name, row->argument);
    }
    return store(parser, row, attached != NULL ? attached : parser->argv[parser->at++]);
}

static enum err take_long(struct parser *parser, const struct args_row *rows, const char *text,
                          enum args_action *action)
{
    const char *equals = strchr(text, '=');
    struct view name = equals != NULL ? view_n(text, (size_t)(equals - text)) : view_of(text);
    const struct args_row *row = find_long(rows, name);
    if (row == NULL) {
        return unknown_option(parser, rows, name);
    }
    return take_option(parser, rows, row, equals != NULL ? equals + 1 : NULL, action);
}

/* "-v", "-vc", "-cFILE", "-c FILE". */
static enum err take_letters(struct parser *parser, const struct args_row *rows, const char *letters,
                             enum args_action *action)
{
    for (const char *letter = letters; *letter != '\0'; letter++) {
        const struct args_row *row = find_letter(rows, *letter);
        if (row == NULL) {
            return complain(parser, "unknown option -%c, see --help", *letter);
        }
        bool takes_value = row->type != ARGS_FLAG;
        const char *attached = takes_value && letter[1] != '\0' ? letter + 1 : NULL;
        enum err err = take_option(parser, rows, row, attached, action);
        if (err != ERR_OK || takes_value || *action != ARGS_RUN) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err take_command(struct parser *parser, const char *word, struct args_result *result)
{
    struct suggest suggest;
    suggest_init(&suggest, view_of(word));
    for (const struct args_command *command = parser->schema->commands; command->name != NULL; command++) {
        if (strcmp(command->name, word) == 0) {
            result->command = command;
            return ERR_OK;
        }
        suggest_offer(&suggest, command->name);
    }
    if (suggest.best != NULL) {
        return complain(parser, "unknown command %s, did you mean %s?", word, suggest.best);
    }
    return complain(parser, "unknown command %s, see --help", word);
}

static enum err take_operand(struct parser *parser, const char *word, struct args_result *result)
{
    if (parser->schema->commands != NULL) {
        result->operands[result->operands_len++] = word;
        return take_command(parser, word, result);
    }
    if (result->operands_len == parser->schema->operands_max) {
        return complain(parser, "unexpected argument %s, see --help", word);
    }
    result->operands[result->operands_len++] = word;
    return ERR_OK;
}

static enum err take_all(struct parser *parser, struct args_result *result)
{
    const struct args_row *rows = parser->schema->rows != NULL ? parser->schema->rows : no_rows;
    bool options_ended = false;
    while (parser->at < parser->argc && result->action == ARGS_RUN && result->command == NULL) {
        const char *text = parser->argv[parser->at++];
        enum err err = ERR_OK;
        if (options_ended || text[0] != '-' || text[1] == '\0') {
            err = take_operand(parser, text, result);
        } else if (strcmp(text, "--") == 0) {
            options_ended = true;
        } else if (text[1] == '-') {
            err = take_long(parser, rows, text + 2, &result->action);
        } else {
            err = take_letters(parser, rows, text + 1, &result->action);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err args_parse(const struct args_schema *schema, int argc, char *const argv[], void *options,
                    struct args_result *ret_result, struct strbuf *report)
{
    assert(schema->operands_max <= ARGS_OPERANDS_MAX);
    struct args_result result = {.action = ARGS_RUN};
    struct parser parser = {
        .schema = schema, .argc = argc, .argv = argv, .at = 1, .options = options, .report = report};
    enum err err = take_all(&parser, &result);
    if (err != ERR_OK) {
        return err;
    }
    if (result.action == ARGS_HELP) {
        err = args_help(schema, report);
    } else if (result.action == ARGS_VERSION) {
        err = strbuf_addf(report, "%s %s\n", schema->program, MUSTER_VERSION);
    } else if (result.operands_len < schema->operands_min) {
        err = complain(&parser, "missing %s, see --help", schema->operands != NULL ? schema->operands : "argument");
    }
    if (err != ERR_OK) {
        return err;
    }
    result.next = parser.at;
    *ret_result = result;
    return ERR_OK;
}

bool args_run(const struct args_schema *schema, int argc, char *const argv[], void *options,
              struct args_result *ret_result, int *ret_status)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    enum err err = args_parse(schema, argc, argv, options, ret_result, &text);
    bool go_on = err == ERR_OK && ret_result->action == ARGS_RUN;
    if (!go_on) {
        FILE *stream = err == ERR_OK ? stdout : stderr;
        bool good = fputs(strbuf_str(&text), stream) >= 0 && fflush(stream) == 0;
        *ret_status = err != ERR_OK ? EX_USAGE : good ? EX_OK : EX_IOERR;
    }
    strbuf_deinit(&text);
    return go_on;
}

/* Pads to the help column, on a new line when the left side is too wide. */
static void add_help_text(struct strbuf *out, size_t line_start, const char *help)
{
    size_t width = out->len - line_start;
    if (width + 2 > HELP_COLUMN) {
        (void)strbuf_adds(out, "\n");
        width = 0;
    }
    (void)strbuf_addf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", help);
}

static void add_row(struct strbuf *out, const struct args_row *row)
{
    size_t line_start = out->len;
    if (row->letter != 0) {
        (void)strbuf_addf(out, "  -%c, --%s", row->letter, row->name);
    } else {
        (void)strbuf_addf(out, "      --%s", row->name);
    }
    if (row->type == ARGS_ENUM) {
        for (size_t i = 0; row->choices[i] != NULL; i++) {
            (void)strbuf_addf(out, "%c%s", i == 0 ? '=' : '|', row->choices[i]);
        }
    } else if (row->type != ARGS_FLAG) {
        (void)strbuf_addf(out, "=%s", row->argument);
    }
    add_help_text(out, line_start, row->help);
}

enum err args_help(const struct args_schema *schema, struct strbuf *out)
{
    /* Appends of a failed buffer do nothing; its error is returned at the end. */
    (void)strbuf_addf(out, "Usage: %s [OPTION...]%s%s\n%s\n", schema->program, schema->operands != NULL ? " " : "",
                      schema->operands != NULL ? schema->operands : "", schema->summary);
    if (schema->commands != NULL) {
        (void)strbuf_adds(out, "\nCommands:\n");
        for (const struct args_command *command = schema->commands; command->name != NULL; command++) {
            size_t line_start = out->len;
            (void)strbuf_addf(out, "  %s", command->name);
            add_help_text(out, line_start, command->help);
        }
    }
    (void)strbuf_adds(out, "\nOptions:\n");
    for (const struct args_row *row = schema->rows != NULL ? schema->rows : no_rows; row->name != NULL; row++) {
        add_row(out, row);
    }
    add_row(out, &help_row);
    add_row(out, &version_row);
    return strbuf_error(out);
}
