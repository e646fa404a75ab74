/* SPDX-License-Identifier: Apache-2.0 */
/* engine_exchange: a message on its way, and what becomes of its changes by the verdict on the reply. */

#include "base/clock.h"
#include "base/crypto.h"
#include "providers/engine_internal.h"

/** Results of a batch go out in one call; names live until the changes are settled afterwards. */
static void tell(struct exchange *exchange, const char *detail, uint64_t retry_ms)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_result *results = zone->engine->results;
    for (size_t i = 0; i < exchange->batch.len; i++) {
        const struct batch_item *item = &exchange->batch.items[i];
        const struct change *change = exchange->changes[i];
        results[i] = (struct engine_result){.name = item->name,
                                            .type = item->type,
                                            .rev = change->rev,
                                            .outcome = item->outcome,
                                            .value = item->outcome == OUTCOME_APPLIED ? &item->want : NULL,
                                            .error = item->error,
                                            .alarm = item->alarm,
                                            .detail = item->error != NULL || item->alarm != NULL ? detail : "",
                                            .retry_ms = item->outcome == OUTCOME_RETRY ? retry_ms + item->wait_ms : 0,
                                            .attempts = change->attempts};
    }
    zone->callbacks.settled(zone->context, results, exchange->batch.len);
}

static void set_all(struct exchange *exchange, enum outcome outcome, const char *error)
{
    for (size_t i = 0; i < exchange->batch.len; i++) {
        exchange->batch.items[i].outcome = outcome;
        exchange->batch.items[i].error = error;
    }
}

uint64_t change_backoff(const struct engine_zone *zone, const struct change *change)
{
    struct backoff backoff = {
        .base_ms = zone->account->retry_min_ms, .cap_ms = zone->account->retry_max_ms, .attempt = change->attempts};
    return backoff_next(&backoff, crypto_random_u64());
}

static void finish_item(struct engine_zone *zone, struct change *change, const struct batch_item *item)
{
    uint64_t now = zone_now(zone);
    switch (item->outcome) {
    case OUTCOME_APPLIED:
    case OUTCOME_REFUSED:
        change_queue_settle(&zone->queue, change, item->outcome == OUTCOME_APPLIED, now);
        break;
    case OUTCOME_RETRY:
        change->told = zone->account->stopped; /* the last word then */
        change_queue_delay(&zone->queue, change, now + item->wait_ms);
        break;
    case OUTCOME_UNKNOWN:
        if (zone->verify != NULL) {
            verify_start(zone, change);
        } else { /* the same again does no harm */
            change_mark_unsure(change);
            change->lost = true; /* and what is sent next must not be overtaken by it */
            change_queue_delay(&zone->queue, change, now + zone->account->retry_min_ms + change_backoff(zone, change));
        }
        break;
    }
}

/** Each item has its outcome: told, then taken out of the queue. */
static void settle(struct exchange *exchange, const char *detail)
{
    struct engine_zone *zone = exchange->zone;
    exchange_unlink(exchange);
    for (size_t i = 0; i < exchange->batch.len; i++) {
        struct batch_item *item = &exchange->batch.items[i];
        if (item->outcome == OUTCOME_RETRY) {
            item->wait_ms = MAX(item->wait_ms, change_backoff(zone, exchange->changes[i]));
        }
    }
    tell(exchange, detail, zone_now(zone));
    for (size_t i = 0; i < exchange->batch.len; i++) {
        bool applied = exchange->batch.items[i].outcome == OUTCOME_APPLIED;
        zone->changes += applied;
        if (applied) {
            follow_applied(zone);
        }
        finish_item(zone, exchange->changes[i], &exchange->batch.items[i]);
    }
    exchange_free(exchange);
    zone_kick(zone);
}

static void bisect(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    size_t half = batch_half(exchange->batch.len);
    exchange_unlink(exchange);
    groups_add(zone, exchange->changes, half, NULL);
    groups_add(zone, exchange->changes + half, exchange->batch.len - half, NULL);
    exchange_free(exchange);
    zone_kick(zone);
}

