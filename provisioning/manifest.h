/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * manifest: what a factory may make as one batch, signed by the factory key: one line of JSON (provisioning/sealed.h).
 * Stations make devices that it names, the provisioner takes ledgers of the stations that it names, and issues no more
 * first certificates than its quota, within its window.
 *
 *     {"v":1,"t":"manifest","batch":"b2026-11","model":"cam-2","count":1000,"quota":1000,
 *      "serials":{"prefix":"A7-","first":1,"last":1000,"width":5},"id":"cam-{serial}",
 *      "claim":{"cn":"claim-b2026-11","sha256":"<of the certificate's DER>"},"from":<ms>,"to":<ms>,
 *      "activation_s":7776000,"stations":["<base64 of a public key>"],"factory":"<the same>","made":<ms>,"sig":"..."}
 *
 * Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"

struct manifest_serials {
    char prefix[LEDGER_SERIAL_MAX + 1]; /* may be "" */
    uint64_t first, last;               /* numbers, both inclusive */
    uint32_t width;                     /* digits, filled up with zeros */
};

struct manifest {
    char batch[LEDGER_BATCH_MAX + 1];   /* [a-z0-9-] */
    char model[MANIFEST_MODEL_MAX + 1]; /* blank to tilde without quote and backslash */
    uint32_t count;                     /* devices to be made */
    uint32_t quota;                     /* devices that may get a first certificate */
    bool has_serials;                   /* false: any serial number */
    struct manifest_serials serials;
    char id[MANIFEST_ID_MAX + 1]; /* template of a device's id: [a-z0-9-] with "{serial}" in it once */
    char claim_cn[IDENTITY_MAX + 1];
    uint8_t claim_sha256[SHA256_SIZE]; /* of the claim certificate's DER */
    int64_t from_ms, to_ms;            /* wall; first certificates are issued from, until before */
    uint32_t activation_s;             /* after the batch closed, a certificate never used lives on */
    uint8_t stations[MANIFEST_STATIONS_MAX][KEY_POINT_SIZE]; /* whose ledgers count */
    size_t stations_len;                                     /* at least 1 */
    uint8_t factory[KEY_POINT_SIZE];                         /* who signed */
    int64_t made_ms;                                         /* wall */
};

/** Judges all members. @param info names the one that is wrong. @return ERR_INVALID. */
enum err manifest_check(const struct manifest *manifest, struct errinfo *info) MUST_CHECK;

/** Appends the signed line, without a newline. @param factory its public half is written as `factory`. @return what
 * manifest_check returns, ERR_CRYPTO, ERR_NOMEM, ERR_LIMIT. */
enum err manifest_write(const struct manifest *manifest, struct key *factory, struct strbuf *out,
                        struct errinfo *info) MUST_CHECK;

/** Reads and verifies. @param text with or without a newline at its end.
 * @param factory who must have signed, KEY_POINT_SIZE bytes; NULL: whoever it says, which proves only that it is whole.
 * @return ERR_PARSE, ERR_LIMIT (over MANIFEST_MAX), ERR_INVALID (a member), ERR_AUTH, ERR_NOMEM. */
enum err manifest_read(struct view text, const uint8_t *factory, struct manifest *ret_manifest,
                       struct errinfo *info) MUST_CHECK;

/** What ledgers name it by: SHA-256 of the line without its newline. */
void manifest_digest(struct view text, uint8_t ret_digest[static SHA256_SIZE]);

/** Whether both say the same but for the time they were made. */
bool manifest_same(const struct manifest *a, const struct manifest *b);

/** Whether @p serial is one of the batch's. */
bool manifest_has_serial(const struct manifest *manifest, struct view serial);
/** The @p index-th serial number, from 0. @return ERR_STATE (the batch names none), ERR_RANGE (past its last). */
enum err manifest_serial_at(const struct manifest *manifest, uint64_t index,
                            char ret_serial[static LEDGER_SERIAL_MAX + 1]) MUST_CHECK;
/** The id that the batch gives to @p serial: letters lowered, "." and "_" as "-". @return ERR_INVALID (not a serial of
 * the batch, or no id comes of it: too long). */
enum err manifest_device_id(const struct manifest *manifest, struct view serial,
                            char ret_id[static IDENTITY_MAX + 1]) MUST_CHECK;
/** Whether @p point is that of a station of the batch. */
bool manifest_has_station(const struct manifest *manifest, const uint8_t point[static KEY_POINT_SIZE]);
