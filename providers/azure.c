/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azure: Azure DNS through the Resource Manager: one RRset a request. What is there is changed by PATCH, which leaves
 * alone what it does not name, such as the user's metadata, and in shared zones is a compare-and-set by the RRset's
 * ETag (If-Match). PUT replaces an RRset whole, so it only makes one where there is none (If-None-Match: *). A
 * dedicated zone is not asked what it holds: a change is taken for one of what is there until the reply says that
 * nothing is, since a name is made once and changed often. Source:
 * https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update, .../update, .../delete, .../get,
 * .../list-by-dns-zone, https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/
 * request-limits-and-throttling, read 2026-11-23.
 */
#include <stdlib.h>
#include <string.h>

#include "net/limits.h"
#include "providers/azure_account.h"
#include "providers/present.h"
#include "providers/rrcache.h"

#define VERSION "?api-version=2018-05-01"
#define SPECIAL "alias" /* in the cache, for what is no list of addresses */
#define UNKNOWN "?"     /* and for what is there, but must be asked again: a condition failed */

enum { STAGE_CHANGE = PROVIDER_STAGE_CHANGE, STAGE_RECORD = PROVIDER_STAGE_ZONE, STAGE_LIST };
enum { DEPTH_MAX = 10, STALE_MAX = 3, LINK_MAX = 4096 };

static enum err azure_open(const struct engine_account_config *config, const struct template *template,
                           void **ret_state, struct errinfo *info)
{
    (void)template;
    struct azure_account *state = NULL;
    enum err err = azure_account_new(config, provider_azure.default_url, &state, info);
    if (err == ERR_OK) {
        *ret_state = state;
    }
    return err;
}

static void azure_close(void *state)
{
    azure_account_free(state);
}

static void azure_redact(const void *context, char *text)
{
    const struct azure_account *state = context;
    httpjson_redact(text, secret_view(&state->token.value));
    httpjson_redact(text, view_of(state->who.secret));
}

static void azure_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* of a subscription and the one who asks: 200 writes at once, then 10 a second; 250 and 25 reads. Of a
                    zone: 200 creations and 200 updates a minute, which are not told apart here */
    *ret_limits = (struct provider_limits){.batch_max = 1,
                                           .depth_max = DEPTH_MAX,
                                           .account_max = DEPTH_MAX,
                                           .ttl_min = 1,
                                           .ttl_max = INT32_MAX,
                                           .rates = {{RATE_OF_ACCOUNT, RATE_WRITES, 10, 1000, 200},
                                                     {RATE_OF_ACCOUNT, RATE_CALLS, 25, 1000, 250},
                                                     {RATE_OF_ZONE, RATE_WRITES, 200, 60000, 0}},
                                           .rates_len = 3};
}

/** In shared zones what stands in each place, with its ETag; in dedicated ones where nothing was found. The TTL is
 * not needed: it counts the rounds of a change that were lost to another writer. */
static void cache_free(void *context)
{
    rrcache_deinit(context);
    free(context);
}

static struct rrcache *cache_of(struct provider_zone *zone)
{
    if (zone->cache == NULL) {
        zone->cache = calloc(1, sizeof(struct rrcache));
    }
    return zone->cache;
}

static void add_zone(const struct azure_account *state, const struct provider_zone *zone, struct strbuf *url)
{
    strbuf_addf(url, "%s/subscriptions", state->url);
    httpjson_path(url, view_of(state->who.subscription));
    strbuf_adds(url, "/resourceGroups");
    httpjson_path(url, view_of(state->who.group));
    strbuf_adds(url, "/providers/Microsoft.Network/dnsZones");
    httpjson_path(url, view_of(zone->name));
}

