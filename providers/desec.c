/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deSEC's API: an array of RRsets in one PATCH is accepted or refused whole, with one signing run; a refusal is an
 * array too, with an empty object for each RRset that is fine (Bulk Operations, read 2026-11-23). Nothing has to be
 * looked up but the domain's least TTL, and in shared zones what stands there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/macros.h"
#include "net/limits.h"
#include "providers/httpjson.h"
#include "providers/zonecache.h"

enum {
    BATCH_MAX = 1000, /* nothing is documented; one signing run for so many stays far from the engine's deadline */
    TTL_MAX = 86400,
    CURSOR_SIZE = 256,
    FRESH_MS = 60000,     /* so long after its end a listing is believed where others write too */
    LISTING_MS = 3600000, /* one that takes longer begins anew: 500 RRsets a page, 50 reads a minute */
    STAGE_DOMAIN = PROVIDER_STAGE_ZONE,
    STAGE_LIST,
};

struct desec {
    char *url; /* owned */
    struct secret token;
    uint32_t ttl_min; /* option; 0 = the domain is asked */
};

/** Where a listing is. */
struct cursor {
    char text[CURSOR_SIZE]; /* as it stands in the URL; "" = the first page */
};

struct desec_zone {
    uint32_t ttl_min; /* 0 = not known yet */
    struct zonecache *records;
    struct cursor cursor;
    bool listed, doubtful;             /* all pages are in; a change went out and its answer never came in */
    uint64_t begun_ms, listed_ms;      /* when its first page was asked for, and when its last one came */
    char refused[PROVIDER_DETAIL_MAX]; /* why items of the batch under way are OUTCOME_REFUSED */
};

static const struct httpjson_api api = {
    .name = "deSEC",
    .login = "the token in password_file is wrong, or its policies do not let it write these records",
    .wait_ms = 60000,
    .text = "/detail",
    .depth_max = 12,
};

static void desec_close(void *context)
{
    struct desec *state = context;
    secret_deinit(&state->token);
    free(state->url);
    free(state);
}

static enum err fill(struct desec *state, const struct engine_account_config *config, struct errinfo *info)
{
    const char *text = provider_option(config, "minimum_ttl");
    uint64_t ttl = 0;
    if (text != NULL && (view_to_u64(view_of(text), TTL_MAX, &ttl) != ERR_OK || ttl == 0)) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: options: minimum_ttl must be seconds from 1 to %d", config->name, TTL_MAX);
    }
    state->ttl_min = (uint32_t)ttl;
    state->url = httpjson_base(config->url != NULL ? config->url : provider_desec.default_url);
    return state->url != NULL ? account_read_secret(config->password_file, &state->token, info) : ERR_NOMEM;
}

