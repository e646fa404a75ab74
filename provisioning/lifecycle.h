/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * lifecycle: where a device stands between the factory and the scrap heap, and which step leads from where to where.
 *
 *     made ──issue──▶ issued ──confirm──▶ active ──suspect──▶ cloned-suspect
 *      ▲ ▲              │                  │  ▲                  │
 *      │ └────lapse─────┘                  │  └─────resume───────┘
 *      │                                   ▼
 *      └──rekey── (any but scrapped)    suspended ──resume──▶ where it was before
 *
 *     revoke: from all but scrapped; ends with rekey or scrap.   scrap: from all, for good.
 *
 * A device that is suspended or suspected remembers where it was (`held`). Pure.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"

enum life { LIFE_MADE, LIFE_ISSUED, LIFE_ACTIVE, LIFE_SUSPENDED, LIFE_CLONED, LIFE_REVOKED, LIFE_SCRAPPED };
#define LIVES (LIFE_SCRAPPED + 1)

enum life_step {
    LIFE_ISSUE,   /* it gets a certificate: the first, the next, or one to recover with */
    LIFE_CONFIRM, /* it reported over the core broker with its newest certificate */
    LIFE_LAPSE,   /* its only certificate was never used, and is revoked */
    LIFE_SUSPECT, /* two devices seem to have its identity */
    LIFE_SUSPEND, /* an operator stops it, */
    LIFE_RESUME,  /* and lets it go on */
    LIFE_REVOKE,  /* an operator takes its certificates away */
    LIFE_REKEY,   /* the same, but it may enrol anew */
    LIFE_SCRAP,   /* it is no more */
};
#define LIFE_STEPS (LIFE_SCRAP + 1)

/** "made", "issued", "active", "suspended", "cloned-suspect", "revoked", "scrapped": static storage. */
const char *life_name(enum life life);
/** @return ERR_NOTFOUND. */
enum err life_parse(struct view name, enum life *ret_life) MUST_CHECK;
/** "issue", "confirm", ...: static storage. */
const char *life_step_name(enum life_step step);

/** Makes one step. @param held where a suspended or suspected device was; written when it becomes one. @return
 * ERR_STATE: not from here; both stay. */
enum err life_step(enum life *life, enum life *held, enum life_step step) MUST_CHECK;