static void begin(const struct azure_account *state, const struct provider_zone *zone, const struct batch_item *item,
                  enum http_verb verb, uint8_t stage, struct provider_request *request)
{
    struct view relative = dnsname_relative(view_of(item->name), view_of(zone->name));
    httpjson_begin(request, verb, stage);
    oauth_header(&state->token, request);
    add_zone(state, zone, &request->url);
    strbuf_addf(&request->url, "/%s", rrtype_name(item->type));
    httpjson_path(&request->url, relative.len > 0 ? relative : VIEW_LITERAL("@"));
    strbuf_adds(&request->url, VERSION);
}

static void write_body(const struct batch_item *item, struct strbuf *body)
{
    bool v4 = item->type == RRTYPE_A;
    strbuf_addf(body, "{\"properties\":{\"TTL\":%u,\"%s\":[", (unsigned)item->ttl, v4 ? "ARecords" : "AAAARecords");
    for (size_t i = 0; i < item->want.len; i++) {
        char address[IP_TEXT_SIZE];
        ip_format(&item->want.ips[i], address);
        strbuf_addf(body, "%s{\"%s\":\"%s\"}", i > 0 ? "," : "", v4 ? "ipv4Address" : "ipv6Address", address);
    }
    strbuf_adds(body, "]}}");
}

enum plan {
    PLAN_ASK,
    PLAN_DELETE, /* whatever stands there */
    PLAN_UPDATE, /* the same */
    PLAN_CREATE,
    PLAN_REPLACE, /* or delete: only what was seen there */
    PLAN_NONE
};

static bool is_first(const struct batch_item *item)
{
    return !item->unsure && (!item->have_known || item->have.len == 0) && item->want.len > 0;
}

/** Whatever may stand in the place is ours to change: only whether anything does is of interest. */
static enum plan plan_over(const struct rrcache *cache, const struct batch_item *item)
{
    struct rrcache_found found;
    if (item->want.len == 0) {
        return PLAN_DELETE;
    }
    bool absent = rrcache_find(cache, item->name, item->type, &found) ? found.values.len == 0
                                                                      : item->have_known && item->have.len == 0;
    return absent ? PLAN_CREATE : PLAN_UPDATE;
}

static enum plan plan_of(const struct rrcache *cache, enum zone_mode mode, const struct batch_item *item,
                         struct rrcache_found *ret_found)
{
    struct batch_item trial = *item;
    *ret_found = (struct rrcache_found){.tag = ""};
    if (mode == ZONE_DEDICATED || item->adopt) {
        return plan_over(cache, item);
    }
    if (!rrcache_find(cache, item->name, item->type, ret_found)) {
        return is_first(item) ? PLAN_CREATE : PLAN_ASK;
    }
    const struct present present = rrcache_present(ret_found, item->type);
    if (view_equals(ret_found->values, UNKNOWN) || !present_allows(mode, &trial, &present)) {
        return PLAN_ASK;
    }
    if (ret_found->values.len == 0) {
        return item->want.len > 0 ? PLAN_CREATE : PLAN_NONE;
    }
    return PLAN_REPLACE;
}

static enum err azure_build(void *context, struct provider_zone *zone, struct batch *batch,
                            struct provider_request *request)
{
    const struct azure_account *state = context;
    const struct rrcache *cache = cache_of(zone);
    const struct batch_item *item = &batch->items[0];
    struct rrcache_found found;
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    if (!oauth_fresh(&state->token, request->now_ms)) {
        return azure_account_build_token(state, request);
    }
    enum plan plan = plan_of(cache, zone->mode, item, &found);
    if (plan == PLAN_ASK || plan == PLAN_NONE) { /* nothing is to be done by what was seen another time: ask */
        begin(state, zone, item, HTTP_VERB_GET, STAGE_RECORD, request);
        return httpjson_built(request);
    }
    enum http_verb verb = plan == PLAN_CREATE ? HTTP_VERB_PUT : HTTP_VERB_PATCH;
    begin(state, zone, item, item->want.len > 0 ? verb : HTTP_VERB_DELETE, STAGE_CHANGE, request);
    if (plan == PLAN_CREATE) {
        httpjson_header(request, "If-None-Match", "", VIEW_LITERAL("*"));
    } else if (plan == PLAN_REPLACE) {
        httpjson_header(request, "If-Match", "", view_of(found.tag));
    }
    if (item->want.len > 0) {
        write_body(item, &request->body);
    }
    return httpjson_built(request);
}