static enum err desec_open(const struct engine_account_config *config, const struct template *template,
                           void **ret_state, struct errinfo *info)
{
    (void)template;
    struct desec *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = fill(state, config, info);
    if (err != ERR_OK) {
        desec_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

/** Rate limits, all at once: dns_api_per_domain_expensive, user, and dns_api_cheap, under which writes are put as well
 * for want of a class of lookups alone. */
static void desec_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* the same for every account */
    *ret_limits = (struct provider_limits){
        .batch_max = BATCH_MAX,
        .depth_max = 1,
        .ttl_max = TTL_MAX,
        .rates = {{.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 2, .period_ms = 1000},
                  {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 15, .period_ms = 60000},
                  {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 100, .period_ms = 3600000},
                  {.of = RATE_OF_ZONE, .what = RATE_WRITES, .units = 300, .period_ms = 86400000},
                  {.of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = 10, .period_ms = 1000},
                  {.of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = 50, .period_ms = 60000},
                  {.of = RATE_OF_ACCOUNT, .what = RATE_CALLS, .units = 2000, .period_ms = 86400000}},
        .rates_len = 7};
}

static void desec_redact(const void *context, char *text)
{
    const struct desec *state = context;
    httpjson_redact(text, secret_view(&state->token));
}

static void desec_cache_free(void *context)
{
    struct desec_zone *cache = context;
    if (cache != NULL) {
        zonecache_free(cache->records);
        free(cache);
    }
}

/** NULL without memory. */
static struct desec_zone *cache_of(const struct desec *state, struct provider_zone *zone)
{
    struct desec_zone *cache = zone->cache;
    if (cache != NULL) {
        return cache;
    }
    cache = calloc(1, sizeof(*cache));
    if (cache == NULL || zonecache_new(&cache->records) != ERR_OK) {
        free(cache);
        return NULL;
    }
    cache->ttl_min = state->ttl_min;
    return zone->cache = cache;
}

static void forget_records(struct desec_zone *cache)
{
    zonecache_clear(cache->records);
    cache->listed = cache->doubtful = false;
    cache->cursor = (struct cursor){0};
}

static void begin(const struct desec *state, const char *zone, struct provider_request *request, enum http_verb verb,
                  uint8_t stage)
{
    httpjson_begin(request, verb, stage);
    httpjson_header(request, "Authorization", "Token ", secret_view(&state->token));
    strbuf_addf(&request->url, "%s/domains", state->url);
    httpjson_path(&request->url, view_of(zone));
    strbuf_addc(&request->url, '/');
    request->reply_max = HTTP_REPLY_MAX;
}

static enum err build_page(const struct desec *state, const char *zone, const struct cursor *cursor,
                           struct provider_request *request)
{
    begin(state, zone, request, HTTP_VERB_GET, STAGE_LIST);
    strbuf_addf(&request->url, "rrsets/?cursor=%s", cursor->text);
    return httpjson_built(request);
}

/** All fields are given, for deletions too: PATCH then makes what is not there, and leaves alone what is gone. */
static void add_item(struct strbuf *body, const struct desec_zone *cache, const char *zone,
                     const struct batch_item *item)
{
    strbuf_adds(body, body->len > 1 ? ",{" : "{");
    httpjson_add_text(body, "subname", dnsname_relative(view_of(item->name), view_of(zone)));
    strbuf_addf(body, ",\"type\":\"%s\",\"ttl\":%u,\"records\":", rrtype_name(item->type),
                (unsigned)MIN(MAX(item->ttl, cache->ttl_min), (uint32_t)TTL_MAX));
    httpjson_add_addresses(body, &item->want);
    strbuf_addc(body, '}');
}

static void check_present(enum zone_mode mode, struct desec_zone *cache, struct batch *batch)
{
    for (size_t i = 0; mode == ZONE_SHARED && i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        struct present present = zonecache_present(cache->records, item->name, item->type);
        if (!httpjson_is_refused(item) && !present_allows(mode, item, &present)) {
            (void)snprintf(cache->refused, sizeof(cache->refused), "%s", present_foreign_detail); /* fits */
        }
    }
}

static enum err build_changes(const struct desec *state, const struct provider_zone *zone, const struct batch *batch,
                              struct provider_request *request)
{
    struct desec_zone *cache = zone->cache;
    begin(state, zone->name, request, HTTP_VERB_PATCH, PROVIDER_STAGE_CHANGE);
    strbuf_adds(&request->url, "rrsets/");
    strbuf_addc(&request->body, '[');
    for (size_t i = 0; i < batch->len; i++) {
        if (!httpjson_is_refused(&batch->items[i])) {
            add_item(&request->body, cache, zone->name, &batch->items[i]);
        }
    }
    strbuf_addc(&request->body, ']');
    enum err err = httpjson_built(request);
    cache->doubtful |= err == ERR_OK; /* until the answer is in */
    return err;
}

/** What is listed, or was half way given up, is not believed any more. */
static bool is_old(const struct desec_zone *cache, uint64_t now_ms)
{
    bool half = cache->cursor.text[0] != '\0';
    return (cache->listed && now_ms >= cache->listed_ms + FRESH_MS) ||
           (half && now_ms >= cache->begun_ms + LISTING_MS) || ((cache->listed || half) && cache->doubtful);
}

static enum err desec_build(void *context, struct provider_zone *zone, struct batch *batch,
                            struct provider_request *request)
{
    struct desec *state = context;
    struct desec_zone *cache = cache_of(state, zone);
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    if (cache->ttl_min == 0) {
        begin(state, zone->name, request, HTTP_VERB_GET, STAGE_DOMAIN);
        return httpjson_built(request);
    }
    if (zone->mode == ZONE_SHARED) {
        if (is_old(cache, request->now_ms)) {
            forget_records(cache);
        }
        if (cache->listed) {
            check_present(zone->mode, cache, batch);
        }
        if (!cache->listed || httpjson_count_open(batch) == 0) { /* "foreign" is believed of a new listing only */
            if (cache->listed) {
                forget_records(cache);
            }
            cache->begun_ms = cache->cursor.text[0] == '\0' ? request->now_ms : cache->begun_ms;
            return build_page(state, zone->name, &cache->cursor, request);
        }
    }
    return build_changes(state, zone, batch, request);
}

static bool is_cursor(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("%-._~=", c) != NULL);
}

