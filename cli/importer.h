/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** importer: `muster import inadyn FILE` and `muster import ddclient FILE`: reads, plans (import_plan.h), writes. */
#include "cli/command.h"

struct importer_options {
    const char *out, *device, *broker, *certs;
    struct args_strings verify;
    bool each, force, dry_run;
};

extern const struct args_row importer_rows[];
extern const struct importer_options importer_defaults;
enum exit_code import_inadyn_run(const struct command_call *call);
enum exit_code import_ddclient_run(const struct command_call *call);
