/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRBUF_FIRST_SIZE 64

void strbuf_init(struct strbuf *buf, size_t cap)
{
    assert(cap > 0 && cap < SIZE_MAX / 4);
    *buf = (struct strbuf){.cap = cap};
}

void strbuf_deinit(struct strbuf *buf)
{
    free(buf->ptr);
    *buf = (struct strbuf){.cap = buf->cap};
}

void strbuf_clear(struct strbuf *buf)
{
    buf->len = 0;
    buf->error = ERR_OK;
    if (buf->ptr != NULL) {
        buf->ptr[0] = '\0';
    }
}

/* Makes room for `more` bytes and the NUL, growing by doubling but never past the cap. */
static enum err reserve(struct strbuf *buf, size_t more)
{
    if (buf->error != ERR_OK) {
        return buf->error;
    }
    if (more > buf->cap - buf->len) {
        return buf->error = ERR_LIMIT;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->size) {
        return ERR_OK;
    }
    size_t size = MAX(MAX(buf->size * 2, need), (size_t)STRBUF_FIRST_SIZE);
    size = MIN(size, buf->cap + 1);
    char *ptr = realloc(buf->ptr, size);
    if (ptr == NULL) {
        return buf->error = ERR_NOMEM;
    }
    buf->ptr = ptr;
    buf->size = size;
    return ERR_OK;
}

enum err strbuf_add(struct strbuf *buf, struct view text)
{
    enum err err = reserve(buf, text.len);
    if (err != ERR_OK) {
        return err;
    }
    if (text.len > 0) {
        memcpy(buf->ptr + buf->len, text.ptr, text.len);
    }
    buf->len += text.len;
    buf->ptr[buf->len] = '\0';
    return ERR_OK;
}

enum err strbuf_adds(struct strbuf *buf, const char *text)
{
    return strbuf_add(buf, view_of(text));
}

enum err strbuf_addc(struct strbuf *buf, char c)
{
    return strbuf_add(buf, view_n(&c, 1));
}

enum err strbuf_addf(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err err = strbuf_addv(buf, format, args);
    va_end(args);
    return err;
}

enum err strbuf_addv(struct strbuf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (needed < 0 && buf->error == ERR_OK) {
        buf->error = ERR_INVALID;
    }
    enum err err = reserve(buf, needed < 0 ? 0 : (size_t)needed);
    if (err != ERR_OK) {
        return err;
    }
    (void)vsnprintf(buf->ptr + buf->len, (size_t)needed + 1, format, args); /* measured above */
    buf->len += (size_t)needed;
    return ERR_OK;
}

enum err strbuf_add_json(struct strbuf *buf, struct view text)
{
    static const char hex[] = "0123456789abcdef";
    (void)strbuf_addc(buf, '"'); /* the error sticks */
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        (void)strbuf_add(buf, view_n(&text.ptr[start], i - start));
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\') {
            escape[1] = (char)c;
            (void)strbuf_add(buf, view_n(escape, 2));
        } else {
            (void)strbuf_add(buf, view_n(escape, sizeof(escape)));
        }
        start = i + 1;
    }
    if (start < text.len) {
        (void)strbuf_add(buf, view_n(&text.ptr[start], text.len - start));
    }
    return strbuf_addc(buf, '"');
}

enum err strbuf_error(const struct strbuf *buf)
{
    return buf->error;
}

struct view strbuf_view(const struct strbuf *buf)
{
    return view_n(buf->ptr, buf->len);
}

const char *strbuf_str(const struct strbuf *buf)
{
    return buf->ptr != NULL ? buf->ptr : "";
}

enum err strbuf_take(struct strbuf *buf, char **ret_text, size_t *ret_len)
{
    enum err err = strbuf_add(buf, (struct view){0}); /* makes an empty buffer a real one */
    if (err != ERR_OK) {
        return err;
    }
    *ret_text = buf->ptr;
    if (ret_len != NULL) {
        *ret_len = buf->len;
    }
    *buf = (struct strbuf){.cap = buf->cap};
    return ERR_OK;
}
