/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define STAMP_LEN 16 /* 20150830T123600Z */
#define DAY_LEN   8

/** All that one signature is about. */
struct work {
    const struct sigv4_request *request;
    char stamp[STAMP_LEN + 1];
    struct sigv4_header headers[SIGV4_HEADERS_MAX]; /* sorted by name, equal names in the order they were given */
    size_t headers_len;
};

/** 2015-08-30T12:36:00.000Z without what separates, and without the milliseconds. */
static void write_stamp(int64_t wall_ms, char stamp[static STAMP_LEN + 1])
{
    char text[CLOCK_RFC3339_SIZE];
    size_t len = 0;
    clock_rfc3339(wall_ms, text);
    for (const char *p = text; *p != '.' && *p != '\0'; p++) {
        if (*p != '-' && *p != ':') {
            stamp[len++] = *p;
        }
    }
    stamp[len++] = 'Z';
    stamp[len] = '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int compare_names(struct view a, struct view b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return (unsigned char)lower(a.ptr[i]) < (unsigned char)lower(b.ptr[i]) ? -1 : 1;
        }
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

/** Keeps the list sorted. A value that ends its line would add headers to the request that nobody signed. */
static enum err add_header(struct work *work, struct view name, struct view value)
{
    if (value.len > 0 && (memchr(value.ptr, '\n', value.len) != NULL || memchr(value.ptr, '\r', value.len) != NULL)) {
        return ERR_INVALID;
    }
    if (work->headers_len == SIGV4_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    size_t at = work->headers_len++;
    while (at > 0 && compare_names(work->headers[at - 1].name, name) > 0) {
        work->headers[at] = work->headers[at - 1];
        at--;
    }
    work->headers[at] = (struct sigv4_header){name, value};
    return ERR_OK;
}

static enum err start(struct work *work, const struct sigv4_request *request,
                      const struct sigv4_credentials *credentials)
{
    *work = (struct work){.request = request};
    write_stamp(request->wall_ms, work->stamp);
    enum err err = add_header(work, VIEW_LITERAL("host"), view_of(request->host));
    for (size_t i = 0; err == ERR_OK && i < request->headers_len; i++) {
        err = add_header(work, request->headers[i].name, request->headers[i].value);
    }
    if (err == ERR_OK) {
        err = add_header(work, VIEW_LITERAL("x-amz-date"), view_n(work->stamp, STAMP_LEN));
    }
    if (err == ERR_OK && credentials->token.len > 0) {
        err = add_header(work, VIEW_LITERAL("x-amz-security-token"), credentials->token);
    }
    return err;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_encoded(struct strbuf *text, char c)
{
    if (is_unreserved(c)) {
        strbuf_addc(text, c);
    } else {
        strbuf_addf(text, "%%%02X", (unsigned char)c);
    }
}

/** RFC 3986 6: dots, and slashes that follow each other, are taken out; then each segment is encoded anew, so what the
 * URL holds encoded is encoded twice here. */
static enum err add_path(struct strbuf *text, struct view path)
{
    struct view segments[SIGV4_PARTS_MAX], rest = path, segment;
    size_t len = 0;
    while (view_next(&rest, '/', &segment)) {
        if (view_equals(segment, "..")) {
            len -= len > 0;
        } else if (segment.len > 0 && !view_equals(segment, ".")) {
            if (len == SIGV4_PARTS_MAX) {
                return ERR_LIMIT;
            }
            segments[len++] = segment;
        }
    }
    for (size_t i = 0; i < len; i++) {
        strbuf_addc(text, '/');
        for (size_t at = 0; at < segments[i].len; at++) {
            add_encoded(text, segments[i].ptr[at]);
        }
    }
    bool folder = view_ends_with(path, VIEW_LITERAL("/")) || view_ends_with(path, VIEW_LITERAL("/.")) ||
                  view_ends_with(path, VIEW_LITERAL("/.."));
    if (len == 0 || folder) {
        strbuf_addc(text, '/');
    }
    strbuf_addc(text, '\n');
    return ERR_OK;
}

struct parameter {
    size_t at, name_len, len; /* in the text of encoded parameters: name=value */
};

/** Encodes what is not; an escape that is there already stays one. @return its place in @p text. */
static struct parameter encode_parameter(struct strbuf *text, struct view field)
{
    struct parameter parameter = {.at = text->len};
    const char *equals = field.len > 0 ? memchr(field.ptr, '=', field.len) : NULL;
    size_t name_len = equals != NULL ? (size_t)(equals - field.ptr) : field.len;
    for (size_t i = 0; i < field.len; i++) {
        if (i == name_len) {
            parameter.name_len = text->len - parameter.at;
            strbuf_addc(text, '=');
        } else if (field.ptr[i] == '%') {
            strbuf_addc(text, '%');
        } else {
            add_encoded(text, field.ptr[i]);
        }
    }
    if (equals == NULL) {
        parameter.name_len = text->len - parameter.at;
        strbuf_addc(text, '=');
    }
    parameter.len = text->len - parameter.at;
    return parameter;
}

static int compare_parameters(const char *text, const struct parameter *a, const struct parameter *b)
{
    int order = view_compare(view_n(text + a->at, a->name_len), view_n(text + b->at, b->name_len));
    return order != 0 ? order : view_compare(view_n(text + a->at, a->len), view_n(text + b->at, b->len));
}

/** Parameters sorted by name, then by value. */
static enum err add_query(struct strbuf *text, struct view query)
{
    struct parameter sorted[SIGV4_PARTS_MAX];
    struct strbuf encoded;
    struct view rest = query, field;
    size_t len = 0;
    strbuf_init(&encoded, SIGV4_TEXT_MAX);
    while (query.len > 0 && len < SIGV4_PARTS_MAX && view_next(&rest, '&', &field)) {
        struct parameter parameter = encode_parameter(&encoded, field);
        size_t at = len++;
        while (strbuf_error(&encoded) == ERR_OK && at > 0 &&
               compare_parameters(encoded.ptr, &sorted[at - 1], &parameter) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = parameter;
    }
    enum err err = rest.len > 0 && len == SIGV4_PARTS_MAX ? ERR_LIMIT : strbuf_error(&encoded);
    for (size_t i = 0; err == ERR_OK && i < len; i++) {
        strbuf_adds(text, i > 0 ? "&" : "");
        strbuf_add(text, view_n(encoded.ptr + sorted[i].at, sorted[i].len));
    }
    strbuf_addc(text, '\n');
    strbuf_deinit(&encoded);
    return err;
}

/** Without blanks at its ends, and with one where there were several. */
static void add_value(struct strbuf *text, struct view value)
{
    value = view_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ') {
            strbuf_addc(text, value.ptr[i]);
        }
    }
}

static bool same_name(const struct work *work, size_t i)
{
    return i > 0 && compare_names(work->headers[i - 1].name, work->headers[i].name) == 0;
}

/** Values of one name stand in one line, with a comma between. */
static void add_headers(struct strbuf *text, const struct work *work)
{
    for (size_t i = 0; i < work->headers_len; i++) {
        if (same_name(work, i)) {
            strbuf_addc(text, ',');
        } else {
            strbuf_adds(text, i > 0 ? "\n" : "");
            for (size_t at = 0; at < work->headers[i].name.len; at++) {
                strbuf_addc(text, lower(work->headers[i].name.ptr[at]));
            }
            strbuf_addc(text, ':');
        }
        add_value(text, work->headers[i].value);
    }
    strbuf_adds(text, "\n\n");
}

static void add_names(struct strbuf *text, const struct work *work)
{
    for (size_t i = 0; i < work->headers_len; i++) {
        if (!same_name(work, i)) {
            strbuf_adds(text, i > 0 ? ";" : "");
            for (size_t at = 0; at < work->headers[i].name.len; at++) {
                strbuf_addc(text, lower(work->headers[i].name.ptr[at]));
            }
        }
    }
}

static void add_digest(struct strbuf *text, struct view data)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    crypto_sha256(data, digest);
    crypto_hex(digest, sizeof(digest), hex);
    strbuf_adds(text, hex);
}

