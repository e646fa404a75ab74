/* SPDX-License-Identifier: Apache-2.0 */
/* Reading beside the changes of Route 53: whether the last change is INSYNC, and the listing of a zone. */
#include <stdlib.h>
#include <string.h>

#include "providers/route53_internal.h"

enum err route53_build_follow(void *state, struct provider_zone *zone, struct provider_request *request)
{
    const struct route53_cache *cache = zone->cache;
    if (cache == NULL || cache->change[0] == '\0') {
        return ERR_NOTFOUND;
    }
    strbuf_addf(&request->url, "%s/2013-04-01/change/%s", ((const struct route53 *)state)->url, cache->change);
    return route53_finish(state, request, HTTP_VERB_GET, ROUTE53_STAGE_FOLLOW);
}

enum err route53_parse_follow(void *state, struct provider_zone *zone, const struct provider_request *request,
                              const struct provider_reply *reply, bool *ret_done)
{
    (void)state;
    (void)request;
    struct route53_cache *cache = zone->cache;
    struct route53_reading reading = {0};
    enum err err = route53_read(reply->body, &reading);
    if (err == ERR_OK && (reply->status != 200 || strcmp(reading.root, "GetChangeResponse") != 0)) {
        err = ERR_PARSE;
    }
    if (err == ERR_OK) {
        *ret_done = reading.insync;
        if (cache != NULL && reading.insync && strcmp(cache->change, reading.id) == 0) {
            cache->change[0] = '\0';
        }
    }
    route53_reading_deinit(&reading);
    return err;
}

struct list {
    const struct route53 *state; /* borrowed, as the zone */
    struct provider_zone *zone;
    struct provider_listing listing;
    char next_name[4 * DNSNAME_SIZE], next_type[16], next_identifier[160]; /* "" = the first page */
    struct route53_search search;
    bool looked; /* the zone's id was looked up for this listing */
};

enum err route53_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                            struct provider_request *request, void **ret_list)
{
    (void)request;
    struct list *list = route53_cache_of(zone) != NULL ? calloc(1, sizeof(*list)) : NULL;
    if (list == NULL) {
        return ERR_NOMEM;
    }
    *list = (struct list){.state = state, .zone = zone, .listing = *listing};
    *ret_list = list;
    return ERR_OK;
}

enum err route53_list_next(void *context, struct provider_request *request)
{
    const struct list *list = context;
    struct route53_cache *cache = list->zone->cache;
    if (!route53_has_id(list->state, cache)) {
        return route53_build_id(list->state, list->zone, &list->search, request);
    }
    return route53_build_records(list->state, cache->id, list->next_name, list->next_type, list->next_identifier,
                                 ROUTE53_PAGE_MAX, request);
}

/** What is no list of values is not ours to compare. */
static enum err tell(void *context, const struct route53_rrset *rrset)
{
    const struct list *list = context;
    struct view rest = rrset->values, line;
    while (rrset->plain && rest.len > 0 && view_next(&rest, '\n', &line)) {
        struct ip ip;
        if (ip_parse(line, &ip) == ERR_OK && ip.family == (rrset->type == RRTYPE_A ? IP_V4 : IP_V6)) {
            list->listing.each(list->listing.context, rrset->name, rrset->type, rrset->ttl, &ip);
        }
    }
    return ERR_OK;
}

static enum err turn_page(struct list *list, const struct route53_reading *reading, bool *ret_done)
{
    bool same = strcmp(reading->next_name, list->next_name) == 0 && strcmp(reading->next_type, list->next_type) == 0 &&
                strcmp(reading->next_identifier, list->next_identifier) == 0;
    if (reading->truncated && (same || reading->next_name[0] == '\0')) {
        return ERR_PARSE; /* the same page for ever */
    }
    *ret_done = !reading->truncated;
    memcpy(list->next_name, reading->next_name, sizeof(list->next_name));
    memcpy(list->next_type, reading->next_type, sizeof(list->next_type));
    memcpy(list->next_identifier, reading->next_identifier, sizeof(list->next_identifier));
    return ERR_OK;
}

static enum err feed(struct list *list, const struct provider_request *request, const struct provider_reply *reply,
                     const struct route53_reading *reading, bool *ret_done)
{
    struct route53_cache *cache = list->zone->cache;
    if (reply->status != 200 && strcmp(reading->code, "NoSuchHostedZone") == 0 && !list->looked && !cache->id_given) {
        cache->id[0] = '\0';
        return ERR_OK;
    }
    if (reply->status != 200) {
        return ERR_DENIED;
    }
    if (request->stage == ROUTE53_STAGE_RECORDS && strcmp(reading->root, "ListResourceRecordSetsResponse") == 0) {
        return turn_page(list, reading, ret_done);
    }
    if (request->stage != ROUTE53_STAGE_ID || strcmp(reading->root, "ListHostedZonesByNameResponse") != 0) {
        return ERR_PARSE;
    }
    list->looked = true;
    return !route53_search_page(&list->search, reading, cache->id) || list->search.zones == 1 ? ERR_OK : ERR_NOTFOUND;
}

enum err route53_list_feed(void *context, const struct provider_request *request, const struct provider_reply *reply,
                           bool *ret_done, struct errinfo *info)
{
    struct list *list = context;
    struct route53_reading reading = {.zone = list->zone->name, .context = list};
    reading.each = request->stage == ROUTE53_STAGE_RECORDS ? tell : NULL; /* others hold no RRsets */
    *ret_done = false;
    enum err err = route53_read(reply->body, &reading);
    if (err != ERR_OK && err != ERR_NOMEM && reply->status != 200) {
        err = ERR_DENIED;
    } else if (err == ERR_OK) {
        err = feed(list, request, reply, &reading, ret_done);
    }
    if (err != ERR_OK) {
        err = errinfo_set(info, err, "http", reply->status, "listing of %s: HTTP %ld %s: %s", list->zone->name,
                          reply->status, reading.code, err_text(err));
    }
    route53_reading_deinit(&reading);
    return err;
}

void route53_list_end(void *context)
{
    free(context);
}
