/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/der.h"

#include <string.h>

#include "base/clock.h"
#include "provisioning/limits.h"

#define LENGTH_MAX 4 /* tag byte aside: 0x83 and three bytes, 16 MiB */

void der_writer_init(struct der_writer *writer, uint8_t *buffer, size_t size)
{
    *writer = (struct der_writer){.buffer = buffer, .size = size};
}

static void append(struct der_writer *writer, const void *bytes, size_t len)
{
    if (writer->error == ERR_OK && writer->size - writer->len < len) {
        writer->error = ERR_LIMIT;
    }
    if (writer->error == ERR_OK && len > 0) {
        memcpy(writer->buffer + writer->len, bytes, len);
        writer->len += len;
    }
}

/** Shortest form of @p len (X.690 10.1). @return bytes used, 0 when it needs more than LENGTH_MAX. */
static size_t encode_length(size_t len, uint8_t out[static LENGTH_MAX])
{
    if (len < 0x80) {
        out[0] = (uint8_t)len;
        return 1;
    }
    size_t count = len > 0xffff ? 3 : len > 0xff ? 2 : 1;
    if (len > 0xffffff) {
        return 0;
    }
    out[0] = (uint8_t)(0x80 | count);
    for (size_t i = 0; i < count; i++) {
        out[1 + i] = (uint8_t)(len >> (8 * (count - 1 - i)));
    }
    return 1 + count;
}

size_t der_open(struct der_writer *writer, uint8_t tag)
{
    append(writer, &tag, 1);
    if (++writer->depth > DER_DEPTH_MAX && writer->error == ERR_OK) {
        writer->error = ERR_LIMIT;
    }
    return writer->len;
}

void der_close(struct der_writer *writer, size_t mark)
{
    assert(writer->depth > 0);
    writer->depth--;
    if (writer->error != ERR_OK) {
        return;
    }
    assert(mark > 0 && mark <= writer->len);
    uint8_t length[LENGTH_MAX];
    size_t body = writer->len - mark;
    size_t count = encode_length(body, length);
    if (count == 0 || writer->size - writer->len < count) {
        writer->error = ERR_LIMIT;
        return;
    }
    memmove(writer->buffer + mark + count, writer->buffer + mark, body);
    memcpy(writer->buffer + mark, length, count);
    writer->len += count;
}

void der_put(struct der_writer *writer, uint8_t tag, struct view body)
{
    size_t mark = der_open(writer, tag);
    append(writer, body.ptr, body.len);
    der_close(writer, mark);
}

void der_put_raw(struct der_writer *writer, struct view encoded)
{
    append(writer, encoded.ptr, encoded.len);
}

void der_put_bool(struct der_writer *writer, bool value)
{
    der_put(writer, DER_BOOLEAN, value ? VIEW_LITERAL("\xff") : VIEW_LITERAL("\0"));
}

void der_put_uint(struct der_writer *writer, struct view big_endian)
{
    while (big_endian.len > 1 && big_endian.ptr[0] == 0) {
        big_endian = view_n(big_endian.ptr + 1, big_endian.len - 1);
    }
    size_t mark = der_open(writer, DER_INTEGER);
    if (big_endian.len == 0 || (big_endian.ptr[0] & 0x80) != 0) {
        append(writer, "", 1);
    }
    append(writer, big_endian.ptr, big_endian.len);
    der_close(writer, mark);
}

void der_put_small(struct der_writer *writer, uint32_t value)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    der_put_uint(writer, view_n(bytes, sizeof(bytes)));
}

void der_put_bits(struct der_writer *writer, struct view bytes)
{
    size_t mark = der_open(writer, DER_BIT_STRING);
    append(writer, "", 1);
    append(writer, bytes.ptr, bytes.len);
    der_close(writer, mark);
}

