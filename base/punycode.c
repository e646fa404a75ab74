/* SPDX-License-Identifier: Apache-2.0 */
#include "base/punycode.h"

#include <stdint.h>
#include <string.h>

#include "base/macros.h"

/* RFC 3492 5 */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_N = 128 };

struct label {
    uint32_t codes[DNSLABEL_MAX]; /* a longer one does not fit its form in the DNS either */
    size_t len;
};

/** Of a whole sequence of @p len bytes. */
static uint32_t code_point(const char *sequence, size_t len)
{
    uint32_t code = (uint8_t)sequence[0] & (len == 1 ? 0x7fu : 0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((uint8_t)sequence[i] & 0x3fu);
    }
    return code;
}

static bool decode(struct view text, struct label *ret_label)
{
    *ret_label = (struct label){0};
    while (text.len > 0) {
        size_t len = view_utf8_sequence(text);
        if (len == 0 || ret_label->len == DNSLABEL_MAX) {
            return false;
        }
        ret_label->codes[ret_label->len++] = code_point(text.ptr, len);
        text = view_n(text.ptr + len, text.len - len);
    }
    return true;
}

struct out {
    char *text;
    size_t len; /* of at most DNSLABEL_MAX; more = it did not fit */
};

static void put(struct out *out, char c)
{
    if (out->len < DNSLABEL_MAX) {
        out->text[out->len] = c;
    }
    out->len++;
}

/** RFC 3492 6.1. */
static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE) {
        delta /= BASE - TMIN;
    }
    return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static void put_digits(struct out *out, uint32_t q, uint32_t bias)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = k <= bias ? TMIN : MIN(k - bias, (uint32_t)TMAX);
        if (q < t) {
            put(out, digits[q]);
            return;
        }
        put(out, digits[t + (q - t) % (BASE - t)]);
        q = (q - t) / (BASE - t);
    }
}

static uint32_t least_from(const struct label *label, uint32_t n)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < label->len; i++) {
        least = label->codes[i] >= n ? MIN(least, label->codes[i]) : least;
    }
    return least;
}

/** RFC 3492 6.3. Nothing overflows: 63 code points of 21 bits are less than 2^27. */
static void encode(const struct label *label, struct out *out)
{
    uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, done = 0, basic = 0;
    for (size_t i = 0; i < label->len; i++) {
        if (label->codes[i] < INITIAL_N) {
            put(out, (char)label->codes[i]);
            basic++;
        }
    }
    if (basic > 0) {
        put(out, '-');
    }
    for (done = basic; done < label->len; n++, delta++) {
        uint32_t next = least_from(label, n);
        delta += (next - n) * (done + 1);
        n = next;
        for (size_t i = 0; i < label->len; i++) {
            if (label->codes[i] == n) {
                put_digits(out, delta, bias);
                bias = adapt(delta, done + 1, done == basic);
                delta = 0;
                done++;
            } else {
                delta += label->codes[i] < n;
            }
        }
    }
}

static bool is_ascii(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] & 0x80) != 0) {
            return false;
        }
    }
    return true;
}

/** One label into @p out, which has room for the longest; false: it does not fit, or is no UTF-8. */
static bool put_label(struct view text, struct out *out)
{
    struct label label;
    if (is_ascii(text)) {
        for (size_t i = 0; i < text.len; i++) {
            put(out, text.ptr[i]);
        }
    } else if (decode(text, &label)) {
        for (const char *prefix = "xn--"; *prefix != '\0'; prefix++) {
            put(out, *prefix);
        }
        encode(&label, out);
    } else {
        return false;
    }
    return out->len <= DNSLABEL_MAX;
}

enum err punycode_parse(struct view text, enum dnsname_kind kind, char ret_name[static DNSNAME_SIZE])
{
    char name[DNSNAME_SIZE + DNSLABEL_MAX + 1];
    size_t len = 0;
    if (is_ascii(text)) {
        return dnsname_parse(text, kind, ret_name, NULL);
    }
    while (text.len > 0) {
        const char *dot = memchr(text.ptr, '.', text.len);
        struct view label = view_n(text.ptr, dot != NULL ? (size_t)(dot - text.ptr) : text.len);
        struct out out = {.text = name + len};
        if (len > DNSNAME_MAX) {
            return ERR_LIMIT;
        }
        if (!put_label(label, &out)) {
            return ERR_INVALID;
        }
        len += out.len;
        if (dot != NULL) {
            name[len++] = '.';
        }
        text = view_n(text.ptr + label.len + (dot != NULL), text.len - label.len - (dot != NULL));
    }
    return dnsname_parse(view_n(name, len), kind, ret_name, NULL);
}
