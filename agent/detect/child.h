/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * child: runs programs on the loop, one question each: absolute path and arguments, no shell. A child has a clean
 * environment (PATH, LC_ALL and what the caller adds), /dev/null as its input, no other descriptor of ours, "/" as its
 * folder, default signals and a session of its own. What it prints is capped. It ends with its deadline at the latest,
 * and with it everything of its process group; what a program left behind dies when the program ends.
 * Threading: loop thread. A pool costs nothing while no child runs (it listens to SIGCHLD).
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "net/loop.h"

#define CHILD_ARGS_MAX    40   /* arguments, the path included, and variables */
#define CHILD_WAITING_MAX 64   /* children of a pool, those that wait for their turn included */
#define CHILD_ERRORS_MAX  1024 /* bytes of its standard error that are kept; the rest is read and dropped */

struct child_pool;
struct child;

/** Borrowed for the call, with everything it points to. */
struct child_result {
    /** ERR_OK: the program ended by itself, see status and signal. ERR_TIMEOUT: by its deadline, waiting included.
     *  ERR_LIMIT: it printed more than output_max. ERR_NOTFOUND, ERR_DENIED, ERR_NOMEM, ERR_IO: it was not started. */
    enum err err;
    int native; /* errno when it was not started */
    int status; /* exit status; 0 unless ERR_OK */
    int signal; /* that ended it; 0 for none */
    struct view output, errors;
    uint64_t elapsed_ms; /* since child_start */
};

/** Borrowed for the call of child_start; strings are copied. */
struct child_options {
    const char *const *arguments; /* [0]: absolute path of the program */
    size_t arguments_len;         /* 1 to CHILD_ARGS_MAX */
    const char *const *variables; /* "NAME=value"; NULL for none */
    size_t variables_len;
    uint32_t timeout_ms; /* more than 0 */
    size_t output_max;   /* bytes of standard output, more than 0 */
    /** Exactly once unless cancelled; from the loop, never inside child_start. May start and cancel children, must not
     * free the pool. */
    void (*done)(void *context, const struct child_result *result);
    void *context;
};

/** @param running_max children at once; further ones wait for their turn. @return ERR_NOMEM, ERR_IO. */
enum err child_pool_new(struct loop *loop, unsigned running_max, struct child_pool **ret_pool) MUST_CHECK;
/** Kills what runs; no completion follows. Waits for the killed ones up to 100 ms: longer only a process stays that the
 *  kernel holds, and that one is left to whoever started us. NULL allowed. */
void child_pool_free(struct child_pool *pool);

/** @param ret_child for child_cancel; void from the call of `done` on. @return ERR_INVALID (no absolute path, a limit
 * of 0), ERR_LIMIT (arguments, or children of the pool), ERR_NOMEM. */
enum err child_start(struct child_pool *pool, const struct child_options *options, struct child **ret_child) MUST_CHECK;
/** Kills it; no completion follows. NULL allowed. */
void child_cancel(struct child *child);
