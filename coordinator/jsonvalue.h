/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** jsonvalue: the addresses of an RRset as JSON. */
#include "base/jsonout.h"
#include "providers/rrset.h"

/** Array of address texts. */
void jsonout_value(struct jsonout *json, const char *key, const struct rrset_value *value);
