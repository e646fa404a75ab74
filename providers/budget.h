/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * budget: a service's documented limits, metered on a clock that the caller hands in. One budget counts the rates of
 * one scope: an account, or a zone. Token buckets may run into debt for a batch that counts more than they hold, so
 * that the average holds whatever the batch; sliding windows never let more than their units through in any period.
 * Pure.
 */
#include "providers/provider.h"

struct budget_meter {
    struct provider_rate rate;
    int64_t milli;        /* bucket: thousandths of a unit, below 0 in debt */
    uint64_t updated_ms;  /* bucket: monotonic */
    uint64_t remainder;   /* bucket: of the last credit, in 1/period_ms of a thousandth */
    uint64_t *times_ms;   /* window: owned ring of the last `units` calls, monotonic */
    uint32_t next, count; /* of the ring */
};

struct budget {
    struct budget_meter meters[PROVIDER_RATES_MAX + 1]; /* one more for the account's own `rate` */
    size_t len;
};

void budget_init(struct budget *budget);
void budget_deinit(struct budget *budget);
/** @return ERR_NOMEM, ERR_LIMIT (more than PROVIDER_RATES_MAX + 1). A window of RATE_CHANGES is metered as a bucket of
 * its units. */
enum err budget_add(struct budget *budget, const struct provider_rate *rate, uint64_t now_ms) MUST_CHECK;
/** Those of @p limits that are of @p scope. */
enum err budget_add_all(struct budget *budget, const struct provider_limits *limits, enum rate_of scope,
                        uint64_t now_ms) MUST_CHECK;

/** What @p from has spent of the rates that both have. */
void budget_inherit(struct budget *budget, const struct budget *from);

/** Milliseconds until one more request may go; 0 = now. @param write: the change itself, not a lookup. @param changes
 * what it will count against RATE_CHANGES as far as is known; a bucket must hold as much of it as it can. */
uint64_t budget_wait_ms(struct budget *budget, bool write, uint64_t changes, uint64_t now_ms);
/** Units of a rate of this budget that may go now; 0 when there is none left. @param rate one that budget_add was
 * given.
 * @return false: the budget has no such rate. */
bool budget_left(struct budget *budget, const struct provider_rate *rate, uint64_t now_ms, uint64_t *ret_units);
/** A request goes out. @param changes: sum of the item_cost of what it writes; 0 for lookups. */
void budget_spend(struct budget *budget, bool write, uint64_t changes, uint64_t now_ms);
