/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "provisioning/limits.h"

#define LINE_COLUMNS 64
#define LINE_BYTES   48

enum err pem_write(struct strbuf *out, const char *label, struct view der)
{
    (void)strbuf_addf(out, "-----BEGIN %s-----\n", label); /* the buffer's error sticks */
    char line[LINE_COLUMNS + 1];
    for (size_t i = 0; i < der.len; i += LINE_BYTES) {
        crypto_base64_encode((const uint8_t *)der.ptr + i, MIN(der.len - i, (size_t)LINE_BYTES), line);
        (void)strbuf_adds(out, line);
        (void)strbuf_addc(out, '\n');
    }
    crypto_zeroise(line, sizeof(line));
    (void)strbuf_addf(out, "-----END %s-----\n", label);
    return strbuf_error(out);
}

/** The next line without its end. */
static bool next_line(struct view *rest, struct view *ret_line)
{
    if (!view_next(rest, '\n', ret_line)) {
        return false;
    }
    if (ret_line->len > 0 && ret_line->ptr[ret_line->len - 1] == '\r') {
        ret_line->len--;
    }
    return true;
}

/** @p line is "-----" @p word LABEL "-----". */
static bool is_boundary(struct view line, struct view word, struct view *ret_label)
{
    struct view dashes = VIEW_LITERAL("-----");
    if (!view_starts_with(line, word) || !view_ends_with(line, dashes) || line.len <= word.len + dashes.len) {
        return false;
    }
    *ret_label = view_n(line.ptr + word.len, line.len - word.len - dashes.len);
    return ret_label->len <= PEM_LABEL_MAX;
}

/** Decodes the lines up to the END of @p label. Only the last line may be short of 64 columns or hold padding. */
static enum err read_body(struct view *rest, struct view label, uint8_t *buffer, size_t size, size_t *ret_len)
{
    struct view line;
    struct view end;
    size_t used = 0;
    bool last = false;
    while (next_line(rest, &line)) {
        if (is_boundary(line, VIEW_LITERAL("-----END "), &end)) {
            *ret_len = used;
            return view_equal(end, label) && used > 0 ? ERR_OK : ERR_PARSE;
        }
        if (last || line.len == 0 || line.len > LINE_COLUMNS) {
            return ERR_PARSE;
        }
        last = line.len < LINE_COLUMNS || line.ptr[line.len - 1] == '=';
        size_t len;
        enum err err = crypto_base64_decode(line, buffer + used, size - used, &len);
        if (err != ERR_OK) {
            return err;
        }
        used += len;
    }
    return ERR_PARSE;
}

enum err pem_next(struct view *rest, struct view *ret_label, uint8_t *buffer, size_t size, size_t *ret_len)
{
    struct view line;
    struct view label;
    while (next_line(rest, &line)) {
        if (is_boundary(line, VIEW_LITERAL("-----BEGIN "), &label)) {
            *ret_label = label;
            return read_body(rest, label, buffer, size, ret_len);
        }
    }
    return ERR_NOTFOUND;
}

enum err pem_find(struct view text, const char *label, uint8_t *buffer, size_t size, size_t *ret_len)
{
    struct view found;
    enum err err;
    do {
        err = pem_next(&text, &found, buffer, size, ret_len);
    } while (err == ERR_OK && !view_equals(found, label));
    return err;
}
