/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/bundle.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define BLOCK     512
#define REDACTED  "<redacted>"
#define MTIME_MAX 077777777777 /* eleven octal digits */

/* POSIX.1-2017 pax, "ustar Interchange Format". */
struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a header is a block");

static void put_octal(char *field, size_t size, uint64_t value)
{
    field[size - 1] = '\0';
    for (size_t i = size - 1; i-- > 0; value >>= 3) { /* callers keep to what fits */
        field[i] = (char)('0' + (value & 7));
    }
}

static void fill_header(struct ustar *header, const struct bundle_file *file, int64_t mtime_s)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->name, file->name, strlen(file->name));
    put_octal(header->mode, sizeof(header->mode), 0600);
    put_octal(header->uid, sizeof(header->uid), 0);
    put_octal(header->gid, sizeof(header->gid), 0);
    put_octal(header->size, sizeof(header->size), file->content.len);
    put_octal(header->mtime, sizeof(header->mtime), (uint64_t)MIN(MAX(mtime_s, 0), MTIME_MAX));
    header->type = '0';
    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    memset(header->checksum, ' ', sizeof(header->checksum)); /* counts as blanks in its own sum */
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        sum += bytes[i];
    }
    put_octal(header->checksum, sizeof(header->checksum) - 1, sum); /* six digits, NUL, blank */
}

static void add_zeros(struct strbuf *out, size_t len)
{
    static const char zeros[BLOCK];
    (void)strbuf_add(out, view_n(zeros, len)); /* sticky, as below */
}

enum err bundle_tar(const struct bundle_file *files, size_t len, int64_t mtime_s, struct strbuf *out)
{
    for (size_t i = 0; i < len; i++) {
        struct ustar header;
        size_t name_len = strlen(files[i].name);
        if (name_len == 0 || name_len > BUNDLE_NAME_MAX || files[i].content.len > BUNDLE_MAX) {
            return ERR_INVALID;
        }
        fill_header(&header, &files[i], mtime_s);
        (void)strbuf_add(out, view_n((const char *)&header, sizeof(header)));
        (void)strbuf_add(out, files[i].content);
        add_zeros(out, (BLOCK - files[i].content.len % BLOCK) % BLOCK);
    }
    add_zeros(out, BLOCK); /* the end: two blocks of zeros */
    add_zeros(out, BLOCK);
    return strbuf_error(out);
}

static size_t indent_of(struct view line)
{
    size_t indent = 0;
    while (indent < line.len && line.ptr[indent] == ' ') {
        indent++;
    }
    return indent;
}

/* Where a URL in a text ends: at the quote around it, a blank, or the scheme of another one; not within its query.
 * Anything else may stand in what is secret, brackets and escaped quotes too. */
static size_t url_len(struct view text)
{
    size_t len = 0;
    while (len < text.len && (unsigned char)text.ptr[len] > ' ' && text.ptr[len] != '"') {
        len += text.ptr[len] == '\\' && len + 1 < text.len ? 2 : 1;
    }
    const char *query = len > 0 ? memchr(text.ptr, '?', len) : NULL;
    size_t whole = query != NULL ? (size_t)(query - text.ptr) : len;
    const char *next = whole > 0 ? memmem(text.ptr, whole, "://", 3) : NULL;
    return next != NULL ? (size_t)(next - text.ptr) : len;
}

/* What stands behind "://": host and path stay. */
static void add_url(struct view url, struct strbuf *out)
{
    const char *query = memchr(url.ptr, '?', url.len);
    struct view shown = view_n(url.ptr, query != NULL ? (size_t)(query - url.ptr) : url.len);
    const char *path = memchr(shown.ptr, '/', shown.len);
    const char *at = memrchr(shown.ptr, '@', path != NULL ? (size_t)(path - shown.ptr) : shown.len);
    if (at != NULL) {
        (void)strbuf_adds(out, REDACTED); /* sticky, as below */
        shown = view_n(at, (size_t)(shown.ptr + shown.len - at));
    }
    (void)strbuf_add(out, shown);
    (void)strbuf_adds(out, query != NULL ? "?" REDACTED : "");
}

static void add_line(struct view line, struct strbuf *out)
{
    const char *scheme;
    while (line.len > 0 && (scheme = memmem(line.ptr, line.len, "://", 3)) != NULL) {
        size_t before = (size_t)(scheme - line.ptr) + 3;
        (void)strbuf_add(out, view_n(line.ptr, before));
        line = view_n(line.ptr + before, line.len - before);
        size_t len = url_len(line);
        if (len > 0) {
            add_url(view_n(line.ptr, len), out);
        }
        line = view_n(line.ptr + len, line.len - len);
    }
    (void)strbuf_add(out, line);
}

/* Of a program's path what stands before the first blank: somebody may have written its arguments there, too. */
static void add_program(struct view line, size_t indent, struct strbuf *out)
{
    size_t start = indent + 2; /* behind "- " */
    const char *blank = line.len > start ? memchr(line.ptr + start, ' ', line.len - start) : NULL;
    add_line(blank != NULL ? view_n(line.ptr, (size_t)(blank - line.ptr)) : line, out);
    (void)strbuf_adds(out, blank != NULL ? " " REDACTED "\"" : ""); /* config_dump quotes every text */
}

enum err bundle_redact(struct view text, struct strbuf *out)
{
    struct view line;
    size_t command = SIZE_MAX, item = 0; /* indent of the `command:` that we are in; which of its items is next */
    for (bool first = true; view_next(&text, '\n', &line); first = false) {
        (void)strbuf_adds(out, first ? "" : "\n");
        size_t indent = indent_of(line);
        struct view words = view_n(line.ptr + indent, line.len - indent);
        bool in_command = command != SIZE_MAX && indent > command && view_starts_with(words, VIEW_LITERAL("- "));
        command = in_command ? command : SIZE_MAX;
        if (in_command && item++ > 0) {
            (void)strbuf_addf(out, "%*s- \"" REDACTED "\"", (int)indent, "");
        } else if (in_command) {
            add_program(line, indent, out);
        } else {
            add_line(line, out);
        }
        if (view_starts_with(words, VIEW_LITERAL("command:"))) {
            command = indent;
            item = 0;
        }
    }
    return strbuf_error(out);
}
