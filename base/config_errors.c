/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_internal.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (128 * 1024) /* of all messages; one is under 1 KiB */
#define LINE_MAX 1000

struct entry {
    struct config_position at;
    size_t start, len; /* in text */
};

struct config_errors {
    const char *name; /* borrowed: file name for the messages */
    enum err failure;
    size_t count; /* also those over CONFIG_ERRORS_MAX */
    size_t entries_len;
    struct entry entries[CONFIG_ERRORS_MAX];
    struct strbuf text;
};

struct config_errors *config_errors_new(const char *name)
{
    struct config_errors *errors = calloc(1, sizeof(*errors));
    if (errors != NULL) {
        errors->name = name;
        strbuf_init(&errors->text, TEXT_MAX);
    }
    return errors;
}

void config_errors_free(struct config_errors *errors)
{
    if (errors != NULL) {
        strbuf_deinit(&errors->text);
        free(errors);
    }
}

void config_errors_fail(struct config_errors *errors, enum err err)
{
    if (errors->failure == ERR_OK) {
        errors->failure = err;
    }
}

size_t config_errors_count(const struct config_errors *errors)
{
    return errors->count;
}

bool config_errors_ok(const struct config_errors *errors)
{
    return errors->count == 0 && errors->failure == ERR_OK;
}

static void add(struct config_errors *errors, const struct config_position *position, size_t start)
{
    size_t len = errors->text.len - start;
    if (strbuf_error(&errors->text) == ERR_NOMEM) {
        config_errors_fail(errors, ERR_NOMEM);
    }
    struct entry *entry = &errors->entries[errors->entries_len++];
    *entry = (struct entry){.start = start, .len = MIN(len, (size_t)LINE_MAX)};
    if (position != NULL) {
        entry->at = *position;
    }
}

void config_error(struct config_errors *errors, const struct config_position *position, const char *format, ...)
{
    if (errors->count++ >= CONFIG_ERRORS_MAX) {
        return;
    }
    size_t start = errors->text.len;
    va_list args;
    va_start(args, format);
    (void)strbuf_addv(&errors->text, format, args); /* add looks at the buffer's error */
    va_end(args);
    add(errors, position, start);
}

static void add_path(struct strbuf *out, const struct config_path *path)
{
    if (path == NULL) {
        return;
    }
    add_path(out, path->parent);
    if (path->name == NULL) {
        (void)strbuf_addf(out, "[%zu]", path->index);
    } else {
        (void)strbuf_addf(out, "%s%s", path->parent != NULL ? "." : "", path->name);
    }
}

void config_complain(struct config_errors *errors, const struct config_position *position,
                     const struct config_path *path, const char *format, ...)
{
    if (errors->count++ >= CONFIG_ERRORS_MAX) {
        return;
    }
    size_t start = errors->text.len;
    if (path != NULL) {
        add_path(&errors->text, path);
        (void)strbuf_adds(&errors->text, ": "); /* add looks at the buffer's error */
    }
    va_list args;
    va_start(args, format);
    (void)strbuf_addv(&errors->text, format, args);
    va_end(args);
    add(errors, position, start);
}

static int by_position(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->at.line != b->at.line) {
        return a->at.line < b->at.line ? -1 : 1;
    }
    if (a->at.column != b->at.column) {
        return a->at.column < b->at.column ? -1 : 1;
    }
    return (a->start > b->start) - (a->start < b->start); /* qsort is not stable */
}

enum err config_errors_report(struct config_errors *errors, struct strbuf *report)
{
    qsort(errors->entries, errors->entries_len, sizeof(errors->entries[0]), by_position);
    for (size_t i = 0; i < errors->entries_len; i++) {
        const struct entry *entry = &errors->entries[i];
        /* A report cut by its cap still helps; the error code says the rest. */
        if (entry->at.line != 0) {
            (void)strbuf_addf(report, "%s:%u:%u: ", errors->name, entry->at.line, entry->at.column);
        } else {
            (void)strbuf_addf(report, "%s: ", errors->name);
        }
        (void)strbuf_addf(report, "%.*s\n", (int)entry->len, strbuf_str(&errors->text) + entry->start);
    }
    if (errors->count > CONFIG_ERRORS_MAX) {
        (void)strbuf_addf(report, "%s: %zu further errors\n", errors->name, errors->count - CONFIG_ERRORS_MAX);
    }
    if (errors->failure != ERR_OK) {
        if (errors->count == 0) {
            (void)strbuf_addf(report, "%s: %s\n", errors->name, err_text(errors->failure));
        }
        return errors->failure;
    }
    return errors->count > 0 ? ERR_INVALID : ERR_OK;
}

const char *config_shown(struct view text, char buffer[static CONFIG_SHOWN_SIZE])
{
    size_t out = 0;
    while (text.len > 0 && out < CONFIG_SHOWN_SIZE - 8) {
        size_t step = view_utf8_sequence(text);
        bool control = step == 0 || (unsigned char)*text.ptr < 0x20 || *text.ptr == 0x7f;
        control = control || (step == 2 && (unsigned char)text.ptr[0] == 0xc2 && (unsigned char)text.ptr[1] < 0xa0);
        if (control) {
            buffer[out++] = '?';
            step = MAX(step, (size_t)1);
        } else {
            memcpy(buffer + out, text.ptr, step);
            out += step;
        }
        text = view_n(text.ptr + step, text.len - step);
    }
    memcpy(buffer + out, text.len > 0 ? "..." : "", text.len > 0 ? 4 : 1);
    return buffer;
}
