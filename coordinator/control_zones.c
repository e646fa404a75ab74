/* SPDX-License-Identifier: Apache-2.0 */
/* zone work: comparing, repairing, applying what was reviewed; answered when the sweep is through. */
#include <stdlib.h>

#include "coordinator/control_private.h"
#include "coordinator/zoneplan.h"

static void add_difference(struct jsonout *json, const struct sweep_difference *difference)
{
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "kind", view_of(difference->kind));
    jsonout_text(json, "name", view_of(difference->name));
    jsonout_text(json, "type", view_of(rrtype_name(difference->type)));
    jsonout_value(json, "zone", &difference->have);
    jsonout_u64(json, "zone_ttl", difference->have_ttl);
    jsonout_value(json, "want", &difference->want);
    jsonout_u64(json, "ttl", difference->want_ttl);
    jsonout_close(json, '}');
}

/* What a sweep or a plan waits for. */
struct zone_job {
    struct coordinator *coordinator;
    struct httpd_request *request;
    struct zoneplan *plan; /* owned; NULL = none */
    char zone[DNSNAME_SIZE];
    bool dry;
};

static void free_job(struct zone_job *job)
{
    zoneplan_free(job->plan);
    free(job);
}

/* What became of each change of the plan. */
static void add_fates(struct jsonout *json, const struct zone_job *job, bool stopped)
{
    jsonout_open(json, "changes", '[');
    for (size_t i = 0; i < job->plan->len; i++) {
        const struct zoneplan_item *item = &job->plan->items[i];
        const char *held = stopped ? "held" : job->dry ? "would-apply" : NULL;
        jsonout_open(json, NULL, '{');
        jsonout_text(json, "kind", view_of(item->change.kind));
        jsonout_text(json, "name", view_of(item->change.name));
        jsonout_text(json, "type", view_of(rrtype_name(item->change.type)));
        jsonout_text(json, "result",
                     view_of(held != NULL && item->fate == ZONEPLAN_APPLY ? held : zoneplan_fate_name(item->fate)));
        jsonout_value(json, "zone", &item->change.have);
        jsonout_value(json, "want", &item->change.want);
        jsonout_close(json, '}');
    }
    jsonout_close(json, ']');
}

static void add_differences(struct jsonout *json, const struct sweep_result *result)
{
    jsonout_open(json, "differences", '[');
    for (size_t i = 0; i < result->differences_len; i++) {
        add_difference(json, &result->differences[i]);
    }
    jsonout_close(json, ']');
}

/* A plan is for one zone and one store, for a while. */
static void add_origin(struct jsonout *json, const struct zone_job *job)
{
    char uuid[STORE_UUID_SIZE];
    int64_t now_ms = coordinator_now().wall_ms;
    job->coordinator->store_ops->uuid(job->coordinator->store, uuid);
    jsonout_text(json, "name", view_of(job->zone));
    jsonout_text(json, "store", view_of(uuid));
    jsonout_time(json, "time", now_ms);
    jsonout_u64(json, "time_ms", (uint64_t)now_ms);
}

static void sweep_done(void *context, const struct sweep_result *result)
{
    struct zone_job *job = context;
    struct httpd_request *request = job->request;
    if (result->err != ERR_OK) {
        httpd_reply_error(request, 502, "sweep-failed",
                          result->detail[0] != '\0' ? result->detail : err_text(result->err));
        free_job(job);
        return;
    }
    struct strbuf out;
    strbuf_init(&out, CONTROL_REPLY_MAX);
    struct jsonout json = {.out = &out};
    bool stopped = job->plan != NULL ? result->guard != DRIFT_GUARD_PASS : result->stopped;
    jsonout_open(&json, NULL, '{');
    add_origin(&json, job);
    jsonout_u64(&json, "existing", result->tally.existing);
    jsonout_u64(&json, "missing", result->tally.missing);
    jsonout_u64(&json, "wrong", result->tally.wrong);
    jsonout_u64(&json, "deletions", result->tally.deletions);
    jsonout_u64(&json, "foreign", result->tally.foreign);
    jsonout_u64(&json, "unknown", result->tally.unknown);
    jsonout_u64(&json, "refreshed", result->tally.refreshed);
    jsonout_bool(&json, "stopped", stopped);
    jsonout_text(&json, "reason", view_of(drift_guard_name(result->guard)));
    jsonout_u64(&json, "more", result->differences_more);
    if (job->plan != NULL) {
        jsonout_bool(&json, "dry_run", job->dry);
        jsonout_u64(&json, "applied", result->applied);
        add_fates(&json, job, stopped);
    } else {
        add_differences(&json, result);
    }
    jsonout_close(&json, '}');
    control_reply(request, &out);
    free_job(job);
}

