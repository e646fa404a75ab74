/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's door: HTTP over a unix socket, whose permissions are the right to use it, and /metrics and /healthz on
 * loopback. Every call that asks the store goes through the worker, the request waits. Every writing call is an event
 * in the store with the caller's uid, and takes dry_run=1: everything is done, said, and not kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_checks.h"
#include "base/log.h"
#include "provisioner/control_private.h"

#define LEDGER_BODY_MAX   ((size_t)1 << 20)
#define MANIFEST_BODY_MAX ((size_t)8 * 1024)
#define ACT_BODY_MAX      ((size_t)4096)

static void call_free(struct call *call)
{
    strbuf_deinit(&call->out);
    json_decref(call->body);
    free(call);
}

void control_refuse(struct call *call, unsigned status, const char *id, const char *message)
{
    httpd_reply_error(call->request, status, id, message);
    call_free(call);
}

/** A yes of the query: exactly "1", absent is no. */
static bool flag(struct call *call, const char *name, bool *ret_set)
{
    struct view text = httpd_request_query(call->request, name);
    if (text.ptr != NULL && !view_equals(text, "1")) {
        control_refuse(call, 400, "bad-query", "a flag is 1, or it is left out");
        return false;
    }
    *ret_set = text.ptr != NULL;
    return true;
}

struct call *control_call(struct provisioner *provisioner, struct httpd_request *request, call_fn fn, bool writes)
{
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        httpd_reply_error(request, 500, "out-of-memory", NULL);
        return NULL;
    }
    call->provisioner = provisioner;
    call->request = request;
    call->fn = fn;
    call->writes = writes;
    call->life = -1;
    call->limit = CONTROL_PAGE_ITEMS;
    call->reply.status = 200;
    strbuf_init(&call->out, CONTROL_REPLY_MAX);
    (void)snprintf(call->actor, sizeof(call->actor), "uid:%u", (unsigned)httpd_request_peer(request).uid); /* fits */
    call->caller = (struct desk_caller){.actor = call->actor, .reply = &call->reply};
    if (writes && !flag(call, "dry_run", &call->dry)) {
        return NULL;
    }
    if (view_copy(httpd_request_param(request, 0), call->id, sizeof(call->id)) != ERR_OK) {
        control_refuse(call, 404, "not-found", "no such name");
        return NULL;
    }
    return call;
}

static bool text_of(struct call *call, const char *name, char *buffer)
{
    if (view_copy(httpd_request_query(call->request, name), buffer, CONTROL_TEXT) == ERR_OK) {
        return true;
    }
    control_refuse(call, 400, "bad-query", "a name in the query is too long");
    return false;
}

bool control_page(struct call *call)
{
    uint64_t limit = CONTROL_PAGE_ITEMS;
    struct view text = httpd_request_query(call->request, "limit");
    if (text.ptr != NULL && (view_to_u64(text, CONTROL_PAGE_MAX, &limit) != ERR_OK || limit == 0)) {
        control_refuse(call, 400, "bad-query", "limit is a number from 1 to 1000");
        return false;
    }
    call->limit = (size_t)limit;
    return text_of(call, "after", call->after) && text_of(call, "match", call->match) &&
           text_of(call, "device", call->device);
}

void control_item(struct page *page, struct view key)
{
    page->len++;
    (void)!view_copy(key, page->last, sizeof(page->last)); /* names are shorter */
}

void control_page_end(struct page *page)
{
    if (page->len == page->call->limit) {
        jsonout_text(page->json, "next", view_of(page->last));
    }
}

/* ---- through the worker ---- */

