/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * denyline: how a provisioner tells the broker's plugin to turn a certificate away at once, without waiting for a new
 * revocation list: lines of text, in messages on DENY_TOPIC and in the plugin's deny_file.
 *
 *     deny ISSUER SERIAL    refuse this certificate and end its sessions
 *     allow ISSUER SERIAL   take that back
 *     kick ID               end the sessions of this name; it may come again
 *
 * ISSUER is the issuing authority's subject key identifier and SERIAL the certificate's number, both hexadecimal, as in
 * `seen`. A file has only "deny" lines, empty ones, and comments that begin with '#'. Pure; any thread.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "mqtt/limits.h"

#define DENY_TOPIC     "$CONTROL/muster/v1"
#define CERT_PART_SIZE 20                       /* octets of a key identifier (RFC 7093) and of the longest serial */
#define CERT_PART_HEX  (2 * CERT_PART_SIZE + 1) /* with NUL */
#define DENY_LINE_SIZE (6 + 2 * CERT_PART_HEX)  /* "allow", two blanks, NUL */

/** One certificate among all: serials repeat across authorities. Compared as bytes. */
struct cert_ref {
    uint8_t issuer[CERT_PART_SIZE];
    uint8_t serial[CERT_PART_SIZE]; /* big-endian, zeros in front */
};

enum deny_verb { DENY_ADD, DENY_TAKE_BACK, DENY_KICK };

struct deny_line {
    enum deny_verb verb;
    struct cert_ref cert; /* not for DENY_KICK */
    struct view id;       /* DENY_KICK only: [a-z0-9-]{1,40}; borrowed from the text */
};

/** @param issuer 40 digits. @param serial 1 to 40 digits. @return ERR_PARSE. */
enum err cert_ref_parse(struct view issuer, struct view serial, struct cert_ref *ret_ref) MUST_CHECK;
/** Lower case; the serial without leading zeros, "0" for zero. NUL-terminated. */
void cert_ref_hex(const struct cert_ref *ref, char ret_issuer[static CERT_PART_HEX],
                  char ret_serial[static CERT_PART_HEX]);

/** One line without its line end. @return ERR_PARSE. */
enum err deny_line_parse(struct view text, struct deny_line *ret_line) MUST_CHECK;
/** "deny ..." or "allow ...", without line end. @param verb not DENY_KICK. */
void deny_line_write(enum deny_verb verb, const struct cert_ref *ref, char ret_text[static DENY_LINE_SIZE]);
