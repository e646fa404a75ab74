/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * station_files: the files of a batch's folder that are no ledger. Folders and files that hold owner codes are their
 * owner's alone. Every write is durable when the call returns. Serial numbers are valid ones, so they are file names.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/label.h"
#include "provisioning/limits.h"
#include "provisioning/ownercode.h"

/** DIR/manifest.json. @param ret_text owned: free. */
enum err station_files_manifest(const char *dir, char **ret_text, size_t *ret_len, struct errinfo *info) MUST_CHECK;

/** A station's share of the folder: what it writes it alone touches, under the lock of its ledger. */
struct station_files {
    const char *dir;     /* borrowed */
    const char *station; /* name; borrowed */
};

/** DIR/pending.STATION/SERIAL.code. @return ERR_NOTFOUND, ERR_CORRUPT (no code is in it). */
enum err station_files_code(const struct station_files *files, const char *serial, struct ownercode *ret_code,
                            struct errinfo *info) MUST_CHECK;
enum err station_files_keep_code(const struct station_files *files, const char *serial, const struct ownercode *code,
                                 struct errinfo *info) MUST_CHECK;
/** None there is fine. */
enum err station_files_drop_code(const struct station_files *files, const char *serial,
                                 struct errinfo *info) MUST_CHECK;

/** DIR/labels/SERIAL.FORMAT. */
enum err station_files_label(const struct station_files *files, const struct label *label, enum label_format format,
                             struct errinfo *info) MUST_CHECK;

enum station_serial { STATION_UNKNOWN, STATION_OPEN, STATION_DONE };
/** Removes what a power cut left: the owner codes of devices that are done, and halves of files.
 * @param state_of what the station's ledger says of a serial number. */
enum err station_files_sweep(const struct station_files *files,
                             enum station_serial (*state_of)(void *context, const char *serial), void *context,
                             struct errinfo *info) MUST_CHECK;

/** Writes the label as ZPL to a printer's device, or behind what a file holds. */
enum err station_files_print(const char *printer, const struct label *label, struct errinfo *info) MUST_CHECK;

/** DIR/claim/FILE. @return ERR_LIMIT (over FACTORY_FILE_MAX). */
enum err station_files_claim(const char *dir, const char *file, uint8_t ret_data[static FACTORY_FILE_MAX],
                             size_t *ret_len, struct errinfo *info) MUST_CHECK;
