/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** broker: `muster broker render|lint|reload|probe`, on the machine of the brokers; no coordinator is asked. */
#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

struct broker_options {
    const char *config;
    int broker; /* 0: all that are described; else 1 + enum broker_kind */
    bool json;
    bool dry_run;
    uint64_t timeout_ms;
};
extern const struct broker_options broker_defaults;
extern const struct args_row broker_render_rows[], broker_lint_rows[], broker_reload_rows[], broker_probe_rows[];

enum exit_code broker_render_run(const struct command_call *call);
enum exit_code broker_lint_run(const struct command_call *call);
enum exit_code broker_reload_run(const struct command_call *call);
enum exit_code broker_probe_run(const struct command_call *call);
