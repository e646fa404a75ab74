/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httproute.h"

#include <string.h>

static bool is_param(struct view segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

bool httproute_is_valid(struct view pattern)
{
    struct view segment;
    size_t params = 0;
    if (!view_starts_with(pattern, VIEW_LITERAL("/"))) {
        return false;
    }
    while (view_next(&pattern, '/', &segment)) {
        bool braces = segment.len > 0 &&
                      (memchr(segment.ptr, '{', segment.len) != NULL || memchr(segment.ptr, '}', segment.len) != NULL);
        params += is_param(segment);
        if (braces && !is_param(segment)) {
            return false;
        }
    }
    return params <= HTTPROUTE_PARAMS_MAX;
}

bool httproute_match(struct view pattern, struct view path, struct httproute_params *ret_params)
{
    struct httproute_params params = {.len = 0};
    struct view wanted, got;
    if (view_ends_with(pattern, VIEW_LITERAL("/")) != view_ends_with(path, VIEW_LITERAL("/"))) {
        return false; /* view_next does not tell of an empty last field */
    }
    for (;;) {
        bool more_wanted = view_next(&pattern, '/', &wanted);
        bool more_got = view_next(&path, '/', &got);
        if (more_wanted != more_got) {
            return false;
        }
        if (!more_wanted) {
            *ret_params = params;
            return true;
        }
        if (!is_param(wanted)) {
            if (!view_equal(wanted, got)) {
                return false;
            }
        } else if (got.len == 0 || params.len == HTTPROUTE_PARAMS_MAX) {
            return false;
        } else {
            params.of[params.len++] = got;
        }
    }
}
