/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * args: command lines by rows. The rows are the parser and --help; --help (-h) and --version need no row. Options may
 * stand before, between and after operands; "--" ends them; names are never abbreviated; an option given twice is an
 * error except for ARGS_STRINGS. Main thread, at start.
 *
 *     struct options { const char *config; bool check; };
 *     static const struct args_row rows[] = {
 *         {"config", 'c', "FILE", ARGS_STRING, offsetof(struct options, config), .help = "Config file"},
 *         {"check-config", 0, NULL, ARGS_FLAG, offsetof(struct options, check), .help = "Check the config and exit"},
 *         {0},
 *     };
 */
#include "base/err.h"
#include "base/strbuf.h"

enum args_type {
    ARGS_FLAG,     /* bool */
    ARGS_STRING,   /* const char *, borrowed from argv */
    ARGS_STRINGS,  /* struct args_strings: may be given several times */
    ARGS_U32,      /* uint32_t */
    ARGS_U64,      /* uint64_t */
    ARGS_DURATION, /* uint64_t milliseconds: "250ms", "60s", "15m", "1h", "25d" */
    ARGS_ENUM,     /* int: index into choices */
};

#define ARGS_STRINGS_MAX  32
#define ARGS_OPERANDS_MAX 1000 /* files of a folder, named by the shell */

struct args_strings {
    const char *items[ARGS_STRINGS_MAX]; /* borrowed from argv */
    size_t len;
};

struct args_row {
    const char *name;     /* long name without dashes; NULL ends the table */
    char letter;          /* short name; 0 for none */
    const char *argument; /* shown in the help ("FILE"); NULL for flags */
    enum args_type type;
    size_t offset;              /* of the field in the options struct */
    const char *const *choices; /* ARGS_ENUM: NULL-terminated */
    uint64_t min, max;          /* numbers, inclusive; max 0 = the type's */
    const char *help;           /* one line */
};

/** A command of a program that has some ("muster device list"), for the help and for "did you mean". */
struct args_command {
    const char *name; /* NULL ends the table */
    const char *help; /* one line */
};

struct args_schema {
    const char *program;                 /* "muster-agent", "muster ca issue" */
    const char *operands;                /* shown in the usage line: "ZONE", "[COMMAND]"; NULL for none */
    const char *summary;                 /* one line under the usage line */
    const struct args_row *rows;         /* NULL for none */
    const struct args_command *commands; /* NULL for none; with commands, parsing stops behind the first operand */
    size_t operands_min, operands_max;   /* at most ARGS_OPERANDS_MAX */
};

enum args_action { ARGS_RUN, ARGS_HELP, ARGS_VERSION };

struct args_result {
    enum args_action action; /* ARGS_HELP, ARGS_VERSION: the text is in the report; print it and exit with 0 */
    const char *operands[ARGS_OPERANDS_MAX]; /* borrowed from argv */
    size_t operands_len;
    const struct args_command *command; /* what operands[0] names, when the schema has commands */
    int next;                           /* first argument not read: where a command's own arguments start */
};

/**
 * Parses argv[1..]. @param options zeroed or holding defaults; fields of options not given stay as they are.
 * @param report ERR_INVALID: what is wrong, newline-ended, to print on stderr before exiting with 2; the help or
 * version text otherwise. @return ERR_INVALID, ERR_NOMEM.
 */
enum err args_parse(const struct args_schema *schema, int argc, char *const argv[], void *options,
                    struct args_result *ret_result, struct strbuf *report) MUST_CHECK;

/** args_parse for a program's start: what is to be told instead of running is printed, help and version on stdout, what
 * is wrong on stderr. @return false: exit with *ret_status, of sysexits.h (EX_OK, EX_USAGE, EX_IOERR). */
bool args_run(const struct args_schema *schema, int argc, char *const argv[], void *options,
              struct args_result *ret_result, int *ret_status) MUST_CHECK;

/** The text of --help. @return the buffer's error. */
enum err args_help(const struct args_schema *schema, struct strbuf *out) MUST_CHECK;
