/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP API of the PowerDNS Authoritative Server: RRsets are replaced and deleted by one PATCH of the zone, in one
 * transaction. A refusal (422) is a sentence that begins with the RRset that it is about. In shared zones each RRset is
 * looked up before it is written. The forms of the sentences are those of 4.7.3.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/macros.h"
#include "net/limits.h"
#include "providers/httpjson.h"
#include "providers/present.h"

enum {
    BATCH_MAX = 1000,      /* no limit is documented: a second or so of a SQL backend */
    BODY_MAX = 1900 << 10, /* webserver-max-bodysize is 2 MB unless somebody changes it */
    ITEM_OVERHEAD = 100,   /* bytes of an RRset without its names */
    RECORD_OVERHEAD = 80,  /* and of one record in it, with the longest address */
    STAGE_LOOKUP = PROVIDER_STAGE_ZONE,
};

struct powerdns {
    char *url; /* owned; up to the server's id, without a slash behind it */
    struct secret key;
};

struct powerdns_zone {
    char refused[PROVIDER_DETAIL_MAX]; /* why items of the batch under way are OUTCOME_REFUSED */
};

static const struct httpjson_api api = {
    .name = "PowerDNS",
    .login = "the key in password_file is not the server's api-key, or webserver-allow-from leaves this host out",
    .text = "/error",
    .depth_max = 8,
};

static void powerdns_close(void *context)
{
    struct powerdns *state = context;
    secret_deinit(&state->key);
    free(state->url);
    free(state);
}

static enum err fill(struct powerdns *state, const struct engine_account_config *config, struct errinfo *info)
{
    const char *id = provider_option(config, "server_id");
    struct strbuf url;
    size_t len = 0;
    char *base = httpjson_base(config->url);
    if (base == NULL) {
        return ERR_NOMEM;
    }
    strbuf_init(&url, HTTP_URL_MAX);
    strbuf_adds(&url, base);
    strbuf_adds(&url, view_ends_with(view_of(base), VIEW_LITERAL("/api/v1")) ? "/servers" : "/api/v1/servers");
    free(base);
    httpjson_path(&url, view_of(id != NULL ? id : "localhost"));
    enum err err = strbuf_take(&url, &state->url, &len);
    strbuf_deinit(&url);
    return err == ERR_OK ? account_read_secret(config->password_file, &state->key, info) : err;
}

