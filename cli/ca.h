/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** ca: `muster ca init|issue|bundle` over provisioning/ca.h. Options rows and functions for the command table. */
#include <stdbool.h>
#include <stdint.h>

#include "base/args.h"
#include "cli/command.h"

struct ca_init_options {
    const char *dir;
    const char *name;
};

struct ca_issue_options {
    const char *dir;
    int profile; /* index into the choices: device, service, server; -1 when not given */
    const char *common_name;
    struct args_strings dns;
    struct args_strings ips;
    const char *out;
    uint32_t days; /* 0: the profile's */
    bool from_stdin;
    bool force;
};

struct ca_bundle_options {
    const char *dir;
    const char *out;
};

extern const struct args_row ca_init_rows[];
extern const struct ca_init_options ca_init_defaults;
extern const struct args_row ca_issue_rows[];
extern const struct ca_issue_options ca_issue_defaults;
extern const struct args_row ca_bundle_rows[];

struct key_rng;
/** Clock and generator, which every command that signs needs. @return ERR_STATE (clock not set), ERR_CRYPTO, ERR_NOMEM.
 */
enum err ca_prepare(int64_t *ret_now_s, struct key_rng **ret_rng, struct errinfo *info) MUST_CHECK;
/** Reports @p what with the cause in @p info and a hint. @return the exit code for info->err. */
enum exit_code ca_failed(const struct command_call *call, const char *what, const struct errinfo *info);

enum exit_code ca_init_run(const struct command_call *call);
enum exit_code ca_issue_run(const struct command_call *call);
enum exit_code ca_bundle_run(const struct command_call *call);
