/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ownercode: the secret on a device's label that makes its reader the owner, once, and nothing else: no device logs in
 * with it. 80 random bits in Crockford's base 32 and a check character, in groups that a person can type:
 *
 *     7ZQ4-K0MB-93TX-WE5H-R
 *
 * The ledger holds a digest of it, bound to the serial number; the code itself is on the label alone. Pure.
 */
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/view.h"

#define OWNERCODE_BYTES 10
#define OWNERCODE_SIZE  22 /* "XXXX-XXXX-XXXX-XXXX-X" and its NUL */

struct ownercode {
    uint8_t bytes[OWNERCODE_BYTES];
};

void ownercode_make(struct ownercode *ret_code);
void ownercode_write(const struct ownercode *code, char ret_text[static OWNERCODE_SIZE]);

/** As people type: either case, O for 0, I or L for 1, with or without dashes and blanks.
 * @return ERR_PARSE (a character or the length), ERR_INVALID (the check character says that one is wrong). */
enum err ownercode_read(struct view text, struct ownercode *ret_code) MUST_CHECK;

/** What the ledger holds of the code on the label of @p serial. */
void ownercode_digest(const struct ownercode *code, struct view serial, uint8_t ret_digest[static SHA256_SIZE]);
