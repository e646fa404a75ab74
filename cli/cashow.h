/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** cashow: `muster ca show` over provisioning/ca.h. */
#include "cli/cacommon.h"

struct ca_show_options {
    struct ca_common common;
};

extern const struct args_row ca_show_rows[];

enum exit_code ca_show_run(const struct command_call *call);
