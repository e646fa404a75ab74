/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** records: `muster record list|show|adopt|retry`. */
#include "cli/listing.h"

struct record_list_options {
    struct listing_options listing;
    bool pending;
    const char *zone, *device;
};

struct record_options {
    struct api_options api;
    int type; /* index of choices; -1 = every type that the name has */
};

extern const struct args_row record_list_rows[];
extern const struct args_row record_rows[];
extern const struct record_options record_defaults;

enum exit_code record_list_run(const struct command_call *call);
enum exit_code record_show_run(const struct command_call *call);
enum exit_code record_adopt_run(const struct command_call *call);
enum exit_code record_retry_run(const struct command_call *call);
