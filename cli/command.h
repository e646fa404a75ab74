/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * command: one table says all about every command: noun, verb, options, operands, help and function. The parser, the
 * help of three levels (muster, muster NOUN, muster NOUN VERB) and "did you mean" come from it. A noun of two words
 * ("factory batch") is a level more: it stands among the verbs of the first. Main thread.
 */
#include <stddef.h>

#include "base/args.h"
#include "cli/exit.h"

#define COMMAND_NAME_MAX 64  /* "muster NOUN VERB" */
#define COMMANDS_MAX     128 /* rows of the table */

struct command_call {
    const char *name; /* "muster ca issue" */
    const void *options;
    const char *const *operands;
    size_t operands_len;
};

struct command {
    const char *noun;     /* NULL ends the table; rows of one noun stand together */
    const char *verb;     /* NULL: the noun is the whole command */
    const char *operands; /* shown in the usage line; NULL for none */
    size_t operands_min, operands_max;
    const char *help;            /* one line */
    const struct args_row *rows; /* NULL for none */
    size_t options_size;
    const void *defaults; /* options_size bytes; NULL for all zero */
    enum exit_code (*run)(const struct command_call *call);
};

/** What a noun with verbs is about, for the first level of help. */
struct command_noun {
    const char *noun; /* NULL ends the table */
    const char *help;
};

/** Parses argv and runs a command of @p table. Help goes to stdout, complaints in the form of cli/report.h to stderr.
 */
enum exit_code command_run(const struct command *table, const struct command_noun *nouns, int argc, char *const argv[]);

/** Complains of a combination of options that the rows cannot express. @return EXIT_USAGE. */
enum exit_code command_misuse(const struct command_call *call, const char *cause);
