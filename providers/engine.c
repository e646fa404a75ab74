/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "net/dnsquery.h"
#include "providers/engine_internal.h"

enum {
    THRESHOLD = 1, /* failures of a zone or service in a row before it waits */
    REPORT_MAX = 4096,
};

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"applied", "refused", "retry", "unknown"};
    return (size_t)outcome < ARRAY_LEN(names) ? names[outcome] : "?";
}

enum err engine_new(struct loop *loop, struct engine **ret_engine)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return ERR_NOMEM;
    }
    engine->loop = loop;
    engine->next_id = (uint16_t)crypto_random_u64();
    *ret_engine = engine;
    return ERR_OK;
}

static void account_close(struct engine_account *account)
{
    if (account->http != NULL) {
        http_client_close(account);
    }
    link_account_close(account);
    if (account->state != NULL) {
        account->ops->close(account->state);
    }
    template_unref(account->template);
    budget_deinit(&account->budget);
    hosts_deinit(&account->hosts);
    free(account);
}

void engine_account_free(struct engine_account *account)
{
    if (account == NULL) {
        return;
    }
    struct engine_account **at = &account->engine->accounts;
    while (*at != account) {
        at = &(*at)->next;
    }
    *at = account->next;
    account_close(account);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    while (engine->zones != NULL) {
        engine_zone_free(engine->zones);
    }
    while (engine->accounts != NULL) {
        engine_account_free(engine->accounts);
    }
    verify_forget(engine, UINT64_MAX);
    engine_forget_budgets(engine, UINT64_MAX);
    catalogue_unref(engine->catalogue);
    free(engine);
}

static enum err split(const char *text, const char *what, char host[static DNSNAME_SIZE], uint16_t *ret_port,
                      struct errinfo *info)
{
    if (text == NULL) {
        return ERR_OK;
    }
    enum err err = account_split_hostport(text, host, DNSNAME_SIZE, ret_port);
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(info, ERR_INVALID, "config", 0, "%s must be host:port, not %s", what, text);
}

/** Host of "https://host:port/...": which accounts are at the same service. */
static enum err url_host(const char *url, char host[static DNSNAME_SIZE], struct errinfo *info)
{
    struct view rest = view_of(url), scheme, name = {0};
    bool found = view_next(&rest, '/', &scheme) && view_next(&rest, '/', &scheme) && view_next(&rest, '/', &name);
    struct view host_part = name;
    if (found && name.len > 0 && name.ptr[0] != '[') {
        found = view_next(&name, ':', &host_part);
    }
    enum err err = found ? view_copy(host_part, host, DNSNAME_SIZE) : ERR_PARSE;
    return err == ERR_OK ? ERR_OK : errinfo_set(info, ERR_INVALID, "config", 0, "url must have a host: %s", url);
}

static const struct provider_rate *host_rate(const struct provider_limits *limits)
{
    for (size_t i = 0; i < limits->rates_len; i++) {
        if (limits->rates[i].of == RATE_OF_HOST) {
            return &limits->rates[i];
        }
    }
    return NULL;
}

static enum err set_limits(struct engine_account *account, const struct engine_account_config *config, uint64_t now_ms)
{
    account->ops->limits(account->state, &account->limits);
    uint32_t quota = MAX(config->quota, 1u);
    for (size_t i = 0; i < account->limits.rates_len; i++) {
        account->limits.rates[i].period_ms = MAX(account->limits.rates[i].period_ms / quota, 1u);
    }
    const struct provider_rate *host = host_rate(&account->limits);
    if (host != NULL) {
        account->hosts.rate = *host;
        account->hosts.rate.units = MIN(host->units, (uint32_t)HOSTS_RATE_MAX);
    }
    if (config->batch_max != 0) {
        account->limits.batch_max = MIN(account->limits.batch_max, config->batch_max);
    }
    if (config->depth_max != 0) {
        account->limits.depth_max = MIN(account->limits.depth_max, config->depth_max);
    }
    account->timeout_ms = config->timeout;
    account->retry_min_ms = config->retry_min;
    account->retry_max_ms = MAX(config->retry_max, config->retry_min);
    breaker_init(&account->breaker, THRESHOLD, account->retry_min_ms, account->retry_max_ms);
    struct provider_rate own = {
        .what = RATE_CALLS, .units = config->rate, .period_ms = 60 * 1000, .burst = MAX(config->burst, 1u)};
    enum err err = budget_add_all(&account->budget, &account->limits, RATE_OF_ACCOUNT, now_ms);
    return err == ERR_OK && own.units != 0 ? budget_add(&account->budget, &own, now_ms) : err;
}