static void call_work(void *context)
{
    struct call *call = context;
    struct desk *desk = call->provisioner->desk;
    struct jsonout json = {.out = &call->out};
    call->caller.now = provisioner_now();
    jsonout_open(&json, NULL, '{');
    call->err = call->writes ? desk_begin(desk) : ERR_OK;
    if (call->err == ERR_OK) {
        call->err = call->fn(call, &json);
        if (call->writes && call->dry && call->err == ERR_OK) {
            jsonout_bool(&json, "dry_run", true);
            (void)!desk_end(desk, ERR_STATE); /* rolled back: that is what was asked for */
        } else if (call->writes) {
            call->err = desk_end(desk, call->err);
        }
    }
    jsonout_close(&json, '}');
    if (call->err != ERR_OK && call->reply.status == 200) {
        call->reply.status = 500;
        call->reply.id = "store-failed";
        call->reply.info = *desk_error(desk);
    }
}

static void audit(const struct call *call)
{
    char quoted[LOG_QUOTED_SIZE];
    struct view path = httpd_request_path(call->request);
    log_event(LOG_LEVEL_NOTICE, "audit", "path=%s actor=%s status=%u", log_quote(path.ptr, path.len, quoted),
              call->actor, call->reply.status);
}

static void call_done(void *context)
{
    struct call *call = context;
    struct provisioner *provisioner = call->provisioner;
    if (call->writes && !call->dry) {
        audit(call);
    }
    if (call->reply.status != 200) {
        httpd_reply_error(call->request, call->reply.status, call->reply.id, call->reply.info.text);
    } else if (strbuf_error(&call->out) != ERR_OK) {
        httpd_reply_error(call->request, 500, "too-large", "the answer is too large; ask for fewer items with limit=");
    } else {
        httpd_reply_json(call->request, 200, strbuf_view(&call->out));
    }
    bool wrote = call->writes && !call->dry && call->err == ERR_OK;
    call_free(call);
    if (wrote) { /* a revocation starts now and not with the next tick */
        chores_tick(provisioner);
        chores_feed(provisioner);
    }
}

void control_submit(struct call *call)
{
    if (loop_worker_submit(call->provisioner->worker, call_work, call_done, call) != ERR_OK) {
        control_refuse(call, 503, "busy", "the store has too much to do; try again");
    }
}

/* ---- status ---- */

static void link_json(struct jsonout *json, const char *key, const struct link *link)
{
    jsonout_text(json, key,
                 view_of(link->session == NULL                 ? "none"
                         : session_is_connected(link->session) ? "connected"
                                                               : "disconnected"));
}

static void get_status(void *context, struct httpd_request *request)
{
    struct provisioner *provisioner = context;
    struct strbuf out;
    struct jsonout json = {.out = &out};
    strbuf_init(&out, CONTROL_REPLY_MAX);
    jsonout_open(&json, NULL, '{');
    jsonout_text(&json, "version", view_of(MUSTER_VERSION));
    jsonout_text(&json, "feed", view_of(store_uuid(desk_store(provisioner->desk))));
    jsonout_u64(&json, "uptime_ms", clock_mono_ms() - provisioner->started_ms);
    link_json(&json, "prov", &provisioner->prov);
    link_json(&json, "core", &provisioner->core);
    jsonout_text(&json, "store", view_of(provisioner->store_err == ERR_OK ? "ok" : err_name(provisioner->store_err)));
    jsonout_u64(&json, "rev", provisioner->rev);
    jsonout_u64(&json, "told", provisioner->told);
    jsonout_u64(&json, "revoking", provisioner->revoking);
    jsonout_open(&json, "devices", '{');
    for (int i = 0; i < LIVES; i++) {
        jsonout_u64(&json, life_name((enum life)i), provisioner->lives[i]);
    }
    jsonout_close(&json, '}');
    jsonout_open(&json, "certificates", '{');
    for (int i = 0; i < CERT_STATES; i++) {
        jsonout_u64(&json, cert_state_name((enum cert_state)i), provisioner->certs[i]);
    }
    jsonout_close(&json, '}');
    jsonout_close(&json, '}');
    httpd_reply_json(request, 200, strbuf_view(&out));
    strbuf_deinit(&out);
}

