/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/denyline.h"

#include <stdio.h>
#include <string.h>

static const char *const VERBS[] = {[DENY_ADD] = "deny", [DENY_TAKE_BACK] = "allow", [DENY_KICK] = "kick"};

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** Right-aligned, zeros in front. */
static enum err part_parse(struct view text, uint8_t ret_part[static CERT_PART_SIZE])
{
    uint8_t part[CERT_PART_SIZE] = {0};
    size_t digits = (size_t)2 * CERT_PART_SIZE;
    if (text.len == 0 || text.len > digits) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < text.len; i++) {
        int value = nibble(text.ptr[i]);
        if (value < 0) {
            return ERR_PARSE;
        }
        size_t at = digits - text.len + i;
        part[at / 2] = (uint8_t)(part[at / 2] << 4 | value);
    }
    memcpy(ret_part, part, sizeof(part));
    return ERR_OK;
}

enum err cert_ref_parse(struct view issuer, struct view serial, struct cert_ref *ret_ref)
{
    struct cert_ref ref;
    enum err err = issuer.len == (size_t)2 * CERT_PART_SIZE ? part_parse(issuer, ref.issuer) : ERR_PARSE;
    if (err == ERR_OK) {
        err = part_parse(serial, ref.serial);
    }
    if (err == ERR_OK) {
        *ret_ref = ref;
    }
    return err;
}

static void part_hex(const uint8_t part[static CERT_PART_SIZE], char ret_text[static CERT_PART_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CERT_PART_SIZE; i++) {
        ret_text[2 * i] = digits[part[i] >> 4];
        ret_text[2 * i + 1] = digits[part[i] & 15];
    }
    ret_text[2 * CERT_PART_SIZE] = '\0';
}

void cert_ref_hex(const struct cert_ref *ref, char ret_issuer[static CERT_PART_HEX],
                  char ret_serial[static CERT_PART_HEX])
{
    char serial[CERT_PART_HEX];
    part_hex(ref->issuer, ret_issuer);
    part_hex(ref->serial, serial);
    size_t zeros = strspn(serial, "0");
    size_t skip = serial[zeros] == '\0' ? zeros - 1 : zeros;
    memcpy(ret_serial, serial + skip, sizeof(serial) - skip);
}

static bool id_valid(struct view id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return id.len > 0 && id.len <= DEVICE_ID_MAX;
}

enum err deny_line_parse(struct view text, struct deny_line *ret_line)
{
    struct deny_line line = {.verb = DENY_ADD};
    struct view rest = text;
    struct view verb;
    if (!view_next(&rest, ' ', &verb)) {
        return ERR_PARSE;
    }
    if (view_equals(verb, VERBS[DENY_KICK])) {
        if (!id_valid(rest)) {
            return ERR_PARSE;
        }
        *ret_line = (struct deny_line){.verb = DENY_KICK, .id = rest};
        return ERR_OK;
    }
    if (view_equals(verb, VERBS[DENY_TAKE_BACK])) {
        line.verb = DENY_TAKE_BACK;
    } else if (!view_equals(verb, VERBS[DENY_ADD])) {
        return ERR_PARSE;
    }
    struct view issuer;
    enum err err = view_next(&rest, ' ', &issuer) ? cert_ref_parse(issuer, rest, &line.cert) : ERR_PARSE;
    if (err == ERR_OK) {
        *ret_line = line;
    }
    return err;
}

void deny_line_write(enum deny_verb verb, const struct cert_ref *ref, char ret_text[static DENY_LINE_SIZE])
{
    char issuer[CERT_PART_HEX];
    char serial[CERT_PART_HEX];
    cert_ref_hex(ref, issuer, serial);
    (void)snprintf(ret_text, DENY_LINE_SIZE, "%s %s %s", VERBS[verb], issuer, serial); /* fits, by the size */
}
