/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** accounts: `muster provider accounts|limits|resume|stops`: the coordinator's accounts of DNS services. */
#include "cli/api.h"

extern const struct args_row accounts_rows[];
enum exit_code accounts_list_run(const struct command_call *call);
enum exit_code accounts_limits_run(const struct command_call *call);
enum exit_code accounts_resume_run(const struct command_call *call);
enum exit_code accounts_stops_run(const struct command_call *call);
