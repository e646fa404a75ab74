/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/lifecycle.h"

static const char *const LIFE_NAMES[LIVES] = {"made",           "issued",  "active",  "suspended",
                                              "cloned-suspect", "revoked", "scrapped"};
static const char *const STEP_NAMES[LIFE_STEPS] = {"issue",  "confirm", "lapse", "suspect", "suspend",
                                                   "resume", "revoke",  "rekey", "scrap"};

enum { NO = -1, BACK = -2 }; /* not from here; to where it was held */

static const signed char TABLE[LIVES][LIFE_STEPS] = {
    /*                   issue        confirm      lapse      suspect      suspend         resume */
    [LIFE_MADE] = {LIFE_ISSUED, NO, LIFE_MADE, NO, LIFE_SUSPENDED, NO, LIFE_REVOKED, LIFE_MADE, LIFE_SCRAPPED},
    [LIFE_ISSUED] = {LIFE_ISSUED, LIFE_ACTIVE, LIFE_MADE, LIFE_CLONED, LIFE_SUSPENDED, NO, LIFE_REVOKED, LIFE_MADE,
                     LIFE_SCRAPPED},
    [LIFE_ACTIVE] = {LIFE_ACTIVE, LIFE_ACTIVE, LIFE_ACTIVE, LIFE_CLONED, LIFE_SUSPENDED, NO, LIFE_REVOKED, LIFE_MADE,
                     LIFE_SCRAPPED},
    /* What it was issued may still lapse: the state that it goes back to is judged again when it resumes. */
    [LIFE_SUSPENDED] = {NO, NO, LIFE_SUSPENDED, NO, NO, BACK, LIFE_REVOKED, LIFE_MADE, LIFE_SCRAPPED},
    [LIFE_CLONED] = {NO, LIFE_CLONED, LIFE_CLONED, LIFE_CLONED, LIFE_SUSPENDED, BACK, LIFE_REVOKED, LIFE_MADE,
                     LIFE_SCRAPPED},
    [LIFE_REVOKED] = {NO, NO, LIFE_REVOKED, NO, NO, NO, NO, LIFE_MADE, LIFE_SCRAPPED},
    [LIFE_SCRAPPED] = {NO, NO, LIFE_SCRAPPED, NO, NO, NO, NO, NO, NO},
};

const char *life_name(enum life life)
{
    return LIFE_NAMES[life];
}

const char *life_step_name(enum life_step step)
{
    return STEP_NAMES[step];
}

enum err life_parse(struct view name, enum life *ret_life)
{
    for (size_t i = 0; i < ARRAY_LEN(LIFE_NAMES); i++) {
        if (view_equals(name, LIFE_NAMES[i])) {
            *ret_life = (enum life)i;
            return ERR_OK;
        }
    }
    return ERR_NOTFOUND;
}

static bool is_held(enum life life)
{
    return life == LIFE_SUSPENDED || life == LIFE_CLONED;
}

enum err life_step(enum life *life, enum life *held, enum life_step step)
{
    int to = TABLE[*life][step];
    if (to == NO) {
        return ERR_STATE;
    }
    if (to == BACK) {
        *life = *held;
        return ERR_OK;
    }
    if (is_held((enum life)to) && !is_held(*life)) {
        *held = *life;
    }
    *life = (enum life)to;
    return ERR_OK;
}
