/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * factoryline: what a station and a device say to each other on the factory line, one line of JSON each, over whatever
 * carries a command's standard input and output (a serial console, ssh, adb). The station asks, the device answers:
 *
 *     {"v":1,"op":"key"}                                        {"v":1,"op":"key","key":"<base64 of the public key>"}
 *     {"v":1,"op":"prove","serial":"A7-1","n":"<base64>"}       {"v":1,"op":"prove","sig":"<base64>"}
 *     {"v":1,"op":"install","file":"claim.pem","data":"..."}    {"v":1,"op":"install"}
 *     {"v":1,"op":"serial","serial":"A7-1"}                     {"v":1,"op":"serial"}
 *     {"v":1,"op":"label-tail"}                                 {"v":1,"op":"label-tail","serial":"A7-1","tail":"..."}
 *     {"v":1,"op":"test","serial":"A7-1","n":"<base64>"}        {"v":1,"op":"test","sig":"<base64>"}
 *     any                                                       {"v":1,"op":"no","why":"..."}
 *
 * Every request may be repeated. Both ends use this. Pure.
 */
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"

enum factory_op {
    FACTORY_KEY,        /* make the device's key, once, and tell its public half */
    FACTORY_PROVE,      /* sign a nonce: the key is held by whoever answers */
    FACTORY_INSTALL,    /* write a file of the claim: FACTORY_FILES */
    FACTORY_SERIAL,     /* this is your serial number, for good */
    FACTORY_LABEL_TAIL, /* what the label on your back must say */
    FACTORY_TEST,       /* the end test: all is read from the disk anew, then as prove */
    FACTORY_NO,         /* answers only */
};
#define FACTORY_OPS (FACTORY_NO + 1)
const char *factory_op_name(enum factory_op op); /* "key", ...; static storage */

#define FACTORY_NONCE_SIZE 32
#define FACTORY_TAIL_SIZE  10 /* "3fa9-12c0" and its NUL */

struct factory_request {
    enum factory_op op;
    char serial[LEDGER_SERIAL_MAX + 1];   /* prove, serial, test */
    uint8_t nonce[FACTORY_NONCE_SIZE];    /* prove, test */
    char file[FACTORY_FILE_NAME_MAX + 1]; /* install: one of FACTORY_FILES */
    uint8_t data[FACTORY_FILE_MAX];       /* install */
    size_t data_len;
};

struct factory_answer {
    enum factory_op op;                   /* of the request, or FACTORY_NO */
    uint8_t key[KEY_POINT_SIZE];          /* key */
    uint8_t signature[KEY_SIGNATURE_MAX]; /* prove, test */
    size_t signature_len;
    char serial[LEDGER_SERIAL_MAX + 1]; /* label-tail */
    char tail[FACTORY_TAIL_SIZE];       /* label-tail */
    char why[FACTORY_WHY_MAX + 1];      /* no: for people; others' words are cut and made printable */
};

/** Append one line with its newline. @return ERR_NOMEM, ERR_LIMIT. */
enum err factory_request_write(const struct factory_request *request, struct strbuf *out) MUST_CHECK;
enum err factory_answer_write(const struct factory_answer *answer, struct strbuf *out) MUST_CHECK;

/** @param text a line without its newline. @return ERR_PARSE, ERR_LIMIT (over FACTORY_LINE_MAX), ERR_INVALID (a
 * member; @p info names it), ERR_NOMEM. */
enum err factory_request_read(struct view text, struct factory_request *ret_request, struct errinfo *info) MUST_CHECK;
enum err factory_answer_read(struct view text, struct factory_answer *ret_answer, struct errinfo *info) MUST_CHECK;

/** The names of files that a station may install, NULL-ended: claim.pem, claim.key, root.pem. */
extern const char *const factory_files[];

/** Signs what FACTORY_PROVE and FACTORY_TEST ask for: "muster-factory-1" NUL op NUL serial NUL nonce.
 * @return ERR_CRYPTO. */
enum err factory_proof_sign(struct key *key, const struct factory_request *request,
                            uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len) MUST_CHECK;
/** @return what key_verify returns. */
enum err factory_proof_verify(const uint8_t point[static KEY_POINT_SIZE], const struct factory_request *request,
                              struct view signature) MUST_CHECK;

/** The end of a key's digest for people: it stands on the label, so that a label on the wrong device is found. */
void factory_tail(const uint8_t point[static KEY_POINT_SIZE], char ret_tail[static FACTORY_TAIL_SIZE]);
