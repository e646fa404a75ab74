/* SPDX-License-Identifier: Apache-2.0 */
/* records: answered when the store's worker is through. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/control_private.h"
#include "providers/hosts.h"

/* A zone that writes nothing now: copied, since the page is written by the worker. */
struct trouble {
    char zone[DNSNAME_SIZE], error[HOSTS_CODE_MAX];
};

struct record_job {
    struct coordinator *coordinator;
    struct httpd_request *request;
    char zone[DNSNAME_SIZE], device[DEVICE_ID_MAX + 1], after_zone[DNSNAME_SIZE], after_name[DNSNAME_SIZE];
    enum rrtype after_type;
    bool pending_only, zone_unknown;
    size_t limit, taken;
    struct strbuf out;
    struct jsonout json;
    char last[2 * DNSNAME_SIZE + 16];
    enum err err;
    struct trouble *troubles; /* owned; of a list */
    size_t troubles_len;
    /* adopt, retry */
    char name[DNSNAME_SIZE];
    enum rrtype type;
    bool adopt, found;
    struct store_record record;
};

static void free_job(struct record_job *job)
{
    strbuf_deinit(&job->out);
    free(job->troubles);
    free(job);
}

/* Which zones write nothing now, and why. */
static enum err note_troubles(struct record_job *job)
{
    const struct coordinator *coordinator = job->coordinator;
    job->troubles = calloc(coordinator->zones_len + 1, sizeof(*job->troubles));
    for (size_t i = 0; job->troubles != NULL && i < coordinator->zones_len; i++) {
        struct engine_zone_status status;
        engine_zone_status(coordinator->zones[i].engine_zone, &status);
        if (status.error[0] != '\0') {
            struct trouble *trouble = &job->troubles[job->troubles_len++];
            memcpy(trouble->zone, coordinator->zones[i].name, sizeof(trouble->zone));
            (void)snprintf(trouble->error, sizeof(trouble->error), "%s", status.error); /* the same size */
        }
    }
    return job->troubles != NULL ? ERR_OK : ERR_NOMEM;
}

static const char *trouble_of(const struct record_job *job, const struct store_record *record)
{
    for (size_t i = 0; record->want_rev > record->have_rev && i < job->troubles_len; i++) {
        if (strcmp(job->troubles[i].zone, record->zone) == 0) {
            return job->troubles[i].error;
        }
    }
    return "";
}

static enum err write_record(void *context, const struct store_record *record)
{
    struct record_job *job = context;
    struct jsonout *json = &job->json;
    if (job->name[0] != '\0' && strcmp(job->name, record->name) != 0) {
        return ERR_LIMIT; /* behind the last of the name */
    }
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "zone", view_of(record->zone));
    jsonout_text(json, "name", view_of(record->name));
    jsonout_text(json, "type", view_of(rrtype_name(record->type)));
    jsonout_text(json, "device", view_of(record->device));
    jsonout_u64(json, "ttl", record->ttl);
    jsonout_value(json, "want", &record->want);
    jsonout_bool(json, "tombstone", record->want_null);
    jsonout_value(json, "have", &record->have);
    jsonout_u64(json, "rev", record->want_rev);
    jsonout_bool(json, "pending", record->want_rev > record->have_rev);
    jsonout_text(json, "error", view_of(record->error));
    jsonout_text(json, "zone_error", view_of(trouble_of(job, record)));
    jsonout_u64(json, "attempts", record->attempts);
    jsonout_time(json, "changed", record->changed_ms);
    jsonout_time(json, "applied", record->applied_ms);
    jsonout_close(json, '}');
    job->taken++;
    (void)snprintf(job->last, sizeof(job->last), "%s/%s/%d", record->zone, record->name, (int)record->type); /* fits */
    return strbuf_error(&job->out);
}

static void list_work(void *context)
{
    struct record_job *job = context;
    const struct store_record_query query = {
        .zone = job->zone[0] != '\0' ? job->zone : NULL,
        .device = job->device[0] != '\0' ? job->device : NULL,
        .pending_only = job->pending_only,
        .after_zone = job->after_zone[0] != '\0' ? job->after_zone : NULL,
        .after_name = job->after_zone[0] != '\0' ? job->after_name : NULL,
        .after_type = job->after_type,
        .limit = job->limit,
    };
    jsonout_open(&job->json, NULL, '{');
    jsonout_open(&job->json, "records", '[');
    job->err = job->coordinator->store_ops->each_record(job->coordinator->store, &query, write_record, job);
    jsonout_close(&job->json, ']');
    if (job->taken == job->limit && job->name[0] == '\0') {
        jsonout_text(&job->json, "next", view_of(job->last));
    }
    jsonout_close(&job->json, '}');
}

