/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sealed: one line of JSON whose last member is a signature of all bytes before it, so that what was signed is what is
 * read, without a canonical form:
 *
 *     {"v":1,"t":"made",...,"sig":"<base64 of DER, ECDSA P-256 with SHA-256 over the bytes before ,"sig">"}
 *
 * "t" says what a line is: no signature of one kind of line is one of another kind. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/key.h"

/** Signs what @p text holds, an object without its closing brace, and closes it. @return ERR_CRYPTO, and the buffer's
 * sticky error: @p text is of no use then. */
enum err sealed_close(struct strbuf *text, struct key *key) MUST_CHECK;

/** @param text the whole object, without a newline. @param point KEY_POINT_SIZE bytes. @return ERR_INVALID (no
 * signature at its end), ERR_AUTH (not @p point's, or the text was changed), ERR_NOMEM. */
enum err sealed_verify(struct view text, const uint8_t point[static KEY_POINT_SIZE], struct errinfo *info) MUST_CHECK;
