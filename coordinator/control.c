/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's door: HTTP over a unix socket, whose permissions are the right to use it, and /metrics and /healthz on
 * loopback. Answers that need the store or a sweep come later; the request waits. Every writing call is logged with the
 * caller's uid.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_checks.h"
#include "base/log.h"
#include "coordinator/control_private.h"
#include "coordinator/metrics.h"
#include "coordinator/settings.h"
#include "coordinator/zoneplan.h"

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

void control_reply(struct httpd_request *request, struct strbuf *out)
{
    if (strbuf_error(out) != ERR_OK) {
        httpd_reply_error(request, 500, "too-large", "the answer is too large; ask for fewer items with limit=");
    } else {
        httpd_reply_json(request, 200, strbuf_view(out));
    }
    strbuf_deinit(out);
}

int control_zone_index(const struct coordinator *coordinator, struct view name)
{
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    char canonical[DNSNAME_SIZE];
    struct errinfo info = {0};
    if (dnsname_parse(name, DNSNAME_RECORD, canonical, &info) != ERR_OK) {
        return -1;
    }
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        if (strcmp(canonical, zones[i].name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool control_flag(struct httpd_request *request, const char *name, bool *ret_set)
{
    struct view text = httpd_request_query(request, name);
    if (text.ptr != NULL && !view_equals(text, "1")) {
        char message[64];
        (void)snprintf(message, sizeof(message), "%s is 1, or it is left out", name); /* fits */
        httpd_reply_error(request, 400, "bad-query", message);
        return false;
    }
    *ret_set = text.ptr != NULL;
    return true;
}

void control_audit(struct httpd_request *request, const char *action, struct view subject)
{
    char quoted[LOG_QUOTED_SIZE];
    struct httpd_peer peer = httpd_request_peer(request);
    log_event(LOG_LEVEL_NOTICE, "audit", "action=%s subject=%s uid=%u pid=%d", action,
              log_quote(subject.ptr, subject.len, quoted), (unsigned)peer.uid, (int)peer.pid);
}

static const struct httpd_route control_routes[] = {
    {.method = "GET", .path = "/v1/status", .handler = control_get_status},
    {.method = "GET",
     .path = "/v1/devices",
     .handler = control_get_devices,
     .query = "limit after presence problem site group match"},
    {.method = "GET", .path = "/v1/devices/{id}", .handler = control_get_device},
    {.method = "POST", .path = "/v1/devices/{id}/forget", .handler = control_forget_device},
    {.method = "GET",
     .path = "/v1/records",
     .handler = control_get_records,
     .query = "limit after zone device pending name"},
    {.method = "POST", .path = "/v1/records/{name}/adopt", .handler = control_adopt_record, .query = "type"},
    {.method = "POST", .path = "/v1/records/{name}/retry", .handler = control_retry_record, .query = "type"},
    {.method = "GET", .path = "/v1/zones", .handler = control_get_zones, .query = "limit after"},
    {.method = "GET", .path = "/v1/zones/{zone}/diff", .handler = control_diff_zone},
    {.method = "POST", .path = "/v1/zones/{zone}/sweep", .handler = control_sweep_zone, .query = "force"},
    {.method = "POST",
     .path = "/v1/zones/{zone}/apply",
     .handler = control_apply_zone,
     .body_max = ZONEPLAN_TEXT_MAX,
     .query = "force dry_run"},
    {.method = "POST", .path = "/v1/zones/{zone}/resume", .handler = control_resume_zone},
    {.method = "GET", .path = "/v1/accounts", .handler = control_get_accounts},
    {.method = "POST", .path = "/v1/accounts/{account}/resume", .handler = control_resume_account, .query = "name"},
    {.method = "POST",
     .path = "/v1/accounts/{account}/test",
     .handler = control_test_account,
     .query = "zone host dry_run"},
    {.method = "GET", .path = "/v1/stops", .handler = control_get_stops},
    {.method = "GET", .path = "/metrics", .handler = get_metrics},
    {.method = "GET", .path = "/healthz", .handler = get_health},
};

static const struct httpd_route metrics_routes[] = {
    {.method = "GET", .path = "/metrics", .handler = get_metrics},
    {.method = "GET", .path = "/healthz", .handler = get_health},
};

static enum err open_metrics(struct coordinator *coordinator, struct control *control, struct errinfo *info)
{
    struct httpd_options options = {
        .routes = metrics_routes, .routes_len = ARRAY_LEN(metrics_routes), .context = coordinator};
    enum err err = config_loopback(coordinator->settings->config.metrics.listen, &options.ip, &options.port, info);
    if (err != ERR_OK) {
        return err;
    }
    return httpd_new(coordinator->loop, &options, &control->metrics, info);
}

enum err control_new(struct coordinator *coordinator, struct control **ret_control, struct errinfo *info)
{
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return ERR_NOMEM;
    }
    const struct httpd_options options = {
        .unix_path = coordinator->settings->config.control.socket,
        .unix_mode = (mode_t)strtoul(coordinator->settings->config.control.mode, NULL, 8),
        .routes = control_routes,
        .routes_len = ARRAY_LEN(control_routes),
        .context = coordinator,
    };
    enum err err = httpd_new(coordinator->loop, &options, &control->local, info);
    if (err == ERR_OK) {
        err = open_metrics(coordinator, control, info);
    }
    if (err != ERR_OK) {
        control_free(control);
        return err;
    }
    *ret_control = control;
    return ERR_OK;
}

void control_free(struct control *control)
{
    if (control != NULL) {
        httpd_free(control->local);
        httpd_free(control->metrics);
        free(control);
    }
}
