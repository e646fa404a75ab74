/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/devices, /v1/orders and /v1/events. */
#include <stdio.h>
#include <string.h>

#include "provisioner/control_private.h"

static void device_members(struct jsonout *json, const struct device_row *device)
{
    jsonout_text(json, "device", view_of(device->id));
    jsonout_text(json, "serial", view_of(device->serial));
    jsonout_text(json, "batch", view_of(device->batch));
    jsonout_text(json, "state", view_of(life_name(device->life)));
    jsonout_text(json, "owner", view_of(device->owner));
    jsonout_text(json, "group", view_of(device->group));
    jsonout_text(json, "site", view_of(device->site));
    jsonout_bool(json, "tested", device->tested);
    jsonout_time(json, "made", device->made_ms);
    jsonout_time(json, "changed", device->changed_ms);
}

static enum err add_device(void *context, const struct device_row *device)
{
    struct page *page = context;
    jsonout_open(page->json, NULL, '{');
    device_members(page->json, device);
    jsonout_close(page->json, '}');
    control_item(page, view_of(device->id));
    return ERR_OK;
}

static enum err list_devices(struct call *call, struct jsonout *json)
{
    const struct store_device_query query = {.after = call->after,
                                             .match = call->match[0] != '\0' ? call->match : NULL,
                                             .life = call->life,
                                             .limit = call->limit};
    struct page page = {.call = call, .json = json};
    jsonout_open(json, "devices", '[');
    enum err err = store_each_device(desk_store(call->provisioner->desk), &query, add_device, &page);
    jsonout_close(json, ']');
    control_page_end(&page);
    return err;
}

void control_get_devices(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, list_devices, false);
    if (call == NULL || !control_page(call)) {
        return;
    }
    struct view state = httpd_request_query(request, "state");
    enum life life;
    if (state.ptr != NULL) {
        if (life_parse(state, &life) != ERR_OK) {
            control_refuse(call, 400, "bad-query",
                           "state is made, issued, active, suspended, cloned-suspect, revoked "
                           "or scrapped");
            return;
        }
        call->life = (int)life;
    }
    control_submit(call);
}

static enum err add_cert(void *context, const struct cert_row *cert)
{
    struct jsonout *json = context;
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "issuer", view_of(cert->issuer));
    jsonout_text(json, "serial", view_of(cert->serial));
    jsonout_text(json, "state", view_of(cert_state_name(cert->state)));
    jsonout_time(json, "not_before", cert->not_before_s * 1000);
    jsonout_time(json, "not_after", cert->not_after_s * 1000);
    jsonout_time(json, "renew", cert->renew_ms);
    jsonout_time(json, "issued", cert->issued_ms);
    jsonout_time(json, "attempted", cert->attempted_ms);
    jsonout_close(json, '}');
    return ERR_OK;
}

static enum err show_device(struct call *call, struct jsonout *json)
{
    struct device_row device;
    struct store *store = desk_store(call->provisioner->desk);
    enum err err = store_get_device(store, call->id, &device);
    if (err == ERR_NOTFOUND) {
        return desk_refuse(&call->reply, 404, "no-such-device", "no device of this name in the ledger");
    }
    if (err != ERR_OK) {
        return err;
    }
    device_members(json, &device);
    jsonout_open(json, "certificates", '[');
    err = store_each_cert(store, call->id, false, add_cert, json);
    jsonout_close(json, ']');
    return err;
}

void control_get_device(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, show_device, false);
    if (call != NULL) {
        control_submit(call);
    }
}

/* ---- acts ---- */

static const char *member(const json_t *body, const char *key)
{
    return json_string_value(json_object_get(body, key)); /* NULL of another type: the keys were checked */
}

static enum err change_device(struct call *call, struct jsonout *json)
{
    const struct desk_owner owner = {.owner = member(call->body, "owner"),
                                     .group = member(call->body, "group"),
                                     .site = member(call->body, "site"),
                                     .code = member(call->body, "code"),
                                     .reason = member(call->body, "reason")};
    return desk_change_device(call->provisioner->desk, &call->caller, call->id, (enum desk_device_act)call->act, &owner,
                              json);
}

/** What stands in the body must be known, and text: a misspelt member must not be left out in silence. */
static bool body_good(const json_t *body)
{
    static const char *const keys[] = {"owner", "group", "site", "code", "reason"};
    const char *key;
    json_t *value;
    if (!json_is_object(body)) {
        return false;
    }
    json_object_foreach((json_t *)body, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            known = known || strcmp(key, keys[i]) == 0;
        }
        if (!known || !json_is_string(value)) {
            return false;
        }
    }
    return true;
}

static void post_act(void *context, struct httpd_request *request, enum desk_device_act act)
{
    struct call *call = control_call(context, request, change_device, true);
    if (call == NULL) {
        return;
    }
    struct view body = httpd_request_body(request);
    call->act = (int)act;
    if (body.len > 0 && (json_parse(body, body.len, 1, &call->body, NULL) != ERR_OK || !body_good(call->body))) {
        control_refuse(call, 400, "bad-body", "must be an object with owner, group, site, code and reason, all texts");
        return;
    }
    control_submit(call);
}

void control_claim(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_CLAIM);
}

void control_transfer(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_TRANSFER);
}

void control_undo(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_UNDO);
}

void control_suspend(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_SUSPEND);
}

void control_resume(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_RESUME);
}

void control_revoke(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_REVOKE);
}

void control_rekey(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_REKEY);
}

void control_scrap(void *context, struct httpd_request *request)
{
    post_act(context, request, DEVICE_SCRAP);
}

static enum err put_orders(struct call *call, struct jsonout *json)
{
    return desk_orders(call->provisioner->desk, &call->caller, httpd_request_body(call->request), json);
}

void control_post_orders(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, put_orders, true);
    if (call != NULL) {
        control_submit(call);
    }
}

/* ---- history ---- */

static enum err add_event(void *context, const struct event_row *event)
{
    struct page *page = context;
    struct jsonout *json = page->json;
    char hash[2 * SHA256_SIZE + 1], number[24];
    crypto_hex(event->hash, sizeof(event->hash), hash);
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)event->n); /* 20 digits at most */
    jsonout_open(json, NULL, '{');
    jsonout_u64(json, "n", event->n);
    jsonout_time(json, "at", event->at_ms);
    jsonout_u64(json, "at_ms", (uint64_t)event->at_ms);
    jsonout_text(json, "actor", view_of(event->actor));
    jsonout_text(json, "act", view_of(event->act));
    jsonout_text(json, "device", view_of(event->device));
    jsonout_text(json, "detail", view_of(event->detail));
    jsonout_text(json, "hash", view_of(hash));
    jsonout_close(json, '}');
    control_item(page, view_of(number));
    return ERR_OK;
}

static enum err list_events(struct call *call, struct jsonout *json)
{
    struct page page = {.call = call, .json = json};
    jsonout_open(json, "events", '[');
    enum err err = store_each_event(desk_store(call->provisioner->desk), call->device, call->number, call->limit,
                                    add_event, &page);
    jsonout_close(json, ']');
    control_page_end(&page);
    return err;
}

void control_get_events(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, list_events, false);
    if (call == NULL || !control_page(call)) {
        return;
    }
    if (call->after[0] != '\0' && view_to_u64(view_of(call->after), INT64_MAX, &call->number) != ERR_OK) {
        control_refuse(call, 400, "bad-query", "after is the number of an event");
        return;
    }
    control_submit(call);
}
