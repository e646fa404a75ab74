/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** import_rules: what becomes of each setting of another client that is neither credential nor name. Static tables. */
#include "cli/import.h"

struct import_rule {
    const char *key;  /* "x*" for all keys that begin with x; NULL ends a table */
    const char *text; /* what there is instead; NULL = it is taken over, or means nothing here */
};

extern const struct import_rule import_inadyn_rules[];
extern const struct import_rule import_ddclient_rules[];

/** @return what a person is told about the setting, static; NULL = nothing. */
const char *import_judge(const struct import_rule *rules, const struct import_setting *setting);

/** "true", "yes", "on", "1". */
bool import_is_true(const char *value);
