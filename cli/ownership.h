/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** ownership: `muster device claim|order|transfer|undo-transfer|suspend|resume|revoke|rekey|scrap|history`: orders to
 * the provisioner, whose ledger says whose a device is and where its life stands. */
#include "cli/listing.h"

struct ownership_options {
    struct api_options api;
    bool dry_run;
    const char *owner, *group, *site, *code_file, *reason; /* NULL = not given */
};
_Static_assert(offsetof(struct ownership_options, api) == 0, "rows of the shared options count from here");

extern const struct args_row ownership_claim_rows[]; /* and of transfer */
extern const struct args_row ownership_act_rows[];
extern const struct args_row ownership_order_rows[];
extern const struct args_row ownership_history_rows[];
extern const struct ownership_options ownership_defaults;
extern const struct listing_options ownership_history_defaults;

enum exit_code device_claim_run(const struct command_call *call);
enum exit_code device_transfer_run(const struct command_call *call);
enum exit_code device_undo_transfer_run(const struct command_call *call);
enum exit_code device_suspend_run(const struct command_call *call);
enum exit_code device_resume_run(const struct command_call *call);
enum exit_code device_revoke_run(const struct command_call *call);
enum exit_code device_rekey_run(const struct command_call *call);
enum exit_code device_scrap_run(const struct command_call *call);
enum exit_code device_order_run(const struct command_call *call);
enum exit_code device_history_run(const struct command_call *call);
