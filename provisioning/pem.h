/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pem: textual encoding of DER (RFC 7468, strict form): 64 columns, LF or CRLF read, text between blocks skipped. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define PEM_CERTIFICATE     "CERTIFICATE"
#define PEM_CRL             "X509 CRL"
#define PEM_PKCS8           "PRIVATE KEY"
#define PEM_PKCS8_ENCRYPTED "ENCRYPTED PRIVATE KEY"
#define PEM_SEC1            "EC PRIVATE KEY"
#define PEM_PUBLIC          "PUBLIC KEY"

/** Appends one block. Zeroises its own copies: the content may be a key. @return the buffer's sticky error. */
enum err pem_write(struct strbuf *out, const char *label, struct view der) MUST_CHECK;

/** Takes the next block off the front of @p rest. @param ret_label borrowed from the text. @param buffer receives the
 * DER. @return ERR_NOTFOUND (no further block), ERR_PARSE (a block that does not end, bad base64, header lines as of
 * encrypted keys), ERR_LIMIT (@p size too small). */
enum err pem_next(struct view *rest, struct view *ret_label, uint8_t *buffer, size_t size, size_t *ret_len) MUST_CHECK;

/** The first block of @p label. @return as pem_next. */
enum err pem_find(struct view text, const char *label, uint8_t *buffer, size_t size, size_t *ret_len) MUST_CHECK;
