/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ownercode.h"

#include <string.h>

#define DIGITS 16 /* of 5 bits each */
#define GROUP  4
#define BASE   32

/* No I, L, O and U: nothing that is read as something else. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ownercode_make(struct ownercode *ret_code)
{
    crypto_random(ret_code->bytes, sizeof(ret_code->bytes));
}

/** The @p index-th group of 5 bits. */
static unsigned digit_at(const struct ownercode *code, size_t index)
{
    size_t bit = index * 5;
    unsigned high = code->bytes[bit / 8];
    unsigned low = bit / 8 + 1 < OWNERCODE_BYTES ? code->bytes[bit / 8 + 1] : 0;
    return (high << 8 | low) >> (11 - bit % 8) & (BASE - 1);
}

/** Luhn's sum to the base 32: a wrong digit always shows, and so do two neighbours in the wrong order but for 0Z. */
static unsigned check_of(const struct ownercode *code)
{
    unsigned sum = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        unsigned digit = digit_at(code, i);
        if ((DIGITS - i) % 2 == 1) { /* every second from the right, the check character not counted */
            digit *= 2;
        }
        sum += digit / BASE + digit % BASE;
    }
    return (BASE - sum % BASE) % BASE;
}

void ownercode_write(const struct ownercode *code, char ret_text[static OWNERCODE_SIZE])
{
    char *out = ret_text;
    for (size_t i = 0; i < DIGITS; i++) {
        *out++ = alphabet[digit_at(code, i)];
        if (i % GROUP == GROUP - 1) {
            *out++ = '-';
        }
    }
    *out++ = alphabet[check_of(code)];
    *out = '\0';
}

/** @return BASE when @p c is no digit. */
static unsigned value_of(char c)
{
    if (c >= 'a' && c <= 'z') {
        c = (char)(c - 'a' + 'A');
    }
    if (c == 'O') {
        return 0;
    }
    if (c == 'I' || c == 'L') {
        return 1;
    }
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? BASE : (unsigned)(at - alphabet);
}

static void put_digit(struct ownercode *code, size_t index, unsigned digit)
{
    size_t bit = index * 5;
    unsigned both = digit << (11 - bit % 8);
    code->bytes[bit / 8] |= (uint8_t)(both >> 8);
    if (bit / 8 + 1 < OWNERCODE_BYTES) {
        code->bytes[bit / 8 + 1] |= (uint8_t)both;
    }
}

enum err ownercode_read(struct view text, struct ownercode *ret_code)
{
    struct ownercode code = {{0}};
    unsigned check = BASE;
    size_t len = 0;
    text = view_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '-' || text.ptr[i] == ' ') {
            continue;
        }
        unsigned digit = value_of(text.ptr[i]);
        if (digit == BASE || len > DIGITS) {
            return ERR_PARSE;
        }
        if (len < DIGITS) {
            put_digit(&code, len, digit);
        } else {
            check = digit;
        }
        len++;
    }
    if (len != DIGITS + 1) {
        return ERR_PARSE;
    }
    if (check != check_of(&code)) {
        return ERR_INVALID;
    }
    *ret_code = code;
    return ERR_OK;
}

void ownercode_digest(const struct ownercode *code, struct view serial, uint8_t ret_digest[static SHA256_SIZE])
{
    static const char purpose[] = "muster-owner-1"; /* with its NUL */
    char text[sizeof(purpose) + OWNERCODE_BYTES + 64];
    size_t len = MIN(serial.len, sizeof(text) - sizeof(purpose) - OWNERCODE_BYTES); /* serials are shorter */
    memcpy(text, purpose, sizeof(purpose));
    memcpy(text + sizeof(purpose), code->bytes, OWNERCODE_BYTES);
    memcpy(text + sizeof(purpose) + OWNERCODE_BYTES, serial.ptr, len);
    crypto_sha256(view_n(text, sizeof(purpose) + OWNERCODE_BYTES + len), ret_digest);
    crypto_zeroise(text, sizeof(text));
}
