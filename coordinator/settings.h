/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * settings: a config with everything that was made from it; a reload makes a new one and swaps it in whole.
 */
#include "base/arena.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "coordinator/config.h"
#include "coordinator/registry.h"
#include "providers/account.h"

struct settings {
    struct arena arena;
    struct coordinator_config config;
    struct registry *registry;
};

/** Config and registry alone. @param report errors, one a line with file:line:column. @return ERR_INVALID,
 * ERR_NOTFOUND, ERR_LIMIT, ERR_IO, ERR_NOMEM. */
enum err settings_read(const char *path, struct settings **ret_settings, struct strbuf *report) MUST_CHECK;
/** The same, then what they name: certificate and key and whether they fit, stamp key, the store's folder, each
 * account's key and password files, the certificate of whoami, the address of the metrics. What passes here does not
 * stop a start by a file;
 * --check-config, start and reload all come by here. All errors are told. Blocks on the disk. @return as settings_read;
 * ERR_INVALID for what is named. */
enum err settings_load(const char *path, struct settings **ret_settings, struct strbuf *report) MUST_CHECK;
void settings_free(struct settings *settings); /* NULL allowed */

/** One line of @p report: where the account stands in the config, its name, and what is wrong with it. */
void settings_tell_account(struct strbuf *report, const char *path, const struct engine_account_config *account,
                           const struct errinfo *info);

/** Reads the key that broker plugin and coordinator share: 64 hex digits, not world-readable. */
enum err settings_stamp_key(const struct settings *settings, struct crypto_hmac **ret_key,
                            struct strbuf *report) MUST_CHECK;
