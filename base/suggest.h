/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * suggest: "did you mean": the nearest of some words within an edit distance of 2 (insert, delete, replace), for
 * unknown config keys, choices, options and commands. A value; pure.
 */
#include "base/view.h"

#define SUGGEST_DISTANCE 2
#define SUGGEST_LEN_MAX  64 /* longer words are never suggested nor helped */

struct suggest {
    struct view word;  /* borrowed: what the person wrote */
    const char *best;  /* borrowed: nearest word offered so far; NULL when none is near */
    unsigned distance; /* of best */
};

void suggest_init(struct suggest *suggest, struct view word);
/** Offers a word that would have been right. The first one wins a tie. */
void suggest_offer(struct suggest *suggest, const char *candidate);
