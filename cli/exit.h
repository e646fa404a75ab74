/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** exit: the exit codes of every `muster` command, once. Scripts rely on them. */
#include "base/err.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PARTLY = 3,  /* some of many failed; each is named on stderr */
    EXIT_REFUSED = 4, /* not logged in, or not permitted */
    EXIT_ABSENT = 5,
    EXIT_CONFLICT = 6, /* exists already, or the plan is stale */
    EXIT_TIMED_OUT = 7,
    EXIT_PENDING = 8,
    EXIT_DIFFERS = 10, /* differences found by a command that looks for them */
};

/** The code that says what @p err is to a script. */
enum exit_code exit_code_of(enum err err);
