/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/crypto.h"
#include "providers/engine_internal.h"

enum {
    LINGER_MIN_MS = 1,
    LINGER_MAX_MS = 10,
    BROKEN_AFTER = 5,
    TELL_MAX = 64,
    QUIET_MS = 4000, /* servers close idle connections (Knot after 10 s), and a deposed writer should notice */
};

uint64_t zone_now(const struct engine_zone *zone)
{
    return loop_now_ms(zone->engine->loop);
}

void zone_kick_at(struct engine_zone *zone, uint64_t mono_ms)
{
    if (mono_ms < zone->wake_ms) {
        zone->wake_ms = mono_ms;
        loop_timer_at(zone->timer, mono_ms);
    }
}

void zone_kick(struct engine_zone *zone)
{
    zone_kick_at(zone, 0);
}

void account_kick(struct engine_account *account)
{
    for (struct engine_zone *zone = account->engine->zones; zone != NULL; zone = zone->next) {
        if (zone->account == account) {
            zone_kick(zone);
        }
    }
}

struct breaker *zone_breaker(struct engine_zone *zone)
{
    return zone->account->ops->transport == PROVIDER_HTTP ? &zone->account->breaker : &zone->breaker;
}

void zone_probe_unused(struct engine_zone *zone)
{
    breaker_unused(zone_breaker(zone));
    breaker_unused(&zone->breaker);
}

static void tell_trouble(struct engine_zone *zone, const char *error, const char *detail)
{
    bool told = zone->in_trouble;
    zone->in_trouble = error != NULL;
    (void)snprintf(zone->trouble, sizeof(zone->trouble), "%s", error != NULL ? error : ""); /* ids are shorter */
    if (told != zone->in_trouble && zone->callbacks.trouble != NULL) {
        zone->callbacks.trouble(zone->context, zone, error, detail);
    }
}

void zone_works(struct engine_zone *zone)
{
    zone->last_error[0] = '\0';
    tell_trouble(zone, NULL, "");
}

/** The breaker that keeps the zone from sending: its own, or its account's. */
static struct breaker *closer_breaker(struct engine_zone *zone)
{
    return zone->breaker.state != BREAKER_CLOSED ? &zone->breaker : zone_breaker(zone);
}

/** Whose fault it was decides who waits. The other breaker must not go on waiting for this outcome. */
static struct breaker *failed_breaker(struct engine_zone *zone, const struct verdict *verdict)
{
    struct breaker *account = zone_breaker(zone);
    if (account == &zone->breaker) {
        return account;
    }
    if (verdict->zone_only) {
        breaker_success(account);
        return &zone->breaker;
    }
    breaker_unused(&zone->breaker);
    return account;
}

void zone_failed(struct engine_zone *zone, const struct verdict *verdict)
{
    uint64_t now = zone_now(zone);
    struct breaker *breaker = failed_breaker(zone, verdict);
    zone->failures++;
    (void)snprintf(zone->last_error, sizeof(zone->last_error), "%s", verdict->detail); /* same size: never cut */
    (void)breaker_failure(breaker, now, crypto_random_u64()); /* its delay is read back below */
    if (verdict->wait_ms > 0) {
        breaker_hold(breaker, now, verdict->wait_ms);
    }
    tell_trouble(zone, verdict->error, verdict->detail);
    (void)zone_tell_waiting(zone, verdict->error, verdict->detail); /* the first ones stand for all */
    if (zone->account->ops->transport == PROVIDER_HTTP) {
        account_kick(zone->account); /* who found the probe out must look again */
    } else {
        zone_kick(zone);
    }
}

size_t zone_tell_waiting(struct engine_zone *zone, const char *error, const char *detail)
{
    size_t len = 0;
    struct engine_result *results = zone->engine->results;
    uint64_t retry_ms = breaker_next_ms(closer_breaker(zone), zone_now(zone));
    for (struct change *change = zone->queue.waiting.head; change != NULL && len < TELL_MAX; change = change->next) {
        if (change->told) {
            continue;
        }
        change->told = true;
        results[len++] = (struct engine_result){.name = change_name(change),
                                                .type = (enum rrtype)change->type,
                                                .rev = change->rev,
                                                .outcome = OUTCOME_RETRY,
                                                .error = error,
                                                .alarm = zone->account->stopped ? error : NULL,
                                                .detail = detail,
                                                .retry_ms = retry_ms,
                                                .attempts = change->attempts};
    }
    if (len > 0) {
        zone->callbacks.settled(zone->context, results, len);
    }
    return len;
}

