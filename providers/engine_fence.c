/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/engine_internal.h"

enum { STEADY_MS = 1000 /* a claimed connection that lasts shorter and served nothing is a failure */ };

static bool send_control(struct exchange *exchange, enum err err)
{
    struct engine_zone *zone = exchange->zone;
    if (err == ERR_OK) {
        err = link_send(zone, strbuf_view(&exchange->request.body));
    }
    if (err != ERR_OK) {
        struct verdict verdict = {0};
        verdict_set(&verdict, VERDICT_RETRY, "internal", "could not ask for the zone's owner: %s", err_text(err));
        exchange_free(exchange);
        zone_failed(zone, &verdict);
        return false;
    }
    exchange->next = zone->in_flight;
    zone->in_flight = exchange;
    zone_kick_at(zone, exchange->deadline_ms);
    return true;
}

static struct exchange *control_new(struct engine_zone *zone, enum exchange_kind kind)
{
    struct exchange *exchange = exchange_new(zone, kind, 0);
    if (exchange != NULL) {
        exchange->request.id = zone->engine->next_id++;
    }
    return exchange;
}

void fence_ask(struct engine_zone *zone)
{
    uint64_t now = zone_now(zone), open = breaker_next_ms(&zone->breaker, now);
    if (zone->breaker.state == BREAKER_OPEN && (open != 0 || !breaker_allow(&zone->breaker, now))) {
        zone_kick_at(zone, open);
        return;
    }
    bool probe = zone->must_probe && !zone->must_claim;
    struct exchange *exchange = control_new(zone, probe ? EXCHANGE_PROBE : EXCHANGE_OWNER);
    if (exchange == NULL) {
        zone_kick_at(zone, now + zone->account->retry_min_ms);
        return;
    }
    const struct provider_ops *ops = zone->account->ops;
    if (exchange->kind == EXCHANGE_PROBE) {
        struct provider_owner ours = {.present = true, .epoch = zone->about.epoch};
        (void)send_control(exchange, ops->build_claim(zone->account->state, &zone->about, &ours, ours.epoch,
                                                      &exchange->request)); /* as below */
        return;
    }
    (void)send_control(exchange, ops->build_owner(zone->account->state, &zone->about,
                                                  &exchange->request)); /* a failure is told and tried again */
}

static void claimed(struct engine_zone *zone, uint64_t epoch)
{
    zone->about.epoch = epoch;
    zone->must_claim = false;
    zone->must_probe = false;
    zone->beaten = false;
    zone->phase = PHASE_RUNNING;
    zone_works(zone);
    zone->steady_ms = zone_now(zone) + STEADY_MS;
    breaker_admit(&zone->breaker);
    groups_put_back(zone); /* their verdicts were about the epoch before */
    zone_kick(zone);
}

static void depose(struct engine_zone *zone)
{
    zone->phase = PHASE_DEPOSED;
    zone_disconnect(zone, "deposed", "another writer claimed the zone");
    breaker_unused(&zone->breaker); /* the way here may have been the probe, and nobody hears of it any more */
    zone->callbacks.deposed(zone->context, zone);
}

static bool is_ours(const struct engine_zone *zone)
{
    return zone->seen.present && zone->seen.epoch == zone->about.epoch && zone->about.epoch != 0;
}

static bool is_newer(const struct engine_zone *zone)
{
    if (zone->highest_epoch == 0 || !zone->seen.present) {
        return false;
    }
    return zone->seen.epoch > zone->highest_epoch || (zone->beaten && zone->seen.epoch >= zone->highest_epoch);
}

static void owner_known(struct engine_zone *zone)
{
    if (is_newer(zone)) {
        depose(zone);
    } else if (is_ours(zone) && zone->must_probe && !zone->must_claim && zone->phase == PHASE_ASKING) {
        zone_kick(zone); /* asked before a change was refused: that is not settled by it */
    } else if (is_ours(zone) && !zone->must_claim) {
        zone->phase = PHASE_RUNNING;
        breaker_success(&zone->breaker);
        groups_release(zone);
        zone_kick(zone);
    } else {
        zone->must_claim = true;
        zone->phase = PHASE_CLAIMING;
        if (!zone->claim_open) {
            zone->claim_open = true;
            zone->callbacks.claim(zone->context, zone, zone->seen.epoch);
        }
    }
}

