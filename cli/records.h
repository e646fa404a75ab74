/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** records: `muster record list|show|adopt|retry`; the last two are in records_write.c. */
#include "cli/listing.h"

struct record_list_options {
    struct listing_options listing;
    bool pending;
    const char *zone, *device;
};
_Static_assert(offsetof(struct record_list_options, listing) == 0, "rows of the shared options count from here");

struct record_show_options {
    struct api_options api;
    int type; /* index of choices; -1 = every type that the name has */
};
_Static_assert(offsetof(struct record_show_options, api) == 0, "rows of the shared options count from here");

struct record_write_options {
    struct api_options api;
    int type; /* as above */
    uint64_t wait_ms;
};
_Static_assert(offsetof(struct record_write_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row record_list_rows[];
extern const struct args_row record_show_rows[];
extern const struct record_show_options record_show_defaults;
extern const struct args_row record_write_rows[];
extern const struct record_write_options record_write_defaults;

enum exit_code record_list_run(const struct command_call *call);
enum exit_code record_show_run(const struct command_call *call);
enum exit_code record_adopt_run(const struct command_call *call);
enum exit_code record_retry_run(const struct command_call *call);

/** The records of the name that the command was called with. @param type index of choices, -1 = any. @param ret_body
 * owned, NULL on a failure. */
enum exit_code record_fetch(struct api *api, const struct command_call *call, int type, json_t **ret_body);
/** The same; none is a failure that is reported. @param ret_body may be set then, too. */
enum exit_code record_find(struct api *api, const struct command_call *call, int type, json_t **ret_body);
