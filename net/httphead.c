/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httphead.h"

#include <string.h>

#define MS_PER_S     1000
#define S_PER_DAY    86400
#define FIXDATE_SIZE 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

void http_headers_init(struct http_headers *headers, size_t max)
{
    *headers = (struct http_headers){.max = max};
    strbuf_init(&headers->lines, max + 2); /* a line may come without its end and gets one */
}

void http_headers_deinit(struct http_headers *headers)
{
    strbuf_deinit(&headers->lines);
}

enum err http_headers_add(struct http_headers *headers, struct view line)
{
    if (line.len > headers->max - headers->bytes) {
        return ERR_LIMIT;
    }
    headers->bytes += line.len;
    if (view_starts_with(line, VIEW_LITERAL("HTTP/"))) {
        strbuf_clear(&headers->lines); /* what stood before belonged to a 1xx */
    }
    (void)strbuf_add(&headers->lines, view_trim(line)); /* its error sticks */
    return strbuf_addc(&headers->lines, '\n');
}

bool http_headers_find(const struct http_headers *headers, const char *name, struct view *ret_value)
{
    struct view rest = strbuf_view(&headers->lines);
    struct view line;
    struct view wanted = view_of(name);
    while (view_next(&rest, '\n', &line)) {
        if (line.len > wanted.len && line.ptr[wanted.len] == ':' &&
            view_equal_nocase(view_n(line.ptr, wanted.len), wanted)) {
            *ret_value = view_trim(view_n(line.ptr + wanted.len + 1, line.len - wanted.len - 1));
            return true;
        }
    }
    return false;
}

/* Days from 1970-01-01 of a Gregorian date, counted in eras of 400 years that begin on 1 March. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool digits(const char *text, size_t len, unsigned *ret_value)
{
    unsigned value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

static bool month_of(const char *text, unsigned *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (unsigned i = 0; i < 12; i++) {
        if (memcmp(names + (size_t)3 * i, text, 3) == 0) {
            *ret_month = i + 1;
            return true;
        }
    }
    return false;
}

static bool parse_fixdate(struct view value, int64_t *ret_seconds)
{
    unsigned day, month, year, hour, minute, second;
    const char *t = value.ptr;
    if (value.len != FIXDATE_SIZE || t[3] != ',' || t[4] != ' ' || t[7] != ' ' || t[11] != ' ' || t[16] != ' ' ||
        t[19] != ':' || t[22] != ':' || memcmp(t + 25, " GMT", 4) != 0) {
        return false;
    }
    if (!digits(t + 5, 2, &day) || !month_of(t + 8, &month) || !digits(t + 12, 4, &year) || !digits(t + 17, 2, &hour) ||
        !digits(t + 20, 2, &minute) || !digits(t + 23, 2, &second)) {
        return false;
    }
    if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t days = days_from_civil(year, month, day);
    *ret_seconds = days * S_PER_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    return true;
}

enum err http_retry_after_parse(struct view value, int64_t wall_ms, uint32_t max_s, uint64_t *ret_ms)
{
    const uint64_t most_ms = (uint64_t)max_s * MS_PER_S;
    uint64_t seconds;
    int64_t at;
    enum err err = view_to_u64(value, max_s, &seconds);
    if (err == ERR_OK || err == ERR_RANGE) {
        *ret_ms = err == ERR_OK ? seconds * MS_PER_S : most_ms;
        return ERR_OK;
    }
    if (!parse_fixdate(value, &at)) {
        return ERR_PARSE;
    }
    int64_t wait_ms = at * MS_PER_S - wall_ms;
    *ret_ms = wait_ms <= 0 ? 0 : MIN((uint64_t)wait_ms, most_ms);
    return ERR_OK;
}
