/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * model_dns: the zone writers and their DNS servers behind a core_rig, as simply as can be said: each name with a
 * value, changes of a name in order or the newest instead of all, and in a shared zone only over what is ours. Fails
 * the cmocka test when something of its own fails.
 */
#include "tests/lib/core_rig.h"

struct model_value {
    char zone[DNSNAME_SIZE], name[DNSNAME_SIZE];
    struct rrset_value value;
    bool foreign; /* another hand's */
};

struct model_dns {
    struct rig *rig;
    uint64_t random; /* state */
    struct model_value values[256];
    size_t values_len;
};

/** Below @p n, by the model's seed. */
unsigned model_pick(struct model_dns *dns, unsigned n);
const char *model_zone_name(const struct model_dns *dns, uint16_t zone);
/** What a zone serves, made empty when it is asked for first. */
struct model_value *model_value(struct model_dns *dns, const char *zone, const char *name);
/** One change that is under way has its outcome, if there is one. @param rough some are refused, the order is any. */
void model_settle(struct model_dns *dns, bool rough);
/** The writers are gone, with what they had: a reload, a crash. */
void model_forget(struct model_dns *dns);
