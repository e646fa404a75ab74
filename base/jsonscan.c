/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonscan.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

struct scanner {
    const char *at, *end;
    unsigned depth_left;
    size_t keys_len;
    struct view keys[JSONSCAN_KEYS_MAX]; /* of the open objects, innermost last */
};

static enum err scan_value(struct scanner *scan, char *ret_kind);

/* Length of the run of plain string text at `at`, eight bytes at a time: stops at a quote, a backslash, a control and
 * everything above ASCII. A byte of `stop` has its high bit set when the byte of the text stops the run; borrows travel
 * upwards only, so the lowest set bit is always right. */
static inline const char *skip_plain(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t highs = 0x8080808080808080u;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        uint64_t quote = word ^ ones * '"';
        uint64_t backslash = word ^ ones * '\\';
        uint64_t stop = ((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs;
        if (stop != 0) {
            return at + __builtin_ctzll(stop) / 8;
        }
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline void skip_blanks(struct scanner *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t')) {
        scan->at++;
    }
}

static inline bool take(struct scanner *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c) {
        return false;
    }
    scan->at++;
    return true;
}

/* Four hex digits at `at`, or -1. */
static int hex4(const char *at, const char *end)
{
    if (end - at < 4) {
        return -1;
    }
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = is_digit(c)              ? c - '0'
                    : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                    : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                             : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* Length and code point of the escape that starts with the backslash at `at`; 0 for a bad one. U+0000 and lone
 * surrogates are refused (RFC 8259 8.2 calls their handling unpredictable). */
static size_t read_escape(const char *at, const char *end, uint32_t *ret_point)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2 || at[1] == '\0') {
        return 0;
    }
    const char *name = strchr(names, at[1]);
    if (name != NULL) {
        *ret_point = (uint32_t)values[name - names];
        return 2;
    }
    int unit = at[1] == 'u' ? hex4(at + 2, end) : -1;
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
        return 0;
    }
    *ret_point = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdbff) {
        return 6;
    }
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u') {
        return 0;
    }
    int low = hex4(at + 8, end);
    if (low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    *ret_point = 0x10000u + (((uint32_t)unit - 0xd800u) << 10) + ((uint32_t)low - 0xdc00u);
    return 12;
}

/* After the opening quote; takes the closing one. */
static enum err scan_string(struct scanner *scan, struct view *ret_inner, bool *ret_escaped)
{
    *ret_escaped = false;
    const char *at = scan->at;
    const char *end = scan->end;
    for (;;) {
        at = skip_plain(at, end);
        if (at == end) {
            return ERR_PARSE;
        }
        uint32_t point;
        size_t step = 0;
        if (*at == '"') {
            *ret_inner = view_n(scan->at, (size_t)(at - scan->at));
            scan->at = at + 1;
            return ERR_OK;
        }
        if (*at == '\\') {
            step = read_escape(at, end, &point);
            *ret_escaped = true;
        } else if ((unsigned char)*at >= 0x80) {
            step = view_utf8_sequence(view_n(at, (size_t)(end - at)));
        }
        if (step == 0) {
            return ERR_PARSE;
        }
        at += step;
    }
}

/* Whether an integer of 19 or more digits fits a signed 64-bit number. */
static bool integer_fits(const char *digits, size_t len, bool negative)
{
    const char *limit = negative ? "9223372036854775808" : "9223372036854775807";
    return len < 19 || (len == 19 && memcmp(digits, limit, 19) <= 0);
}

static enum err real_fits(struct view number)
{
    char copy[JSONSCAN_NUMBER_MAX + 1];
    enum err err = view_copy(number, copy, sizeof(copy));
    if (err != ERR_OK) {
        return ERR_LIMIT;
    }
    return isfinite(strtod(copy, NULL)) ? ERR_OK : ERR_PARSE;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) {
        at++;
    }
    return at;
}

