/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>

/* Deepest nesting of the text. Counts brackets outside strings, so it is right for valid texts; on broken ones it may
 * say anything, jansson refuses them afterwards. jansson itself recurses up to 2048 levels: too many for a small stack.
 */
static unsigned depth_of(struct view text)
{
    unsigned depth = 0;
    unsigned deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = MAX(deepest, depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum err json_parse(struct view text, size_t max_len, unsigned max_depth, json_t **ret_json, struct errinfo *info)
{
    if (text.len > max_len) {
        return errinfo_set(info, ERR_LIMIT, "json", 0, "%zu bytes, at most %zu allowed", text.len, max_len);
    }
    const char *nul = text.len > 0 ? memchr(text.ptr, '\0', text.len) : NULL;
    if (nul != NULL) { /* jansson 2.14 skips one that follows a number */
        return errinfo_set(info, ERR_PARSE, "json", 0, "at byte %zu: a NUL byte", (size_t)(nul - text.ptr));
    }
    unsigned depth = depth_of(text);
    if (depth > max_depth) {
        return errinfo_set(info, ERR_LIMIT, "json", 0, "nested %u deep, at most %u allowed", depth, max_depth);
    }
    json_error_t error;
    json_t *json = json_loadb(text.len > 0 ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (json != NULL) {
        *ret_json = json;
        return ERR_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory) {
        return errinfo_set(info, ERR_NOMEM, "json", 0, "%s", err_text(ERR_NOMEM));
    }
    char *near = strstr(error.text, " near "); /* what follows is the sender's text, not fit for a log line */
    if (near != NULL) {
        *near = '\0';
    }
    return errinfo_set(info, ERR_PARSE, "json", json_error_code(&error), "at byte %d: %s", error.position, error.text);
}
