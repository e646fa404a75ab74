/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** prompt: asks the person at the terminal for a password, without showing it. Blocks on the person. Main thread. */
#include "base/crypto.h"
#include "base/err.h"

/** For struct key_opening. @param context not used. @return ERR_DENIED (no terminal), ERR_INVALID (empty, too long),
 * ERR_CLOSED (the person ended it), ERR_IO. */
enum err prompt_password(void *context, const char *what, struct secret *ret_password) MUST_CHECK;
/** Asks twice. @return also ERR_CONFLICT: the two differ. */
enum err prompt_new_password(const char *what, struct secret *ret_password) MUST_CHECK;
