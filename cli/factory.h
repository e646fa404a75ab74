/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * factory: `muster factory ...`, from the manifest of a batch to the ledger that the provisioner takes. Options rows
 * and functions for the command table; what the commands share.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/args.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/listing.h"
#include "provisioning/key.h"

struct factory_key_options {
    const char *out;
    bool json;
};
extern const struct args_row factory_key_rows[];
enum exit_code factory_key_run(const struct command_call *call);

struct factory_create_options {
    const char *dir, *batch, *model, *serials, *id, *ca, *factory_key;
    struct args_strings stations;
    uint32_t count, quota, days;
    uint64_t activation_ms;
    bool json, dry_run;
};
extern const struct args_row factory_create_rows[];
extern const struct factory_create_options factory_create_defaults;
enum exit_code factory_create_run(const struct command_call *call);

struct factory_list_options {
    struct listing_options listing; /* only its api is an option here: all rows are shown */
    const char *dir;
};
extern const struct args_row factory_list_rows[];
extern const struct factory_list_options factory_list_defaults;
enum exit_code factory_list_run(const struct command_call *call);

struct factory_batch_options {
    struct api_options api;
    bool dry_run;
};
extern const struct args_row factory_batch_rows[];
extern const struct factory_batch_options factory_batch_defaults;
enum exit_code factory_batch_import_run(const struct command_call *call);
enum exit_code factory_batch_close_run(const struct command_call *call);
enum exit_code factory_batch_disable_run(const struct command_call *call);
enum exit_code factory_batch_enable_run(const struct command_call *call);
enum exit_code factory_batch_quota_run(const struct command_call *call);
enum exit_code factory_ledger_import_run(const struct command_call *call);

struct factory_ledger_options {
    const char *manifest, *factory_pub;
    bool json;
};
extern const struct args_row factory_verify_rows[];
extern const struct args_row factory_diff_rows[];
enum exit_code factory_ledger_verify_run(const struct command_call *call);
enum exit_code factory_ledger_diff_run(const struct command_call *call);

struct factory_station_options {
    const char *dir, *key, *name, *agent, *printer, *factory_pub, *void_serial, *why;
    struct args_strings labels;
    uint64_t timeout_ms;
    bool from_stdin, keep_claim, json, dry_run, no_label;
};
extern const struct args_row factory_station_rows[];
extern const struct factory_station_options factory_station_defaults;
enum exit_code factory_station_run(const struct command_call *call);

struct factory_label_options {
    const char *ledger, *model, *out;
    int format;
    bool dry_run;
};
extern const struct args_row factory_label_rows[];
enum exit_code factory_label_run(const struct command_call *call);

/** Reports @p what with the cause in @p info, as JSON where that was asked for. @return the code for info->err. */
enum exit_code factory_failed(const struct command_call *call, bool json, const char *what, const struct errinfo *info);

/** Prints one object a line. @param object handed over; NULL: it could not be made. @return EXIT_OK, EXIT_FAILED. */
enum exit_code factory_print(json_t *object);

/** The public key in a PEM file. @return ERR_PARSE and ERR_UNSUPPORTED with the path in @p info, what file_read
 * returns. */
enum err factory_public_key(const char *path, uint8_t ret_point[static KEY_POINT_SIZE],
                            struct errinfo *info) MUST_CHECK;
