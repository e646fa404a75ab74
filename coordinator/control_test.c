/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's door, tests of accounts: does the service take the account's credentials, shown by a listing, which
 * changes nothing; and what would be sent for a change, without sending it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/control_private.h"

#define TEST_TTL 60 /* seconds */

struct test_job {
    struct test_job *next;
    struct coordinator *coordinator;
    struct httpd_request *request;
    char account[65], zone[DNSNAME_SIZE];
    uint64_t started_ms; /* mono */
    size_t records;
};

static void count_record(void *context, const char *name, enum rrtype type, uint32_t ttl,
                         const struct rrset_value *value)
{
    struct test_job *job = context;
    (void)name;
    (void)type;
    (void)ttl;
    (void)value;
    job->records++;
}

static void unlink_job(struct test_job *job)
{
    struct test_job **at = &job->coordinator->tests;
    while (*at != job) {
        at = &(*at)->next; /* it is in the list */
    }
    *at = job->next;
}

void control_tests_give_up(struct coordinator *coordinator)
{
    while (coordinator->tests != NULL) {
        struct test_job *job = coordinator->tests;
        coordinator->tests = job->next;
        httpd_reply_error(job->request, 503, "busy", "a reload or the end of the coordinator ended it; try again");
        free(job);
    }
}

static void test_done(void *context, enum err err, const char *detail)
{
    struct test_job *job = context;
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_text(&json, "account", view_of(job->account));
    jsonout_text(&json, "zone", view_of(job->zone));
    jsonout_text(&json, "asked", VIEW_LITERAL("the first page of the records"));
    jsonout_bool(&json, "ok", err == ERR_OK);
    jsonout_text(&json, "error", view_of(err == ERR_OK ? "" : err_name(err)));
    jsonout_text(&json, "detail", view_of(detail != NULL ? detail : ""));
    jsonout_u64(&json, "records", job->records);
    jsonout_u64(&json, "ms", coordinator_now().mono_ms - job->started_ms);
    jsonout_close(&json, '}');
    control_reply(job->request, &out);
    unlink_job(job);
    free(job);
}

static void start_listing(struct coordinator *coordinator, struct httpd_request *request, int account, int zone)
{
    const struct engine_account_config *accounts = coordinator->settings->config.accounts.items;
    struct test_job *job = calloc(1, sizeof(*job));
    enum err err = job == NULL ? ERR_NOMEM : ERR_OK;
    if (job != NULL) {
        *job =
            (struct test_job){.coordinator = coordinator, .request = request, .started_ms = coordinator_now().mono_ms};
        (void)!view_copy(view_of(accounts[account].name), job->account, sizeof(job->account));  /* its row's cap */
        (void)!view_copy(view_of(coordinator->zones[zone].name), job->zone, sizeof(job->zone)); /* the same size */
        const struct engine_listing listing = {
            .each = count_record, .done = test_done, .context = job, .pages_max = 1, .asked = true};
        err = engine_zone_list(coordinator->zones[zone].engine_zone, &listing);
    }
    if (err == ERR_OK) {
        job->next = coordinator->tests;
        coordinator->tests = job;
        return;
    }
    free(job);
    if (err == ERR_UNSUPPORTED) {
        httpd_reply_error(request, 501, "cannot-list", "the service cannot list a zone");
    } else {
        httpd_reply_error(request, err == ERR_STATE ? 409 : 503, "busy",
                          err == ERR_STATE ? "the zone is being listed now; try again" : err_text(err));
    }
}

static void add_lines(struct jsonout *json, const char *key, struct view lines)
{
    struct view line;
    jsonout_open(json, key, '[');
    while (view_next(&lines, '\n', &line)) {
        if (line.len > 0) {
            jsonout_text(json, NULL, line);
        }
    }
    jsonout_close(json, ']');
}

