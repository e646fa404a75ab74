/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * keyopen: private keys from where they are kept: a file, a file under a password, a PKCS#11 token. Blocks on the disk,
 * on the token, and on a person where one is asked. Threads as of provisioning/key.h.
 */
#include "base/crypto.h"
#include "provisioning/key.h"
#include "provisioning/pkcs8.h"

/** How to come by a private key, by key_open and ed25519_load. */
struct key_opening {
    struct key_rng *rng;       /* borrowed for the life of the key */
    const char *password_file; /* its first line is the password or PIN; mode 0600 or 0400. NULL: none */
    /** Asked when there is no password_file: a person at a terminal. NULL: nobody is there. @param what "the password
     * of FILE", "the PIN of TOKEN". @param ret empty. */
    enum err (*ask)(void *context, const char *what, struct secret *ret);
    void *ask_context;
};

/** The password or PIN for @p what. @return ERR_DENIED (no file and nobody to ask, or others may read the file), what
 * file_read and ask return. */
enum err key_password(const struct key_opening *opening, const char *what, struct secret *ret_password,
                      struct errinfo *info) MUST_CHECK;

/** The DER of the key in the PEM @p text, decrypted where it is under a password. @param path for messages.
 * @param ret_label PEM_PKCS8 or PEM_SEC1; points into @p text or static storage. @param der PKCS8_KEY_MAX bytes,
 * secret.
 * @return ERR_PARSE, ERR_UNSUPPORTED, ERR_AUTH, what key_password returns. */
enum err key_read_der(struct view text, const char *path, const struct key_opening *opening, struct view *ret_label,
                      uint8_t *der, size_t *ret_len, struct errinfo *info) MUST_CHECK;

/** Opens the key that @p reference names: a PKCS#11 URI, or the path of a file that holds such a URI, a key, or a key
 * under a password. A key of a token stays there: it signs, and is never written.
 * @return what key_load and key_password return, ERR_AUTH (wrong password or PIN), ERR_UNSUPPORTED and more from
 * provisioning/pkcs11.h. */
enum err key_open(const char *reference, const struct key_opening *opening, struct key **ret_key,
                  struct errinfo *info) MUST_CHECK;
