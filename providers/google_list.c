/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of Google Cloud DNS: zones and RRsets of a reply, whether the last change is done, the listing of a zone. */
#include <stdlib.h>
#include <string.h>

#include "providers/google_internal.h"

size_t google_find_zone(const json_t *json, const char *zone, char ret_name[static GOOGLE_NAME_SIZE])
{
    const json_t *zones = json_object_get(json, "managedZones");
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(zones); i++) {
        const json_t *each = json_array_get(zones, i);
        struct view dns = httpjson_text_at(each, "/dnsName"), visibility = httpjson_text_at(each, "/visibility");
        char name[DNSNAME_SIZE];
        if ((visibility.len == 0 || view_equals(visibility, "public")) &&
            dnsname_parse(dns, DNSNAME_RECORD, name, NULL) == ERR_OK && strcmp(name, zone) == 0 &&
            view_copy(httpjson_text_at(each, "/name"), ret_name, GOOGLE_NAME_SIZE) == ERR_OK) {
            found++;
        }
    }
    return found;
}

/** Values of an RRset, one a line. @return ERR_PARSE: one is no text. */
static enum err join(const json_t *rrdatas, struct strbuf *values)
{
    for (size_t i = 0; i < json_array_size(rrdatas); i++) {
        const json_t *each = json_array_get(rrdatas, i);
        if (!json_is_string(each)) {
            return ERR_PARSE;
        }
        strbuf_adds(values, i > 0 ? "\n" : "");
        strbuf_add(values, view_n(json_string_value(each), json_string_length(each)));
    }
    return strbuf_error(values);
}

static enum err tell_rrset(const json_t *rrset, struct strbuf *values,
                           enum err (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl,
                                            struct view values),
                           void *context)
{
    struct view type = httpjson_text_at(rrset, "/type");
    const json_t *ttl = json_object_get(rrset, "ttl"), *rrdatas = json_object_get(rrset, "rrdatas");
    char name[DNSNAME_SIZE];
    if ((!view_equals(type, "A") && !view_equals(type, "AAAA")) ||
        dnsname_parse(httpjson_text_at(rrset, "/name"), DNSNAME_RECORD, name, NULL) != ERR_OK) {
        return ERR_OK; /* not one that we could own */
    }
    strbuf_clear(values);
    enum err err = join(rrdatas, values);
    if (err != ERR_OK) {
        return err;
    }
    bool plain = json_is_integer(ttl) && json_integer_value(ttl) >= 0 && json_integer_value(ttl) <= UINT32_MAX &&
                 values->len > 0;
    return each(context, name, view_equals(type, "A") ? RRTYPE_A : RRTYPE_AAAA,
                plain ? (uint32_t)json_integer_value(ttl) : 0,
                plain ? strbuf_view(values) : VIEW_LITERAL(GOOGLE_SPECIAL));
}

enum err google_each_rrset(const json_t *json,
                           enum err (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl,
                                            struct view values),
                           void *context)
{
    const json_t *rrsets = json_object_get(json, "rrsets");
    struct strbuf values;
    enum err err = ERR_OK;
    if (!json_is_object(json) || (rrsets != NULL && !json_is_array(rrsets))) {
        return ERR_PARSE;
    }
    strbuf_init(&values, RRCACHE_VALUES_MAX);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(rrsets); i++) {
        err = tell_rrset(json_array_get(rrsets, i), &values, each, context);
    }
    strbuf_deinit(&values);
    return err;
}

enum err google_build_follow(void *context, struct provider_zone *zone, struct provider_request *request)
{
    const struct google *state = context;
    const struct google_cache *cache = zone->cache;
    bool known = cache != NULL && cache->zone[0] != '\0' && cache->change[0] != '\0';
    if (!known || !oauth_fresh(&state->token, request->now_ms)) {
        return ERR_NOTFOUND; /* a sample is not worth a token */
    }
    httpjson_begin(request, HTTP_VERB_GET, GOOGLE_STAGE_FOLLOW);
    oauth_header(&state->token, request);
    google_zone_url(state, cache->zone, "changes", request);
    httpjson_path(&request->url, view_of(cache->change));
    request->reply_max = GOOGLE_REPLY_MAX; /* the change is given back whole */
    return httpjson_built(request);
}

