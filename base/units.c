/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, for formatting; the last one is the unit of the result. */
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"", 1}};

static enum err parse(struct view text, const struct unit *units, size_t units_len, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    struct view name = view_n(text.ptr + digits, text.len - digits);
    for (size_t i = 0; i < units_len; i++) {
        if (!view_equals(name, units[i].name)) {
            continue;
        }
        uint64_t number;
        enum err err = view_to_u64(view_n(text.ptr, digits), UINT64_MAX / units[i].factor, &number);
        if (err == ERR_OK) {
            *ret_value = number * units[i].factor;
        }
        return err;
    }
    return ERR_PARSE;
}

static const char *format(uint64_t value, const struct unit *units, size_t units_len, char *buffer)
{
    size_t i = 0;
    while (i + 1 < units_len && (value == 0 || value % units[i].factor != 0)) {
        i++;
    }
    (void)snprintf(buffer, UNITS_TEXT_SIZE, "%" PRIu64 "%s", value / units[i].factor, units[i].name); /* fits */
    return buffer;
}

enum err units_parse_duration(struct view text, uint64_t *ret_ms)
{
    return parse(text, durations, ARRAY_LEN(durations), ret_ms);
}

enum err units_parse_size(struct view text, uint64_t *ret_bytes)
{
    return parse(text, sizes, ARRAY_LEN(sizes), ret_bytes);
}

const char *units_format_duration(uint64_t ms, char buffer[static UNITS_TEXT_SIZE])
{
    return format(ms, durations, ARRAY_LEN(durations), buffer);
}

const char *units_format_size(uint64_t bytes, char buffer[static UNITS_TEXT_SIZE])
{
    return format(bytes, sizes, ARRAY_LEN(sizes), buffer);
}