static enum err scan_number(struct scanner *scan)
{
    const char *start = scan->at;
    const char *end = scan->end;
    const char *digits = start + (*start == '-' ? 1 : 0);
    const char *at = skip_digits(digits, end);
    size_t len = (size_t)(at - digits);
    if (len == 0 || (len > 1 && *digits == '0')) {
        return ERR_PARSE;
    }
    bool real = false;
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(fraction, end);
        real = true;
        if (at == fraction) {
            return ERR_PARSE;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *exponent = at + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-')) {
            exponent++;
        }
        at = skip_digits(exponent, end);
        real = true;
        if (at == exponent) {
            return ERR_PARSE;
        }
    }
    scan->at = at;
    if (real) {
        return real_fits(view_n(start, (size_t)(at - start)));
    }
    return integer_fits(digits, len, digits != start) ? ERR_OK : ERR_PARSE;
}

static enum err scan_word(struct scanner *scan, const char *word, size_t len)
{
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0) {
        return ERR_PARSE;
    }
    scan->at += len;
    return ERR_OK;
}

/* Takes the next code point of a checked string, escapes resolved. */
static uint32_t next_point(struct view *rest)
{
    uint32_t point = (unsigned char)*rest->ptr;
    size_t step = 1;
    if (point == '\\') {
        step = read_escape(rest->ptr, rest->ptr + rest->len, &point);
    } else if (point >= 0x80) {
        step = view_utf8_sequence(*rest);
        point &= 0x7fu >> step;
        for (size_t i = 1; i < step; i++) {
            point = point << 6 | ((unsigned char)rest->ptr[i] & 0x3fu);
        }
    }
    *rest = view_n(rest->ptr + step, rest->len - step);
    return point;
}

static bool same_key(struct view a, struct view b)
{
    if (view_equal(a, b)) {
        return true;
    }
    if ((a.len == 0 || memchr(a.ptr, '\\', a.len) == NULL) && (b.len == 0 || memchr(b.ptr, '\\', b.len) == NULL)) {
        return false;
    }
    while (a.len > 0 && b.len > 0) {
        if (next_point(&a) != next_point(&b)) {
            return false;
        }
    }
    return a.len == b.len;
}

/* One bit of 64 for a key: keys with different bits differ, so most objects need no comparison at all. Keys with an
 * escape set every bit. */
static uint64_t key_bit(struct view key, bool escaped)
{
    if (escaped || key.len == 0) {
        return escaped ? UINT64_MAX : 1;
    }
    unsigned first = (unsigned char)key.ptr[0];
    unsigned last = (unsigned char)key.ptr[key.len - 1];
    return 1ull << ((first * 7 + last * 3 + key.len * 11) & 63);
}

static enum err add_key(struct scanner *scan, size_t base, struct view key, bool escaped, uint64_t *seen)
{
    if (scan->keys_len - base == JSONSCAN_MEMBERS_MAX || scan->keys_len == JSONSCAN_KEYS_MAX) {
        return ERR_LIMIT;
    }
    uint64_t bit = key_bit(key, escaped);
    if ((*seen & bit) != 0) {
        for (size_t i = base; i < scan->keys_len; i++) {
            if (same_key(scan->keys[i], key)) {
                return ERR_PARSE;
            }
        }
    }
    *seen |= bit;
    scan->keys[scan->keys_len++] = key;
    return ERR_OK;
}

typedef enum err (*member_fn)(void *context, const struct jsonscan_member *member);

static enum err scan_member(struct scanner *scan, size_t base, uint64_t *seen, member_fn each, void *context)
{
    struct jsonscan_member member;
    skip_blanks(scan);
    if (!take(scan, '"')) {
        return ERR_PARSE;
    }
    bool escaped;
    enum err err = scan_string(scan, &member.key, &escaped);
    if (err == ERR_OK) {
        err = add_key(scan, base, member.key, escaped, seen);
    }
    if (err != ERR_OK) {
        return err;
    }
    skip_blanks(scan);
    if (!take(scan, ':')) {
        return ERR_PARSE;
    }
    skip_blanks(scan);
    const char *start = scan->at;
    err = scan_value(scan, &member.kind);
    if (err != ERR_OK || each == NULL) {
        return err;
    }
    member.value = view_n(start, (size_t)(scan->at - start));
    return each(context, &member);
}

/* After the opening brace. */
static enum err scan_object(struct scanner *scan, member_fn each, void *context)
{
    if (scan->depth_left == 0) {
        return ERR_LIMIT;
    }
    scan->depth_left--;
    size_t base = scan->keys_len;
    uint64_t seen = 0;
    skip_blanks(scan);
    bool more = !take(scan, '}');
    while (more) {
        enum err err = scan_member(scan, base, &seen, each, context);
        if (err != ERR_OK) {
            return err;
        }
        skip_blanks(scan);
        more = take(scan, ',');
        if (!more && !take(scan, '}')) {
            return ERR_PARSE;
        }
    }
    scan->keys_len = base;
    scan->depth_left++;
    return ERR_OK;
}

