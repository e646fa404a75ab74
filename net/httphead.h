/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * httphead: the header lines of a reply: gathered with a cap, looked up by name, and the two forms of Retry-After.
 * Pure. Source: RFC 9110 5.1, 5.6.7, 10.2.3. Takes bytes of any content.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

struct http_headers {
    struct strbuf lines; /* "Name: value\n"... of the last header block */
    size_t bytes;        /* of all header blocks */
    size_t max;
};

void http_headers_init(struct http_headers *headers, size_t max);
void http_headers_deinit(struct http_headers *headers);

/** One line as it came, with or without CR LF; a status line begins a new block. @return ERR_LIMIT (all blocks
 * together), ERR_NOMEM.
 */
enum err http_headers_add(struct http_headers *headers, struct view line) MUST_CHECK;

/** Value of the first header of that name in any case, blanks cut off. */
bool http_headers_find(const struct http_headers *headers, const char *name, struct view *ret_value);

/** Value of Retry-After: seconds, or an IMF-fixdate counted from @p wall_ms (past: 0). @return ERR_PARSE. Longer than
 *  @p max_s is @p max_s. */
enum err http_retry_after_parse(struct view value, int64_t wall_ms, uint32_t max_s, uint64_t *ret_ms) MUST_CHECK;