enum err google_parse_follow(void *context, struct provider_zone *zone, const struct provider_request *request,
                             const struct provider_reply *reply, bool *ret_done)
{
    struct google_cache *cache = zone->cache;
    struct verdict verdict;
    json_t *json = NULL;
    if (google_judge(context, request, reply, &json, &verdict)) {
        return ERR_PARSE;
    }
    struct view status = httpjson_text_at(json, "/status");
    bool done = view_equals(status, "done"), fine = reply->status == 200 && (done || view_equals(status, "pending"));
    if (fine && done && cache != NULL && view_equals(httpjson_text_at(json, "/id"), cache->change)) {
        cache->change[0] = '\0';
    }
    json_decref(json);
    if (!fine) {
        return ERR_PARSE;
    }
    *ret_done = done;
    return ERR_OK;
}

struct list {
    struct google *state; /* borrowed, as the zone */
    struct provider_zone *zone;
    struct provider_listing listing;
    char *page;  /* owned; NULL = the first */
    bool looked; /* the zone's name was looked up for this listing */
};

enum err google_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                           struct provider_request *request, void **ret_list)
{
    (void)request;
    struct list *list = google_cache_of(zone) != NULL ? calloc(1, sizeof(*list)) : NULL;
    if (list == NULL) {
        return ERR_NOMEM;
    }
    *list = (struct list){.state = state, .zone = zone, .listing = *listing};
    *ret_list = list;
    return ERR_OK;
}

enum err google_list_next(void *context, struct provider_request *request)
{
    const struct list *list = context;
    const struct google_cache *cache = list->zone->cache;
    if (!oauth_fresh(&list->state->token, request->now_ms)) {
        return google_build_token(list->state, request);
    }
    if (cache->zone[0] == '\0') {
        return google_build_zone(list->state, list->zone->name, request);
    }
    return google_build_page(list->state, cache->zone, list->page, request);
}

/** What is no list of values is not ours to compare. */
static enum err tell(void *context, const char *name, enum rrtype type, uint32_t ttl, struct view values)
{
    const struct list *list = context;
    struct view line;
    while (values.len > 0 && view_next(&values, '\n', &line)) {
        struct ip ip;
        if (ip_parse(line, &ip) == ERR_OK && ip.family == (type == RRTYPE_A ? IP_V4 : IP_V6)) {
            list->listing.each(list->listing.context, name, type, ttl, &ip);
        }
    }
    return ERR_OK;
}

static enum err turn_page(struct list *list, const json_t *json, bool *ret_done)
{
    struct view next = httpjson_text_at(json, "/nextPageToken");
    char *page = next.len > 0 ? strndup(next.ptr, next.len) : NULL;
    bool same = page != NULL && list->page != NULL && strcmp(page, list->page) == 0;
    free(list->page);
    list->page = page;
    *ret_done = next.len == 0;
    if (next.len > 0 && page == NULL) {
        return ERR_NOMEM;
    }
    return same ? ERR_PARSE : ERR_OK; /* the same page for ever */
}

static enum err feed(struct list *list, const struct provider_request *request, const struct provider_reply *reply,
                     const json_t *json, bool *ret_done)
{
    struct google_cache *cache = list->zone->cache;
    if (reply->status == 404 && request->stage == GOOGLE_STAGE_RECORDS && !list->looked) {
        google_forget(cache);
        return ERR_OK;
    }
    if (reply->status != 200) {
        return ERR_DENIED;
    }
    if (request->stage == GOOGLE_STAGE_RECORDS) {
        enum err err = google_each_rrset(json, tell, list);
        return err == ERR_OK ? turn_page(list, json, ret_done) : err;
    }
    list->looked = true;
    size_t found = google_find_zone(json, list->zone->name, cache->zone);
    if (found != 1) {
        cache->zone[0] = '\0';
    }
    return found == 1 ? ERR_OK : ERR_NOTFOUND;
}

enum err google_list_feed(void *context, const struct provider_request *request, const struct provider_reply *reply,
                          bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct verdict verdict = {0};
    json_t *json = NULL;
    enum err err = ERR_OK;
    *ret_done = false;
    if (google_judge(list->state, request, reply, &json, &verdict)) {
        err = verdict.kind == VERDICT_CONTINUE ? ERR_OK : ERR_DENIED;
    } else {
        err = feed(list, request, reply, json, ret_done);
    }
    json_decref(json);
    if (err != ERR_OK) {
        err = errinfo_set(info, err, "http", reply->status, "listing of %s: HTTP %ld: %s", list->zone->name,
                          reply->status, verdict.detail[0] != '\0' ? verdict.detail : err_text(err));
    }
    return err;
}

void google_list_end(void *context)
{
    struct list *list = context;
    free(list->page);
    free(list);
}
