/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_follow: how long a service needs until a change is at all of its own servers. A sample now and then, for the
 * figures only: nothing waits for it, and what it costs is counted against the account's rates.
 */
#include "base/clock.h"
#include "base/macros.h"
#include "providers/engine_internal.h"

enum { SAMPLE_EVERY_MS = 60 * 1000, ASK_EVERY_MS = 2000, GIVE_UP_MS = 5 * 60 * 1000 };

void follow_applied(struct engine_zone *zone)
{
    uint64_t now = zone_now(zone);
    if (zone->account->ops->build_follow == NULL || zone->follow_ms != UINT64_MAX ||
        (zone->changed_ms != 0 && now < zone->changed_ms + SAMPLE_EVERY_MS)) {
        return;
    }
    zone->changed_ms = now;
    zone->follow_ms = now + ASK_EVERY_MS;
    zone->about.following = true;
    zone_kick_at(zone, zone->follow_ms);
}

static void end(struct engine_zone *zone)
{
    zone->follow_ms = UINT64_MAX;
    zone->about.following = false;
}

static void send(struct engine_zone *zone, uint64_t now)
{
    struct engine_account *account = zone->account;
    struct exchange *exchange = exchange_new(zone, EXCHANGE_FOLLOW, 0);
    zone->follow_ms = now + ASK_EVERY_MS;
    if (exchange == NULL) {
        return;
    }
    provider_request_reset(&exchange->request, clock_wall_ms(), now);
    enum err err = account->ops->build_follow(account->state, &zone->about, &exchange->request);
    if (err == ERR_OK) {
        exchange->next = zone->in_flight;
        zone->in_flight = exchange;
        err = http_send(exchange);
        if (err == ERR_OK) {
            zone->following = true;
            exchange_account(exchange);
            return;
        }
        exchange_unlink(exchange);
    }
    exchange_free(exchange);
    end(zone); /* there is nothing to ask about; the next change is another sample */
}

void follow_run(struct engine_zone *zone, uint64_t now, uint64_t *wake)
{
    if (zone->follow_ms == UINT64_MAX || zone->following) {
        return;
    }
    if (now >= zone->changed_ms + GIVE_UP_MS) {
        end(zone);
        return;
    }
    uint64_t due = zone->follow_ms;
    due = MAX(due, breaker_next_ms(zone_breaker(zone), now));
    due = MAX(due, now + budget_wait_ms(&zone->account->budget, false, 0, now));
    due = MAX(due, now + budget_wait_ms(&zone->budget, false, 0, now));
    if (due > now) {
        *wake = MIN(*wake, due);
    } else if (zone->lookups == 0 && zone->account->lookups == 0) {
        send(zone, now);
    }
}

void follow_reply(struct exchange *exchange, const struct provider_reply *reply)
{
    struct engine_zone *zone = exchange->zone;
    struct engine_account *account = zone->account;
    bool done = false;
    enum err err = reply == NULL
                       ? ERR_IO
                       : account->ops->parse_follow(account->state, &zone->about, &exchange->request, reply, &done);
    zone->following = false;
    if (err == ERR_OK && done) {
        zone->insync_ms = MAX(zone_now(zone) - zone->changed_ms, 1u);
    }
    if (err != ERR_OK || done) {
        end(zone);
    }
    exchange_unlink(exchange);
    exchange_free(exchange);
    zone_kick(zone);
}