/** Addresses of an RRset, one a line; an alias (targetResource) has none of its own. */
static enum err read_values(const json_t *rrset, enum rrtype type, struct strbuf *values)
{
    bool v4 = type == RRTYPE_A;
    const json_t *properties = json_object_get(rrset, "properties");
    const json_t *records = json_object_get(properties, v4 ? "ARecords" : "AAAARecords");
    for (size_t i = 0; i < json_array_size(records); i++) {
        struct view address = httpjson_text_at(json_array_get(records, i), v4 ? "/ipv4Address" : "/ipv6Address");
        if (address.len == 0) {
            return ERR_PARSE;
        }
        strbuf_adds(values, i > 0 ? "\n" : "");
        strbuf_add(values, address);
    }
    if (values->len == 0) {
        strbuf_adds(values, SPECIAL);
    }
    return properties != NULL ? strbuf_error(values) : ERR_PARSE;
}

/** Rounds of this change that were lost, kept over what is seen. */
static uint32_t lost_rounds(const struct rrcache *cache, const struct batch_item *item)
{
    struct rrcache_found found;
    return rrcache_find(cache, item->name, item->type, &found) ? found.ttl : 0;
}

static enum err see(struct rrcache *cache, const struct batch_item *item, const json_t *rrset)
{
    struct view tag = httpjson_text_at(rrset, "/etag");
    struct strbuf values;
    if (tag.len == 0) {
        return ERR_PARSE;
    }
    strbuf_init(&values, RRCACHE_VALUES_MAX);
    enum err err = read_values(rrset, item->type, &values);
    if (err == ERR_OK) {
        err = rrcache_put(cache, item->name, item->type, lost_rounds(cache, item), strbuf_view(&values), tag);
    }
    strbuf_deinit(&values);
    return err;
}

static void settle(struct batch_item *item, const char *error, const char *detail, struct verdict *verdict)
{
    item->outcome = error == NULL ? OUTCOME_APPLIED : OUTCOME_REFUSED;
    item->error = error;
    *verdict = (struct verdict){.kind = VERDICT_SETTLED};
    if (error != NULL) {
        verdict_set(verdict, VERDICT_SETTLED, error, "%s", detail);
    }
}

/** What was found there decides whether the change may go on. */
static void judge_found(struct rrcache *cache, enum zone_mode mode, struct batch_item *item, struct verdict *verdict)
{
    struct rrcache_found found = {.tag = ""};
    (void)rrcache_find(cache, item->name, item->type, &found); /* it has just been put there */
    const struct present present = rrcache_present(&found, item->type);
    if (!present_allows(mode, item, &present)) {
        rrcache_forget(cache, item->name, item->type); /* a person may have mended it next time */
        settle(item, "foreign", present_foreign_detail, verdict);
    } else if (found.values.len == 0 && item->want.len == 0) {
        rrcache_forget(cache, item->name, item->type);
        settle(item, NULL, "", verdict);
    } else {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    }
}

/** A record that is not there, or a zone, a group or a subscription. */
static bool is_absent(const json_t *json)
{
    return view_equals(httpjson_text_at(json, "/code"), "NotFound") ||
           view_equals(httpjson_text_at(json, "/error/code"), "NotFound");
}

static enum err take_record(struct rrcache *cache, struct provider_zone *zone, struct batch_item *item,
                            const struct provider_request *request, const struct provider_reply *reply,
                            const json_t *json, struct verdict *verdict)
{
    bool absent = reply->status == 404 && is_absent(json);
    if (!absent && reply->status != 200) {
        httpjson_refusal(&azure_api, request, reply->status, json, verdict);
        return ERR_OK;
    }
    enum err err = absent ? rrcache_put(cache, item->name, item->type, lost_rounds(cache, item), (struct view){0},
                                        (struct view){0})
                          : see(cache, item, json);
    if (err == ERR_PARSE || err == ERR_LIMIT) {
        httpjson_unreadable(&azure_api, request, verdict);
        return ERR_OK;
    }
    if (err == ERR_OK) {
        judge_found(cache, zone->mode, item, verdict);
    }
    return err;
}

