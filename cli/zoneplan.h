/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * zoneplan: `muster zone plan` writes what a repair of a zone would change into a file that people review; `muster zone
 * apply` has exactly that done. The coordinator compares, checks and decides (coordinator/zoneplan.h has the format).
 */
#include "cli/api.h"

struct zone_plan_options {
    struct api_options api;
    const char *out;
    uint64_t valid_ms;
};
struct zone_apply_options {
    struct api_options api;
    bool force, dry_run;
};
_Static_assert(offsetof(struct zone_plan_options, api) == 0, "rows of the shared options count from here");
_Static_assert(offsetof(struct zone_apply_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row zone_plan_rows[];
extern const struct zone_plan_options zone_plan_defaults;
extern const struct args_row zone_apply_rows[];
enum exit_code zone_plan_run(const struct command_call *call);
enum exit_code zone_apply_run(const struct command_call *call);
