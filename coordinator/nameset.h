/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * nameset: who claims a name, while a registry loads. Names are copied; what an owner's number means is the caller's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct nameset;

enum err nameset_new(struct nameset **ret_set) MUST_CHECK;
void nameset_free(struct nameset *set); /* NULL allowed */
/** @return ERR_EXISTS with the earlier owner in @p ret_owner, when that is not @p owner itself; ERR_NOMEM. */
enum err nameset_add(struct nameset *set, struct view name, uint64_t owner, uint64_t *ret_owner) MUST_CHECK;
bool nameset_find(const struct nameset *set, struct view name, uint64_t *ret_owner);
/** Every name, in no order. An error of @p each, which must not add, ends the walk and is returned. */
enum err nameset_each(const struct nameset *set, enum err (*each)(void *context, const char *name, uint64_t owner),
                      void *context) MUST_CHECK;
