/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cloudflare's DNS API: one batch of deletes, patches and posts is one database transaction and is answered with the
 * first error, nothing applied (Batch record changes, read 2026-11-23). Records are changed by id, so a zone's address
 * records are listed once and kept in step from the replies. PATCH names content and TTL only: what people set besides
 * (proxied, comment, tags) stays.
 */
#include <stdlib.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/macros.h"
#include "net/limits.h"
#include "providers/cloudflare_plan.h"
#include "providers/cloudflare_reply.h"
#include "providers/httpjson.h"

enum {
    FREE_MAX = 200, /* records in one batch: Batch record changes, "Availability and limits" */
    PAID_MAX = 3500,
    TTL_MIN = 60, /* Time to Live: 30 in Enterprise zones */
    TTL_MIN_ENTERPRISE = 30,
    CALLS_MAX = 1200, /* API limits: for each user in five minutes, whichever way they come */
    CALLS_PERIOD_MS = 300000,
    ADDRESS_CALLS = 200, /* API limits: from one IP address in a second */
    BLOCKED_MS = 300000, /* API limits: what comes over the limit is blocked for five minutes */
    FRESH_MS = 30000,    /* so long after its end a listing is believed where others write too */
    LISTING_MS = 600000, /* one that takes longer begins anew */
    STAGE_ZONE = PROVIDER_STAGE_ZONE,
    STAGE_LIST,
};

/* Codes of errors[].code. */
enum {
    CODE_HEADERS = 6003,  /* invalid request headers: the token has not the form of one */
    CODE_LOGIN = 10000,   /* authentication error */
    CODE_NO_ROUTE = 7003, /* no such zone, or not this token's */
    CODE_NO_RECORD = 81044,
    CODE_EXISTS = 81057,
    CODE_SAME = 81058, /* an identical record exists */
};

struct cloudflare {
    char *url, *zone_id, *comment; /* owned; zone_id and comment NULL = none */
    struct secret token;
    uint32_t batch_max;
    struct cloudflare_policy policy;
};

struct cf_zone {
    char id[CLOUDFLARE_ID_SIZE];
    struct zonecache *records;
    unsigned page;                     /* that comes next */
    bool listed;                       /* all pages are in */
    bool doubtful;                     /* a batch went out and its answer never came in */
    int64_t total;                     /* records of the zone, as its first page says; -1 = it does not */
    uint64_t begun_ms, listed_ms;      /* when its first page was asked for, and when its last one came */
    char refused[PROVIDER_DETAIL_MAX]; /* why items of the batch under way are OUTCOME_REFUSED */
};

static const struct httpjson_api api = {
    .name = "Cloudflare",
    .login = "the token in password_file is wrong, or lacks Zone:Read and DNS:Edit for the zone",
    .wait_ms = BLOCKED_MS,
    .text = "/errors/0/message",
    .depth_max = 12,
};

static void cloudflare_close(void *context)
{
    struct cloudflare *state = context;
    secret_deinit(&state->token);
    free(state->url);
    free(state->zone_id);
    free(state->comment);
    free(state);
}

static bool copy_option(const struct engine_account_config *config, const char *name, char **ret_text)
{
    const char *text = provider_option(config, name);
    *ret_text = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret_text != NULL;
}

static bool option_is(const struct engine_account_config *config, const char *name, const char *value)
{
    const char *text = provider_option(config, name);
    return text != NULL && strcmp(text, value) == 0;
}

