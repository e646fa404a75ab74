/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** age: times and numbers as people read them. Pure. */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define AGE_TEXT_SIZE 32

/** "2026-11-22T16:43:00.123Z", UTC only, the fraction optional. @param ret_ms since 1970. @return ERR_PARSE, ERR_RANGE.
 */
enum err age_parse(struct view text, int64_t *ret_ms) MUST_CHECK;

/** "now", "12s ago", "3m ago", "2h ago", "5d ago": whole units, rounded down; "now" for the future, too, since clocks
 * differ. @return @p buffer. */
const char *age_format(int64_t now_ms, int64_t then_ms, char buffer[static AGE_TEXT_SIZE]);

/** "45s", "12m", "3h12m", "5d4h". @return @p buffer. */
const char *age_span(uint64_t ms, char buffer[static AGE_TEXT_SIZE]);

/** "10,000". @return @p buffer. */
const char *age_count(uint64_t count, char buffer[static AGE_TEXT_SIZE]);
