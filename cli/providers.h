/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** providers: `muster provider list|show|lint|schema`: what can be said about DNS services without a coordinator. */
#include <stdio.h>

#include "base/json.h"
#include "cli/command.h"
#include "providers/catalogue.h"

struct provider_options {
    const char *folder; /* templates of the user's */
    bool json;
    int status; /* 0 = any, else enum catalogue_status + 1 */
};
extern const struct args_row provider_list_rows[];
extern const struct args_row provider_show_rows[];
extern const struct provider_options provider_defaults;

struct provider_schema_options {
    bool markdown;
};
extern const struct args_row provider_schema_rows[];

enum exit_code provider_list_run(const struct command_call *call);
enum exit_code provider_show_run(const struct command_call *call);
enum exit_code provider_lint_run(const struct command_call *call);
enum exit_code provider_schema_run(const struct command_call *call);

/** All that is known of one provider. Owned; NULL without memory. */
json_t *provider_describe(const struct catalogue_service *service);
/** The same as lines for people. */
enum err provider_print(const json_t *about, FILE *stream) MUST_CHECK;
