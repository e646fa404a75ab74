/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * damper: the damping state of the few devices whose addresses flap, by device index. An entry whose penalty has
 * decayed to nothing is dropped when the table grows.
 */
#include "base/err.h"
#include "coordinator/damping.h"

struct damper;

enum err damper_new(struct damper **ret_damper) MUST_CHECK;
void damper_free(struct damper *damper);
/** A change of @p device now. @return mono ms until which its newest value is held back, 0 = publish now (also without
 * memory). */
uint64_t damper_change(struct damper *damper, uint32_t device, const struct damping_params *params, uint64_t now_ms);
/** The hold of @p device is due. @return 0 = publish now, the hold is over; else mono ms of the next look. */
uint64_t damper_release(struct damper *damper, uint32_t device, const struct damping_params *params, uint64_t now_ms);
