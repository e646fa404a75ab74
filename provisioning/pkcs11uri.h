/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** pkcs11uri: the part of RFC 7512 that names one key. Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define PKCS11_LABEL_MAX 64 /* a token's label is 32 bytes, an object's as its maker likes */
#define PKCS11_ID_MAX    64
#define PKCS11_PATH_MAX  256

struct pkcs11_uri {
    char token[PKCS11_LABEL_MAX + 1]; /* "" when not given, as below */
    char object[PKCS11_LABEL_MAX + 1];
    uint8_t id[PKCS11_ID_MAX];
    size_t id_len;
    bool has_slot;
    uint64_t slot;
    char module_path[PKCS11_PATH_MAX + 1];
    char pin_source[PKCS11_PATH_MAX + 1]; /* without "file:" */
};

/** @return ERR_PARSE (form, unknown attribute, one twice, pin-value), ERR_INVALID (no module-path, no token or no key
 * named), ERR_LIMIT; @p info says which part. */
enum err pkcs11_uri_parse(struct view text, struct pkcs11_uri *ret_uri, struct errinfo *info) MUST_CHECK;