void engine_use_catalogue(struct engine *engine, struct catalogue *catalogue)
{
    struct catalogue *counted = catalogue_ref(catalogue);
    catalogue_unref(engine->catalogue);
    engine->catalogue = counted;
}

/** What serves the account; the catalogue that is part of the program where nobody gave another. */
static enum err find_ops(struct engine_account *account, const struct engine_account_config *config,
                         struct errinfo *info)
{
    const struct template *template = NULL;
    struct engine *engine = account->engine;
    account->ops = provider_find(view_of(config->provider));
    if (account->ops != NULL) {
        return ERR_OK;
    }
    if (engine->catalogue == NULL) {
        struct strbuf report;
        strbuf_init(&report, REPORT_MAX);
        enum err err = catalogue_new(NULL, &engine->catalogue, &report);
        err = err != ERR_OK ? errinfo_set(info, err, "config", 0, "%s", strbuf_str(&report)) : ERR_OK;
        strbuf_deinit(&report);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct errinfo cause = {0};
    enum err err = catalogue_get(engine->catalogue, config->provider, &account->ops, &template, &cause);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0, "account %s: %s", config->name, cause.text);
    }
    account->template = template_ref(template);
    return ERR_OK;
}

static enum err account_open(struct engine_account *account, const struct engine_account_config *config,
                             struct errinfo *info)
{
    enum err err = find_ops(account, config, info);
    if (err == ERR_OK) {
        err = view_copy(view_of(config->name), account->name, sizeof(account->name));
    }
    if (err != ERR_OK) {
        return err;
    }
    err = split(config->server, "server", account->host, &account->port, info);
    if (err == ERR_OK) {
        err = split(config->verify_server, "verify_server", account->verify_host, &account->verify_port, info);
    }
    account->verify_port = account->verify_port != 0 ? account->verify_port : DNS_PORT;
    const char *url = config->url != NULL ? config->url : account->ops->default_url;
    if (err == ERR_OK && url != NULL && config->server == NULL) {
        err = url_host(url, account->host, info);
    }
    if (err == ERR_OK) {
        err = provider_open(account->ops, config, account->template, &account->state, info);
    }
    if (err == ERR_OK) {
        err = set_limits(account, config, loop_now_ms(account->engine->loop));
    }
    if (err == ERR_OK && account->ops->transport == PROVIDER_HTTP) {
        err = http_client_open(account, config);
    } else if (err == ERR_OK) {
        err = link_account_open(account, config, info);
    }
    return err;
}

enum err engine_account_new(struct engine *engine, const struct engine_account_config *config,
                            struct engine_account **ret_account, struct errinfo *info)
{
    struct engine_account *account = calloc(1, sizeof(*account));
    if (account == NULL) {
        return ERR_NOMEM;
    }
    account->engine = engine;
    enum err err = account_open(account, config, info);
    if (err != ERR_OK) {
        account_close(account);
        return err;
    }
    engine_account_fingerprint(config, account->template, account->fingerprint);
    account_inherit(account);
    account->next = engine->accounts;
    engine->accounts = account;
    *ret_account = account;
    return ERR_OK;
}