static void set_epoch(struct engine_zone *zone, uint64_t epoch)
{
    struct exchange *exchange = control_new(zone, EXCHANGE_CLAIM);
    if (exchange == NULL) {
        zone->phase = PHASE_ASKING;
        zone_kick_at(zone, zone_now(zone) + zone->account->retry_min_ms);
        return;
    }
    exchange->epoch = epoch;
    zone->phase = PHASE_SETTING;
    zone->highest_epoch = MAX(zone->highest_epoch, epoch);
    const struct provider_ops *ops = zone->account->ops;
    if (!send_control(exchange,
                      ops->build_claim(zone->account->state, &zone->about, &zone->seen, epoch, &exchange->request))) {
        zone->phase = PHASE_ASKING;
    }
}

void engine_zone_claimed(struct engine_zone *zone, uint64_t epoch, enum err err)
{
    zone->claim_open = false;
    if (zone->phase != PHASE_CLAIMING) {
        return; /* the connection was lost meanwhile: the next answer about the owner asks again */
    }
    if (err != ERR_OK) {
        struct verdict verdict = {0};
        verdict_set(&verdict, VERDICT_RETRY, "store", "the new epoch could not be stored: %s", err_text(err));
        zone->phase = PHASE_ASKING;
        zone_failed(zone, &verdict);
    } else if (epoch <= zone->seen.epoch) { /* answer to an older question */
        zone->claim_open = true;
        zone->callbacks.claim(zone->context, zone, zone->seen.epoch);
    } else {
        set_epoch(zone, epoch);
    }
}

void engine_zone_resume(struct engine_zone *zone)
{
    if (zone->phase == PHASE_DEPOSED) {
        zone->phase = PHASE_IDLE;
        zone->highest_epoch = 0; /* whatever is found is claimed */
        zone->must_claim = true;
        zone->beaten = false;
        zone_kick(zone);
    }
}

static void owner_reply(struct engine_zone *zone, const struct verdict *verdict, const struct provider_owner *seen)
{
    if (verdict->kind == VERDICT_SETTLED) {
        zone->seen = *seen;
        owner_known(zone);
    } else {
        zone_failed(zone, verdict);
    }
}

static void claim_reply(struct engine_zone *zone, const struct verdict *verdict, uint64_t epoch)
{
    if (verdict->kind == VERDICT_SETTLED) {
        claimed(zone, epoch);
        return;
    }
    zone->phase = PHASE_ASKING;
    if (verdict->kind == VERDICT_FENCED) {
        zone->beaten = true;
        zone_kick(zone);
    } else {
        zone_failed(zone, verdict);
    }
}

static void probe_reply(struct engine_zone *zone, const struct verdict *verdict)
{
    if (verdict->kind == VERDICT_SETTLED) {
        zone->must_probe = false;
        zone->phase = PHASE_RUNNING;
        zone_works(zone);
        breaker_success(&zone->breaker);
        groups_release(zone);
        zone_kick(zone);
    } else if (verdict->kind == VERDICT_FENCED) {
        zone->must_probe = false; /* who owns the zone matters more, and that is to be read */
        zone_kick(zone);
    } else {
        groups_put_back(zone); /* nothing is wrong with them */
        zone_failed(zone, verdict);
    }
}

void fence_reply(struct exchange *exchange, const struct provider_reply *reply)
{
    struct engine_zone *zone = exchange->zone;
    const struct provider_ops *ops = zone->account->ops;
    struct verdict verdict = {0};
    struct provider_owner seen = {0};
    enum exchange_kind kind = exchange->kind;
    uint64_t epoch = exchange->epoch;
    enum err err = kind == EXCHANGE_OWNER
                       ? ops->parse_owner(zone->account->state, &exchange->request, reply, &seen, &verdict)
                       : ops->parse_claim(zone->account->state, &exchange->request, reply, &verdict);
    exchange_unlink(exchange);
    exchange_free(exchange);
    if (err != ERR_OK) {
        verdict_set(&verdict, VERDICT_UNKNOWN, "bad-reply", "the answer cannot be read: %s", err_text(err));
    }
    if (link_misdirected(zone, &verdict) || verdict.kind == VERDICT_UNKNOWN) {
        zone_disconnect(zone, verdict.error, verdict.detail);
        zone_failed(zone, &verdict);
    } else if (kind == EXCHANGE_PROBE) {
        probe_reply(zone, &verdict);
    } else if (kind == EXCHANGE_OWNER) {
        owner_reply(zone, &verdict, &seen);
    } else {
        claim_reply(zone, &verdict, epoch);
    }
}