/** This record waits by itself: others of the zone have nothing to do with it. */
static void leave(struct batch_item *item, const char *error, const char *detail, struct verdict *verdict)
{
    settle(item, error, detail, verdict);
    item->outcome = OUTCOME_RETRY;
}

/** A request whose reply was lost is being carried out still, or somebody else's is. Other conflicts stay: a CNAME in
 * the way, a zone that is full. */
static bool is_pending(const json_t *json)
{
    static const char pending[] = "Another operation is pending";
    struct view text = httpjson_text_at(json, azure_api.text);
    text = text.len > 0 ? text : httpjson_text_at(json, azure_api.text_too);
    return text.len > 0 && memmem(text.ptr, text.len, pending, sizeof(pending) - 1) != NULL;
}

/** The condition did not hold: somebody else wrote, or we did and the reply was lost.
 *  @param stands what is known of the place now: nothing (empty), or UNKNOWN. */
static enum err lose_round(struct rrcache *cache, struct batch_item *item, struct view stands, struct verdict *verdict)
{
    uint32_t lost = lost_rounds(cache, item) + 1;
    item->unsure = true;
    if (lost > STALE_MAX) {
        rrcache_forget(cache, item->name, item->type);
        leave(item, "conflict", "another writer changes the same record all the time", verdict);
        return ERR_OK;
    }
    *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    return rrcache_put(cache, item->name, item->type, lost, stands, (struct view){0});
}

static void take_change(struct rrcache *cache, enum zone_mode mode, struct batch_item *item,
                        const struct provider_request *request, const json_t *json, struct verdict *verdict)
{
    bool put = item->want.len > 0;
    if (put && json_object_get(json, "properties") == NULL) {
        httpjson_unreadable(&azure_api, request, verdict);
        return;
    }
    rrcache_forget(cache, item->name, item->type);
    struct view tag = httpjson_text_at(json, "/etag");
    if (put && mode == ZONE_SHARED && tag.len > 0) {
        struct batch_item written = *item;
        written.ttl = 0;
        if (rrcache_put_item(cache, &written, tag) != ERR_OK) {
            rrcache_forget(cache, item->name, item->type); /* it is asked for next time */
        }
    }
    settle(item, NULL, "", verdict);
}

static enum err judge(struct provider_zone *zone, struct batch_item *item, const struct provider_request *request,
                      const struct provider_reply *reply, const json_t *json, struct verdict *verdict)
{
    struct rrcache *cache = cache_of(zone);
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    if (request->stage == STAGE_RECORD) {
        return take_record(cache, zone, item, request, reply, json, verdict);
    }
    if (reply->status == 412) {
        return lose_round(cache, item, VIEW_LITERAL(UNKNOWN), verdict);
    }
    if (reply->status == 404 && item->want.len > 0 && is_absent(json)) {
        return lose_round(cache, item, (struct view){0}, verdict);
    }
    if (reply->status == 409 && is_pending(json)) {
        leave(item, "busy", "HTTP 409: another operation on the record is pending at Azure", verdict);
    } else if (reply->status < 300) {
        take_change(cache, zone->mode, item, request, json, verdict);
    } else if (reply->status == 404 && item->want.len == 0 && is_absent(json)) {
        rrcache_forget(cache, item->name, item->type);
        settle(item, NULL, "", verdict);
    } else {
        httpjson_refusal(&azure_api, request, reply->status, json, verdict);
    }
    return ERR_OK;
}