static void add_preview(struct jsonout *json, struct engine_zone *zone, const struct rrset_change *change)
{
    struct engine_preview preview;
    enum err err = engine_zone_preview(zone, change, &preview);
    struct view body = strbuf_view(&preview.body);
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "type", view_of(rrtype_name(change->type)));
    jsonout_value(json, "want", &change->want);
    jsonout_text(json, "error", view_of(err == ERR_OK ? "" : err_name(err)));
    jsonout_text(json, "detail", view_of(preview.impossible));
    jsonout_text(json, "stage", view_of(preview.stage));
    jsonout_text(json, "method", view_of(preview.method));
    jsonout_text(json, "url", strbuf_view(&preview.url));
    add_lines(json, "headers", strbuf_view(&preview.headers));
    jsonout_text(json, "body", view_is_utf8(body) ? body : VIEW_LITERAL("(not text)"));
    jsonout_u64(json, "bytes", preview.bytes);
    jsonout_close(json, '}');
    engine_preview_deinit(&preview);
}

/* With addresses that no service has a use for (RFC 5737, RFC 3849). */
static void preview_host(struct coordinator *coordinator, struct httpd_request *request, int zone, const char *host)
{
    static const struct {
        enum rrtype type;
        const char *address;
    } rows[] = {{RRTYPE_A, "192.0.2.1"}, {RRTYPE_AAAA, "2001:db8::1"}};
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    jsonout_open(&json, NULL, '{');
    jsonout_text(&json, "account", httpd_request_param(request, 0));
    jsonout_text(&json, "zone", view_of(coordinator->zones[zone].name));
    jsonout_text(&json, "host", view_of(host));
    jsonout_bool(&json, "dry_run", true);
    jsonout_open(&json, "requests", '[');
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip;
        if (ip_parse(view_of(rows[i].address), &ip) == ERR_OK) {
            const struct rrset_change change = {
                .name = host, .type = rows[i].type, .ttl = TEST_TTL, .want = rrset_value_of(ip), .have_known = true};
            add_preview(&json, coordinator->zones[zone].engine_zone, &change);
        }
    }
    jsonout_close(&json, ']');
    jsonout_close(&json, '}');
    control_reply(request, &out);
}

/* The zone that the query names, or the account's first; -1 after an error reply. */
static int zone_of(const struct coordinator *coordinator, struct httpd_request *request, int account)
{
    const struct coordinator_config *config = &coordinator->settings->config;
    const struct engine_account_config *accounts = config->accounts.items;
    const struct zone_config *zones = config->zones.items;
    struct view asked = httpd_request_query(request, "zone");
    int wanted = asked.ptr != NULL ? control_zone_index(coordinator, asked) : -1;
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        bool fits = asked.ptr == NULL || (int)i == wanted;
        if (fits && strcmp(zones[i].account, accounts[account].name) == 0) {
            return (int)i;
        }
    }
    httpd_reply_error(request, 404, "no-such-zone",
                      "the account has no such zone: muster provider accounts lists them");
    return -1;
}

void control_test_account(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    struct view host = httpd_request_query(request, "host");
    struct errinfo info = {0};
    char name[DNSNAME_SIZE];
    bool dry;
    if (!control_flag(request, "dry_run", &dry)) {
        return;
    }
    int account = control_account_index(coordinator, httpd_request_param(request, 0));
    if (account < 0) {
        httpd_reply_error(request, 404, "no-such-account",
                          "no account of that name: muster provider accounts lists them");
        return;
    }
    int zone = zone_of(coordinator, request, account);
    if (zone < 0) {
        return;
    }
    if (!dry) {
        control_audit(request, "provider-test", httpd_request_param(request, 0));
        start_listing(coordinator, request, account, zone);
        return;
    }
    if (host.ptr == NULL || dnsname_parse(host, DNSNAME_HOST, name, &info) != ERR_OK ||
        !dnsname_in_zone(view_of(name), view_of(coordinator->zones[zone].name))) {
        char text[DNSNAME_SIZE + 128];
        (void)snprintf(text, sizeof(text), "host must be a name inside %s; zone names another zone of the account",
                       coordinator->zones[zone].name); /* fits */
        httpd_reply_error(request, 400, "bad-name", text);
        return;
    }
    preview_host(coordinator, request, zone, name);
}
