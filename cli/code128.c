/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/code128.h"

#include <string.h>

#define CODE_C  99 /* from B to C */
#define CODE_B  100
#define START_B 104
#define START_C 105
#define STOP    106
#define MODULUS 103
#define RUN_MIN 4 /* digits in a row: below that changing the set costs what it saves */

/** Widths of bar, space, bar, space, bar, space by symbol value (ISO/IEC 15417 table 1). */
static const char patterns[STOP + 1][8] = {
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312",  "132212", "221213", "221312",
    "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211",  "221132", "221231", "213212",
    "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211",  "212123", "212321", "232121",
    "111323", "131123", "131321", "112313", "132113", "132311", "211313", "231113",  "231311", "112133", "112331",
    "132131", "113123", "113321", "133121", "313121", "211331", "231131", "213113",  "213311", "213131", "311123",
    "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111",  "111224", "111422", "121124",
    "121421", "141122", "141221", "112214", "112412", "122114", "122411", "142112",  "142211", "241211", "221114",
    "413111", "241112", "134111", "111242", "121142", "121241", "114212", "124112",  "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113",  "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
};

struct writer {
    struct code128 *code;
    unsigned symbols;
    unsigned check; /* sum of value times place, the start counted once */
};

static void put_widths(struct code128 *code, unsigned symbol)
{
    for (const char *p = patterns[symbol]; *p != '\0'; p++) {
        code->widths[code->len++] = (uint8_t)(*p - '0');
        code->modules += (unsigned)(*p - '0');
    }
}

static void put(struct writer *writer, unsigned symbol)
{
    put_widths(writer->code, symbol);
    writer->check += symbol * (writer->symbols == 0 ? 1 : writer->symbols);
    writer->symbols++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct view text, size_t at)
{
    size_t len = 0;
    while (at + len < text.len && is_digit(text.ptr[at + len])) {
        len++;
    }
    return len;
}

static void put_pairs(struct writer *writer, struct view text, size_t *at)
{
    while (digits_at(text, *at) >= 2) {
        put(writer, (unsigned)(text.ptr[*at] - '0') * 10 + (unsigned)(text.ptr[*at + 1] - '0'));
        *at += 2;
    }
}

static void put_text(struct writer *writer, struct view text)
{
    size_t at = 0;
    bool pairs = digits_at(text, 0) >= RUN_MIN;
    put(writer, pairs ? START_C : START_B);
    while (at < text.len) {
        if (pairs) {
            put_pairs(writer, text, &at);
            pairs = false;
            if (at < text.len) {
                put(writer, CODE_B);
            }
            continue;
        }
        size_t run = digits_at(text, at);
        if (run >= RUN_MIN && run % 2 == 0) { /* of an odd run the first digit stays in set B */
            put(writer, CODE_C);
            pairs = true;
            continue;
        }
        put(writer, (unsigned)(text.ptr[at++] - ' '));
    }
}

enum err code128_encode(struct view text, struct code128 *ret_code)
{
    if (text.len == 0 || text.len > CODE128_TEXT_MAX) {
        return text.len == 0 ? ERR_INVALID : ERR_LIMIT;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') {
            return ERR_INVALID;
        }
    }
    *ret_code = (struct code128){.len = 0};
    struct writer writer = {.code = ret_code};
    put_text(&writer, text);
    put_widths(ret_code, writer.check % MODULUS);
    put_widths(ret_code, STOP);
    return ERR_OK;
}
