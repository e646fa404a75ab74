/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** crl: `muster ca revoke|crl` over provisioning/ca.h. */
#include "cli/cacommon.h"

struct ca_revoke_options {
    struct ca_common common;
    const char *certificate;
};

struct ca_crl_options {
    struct ca_common common;
    const char *out;
    uint32_t days;
    int broker; /* index into the choices: core, prov */
};

extern const struct args_row ca_revoke_rows[];
extern const struct args_row ca_crl_rows[];
extern const struct ca_crl_options ca_crl_defaults;

enum exit_code ca_revoke_run(const struct command_call *call);
enum exit_code ca_crl_run(const struct command_call *call);