/** Replies that mean the same at every stage: no right, too many requests, a token that has ended. */
static bool judge_all(struct azure_account *state, const struct provider_request *request,
                      const struct provider_reply *reply, json_t **ret_json, struct verdict *verdict)
{
    *ret_json = NULL;
    if (request->stage == AZURE_STAGE_TOKEN) {
        oauth_parse(&state->token, &azure_api, reply, verdict);
        return true;
    }
    if (reply->status == 401 && oauth_again(&state->token, request, verdict)) {
        return true;
    }
    state->token.refused &= reply->status == 401;
    return httpjson_judge(&azure_api, request, reply, ret_json, verdict);
}

static enum err azure_parse(void *context, struct provider_zone *zone, struct batch *batch,
                            const struct provider_request *request, const struct provider_reply *reply,
                            struct verdict *ret_verdict)
{
    json_t *json = NULL;
    enum err err = ERR_OK;
    *ret_verdict = (struct verdict){0};
    if (!judge_all(context, request, reply, &json, ret_verdict)) {
        err = judge(zone, &batch->items[0], request, reply, json, ret_verdict);
    }
    json_decref(json);
    return err;
}

struct list {
    struct azure_account *state; /* borrowed, as the zone */
    const struct provider_zone *zone;
    struct provider_listing listing;
    char *link; /* owned; of the next page; NULL = the first */
};

static enum err azure_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                                 struct provider_request *request, void **ret_list)
{
    (void)request;
    struct list *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    *list = (struct list){.state = state, .zone = zone, .listing = *listing};
    *ret_list = list;
    return ERR_OK;
}

static enum err azure_list_next(void *context, struct provider_request *request)
{
    const struct list *list = context;
    if (!oauth_fresh(&list->state->token, request->now_ms)) {
        return azure_account_build_token(list->state, request);
    }
    httpjson_begin(request, HTTP_VERB_GET, STAGE_LIST);
    oauth_header(&list->state->token, request);
    if (list->link != NULL) {
        strbuf_adds(&request->url, list->link);
    } else {
        add_zone(list->state, list->zone, &request->url);
        strbuf_adds(&request->url, "/recordsets" VERSION);
    }
    request->reply_max = HTTP_REPLY_MAX;
    return httpjson_built(request);
}

/** "www" or "@", relative to the zone. */
static enum err whole_name(struct view relative, const char *zone, char ret_name[static DNSNAME_SIZE])
{
    char text[2 * DNSNAME_SIZE];
    if (view_equals(relative, "@")) {
        return view_copy(view_of(zone), ret_name, DNSNAME_SIZE);
    }
    if (relative.len > DNSNAME_MAX) {
        return ERR_LIMIT;
    }
    memcpy(text, relative.ptr, relative.len);
    text[relative.len] = '.';
    memcpy(text + relative.len + 1, zone, strlen(zone));
    return dnsname_parse(view_n(text, relative.len + 1 + strlen(zone)), DNSNAME_RECORD, ret_name, NULL);
}

static enum err tell(const struct list *list, const json_t *rrset, struct strbuf *values)
{
    struct view kind = httpjson_text_at(rrset, "/type"), name = httpjson_text_at(rrset, "/name"), line;
    const json_t *ttl = httpjson_at(rrset, "/properties/TTL");
    bool v4 = view_ends_with(kind, VIEW_LITERAL("/A")), v6 = view_ends_with(kind, VIEW_LITERAL("/AAAA"));
    char whole[DNSNAME_SIZE];
    if (!(v4 || v6) || name.len == 0 || whole_name(name, list->zone->name, whole) != ERR_OK) {
        return ERR_OK; /* not one that we could own */
    }
    strbuf_clear(values);
    enum err err = read_values(rrset, v4 ? RRTYPE_A : RRTYPE_AAAA, values);
    struct view rest = strbuf_view(values);
    while (err == ERR_OK && json_is_integer(ttl) && view_next(&rest, '\n', &line)) {
        struct ip ip;
        if (ip_parse(line, &ip) == ERR_OK && ip.family == (v4 ? IP_V4 : IP_V6)) {
            list->listing.each(list->listing.context, whole, v4 ? RRTYPE_A : RRTYPE_AAAA,
                               (uint32_t)json_integer_value(ttl), &ip);
        }
    }
    return err;
}

