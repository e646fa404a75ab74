/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * json: jansson with our caps for control messages: strict UTF-8, no duplicate keys, size and depth bounded before
 * jansson sees the text. The only file that hands text to jansson; any thread.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/view.h"

/** Parses one object or array. @param max_len bytes, @param max_depth nesting (1 = flat). @param ret_json owned:
 * json_decref.
 *  @return ERR_LIMIT, ERR_PARSE (info: byte offset and reason), ERR_NOMEM. */
enum err json_parse(struct view text, size_t max_len, unsigned max_depth, json_t **ret_json,
                    struct errinfo *info) MUST_CHECK;

static inline void json_decref_p(json_t **json)
{
    json_decref(*json);
}
