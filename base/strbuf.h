/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * strbuf: growing text with a cap given at init; always NUL-terminated. The first failure (cap, memory) sticks: later
 * appends do nothing and return it, so a chain of appends needs one check at its end (strbuf_error). Not thread-safe.
 */
#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"
#include "base/view.h"

struct strbuf {
    char *ptr;      /* owned; NULL until the first append */
    size_t len;     /* bytes, without the NUL */
    size_t size;    /* bytes allocated */
    size_t cap;     /* most bytes of text, without the NUL */
    enum err error; /* first failure */
};

void strbuf_init(struct strbuf *buf, size_t cap);
void strbuf_deinit(struct strbuf *buf); /* frees and empties; the cap stays */
void strbuf_clear(struct strbuf *buf);  /* empties, forgets the error, keeps the memory */

/* @p text must not point into @p buf itself. A text that does not fit is left out whole. */
enum err strbuf_add(struct strbuf *buf, struct view text);
enum err strbuf_adds(struct strbuf *buf, const char *text);
enum err strbuf_addc(struct strbuf *buf, char c);
enum err strbuf_addf(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
enum err strbuf_addv(struct strbuf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/** Appends @p text as a JSON string with its quotes; control characters escaped, bytes above 0x7f copied (caller
 * guarantees UTF-8). */
enum err strbuf_add_json(struct strbuf *buf, struct view text);

/** ERR_OK, ERR_LIMIT, ERR_NOMEM, or ERR_INVALID for a format that the C library refused: the first failure since init
 * or clear. */
enum err strbuf_error(const struct strbuf *buf) MUST_CHECK;

struct view strbuf_view(const struct strbuf *buf);
const char *strbuf_str(const struct strbuf *buf); /* never NULL */

/** Hands the text over (caller frees; never NULL on ERR_OK) and empties the buffer. @return the sticky error,
 * ERR_NOMEM. */
enum err strbuf_take(struct strbuf *buf, char **ret_text, size_t *ret_len) MUST_CHECK;
