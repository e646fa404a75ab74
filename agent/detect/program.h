/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * program: what the sources have in common that run a program for each question (exec, http, upnp): the questions under
 * way, their children, and what a failed child means. A source of this kind says how the program is called and what its
 * output tells. Threading: loop thread.
 */
#include "agent/detect/child.h"
#include "agent/detect/source.h"

#define PROGRAM_RUNNING_MAX 2 /* of one source at once; further questions wait for their turn */
#define PROGRAM_OUTPUT_MAX  4096
#define PROGRAM_PATH_SIZE   512
#define PROGRAM_TEXT_SIZE   1100 /* a URL and its variable's name */

/** What is run. Texts live until the child is started: in `texts`, or in the source's config. */
struct program_call {
    const char *arguments[CHILD_ARGS_MAX];
    size_t arguments_len;
    const char *variables[4];
    size_t variables_len;
    char path[PROGRAM_PATH_SIZE];
    char texts[4][64];
    char long_text[PROGRAM_TEXT_SIZE];
};

struct program_kind {
    /** @return ERR_UNSUPPORTED (this source knows nothing of that family), or why it cannot be asked now. */
    enum err (*call)(const struct source_config *config, const struct source_question *question,
                     struct program_call *ret_call);
    /** The program ended with 0 and printed @p output. Fills status, ip and detail of a zeroed answer. Pure. */
    void (*judge)(const struct source_config *config, const struct source_question *question, struct view output,
                  struct source_answer *answer);
    /** Least time between two questions on one uplink, where a service asks for more than source_ops.min_every_ms; an
     * earlier one is ERR_LIMIT. NULL = none. */
    uint32_t (*pause_ms)(const struct source_config *config);
};

/** @param kind static. The rest as source_ops.open; what it gives belongs to the functions below. */
enum err program_open(struct loop *loop, const struct source_config *config, const struct source_callbacks *callbacks,
                      const struct program_kind *kind, struct source **ret_source, struct errinfo *info) MUST_CHECK;
enum err program_ask(struct source *source, const struct source_question *question);
void program_cancel(struct source *source);
void program_close(struct source *source);

/** Path of one of our helper programs: beside this program's file where it is there (a build tree), else where the
 *  installation puts it (libexec/muster). @return ERR_LIMIT. */
enum err program_helper_path(const char *name, char buffer[static PROGRAM_PATH_SIZE]) MUST_CHECK;

/** Judges the output of a helper: exactly one line, exactly one address of the asked family. */
void program_judge_helper(const struct source_question *question, const char *who, struct view output,
                          struct source_answer *answer);

/** detail = format, with what is not printable ASCII replaced: it may have come from outside. */
void program_detail(struct source_answer *answer, const char *format, ...) PRINTF_LIKE(2, 3);

/** Length of what is shown of a command's first text: up to a blank, behind which somebody may have put arguments. */
int program_shown_len(const char *command);

/** "IPv4" or "IPv6". */
const char *program_family(uint8_t family);
