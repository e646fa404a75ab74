/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * awaited: the devices whose next report confirms a certificate. The core broker sends every report of the fleet here,
 * and nearly all of them are nobody's business: Paho's thread asks this set before it copies anything. A set of hashes:
 * a collision lets a report through that is then found to mean nothing. Any thread.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"

struct awaited;

enum err awaited_new(struct awaited **ret_awaited) MUST_CHECK;
void awaited_free(struct awaited *awaited); /* NULL allowed */
/** When AWAITED_MAX are in it nothing is added: such a device is confirmed by a later connection. */
void awaited_add(struct awaited *awaited, struct view id);
void awaited_drop(struct awaited *awaited, struct view id);
bool awaited_has(struct awaited *awaited, struct view id);
