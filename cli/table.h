/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** table: every command of `muster`. A new command is a row here and its function. */
#include "cli/command.h"

extern const struct command cli_commands[];
extern const struct command_noun cli_nouns[];
