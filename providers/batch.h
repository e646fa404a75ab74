/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * batch: the changes of one message, what became of them, and the bisection of a batch that failed because of one of
 * them. Pure values and step functions: no clock, no I/O.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "providers/engine.h"
#include "providers/limits.h"
#include "providers/rrset.h"

enum batch_stop { BATCH_STOP_NONE, BATCH_STOP_FAMILY /* this type of the name */, BATCH_STOP_HOST /* both */ };

/** One RRset of a batch. In: what to write. Out: what became of it, filled by the provider's parse_reply. */
struct batch_item {
    const char *name; /* canonical; borrowed from the engine's queue */
    enum rrtype type;
    uint32_t ttl;
    struct rrset_value want; /* empty = delete */
    bool have_known;
    struct rrset_value have;
    bool adopt;
    bool unsure; /* a former message that wrote `sent` went unanswered: the server holds `have` or `sent` */
    struct rrset_value sent;
    bool contested; /* the provider's own, for the batch under way: what stands in its place is asked for, to name it */

    enum outcome outcome;
    const char *error; /* static storage; NULL when APPLIED */
    const char *alarm; /* static storage; not NULL: a person must act, whatever the outcome */
    uint64_t wait_ms;  /* RETRY: not before; 0 = the engine's own backoff */
    /* What the engine remembers of the name beyond this batch, and asks its owner to keep over restarts. */
    enum batch_stop stop;    /* refused unsent from now on, until the account's config changes or a person clears it */
    const char *stop_detail; /* static storage or the template's: cause and remedy */
    const char *repeat; /* static storage or the template's: a code that must not come again and again; NULL = none,
                           which ends a row */
    uint8_t repeat_max; /* so many in a row are an alarm ... */
    bool repeat_stop;   /* ... and stop the name */
};

struct batch {
    struct batch_item *items; /* borrowed by providers for the call */
    size_t len;
};

/** What a reply means for the batch as a whole. */
enum verdict_kind {
    VERDICT_SETTLED,  /* each item has its outcome */
    VERDICT_SPLIT,    /* one item or another was refused, nothing was written: bisect; alone, the item is refused */
    VERDICT_CONTINUE, /* a lookup was answered: build the next request of the same batch */
    VERDICT_FENCED,   /* the epoch's prerequisite failed, nothing was written: ask who owns the zone */
    VERDICT_SUSPECT,  /* SPLIT or FENCED, the reply does not say which: ask who owns the zone, then split */
    VERDICT_RETRY,    /* nothing was written: the whole batch again after wait_ms, or the engine's backoff */
    VERDICT_UNKNOWN,  /* the server may have written: settle before any resend */
    VERDICT_STOP,     /* the account stops until its config changes; nothing was written */
    VERDICT_KINDS,
};

struct verdict {
    enum verdict_kind kind;
    const char *error;                /* static storage; NULL when SETTLED or CONTINUE */
    char detail[PROVIDER_DETAIL_MAX]; /* cause and remedy */
    uint64_t wait_ms;                 /* the peer's own wait, for the whole account; 0 = none */
    bool stop;                        /* SETTLED, and the account stops all the same */
    bool probe; /* with SUSPECT: or nothing in the zone may be changed at present: claim the present epoch again */
    bool misdirected; /* the peer is not the zone's primary */
    bool zone_only;   /* with RETRY, HTTP: the service is well, only this zone must wait, not the account's others */
    bool everywhere;  /* with STOP or `stop`: every account at this service, it refuses the client itself */
};

/** Sets kind, error and a formatted detail; wait_ms and stop stay as they are. */
void verdict_set(struct verdict *verdict, enum verdict_kind kind, const char *error, const char *format, ...)
    PRINTF_LIKE(4, 5);

/** What the engine does with a batch of @p len after a verdict. */
enum batch_action {
    BATCH_SETTLE, /* tell each item's outcome */
    BATCH_REFUSE, /* a single item was refused for good */
    BATCH_BISECT,
    BATCH_AGAIN, /* build the next request now */
    BATCH_FENCE, /* back to the queue, ask for the owner */
    BATCH_FENCE_THEN_BISECT,
    BATCH_RETURN, /* back to the queue, wait */
    BATCH_SETTLE_UNKNOWN,
    BATCH_STOP,
};
enum batch_action batch_judge(enum verdict_kind kind, size_t len);

/** Length of the first part when @p len >= 2 items are bisected; the second part has the rest. */
size_t batch_half(size_t len);
