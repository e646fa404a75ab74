/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** ca_private: what the files behind provisioning/ca.h share: names in the folder, reading and writing them. */
#include <limits.h>
#include <sys/types.h>

#include "provisioning/ca.h"

/** What a CA is called on disk. @p profile a CA's. Static storage. */
const char *ca_base_of(enum cert_profile profile);

/** "DIR/BASE.ENDING". @return ERR_LIMIT. */
enum err ca_path(const char *dir, const char *base, const char *ending, char path[static PATH_MAX],
                 struct errinfo *info) MUST_CHECK;
/** @p err with the path as its text. */
enum err ca_file_error(struct errinfo *info, enum err err, const char *path) MUST_CHECK;

/** The first certificate of DIR/BASE.pem; @p ret_cert points into @p der. @return ERR_CORRUPT, what files return. */
enum err ca_read_certificate(const char *dir, const char *base, uint8_t der[static CERT_DER_MAX], size_t *ret_len,
                             struct certread *ret_cert, struct errinfo *info) MUST_CHECK;
/** Replaces DIR/BASE.ENDING with mode @p mode. @param text its error counts. */
enum err ca_write(const char *dir, const char *base, const char *ending, const struct strbuf *text, mode_t mode,
                  struct errinfo *info) MUST_CHECK;
enum err ca_save_certificate(const char *dir, const char *base, const char *ending, struct view der,
                             struct errinfo *info) MUST_CHECK;

/** ca_open of one generation. @param profile of the CA. */
enum err ca_open_base(const char *dir, const char *base, enum cert_profile profile, const struct key_opening *opening,
                      struct ca **ret_ca, struct errinfo *info) MUST_CHECK;

/** One writer in the folder at a time; waits. @param ret_fd for ca_unlock. */
enum err ca_lock(const char *dir, int *ret_fd, struct errinfo *info) MUST_CHECK;
void ca_unlock(int fd);

/** A new CA below the root. */
struct ca_mint {
    const struct ca_setup *setup;
    struct key *root_key; /* owned */
    uint8_t root_der[CERT_DER_MAX];
    size_t root_len;
    struct certread root; /* points into root_der */
};
/** Certifies @p key. @param name of the fleet. @param generation put between name and kind; "" for the first. */
enum err ca_mint(const struct ca_mint *mint, enum cert_profile profile, struct view name, const char *generation,
                 struct key *key, struct ca_signed *ret_signed, struct errinfo *info) MUST_CHECK;
/** Opens the root that setup names and signs with it. */
enum err ca_mint_open(const struct ca_setup *setup, struct ca_mint *mint, struct errinfo *info) MUST_CHECK;
/** Makes the key of @p base, or opens the one in a token that the setup names for it, and writes DIR/BASE.ENDING. */
enum err ca_make_key(const struct ca_setup *setup, const char *base, const char *ending, struct key **ret_key,
                     struct errinfo *info) MUST_CHECK;
/** Logs what was done to a certificate. */
enum err ca_log(const struct ca_setup *setup, const char *act, const char *what, struct view der,
                struct errinfo *info) MUST_CHECK;

/** Signing keys beside the CAs: DIR/BASE.key and DIR/BASE.pub, "factory" and those for configs. */
extern const char *const ca_signing_keys[]; /* NULL ends it */
/** Makes one with these endings, and logs it as @p act. */
enum err ca_make_signing(const struct ca_setup *setup, const char *base, const char *key_ending,
                         const char *public_ending, const char *act, struct errinfo *info) MUST_CHECK;
