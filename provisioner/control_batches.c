/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/batches and /v1/ledger. */
#include "provisioner/control_private.h"

static void batch_members(struct jsonout *json, const struct batch_row *batch)
{
    jsonout_text(json, "batch", view_of(batch->id));
    jsonout_time(json, "from", batch->from_ms);
    jsonout_time(json, "to", batch->to_ms);
    jsonout_u64(json, "quota", batch->quota);
    jsonout_u64(json, "used", batch->used);
    jsonout_u64(json, "devices", batch->devices);
    jsonout_time(json, "added", batch->added_ms);
    jsonout_time(json, "closed", batch->closed_ms);
    jsonout_bool(json, "disabled", batch->disabled);
}

static enum err add_batch(void *context, const struct batch_row *batch)
{
    struct page *page = context;
    jsonout_open(page->json, NULL, '{');
    batch_members(page->json, batch);
    jsonout_close(page->json, '}');
    control_item(page, view_of(batch->id));
    return ERR_OK;
}

static enum err list_batches(struct call *call, struct jsonout *json)
{
    struct page page = {.call = call, .json = json};
    jsonout_open(json, "batches", '[');
    enum err err = store_each_batch(desk_store(call->provisioner->desk), call->after, call->limit, add_batch, &page);
    jsonout_close(json, ']');
    control_page_end(&page);
    return err;
}

void control_get_batches(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, list_batches, false);
    if (call != NULL && control_page(call)) {
        control_submit(call);
    }
}

static enum err add_station(void *context, const char *station, uint64_t lines)
{
    struct jsonout *json = context;
    jsonout_open(json, NULL, '{');
    jsonout_text(json, "station", view_of(station));
    jsonout_u64(json, "n", lines - 1);
    jsonout_close(json, '}');
    return ERR_OK;
}

static enum err show_batch(struct call *call, struct jsonout *json)
{
    struct batch_row batch;
    struct store *store = desk_store(call->provisioner->desk);
    enum err err = store_get_batch(store, call->id, &batch, NULL);
    if (err == ERR_NOTFOUND) {
        return desk_refuse(&call->reply, 404, "no-such-batch", "no batch of this name");
    }
    if (err != ERR_OK) {
        return err;
    }
    batch_members(json, &batch);
    jsonout_open(json, "stations", '[');
    err = store_each_chain(store, call->id, add_station, json);
    jsonout_close(json, ']');
    return err;
}

void control_get_batch(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, show_batch, false);
    if (call != NULL) {
        control_submit(call);
    }
}

static enum err put_batch(struct call *call, struct jsonout *json)
{
    return desk_add_batch(call->provisioner->desk, &call->caller, httpd_request_body(call->request), json);
}

void control_post_batch(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, put_batch, true);
    if (call != NULL) {
        control_submit(call);
    }
}

static enum err change_batch(struct call *call, struct jsonout *json)
{
    return desk_change_batch(call->provisioner->desk, &call->caller, call->id, (enum desk_batch_act)call->act,
                             call->number, json);
}

static bool read_quota(struct view body, uint64_t *ret_quota)
{
    CLEANUP(json_decref_p) json_t *object = NULL;
    if (json_parse(body, body.len, 1, &object, NULL) != ERR_OK) {
        return false;
    }
    const json_t *quota = json_object_get(object, "quota");
    bool good = json_object_size(object) == 1 && json_is_integer(quota) && json_integer_value(quota) >= 0 &&
                json_integer_value(quota) <= UINT32_MAX;
    *ret_quota = good ? (uint64_t)json_integer_value(quota) : 0;
    return good;
}

static void post_change(void *context, struct httpd_request *request, enum desk_batch_act act)
{
    struct call *call = control_call(context, request, change_batch, true);
    if (call == NULL) {
        return;
    }
    call->act = (int)act;
    if (act == BATCH_QUOTA && !read_quota(httpd_request_body(request), &call->number)) {
        control_refuse(call, 400, "bad-body", "must be {\"quota\":N}, N a number of devices");
        return;
    }
    control_submit(call);
}

void control_close_batch(void *context, struct httpd_request *request)
{
    post_change(context, request, BATCH_CLOSE);
}

void control_quota_batch(void *context, struct httpd_request *request)
{
    post_change(context, request, BATCH_QUOTA);
}

void control_disable_batch(void *context, struct httpd_request *request)
{
    post_change(context, request, BATCH_DISABLE);
}

void control_enable_batch(void *context, struct httpd_request *request)
{
    post_change(context, request, BATCH_ENABLE);
}

static enum err put_ledger(struct call *call, struct jsonout *json)
{
    return desk_add_ledger(call->provisioner->desk, &call->caller, httpd_request_body(call->request), json);
}

void control_post_ledger(void *context, struct httpd_request *request)
{
    struct call *call = control_call(context, request, put_ledger, true);
    if (call != NULL) {
        control_submit(call);
    }
}