void der_put_flags(struct der_writer *writer, uint16_t flags)
{
    uint8_t body[3] = {0};
    size_t len = 1;
    for (unsigned bit = 0; bit < 16; bit++) {
        if ((flags >> bit & 1) != 0) {
            body[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
            body[0] = (uint8_t)(7 - bit % 8);
            len = 2 + bit / 8;
        }
    }
    der_put(writer, DER_BIT_STRING, view_n((const char *)body, len));
}

void der_put_time(struct der_writer *writer, int64_t wall_s)
{
    char text[CLOCK_RFC3339_SIZE]; /* 2026-11-22T16:43:00.000Z */
    clock_rfc3339(wall_s < 0 ? 0 : wall_s > INT64_MAX / 1000 ? INT64_MAX : wall_s * 1000, text);
    char digits[15];
    static const uint8_t places[14] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
    for (size_t i = 0; i < sizeof(places); i++) {
        digits[i] = text[places[i]];
    }
    digits[14] = 'Z';
    if (memcmp(digits, "2050", 4) < 0) {
        der_put(writer, DER_UTC_TIME, view_n(digits + 2, sizeof(digits) - 2));
    } else {
        der_put(writer, DER_GENERALIZED_TIME, view_n(digits, sizeof(digits)));
    }
}

enum err der_writer_end(const struct der_writer *writer, size_t *ret_len)
{
    if (writer->error != ERR_OK) {
        return writer->error;
    }
    if (writer->depth != 0) {
        return ERR_STATE;
    }
    *ret_len = writer->len;
    return ERR_OK;
}

/** Reads a length behind the tag. @return bytes it takes, 0 for a form that DER forbids or that is cut short. */
static size_t decode_length(struct view v, size_t *ret_len)
{
    if (v.len == 0) {
        return 0;
    }
    uint8_t first = (uint8_t)v.ptr[0];
    if (first < 0x80) {
        *ret_len = first;
        return 1;
    }
    size_t count = first & 0x7f;
    if (count == 0 || count >= LENGTH_MAX || v.len < 1 + count) {
        return 0;
    }
    size_t len = 0;
    for (size_t i = 1; i <= count; i++) {
        len = len << 8 | (uint8_t)v.ptr[i];
    }
    if (len < 0x80 || (count > 1 && len >> (8 * (count - 1)) == 0)) {
        return 0;
    }
    *ret_len = len;
    return 1 + count;
}

enum err der_next(struct view *rest, struct der_item *ret_item)
{
    if (rest->len < 2 || (rest->ptr[0] & 0x1f) == 0x1f) {
        return ERR_PARSE;
    }
    size_t len = 0;
    size_t count = decode_length(view_n(rest->ptr + 1, rest->len - 1), &len);
    if (count == 0 || rest->len - 1 - count < len) {
        return ERR_PARSE;
    }
    size_t total = 1 + count + len;
    *ret_item = (struct der_item){
        .tag = (uint8_t)rest->ptr[0],
        .body = view_n(rest->ptr + 1 + count, len),
        .whole = view_n(rest->ptr, total),
    };
    *rest = view_n(rest->ptr + total, rest->len - total);
    return ERR_OK;
}

enum err der_expect(struct view *rest, uint8_t tag, struct view *ret_body)
{
    struct view after = *rest;
    struct der_item item;
    enum err err = der_next(&after, &item);
    if (err != ERR_OK || item.tag != tag) {
        return ERR_PARSE;
    }
    *rest = after;
    *ret_body = item.body;
    return ERR_OK;
}

enum err der_optional(struct view *rest, uint8_t tag, struct view *ret_body, bool *ret_found)
{
    if (rest->len == 0 || (uint8_t)rest->ptr[0] != tag) {
        *ret_found = false;
        return ERR_OK;
    }
    enum err err = der_expect(rest, tag, ret_body);
    *ret_found = err == ERR_OK;
    return err;
}

enum err der_uint(struct view body, struct view *ret_big_endian)
{
    if (body.len == 0 || (body.ptr[0] & 0x80) != 0) {
        return ERR_PARSE;
    }
    if (body.len > 1 && body.ptr[0] == 0) {
        if ((body.ptr[1] & 0x80) == 0) {
            return ERR_PARSE; /* not minimal, X.690 8.3.2 */
        }
        body = view_n(body.ptr + 1, body.len - 1);
    }
    if (body.len > DER_INTEGER_MAX) {
        return ERR_LIMIT;
    }
    *ret_big_endian = body;
    return ERR_OK;
}

enum err der_small(struct view body, uint32_t *ret_value)
{
    struct view bytes;
    enum err err = der_uint(body, &bytes);
    if (err != ERR_OK || bytes.len > 4) {
        return err == ERR_PARSE ? ERR_PARSE : ERR_RANGE;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[i];
    }
    *ret_value = value;
    return ERR_OK;
}

enum err der_bool(struct view body, bool *ret_value)
{
    if (body.len != 1 || ((uint8_t)body.ptr[0] != 0xff && body.ptr[0] != 0)) {
        return ERR_PARSE;
    }
    *ret_value = body.ptr[0] != 0;
    return ERR_OK;
}

enum err der_bits(struct view body, struct view *ret_bytes)
{
    if (body.len == 0 || body.ptr[0] != 0) {
        return ERR_PARSE;
    }
    *ret_bytes = view_n(body.ptr + 1, body.len - 1);
    return ERR_OK;
}

enum err der_flags(struct view body, uint16_t *ret_flags)
{
    if (body.len == 0 || (uint8_t)body.ptr[0] > 7 || (body.len == 1 && body.ptr[0] != 0)) {
        return ERR_PARSE;
    }
    if (body.len > 3) {
        return ERR_RANGE;
    }
    unsigned unused = (uint8_t)body.ptr[0];
    size_t bits = (body.len - 1) * 8 - unused;
    unsigned flags = 0;
    for (size_t bit = 0; bit < (body.len - 1) * 8; bit++) {
        bool set = ((uint8_t)body.ptr[1 + bit / 8] & 0x80 >> bit % 8) != 0;
        if (set && bit >= bits) {
            return ERR_PARSE;
        }
        flags |= set ? 1u << bit : 0;
    }
    if (bits > 0 && (flags >> (bits - 1) & 1) == 0) {
        return ERR_PARSE; /* trailing zero bits, X.690 11.2.2 */
    }
    *ret_flags = (uint16_t)flags;
    return ERR_OK;
}

static bool two_digits(const char *p, int *ret_value)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') {
        return false;
    }
    *ret_value = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/** Days from 1970-01-01 to the first of January of @p year. */
