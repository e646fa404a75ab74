/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** cacommon: what every `muster ca` command begins and ends with. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/args.h"
#include "base/crypto.h"
#include "cli/command.h"
#include "provisioning/keyopen.h"

/** First member of the options of each command. */
struct ca_common {
    const char *dir;
    const char *password_file;
    const char *by; /* NULL: the name of the user */
    bool ask_password;
    bool dry_run;
    bool json;
};

#define CA_ROW_DIR(type)                                                                                               \
    {                                                                                                                  \
        "dir", 'd', "DIR", ARGS_STRING, offsetof(type, common.dir), .help = "Folder of the CA"                         \
    }
#define CA_ROW_PASSWORD(type)                                                                                          \
    {                                                                                                                  \
        "password-file", 0, "FILE", ARGS_STRING, offsetof(type, common.password_file),                                 \
            .help = "Its first line opens the keys, else the terminal is asked"                                        \
    }
#define CA_ROW_BY(type)                                                                                                \
    {                                                                                                                  \
        "by", 0, "NAME", ARGS_STRING, offsetof(type, common.by),                                                       \
            .help = "Who does this, for ceremony.log (default: the user)"                                              \
    }
#define CA_ROW_DRY_RUN(type)                                                                                           \
    {                                                                                                                  \
        "dry-run", 0, NULL, ARGS_FLAG, offsetof(type, common.dry_run), .help = "Tell what would be done"               \
    }
#define CA_ROW_JSON(type)                                                                                              \
    {                                                                                                                  \
        "json", 'j', NULL, ARGS_FLAG, offsetof(type, common.json), .help = "Print JSON"                                \
    }

#define CA_BY_SIZE 64

/** Clock and generator, which every command that signs needs. @return ERR_STATE (clock not set), ERR_CRYPTO, ERR_NOMEM.
 */
enum err ca_prepare(int64_t *ret_now_s, struct key_rng **ret_rng, struct errinfo *info) MUST_CHECK;

/** Clock, generator and passwords. */
struct ca_session {
    const struct command_call *call;
    const struct ca_common *common;
    int64_t now_s;
    struct key_rng *rng; /* owned */
    struct key_opening opening;
    struct secret password; /* for new keys; empty: none */
    char by[CA_BY_SIZE];
    struct errinfo info;
};

/** @param new_keys keys will be made: with a password file or --ask-password they are put under that password.
 * @return ERR_STATE (clock not set), ERR_CRYPTO, ERR_NOMEM, and what passwords return; session->info says why. */
enum err ca_session_begin(struct ca_session *session, const struct command_call *call, const struct ca_common *common,
                          bool new_keys) MUST_CHECK;
void ca_session_end(struct ca_session *session);

/** Adds a line to ceremony.log. */
enum err ca_session_log(struct ca_session *session, const char *act, const char *what,
                        const uint8_t *sha256) MUST_CHECK;

/** Reports @p what with the cause in session->info and a hint, as JSON if that was asked for. @return the exit code for
 * it. */
enum exit_code ca_session_failed(const struct ca_session *session, const char *what);

/** Tells what was or would be written: one path a line, or {"act":..,"dry_run":..,"files":[..]}. Paths are prefix and
 * name, one behind the other. @return EXIT_OK, EXIT_FAILED when stdout is broken. */
enum exit_code ca_session_files(const struct ca_session *session, const char *act, const char *prefix,
                                const char *const *names, size_t names_len);
