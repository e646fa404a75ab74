/* SPDX-License-Identifier: Apache-2.0 */
/** What goes into an archive for strangers: nothing is read past its end, what has no URL and no command stays as it
 * is, and of a URL within any text neither the query nor the password comes through. */
#include <stdlib.h>
#include <string.h>

#include "agent/doctor/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "S3cReT"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool has(struct view text, const char *what)
{
    return text.len > 0 && memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

/* The input as it is. */
static void as_text(struct view text)
{
    struct strbuf out;
    strbuf_init(&out, 3 * BUNDLE_MAX);
    require(bundle_redact(text, &out) == ERR_OK);
    bool whole = text.len > 0 && text.ptr[text.len - 1] != '\n';
    if (whole && !has(text, "://") && !has(text, "command:")) {
        require(out.len == text.len && memcmp(out.ptr, text.ptr, text.len) == 0);
    }
    strbuf_deinit(&out);
}

/* The printable part of the input around a secret: within a query, or as a password. */
static void as_secret(struct view text, const char *before, const char *after)
{
    struct strbuf in, out;
    strbuf_init(&in, BUNDLE_MAX);
    strbuf_init(&out, 3 * BUNDLE_MAX);
    (void)strbuf_addf(&in, "why: \"%s", before);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        (void)strbuf_adds(&in, c == '"' || c == '\\' ? "\\" : ""); /* as JSON and YAML write it */
        (void)strbuf_addc(&in, c > ' ' && c <= '~' ? c : '_');
    }
    (void)strbuf_addf(&in, SECRET "%s\" end", after);
    require(bundle_redact(strbuf_view(&in), &out) == ERR_OK);
    require(!has(strbuf_view(&out), SECRET) && has(strbuf_view(&out), "\" end"));
    strbuf_deinit(&in);
    strbuf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_n((const char *)data, size);
    as_text(text);
    as_secret(text, "https://h.example/x?", "");
    if (size > 0 && memchr(data, '/', size) == NULL && memchr(data, '?', size) == NULL) {
        as_secret(text, "https://", "@h.example/");
    }
    return 0;
}
