/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * station: makes the devices of a batch, one after the other, without a network. What a device goes through, and what
 * is on the disk after each step, so that a power cut at any of them issues nothing twice:
 *
 *     key, proof      (nothing)                 the device makes its key once, and proves it
 *     owner code      pending.<station>/...     the secret of the label, until the device is done
 *     ledger          line "made"               from here on serial number, key and code belong together
 *     label           labels/<serial>.png, ...  with that code and no other, also when it is printed again
 *     claim, serial   on the device             both may be repeated
 *     end test        line "tested"             the device read all of it from its disk and proved the key again
 *                     owner code removed
 *
 * A serial number that was begun goes on with the device that holds its key; one that is done is left alone. Main
 * thread; blocks on disk and device.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/label.h"
#include "provisioning/ledgerfile.h"
#include "provisioning/manifest.h"

struct station_options {
    const char *dir;        /* of the batch: manifest.json, claim/ */
    const char *key;        /* the station's, a reference as key_open takes it */
    const char *name;       /* [a-z0-9-]; NULL: the key's file name */
    const uint8_t *factory; /* who must have signed the manifest; NULL: anybody */
    const char *agent;      /* command to the device, see devicelink.h */
    const char *printer;    /* file or device that takes ZPL; NULL: none */
    bool formats[LABEL_FORMATS];
    bool keep_claim;     /* the device has a claim already: install none */
    uint64_t timeout_ms; /* of each of the device's answers */
};

struct station;

/** @param ret_torn bytes of a line that a power cut tore; NULL allowed. @return ERR_AUTH (the batch knows no such
 * station, or another factory signed), what manifest_read, key_open and ledgerfile_open return. */
enum err station_open(const struct station_options *options, struct station **ret_station, size_t *ret_torn,
                      struct errinfo *info) MUST_CHECK;
void station_close(struct station *station); /* NULL allowed */

const struct manifest *station_manifest(const struct station *station);
const struct ledgerfile *station_ledger(const struct station *station);

enum station_outcome { STATION_MADE, STATION_RESUMED, STATION_ALREADY };
const char *station_outcome_name(enum station_outcome outcome); /* "made", ...; static storage */

struct station_result {
    enum station_outcome outcome;
    char id[IDENTITY_MAX + 1];
    char tail[10]; /* end of the key's digest, as on the label */
};

/** What station_make would do, without asking the device. @return as station_make before its first question. */
enum err station_plan(const struct station *station, int64_t now_ms, const char *serial,
                      struct station_result *ret_result, struct errinfo *info) MUST_CHECK;

/** Makes one device. @param now_ms wall. @return ERR_OK, ERR_INVALID (not a serial number of the batch), ERR_RANGE
 * (outside the batch's window, or it is full), ERR_STATE (void, or its owner code is lost), ERR_CONFLICT (another
 * device has the serial number or the key), ERR_AUTH (no proof), and what the device and the disk answer. */
enum err station_make(struct station *station, int64_t now_ms, const char *serial, struct station_result *ret_result,
                      struct errinfo *info) MUST_CHECK;

/** Declares a device that was made to be none. @return what ledgerfile_add returns. */
enum err station_void(struct station *station, int64_t now_ms, const char *serial, const char *why,
                      struct errinfo *info) MUST_CHECK;

/** Whether the last failure was the disk's: then the next device would fail, too, and a person is needed. */
bool station_is_broken(const struct station *station);
