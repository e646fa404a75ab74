/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** providers: `muster provider lint`: what can be said about DNS services without a coordinator. */
#include "cli/command.h"

enum exit_code provider_lint_run(const struct command_call *call);