static bool build_failed(struct exchange *exchange, enum err err)
{
    struct engine_zone *zone = exchange->zone;
    if (err == ERR_LIMIT) {
        zone_probe_unused(zone);
    }
    if (err == ERR_LIMIT && exchange->batch.len > 1) {
        bisect(exchange);
    } else if (err == ERR_LIMIT) {
        set_all(exchange, OUTCOME_REFUSED, "too-large");
        settle(exchange, "the change does not fit into one message of this provider");
    } else {
        struct verdict verdict = {0};
        verdict_set(&verdict, VERDICT_RETRY, "internal", "could not send: %s", err_text(err));
        exchange_put_back(exchange);
        zone_failed(zone, &verdict);
    }
    return false;
}

static void stamp(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    uint64_t window = (uint64_t)adapt_batch(&zone->adapt) * adapt_depth(&zone->adapt);
    bool starved = zone->changes_in_flight + zone->queue.waiting.len < window;
    exchange->stamp = adapt_sent(&zone->adapt, clock_mono_ns() / 1000, zone->messages_in_flight == 1, starved);
}

/** What is left of the batch will count. */
static uint64_t cost_of(const struct exchange *exchange)
{
    const struct engine_account *account = exchange->zone->account;
    uint64_t cost = 0;
    for (size_t i = 0; i < exchange->batch.len; i++) {
        const struct batch_item *item = &exchange->batch.items[i];
        cost += account->ops->item_cost != NULL ? account->ops->item_cost(account->state, item) : 1;
    }
    return cost;
}

void exchange_account(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_account *account = zone->account;
    const struct provider_ops *ops = account->ops;
    uint64_t now = zone_now(zone);
    bool http = ops->transport == PROVIDER_HTTP, write = !http || exchange->request.stage == PROVIDER_STAGE_CHANGE;
    uint64_t cost = write ? cost_of(exchange) : 0;
    for (size_t i = 0; write && i < exchange->batch.len; i++) {
        hosts_wrote(&account->hosts, exchange->batch.items[i].name, exchange->batch.items[i].type, now);
    }
    budget_spend(&account->budget, write, cost, now);
    budget_spend(&zone->budget, write, cost, now);
    zone->lookups_made += !write;
    if (http) {
        exchange->hold = write || exchange->kind == EXCHANGE_FOLLOW          ? HOLD_NONE /* it finds nothing out */
                         : exchange->request.stage >= PROVIDER_STAGE_ACCOUNT ? HOLD_ACCOUNT
                                                                             : HOLD_ZONE;
        account->requests++;
        account->lookups += exchange->hold == HOLD_ACCOUNT;
        zone->lookups += exchange->hold == HOLD_ZONE;
    }
}

/** What never left is no writing of its names: a service that cannot be reached for a moment would hold each of them up
 * for as long as it may not be written twice. */
static void take_back_writing(struct exchange *exchange)
{
    for (size_t i = 0; exchange->request.stage == PROVIDER_STAGE_CHANGE && i < exchange->batch.len; i++) {
        const struct batch_item *item = &exchange->batch.items[i];
        hosts_unwrote(&exchange->zone->account->hosts, item->name, item->type);
    }
}

/** Who had a turn is the last to be looked at: a zone with much to do would keep the account's one request for ever. A
 * zone that ends is in the list no more. */
static void move_last(struct engine_zone *zone)
{
    struct engine_zone **at = &zone->engine->zones;
    while (*at != NULL && *at != zone) {
        at = &(*at)->next;
    }
    if (*at == zone) {
        *at = zone->next;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        zone->next = NULL;
        *at = zone;
    }
}

void exchange_landed(struct exchange *exchange, bool sent)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_account *account = zone->account;
    if (!sent) {
        take_back_writing(exchange);
    }
    bool full = account->limits.account_max != 0 && account->requests >= account->limits.account_max;
    account->requests--;
    account->lookups -= exchange->hold == HOLD_ACCOUNT;
    zone->lookups -= exchange->hold == HOLD_ZONE;
    if (full || exchange->hold == HOLD_ACCOUNT) {
        move_last(zone);
        account_kick(account);
    } else {
        zone_kick(zone);
    }
    exchange->hold = HOLD_NONE;
}