/** The value of `cursor=`, which ends the URL, as it stands there. @return ERR_PARSE. */
static enum err read_cursor(struct view url, struct cursor *ret_cursor)
{
    struct view field = VIEW_LITERAL("cursor=");
    while (url.len > 0 && !view_starts_with(url, field)) {
        url = view_n(url.ptr + 1, url.len - 1);
    }
    size_t len = MIN(field.len, url.len);
    while (len < url.len && is_cursor(url.ptr[len])) {
        len++;
    }
    if (len <= field.len || len < url.len) {
        return ERR_PARSE;
    }
    return view_copy(view_n(url.ptr + field.len, len - field.len), ret_cursor->text, CURSOR_SIZE);
}

/** The next page by rel="next" in a Link header (RFC 8288). @return ERR_NOTFOUND: this was the last; ERR_PARSE,
 * ERR_LIMIT: there is one, but nobody knows which. */
static enum err next_cursor(const struct provider_reply *reply, struct cursor *ret_cursor)
{
    struct view links, link, url;
    if (!provider_reply_header(reply, "Link", &links)) {
        return ERR_NOTFOUND;
    }
    while (view_next(&links, ',', &link)) {
        bool next = view_ends_with(view_trim(link), VIEW_LITERAL("rel=\"next\""));
        if (next && view_next(&link, '>', &url)) {
            return read_cursor(url, ret_cursor);
        }
    }
    return ERR_NOTFOUND;
}

/** The same page for ever would use up the account's calls of a day. @return as next_cursor. */
static enum err turn_page(const struct provider_reply *reply, struct cursor *cursor)
{
    struct cursor next = {0};
    enum err err = next_cursor(reply, &next);
    if (err == ERR_OK && strcmp(next.text, cursor->text) == 0) {
        return ERR_PARSE;
    }
    *cursor = next;
    return err;
}

