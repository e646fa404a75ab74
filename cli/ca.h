/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** ca: `muster ca issue` over provisioning/ca.h. */
#include "cli/cacommon.h"

struct ca_issue_options {
    struct ca_common common;
    int profile; /* index into the choices: device, service, server, claim; -1 when not given */
    const char *common_name;
    struct args_strings dns;
    struct args_strings ips;
    const char *out;
    uint32_t days; /* 0: the profile's */
    bool from_stdin;
    bool force;
};

extern const struct args_row ca_issue_rows[];
extern const struct ca_issue_options ca_issue_defaults;

enum exit_code ca_issue_run(const struct command_call *call);