static void list_done(void *context)
{
    struct record_job *job = context;
    if (job->err != ERR_OK && job->err != ERR_LIMIT) {
        httpd_reply_error(job->request, 500, "store-failed", err_text(job->err));
    } else if (job->zone_unknown && job->taken == 0 && job->after_zone[0] == '\0') {
        httpd_reply_error(job->request, 404, "no-such-zone", CONTROL_NO_SUCH_ZONE);
    } else {
        control_reply(job->request, &job->out);
    }
    free_job(job);
}

static bool copy_query(struct httpd_request *request, const char *key, char *buffer, size_t size)
{
    struct view value = httpd_request_query(request, key);
    return view_copy(value, buffer, size) == ERR_OK;
}

/* zone=: one that is configured, in its own spelling, or one that was, and has records still. */
static bool parse_zone(struct httpd_request *request, struct record_job *job)
{
    struct view text = httpd_request_query(request, "zone");
    struct errinfo info = {0};
    if (text.ptr == NULL) {
        return true;
    }
    job->zone_unknown = control_zone_index(job->coordinator, text) < 0;
    return dnsname_parse(text, DNSNAME_RECORD, job->zone, &info) == ERR_OK;
}

/* "zone/name/type", as `next` gives it. */
static bool parse_cursor(struct httpd_request *request, struct record_job *job)
{
    struct view rest = httpd_request_query(request, "after");
    struct view zone;
    struct view name;
    uint64_t type = 0;
    if (rest.ptr == NULL) {
        return true;
    }
    if (!view_next(&rest, '/', &zone) || !view_next(&rest, '/', &name) ||
        view_to_u64(rest, UINT16_MAX, &type) != ERR_OK) {
        return false;
    }
    job->after_type = (enum rrtype)type;
    return view_copy(zone, job->after_zone, sizeof(job->after_zone)) == ERR_OK &&
           view_copy(name, job->after_name, sizeof(job->after_name)) == ERR_OK;
}

/* name=: the page that starts right before the name's first type, in the zone it lies in. False after an error reply.
 */
static bool parse_name(struct httpd_request *request, struct record_job *job)
{
    struct errinfo info = {0};
    struct view name = httpd_request_query(request, "name");
    if (name.ptr == NULL) {
        return true;
    }
    if (dnsname_parse(name, DNSNAME_HOST, job->name, &info) != ERR_OK) {
        httpd_reply_error(request, 400, "bad-name", info.text);
        return false;
    }
    int zone = registry_zone_of(core_registry(job->coordinator->core), view_of(job->name));
    if (zone < 0) {
        httpd_reply_error(request, 404, "no-such-record", "the name lies in none of the zones");
        return false;
    }
    const struct zone_config *zones = job->coordinator->settings->config.zones.items;
    (void)!view_copy(view_of(zones[zone].name), job->zone,
                     sizeof(job->zone)); /* a configured zone fits, and a parsed */
    (void)!view_copy(view_of(zones[zone].name), job->after_zone, sizeof(job->after_zone)); /* name does */
    (void)!view_copy(view_of(job->name), job->after_name, sizeof(job->after_name));
    job->after_type = 0; /* below every type */
    return true;
}

static struct record_job *new_job(struct coordinator *coordinator, struct httpd_request *request)
{
    struct record_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        httpd_reply_error(request, 500, "out-of-memory", NULL);
        return NULL;
    }
    job->coordinator = coordinator;
    job->request = request;
    strbuf_init(&job->out, CONTROL_REPLY_MAX);
    job->json.out = &job->out;
    return job;
}

static void submit(struct record_job *job, loop_fn work, loop_fn done)
{
    if (loop_worker_submit(job->coordinator->worker, work, done, job) != ERR_OK) {
        httpd_reply_error(job->request, 503, "busy", "the store's queue is full; try again");
        free_job(job);
    }
}

void control_get_records(void *context, struct httpd_request *request)
{
    size_t limit;
    bool pending_only;
    if (!control_limit(request, &limit) || !control_flag(request, "pending", &pending_only)) {
        return;
    }
    struct record_job *job = new_job(context, request);
    if (job == NULL) {
        return;
    }
    job->limit = limit;
    job->pending_only = pending_only;
    if (note_troubles(job) != ERR_OK) {
        httpd_reply_error(request, 500, "out-of-memory", NULL);
        free_job(job);
        return;
    }
    if (!parse_zone(request, job) || !copy_query(request, "device", job->device, sizeof(job->device)) ||
        !parse_cursor(request, job)) {
        httpd_reply_error(request, 400, "bad-query", "zone, device and after are as the answers give them");
        free_job(job);
        return;
    }
    if (!parse_name(request, job)) {
        free_job(job);
        return;
    }
    submit(job, list_work, list_done);
}

