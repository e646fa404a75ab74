/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** brokerlint: judges a version of a broker's files before mosquitto reads it. Blocks on the disk. */
#include "cli/brokerconf.h"
#include "cli/brokerversion.h"

#define BROKERLINT_LIST_LEFT_S (3 * 86400) /* a list that ends sooner was not renewed for half its life */

/** Judges version @p number as if it were the current one. @param now_s wall clock. */
void brokerlint_version(const struct brokerdesc *desc, enum broker_kind kind, const struct brokerversion *version,
                        unsigned number, int64_t now_s, struct brokerfindings *findings);