static int64_t days_to_year(int year)
{
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

static enum err to_seconds(const int field[static 6], int64_t *ret_wall_s)
{
    int year = field[0];
    int month = field[1];
    if (year < 1970 || month < 1 || month > 12 || field[2] < 1 || field[2] > days_of_month(year, month) ||
        field[3] > 23 || field[4] > 59 || field[5] > 59) {
        return ERR_RANGE;
    }
    int64_t days = days_to_year(year) + field[2] - 1;
    for (int m = 1; m < month; m++) {
        days += days_of_month(year, m);
    }
    *ret_wall_s = ((days * 24 + field[3]) * 60 + field[4]) * 60 + field[5];
    return ERR_OK;
}

enum err der_time(uint8_t tag, struct view body, int64_t *ret_wall_s)
{
    bool utc = tag == DER_UTC_TIME;
    size_t year_len = utc ? 2 : 4;
    if ((!utc && tag != DER_GENERALIZED_TIME) || body.len != year_len + 11 || body.ptr[body.len - 1] != 'Z') {
        return ERR_PARSE;
    }
    int century = 0;
    int field[6];
    if (!utc && !two_digits(body.ptr, &century)) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        if (!two_digits(body.ptr + year_len - 2 + 2 * i, &field[i])) {
            return ERR_PARSE;
        }
    }
    field[0] += utc ? (field[0] < 50 ? 2000 : 1900) : century * 100;
    return to_seconds(field, ret_wall_s);
}

enum err der_check(struct view encoded)
{
    struct view stack[DER_DEPTH_MAX];
    size_t depth = 0;
    stack[depth++] = encoded;
    while (depth > 0) {
        struct view *top = &stack[depth - 1];
        if (top->len == 0) {
            depth--;
            continue;
        }
        struct der_item item;
        enum err err = der_next(top, &item);
        if (err != ERR_OK) {
            return err;
        }
        if ((item.tag & 0x20) != 0) {
            if (depth == ARRAY_LEN(stack)) {
                return ERR_LIMIT;
            }
            stack[depth++] = item.body;
        }
    }
    return ERR_OK;
}
