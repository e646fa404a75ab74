/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * code128: a serial number as a Code 128 bar code (ISO/IEC 15417): code set B, and C for runs of digits. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define CODE128_TEXT_MAX   48
#define CODE128_WIDTHS_MAX ((CODE128_TEXT_MAX + 3) * 6 + 1) /* start, check and stop; the stop has a bar more */
#define CODE128_QUIET      10                               /* modules to leave free on either side */

struct code128 {
    uint8_t widths[CODE128_WIDTHS_MAX]; /* in modules: bar, space, bar, ..., bar */
    unsigned len;
    unsigned modules; /* sum of the widths */
};

/** @param text 1 to CODE128_TEXT_MAX characters, blank to tilde. @return ERR_INVALID, ERR_LIMIT. */
enum err code128_encode(struct view text, struct code128 *ret_code) MUST_CHECK;
