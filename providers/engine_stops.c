/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "providers/engine_internal.h"

const char *stops_refusal(const struct engine_zone *zone, const struct batch_item *item,
                          char detail[static PROVIDER_DETAIL_MAX])
{
    const struct engine_account *account = zone->account;
    const char *why = NULL, *code = hosts_stopped(&account->hosts, item->name, item->type, &why);
    if (code != NULL) {
        (void)snprintf(detail, PROVIDER_DETAIL_MAX,
                       "stopped until the account's config changes or muster provider resume: %s", why); /* cut */
        return code;
    }
    return account->ops->impossible != NULL ? account->ops->impossible(account->state, item, detail) : NULL;
}

static void tell(struct engine_account *account, const char *name, enum rrtype type, bool both, const char *error,
                 const char *detail)
{
    struct engine *engine = account->engine;
    struct engine_stop stop = {
        .account = account->name, .name = name, .type = type, .both = both, .error = error, .detail = detail};
    if (engine->stopped != NULL) {
        engine->stopped(engine->stopped_context, &stop);
    }
}

void stops_keep(struct engine_zone *zone, const struct batch_item *item, const char *error, const char *detail)
{
    struct engine_account *account = zone->account;
    const char *why;
    if (strcmp(error, PROVIDER_ONE_HOST) == 0 && hosts_stopped(&account->hosts, item->name, item->type, &why) == NULL &&
        hosts_stop(&account->hosts, item->name, item->type, true, error, detail) == ERR_OK) {
        tell(account, item->name, item->type, true, error, detail);
    }
}

void stops_learn(struct exchange *exchange)
{
    struct engine_account *account = exchange->zone->account;
    for (size_t i = 0; i < exchange->batch.len; i++) {
        struct batch_item *item = &exchange->batch.items[i];
        enum batch_stop stop = hosts_learn(&account->hosts, item, zone_now(exchange->zone));
        if (stop != BATCH_STOP_NONE) {
            tell(account, item->name, item->type, stop == BATCH_STOP_HOST,
                 item->error != NULL ? item->error : item->repeat, item->stop_detail != NULL ? item->stop_detail : "");
        }
    }
}

static void stop_one(struct engine_account *account, const char *error, const char *detail)
{
    account->stopped = true;
    (void)snprintf(account->stop_error, sizeof(account->stop_error), "%s", error);    /* ids are shorter */
    (void)snprintf(account->stop_detail, sizeof(account->stop_detail), "%s", detail); /* cut at one line's cap */
    account_kick(account); /* other zones tell what waits there */
}

void stops_account(struct engine_account *account, const struct verdict *verdict)
{
    stop_one(account, verdict->error, verdict->detail);
    tell(account, "", RRTYPE_A, true, verdict->error, verdict->detail);
    for (struct engine_account *other = account->engine->accounts; other != NULL; other = other->next) {
        if (verdict->everywhere && other != account && !other->stopped &&
            strcmp(other->ops->about.name, account->ops->about.name) == 0 &&
            view_equal_nocase(view_of(other->host), view_of(account->host))) {
            stop_one(other, verdict->error, verdict->detail);
            tell(other, "", RRTYPE_A, true, verdict->error, verdict->detail);
        }
    }
}

enum err engine_account_restore_stop(struct engine_account *account, const struct engine_stop *stop)
{
    if (stop->name[0] == '\0') {
        stop_one(account, stop->error, stop->detail);
        return ERR_OK;
    }
    if (strnlen(stop->name, DNSNAME_SIZE) > DNSNAME_MAX || (stop->type != RRTYPE_A && stop->type != RRTYPE_AAAA)) {
        return ERR_INVALID;
    }
    return hosts_stop(&account->hosts, stop->name, stop->type, stop->both, stop->error, stop->detail);
}

bool engine_account_left(struct engine_account *account, const struct provider_rate *rate, uint64_t *ret_units)
{
    return rate->of == RATE_OF_ACCOUNT &&
           budget_left(&account->budget, rate, loop_now_ms(account->engine->loop), ret_units);
}

void engine_account_status(struct engine_account *account, struct engine_account_status *ret_status)
{
    uint64_t now = loop_now_ms(account->engine->loop);
    bool open = account->breaker.state == BREAKER_OPEN;
    *ret_status = (struct engine_account_status){
        .state = account->stopped ? "broken"
                 : open           ? "backing-off"
                                  : "running",
        .error = account->stopped ? account->stop_error : "",
        .detail = account->stopped ? account->stop_detail : "",
        .requests = account->requests,
        .wait_ms = budget_wait_ms(&account->budget, true, 1, now),
        .limits = &account->limits,
    };
}

size_t engine_account_clear_stops(struct engine_account *account, const char *name)
{
    size_t cleared = hosts_clear(&account->hosts, name, loop_now_ms(account->engine->loop));
    if (name == NULL && account->stopped) {
        account->stopped = false;
        account->stop_error[0] = account->stop_detail[0] = '\0';
        breaker_success(&account->breaker);
        cleared++;
    }
    account_kick(account);
    return cleared;
}