/* After the opening bracket. */
static enum err scan_array(struct scanner *scan)
{
    if (scan->depth_left == 0) {
        return ERR_LIMIT;
    }
    scan->depth_left--;
    skip_blanks(scan);
    bool more = !take(scan, ']');
    while (more) {
        char kind;
        skip_blanks(scan);
        enum err err = scan_value(scan, &kind);
        if (err != ERR_OK) {
            return err;
        }
        skip_blanks(scan);
        more = take(scan, ',');
        if (!more && !take(scan, ']')) {
            return ERR_PARSE;
        }
    }
    scan->depth_left++;
    return ERR_OK;
}

static enum err scan_value(struct scanner *scan, char *ret_kind)
{
    if (scan->at == scan->end) {
        return ERR_PARSE;
    }
    struct view inner;
    bool escaped;
    char c = *scan->at;
    *ret_kind = c;
    switch (c) {
    case '"':
        scan->at++;
        return scan_string(scan, &inner, &escaped);
    case '{':
        scan->at++;
        return scan_object(scan, NULL, NULL);
    case '[':
        scan->at++;
        return scan_array(scan);
    case 't':
        return scan_word(scan, "true", 4);
    case 'f':
        return scan_word(scan, "false", 5);
    case 'n':
        return scan_word(scan, "null", 4);
    default:
        *ret_kind = '0';
        return c == '-' || is_digit(c) ? scan_number(scan) : ERR_PARSE;
    }
}

enum err jsonscan_object(struct view text, unsigned max_depth, member_fn each, void *context)
{
    struct scanner scan; /* keys stay uninitialised: only the first keys_len are read */
    scan.at = text.ptr;
    scan.end = text.len > 0 ? text.ptr + text.len : text.ptr;
    scan.depth_left = max_depth;
    scan.keys_len = 0;
    skip_blanks(&scan);
    if (!take(&scan, '{')) {
        return ERR_PARSE;
    }
    enum err err = scan_object(&scan, each, context);
    if (err != ERR_OK) {
        return err;
    }
    skip_blanks(&scan);
    return scan.at == scan.end ? ERR_OK : ERR_PARSE;
}

enum err jsonscan_u32(const struct jsonscan_member *member, uint32_t *ret_value)
{
    if (member->kind != '0') {
        return ERR_PARSE;
    }
    uint64_t value;
    enum err err = view_to_u64(member->value, UINT32_MAX, &value);
    if (err == ERR_OK) {
        *ret_value = (uint32_t)value;
    }
    return err;
}

/** The character behind a backslash; escapes that RFC 8259 7 knows, of \u those that are ASCII. @return bytes taken, 0
 * = another. */
static size_t unescape(struct view rest, char *ret_char)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = rest.len > 0 && *rest.ptr != '\0' ? strchr(from, *rest.ptr) : NULL;
    uint8_t code[2];
    if (found != NULL) {
        *ret_char = to[found - from];
        return 1;
    }
    if (rest.len < 5 || *rest.ptr != 'u' || crypto_unhex(view_n(rest.ptr + 1, 4), code, 2) != ERR_OK || code[0] != 0 ||
        code[1] == 0 || code[1] > 127) {
        return 0;
    }
    *ret_char = (char)code[1];
    return 5;
}

enum err jsonscan_text(const struct jsonscan_member *member, char *buffer, size_t size, size_t *ret_len)
{
    if (member->kind != '"') {
        return ERR_PARSE;
    }
    struct view raw = view_n(member->value.ptr + 1, member->value.len - 2);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '\\') {
            size_t used = unescape(view_n(raw.ptr + i + 1, raw.len - i - 1), &c);
            if (used == 0) {
                return ERR_PARSE;
            }
            i += used;
        }
        if (len + 1 >= size) {
            return ERR_LIMIT;
        }
        buffer[len++] = c;
    }
    buffer[len] = '\0';
    *ret_len = len;
    return ERR_OK;
}