/** Calls @p each for every address of an array of RRsets. */
static enum err each_address(const json_t *rrsets,
                             enum err (*each)(void *context, const char *name, const struct zonecache_record *record),
                             void *context)
{
    const json_t *rrset, *text;
    size_t i, k;
    json_array_foreach(rrsets, i, rrset)
    {
        char name[DNSNAME_SIZE];
        struct view type = httpjson_text_at(rrset, "/type");
        bool address = view_equals(type, "A") || view_equals(type, "AAAA");
        if (!address || dnsname_parse(httpjson_text_at(rrset, "/name"), DNSNAME_RECORD, name, NULL) != ERR_OK) {
            continue;
        }
        json_array_foreach(json_object_get(rrset, "records"), k, text)
        {
            struct zonecache_record record = {.ttl = (uint32_t)json_integer_value(json_object_get(rrset, "ttl"))};
            enum err err = ip_parse(view_of(json_string_value(text)), &record.ip) == ERR_OK
                               ? each(context, name, &record)
                               : ERR_OK;
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

static enum err remember(void *context, const char *name, const struct zonecache_record *record)
{
    return zonecache_put(context, name, record);
}

static enum err take_page(struct desec_zone *cache, enum zone_mode mode, struct batch *batch,
                          const struct provider_request *request, const struct provider_reply *reply,
                          const json_t *json, struct verdict *verdict)
{
    enum err err = each_address(json, remember, cache->records);
    err = err == ERR_OK ? turn_page(reply, &cache->cursor) : err;
    verdict->kind = VERDICT_CONTINUE;
    if (err == ERR_PARSE || err == ERR_LIMIT) {
        forget_records(cache);
        httpjson_unreadable(&api, request, verdict);
        return ERR_OK;
    }
    if (err != ERR_NOTFOUND) {
        return err;
    }
    cache->listed = true;
    cache->listed_ms = reply->now_ms;
    cache->cursor = (struct cursor){0};
    check_present(mode, cache, batch);
    if (httpjson_count_open(batch) == 0) {
        httpjson_settle_because(batch, cache->refused, verdict);
    }
    return ERR_OK;
}

static void judge_domain(struct desec_zone *cache, const struct provider_request *request, const json_t *json,
                         struct verdict *verdict)
{
    json_int_t ttl = json_integer_value(json_object_get(json, "minimum_ttl"));
    if (ttl < 1 || ttl > TTL_MAX) {
        httpjson_unreadable(&api, request, verdict);
        return;
    }
    cache->ttl_min = (uint32_t)ttl;
    verdict->kind = VERDICT_CONTINUE;
}

/** What was written is known from now on; memory that lacks costs a listing. */
static void keep_in_step(struct desec_zone *cache, const struct batch *batch)
{
    for (size_t i = 0; cache->listed && i < batch->len; i++) {
        const struct batch_item *item = &batch->items[i];
        if (httpjson_is_refused(item)) {
            continue;
        }
        zonecache_remove_all(cache->records, item->name, item->type);
        for (size_t k = 0; k < item->want.len; k++) {
            struct zonecache_record record = {.ttl = item->ttl, .ip = item->want.ips[k]};
            cache->doubtful |= zonecache_put(cache->records, item->name, &record) != ERR_OK;
        }
    }
}

static size_t count_written(const struct batch *batch)
{
    size_t written = 0;
    for (size_t i = 0; i < batch->len; i++) {
        written += !httpjson_is_refused(&batch->items[i]) && batch->items[i].want.len > 0;
    }
    return written;
}

/** The reply shows the RRsets that were written: one that shows fewer is not believed. */
static void judge_written(struct desec_zone *cache, const struct provider_request *request, struct batch *batch,
                          const json_t *json, struct verdict *verdict)
{
    if (json_array_size(json) < count_written(batch)) {
        httpjson_unreadable(&api, request, verdict);
        return;
    }
    cache->doubtful = false;
    keep_in_step(cache, batch);
    httpjson_settle_because(batch, cache->refused, verdict);
}

/** First text within, for people; depth is bounded by the parser. */
static struct view first_text(const json_t *json)
{
    struct view text = {0};
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_string(json)) {
        return view_n(json_string_value(json), json_string_length(json));
    }
    json_array_foreach(json, i, value)
    {
        text = text.len > 0 ? text : first_text(value);
    }
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        text = text.len > 0 ? text : first_text(value);
    }
    return text;
}

/** An array of errors in the order of the request: the named ones are refused. False: none is named. */
static bool refuse_named(struct desec_zone *cache, struct batch *batch, const json_t *errors)
{
    char reason[PROVIDER_DETAIL_MAX / 2];
    size_t at = 0;
    bool named = false;
    if (!json_is_array(errors) || json_array_size(errors) != httpjson_count_open(batch)) {
        return false;
    }
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        if (httpjson_is_refused(item)) {
            continue;
        }
        const json_t *error = json_array_get(errors, at++);
        if (json_object_size(error) > 0) {
            item->outcome = OUTCOME_REFUSED;
            item->error = "refused";
            httpjson_copy_text(first_text(error), reason, sizeof(reason));
            (void)snprintf(cache->refused, sizeof(cache->refused), "HTTP 400: deSEC refuses the record: %s",
                           reason); /* fits */
            named = true;
        }
    }
    return named;
}

static void judge_refusal(struct desec_zone *cache, const struct provider_request *request, struct batch *batch,
                          long status, const json_t *json, struct verdict *verdict)
{
    cache->doubtful = false; /* all or nothing */
    if (status == 404) {
        verdict_set(verdict, VERDICT_RETRY, "notfound",
                    "HTTP 404: the domain does not exist, or belongs to another account: check the zone's name");
        verdict->zone_only = true;
    } else if (request->stage != PROVIDER_STAGE_CHANGE || !refuse_named(cache, batch, json)) {
        httpjson_refusal(&api, request, status, json, verdict);
    } else if (httpjson_count_open(batch) > 0) {
        verdict->kind = VERDICT_CONTINUE; /* the rest again, without them */
    } else {
        httpjson_settle_because(batch, cache->refused, verdict);
    }
}

