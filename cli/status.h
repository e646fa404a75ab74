/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** status: `muster status [--check]`: the whole system on one screen, or as one line for a monitor. */
#include <stddef.h>

#include "cli/api.h"

struct status_options {
    struct api_options api;
    bool check;
};
_Static_assert(offsetof(struct status_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row status_rows[];

enum exit_code status_run(const struct command_call *call);

/** What keeps names from following addresses, as "a; b; c"; empty when nothing does. @param status an answer of
 * /v1/status. Pure. */
void status_troubles(const json_t *status, struct strbuf *out);