/** Nothing of a stopped account goes out: everybody who waits for it must know. */
static void tell_stopped(struct engine_zone *zone)
{
    const struct engine_account *account = zone->account;
    while (zone_tell_waiting(zone, account->stop_error, account->stop_detail) == TELL_MAX) {
    }
}

void zone_disconnect(struct engine_zone *zone, const char *error, const char *detail)
{
    struct verdict verdict = {0};
    verdict_set(&verdict, VERDICT_UNKNOWN, error, "%s", detail);
    link_close(zone);
    if (zone->phase != PHASE_DEPOSED) {
        zone->phase = PHASE_IDLE;
        zone->must_claim = true;
    }
    while (zone->in_flight != NULL) {
        exchange_unknown(zone->in_flight, &verdict);
    }
    groups_put_back(zone);
}

/** A small message may go although more is under way: it has waited for a fraction of what a message takes. */
static uint64_t linger_until(const struct engine_zone *zone)
{
    const struct change *oldest = zone->queue.waiting.head;
    uint64_t linger = (uint64_t)(zone->adapt.service_us / 8000);
    return oldest->time_ms + MIN(MAX(linger, (uint64_t)LINGER_MIN_MS), (uint64_t)LINGER_MAX_MS);
}

/** How many waiting changes to take now; 0 = none. @p wake lowered to when to look again. */
static size_t wanted(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    size_t waiting = zone->queue.waiting.len;
    size_t batch = adapt_batch(&zone->adapt);
    if (waiting == 0 || zone->messages_in_flight >= adapt_depth(&zone->adapt)) {
        return 0;
    }
    if (zone->messages_in_flight == 0) {
        return adapt_fits_alone(&zone->adapt, waiting) ? waiting : batch;
    }
    if (waiting >= batch) {
        return batch;
    }
    uint64_t until = linger_until(zone);
    if (until <= now) {
        return waiting;
    }
    *wake = MIN(*wake, until);
    return 0;
}

/** A lookup is out, or all requests are that the account may have: who sees it land looks again. */
static bool must_wait(const struct engine_zone *zone)
{
    const struct engine_account *account = zone->account;
    uint32_t most = account->limits.account_max;
    return zone->lookups > 0 || account->lookups > 0 || (most != 0 && account->requests >= most);
}

/** What @p len changes will count: as much each as the one that is next. */
static uint64_t likely_cost(const struct engine_zone *zone, size_t len)
{
    const struct provider_ops *ops = zone->account->ops;
    const struct change *next = zone->groups != NULL ? zone->groups->changes[0] : zone->queue.waiting.head;
    struct batch_item item;
    if (ops->item_cost == NULL || next == NULL) {
        return len;
    }
    change_unpack(next, &item);
    return len * ops->item_cost(zone->account->state, &item);
}

/** Budget of account and zone, then the breakers: all say when instead of no. */
static bool may_send(struct engine_zone *zone, size_t len, uint64_t now, uint64_t *wake)
{
    struct engine_account *account = zone->account;
    struct breaker *breaker = zone_breaker(zone);
    uint64_t open = MAX(breaker_next_ms(breaker, now), breaker_next_ms(&zone->breaker, now));
    if (open != 0) {
        *wake = MIN(*wake, open);
        return false;
    }
    uint64_t cost = likely_cost(zone, len);
    uint64_t wait =
        MAX(budget_wait_ms(&account->budget, true, cost, now), budget_wait_ms(&zone->budget, true, cost, now));
    if (wait != 0) {
        *wake = MIN(*wake, now + wait);
        return false;
    }
    return breaker_allow(breaker, now) && (breaker == &zone->breaker || breaker_allow(&zone->breaker, now));
}

/** A reply makes room; one batch may always go. */
static bool is_full(const struct engine_zone *zone, size_t len)
{
    uint32_t most = zone->account->limits.flight_max;
    return most != 0 && zone->changes_in_flight > 0 && zone->changes_in_flight + len > most;
}

static bool send_next(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    bool group = groups_ready(zone) && zone->messages_in_flight < zone->account->limits.depth_max;
    size_t most = group ? 0 : wanted(zone, now, wake);
    size_t len = group ? zone->groups->len : most;
    if (len == 0 || is_full(zone, len) || must_wait(zone) || !may_send(zone, len, now, wake)) {
        return false;
    }
    struct exchange *exchange = group ? exchange_from_group(zone) : exchange_fill(zone, most);
    if (exchange == NULL) { /* all refused unsent, or no memory */
        zone_probe_unused(zone);
        *wake = MIN(*wake, now + zone->account->retry_min_ms);
        return false;
    }
    return exchange_send(exchange);
}

static void run(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    while (zone->phase == PHASE_RUNNING && send_next(zone, now, wake)) {
    }
}