bool control_is_loading(const struct coordinator *coordinator, struct httpd_request *request)
{
    bool loading = strcmp(loader_state(coordinator->loader), "loading") == 0;
    if (loading) {
        httpd_reply_error(request, 503, "busy", "loading: the store is still being read; try again");
    }
    return loading;
}

/* ---- one record ---- */

static enum err keep_record(void *context, const struct store_record *record)
{
    struct record_job *job = context;
    if (record->type != job->type || strcmp(record->name, job->name) != 0) {
        return ERR_LIMIT; /* behind the place where it would stand */
    }
    job->record = *record;
    job->found = true;
    bool fits = view_copy(view_of(record->zone), job->zone, sizeof(job->zone)) == ERR_OK &&
                view_copy(view_of(record->device), job->device, sizeof(job->device)) == ERR_OK;
    job->record.zone = job->zone;
    job->record.name = job->name;
    job->record.device = job->device[0] != '\0' ? job->device : NULL;
    job->record.error = "";
    return fits ? ERR_LIMIT : ERR_CORRUPT;
}

static void find_work(void *context)
{
    struct record_job *job = context;
    /* the page starts right before (zone, name, type): types are ordered numbers, and none is below 1 */
    const struct store_record_query query = {.zone = job->after_zone,
                                             .after_zone = job->after_zone,
                                             .after_name = job->name,
                                             .after_type = (enum rrtype)((int)job->type - 1),
                                             .limit = 1};
    job->err = job->coordinator->store_ops->each_record(job->coordinator->store, &query, keep_record, job);
}

/* Why a record that is on its way is not through: its account may be stopped, and then it will not be. */
static void reply_moving(const struct record_job *job)
{
    const struct coordinator *coordinator = job->coordinator;
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    int zone = control_zone_index(coordinator, view_of(job->after_zone));
    int account = zone < 0 ? -1 : control_account_index(coordinator, view_of(zones[zone].account));
    struct engine_account_status status = {.error = ""};
    char text[PROVIDER_DETAIL_MAX + 128];
    if (account >= 0) {
        engine_account_status(coordinator->accounts[account], &status);
    }
    if (status.error[0] == '\0') {
        httpd_reply_error(job->request, 409, "moving", "the record is being written now");
        return;
    }
    (void)snprintf(text, sizeof(text), "account %s is stopped: %s", zones[zone].account,
                   status.detail); /* cut is fine */
    httpd_reply_error(job->request, 409, "stopped", text);
}

static void find_done(void *context)
{
    struct record_job *job = context;
    enum err err = job->err == ERR_LIMIT ? ERR_OK : job->err;
    if (err == ERR_OK && !job->found) {
        httpd_reply_error(job->request, 404, "no-such-record", "Muster holds no such record; see muster record list");
        free_job(job);
        return;
    }
    if (err == ERR_OK) {
        err = core_rewrite(job->coordinator->core, coordinator_now(), &job->record, job->adopt);
        core_flush(job->coordinator->core, coordinator_now());
    }
    if (err == ERR_EXISTS || err == ERR_AGAIN) {
        reply_moving(job);
    } else if (err != ERR_OK) {
        httpd_reply_error(job->request, 500, "failed", err_text(err));
    } else {
        httpd_reply_json(job->request, 202, VIEW_LITERAL("{\"state\":\"submitted\"}"));
    }
    free_job(job);
}

static void rewrite_record(struct coordinator *coordinator, struct httpd_request *request, bool adopt)
{
    struct errinfo info = {0};
    struct view type = httpd_request_query(request, "type");
    struct record_job *job = control_is_loading(coordinator, request) ? NULL : new_job(coordinator, request);
    if (job == NULL) {
        return;
    }
    job->adopt = adopt;
    job->type = view_equals(type, "AAAA") ? RRTYPE_AAAA : RRTYPE_A;
    enum err err = dnsname_parse(httpd_request_param(request, 0), DNSNAME_HOST, job->name, &info);
    int zone = err == ERR_OK ? registry_zone_of(core_registry(coordinator->core), view_of(job->name)) : -1;
    if (zone < 0 || (type.ptr != NULL && !view_equals(type, "A") && !view_equals(type, "AAAA"))) {
        httpd_reply_error(request, 400, "bad-record", "give a name inside one of the zones, and type=A or type=AAAA");
        free_job(job);
        return;
    }
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    (void)!view_copy(view_of(zones[zone].name), job->after_zone, sizeof(job->after_zone)); /* a configured zone fits */
    control_audit(request, adopt ? "record-adopt" : "record-retry", view_of(job->name));
    submit(job, find_work, find_done);
}

void control_adopt_record(void *context, struct httpd_request *request)
{
    rewrite_record(context, request, true);
}

void control_retry_record(void *context, struct httpd_request *request)
{
    rewrite_record(context, request, false);
}
