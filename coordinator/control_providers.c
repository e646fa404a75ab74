/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's door, accounts of DNS services: what each may do, what stopped it, and a person's word that it may go
 * on. */
#include <string.h>

#include "coordinator/control_private.h"
#include "coordinator/stops.h"
#include "providers/provider.h"

enum { ACCOUNTS_REPLY_MAX = 1 << 20 };

static void add_rate(struct jsonout *json, struct engine_account *account, const struct provider_rate *rate)
{
    uint64_t left;
    static const char *const of[] = {"account", "zone", "host"}, *const what[] = {"calls", "writes", "changes"};
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "of", view_of(of[rate->of]));
    jsonout_text(json, "what", view_of(what[rate->what]));
    jsonout_u64(json, "units", rate->units);
    jsonout_u64(json, "period_ms", rate->period_ms);
    jsonout_u64(json, "burst", rate->burst);
    if (engine_account_left(account, rate, &left)) {
        jsonout_u64(json, "left", left);
    }
    jsonout_close(json, '}');
}

static void add_limits(struct jsonout *json, struct engine_account *account, const struct provider_limits *limits)
{
    jsonout_open(json, "limits", '{');
    jsonout_u64(json, "batch_max", limits->batch_max);
    jsonout_u64(json, "depth_max", limits->depth_max);
    jsonout_u64(json, "account_max", limits->account_max);
    jsonout_u64(json, "ttl_min", limits->ttl_min);
    jsonout_u64(json, "ttl_max", limits->ttl_max);
    jsonout_u64(json, "refresh_s", limits->refresh_s);
    jsonout_open(json, "rates", '[');
    for (size_t i = 0; i < limits->rates_len; i++) {
        add_rate(json, account, &limits->rates[i]);
    }
    jsonout_close(json, ']');
    jsonout_close(json, '}');
}

/* What is wrong with one of the account's zones, where nothing is wrong with the account itself. */
static void look_at_zones(const struct coordinator *coordinator, const char *account,
                          struct engine_account_status *status)
{
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    for (size_t i = 0; i < coordinator->zones_len && status->error[0] == '\0'; i++) {
        struct engine_zone_status zone;
        engine_zone_status(coordinator->zones[i].engine_zone, &zone);
        if (strcmp(zones[i].account, account) == 0 && zone.error[0] != '\0') {
            status->error = zone.error;
            status->detail = zone.last_error;
        }
    }
}

static void add_account(struct jsonout *json, const struct coordinator *coordinator, size_t index)
{
    const struct coordinator_config *config = &coordinator->settings->config;
    const struct engine_account_config *account = (const struct engine_account_config *)config->accounts.items + index;
    const struct zone_config *zones = config->zones.items;
    struct engine_account_status status;
    engine_account_status(coordinator->accounts[index], &status);
    look_at_zones(coordinator, account->name, &status);
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "name", view_of(account->name));
    jsonout_text(json, "provider", view_of(account->provider));
    jsonout_text(json, "state", view_of(status.state));
    jsonout_text(json, "error", view_of(status.error));
    jsonout_text(json, "detail", view_of(status.detail));
    jsonout_u64(json, "requests", status.requests);
    jsonout_u64(json, "wait_ms", status.wait_ms);
    jsonout_open(json, "zones", '[');
    for (size_t i = 0; i < config->zones.len; i++) {
        if (strcmp(zones[i].account, account->name) == 0) {
            jsonout_text(json, NULL, view_of(zones[i].name));
        }
    }
    jsonout_close(json, ']');
    add_limits(json, coordinator->accounts[index], status.limits);
    jsonout_close(json, '}');
}

void control_get_accounts(void *context, struct httpd_request *request)
{
    const struct coordinator *coordinator = context;
    struct strbuf out;
    strbuf_init(&out, ACCOUNTS_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_open(&json, "accounts", '[');
    for (size_t i = 0; i < coordinator->settings->config.accounts.len; i++) {
        add_account(&json, coordinator, i);
    }
    jsonout_close(&json, ']');
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

static void add_stop(void *context, const struct store_stop *stop)
{
    struct jsonout *json = context;
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "account", view_of(stop->account));
    jsonout_text(json, "name", view_of(stop->name));
    jsonout_text(json, "type", view_of(stop->name[0] == '\0' || stop->both ? "" : rrtype_name(stop->type)));
    jsonout_text(json, "error", view_of(stop->error));
    jsonout_text(json, "detail", view_of(stop->detail));
    jsonout_time(json, "since", stop->at_ms);
    jsonout_close(json, '}');
}

void control_get_stops(void *context, struct httpd_request *request)
{
    const struct coordinator *coordinator = context;
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_open(&json, "stops", '[');
    stops_each(coordinator->stops, add_stop, &json);
    jsonout_close(&json, ']');
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

int control_account_index(const struct coordinator *coordinator, struct view name)
{
    const struct engine_account_config *accounts = coordinator->settings->config.accounts.items;
    for (size_t i = 0; i < coordinator->settings->config.accounts.len; i++) {
        if (view_equals(name, accounts[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

/* What was refused meanwhile is compared with the registry again, as after a reload, and sent. */
void control_resume_account(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    struct view text = httpd_request_query(request, "name");
    char name[DNSNAME_SIZE];
    struct errinfo info = {0};
    int account = control_account_index(coordinator, httpd_request_param(request, 0));
    if (account < 0) {
        httpd_reply_error(request, 404, "no-such-account",
                          "no account of that name: muster provider accounts lists them");
        return;
    }
    if (text.ptr != NULL && dnsname_parse(text, DNSNAME_RECORD, name, &info) != ERR_OK) {
        httpd_reply_error(request, 400, "bad-name", info.text);
        return;
    }
    control_audit(request, "provider-resume", httpd_request_param(request, 0));
    size_t lifted = stops_clear(coordinator->stops, (size_t)account, text.ptr != NULL ? name : NULL);
    core_resubmit(coordinator->core, coordinator_now());
    loader_reconcile(coordinator->loader);
    struct strbuf out;
    strbuf_init(&out, 256);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_u64(&json, "lifted", lifted);
    jsonout_close(&json, '}');
    control_reply(request, &out);
}