static enum err cloudflare_open(const struct engine_account_config *config, const struct template *template,
                                void **ret_state, struct errinfo *info)
{
    (void)template;
    struct cloudflare *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    const char *plan = provider_option(config, "plan");
    state->batch_max = plan == NULL || strcmp(plan, "free") == 0 ? FREE_MAX : PAID_MAX;
    state->policy =
        (struct cloudflare_policy){.ttl_min = option_is(config, "plan", "enterprise") ? TTL_MIN_ENTERPRISE : TTL_MIN,
                                   .ttl_auto = option_is(config, "ttl", "auto"),
                                   .proxied = option_is(config, "proxied", "true")};
    state->url = httpjson_base(config->url != NULL ? config->url : provider_cloudflare.default_url);
    bool copied = copy_option(config, "zone_id", &state->zone_id) && copy_option(config, "comment", &state->comment);
    state->policy.comment = state->comment;
    enum err err = state->url != NULL && copied ? ERR_OK : ERR_NOMEM;
    if (err == ERR_OK && state->zone_id != NULL && strlen(state->zone_id) >= CLOUDFLARE_ID_SIZE) {
        err = errinfo_set(info, ERR_INVALID, "config", 0, "account %s: options: zone_id is longer than an id",
                          config->name);
    }
    err = err == ERR_OK ? account_read_secret(config->password_file, &state->token, info) : err;
    if (err != ERR_OK) {
        cloudflare_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void cloudflare_limits(const void *context, struct provider_limits *ret_limits)
{
    const struct cloudflare *state = context;
    *ret_limits = (struct provider_limits){
        .batch_max = state->batch_max,
        .depth_max = 1, /* ids of one batch are needed for the next */
        .bytes_max = state->batch_max,
        .ttl_min = state->policy.ttl_min,
        .ttl_max = CLOUDFLARE_TTL_MAX,
        .rates = {{.of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = CALLS_MAX, .period_ms = CALLS_PERIOD_MS},
                  {.of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = ADDRESS_CALLS, .period_ms = 1000}},
        .rates_len = 2};
}

/** Counts records, not bytes: the limit is of records. */
static size_t cloudflare_item_size(const struct provider_zone *zone, const struct batch_item *item)
{
    (void)zone;
    size_t have = item->have_known ? item->have.len : 0;
    return MAX(MAX(have, (size_t)item->want.len), (size_t)1);
}

static void cloudflare_redact(const void *context, char *text)
{
    const struct cloudflare *state = context;
    httpjson_redact(text, secret_view(&state->token));
}

static void cloudflare_cache_free(void *context)
{
    struct cf_zone *cf = context;
    if (cf != NULL) {
        zonecache_free(cf->records);
        free(cf);
    }
}

/** NULL without memory. */
static struct cf_zone *zone_of(const struct cloudflare *state, struct provider_zone *zone)
{
    struct cf_zone *cf = zone->cache;
    if (cf != NULL) {
        return cf;
    }
    cf = calloc(1, sizeof(*cf));
    if (cf == NULL || zonecache_new(&cf->records) != ERR_OK) {
        free(cf);
        return NULL;
    }
    if (state->zone_id != NULL) {
        (void)snprintf(cf->id, sizeof(cf->id), "%s", state->zone_id); /* fits: checked when it was opened */
    }
    return zone->cache = cf;
}

static void forget_records(struct cf_zone *cf)
{
    zonecache_clear(cf->records);
    cf->listed = cf->doubtful = false;
    cf->page = 0;
}

static bool is_fresh(const struct cf_zone *cf, uint64_t now_ms)
{
    return cf->listed && now_ms < cf->listed_ms + FRESH_MS;
}

static void begin(const struct cloudflare *state, struct provider_request *request, enum http_verb verb, uint8_t stage)
{
    httpjson_begin(request, verb, stage);
    httpjson_header(request, "Authorization", "Bearer ", secret_view(&state->token));
    strbuf_adds(&request->url, state->url);
    request->reply_max = HTTP_REPLY_MAX;
}

static enum err build_find_zone(const struct cloudflare *state, const char *name, struct provider_request *request)
{
    begin(state, request, HTTP_VERB_GET, STAGE_ZONE);
    strbuf_adds(&request->url, "/zones");
    httpjson_query(&request->url, "name", view_of(name));
    return httpjson_built(request);
}

static enum err build_page(const struct cloudflare *state, const char *id, unsigned page,
                           struct provider_request *request)
{
    begin(state, request, HTTP_VERB_GET, STAGE_LIST);
    strbuf_adds(&request->url, "/zones");
    httpjson_path(&request->url, view_of(id));
    strbuf_addf(&request->url, "/dns_records?per_page=%d&page=%u", CLOUDFLARE_PAGE_RECORDS, page);
    return httpjson_built(request);
}

static void plan_batch(struct cloudflare_plan *plan, const struct cloudflare *state, enum zone_mode mode,
                       struct cf_zone *cf, struct batch *batch)
{
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        struct present present = zonecache_present(cf->records, item->name, item->type);
        if (httpjson_is_refused(item)) {
            continue;
        }
        if (present_allows(mode, item, &present)) {
            cloudflare_plan_item(plan, &state->policy, cf->records, item);
        } else {
            (void)snprintf(cf->refused, sizeof(cf->refused), "%s", present_foreign_detail); /* fits */
        }
    }
}

static enum err build_batch(const struct cloudflare *state, struct cf_zone *cf, const struct batch *batch,
                            const struct cloudflare_plan *plan, struct provider_request *request)
{
    if (plan->len > state->batch_max && batch->len > 1) {
        return ERR_LIMIT;
    }
    begin(state, request, HTTP_VERB_POST, PROVIDER_STAGE_CHANGE);
    strbuf_adds(&request->url, "/zones");
    httpjson_path(&request->url, view_of(cf->id));
    strbuf_adds(&request->url, "/dns_records/batch");
    enum err err = cloudflare_plan_write(plan, &request->body);
    err = err == ERR_OK ? httpjson_built(request) : err;
    cf->doubtful |= err == ERR_OK; /* until the answer is in */
    return err;
}

static enum err cloudflare_build(void *context, struct provider_zone *zone, struct batch *batch,
                                 struct provider_request *request)
{
    struct cloudflare *state = context;
    struct cf_zone *cf = zone_of(state, zone);
    if (cf == NULL) {
        return ERR_NOMEM;
    }
    if (cf->id[0] == '\0') {
        return build_find_zone(state, zone->name, request);
    }
    if (cf->listed && (cf->doubtful || (zone->mode == ZONE_SHARED && !is_fresh(cf, request->now_ms)))) {
        forget_records(cf);
    }
    if (cf->listed) {
        struct cloudflare_plan plan;
        cloudflare_plan_init(&plan);
        plan_batch(&plan, state, zone->mode, cf, batch);
        enum err err = plan.len > 0 ? build_batch(state, cf, batch, &plan, request) : ERR_OK;
        bool nothing = plan.len == 0;
        cloudflare_plan_deinit(&plan);
        if (!nothing) {
            return err;
        }
        forget_records(cf); /* nothing to do: believed of a new listing only */
    }
    if (cf->page > 0 && request->now_ms > cf->begun_ms + LISTING_MS) {
        forget_records(cf); /* given up long ago */
    }
    cf->begun_ms = cf->page == 0 ? request->now_ms : cf->begun_ms;
    return build_page(state, cf->id, cf->page + 1, request);
}

static const char changed_detail[] =
    "somebody else added or deleted records while they were listed: they are listed again";

static void judge_zone(const json_t *json, const char *name, char ret_id[static CLOUDFLARE_ID_SIZE],
                       struct verdict *verdict)
{
    enum err err = cloudflare_pick_zone(json, name, ret_id);
    if (err == ERR_OK && ret_id[0] != '\0') {
        verdict->kind = VERDICT_CONTINUE;
    } else if (err == ERR_STATE) {
        verdict_set(verdict, VERDICT_RETRY, "ambiguous", "the token sees several zones %s: set the option zone_id",
                    name);
        verdict->zone_only = true;
    } else {
        verdict_set(verdict, VERDICT_RETRY, "notfound",
                    "the token sees no zone %s: check the name and the zones of the token, or set the option zone_id",
                    name);
        verdict->zone_only = true;
    }
}

static enum err take_records(struct cf_zone *cf, const json_t *records)
{
    const json_t *json;
    size_t i;
    json_array_foreach(records, i, json)
    {
        char name[DNSNAME_SIZE];
        struct zonecache_record record;
        enum err err = cloudflare_read_record(json, name, &record) ? zonecache_put(cf->records, name, &record) : ERR_OK;
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/** One page of the listing. After the last, a batch that finds all as it should be is settled. */
static enum err take_page(const struct cloudflare *state, const struct provider_zone *zone, struct batch *batch,
                          const json_t *json, uint64_t now_ms, struct verdict *verdict)
{
    struct cf_zone *cf = zone->cache;
    if (!cloudflare_is_of_zone(json, zone->name)) {
        verdict_set(verdict, VERDICT_RETRY, "notfound", "the option zone_id is the id of another zone than %s",
                    zone->name);
        verdict->zone_only = true;
        return ERR_OK;
    }
    if (!cloudflare_is_whole(json, cf->page + 1, &cf->total)) {
        forget_records(cf);
        verdict_set(verdict, VERDICT_RETRY, "stale", "%s", changed_detail);
        verdict->zone_only = true;
        return ERR_OK;
    }
    enum err err = take_records(cf, json_object_get(json, "result"));
    verdict->kind = VERDICT_CONTINUE;
    cf->page++;
    if (err != ERR_OK || cloudflare_more_pages(json, cf->page)) {
        return err;
    }
    struct cloudflare_plan plan;
    cloudflare_plan_init(&plan);
    cf->listed = true;
    cf->listed_ms = now_ms;
    plan_batch(&plan, state, zone->mode, cf, batch);
    if (plan.len == 0) {
        httpjson_settle_because(batch, cf->refused, verdict);
    }
    cloudflare_plan_deinit(&plan);
    return ERR_OK;
}

/** The reply tells every record that stays; what it does not tell is not believed. */
static enum err take_result(struct cf_zone *cf, struct batch *batch, const json_t *json, struct verdict *verdict)
{
    for (size_t i = 0; i < batch->len; i++) {
        if (!httpjson_is_refused(&batch->items[i])) {
            zonecache_remove_all(cf->records, batch->items[i].name, batch->items[i].type);
        }
    }
    enum err err = take_records(cf, httpjson_at(json, "/result/patches"));
    err = err == ERR_OK ? take_records(cf, httpjson_at(json, "/result/posts")) : err;
    if (err != ERR_OK) {
        forget_records(cf);
        return err;
    }
    httpjson_settle_because(batch, cf->refused, verdict);
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        struct present present = zonecache_present(cf->records, item->name, item->type);
        if (!httpjson_is_refused(item) && (present.other || !rrset_value_equal(&present.value, &item->want))) {
            item->outcome = OUTCOME_UNKNOWN;
            item->error = "bad-reply";
            cf->doubtful = true;
        }
    }
    return ERR_OK;
}

/** errors[].source.pointer leads to a field of the request: is it within the list and the element of one item? Only one
 * operation an item can be counted, so that is asked of batches where each has one. */
static struct batch_item *named_item(const struct cf_zone *cf, struct batch *batch, const json_t *json)
{
    struct view pointer = httpjson_text_at(json, "/errors/0/source/pointer"), part, previous = {0};
    uint64_t index = UINT64_MAX;
    bool posts = false;
    while (view_next(&pointer, '/', &part)) {
        if ((view_equals(previous, "posts") || view_equals(previous, "patches")) &&
            view_to_u64(part, SIZE_MAX - 1, &index) == ERR_OK) {
            posts = view_equals(previous, "posts");
            break;
        }
        previous = part;
    }
    for (size_t i = 0; index != UINT64_MAX && i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        size_t present = zonecache_present(cf->records, item->name, item->type).value.len;
        if (!httpjson_is_refused(item) && (item->want.len > 1 || present > 1)) {
            return NULL;
        }
        if (!httpjson_is_refused(item) && item->want.len == 1 && (present == 0) == posts && index-- == 0) {
            return item;
        }
    }
    return NULL;
}

static void refuse(const struct provider_request *request, struct cf_zone *cf, struct batch *batch, long status,
                   const json_t *json, struct verdict *verdict)
{
    struct batch_item *named =
        batch->len > 1 && request->stage == PROVIDER_STAGE_CHANGE ? named_item(cf, batch, json) : NULL;
    httpjson_refusal(&api, request, status, json, verdict);
    if (named != NULL) {
        named->outcome = OUTCOME_REFUSED;
        named->error = verdict->error;
        memcpy(cf->refused, verdict->detail, sizeof(cf->refused));
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE}; /* the others again, without it */
    }
}

static void judge_refusal(const struct cloudflare *state, const struct provider_request *request, struct cf_zone *cf,
                          struct batch *batch, const struct provider_reply *reply, const json_t *json,
                          struct verdict *verdict)
{
    int64_t code = cloudflare_code(json);
    bool fresh = is_fresh(cf, reply->now_ms), change = request->stage == PROVIDER_STAGE_CHANGE;
    cf->doubtful = false; /* nothing was applied */
    if (code == CODE_HEADERS || code == CODE_LOGIN) {
        verdict_set(verdict, VERDICT_STOP, "badauth", "HTTP %ld: %s", reply->status, api.login);
    } else if (code == CODE_NO_ROUTE || (reply->status == 404 && code != CODE_NO_RECORD)) {
        forget_records(cf);
        if (state->zone_id == NULL) {
            cf->id[0] = '\0';
        }
        verdict_set(verdict, VERDICT_RETRY, "notfound", "HTTP %ld: the zone is not there, or not for this token",
                    reply->status);
        verdict->zone_only = true;
    } else if (change && (code == CODE_NO_RECORD || (!fresh && (code == CODE_EXISTS || code == CODE_SAME)))) {
        /* our listing is out of date; looked at once more, but not for ever */
        verdict_set(verdict, fresh ? VERDICT_RETRY : VERDICT_CONTINUE, "stale",
                    "the records were changed by somebody else: they are listed again");
        verdict->zone_only = true;
        forget_records(cf);
    } else {
        refuse(request, cf, batch, reply->status, json, verdict);
    }
}

static enum err cloudflare_parse(void *context, struct provider_zone *zone, struct batch *batch,
                                 const struct provider_request *request, const struct provider_reply *reply,
                                 struct verdict *ret_verdict)
{
    struct cloudflare *state = context;
    struct cf_zone *cf = zone->cache;
    json_t *json = NULL;
    enum err err = ERR_OK;
    if (httpjson_judge(&api, request, reply, &json, ret_verdict)) {
        cf->doubtful &= ret_verdict->kind == VERDICT_UNKNOWN;
        return ERR_OK;
    }
    bool success = reply->status < 300;
    if (success && (json == NULL || (cloudflare_succeeded(json) && httpjson_at(json, "/result") == NULL))) {
        httpjson_unreadable(&api, request, ret_verdict);
    } else if (!success || !cloudflare_succeeded(json)) {
        judge_refusal(state, request, cf, batch, reply, json, ret_verdict);
    } else if (request->stage == STAGE_ZONE) {
        judge_zone(json, zone->name, cf->id, ret_verdict);
    } else if (request->stage == STAGE_LIST) {
        err = take_page(state, zone, batch, json, reply->now_ms, ret_verdict);
    } else {
        cf->doubtful = false;
        err = take_result(cf, batch, json, ret_verdict);
    }
    if (ret_verdict->kind == VERDICT_CONTINUE) {
        httpjson_go_on_because(batch, cf->refused, ret_verdict);
    }
    json_decref(json);
    return err;
}

struct list {
    const struct cloudflare *state;
    struct provider_listing listing;
    char name[DNSNAME_SIZE], id[CLOUDFLARE_ID_SIZE];
    unsigned page;
    int64_t total; /* as in struct cf_zone */
};

static enum err cloudflare_list_begin(void *context, struct provider_zone *zone, const struct provider_listing *listing,
                                      struct provider_request *request, void **ret_list)
{
    (void)request;
    const struct cloudflare *state = context;
    struct list *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    list->state = state;
    list->listing = *listing;
    (void)snprintf(list->name, sizeof(list->name), "%s", zone->name); /* canonical: fits */
    (void)snprintf(list->id, sizeof(list->id), "%s", state->zone_id != NULL ? state->zone_id : ""); /* fits */
    *ret_list = list;
    return ERR_OK;
}

static enum err cloudflare_list_next(void *context, struct provider_request *request)
{
    struct list *list = context;
    return list->id[0] == '\0' ? build_find_zone(list->state, list->name, request)
                               : build_page(list->state, list->id, list->page + 1, request);
}

static void tell_records(const struct list *list, const json_t *records)
{
    const json_t *json;
    size_t i;
    json_array_foreach(records, i, json)
    {
        char name[DNSNAME_SIZE];
        struct zonecache_record record;
        if (cloudflare_read_record(json, name, &record)) {
            list->listing.each(list->listing.context, name, record.ip.family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA,
                               record.ttl, &record.ip);
        }
    }
}

static enum err cloudflare_list_feed(void *context, const struct provider_request *request,
                                     const struct provider_reply *reply, bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct verdict verdict;
    json_t *json = NULL;
    bool final = httpjson_judge(&api, request, reply, &json, &verdict);
    if (!final && (!cloudflare_succeeded(json) || httpjson_at(json, "/result") == NULL)) {
        httpjson_refusal(&api, request, reply->status, json, &verdict);
    } else if (!final && request->stage == STAGE_ZONE) {
        judge_zone(json, list->name, list->id, &verdict);
    } else if (!final && !cloudflare_is_whole(json, list->page + 1, &list->total)) {
        verdict_set(&verdict, VERDICT_RETRY, "stale", "%s", changed_detail);
    } else if (!final) {
        tell_records(list, json_object_get(json, "result"));
        list->page++;
        *ret_done = !cloudflare_more_pages(json, list->page);
        verdict.kind = VERDICT_CONTINUE;
    }
    json_decref(json);
    return verdict.kind == VERDICT_CONTINUE
               ? ERR_OK
               : errinfo_set(info, ERR_IO, "provider", reply->status, "%s", verdict.detail);
}

static void cloudflare_list_end(void *context)
{
    free(context);
}

static const char *const plans[] = {"free", "pro", "business", "enterprise", NULL};
static const char *const ttls[] = {"auto", NULL};
static const char *const switches[] = {"true", "false", NULL};
static const struct provider_option options[] = {
    {"plan", "the zones' plan: free (default: 200 records a call), pro, business or enterprise (3,500)", plans, false},
    {"proxied", "new records are proxied: true or false (default)", switches, false},
    {"ttl", "auto: Cloudflare chooses; else the zone's own, 60 s (enterprise 30 s) to a day", ttls, false},
    {"comment", "comment of new records", NULL, false},
    {"zone_id", "id of the account's only zone, for tokens that may not list zones", NULL, false},
    {0},
};

const struct provider_ops provider_cloudflare = {
    .about = {.name = "cloudflare",
              .service = "Cloudflare",
              .class = "J",
              .since = "0.1",
              .source = "https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/",
              .read = "2026-11-23",
              .note = "password_file: an API token with Zone:Read and DNS:Edit for the zones"},
    .transport = PROVIDER_HTTP,
    .needs = PROVIDER_PASSWORD,
    .takes = PROVIDER_URL,
    .options = options,
    .default_url = "https://api.cloudflare.com/client/v4",
    .shared = true,
    .open = cloudflare_open,
    .close = cloudflare_close,
    .limits = cloudflare_limits,
    .cache_free = cloudflare_cache_free,
    .item_size = cloudflare_item_size,
    .redact = cloudflare_redact,
    .build_request = cloudflare_build,
    .parse_reply = cloudflare_parse,
    .list_begin = cloudflare_list_begin,
    .list_next = cloudflare_list_next,
    .list_feed = cloudflare_list_feed,
    .list_end = cloudflare_list_end,
};
