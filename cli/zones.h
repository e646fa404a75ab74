/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** zones: `muster zone list|diff|sweep|resume`. */
#include "cli/listing.h"

struct zone_sweep_options {
    struct api_options api;
    bool force;
};
_Static_assert(offsetof(struct zone_sweep_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row zone_list_rows[];
extern const struct args_row zone_rows[];
extern const struct args_row zone_sweep_rows[];

/** The table of zones of /v1/zones and /v1/status. */
extern const struct grid_column zone_columns[];
void zone_row(struct grid *grid, const json_t *zone);

enum exit_code zone_list_run(const struct command_call *call);
enum exit_code zone_diff_run(const struct command_call *call);
enum exit_code zone_sweep_run(const struct command_call *call);
enum exit_code zone_resume_run(const struct command_call *call);
