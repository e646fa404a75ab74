/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * shape: the names that one row with a pattern can give, such as "cam-*.example.net": a name in which every "*" stands
 * for the device's id (template_shape makes it). Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dnsname.h"
#include "base/view.h"
#include "mqtt/limits.h"

/** The id that makes @p name of @p shape. @return false when none does. The id may be none that a device can have. */
bool shape_solve(struct view shape, struct view name, char ret_id[static DEVICE_ID_MAX + 1]);

/** The whole labels behind the last "*"; "" when there are none. Every name of the shape ends with them. */
struct view shape_tail(struct view shape);

/** True when the literal beginnings or ends differ: then no ids make one name of both. Cheap. */
bool shape_differs(struct view a, struct view b);

#define SHAPE_GLOB_MAX 319 /* a name with a pattern in it */

/** Search for a name that two rows can give; large, keep one. */
struct shape_search {
    char a[SHAPE_GLOB_MAX + 1], b[SHAPE_GLOB_MAX + 1]; /* shapes with the patterns in their places */
    size_t a_len, b_len;
    uint8_t meets[SHAPE_GLOB_MAX + 1][SHAPE_GLOB_MAX + 1]; /* the rests from here have a text in common */
};

/** Begins a search. @param a_ids @param b_ids patterns of ids with "*". @return false: no name can be of both. True is
 * no proof: an id that stands twice in a shape, or that the registry gives to another row, is for the caller to check.
 */
bool shape_meet(struct shape_search *search, struct view a, struct view a_ids, struct view b, struct view b_ids);
/** A name of both, another one for each @p attempt (or the same again, or ""). @return false: no further attempts. */
bool shape_meet_name(const struct shape_search *search, unsigned attempt, char ret_name[static DNSNAME_SIZE]);
