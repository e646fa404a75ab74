/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** devices: `muster device list|show|forget`. */
#include "cli/listing.h"

struct device_list_options {
    struct listing_options listing;
    int presence; /* index of choices; -1 = any */
    int problem;
    const char *site, *group, *match;
};
_Static_assert(offsetof(struct device_list_options, listing) == 0, "rows of the shared options count from here");

extern const struct args_row device_list_rows[];
extern const struct device_list_options device_list_defaults;
extern const struct args_row device_show_rows[];

enum exit_code device_list_run(const struct command_call *call);
enum exit_code device_show_run(const struct command_call *call);
enum exit_code device_forget_run(const struct command_call *call); /* options: device_show_rows */
