/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** accounts: `muster provider accounts|limits|resume|stops|test`: the coordinator's accounts of DNS services. */
#include "cli/api.h"

struct accounts_test_options {
    struct api_options api;
    const char *zone, *host;
    bool dry_run;
};
_Static_assert(offsetof(struct accounts_test_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row accounts_rows[];
extern const struct args_row accounts_test_rows[];
enum exit_code accounts_list_run(const struct command_call *call);
enum exit_code accounts_limits_run(const struct command_call *call);
enum exit_code accounts_resume_run(const struct command_call *call);
enum exit_code accounts_stops_run(const struct command_call *call);
enum exit_code accounts_test_run(const struct command_call *call);