static enum err powerdns_open(const struct engine_account_config *config, const struct template *template,
                              void **ret_state, struct errinfo *info)
{
    (void)template;
    struct powerdns *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = fill(state, config, info);
    if (err != ERR_OK) {
        powerdns_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void powerdns_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* the same for every account */
    *ret_limits = (struct provider_limits){
        .batch_max = BATCH_MAX, .depth_max = 1, .bytes_max = BODY_MAX, .ttl_max = INT32_MAX /* RFC 2181 8 */};
}

static size_t powerdns_item_size(const struct provider_zone *zone, const struct batch_item *item)
{
    (void)zone;
    return ITEM_OVERHEAD + strlen(item->name) + item->want.len * (size_t)RECORD_OVERHEAD;
}

static void powerdns_redact(const void *context, char *text)
{
    const struct powerdns *state = context;
    httpjson_redact(text, secret_view(&state->key));
}

static void begin(const struct powerdns *state, const char *zone, struct provider_request *request, enum http_verb verb,
                  uint8_t stage)
{
    httpjson_begin(request, verb, stage);
    httpjson_header(request, "X-API-Key", "", secret_view(&state->key));
    strbuf_addf(&request->url, "%s/zones", state->url);
    httpjson_path(&request->url, view_of(zone));
    strbuf_addc(&request->url, '.');
}

/** In a shared zone: the first item that was not looked at yet; false when there is none. What may be overwritten is
 * marked by `adopt` in the batch, which is a copy of the change. */
static bool find_unseen(const struct provider_zone *zone, const struct batch *batch, size_t *ret_index)
{
    for (size_t i = 0; zone->mode == ZONE_SHARED && i < batch->len; i++) {
        if (!httpjson_is_refused(&batch->items[i]) && !batch->items[i].adopt) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static enum err build_lookup(const struct powerdns *state, const char *zone, const struct batch_item *item,
                             struct provider_request *request)
{
    char name[DNSNAME_SIZE + 1];
    (void)snprintf(name, sizeof(name), "%s.", item->name); /* canonical: fits */
    begin(state, zone, request, HTTP_VERB_GET, STAGE_LOOKUP);
    httpjson_query(&request->url, "rrset_name", view_of(name));
    httpjson_query(&request->url, "rrset_type", view_of(rrtype_name(item->type)));
    request->reply_max = HTTP_REPLY_MAX; /* a server that does not know the filter sends the zone */
    return httpjson_built(request);
}

static void add_item(struct strbuf *body, const struct batch_item *item)
{
    strbuf_addf(body, "{\"name\":\"%s.\",\"type\":\"%s\",", item->name, rrtype_name(item->type));
    if (item->want.len == 0) {
        strbuf_adds(body, "\"changetype\":\"DELETE\"}");
        return;
    }
    strbuf_addf(body, "\"ttl\":%" PRIu32 ",\"changetype\":\"REPLACE\",\"records\":[", item->ttl);
    for (size_t i = 0; i < item->want.len; i++) {
        char address[IP_TEXT_SIZE];
        ip_format(&item->want.ips[i], address);
        strbuf_addf(body, "%s{\"content\":\"%s\",\"disabled\":false}", i > 0 ? "," : "", address);
    }
    strbuf_adds(body, "]}");
}

static enum err powerdns_build(void *context, struct provider_zone *zone, struct batch *batch,
                               struct provider_request *request)
{
    struct powerdns *state = context;
    bool first = true;
    zone->cache = zone->cache != NULL ? zone->cache : calloc(1, sizeof(struct powerdns_zone));
    if (zone->cache == NULL) {
        return ERR_NOMEM;
    }
    if (find_unseen(zone, batch, &request->index)) {
        return build_lookup(state, zone->name, &batch->items[request->index], request);
    }
    begin(state, zone->name, request, HTTP_VERB_PATCH, PROVIDER_STAGE_CHANGE);
    strbuf_adds(&request->body, "{\"rrsets\":[");
    for (size_t i = 0; i < batch->len; i++) {
        if (!httpjson_is_refused(&batch->items[i])) {
            strbuf_adds(&request->body, first ? "" : ",");
            add_item(&request->body, &batch->items[i]);
            first = false;
        }
    }
    strbuf_adds(&request->body, "]}");
    return httpjson_built(request);
}

/** After some items were refused: the rest goes on, or nothing is left. */
static void go_on(struct powerdns_zone *cache, struct batch *batch, struct verdict *verdict)
{
    verdict->kind = VERDICT_CONTINUE;
    if (httpjson_count_open(batch) == 0) {
        httpjson_settle_because(batch, cache->refused, verdict);
    }
}

/** Is @p rrset that name and type? */
static bool is_rrset(const json_t *rrset, const char *name, enum rrtype type)
{
    char found[DNSNAME_SIZE];
    return view_equals(httpjson_text_at(rrset, "/type"), rrtype_name(type)) &&
           dnsname_parse(httpjson_text_at(rrset, "/name"), DNSNAME_RECORD, found, NULL) == ERR_OK &&
           strcmp(found, name) == 0;
}

static void take_lookup(struct powerdns_zone *cache, struct batch *batch, size_t index, const json_t *rrsets,
                        struct verdict *verdict)
{
    struct batch_item *item = &batch->items[index];
    struct present present = {0};
    const json_t *rrset, *record;
    size_t i, k;
    json_array_foreach(rrsets, i, rrset)
    {
        if (!is_rrset(rrset, item->name, item->type)) {
            continue;
        }
        json_array_foreach(json_object_get(rrset, "records"), k, record)
        {
            present_add(&present, item->type, httpjson_text_at(record, "/content"));
            present.other |= json_is_true(json_object_get(record, "disabled")); /* somebody's, and would be lost */
        }
    }
    if (present_allows(ZONE_SHARED, item, &present)) {
        item->adopt = true;
    } else {
        (void)snprintf(cache->refused, sizeof(cache->refused), "%s", present_foreign_detail); /* fits */
    }
    go_on(cache, batch, verdict);
}

/** Does the sentence begin with this RRset? "Record NAME./TYPE 'CONTENT': ...", "RRset NAME. IN TYPE: ..." and
 * "Duplicate record in RRset NAME. IN TYPE with ...". */
static bool is_about(const char *reason, const struct batch_item *item)
{
    char record[DNSNAME_SIZE + 32], rrset[DNSNAME_SIZE + 32];
    const char *type = rrtype_name(item->type);
    (void)snprintf(record, sizeof(record), "Record %s./%s ", item->name, type); /* canonical: these fit */
    (void)snprintf(rrset, sizeof(rrset), "RRset %s. IN %s", item->name, type);
    const char *at = strstr(reason, rrset), behind = at != NULL ? at[strlen(rrset)] : 'x';
    return strstr(reason, record) != NULL || behind == ':' || behind == ' ';
}

/** @return whether the reason names items: they are refused. */
static bool refuse_named(struct powerdns_zone *cache, struct batch *batch, const json_t *json)
{
    struct view text = httpjson_text_at(json, "/error");
    char reason[1024];
    bool named = false;
    httpjson_copy_text(text, reason, sizeof(reason));
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        if (!httpjson_is_refused(item) && is_about(reason, item)) {
            item->outcome = OUTCOME_REFUSED;
            item->error = "refused";
            named = true;
        }
    }
    if (named) {
        char shown[PROVIDER_DETAIL_MAX - 48];
        httpjson_copy_text(text, shown, sizeof(shown));
        (void)snprintf(cache->refused, sizeof(cache->refused), "HTTP 422: PowerDNS refuses the record: %s",
                       shown); /* fits */
    }
    return named;
}

static void judge_refusal(struct powerdns_zone *cache, const struct provider_request *request, struct batch *batch,
                          long status, const json_t *json, struct verdict *verdict)
{
    bool no_zone = status == 404 || view_starts_with(httpjson_text_at(json, "/error"), VIEW_LITERAL("Could not find"));
    if (no_zone) {
        verdict_set(verdict, VERDICT_RETRY, "notfound",
                    "HTTP %ld: the server has no such zone: check its name, `url` and the option server_id", status);
        verdict->zone_only = true;
    } else if (request->stage == PROVIDER_STAGE_CHANGE && status == 422 && refuse_named(cache, batch, json)) {
        go_on(cache, batch, verdict);
    } else {
        httpjson_refusal(&api, request, status, json, verdict);
    }
}

static enum err powerdns_parse(void *context, struct provider_zone *zone, struct batch *batch,
                               const struct provider_request *request, const struct provider_reply *reply,
                               struct verdict *ret_verdict)
{
    (void)context;
    struct powerdns_zone *cache = zone->cache;
    json_t *json = NULL;
    if (httpjson_judge(&api, request, reply, &json, ret_verdict)) {
        return ERR_OK;
    }
    const json_t *rrsets = json_object_get(json, "rrsets");
    if (reply->status >= 300) {
        judge_refusal(cache, request, batch, reply->status, json, ret_verdict);
    } else if (request->stage == STAGE_LOOKUP && json_is_array(rrsets)) {
        take_lookup(cache, batch, request->index, rrsets, ret_verdict);
    } else if (request->stage == PROVIDER_STAGE_CHANGE && reply->status == 204) {
        httpjson_settle_because(batch, cache->refused, ret_verdict);
    } else {
        httpjson_unreadable(&api, request, ret_verdict); /* a page of somebody else's with 200 among them */
    }
    if (ret_verdict->kind == VERDICT_CONTINUE) {
        httpjson_go_on_because(batch, cache->refused, ret_verdict);
    }
    json_decref(json);
    return ERR_OK;
}

struct list {
    const struct powerdns *state;
    struct provider_listing listing;
    char zone[DNSNAME_SIZE];
};

static enum err powerdns_list_begin(void *context, struct provider_zone *zone, const struct provider_listing *listing,
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

/** The API has no pages. The zone as a text is a third of the RRsets in JSON, and so is the time that the server needs.
 */
static enum err powerdns_list_next(void *context, struct provider_request *request)
{
    struct list *list = context;
    begin(list->state, list->zone, request, HTTP_VERB_GET, STAGE_LOOKUP);
    strbuf_adds(&request->url, "/export");
    request->reply_max = HTTP_REPLY_WHOLE_MAX; /* a million addresses */
    return httpjson_built(request);
}

/** "name. TTL IN type content", with tabs between. @return whether it is the zone's SOA. */
static bool tell_line(const struct list *list, struct view line)
{
    struct view fields[4];
    uint64_t ttl = 0;
    struct ip ip;
    char name[DNSNAME_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!view_next(&line, '\t', &fields[i])) {
            return false;
        }
    }
    bool a = view_equals(fields[3], "A"), aaaa = view_equals(fields[3], "AAAA"), soa = view_equals(fields[3], "SOA");
    if (!(a || aaaa || soa) || view_to_u64(fields[1], UINT32_MAX, &ttl) != ERR_OK ||
        dnsname_parse(fields[0], DNSNAME_RECORD, name, NULL) != ERR_OK) {
        return false;
    }
    if (!soa && ip_parse(line, &ip) == ERR_OK && ip.family == (a ? IP_V4 : IP_V6)) {
        list->listing.each(list->listing.context, name, a ? RRTYPE_A : RRTYPE_AAAA, (uint32_t)ttl, &ip);
    }
    return soa && strcmp(name, list->zone) == 0;
}

/** @return whether it was a zone: one that has its SOA. */
static bool tell_zone(const struct list *list, struct view text)
{
    struct view line;
    bool whole = false;
    while (text.len > 0 && view_next(&text, '\n', &line)) {
        whole |= tell_line(list, line);
    }
    return whole;
}

static enum err powerdns_list_feed(void *context, const struct provider_request *request,
                                   const struct provider_reply *reply, bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct verdict verdict;
    json_t *json = NULL;
    bool final = httpjson_judge(&api, request, reply, &json, &verdict);
    *ret_done = !final && reply->status == 200 && tell_zone(list, httpjson_text_at(json, "/zone"));
    if (!*ret_done && !final && reply->status < 300) {
        httpjson_unreadable(&api, request, &verdict);
    } else if (!*ret_done && !final) {
        httpjson_refusal(&api, request, reply->status, json, &verdict);
    }
    json_decref(json);
    return *ret_done ? ERR_OK : errinfo_set(info, ERR_IO, "provider", (int)reply->status, "%s", verdict.detail);
}

/** Of the list, and of a zone's cache. */
static void powerdns_free(void *context)
{
    free(context);
}

static const char *const switches[] = {"true", "false", NULL};
static const struct provider_option options[] = {
    {"server_id", "id of the server in the API, localhost by default", NULL, false},
    {PROVIDER_ALLOW_HTTP, "true: `url` may be http:// to another host, where the key can be read on the way", switches,
     false},
    {0},
};

const struct provider_ops provider_powerdns = {
    .about = {.name = "powerdns",
              .service = "PowerDNS",
              .class = "J/R",
              .since = "0.1",
              .source = "https://doc.powerdns.com/authoritative/http-api/zone.html",
              .read = "2026-11-23",
              .note = "url: address of the server's webserver, as http://127.0.0.1:8081; password_file: its api-key"},
    .transport = PROVIDER_HTTP,
    .needs = PROVIDER_URL | PROVIDER_PASSWORD,
    .options = options,
    .plain_http = true,
    .shared = true,
    .open = powerdns_open,
    .close = powerdns_close,
    .limits = powerdns_limits,
    .cache_free = powerdns_free,
    .item_size = powerdns_item_size,
    .redact = powerdns_redact,
    .build_request = powerdns_build,
    .parse_reply = powerdns_parse,
    .list_begin = powerdns_list_begin,
    .list_next = powerdns_list_next,
    .list_feed = powerdns_list_feed,
    .list_end = powerdns_free,
};
