/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * httproute: path patterns of the HTTP server. "/v1/devices/{id}": a segment in braces stands for any non-empty text
 * without '/'. Pure.
 */
#include <stdbool.h>

#include "base/view.h"

#define HTTPROUTE_PARAMS_MAX 2

struct httproute_params {
    struct view of[HTTPROUTE_PARAMS_MAX]; /* borrowed from the path */
    size_t len;
};

/** Begins with '/', at most two segments in braces, braces only around whole segments. */
bool httproute_is_valid(struct view pattern);
bool httproute_match(struct view pattern, struct view path, struct httproute_params *ret_params);
