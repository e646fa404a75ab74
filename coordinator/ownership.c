/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/ownership.h"

const char *gate_name(enum gate gate)
{
    static const char *const names[] = {
        [GATE_OPEN] = "bound", [GATE_FROZEN] = "frozen", [GATE_WITHDRAWN] = "withdrawn"};
    return names[gate];
}

static struct standing judge_ledger(const struct ownership_facts *facts)
{
    static const struct standing owned[REG_STATES] = {
        [REG_MADE] = {GATE_FROZEN, "not-active"},
        [REG_ISSUED] = {GATE_FROZEN, "not-active"},
        [REG_ACTIVE] = {GATE_OPEN, ""},
        [REG_SUSPENDED] = {GATE_FROZEN, "suspended"},
        [REG_CLONED] = {GATE_FROZEN, "cloned-suspect"},
        [REG_REVOKED] = {GATE_WITHDRAWN, "revoked"},
        [REG_SCRAPPED] = {GATE_WITHDRAWN, "scrapped"},
    };
    const struct reg_row *row = facts->row;
    if (row == NULL || row->state >= REG_STATES) {
        return (struct standing){facts->complete ? GATE_WITHDRAWN : GATE_FROZEN, "not-in-ledger"};
    }
    if ((row->flags & REG_OWNED) == 0 && owned[row->state].gate != GATE_WITHDRAWN) {
        return (struct standing){GATE_WITHDRAWN, "not-owned"};
    }
    return owned[row->state];
}

struct standing ownership_judge(const struct ownership_facts *facts)
{
    struct standing standing = {GATE_OPEN, ""};
    if (facts->required) {
        standing = judge_ledger(facts);
    }
    if (facts->row != NULL && facts->row->suspect != 0 && standing.gate == GATE_OPEN) {
        standing.problem = "cloned-suspect";
        standing.gate = facts->freezes ? GATE_FROZEN : GATE_OPEN;
    }
    return standing;
}