bool exchange_send(struct exchange *exchange)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_account *account = zone->account;
    provider_request_reset(&exchange->request, clock_wall_ms(), zone_now(zone));
    exchange->deadline_ms = zone_now(zone) + account->timeout_ms;
    exchange->request.id = zone->engine->next_id++;
    enum err err = account->ops->build_request(account->state, &zone->about, &exchange->batch, &exchange->request);
    if (err == ERR_OK) {
        err = account->ops->transport == PROVIDER_HTTP ? http_send(exchange)
                                                       : link_send(zone, strbuf_view(&exchange->request.body));
    }
    if (err != ERR_OK) {
        return build_failed(exchange, err);
    }
    zone->messages++;
    exchange_account(exchange);
    if (exchange->rounds++ == 0) {
        for (size_t i = 0; i < exchange->batch.len; i++) {
            exchange->changes[i]->attempts++;
        }
        stamp(exchange);
    }
    strbuf_deinit(&exchange->request.body); /* sixteen messages of 64 KiB need not be kept until their answers */
    zone_kick_at(zone, exchange->deadline_ms);
    return true;
}

void exchange_unknown(struct exchange *exchange, const struct verdict *verdict)
{
    if (exchange->kind != EXCHANGE_CHANGES) {
        exchange_unlink(exchange);
        exchange_free(exchange);
        return;
    }
    set_all(exchange, OUTCOME_UNKNOWN, verdict->error);
    if (exchange->zone->account->ops->build_claim == NULL) {
        settle(exchange, verdict->detail);
        return;
    }
    tell(exchange, verdict->detail, 0);
    for (size_t i = 0; i < exchange->batch.len; i++) {
        change_mark_unsure(exchange->changes[i]);
    }
    exchange_put_back(exchange);
}

/** The whole batch waits, with the zone or the account. */
static void give_back(struct exchange *exchange, const struct verdict *verdict)
{
    struct engine_zone *zone = exchange->zone;
    for (size_t i = 0; i < exchange->batch.len; i++) {
        exchange->changes[i]->told = false;
    }
    exchange_put_back(exchange);
    if (link_misdirected(zone, verdict)) {
        zone_disconnect(zone, verdict->error, verdict->detail);
    }
    zone_failed(zone, verdict);
}

static void suspect(struct exchange *exchange, const struct verdict *may_be_item)
{
    struct engine_zone *zone = exchange->zone;
    if (zone->phase == PHASE_RUNNING) {
        zone->phase = PHASE_ASKING;
    }
    if (may_be_item != NULL) {
        zone->must_probe |= may_be_item->probe;
        exchange_unlink(exchange);
        groups_add(zone, exchange->changes, exchange->batch.len, may_be_item);
        exchange_free(exchange);
    } else {
        exchange_put_back(exchange);
    }
    zone_kick(zone);
}

/** The server is there, whatever it thinks of this message. */
static void answered(struct engine_zone *zone)
{
    struct breaker *breaker = zone_breaker(zone);
    bool was_open = breaker->state != BREAKER_CLOSED;
    zone->steady_ms = 0;
    breaker_success(breaker);
    breaker_success(&zone->breaker);
    if (was_open) {
        account_kick(zone->account);
    }
}

/** Back to the queue with what was learnt; what the service has refused meanwhile is told and gone. */
static void put_back_undecided(struct exchange *exchange, const char *detail)
{
    struct engine_zone *zone = exchange->zone;
    exchange_unlink(exchange);
    for (size_t i = exchange->batch.len; i > 0; i--) { /* last first: each goes to the front */
        const struct batch_item *item = &exchange->batch.items[i - 1];
        if (item->outcome == OUTCOME_REFUSED && item->error != NULL) {
            change_refuse(zone, exchange->changes[i - 1], item->error, detail);
        } else {
            (void)change_queue_put_back(&zone->queue, exchange->changes[i - 1], zone_now(zone)); /* found by taking */
        }
    }
    exchange_free(exchange);
}

