/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * jsonscan: one pass over a JSON object for the hot path, without allocation: judges the whole text exactly as
 * json_parse does (RFC 8259 grammar, strict UTF-8, no NUL and no lone surrogate by escape, integers within 64 bits,
 * reals within a double, no duplicate keys at any depth even when one of them is written with escapes) and hands out
 * each top-level member as raw views. tests/fuzz/fuzz_json.c holds the two against each other. Stateless, any thread.
 */
#include "base/err.h"
#include "base/view.h"

struct jsonscan_member {
    struct view key;   /* between the quotes, escapes not resolved */
    struct view value; /* raw text of the value, without blanks around it; a string with its quotes */
    char kind;         /* '{' '[' '"' '0' (number) 't' (true) 'f' (false) 'n' (null) */
};

#define JSONSCAN_MEMBERS_MAX 32  /* members of one object, at any depth */
#define JSONSCAN_KEYS_MAX    128 /* members of all objects that are open at one point of the text */
#define JSONSCAN_NUMBER_MAX  63  /* bytes of a number with a fraction or an exponent */

/**
 * Scans @p text, which must be one object and nothing behind it but blanks. @p each is called once a top-level member,
 * in order and before the rest of the text is judged: act on members only after ERR_OK. An error that it returns ends
 * the scan and is returned.
 * @param max_depth nesting, 1 = flat. @return ERR_PARSE, ERR_LIMIT (depth or one of the numbers above).
 */
enum err jsonscan_object(struct view text, unsigned max_depth,
                         enum err (*each)(void *context, const struct jsonscan_member *member),
                         void *context) MUST_CHECK;

/** A string member without its quotes, its escapes resolved and with a NUL: for secrets, of which no other copy is
 * made. Of \u only ASCII is known, and no NUL. @return ERR_PARSE, ERR_LIMIT (over @p size). */
enum err jsonscan_text(const struct jsonscan_member *member, char *buffer, size_t size, size_t *ret_len) MUST_CHECK;

/** A number member as u32: digits only, no sign, fraction or exponent. @return ERR_PARSE, ERR_RANGE. */
enum err jsonscan_u32(const struct jsonscan_member *member, uint32_t *ret_value) MUST_CHECK;
