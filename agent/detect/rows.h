/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * rows: which of the rows of `struct source_config` a type knows, for the `check` of each source. Pure.
 * `type`, `name`, `every`, `ip4`, `ip6` and `uplink` are every source's and not asked for here.
 */
#include "agent/detect/source.h"

enum {
    ROWS_SERVER = 0x001,
    ROWS_SERVER2 = 0x002,
    ROWS_SERVICE = 0x004,
    ROWS_QUERY = 0x008,
    ROWS_RRTYPE = 0x010,
    ROWS_URL = 0x020,
    ROWS_FORMAT = 0x040,
    ROWS_CA_FILE = 0x080,
    ROWS_COMMAND = 0x100,
    ROWS_ADDRESS4 = 0x200,
    ROWS_ADDRESS6 = 0x400,
};

/** ERR_INVALID when a row is set that is not in @p known, or one of @p required is not; @p info names the row and the
 * type. NULL and "" count as not set. */
enum err rows_check(const struct source_config *config, unsigned known, unsigned required,
                    struct errinfo *info) MUST_CHECK;
