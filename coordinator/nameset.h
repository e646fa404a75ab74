/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * nameset: which entry claims a name, while a registry loads. Names are copied.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct nameset;

enum err nameset_new(struct nameset **ret_set) MUST_CHECK;
void nameset_free(struct nameset *set); /* NULL allowed */
/** @return ERR_EXISTS with the earlier owner in @p ret_owner, when that is not @p owner itself; ERR_NOMEM. */
enum err nameset_add(struct nameset *set, struct view name, uint32_t owner, uint32_t *ret_owner) MUST_CHECK;
