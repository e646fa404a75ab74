/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* jansson 2.14 does not look whether a token's buffer has grown: without memory it reads a text with a byte missing, or
 * speaks of bad syntax. So its allocations are watched from outside. */
static _Thread_local bool starved;

static void *watched_malloc(size_t size)
{
    void *memory = malloc(size);
    starved = starved || memory == NULL;
    return memory;
}

static void watch(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

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
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch); /* cannot fail */
    starved = false;
    json_t *json = json_loadb(text.len > 0 ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (starved) {
        json_decref(json);
        return errinfo_set(info, ERR_NOMEM, "json", 0, "%s", err_text(ERR_NOMEM));
    }
    if (json != NULL) {
        *ret_json = json;
        return ERR_OK;
    }
    char *near = strstr(error.text, " near "); /* what follows is the sender's text, not fit for a log line */
    if (near != NULL) {
        *near = '\0';
    }
    return errinfo_set(info, ERR_PARSE, "json", json_error_code(&error), "at byte %d: %s", error.position, error.text);
}
