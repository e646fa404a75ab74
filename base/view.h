/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * view: borrowed text of known length; never owns, never needs a NUL. Lives as long as the bytes it points to.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct view {
    const char *ptr; /* borrowed; may be NULL when len is 0 */
    size_t len;      /* bytes */
};

/** A view of a string literal or NUL-terminated string; NULL gives the empty view. */
struct view view_of(const char *text);
struct view view_n(const char *ptr, size_t len);

#define VIEW_LITERAL(literal) ((struct view){.ptr = "" literal, .len = sizeof(literal) - 1})

/** For printf's "%.*s". */
#define VIEW_ARG(v) (int)(v).len, (v).ptr != NULL ? (v).ptr : ""

bool view_equal(struct view a, struct view b);
bool view_equal_nocase(struct view a, struct view b); /* ASCII only */
bool view_equals(struct view a, const char *text);
bool view_starts_with(struct view v, struct view prefix);
bool view_ends_with(struct view v, struct view suffix);
struct view view_trim(struct view v); /* ASCII blanks, tabs, CR, LF at both ends */

/** memcmp order, shorter first on a tie: -1, 0, 1. */
int view_compare(struct view a, struct view b);

/** Takes the text up to the next @p separator off the front of @p rest (all of it when there is none); false when @p
 * rest was exhausted before the call. An empty field between two separators is returned as such. */
bool view_next(struct view *rest, char separator, struct view *ret_field);

/** Whole of @p v as decimal digits: no sign, no blanks, no leading zero except "0". @return ERR_PARSE, ERR_RANGE (over
 * @p max). */
enum err view_to_u64(struct view v, uint64_t max, uint64_t *ret_value) MUST_CHECK;

/** Copies with a terminating NUL. @return ERR_LIMIT when @p size bytes do not hold the text and its NUL, ERR_INVALID
 * for an inner NUL. */
enum err view_copy(struct view v, char *buffer, size_t size) MUST_CHECK;

/** FNV-1a, 64 bit, the same in every version: for tables and against damage, never for anything an attacker gains by
 * colliding. */
uint64_t view_hash(struct view v);

/** Bytes of the UTF-8 sequence at the front of @p v: 1 to 4, or 0 when it is not a valid one (RFC 3629, as below). */
size_t view_utf8_sequence(struct view v);

/** Strict UTF-8 (RFC 3629: no surrogates, no overlong forms); NUL is refused too. */
bool view_is_utf8(struct view v);
