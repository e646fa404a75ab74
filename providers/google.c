/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google: Google Cloud DNS. A service account signs for an access token; then one call, changes.create, makes up to
 * 1,000 additions and deletions, all or nothing. Deletions must be exactly what stands there: the zone is listed once,
 * kept in step, and what turns out to be otherwise (409, 412, 404) is read again.
 * Source: https://cloud.google.com/dns/docs/reference/rest/v1/changes/create,
 * https://developers.google.com/identity/protocols/oauth2/service-account, read 2026-11-23.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/google_internal.h"

#define SCOPE "https://www.googleapis.com/auth/ndev.clouddns.readwrite"

enum { DEPTH_MAX = 10, DATA_OF_VALUE = IP_TEXT_SIZE + 3 };

const struct httpjson_api google_api = {
    .name = "Google Cloud DNS",
    .login = "give the service account the role DNS Administrator, and check `key_file`",
    .wait_ms = 60000, /* quotas are counted by the minute */
    .text = "/error/message",
    .depth_max = DEPTH_MAX,
};

static void google_close(void *context)
{
    struct google *state = context;
    jwt_account_deinit(&state->account);
    oauth_deinit(&state->token);
    free(state->own_project);
    free(state->url);
    free(state);
}

static enum err fill(struct google *state, const struct engine_account_config *config, struct errinfo *info)
{
    struct view url = view_of(config->url != NULL ? config->url : provider_google.default_url);
    const char *project = provider_option(config, "project");
    struct secret text = {0};
    while (view_ends_with(url, VIEW_LITERAL("/"))) {
        url.len--;
    }
    state->url = strndup(url.ptr, url.len);
    state->own_project = project != NULL ? strdup(project) : NULL;
    if (state->url == NULL || (project != NULL && state->own_project == NULL)) {
        return ERR_NOMEM;
    }
    enum err err = account_read_file(config->key_file, JWT_ACCOUNT_FILE_MAX, &text, info);
    if (err == ERR_OK) {
        err = jwt_account_parse(secret_view(&text), &state->account, info);
    }
    secret_deinit(&text);
    state->project = project != NULL ? state->own_project : state->account.project;
    return err;
}

