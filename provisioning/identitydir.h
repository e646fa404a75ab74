/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * identitydir: where a device keeps its identity, as whole versions of which one counts:
 *
 *     v3/      key.pem  cert.pem  ca.pem  meta.json     a version; never changed once it has this name
 *     current  -> v3                                    the one to connect with
 *     next/    key.pem ...                              the one in the making: its key stays until a certificate came
 *
 * A certificate is asked for with the key of next/, which is on disk before the first request leaves: after a power cut
 * the same key asks again, and gets the same certificate. A finished next/ is renamed to the version after the highest,
 * where it is on trial; only when a connection with it stood does `current` turn to it. So every cut leaves a version
 * that works, and at worst a trial or a key to go on with. Two versions before the current one are kept.
 *
 * The folder must be 0700 and the caller's own. Blocks on the disk; one process, one thread.
 */
#include <limits.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/key.h"

#define IDENTITYDIR_KEY   "key.pem"
#define IDENTITYDIR_CERT  "cert.pem" /* the device's certificate and its issuers */
#define IDENTITYDIR_TRUST "ca.pem"   /* authorities of the brokers */
#define IDENTITYDIR_META  "meta.json"

struct identitydir {
    char root[PATH_MAX];
    uint32_t current; /* version; 0: there is none yet */
    uint32_t trial;   /* finished, not yet proven: above `current`; 0: none */
    uint32_t highest; /* of all versions that are there */
};

/** Makes the folder if its parent is there, and looks what is in it.
 * @return ERR_DENIED (others have rights on it, or it is another user's), ERR_CORRUPT (`current` leads nowhere and no
 * version is left), ERR_LIMIT (path), and what files return; @p info names the path and the remedy. */
enum err identitydir_open(const char *root, struct identitydir *ret_dir, struct errinfo *info) MUST_CHECK;

/** The key of next/: the one that is there, else a new one, durable before this returns.
 * @return what key_load and key_save return. */
enum err identitydir_next_key(struct identitydir *dir, struct key_rng *rng, struct key **ret_key,
                              struct errinfo *info) MUST_CHECK;

/** Throws next/ away with its key: nobody certifies it. None there is fine. */
enum err identitydir_drop_next(struct identitydir *dir, struct errinfo *info) MUST_CHECK;

struct identitydir_content {
    struct view chain_pem; /* the first certificate is next/'s key's */
    struct view trust_pem;
    struct view meta;
};

/** Completes next/ and makes it the version on trial, in place of one that already was.
 * @return ERR_STATE (next/ has no key), ERR_INVALID (the certificate is another key's), what files return. A failure
 * leaves next/ to be completed again. */
enum err identitydir_install(struct identitydir *dir, const struct identitydir_content *content,
                             struct errinfo *info) MUST_CHECK;

/** The version on trial becomes the current one; versions older than two before it are removed. @return ERR_STATE (none
 * on trial), what files return. */
enum err identitydir_promote(struct identitydir *dir, struct errinfo *info) MUST_CHECK;
/** Removes the version on trial: the current one goes on. @return as identitydir_promote. */
enum err identitydir_reject(struct identitydir *dir, struct errinfo *info) MUST_CHECK;

/** Path of a version's file. @param version not 0. @return ERR_LIMIT. */
enum err identitydir_path(const struct identitydir *dir, uint32_t version, const char *file,
                          char ret_path[static PATH_MAX]) MUST_CHECK;
