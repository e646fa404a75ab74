/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ownership: what the ledger's word on a device means for its names. Pure.
 *
 *   the ledger says                         names                     because
 *   active, owned                           bound                     its owner wants it served
 *   made or issued, owned                   frozen                    it enrols anew (re-key, recovery): nobody gave it
 * up suspended, owned                        frozen                    it is to come back cloned-suspect, owned frozen
 * which of the two is right is not known not owned, in whatever state            withdrawn                 nobody may
 * have it served revoked, scrapped                       withdrawn                 it is gone for good nothing, after a
 * whole answer           withdrawn                 it is not of this fleet nothing, before one frozen nothing is known:
 * nothing is changed
 *
 * Frozen: the records stay as they are, whatever the device reports. Withdrawn: they become tombstones, which the sweep
 * deletes under its guard.
 */
#include <stdbool.h>

#include "coordinator/regtable.h"

enum gate { GATE_OPEN, GATE_FROZEN, GATE_WITHDRAWN };
const char *gate_name(enum gate gate); /* "bound", "frozen", "withdrawn": static storage */

struct ownership_facts {
    bool required;             /* the config asks for owners; else the registry decides alone */
    bool freezes;              /* a suspicion of our own freezes */
    bool complete;             /* a whole answer of the ledger was taken in */
    const struct reg_row *row; /* NULL: nothing was ever said of the device */
};

struct standing {
    enum gate gate;
    const char *problem; /* "", "not-in-ledger", "not-owned", "not-active", "suspended", "cloned-suspect", "revoked",
                            "scrapped": static storage */
};

struct standing ownership_judge(const struct ownership_facts *facts);