static enum err add_canonical(struct strbuf *text, const struct work *work)
{
    const struct sigv4_request *request = work->request;
    strbuf_addf(text, "%s\n", request->method);
    enum err err = add_path(text, request->path);
    err = err == ERR_OK ? add_query(text, request->query) : err;
    add_headers(text, work);
    add_names(text, work);
    strbuf_addc(text, '\n');
    add_digest(text, request->payload);
    return err == ERR_OK ? strbuf_error(text) : err;
}

enum err sigv4_canonical(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
                         struct strbuf *text)
{
    struct work work;
    enum err err = start(&work, request, credentials);
    return err == ERR_OK ? add_canonical(text, &work) : err;
}

/** One link of the chain of keys. */
static enum err mac(struct view key, struct view text, uint8_t ret_mac[static SHA256_SIZE])
{
    struct crypto_hmac *hmac = NULL;
    enum err err = crypto_hmac_new((const uint8_t *)key.ptr, key.len, &hmac);
    err = err == ERR_OK ? crypto_hmac_sha256(hmac, &text, 1, ret_mac) : err;
    crypto_hmac_free(hmac);
    return err;
}

/** The key of a day, a region and a service; then the signature of @p text under it. */
static enum err sign(const struct work *work, struct view secret, struct view text, uint8_t ret_mac[static SHA256_SIZE])
{
    const struct sigv4_request *request = work->request;
    const struct view links[] = {view_n(work->stamp, DAY_LEN), view_of(request->region), view_of(request->service),
                                 VIEW_LITERAL("aws4_request"), text};
    uint8_t key[SHA256_SIZE];
    struct strbuf first;
    strbuf_init(&first, secret.len + 4);
    strbuf_adds(&first, "AWS4");
    strbuf_add(&first, secret);
    enum err err = strbuf_error(&first);
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(links); i++) {
        struct view with = i == 0 ? strbuf_view(&first) : view_n((const char *)key, sizeof(key));
        uint8_t next[SHA256_SIZE];
        err = mac(with, links[i], next);
        if (err == ERR_OK) {
            memcpy(key, next, sizeof(key));
        }
        crypto_zeroise(next, sizeof(next));
    }
    crypto_zeroise(first.ptr, first.len);
    strbuf_deinit(&first);
    if (err == ERR_OK) {
        memcpy(ret_mac, key, sizeof(key));
    }
    crypto_zeroise(key, sizeof(key));
    return err;
}