static void get_metrics(void *context, struct httpd_request *request)
{
    struct strbuf out;
    strbuf_init(&out, METRICS_MAX);
    if (metrics_write(context, &out) != ERR_OK) {
        strbuf_deinit(&out);
        httpd_reply_error(request, 500, "out-of-memory", NULL);
        return;
    }
    const struct httpd_reply reply = {.status = 200, .content_type = METRICS_CONTENT_TYPE, .body = strbuf_view(&out)};
    httpd_reply(request, &reply);
    strbuf_deinit(&out);
}

static void get_health(void *context, struct httpd_request *request)
{
    const char *reason = metrics_health(context);
    const struct httpd_reply reply = {.status = reason == NULL ? 200 : 503,
                                      .content_type = "text/plain",
                                      .body = view_of(reason == NULL ? "ok\n" : reason)};
    httpd_reply(request, &reply);
}

#define GET(where, fn, words)                                                                                          \
    {                                                                                                                  \
        .method = "GET", .path = (where), .handler = (fn), .query = (words)                                            \
    }
#define POST(where, fn, most, words)                                                                                   \
    {                                                                                                                  \
        .method = "POST", .path = (where), .handler = (fn), .body_max = (most), .query = (words)                       \
    }

static const struct httpd_route control_routes[] = {
    GET("/v1/status", get_status, NULL),
    GET("/v1/batches", control_get_batches, "after limit"),
    GET("/v1/batches/{batch}", control_get_batch, NULL),
    POST("/v1/batches", control_post_batch, MANIFEST_BODY_MAX, "dry_run"),
    POST("/v1/batches/{batch}/close", control_close_batch, 0, "dry_run"),
    POST("/v1/batches/{batch}/quota", control_quota_batch, ACT_BODY_MAX, "dry_run"),
    POST("/v1/batches/{batch}/disable", control_disable_batch, 0, "dry_run"),
    POST("/v1/batches/{batch}/enable", control_enable_batch, 0, "dry_run"),
    POST("/v1/ledger", control_post_ledger, LEDGER_BODY_MAX, "dry_run"),
    GET("/v1/devices", control_get_devices, "after limit match state"),
    GET("/v1/devices/{id}", control_get_device, NULL),
    POST("/v1/devices/{id}/claim", control_claim, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/transfer", control_transfer, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/undo-transfer", control_undo, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/suspend", control_suspend, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/resume", control_resume, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/revoke", control_revoke, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/rekey", control_rekey, ACT_BODY_MAX, "dry_run"),
    POST("/v1/devices/{id}/scrap", control_scrap, ACT_BODY_MAX, "dry_run"),
    POST("/v1/orders", control_post_orders, LEDGER_BODY_MAX, "dry_run"),
    GET("/v1/events", control_get_events, "after limit device"),
    GET("/metrics", get_metrics, NULL),
    GET("/healthz", get_health, NULL),
};

static const struct httpd_route metrics_routes[] = {
    GET("/metrics", get_metrics, NULL),
    GET("/healthz", get_health, NULL),
};

enum err control_open(struct provisioner *provisioner, struct errinfo *info)
{
    const struct provisioner_config *config = &provisioner->settings->config;
    const struct httpd_options local = {
        .unix_path = config->control.socket,
        .unix_mode = (mode_t)strtoul(config->control.mode, NULL, 8),
        .routes = control_routes,
        .routes_len = ARRAY_LEN(control_routes),
        .context = provisioner,
    };
    struct httpd_options metrics = {
        .routes = metrics_routes, .routes_len = ARRAY_LEN(metrics_routes), .context = provisioner};
    enum err err = httpd_new(provisioner->loop, &local, &provisioner->local, info);
    if (err == ERR_OK) {
        err = config_loopback(config->metrics.listen, &metrics.ip, &metrics.port, info);
    }
    return err == ERR_OK ? httpd_new(provisioner->loop, &metrics, &provisioner->metrics, info) : err;
}

void control_close(struct provisioner *provisioner)
{
    httpd_free(provisioner->local);
    httpd_free(provisioner->metrics);
}
