/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/batch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void verdict_set(struct verdict *verdict, enum verdict_kind kind, const char *error, const char *format, ...)
{
    verdict->kind = kind;
    verdict->error = error;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(verdict->detail, sizeof(verdict->detail), format, args); /* cut at one line's cap on purpose */
    va_end(args);
}

enum batch_action batch_judge(enum verdict_kind kind, size_t len)
{
    static const enum batch_action actions[VERDICT_KINDS][2] = {
        /* one item, several items */
        [VERDICT_SETTLED] = {BATCH_SETTLE, BATCH_SETTLE},
        [VERDICT_SPLIT] = {BATCH_REFUSE, BATCH_BISECT},
        [VERDICT_CONTINUE] = {BATCH_AGAIN, BATCH_AGAIN},
        [VERDICT_FENCED] = {BATCH_FENCE, BATCH_FENCE},
        [VERDICT_SUSPECT] = {BATCH_FENCE_THEN_BISECT, BATCH_FENCE_THEN_BISECT},
        [VERDICT_RETRY] = {BATCH_RETURN, BATCH_RETURN},
        [VERDICT_UNKNOWN] = {BATCH_SETTLE_UNKNOWN, BATCH_SETTLE_UNKNOWN},
        [VERDICT_STOP] = {BATCH_STOP, BATCH_STOP},
    };
    assert(kind < VERDICT_KINDS && len > 0);
    return actions[kind][len > 1];
}

size_t batch_half(size_t len)
{
    assert(len >= 2);
    return len - len / 2;
}
