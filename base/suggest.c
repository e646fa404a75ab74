/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <string.h>

void suggest_init(struct suggest *suggest, struct view word)
{
    *suggest = (struct suggest){.word = word, .distance = SUGGEST_DISTANCE + 1};
}

/* Levenshtein distance by rows; both words are at most SUGGEST_LEN_MAX long. */
static unsigned edit_distance(struct view a, struct view b)
{
    unsigned row[SUGGEST_LEN_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned replaced = diagonal + (a.ptr[i - 1] != b.ptr[j - 1] ? 1 : 0);
            unsigned shifted = MIN(row[j], row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = MIN(replaced, shifted);
        }
    }
    return row[b.len];
}

void suggest_offer(struct suggest *suggest, const char *candidate)
{
    struct view other = view_of(candidate);
    if (suggest->word.len > SUGGEST_LEN_MAX || other.len > SUGGEST_LEN_MAX) {
        return;
    }
    unsigned distance = edit_distance(suggest->word, other);
    /* A word that shares no letter with what was written is no help. */
    if (distance < suggest->distance && distance < MIN(suggest->word.len, other.len)) {
        suggest->best = candidate;
        suggest->distance = distance;
    }
}
