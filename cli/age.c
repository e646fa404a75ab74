/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/age.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define MINUTE_S 60
#define HOUR_S   3600
#define DAY_S    86400

/* Digits of @p text where @p shape has 'd', the same character elsewhere. */
static bool fits(struct view text, const char *shape)
{
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (i >= text.len || (shape[i] == 'd' ? !digit : text.ptr[i] != shape[i])) {
            return false;
        }
    }
    return true;
}

static int64_t digits(struct view text, size_t at, size_t count)
{
    int64_t value = 0;
    for (size_t i = at; i < at + count; i++) {
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static int64_t days_before_year(int64_t year)
{
    int64_t before = year - 1;
    return (year - 1970) * 365 + (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t days_before_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month > 2 ? 1 : 0);
}

/* ".123" as milliseconds; further digits are cut. */
static enum err parse_fraction(struct view text, int64_t *ret_ms)
{
    int64_t ms = 0;
    int64_t unit = 100;
    for (size_t i = 1; i < text.len; i++, unit /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return ERR_PARSE;
        }
        ms += (text.ptr[i] - '0') * unit;
    }
    *ret_ms = ms;
    return text.len == 0 || (text.ptr[0] == '.' && text.len > 1) ? ERR_OK : ERR_PARSE;
}

enum err age_parse(struct view text, int64_t *ret_ms)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t whole = sizeof(shape) - 1;
    int64_t ms;
    if (text.len <= whole || !fits(text, shape) || text.ptr[text.len - 1] != 'Z' ||
        parse_fraction(view_n(text.ptr + whole, text.len - whole - 1), &ms) != ERR_OK) {
        return ERR_PARSE;
    }
    int64_t year = digits(text, 0, 4);
    int64_t month = digits(text, 5, 2);
    int64_t day = digits(text, 8, 2);
    int64_t hour = digits(text, 11, 2);
    int64_t minute = digits(text, 14, 2);
    int64_t second = digits(text, 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return ERR_RANGE;
    }
    int64_t days = days_before_year(year) + days_before_month(year, month) + day - 1;
    *ret_ms = (days * DAY_S + hour * HOUR_S + minute * MINUTE_S + second) * 1000 + ms;
    return ERR_OK;
}

const char *age_format(int64_t now_ms, int64_t then_ms, char buffer[static AGE_TEXT_SIZE])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{DAY_S, 'd'}, {HOUR_S, 'h'}, {MINUTE_S, 'm'}, {1, 's'}};
    int64_t age_s = (now_ms - then_ms) / 1000;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (age_s >= units[i].seconds) {
            (void)snprintf(buffer, AGE_TEXT_SIZE, "%" PRId64 "%c ago", age_s / units[i].seconds,
                           units[i].unit); /* 19 digits fit */
            return buffer;
        }
    }
    (void)snprintf(buffer, AGE_TEXT_SIZE, "now"); /* fits */
    return buffer;
}

const char *age_span(uint64_t ms, char buffer[static AGE_TEXT_SIZE])
{
    uint64_t s = ms / 1000;
    uint64_t minutes = s / MINUTE_S;
    uint64_t hours = s / HOUR_S;
    if (s < MINUTE_S) {
        (void)snprintf(buffer, AGE_TEXT_SIZE, "%" PRIu64 "s", s); /* fits, here and below */
    } else if (s < HOUR_S) {
        (void)snprintf(buffer, AGE_TEXT_SIZE, "%" PRIu64 "m", minutes);
    } else if (s < DAY_S) {
        (void)snprintf(buffer, AGE_TEXT_SIZE, "%" PRIu64 "h%" PRIu64 "m", hours, minutes % 60);
    } else {
        (void)snprintf(buffer, AGE_TEXT_SIZE, "%" PRIu64 "d%" PRIu64 "h", hours / 24, hours % 24);
    }
    return buffer;
}

const char *age_count(uint64_t count, char buffer[static AGE_TEXT_SIZE])
{
    char plain[AGE_TEXT_SIZE];
    int len = snprintf(plain, sizeof(plain), "%" PRIu64, count);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buffer[at++] = ',';
        }
        buffer[at++] = plain[i];
    }
    buffer[at] = '\0';
    return buffer;
}
