/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_inherit: what outlives a reload. Accounts and zones are made anew then, for a registry that grew as for a new
 * password; a service counts on, and what it asked us to wait, or never to ask again, holds on.
 */
#include <stdlib.h>
#include <string.h>

#include "providers/engine_internal.h"

void account_inherit(struct engine_account *account)
{
    const struct engine_account *from = account->engine->accounts;
    while (from != NULL && (strcmp(from->name, account->name) != 0 ||
                            memcmp(from->fingerprint, account->fingerprint, sizeof(from->fingerprint)) != 0)) {
        from = from->next;
    }
    if (from == NULL) {
        return;
    }
    budget_inherit(&account->budget, &from->budget);
    hosts_inherit(&account->hosts, &from->hosts);
    account->stopped = from->stopped;
    memcpy(account->stop_error, from->stop_error, sizeof(account->stop_error));
    memcpy(account->stop_detail, from->stop_detail, sizeof(account->stop_detail));
    breaker_inherit(&account->breaker, &from->breaker);
}

void zone_keep_budget(struct engine_zone *zone)
{
    struct kept_budget *kept = zone->budget.len > 0 ? malloc(sizeof(*kept)) : NULL;
    if (kept == NULL) {
        budget_deinit(&zone->budget); /* without memory it is forgotten */
        return;
    }
    kept->next = zone->engine->kept;
    kept->until_ms = zone_now(zone) + ENGINE_HAND_OVER_MS;
    kept->budget = zone->budget;
    memcpy(kept->account, zone->account->name, sizeof(kept->account));
    memcpy(kept->zone, zone->name, sizeof(kept->zone));
    zone->engine->kept = kept;
    budget_init(&zone->budget);
}

void zone_take_budget(struct engine_zone *zone)
{
    engine_forget_budgets(zone->engine, zone_now(zone));
    for (struct kept_budget **at = &zone->engine->kept; *at != NULL; at = &(*at)->next) {
        struct kept_budget *kept = *at;
        if (strcmp(kept->zone, zone->name) == 0 && strcmp(kept->account, zone->account->name) == 0) {
            budget_inherit(&zone->budget, &kept->budget);
            *at = kept->next;
            budget_deinit(&kept->budget);
            free(kept);
            return;
        }
    }
}

void engine_forget_budgets(struct engine *engine, uint64_t now_ms)
{
    for (struct kept_budget **at = &engine->kept; *at != NULL;) {
        struct kept_budget *kept = *at;
        if (kept->until_ms <= now_ms) {
            *at = kept->next;
            budget_deinit(&kept->budget);
            free(kept);
        } else {
            at = &kept->next;
        }
    }
}