/* The zone that the path names; -1 after an error reply. */
static int find_zone(const struct coordinator *coordinator, struct httpd_request *request)
{
    int zone = control_zone_index(coordinator, httpd_request_param(request, 0));
    if (zone < 0) {
        httpd_reply_error(request, 404, "no-such-zone", CONTROL_NO_SUCH_ZONE);
    }
    return zone;
}

/* The plan of the order is taken. */
static void run_sweep(struct coordinator *coordinator, struct httpd_request *request, int zone,
                      const struct sweep_order *order)
{
    struct zone_job *job = calloc(1, sizeof(*job));
    enum err err = job == NULL ? ERR_NOMEM : ERR_OK;
    if (job != NULL) {
        *job =
            (struct zone_job){.coordinator = coordinator, .request = request, .plan = order->plan, .dry = order->dry};
        (void)!view_copy(view_of(coordinator->zones[zone].name), job->zone, sizeof(job->zone)); /* as big as that */
        err = sweeper_run(coordinator->sweeper, (uint16_t)zone, order, sweep_done, job);
    }
    if (err == ERR_OK) {
        return;
    }
    if (err == ERR_DENIED) {
        httpd_reply_error(request, 409, "account-stopped",
                          "the zone's account is stopped, its service not asked: muster provider accounts says why");
    } else {
        httpd_reply_error(request, err == ERR_STATE ? 409 : 503, "busy",
                          err == ERR_STATE ? "a sweep of this zone runs, or its writer is not ready; try again"
                                           : err_text(err));
    }
    zoneplan_free(order->plan);
    free(job);
}

void control_diff_zone(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    int zone = find_zone(coordinator, request);
    if (zone >= 0) {
        run_sweep(coordinator, request, zone, &(const struct sweep_order){0});
    }
}

void control_sweep_zone(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    struct sweep_order order = {.apply = true};
    if (!control_flag(request, "force", &order.force)) {
        return;
    }
    int zone = find_zone(coordinator, request);
    if (zone >= 0 && !control_is_loading(coordinator, request)) {
        control_audit(request, order.force ? "zone-sweep-force" : "zone-sweep", httpd_request_param(request, 0));
        run_sweep(coordinator, request, zone, &order);
    }
}

/* The plan of the body, which is for this zone, this store and now; NULL after an error reply. */
static struct zoneplan *take_plan(struct coordinator *coordinator, struct httpd_request *request, int zone)
{
    char uuid[STORE_UUID_SIZE];
    struct errinfo info = {0};
    struct zoneplan *plan = NULL;
    enum err err = zoneplan_parse(httpd_request_body(request), &plan, &info);
    if (err != ERR_OK) {
        httpd_reply_error(request, err == ERR_NOMEM ? 503 : 400, "bad-plan",
                          info.text[0] != '\0' ? info.text : err_text(err));
        return NULL;
    }
    coordinator->store_ops->uuid(coordinator->store, uuid);
    err = zoneplan_check(plan, coordinator->zones[zone].name, uuid, coordinator_now().wall_ms, &info);
    if (err != ERR_OK) {
        httpd_reply_error(request, err == ERR_INVALID ? 400 : 412, err == ERR_INVALID ? "bad-plan" : "stale-plan",
                          info.text);
        zoneplan_free(plan);
        return NULL;
    }
    return plan;
}

void control_apply_zone(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    struct sweep_order order = {.apply = true};
    if (!control_flag(request, "force", &order.force) || !control_flag(request, "dry_run", &order.dry)) {
        return;
    }
    int zone = find_zone(coordinator, request);
    if (zone < 0 || control_is_loading(coordinator, request)) {
        return;
    }
    order.plan = take_plan(coordinator, request, zone);
    if (order.plan != NULL) {
        if (!order.dry) {
            control_audit(request, order.force ? "zone-apply-force" : "zone-apply", httpd_request_param(request, 0));
        }
        run_sweep(coordinator, request, zone, &order);
    }
}

void control_resume_zone(void *context, struct httpd_request *request)
{
    struct coordinator *coordinator = context;
    int zone = find_zone(coordinator, request);
    if (zone < 0) {
        return;
    }
    control_audit(request, "zone-resume", httpd_request_param(request, 0));
    coordinator->zones[zone].deposed = false;
    engine_zone_resume(coordinator->zones[zone].engine_zone);
    httpd_reply_json(request, 202, VIEW_LITERAL("{\"state\":\"claiming\"}"));
}