/** A request of the same batch again: after a lookup, with what it found. A lookup is a call and costs a token; without
 * one the batch waits in the queue with what it has learnt. */
static void again(struct exchange *exchange, const char *detail)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_account *account = zone->account;
    struct verdict verdict = {0};
    for (size_t i = 0; i < exchange->batch.len; i++) {
        change_learn(exchange->changes[i], &exchange->batch.items[i]);
    }
    if (exchange->rounds >= PROVIDER_ROUNDS_MAX) {
        verdict_set(&verdict, VERDICT_RETRY, "rounds", "the provider needed more than %d lookups", PROVIDER_ROUNDS_MAX);
        give_back(exchange, &verdict);
    } else if (budget_wait_ms(&account->budget, true, cost_of(exchange), zone_now(zone)) != 0 ||
               budget_wait_ms(&zone->budget, true, cost_of(exchange), zone_now(zone)) != 0) {
        answered(zone);
        put_back_undecided(exchange, detail);
        zone_kick(zone);
    } else {
        (void)exchange_send(exchange); /* a failure puts the batch back by itself */
    }
}

static void unknown_outcome(struct exchange *exchange, const struct verdict *verdict)
{
    struct engine_zone *zone = exchange->zone;
    struct verdict copy = *verdict;
    if (zone->account->ops->transport == PROVIDER_DNS) {
        zone_disconnect(zone, copy.error, copy.detail);
    } else {
        exchange_unknown(exchange, &copy);
    }
    zone_failed(zone, &copy);
}

static void served(struct exchange *exchange)
{
    answered(exchange->zone);
    zone_works(exchange->zone);
    adapt_answered(&exchange->zone->adapt, &exchange->stamp, (uint32_t)exchange->batch.len, clock_mono_ns() / 1000);
}

void exchange_verdict(struct exchange *exchange, const struct verdict *verdict)
{
    switch (batch_judge(verdict->kind, exchange->batch.len)) {
    case BATCH_SETTLE:
        served(exchange);
        stops_learn(exchange);
        if (verdict->stop) {
            stops_account(exchange->zone->account, verdict);
        } else if (verdict->wait_ms > 0) {
            breaker_hold(zone_breaker(exchange->zone), zone_now(exchange->zone), verdict->wait_ms);
        }
        settle(exchange, verdict->detail);
        break;
    case BATCH_REFUSE:
        served(exchange);
        set_all(exchange, OUTCOME_REFUSED, verdict->error);
        settle(exchange, verdict->detail);
        break;
    case BATCH_BISECT:
        answered(exchange->zone);
        bisect(exchange);
        break;
    case BATCH_AGAIN:
        again(exchange, verdict->detail);
        break;
    case BATCH_FENCE:
        suspect(exchange, NULL);
        break;
    case BATCH_FENCE_THEN_BISECT:
        suspect(exchange, verdict);
        break;
    case BATCH_RETURN:
        give_back(exchange, verdict);
        break;
    case BATCH_SETTLE_UNKNOWN:
        unknown_outcome(exchange, verdict);
        break;
    case BATCH_STOP:
        stops_account(exchange->zone->account, verdict);
        give_back(exchange, verdict);
        break;
    }
}

void exchange_reply(struct exchange *exchange, const struct provider_reply *reply)
{
    if (exchange->kind == EXCHANGE_FOLLOW) {
        follow_reply(exchange, reply);
        return;
    }
    if (exchange->kind != EXCHANGE_CHANGES) {
        fence_reply(exchange, reply);
        return;
    }
    struct engine_account *account = exchange->zone->account;
    struct verdict verdict = {0};
    enum err err = account->ops->parse_reply(account->state, &exchange->zone->about, &exchange->batch,
                                             &exchange->request, reply, &verdict);
    if (err != ERR_OK) {
        verdict_set(&verdict, VERDICT_UNKNOWN, "bad-reply", "the answer cannot be read: %s", err_text(err));
    }
    if (account->ops->redact != NULL) {
        account->ops->redact(account->state, verdict.detail);
    }
    exchange_verdict(exchange, &verdict);
}
