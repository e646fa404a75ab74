/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * derived: registry entries that stand in no file: a pattern's, with the group and site that the ledger says, or the
 * ledger's alone. One for each combination, made when the first device needs it; of one registry, and gone with it.
 */
#include "base/err.h"
#include "coordinator/registry.h"

#define DERIVED_FIRST UINT32_C(0x80000000) /* references from here on are not the registry's own */

struct derived;

enum err derived_new(const struct registry *registry, struct derived **ret_derived) MUST_CHECK;
void derived_free(struct derived *derived); /* NULL allowed */

/**
 * @param base a pattern of the registry, or DEVICE_NONE; @param group @param site "" = the pattern's.
 * @return ERR_NOTFOUND: no such group, or none at all; ERR_INVALID: names of the group are not told apart by {id};
 * ERR_NOMEM.
 */
enum err derived_get(struct derived *derived, uint32_t base, const char *group, const char *site,
                     uint32_t *ret_ref) MUST_CHECK;
const struct registry_entry *derived_at(const struct derived *derived, uint32_t ref);
