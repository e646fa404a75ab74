/* SPDX-License-Identifier: Apache-2.0 */
#include "base/view.h"

#include <string.h>

struct view view_of(const char *text)
{
    return (struct view){.ptr = text, .len = text != NULL ? strlen(text) : 0};
}

struct view view_n(const char *ptr, size_t len)
{
    return (struct view){.ptr = ptr, .len = len};
}

bool view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool view_equal_nocase(struct view a, struct view b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) { /* strncasecmp ends at a NUL and asks the locale */
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool view_equals(struct view a, const char *text)
{
    return view_equal(a, view_of(text));
}

bool view_starts_with(struct view v, struct view prefix)
{
    return v.len >= prefix.len && view_equal(view_n(v.ptr, prefix.len), prefix);
}

bool view_ends_with(struct view v, struct view suffix)
{
    return v.len >= suffix.len && view_equal(view_n(v.ptr + (v.len - suffix.len), suffix.len), suffix);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view view_trim(struct view v)
{
    while (v.len > 0 && is_blank(v.ptr[0])) {
        v.ptr++;
        v.len--;
    }
    while (v.len > 0 && is_blank(v.ptr[v.len - 1])) {
        v.len--;
    }
    return v;
}

int view_compare(struct view a, struct view b)
{
    size_t common = MIN(a.len, b.len);
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order == 0) {
        order = (a.len > b.len) - (a.len < b.len);
    }
    return (order > 0) - (order < 0);
}

bool view_next(struct view *rest, char separator, struct view *ret_field)
{
    if (rest->ptr == NULL) {
        return false;
    }
    const char *end = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (end == NULL) {
        *ret_field = *rest;
        *rest = (struct view){0};
        return true;
    }
    size_t field_len = (size_t)(end - rest->ptr);
    *ret_field = view_n(rest->ptr, field_len);
    *rest = view_n(end + 1, rest->len - field_len - 1);
    return true;
}

enum err view_to_u64(struct view v, uint64_t max, uint64_t *ret_value)
{
    if (v.len == 0 || (v.len > 1 && v.ptr[0] == '0')) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < v.len; i++) { /* first, so that "99999999999999999999x" is malformed, not too large */
        if (v.ptr[i] < '0' || v.ptr[i] > '9') {
            return ERR_PARSE;
        }
    }
    uint64_t value = 0;
    for (size_t i = 0; i < v.len; i++) {
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return ERR_RANGE;
        }
        value = value * 10 + digit;
    }
    if (value > max) {
        return ERR_RANGE;
    }
    *ret_value = value;
    return ERR_OK;
}

enum err view_copy(struct view v, char *buffer, size_t size)
{
    if (v.len >= size) {
        return ERR_LIMIT;
    }
    if (v.len > 0 && memchr(v.ptr, '\0', v.len) != NULL) {
        return ERR_INVALID;
    }
    if (v.len > 0) {
        memcpy(buffer, v.ptr, v.len);
    }
    buffer[v.len] = '\0';
    return ERR_OK;
}

uint64_t view_hash(struct view v)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < v.len; i++) {
        hash = (hash ^ (uint8_t)v.ptr[i]) * 0x100000001b3u;
    }
    return hash;
}

/* Length of the UTF-8 sequence that starts with `lead`, and the range of its second byte (RFC 3629 section 4); 0 when
 * it cannot start one. */
static size_t utf8_lead(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_low = lead == 0xe0 ? 0xa0 : 0x80;
        *ret_high = lead == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_low = lead == 0xf0 ? 0x90 : 0x80;
        *ret_high = lead == 0xf4 ? 0x8f : 0xbf;
        return 4;
    }
    return 0;
}

size_t view_utf8_sequence(struct view v)
{
    uint8_t lead = v.len > 0 ? (uint8_t)v.ptr[0] : 0;
    if (lead < 0x80) {
        return lead != 0 ? 1 : 0;
    }
    uint8_t low;
    uint8_t high;
    size_t length = utf8_lead(lead, &low, &high);
    if (length == 0 || v.len < length || (uint8_t)v.ptr[1] < low || (uint8_t)v.ptr[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (((uint8_t)v.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool view_is_utf8(struct view v)
{
    while (v.len > 0) {
        size_t length = view_utf8_sequence(v);
        if (length == 0) {
            return false;
        }
        v = view_n(v.ptr + length, v.len - length);
    }
    return true;
}
