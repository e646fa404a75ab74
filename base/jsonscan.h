/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * jsonscan: one pass over a JSON object for the hot path: checks the whole text as strictly as json_parse (grammar of
 * RFC 8259, UTF-8, depth, duplicate top-level keys among the wanted ones and by table for the rest) and hands out each
 * top-level member as raw views, without allocation.
 */
#include "base/err.h"
#include "base/view.h"

struct jsonscan_member {
    struct view key;   /* between the quotes, escapes not resolved */
    struct view value; /* raw text of the value, without blanks around it */
    char kind;         /* '{' '[' '"' '0' (number) 't' (true) 'f' (false) 'n' (null) */
};

#define JSONSCAN_MEMBERS_MAX 32 /* top-level members of one message */

/** @p each is called once a member, in order; an error it returns ends the scan and is returned. @return ERR_PARSE,
 * ERR_LIMIT. */
enum err jsonscan_object(struct view text, unsigned max_depth,
                         enum err (*each)(void *context, const struct jsonscan_member *member),
                         void *context) MUST_CHECK;

/** A number member as u32: digits only, no sign, fraction or exponent. @return ERR_PARSE, ERR_RANGE. */
enum err jsonscan_u32(const struct jsonscan_member *member, uint32_t *ret_value) MUST_CHECK;
