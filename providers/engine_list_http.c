/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "providers/engine_internal.h"

enum {
    PAGES_MAX = 20000,            /* of a hundred records: a zone of two million */
    WAIT_MAX_MS = 10 * 60 * 1000, /* longer than that nobody waits for a page: the next listing tries again */
};

/** A listing page by page. Each page has the account's timeout and costs a call of its rates; a change that is lookup
 * or write goes between the pages. */
struct engine_list_http {
    struct engine_zone *zone;
    struct list_gather gather;
    struct loop_timer *timer; /* owned: waits for the rates */
    void *provider;           /* owned, of ops->list_end */
    struct provider_request request;
    struct http_transfer *transfer;
    unsigned pages, tries;
};

void list_http_stop(struct engine_zone *zone)
{
    struct engine_list_http *list = zone->list_http;
    if (list == NULL) {
        return;
    }
    zone->list_http = NULL;
    http_cancel(list->transfer);
    loop_timer_free(list->timer);
    if (list->provider != NULL) {
        zone->account->ops->list_end(list->provider);
    }
    provider_request_deinit(&list->request);
    free(list);
}

static void finish(struct engine_list_http *list, enum err err, const char *detail)
{
    struct engine_listing listing = list->gather.listing;
    const struct engine_account *account = list->zone->account;
    if (err == ERR_OK) {
        list_gather_flush(&list->gather);
    }
    char text[PROVIDER_DETAIL_MAX];
    (void)snprintf(text, sizeof(text), "%s", detail); /* outlives the list; cut at one line's cap */
    if (account->ops->redact != NULL) {
        account->ops->redact(account->state, text);
    }
    list_http_stop(list->zone);
    listing.done(listing.context, err, text);
}

static void next_page(struct engine_list_http *list);

/** The service asked to wait: the same page later, as long as that is soon. */
static bool wait_for(struct engine_list_http *list, const struct provider_reply *reply)
{
    enum { TRIES_MAX = 5 };
    uint64_t most_ms = list->zone->account->retry_max_ms;
    if (reply->status != 429 && reply->status != 503) {
        return false;
    }
    uint64_t wait_ms = MAX(reply->retry_after_ms, list->zone->account->retry_min_ms);
    breaker_hold(zone_breaker(list->zone), zone_now(list->zone), wait_ms);
    if (++list->tries > TRIES_MAX || reply->retry_after_ms > most_ms) {
        return false;
    }
    loop_timer_after(list->timer, wait_ms);
    return true;
}

static void page_done(void *context, const struct http_result *result)
{
    struct engine_list_http *list = context;
    struct engine_account *account = list->zone->account;
    struct errinfo info = {0};
    bool done = false;
    list->transfer = NULL;
    if (result->err != ERR_OK) {
        finish(list, result->err, result->info.text);
        return;
    }
    struct provider_reply reply = http_reply(account, result);
    if (wait_for(list, &reply)) {
        return;
    }
    enum err err = account->ops->list_feed(list->provider, &list->request, &reply, &done, &info);
    list->pages++;
    done = done || (list->gather.listing.pages_max != 0 && list->pages >= list->gather.listing.pages_max);
    if (err == ERR_OK && !done && list->pages > PAGES_MAX) {
        err = errinfo_set(&info, ERR_LIMIT, "http", 0, "listing: more than %d pages", PAGES_MAX);
    }
    if (err != ERR_OK || done) {
        finish(list, err, info.text[0] != '\0' || err == ERR_OK ? info.text : err_text(err));
    } else {
        list->tries = 0;
        next_page(list);
    }
}

/** Until the service may be asked for a page: its rates, and what it, or its silence, made the account wait. */
static uint64_t page_wait_ms(const struct engine_list_http *list, uint64_t now)
{
    struct engine_zone *zone = list->zone;
    struct engine_account *account = zone->account;
    uint64_t wait = MAX(budget_wait_ms(&account->budget, false, 0, now), budget_wait_ms(&zone->budget, false, 0, now));
    uint64_t open = list->gather.listing.asked ? 0 : breaker_next_ms(zone_breaker(zone), now);
    return open == 0            ? wait
           : open == UINT64_MAX ? MAX(wait, account->retry_min_ms) /* its probe is under way */
                                : MAX(wait, open - now);
}

static void next_page(struct engine_list_http *list)
{
    struct engine_zone *zone = list->zone;
    struct engine_account *account = zone->account;
    uint64_t now = zone_now(zone), wait = page_wait_ms(list, now);
    if (account->stopped && !list->gather.listing.asked) {
        finish(list, ERR_DENIED, account->stop_detail);
        return;
    }
    if (wait > MAX(account->retry_max_ms, (uint64_t)WAIT_MAX_MS)) {
        char why[PROVIDER_DETAIL_MAX];
        (void)snprintf(why, sizeof(why),
                       "the service is not asked for another %" PRIu64 " s: its limits, or it said so",
                       wait / 1000); /* short */
        finish(list, ERR_AGAIN, why);
        return;
    }
    if (wait > 0) {
        loop_timer_after(list->timer, wait);
        return;
    }
    provider_request_reset(&list->request, clock_wall_ms(), now);
    enum err err = account->ops->list_next(list->provider, &list->request);
    if (err == ERR_OK) {
        err = http_ask(account, &list->request, false, now + account->timeout_ms, page_done, list, &list->transfer);
    }
    if (err != ERR_OK) {
        finish(list, err, err_text(err));
        return;
    }
    zone->lookups_made++;
    budget_spend(&account->budget, false, 0, now);
    budget_spend(&zone->budget, false, 0, now);
}

static void timer_due(void *context)
{
    next_page(context);
}

/** `done` is told from the loop, never from inside engine_zone_list. */
enum err list_http_start(struct engine_zone *zone, const struct engine_listing *listing)
{
    const struct provider_ops *ops = zone->account->ops;
    struct engine_list_http *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    list->zone = zone;
    list->gather.listing = *listing;
    provider_request_init(&list->request);
    zone->list_http = list;
    struct provider_listing told = {.each = list_gather_record, .context = &list->gather};
    enum err err = loop_timer_new(zone->engine->loop, timer_due, list, &list->timer);
    if (err == ERR_OK) {
        err = ops->list_begin(zone->account->state, &zone->about, &told, &list->request, &list->provider);
    }
    if (err != ERR_OK) {
        list_http_stop(zone);
        return err;
    }
    loop_timer_after(list->timer, 0);
    return ERR_OK;
}
