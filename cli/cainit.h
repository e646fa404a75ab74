/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** cainit: `muster ca init|rotate|bundle` over provisioning/ca.h. */
#include "cli/cacommon.h"

struct ca_keys_options {
    const char *root_key;
    struct args_strings token_keys;
    struct args_strings permit_dns;
    struct args_strings permit_ip;
};

struct ca_init_options {
    struct ca_common common;
    struct ca_keys_options keys;
    const char *name;
};

struct ca_rotate_options {
    struct ca_common common;
    struct ca_keys_options keys;
    bool drop;
};

struct ca_bundle_options {
    struct ca_common common;
    const char *out;
};

extern const struct args_row ca_init_rows[];
extern const struct ca_init_options ca_init_defaults;
extern const struct args_row ca_rotate_rows[];
extern const struct args_row ca_bundle_rows[];

enum exit_code ca_init_run(const struct command_call *call);
enum exit_code ca_rotate_run(const struct command_call *call);
enum exit_code ca_bundle_run(const struct command_call *call);
