/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * units: durations and sizes as people write them, for config files and command lines. Pure.
 */
#include "base/err.h"
#include "base/view.h"

/** "250ms", "60s", "15m", "1h", "25d": digits and one unit. @return ERR_PARSE (a bare number too), ERR_RANGE. */
enum err units_parse_duration(struct view text, uint64_t *ret_ms) MUST_CHECK;
/** "64KiB", "1MiB", "2GiB", or a bare number of bytes. @return ERR_PARSE, ERR_RANGE. */
enum err units_parse_size(struct view text, uint64_t *ret_bytes) MUST_CHECK;

#define UNITS_TEXT_SIZE 24 /* 20 digits, unit, NUL */

/** In the largest unit that is exact, so that it parses back to the same number. @return @p buffer. */
const char *units_format_duration(uint64_t ms, char buffer[static UNITS_TEXT_SIZE]);
const char *units_format_size(uint64_t bytes, char buffer[static UNITS_TEXT_SIZE]);