static enum err google_open(const struct engine_account_config *config, const struct template *template,
                            void **ret_state, struct errinfo *info)
{
    (void)template;
    struct google *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = fill(state, config, info);
    if (err != ERR_OK) {
        google_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void google_redact(const void *context, char *text)
{
    const struct google *state = context;
    httpjson_redact(text, secret_view(&state->token.value));
}

static void google_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* a project's own quota of calls cannot be known: 429 and 403 tell when it is used up */
    *ret_limits = (struct provider_limits){
        .batch_max = GOOGLE_CHANGES, .depth_max = 1, .bytes_max = GOOGLE_DATA, .ttl_max = INT32_MAX};
}

/** What is added and, at most, deleted. */
static size_t google_item_size(const struct provider_zone *zone, const struct batch_item *item)
{
    (void)zone;
    size_t values = (size_t)item->want.len + (item->have_known ? item->have.len : 1u);
    return values * (item->type == RRTYPE_A ? sizeof("\"255.255.255.255\",") : DATA_OF_VALUE);
}

void google_forget(struct google_cache *cache)
{
    cache->zone[0] = '\0';
    cache->listed = false;
    free(TAKE(cache->page));
    rrcache_deinit(&cache->records);
}

static void cache_free(void *context)
{
    google_forget(context);
    free(context);
}

struct google_cache *google_cache_of(struct provider_zone *zone)
{
    if (zone->cache == NULL) {
        zone->cache = calloc(1, sizeof(struct google_cache));
    }
    return zone->cache;
}

enum err google_build_token(const struct google *state, struct provider_request *request)
{
    struct strbuf assertion;
    strbuf_init(&assertion, ACCOUNT_SECRET_MAX);
    enum err err = jwt_assertion(&state->account, SCOPE, request->wall_ms, &assertion);
    request->verb = HTTP_VERB_POST;
    request->stage = GOOGLE_STAGE_TOKEN;
    strbuf_adds(&request->url, state->account.token_uri);
    strbuf_adds(&request->headers, "Accept: application/json\nContent-Type: application/x-www-form-urlencoded\n");
    strbuf_adds(&request->body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    strbuf_add(&request->body, strbuf_view(&assertion)); /* base64url and dots: nothing to encode */
    if (assertion.ptr != NULL) {
        crypto_zeroise(assertion.ptr, assertion.size);
    }
    strbuf_deinit(&assertion);
    return err == ERR_OK ? httpjson_built(request) : err;
}

void google_zone_url(const struct google *state, const char *zone, const char *what, struct provider_request *request)
{
    strbuf_addf(&request->url, "%s/dns/v1/projects", state->url);
    httpjson_path(&request->url, view_of(state->project));
    strbuf_adds(&request->url, "/managedZones");
    httpjson_path(&request->url, view_of(zone));
    strbuf_addf(&request->url, "/%s", what);
}

enum err google_build_zone(const struct google *state, const char *zone, struct provider_request *request)
{
    httpjson_begin(request, HTTP_VERB_GET, GOOGLE_STAGE_ZONE);
    oauth_header(&state->token, request);
    strbuf_addf(&request->url, "%s/dns/v1/projects", state->url);
    httpjson_path(&request->url, view_of(state->project));
    strbuf_addf(&request->url, "/managedZones?dnsName=%s.", zone);
    request->reply_max = GOOGLE_REPLY_MAX; /* private zones of that name may have long lists of networks */
    return httpjson_built(request);
}

enum err google_build_page(const struct google *state, const char *zone, const char *page,
                           struct provider_request *request)
{
    httpjson_begin(request, HTTP_VERB_GET, GOOGLE_STAGE_RECORDS);
    oauth_header(&state->token, request);
    google_zone_url(state, zone, "rrsets?maxResults=1000", request);
    if (page != NULL) {
        httpjson_query(&request->url, "pageToken", view_of(page));
    }
    request->reply_max = GOOGLE_REPLY_MAX;
    return httpjson_built(request);
}

static enum err build_record(const struct google *state, const struct google_cache *cache, const struct batch *batch,
                             size_t index, struct provider_request *request)
{
    const struct batch_item *item = &batch->items[index];
    httpjson_begin(request, HTTP_VERB_GET, GOOGLE_STAGE_RECORD);
    oauth_header(&state->token, request);
    google_zone_url(state, cache->zone, "rrsets?name=", request);
    httpjson_encode(&request->url, view_of(item->name));
    strbuf_addf(&request->url, ".&type=%s", rrtype_name(item->type));
    request->index = index;
    return httpjson_built(request);
}

static enum err build_change(const struct google *state, struct google_cache *cache, enum zone_mode mode,
                             struct batch *batch, struct provider_request *request)
{
    size_t pending = 0;
    for (size_t i = 0; i < batch->len; i++) {
        enum google_plan plan = google_plan_of(cache, mode, &batch->items[i]);
        if (plan == GOOGLE_ASK) {
            return build_record(state, cache, batch, i, request);
        }
        pending += plan != GOOGLE_NONE;
    }
    if (pending == 0) { /* only by what was seen for another batch */
        cache->batch++;
        return build_record(state, cache, batch, 0, request);
    }
    httpjson_begin(request, HTTP_VERB_POST, GOOGLE_STAGE_CHANGE);
    oauth_header(&state->token, request);
    google_zone_url(state, cache->zone, "changes", request);
    request->reply_max = GOOGLE_REPLY_MAX; /* it gives the change back */
    enum err err = google_write(cache, mode, batch, &request->body);
    return err == ERR_OK ? httpjson_built(request) : err;
}

static enum err google_build(void *context, struct provider_zone *zone, struct batch *batch,
                             struct provider_request *request)
{
    const struct google *state = context;
    struct google_cache *cache = google_cache_of(zone);
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    if (!oauth_fresh(&state->token, request->now_ms)) {
        return google_build_token(state, request);
    }
    if (cache->zone[0] == '\0') {
        return google_build_zone(state, zone->name, request);
    }
    if (!cache->listed) {
        return google_build_page(state, cache->zone, cache->page, request);
    }
    return build_change(state, cache, zone->mode, batch, request);
}

/** A quota that is used up comes as 403, like a right that is missing. */
static bool is_quota(struct view reason)
{
    static const char *const quotas[] = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded",
                                         "dailyLimitExceeded"};
    for (size_t i = 0; i < ARRAY_LEN(quotas); i++) {
        if (view_equals(reason, quotas[i])) {
            return true;
        }
    }
    return false;
}

bool google_judge(struct google *state, const struct provider_request *request, const struct provider_reply *reply,
                  json_t **ret_json, struct verdict *verdict)
{
    *ret_json = NULL;
    if (request->stage == GOOGLE_STAGE_TOKEN) {
        oauth_parse(&state->token, &google_api, reply, verdict);
        return true;
    }
    if (reply->status == 401 && oauth_again(&state->token, request, verdict)) {
        return true;
    }
    state->token.refused &= reply->status == 401;
    if (reply->status == 403) {
        json_t *json = NULL;
        bool quota = json_parse(reply->body, reply->body.len, DEPTH_MAX, &json, NULL) == ERR_OK &&
                     is_quota(httpjson_text_at(json, "/error/errors/0/reason"));
        json_decref(json);
        if (quota) {
            verdict_set(verdict, VERDICT_RETRY, "rate-limited", "HTTP 403: the project's quota is used up for now");
            verdict->wait_ms = reply->retry_after_ms != 0 ? reply->retry_after_ms : google_api.wait_ms;
            return true;
        }
    }
    return httpjson_judge(&google_api, request, reply, ret_json, verdict);
}

static enum err see(void *context, const char *name, enum rrtype type, uint32_t ttl, struct view values)
{
    return google_see(context, name, type, ttl, values);
}

static enum err take_zone(struct google_cache *cache, const struct provider_zone *zone, const json_t *json,
                          struct verdict *verdict)
{
    size_t found = google_find_zone(json, zone->name, cache->zone);
    if (found == 1) {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
        return ERR_OK;
    }
    cache->zone[0] = '\0';
    verdict_set(verdict, VERDICT_RETRY, found == 0 ? "nxdomain" : "ambiguous",
                "the project has %zu public managed zones %s: it must have one", found, zone->name);
    verdict->zone_only = true;
    return ERR_OK;
}

static void go_on(struct google_cache *cache, enum zone_mode mode, struct batch *batch, struct verdict *verdict)
{
    *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    if (cache->listed && google_refuse_foreign(cache, mode, batch) == 0) {
        google_settle(cache, batch, verdict);
    }
}

static enum err take_page(struct google_cache *cache, const json_t *json)
{
    struct view next = httpjson_text_at(json, "/nextPageToken");
    if (cache->page == NULL) {
        rrcache_deinit(&cache->records); /* from its beginning */
    }
    enum err err = google_each_rrset(json, see, cache);
    if (err != ERR_OK) {
        return err;
    }
    char *page = next.len > 0 ? strndup(next.ptr, next.len) : NULL;
    bool same = page != NULL && cache->page != NULL && strcmp(page, cache->page) == 0;
    free(cache->page);
    cache->page = page;
    if (next.len > 0) {
        return page == NULL ? ERR_NOMEM : same ? ERR_PARSE : ERR_OK;
    }
    cache->listed = true;
    cache->listed_at = cache->batch;
    return ERR_OK;
}

static enum err take_record(struct google_cache *cache, const struct batch_item *item, const json_t *json)
{
    enum err err = google_see(cache, item->name, item->type, 0, (struct view){0});
    return err == ERR_OK ? google_each_rrset(json, see, cache) : err;
}

static void take_change(struct google_cache *cache, bool following, const struct provider_request *request,
                        struct batch *batch, const json_t *json, struct verdict *verdict)
{
    struct view status = httpjson_text_at(json, "/status");
    if (!view_equals(status, "pending") && !view_equals(status, "done")) {
        httpjson_unreadable(&google_api, request, verdict);
        return;
    }
    if (!following && view_copy(httpjson_text_at(json, "/id"), cache->change, sizeof(cache->change)) != ERR_OK) {
        cache->change[0] = '\0'; /* not followed then */
    }
    google_settle(cache, batch, verdict);
}

/** Something that was believed is not so: once more, but not for ever. */
static void try_again(struct google_cache *cache, struct verdict *verdict)
{
    if (++cache->stale <= GOOGLE_STALE_MAX) {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
        return;
    }
    cache->stale = 0;
    verdict_set(verdict, VERDICT_RETRY, "conflict", "%s", google_conflict_detail);
    verdict->zone_only = true;
}

/** A conflict that names nothing: all is listed again; when that does not help, the one to blame is looked for. */
static void list_again(struct google_cache *cache, struct batch *batch, struct verdict *verdict)
{
    cache->listed = false;
    try_again(cache, verdict);
    if (verdict->kind == VERDICT_RETRY && batch->len > 1) {
        verdict->kind = VERDICT_SPLIT;
    } else if (verdict->kind == VERDICT_RETRY) {
        google_leave(cache, &batch->items[0]);
        google_settle(cache, batch, verdict);
    }
}

static void judge_refusal(struct google_cache *cache, enum zone_mode mode, struct batch *batch,
                          const struct provider_request *request, const struct provider_reply *reply,
                          const json_t *json, struct verdict *verdict)
{
    bool change = request->stage == GOOGLE_STAGE_CHANGE;
    if (change && google_judge_change(cache, mode, batch, reply->status, json)) {
        cache->stale = cache->stale < GOOGLE_STALE_MAX ? cache->stale : 0; /* what lost so often is out of the batch */
        if (google_refuse_foreign(cache, mode, batch) == 0) {
            google_settle(cache, batch, verdict);
        } else {
            try_again(cache, verdict);
        }
    } else if (reply->status == 404 && request->stage != GOOGLE_STAGE_ZONE) {
        google_forget(cache);
        try_again(cache, verdict);
    } else if (change && (reply->status == 409 || reply->status == 412)) {
        list_again(cache, batch, verdict);
    } else {
        if (request->stage == GOOGLE_STAGE_RECORDS) {
            free(TAKE(cache->page)); /* it may be its token that is refused: from the first page on */
        }
        httpjson_refusal(&google_api, request, reply->status, json, verdict);
    }
}

static enum err judge(struct google_cache *cache, struct provider_zone *zone, struct batch *batch,
                      const struct provider_request *request, const struct provider_reply *reply, const json_t *json,
                      struct verdict *verdict)
{
    enum err err = ERR_OK;
    if (reply->status >= 300) {
        judge_refusal(cache, zone->mode, batch, request, reply, json, verdict);
        return ERR_OK;
    }
    if (request->stage == GOOGLE_STAGE_CHANGE) {
        take_change(cache, zone->following, request, batch, json, verdict);
        return ERR_OK;
    }
    if (request->stage == GOOGLE_STAGE_ZONE) {
        return take_zone(cache, zone, json, verdict);
    }
    err = request->stage == GOOGLE_STAGE_RECORDS ? take_page(cache, json)
                                                 : take_record(cache, &batch->items[request->index], json);
    if (err == ERR_OK) {
        go_on(cache, zone->mode, batch, verdict);
    } else if (err != ERR_NOMEM) {
        google_forget(cache);
        httpjson_unreadable(&google_api, request, verdict);
        err = ERR_OK;
    }
    return err;
}

static enum err google_parse(void *context, struct provider_zone *zone, struct batch *batch,
                             const struct provider_request *request, const struct provider_reply *reply,
                             struct verdict *ret_verdict)
{
    struct google *state = context;
    struct google_cache *cache = google_cache_of(zone);
    json_t *json = NULL;
    enum err err = ERR_OK;
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    *ret_verdict = (struct verdict){0};
    if (!google_judge(state, request, reply, &json, ret_verdict)) {
        err = judge(cache, zone, batch, request, reply, json, ret_verdict);
    }
    json_decref(json);
    if (ret_verdict->kind == VERDICT_CONTINUE) {
        httpjson_go_on_because(batch, cache->detail, ret_verdict);
    }
    if (ret_verdict->kind != VERDICT_CONTINUE && ret_verdict->kind != VERDICT_SETTLED) {
        cache->batch++; /* what was seen is old when it comes again */
        cache->stale = 0;
        cache->detail[0] = '\0';
    }
    return err;
}

static const struct provider_option options[] = {
    {"project", "id of the project that has the zones; the service account's own if left out", NULL, false},
    {NULL, NULL, NULL, false},
};

const struct provider_ops provider_google = {
    .about = {.name = "google",
              .service = "Google Cloud DNS",
              .class = "S",
              .since = "0.1",
              .source = "https://cloud.google.com/dns/docs/reference/rest/v1/changes/create",
              .read = "2026-11-23",
              .note = "key_file: the JSON key of a service account that may change the zones"},
    .transport = PROVIDER_HTTP,
    .needs = PROVIDER_KEY,
    .takes = PROVIDER_URL,
    .options = options,
    .default_url = "https://dns.googleapis.com",
    .shared = true,
    .open = google_open,
    .close = google_close,
    .limits = google_limits,
    .cache_free = cache_free,
    .item_size = google_item_size,
    .redact = google_redact,
    .build_request = google_build,
    .parse_reply = google_parse,
    .build_follow = google_build_follow,
    .parse_follow = google_parse_follow,
    .list_begin = google_list_begin,
    .list_next = google_list_next,
    .list_feed = google_list_feed,
    .list_end = google_list_end,
};
