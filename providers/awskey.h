/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * awskey: credentials as AWS's own tools keep them: sections in brackets, `aws_access_key_id`, `aws_secret_access_key`
 * and for temporary ones `aws_session_token`.
 * Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html, read 2026-11-23. Any thread.
 */
#include "base/crypto.h"
#include "base/err.h"

/** Secret: deinit. */
struct awskey {
    struct secret id, secret, token; /* token empty: none */
};

/** Takes the section @p profile; lines before the first section count as of `default`. @return ERR_PARSE, ERR_NOTFOUND
 * (no such section), ERR_INVALID (a key is missing or cannot stand in a header), ERR_NOMEM; info never holds a value.
 */
enum err awskey_parse(struct view text, const char *profile, struct awskey *ret_key, struct errinfo *info) MUST_CHECK;
void awskey_deinit(struct awskey *key);