static enum err desec_parse(void *context, struct provider_zone *zone, struct batch *batch,
                            const struct provider_request *request, const struct provider_reply *reply,
                            struct verdict *ret_verdict)
{
    (void)context;
    struct desec_zone *cache = zone->cache;
    json_t *json = NULL;
    enum err err = ERR_OK;
    if (httpjson_judge(&api, request, reply, &json, ret_verdict)) {
        cache->doubtful &= ret_verdict->kind == VERDICT_UNKNOWN;
        return ERR_OK;
    }
    if (reply->status >= 300) {
        judge_refusal(cache, request, batch, reply->status, json, ret_verdict);
    } else if (request->stage == STAGE_DOMAIN) {
        judge_domain(cache, request, json, ret_verdict);
    } else if (request->stage == STAGE_LIST && json_is_array(json)) {
        err = take_page(cache, zone->mode, batch, request, reply, json, ret_verdict);
    } else if (request->stage == PROVIDER_STAGE_CHANGE) {
        judge_written(cache, request, batch, json, ret_verdict);
    } else {
        httpjson_unreadable(&api, request, ret_verdict);
    }
    if (ret_verdict->kind == VERDICT_CONTINUE) {
        httpjson_go_on_because(batch, cache->refused, ret_verdict);
    }
    json_decref(json);
    return err;
}

struct list {
    const struct desec *state;
    struct provider_listing listing;
    char zone[DNSNAME_SIZE];
    struct cursor cursor;
};

static enum err desec_list_begin(void *context, struct provider_zone *zone, const struct provider_listing *listing,
                                 struct provider_request *request, void **ret_list)
{
    (void)request;
    struct list *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    list->state = context;
    list->listing = *listing;
    (void)snprintf(list->zone, sizeof(list->zone), "%s", zone->name); /* canonical: fits */
    *ret_list = list;
    return ERR_OK;
}

static enum err desec_list_next(void *context, struct provider_request *request)
{
    struct list *list = context;
    return build_page(list->state, list->zone, &list->cursor, request);
}

static enum err tell(void *context, const char *name, const struct zonecache_record *record)
{
    const struct provider_listing *listing = context;
    listing->each(listing->context, name, record->ip.family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA, record->ttl,
                  &record->ip);
    return ERR_OK;
}

static enum err desec_list_feed(void *context, const struct provider_request *request,
                                const struct provider_reply *reply, bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct verdict verdict;
    json_t *json = NULL;
    bool final = httpjson_judge(&api, request, reply, &json, &verdict);
    bool fine = !final && reply->status < 300 && json_is_array(json);
    if (fine) {
        enum err err = each_address(json, tell, &list->listing);
        err = err == ERR_OK ? turn_page(reply, &list->cursor) : err;
        *ret_done = err == ERR_NOTFOUND;
        fine = err == ERR_OK || *ret_done;
        httpjson_unreadable(&api, request, &verdict); /* in case it is not */
    } else if (!final) {
        httpjson_refusal(&api, request, reply->status, json, &verdict);
    }
    json_decref(json);
    return fine ? ERR_OK : errinfo_set(info, ERR_IO, "provider", (int)reply->status, "%s", verdict.detail);
}

static void desec_list_end(void *context)
{
    free(context);
}

static const struct provider_option options[] = {
    {"minimum_ttl", "the domains' least TTL in seconds, instead of asking for it", NULL, false},
    {0},
};

const struct provider_ops provider_desec = {
    .about = {.name = "desec",
              .service = "deSEC / dedyn.io",
              .class = "D2+J",
              .since = "0.1",
              .source = "https://desec.readthedocs.io/en/latest/dns/rrsets.html",
              .read = "2026-11-23",
              .note = "password_file: an API token; `minimum_ttl` spares asking for it"},
    .transport = PROVIDER_HTTP,
    .needs = PROVIDER_PASSWORD,
    .takes = PROVIDER_URL,
    .options = options,
    .default_url = "https://desec.io/api/v1",
    .shared = true,
    .open = desec_open,
    .close = desec_close,
    .limits = desec_limits,
    .cache_free = desec_cache_free,
    .redact = desec_redact,
    .build_request = desec_build,
    .parse_reply = desec_parse,
    .list_begin = desec_list_begin,
    .list_next = desec_list_next,
    .list_feed = desec_list_feed,
    .list_end = desec_list_end,
};