enum err engine_zone_new(struct engine *engine, const struct engine_zone_options *options,
                         struct engine_zone **ret_zone)
{
    struct engine_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) {
        return ERR_NOMEM;
    }
    const struct engine_account *account = options->account;
    zone->engine = engine;
    zone->account = options->account;
    enum err err = view_copy(view_of(options->name), zone->name, sizeof(zone->name));
    if (err == ERR_OK) {
        err = loop_timer_new(engine->loop, zone_timer, zone, &zone->timer);
    }
    if (err == ERR_OK && account->ops->asks) {
        err = verify_new(zone);
    }
    if (err == ERR_OK && account->ops->transport == PROVIDER_DNS && account->host[0] == '\0') {
        err = link_new(zone);
    }
    if (err == ERR_OK) {
        err = budget_add_all(&zone->budget, &account->limits, RATE_OF_ZONE, zone_now(zone));
    }
    if (err != ERR_OK) {
        verify_stop(zone);
        find_free(zone->find);
        budget_deinit(&zone->budget);
        loop_timer_free(zone->timer);
        free(zone);
        return err;
    }
    zone_take_budget(zone);
    zone->about = (struct provider_zone){.name = zone->name, .mode = options->mode};
    zone->callbacks = options->callbacks;
    zone->context = options->context;
    zone->groups_tail = &zone->groups;
    zone->wake_ms = zone->follow_ms = UINT64_MAX;
    zone->must_claim = true;
    zone->phase = account->ops->build_claim == NULL ? PHASE_RUNNING : options->deposed ? PHASE_DEPOSED : PHASE_IDLE;
    change_queue_init(&zone->queue, options->mode == ZONE_SHARED);
    adapt_init(&zone->adapt, account->limits.batch_max, account->limits.depth_max, account->limits.adaptive);
    breaker_init(&zone->breaker, THRESHOLD, account->retry_min_ms, account->retry_max_ms);
    zone->next = engine->zones;
    engine->zones = zone;
    *ret_zone = zone;
    zone_kick(zone);
    return ERR_OK;
}

static void abandon(struct engine_zone *zone)
{
    if (zone->in_flight != NULL) {
        breaker_unused(zone_breaker(zone)); /* it may have been the probe */
        account_kick(zone->account);
    }
    while (zone->in_flight != NULL) {
        struct exchange *exchange = zone->in_flight;
        http_abandon(exchange);
        exchange_unlink(exchange);
        exchange_free(exchange);
    }
    while (zone->groups != NULL) {
        struct group *group = zone->groups;
        zone->groups = group->next;
        free(group);
    }
}

void engine_zone_free(struct engine_zone *zone)
{
    if (zone == NULL) {
        return;
    }
    for (struct engine_zone **at = &zone->engine->zones; *at != NULL; at = &(*at)->next) {
        if (*at == zone) {
            *at = zone->next;
            break;
        }
    }
    list_stop(zone);
    list_http_stop(zone);
    verify_hand_over(zone);
    verify_stop(zone);
    link_close(zone);
    find_free(zone->find);
    abandon(zone);
    if (zone->about.cache != NULL) {
        zone->account->ops->cache_free(zone->about.cache);
    }
    change_queue_deinit(&zone->queue);
    zone_keep_budget(zone);
    loop_timer_free(zone->timer);
    free(zone);
}

uint32_t engine_zone_ttl(const struct engine_zone *zone, uint32_t ttl)
{
    const struct provider_limits *limits = &zone->account->limits;
    ttl = MAX(ttl, limits->ttl_min);
    return limits->ttl_max != 0 ? MIN(ttl, limits->ttl_max) : ttl;
}

uint32_t engine_zone_refresh_s(const struct engine_zone *zone)
{
    return zone->account->limits.refresh_s;
}

void engine_on_stop(struct engine *engine, engine_stop_fn stopped, void *context)
{
    engine->stopped = stopped;
    engine->stopped_context = context;
}

enum err engine_zone_submit(struct engine_zone *zone, const struct rrset_change *change)
{
    size_t len = strnlen(change->name, DNSNAME_SIZE);
    if (len == 0 || len > DNSNAME_MAX || (change->type != RRTYPE_A && change->type != RRTYPE_AAAA) ||
        !dnsname_in_zone(view_n(change->name, len), view_of(zone->name))) {
        return ERR_INVALID;
    }
    struct rrset_change taken = *change;
    taken.ttl = engine_zone_ttl(zone, change->ttl);
    enum err err = change_queue_submit(&zone->queue, &taken, zone_now(zone));
    if (err == ERR_OK) {
        verify_take_over(zone);
        if (change->resumed) {
            verify_ask_first(zone, change);
        }
        zone_kick(zone);
    }
    return err;
}
