/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/denied.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cert_ref));
}

/** Where @p ref is, or would be inserted. */
static size_t position(const struct denied *denied, const struct cert_ref *ref)
{
    size_t low = 0;
    size_t high = denied->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&denied->refs[middle], ref) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum err make_room(struct denied *denied)
{
    if (denied->len == DENIED_MAX) {
        return ERR_LIMIT;
    }
    if (denied->len < denied->size) {
        return ERR_OK;
    }
    size_t size = denied->size == 0 ? SIZE_FIRST : denied->size * 2;
    struct cert_ref *refs = realloc(denied->refs, size * sizeof(*refs));
    if (refs == NULL) {
        return ERR_NOMEM;
    }
    denied->refs = refs;
    denied->size = size;
    return ERR_OK;
}

bool denied_has(const struct denied *denied, const struct cert_ref *ref)
{
    size_t at = position(denied, ref);
    return at < denied->len && compare(&denied->refs[at], ref) == 0;
}

enum err denied_add(struct denied *denied, const struct cert_ref *ref)
{
    size_t at = position(denied, ref);
    if (at < denied->len && compare(&denied->refs[at], ref) == 0) {
        return ERR_OK;
    }
    enum err err = make_room(denied);
    if (err == ERR_OK) {
        memmove(&denied->refs[at + 1], &denied->refs[at], (denied->len - at) * sizeof(*ref));
        denied->refs[at] = *ref;
        denied->len++;
    }
    return err;
}

void denied_remove(struct denied *denied, const struct cert_ref *ref)
{
    size_t at = position(denied, ref);
    if (at < denied->len && compare(&denied->refs[at], ref) == 0) {
        denied->len--;
        memmove(&denied->refs[at], &denied->refs[at + 1], (denied->len - at) * sizeof(*ref));
    }
}

void denied_deinit(struct denied *denied)
{
    free(denied->refs);
    *denied = (struct denied){.refs = NULL};
}

/** Appends at the end: a file is sorted once, when it has been read. */
static enum err append_line(struct denied *denied, struct view text)
{
    struct deny_line line;
    text = view_trim(text);
    if (text.len == 0 || text.ptr[0] == '#') {
        return ERR_OK;
    }
    enum err err = deny_line_parse(text, &line);
    if (err == ERR_OK && line.verb != DENY_ADD) {
        err = ERR_PARSE;
    }
    if (err == ERR_OK) {
        err = make_room(denied);
    }
    if (err == ERR_OK) {
        denied->refs[denied->len++] = line.cert;
    }
    return err;
}

static enum err append_lines(FILE *file, struct denied *denied)
{
    char *line = NULL;
    size_t size = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        ssize_t len = getline(&line, &size, file);
        if (len < 0) {
            err = feof(file) != 0 ? ERR_OK : ERR_IO;
            break;
        }
        err = append_line(denied, view_n(line, (size_t)len));
    }
    free(line);
    return err;
}

static void sort(struct denied *denied)
{
    if (denied->len == 0) {
        return; /* qsort wants an array */
    }
    qsort(denied->refs, denied->len, sizeof(*denied->refs), compare);
    size_t len = 1;
    for (size_t i = 1; i < denied->len; i++) {
        if (compare(&denied->refs[i], &denied->refs[len - 1]) != 0) {
            denied->refs[len++] = denied->refs[i];
        }
    }
    denied->len = len;
}

enum err denied_load(const char *path, struct denied *ret_denied)
{
    struct denied denied = {.refs = NULL};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    enum err err = append_lines(file, &denied);
    (void)fclose(file); /* only read */
    if (err != ERR_OK) {
        denied_deinit(&denied);
        return err;
    }
    sort(&denied);
    *ret_denied = denied;
    return ERR_OK;
}
