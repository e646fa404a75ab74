/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/enrol_judge.h"

static const char *const NAMES[ENROL_VERDICTS] = {"issue", "same", "refused", "closed", "quota", "busy"};

const char *enrol_verdict_name(enum enrol_verdict verdict)
{
    return NAMES[verdict];
}

static bool may_have_one(enum life life)
{
    return life == LIFE_MADE || life == LIFE_ISSUED || life == LIFE_ACTIVE;
}

static bool window_is_open(const struct enrol_facts *facts)
{
    return !facts->batch_closed && facts->now_ms >= facts->from_ms && facts->now_ms < facts->to_ms;
}

enum enrol_verdict enrol_judge(const struct enrol_facts *facts)
{
    if (!facts->batch_known || facts->batch_disabled) {
        return ENROL_CLOSED;
    }
    if (!facts->device_known || !facts->of_this_batch || !facts->proven || !may_have_one(facts->life) ||
        (facts->recovering && !facts->recovery_on)) {
        return ENROL_REFUSED;
    }
    if (facts->has_same) {
        return ENROL_SAME;
    }
    if (!facts->had_one && !window_is_open(facts)) {
        return ENROL_CLOSED;
    }
    if (!facts->had_one && facts->used >= facts->quota) {
        return ENROL_QUOTA;
    }
    return facts->has_token ? ENROL_ISSUE : ENROL_BUSY;
}