/** An idle zone asks for its owner now and then: the connection stays open and a newer writer is noticed. */
static void keep_alive(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    if (zone->account->ops->build_owner == NULL || zone->phase != PHASE_RUNNING || zone->in_flight != NULL) {
        return;
    }
    if (now >= zone->heard_ms + QUIET_MS) {
        fence_ask(zone);
    } else {
        *wake = MIN(*wake, zone->heard_ms + QUIET_MS);
    }
}

/** A zone that fences is claimed at once, so that its first change finds the connection ready. */
static void connect_zone(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    uint64_t open = breaker_next_ms(&zone->breaker, now);
    if (open != 0) {
        *wake = MIN(*wake, open);
        return;
    }
    if (breaker_allow(&zone->breaker, now)) {
        struct verdict verdict = {0};
        zone->phase = PHASE_CONNECTING;
        enum err err = link_open(zone);
        if (err != ERR_OK) {
            zone->phase = PHASE_IDLE;
            verdict_set(&verdict, VERDICT_RETRY, "unreachable", "cannot connect: %s", err_text(err));
            zone_failed(zone, &verdict);
        }
    }
}

/** The oldest exchange that ran out of time takes the connection with it: the outcome of all is unknown. */
static void check_deadlines(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    for (struct exchange *exchange = zone->in_flight; exchange != NULL; exchange = exchange->next) {
        if (exchange->http != NULL) {
            continue; /* the HTTP client has the same deadline and tells it */
        }
        if (exchange->deadline_ms <= now) {
            struct verdict verdict = {0};
            verdict_set(&verdict, VERDICT_UNKNOWN, "timeout", "no answer within %" PRIu64 " ms",
                        zone->account->timeout_ms);
            adapt_overload(&zone->adapt);
            zone_disconnect(zone, verdict.error, verdict.detail);
            zone_failed(zone, &verdict);
            return;
        }
        *wake = MIN(*wake, exchange->deadline_ms);
    }
}

void zone_timer(void *context)
{
    struct engine_zone *zone = context;
    uint64_t now = zone_now(zone), wake = UINT64_MAX;
    zone->wake_ms = UINT64_MAX;
    change_queue_bury(&zone->queue);
    check_deadlines(zone, now, &wake);
    wake = MIN(wake, change_queue_wake(&zone->queue, now));
    if (zone->phase == PHASE_IDLE) {
        connect_zone(zone, now, &wake);
    } else if (zone->phase == PHASE_ASKING && zone->in_flight == NULL) {
        fence_ask(zone);
    } else if (zone->phase == PHASE_RUNNING && !zone->account->stopped) {
        run(zone, now, &wake);
        follow_run(zone, now, &wake);
        keep_alive(zone, now, &wake);
    } else if (zone->phase == PHASE_RUNNING) {
        groups_put_back(zone); /* parts of a batch that had to wait for the one that was stopped */
        tell_stopped(zone);
    }
    zone_kick_at(zone, MIN(wake, zone->wake_ms));
}

static const char *state_name(struct engine_zone *zone)
{
    if (zone->phase == PHASE_DEPOSED) {
        return "deposed";
    }
    const struct breaker *breaker = closer_breaker(zone);
    if (zone->account->stopped || (breaker->state != BREAKER_CLOSED && breaker->failures >= BROKEN_AFTER)) {
        return "broken";
    }
    if (breaker->state == BREAKER_OPEN) {
        return "backing-off";
    }
    return zone->phase == PHASE_RUNNING ? "running" : "claiming";
}

void engine_zone_status(const struct engine_zone *from, struct engine_zone_status *ret_status)
{
    struct engine_zone *zone = (struct engine_zone *)(uintptr_t)from; /* shared accessors; nothing is written */
    const struct breaker *breaker = closer_breaker(zone);
    *ret_status = (struct engine_zone_status){
        .state = state_name(zone),
        .waiting = zone->queue.len - zone->changes_in_flight,
        .in_flight = zone->changes_in_flight,
        .epoch = zone->about.epoch,
        .messages = zone->messages,
        .changes = zone->changes,
        .failures = zone->failures,
        .batch_size = adapt_batch(&zone->adapt),
        .depth = adapt_depth(&zone->adapt),
        .service_ms = zone->adapt.service_us / 1000,
        .resume_ms = breaker->state == BREAKER_OPEN ? breaker->until_ms : 0,
        .lookups = zone->lookups_made,
        .insync_ms = zone->insync_ms,
        .error = zone->account->stopped ? zone->account->stop_error : zone->trouble,
        .last_error = zone->account->stopped ? zone->account->stop_detail : zone->last_error,
    };
}