/** The link goes with our token, so it must lead to where the token belongs. The Resource Manager may write the port
 * into it that a URL without one means. */
static bool leads_home(struct view link, struct view home)
{
    static const char port[] = ":443";
    if (!view_starts_with(link, home)) {
        return false;
    }
    struct view rest = view_n(link.ptr + home.len, link.len - home.len);
    if (view_starts_with(home, VIEW_LITERAL("https://")) && view_starts_with(rest, view_of(port))) {
        rest = view_n(rest.ptr + sizeof(port) - 1, rest.len - (sizeof(port) - 1));
    }
    return rest.len > 0 && rest.ptr[0] == '/';
}

static enum err turn_page(struct list *list, const json_t *json, bool *ret_done)
{
    struct view link = httpjson_text_at(json, "/nextLink"), home = view_of(list->state->url);
    bool same = list->link != NULL && view_equals(link, list->link);
    free(TAKE(list->link));
    *ret_done = link.len == 0;
    if (*ret_done) {
        return ERR_OK;
    }
    if (same || link.len > LINK_MAX || !leads_home(link, home)) {
        return ERR_PARSE;
    }
    list->link = strndup(link.ptr, link.len);
    return list->link != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err take_page(struct list *list, const struct provider_reply *reply, const json_t *json, bool *ret_done)
{
    const json_t *value = json_object_get(json, "value");
    struct strbuf values;
    enum err err = reply->status != 200 ? ERR_DENIED : json_is_array(value) ? ERR_OK : ERR_PARSE;
    strbuf_init(&values, RRCACHE_VALUES_MAX);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(value); i++) {
        err = tell(list, json_array_get(value, i), &values);
    }
    strbuf_deinit(&values);
    return err == ERR_OK ? turn_page(list, json, ret_done) : err;
}

static enum err azure_list_feed(void *context, const struct provider_request *request,
                                const struct provider_reply *reply, bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct verdict verdict = {0};
    json_t *json = NULL;
    enum err err = ERR_OK;
    *ret_done = false;
    if (judge_all(list->state, request, reply, &json, &verdict)) {
        err = verdict.kind == VERDICT_CONTINUE ? ERR_OK : ERR_DENIED;
    } else {
        err = take_page(list, reply, json, ret_done);
    }
    json_decref(json);
    if (err != ERR_OK) {
        err = errinfo_set(info, err, "http", reply->status, "listing of %s: HTTP %ld: %s", list->zone->name,
                          reply->status, verdict.detail[0] != '\0' ? verdict.detail : err_text(err));
    }
    return err;
}

static void azure_list_end(void *context)
{
    struct list *list = context;
    free(list->link);
    free(list);
}

const struct provider_ops provider_azure = {
    .about = {.name = "azure",
              .service = "Azure DNS",
              .class = "S",
              .since = "0.1",
              .source = "https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update",
              .read = "2026-11-23",
              .note = "key_file: what `az ad sp create-for-rbac` writes, and option resource_group; or option "
                      "identity: managed"},
    .transport = PROVIDER_HTTP,
    .takes = PROVIDER_URL | PROVIDER_USERNAME | PROVIDER_PASSWORD | PROVIDER_KEY,
    .options = azure_options,
    .default_url = "https://management.azure.com",
    .plain = true,
    .shared = true,
    .open = azure_open,
    .close = azure_close,
    .limits = azure_limits,
    .cache_free = cache_free,
    .redact = azure_redact,
    .build_request = azure_build,
    .parse_reply = azure_parse,
    .list_begin = azure_list_begin,
    .list_next = azure_list_next,
    .list_feed = azure_list_feed,
    .list_end = azure_list_end,
};