static void add_scope(struct strbuf *text, const struct work *work)
{
    strbuf_addf(text, "%.*s/%s/%s/aws4_request", DAY_LEN, work->stamp, work->request->region, work->request->service);
}

static enum err make_signature(const struct work *work, struct view secret, char ret_hex[static 2 * SHA256_SIZE + 1])
{
    uint8_t signature[SHA256_SIZE];
    struct strbuf canonical, text;
    strbuf_init(&canonical, SIGV4_TEXT_MAX);
    strbuf_init(&text, SIGV4_TEXT_MAX);
    enum err err = add_canonical(&canonical, work);
    strbuf_addf(&text, ALGORITHM "\n%s\n", work->stamp);
    add_scope(&text, work);
    strbuf_addc(&text, '\n');
    add_digest(&text, strbuf_view(&canonical));
    err = err == ERR_OK ? strbuf_error(&text) : err;
    err = err == ERR_OK ? sign(work, secret, strbuf_view(&text), signature) : err;
    if (err == ERR_OK) {
        crypto_hex(signature, sizeof(signature), ret_hex);
    }
    crypto_zeroise(canonical.ptr, canonical.len); /* holds the session token */
    strbuf_deinit(&canonical);
    strbuf_deinit(&text);
    return err;
}

enum err sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
                    struct strbuf *headers)
{
    struct work work;
    char signature[2 * SHA256_SIZE + 1];
    enum err err = start(&work, request, credentials);
    err = err == ERR_OK ? make_signature(&work, credentials->secret, signature) : err;
    if (err != ERR_OK) {
        return err;
    }
    strbuf_addf(headers, "X-Amz-Date: %s\n", work.stamp);
    if (credentials->token.len > 0) {
        strbuf_addf(headers, "X-Amz-Security-Token: %.*s\n", VIEW_ARG(credentials->token));
    }
    strbuf_addf(headers, "Authorization: " ALGORITHM " Credential=%.*s/", VIEW_ARG(credentials->id));
    add_scope(headers, &work);
    strbuf_adds(headers, ", SignedHeaders=");
    add_names(headers, &work);
    strbuf_addf(headers, ", Signature=%s\n", signature);
    return strbuf_error(headers);
}
