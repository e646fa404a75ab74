/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * bulk_service: a service with a bulk API for tests of the engine, in the world of engine_world.h: what it does is
 * said in `bulk`, and what it saw is counted there. One file of a test program includes it.
 */
#include "engine_world.h"
#include "providers/provider.h"

const struct provider_ops *registered_find(struct view name);
#define provider_find registered_find
#include "providers/provider.c"
#undef provider_find

enum { STAGE_ID = PROVIDER_STAGE_ZONE, STAGE_TOKEN = PROVIDER_STAGE_ACCOUNT, WRITES_MAX = 4000 };

/** What the provider of this file does, and what it saw. */
static struct {
    struct provider_limits limits;
    bool wants_token, wants_id, asks;
    unsigned lookups;    /* of the zone's id, before it is known */
    const char *missing; /* a zone that the service does not have; NULL = none */
    uint32_t cost;
    enum batch_stop stop; /* the next write's first item is refused and stopped */
    bool one_host;        /* a login stands for the name that it is used for first */
    char only[DNSNAME_SIZE];
    bool token;
    bool partial; /* the next write's first item is refused, the others go once more */
    unsigned tokens, ids, writes, items, pages, follows;
    unsigned followed;                        /* writes while another one was asked about */
    void (*wrote)(const struct batch *batch); /* a test's own; NULL = none */
    enum verdict_kind (*judge)(void);         /* of the next write that is answered; NULL = all is well */
    uint64_t writes_ms[WRITES_MAX];
} bulk;

static enum err bulk_open(const struct engine_account_config *config, const struct template *template, void **ret_state,
                          struct errinfo *info)
{
    (void)config;
    (void)template;
    (void)info;
    bulk.only[0] = '\0';
    *ret_state = &bulk;
    return ERR_OK;
}

static void bulk_close(void *state)
{
    (void)state;
}

static void bulk_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state;
    *ret_limits = bulk.limits;
}

static uint32_t bulk_cost(const void *state, const struct batch_item *item)
{
    (void)state;
    (void)item;
    return bulk.cost;
}

static const char *bulk_impossible(const void *state, const struct batch_item *item,
                                   char detail[static PROVIDER_DETAIL_MAX])
{
    (void)state;
    bool other = bulk.one_host && bulk.only[0] != '\0' && strcmp(bulk.only, item->name) != 0;
    memcpy(detail, "of one", sizeof("of one"));
    return other ? PROVIDER_ONE_HOST : NULL;
}

static void bulk_cache_free(void *cache)
{
    free(cache);
}

static enum err bulk_build(void *state, struct provider_zone *zone, struct batch *batch,
                           struct provider_request *request)
{
    (void)state;
    assert_true(request->now_ms == world.now_ms && request->wall_ms > 0);
    if (bulk.wants_token && !bulk.token) {
        request->stage = STAGE_TOKEN;
        bulk.tokens++;
    } else if (bulk.wants_id && zone->cache == NULL) {
        request->stage = STAGE_ID;
        bulk.ids++;
    } else {
        assert_true(bulk.writes < WRITES_MAX);
        bulk.writes_ms[bulk.writes++] = world.now_ms;
        bulk.items += (unsigned)batch->len;
        if (bulk.only[0] == '\0') {
            (void)snprintf(bulk.only, sizeof(bulk.only), "%s", batch->items[0].name); /* fits */
        }
        if (bulk.wrote != NULL) {
            bulk.wrote(batch);
        }
    }
    return strbuf_adds(&request->url, "https://h.example/");
}

static enum err bulk_parse(void *state, struct provider_zone *zone, struct batch *batch,
                           const struct provider_request *request, const struct provider_reply *reply,
                           struct verdict *ret_verdict)
{
    (void)state;
    (void)reply;
    *ret_verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    if (request->stage == STAGE_TOKEN) {
        bulk.token = true;
        return ERR_OK;
    }
    if (request->stage == STAGE_ID && bulk.missing != NULL && strcmp(bulk.missing, zone->name) == 0) {
        verdict_set(ret_verdict, VERDICT_RETRY, "notfound", "there is no such zone");
        ret_verdict->zone_only = true;
        return ERR_OK;
    }
    if (request->stage == STAGE_ID && bulk.ids < bulk.lookups) {
        return ERR_OK;
    }
    if (request->stage == STAGE_ID) {
        zone->cache = malloc(1);
        return zone->cache != NULL ? ERR_OK : ERR_NOMEM;
    }
    bulk.followed += zone->following;
    if (bulk.partial) {
        bulk.partial = false;
        batch->items[0].outcome = OUTCOME_REFUSED;
        batch->items[0].error = "refused";
        return ERR_OK;
    }
    enum verdict_kind kind = bulk.judge != NULL ? bulk.judge() : VERDICT_SETTLED;
    if (kind != VERDICT_SETTLED) {
        verdict_set(ret_verdict, kind, "refused", "not now");
        return ERR_OK;
    }
    ret_verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < batch->len; i++) {
        batch->items[i].outcome = batch->items[i].error == NULL ? OUTCOME_APPLIED : OUTCOME_REFUSED;
    }
    if (bulk.stop != BATCH_STOP_NONE) {
        batch->items[0].outcome = OUTCOME_REFUSED;
        batch->items[0].error = "nohost";
        batch->items[0].stop = bulk.stop;
        batch->items[0].stop_detail = "create it";
        bulk.stop = BATCH_STOP_NONE;
    }
    return ERR_OK;
}

static enum err bulk_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                                struct provider_request *request, void **ret_list)
{
    (void)state;
    (void)zone;
    (void)request;
    struct provider_listing *list = malloc(sizeof(*list));
    assert_non_null(list);
    *list = *listing;
    *ret_list = list;
    return ERR_OK;
}

static enum err bulk_list_next(void *list, struct provider_request *request)
{
    (void)list;
    return strbuf_addf(&request->url, "https://h.example/page=%u", bulk.pages + 1);
}

static enum err bulk_list_feed(void *list, const struct provider_request *request, const struct provider_reply *reply,
                               bool *ret_done, struct errinfo *info)
{
    const struct provider_listing *listing = list;
    (void)request;
    if (reply->status != 200) {
        return errinfo_set(info, ERR_IO, "http", reply->status, "HTTP %ld", reply->status);
    }
    bulk.pages++;
    for (uint8_t i = 1; i <= 2; i++) { /* a set that lies across a page's end stays one */
        struct ip ip = {.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)(10 * bulk.pages + i)}};
        listing->each(listing->context, "a.example", RRTYPE_A, 60, &ip);
    }
    *ret_done = bulk.pages >= 2;
    return ERR_OK;
}

static void bulk_list_end(void *list)
{
    free(list);
}

static inline enum err bulk_build_follow(void *state, struct provider_zone *zone, struct provider_request *request)
{
    (void)state;
    (void)zone;
    request->stage = STAGE_ID;
    return strbuf_adds(&request->url, "https://h.example/change");
}

static inline enum err bulk_parse_follow(void *state, struct provider_zone *zone,
                                         const struct provider_request *request, const struct provider_reply *reply,
                                         bool *ret_done)
{
    (void)state;
    (void)request;
    (void)reply;
    assert_true(zone->following);
    *ret_done = ++bulk.follows == 3;
    return ERR_OK;
}

static struct provider_ops ops = {.about = {.name = "bulk"},
                                  .transport = PROVIDER_HTTP,
                                  .takes = PROVIDER_URL | PROVIDER_USERNAME | PROVIDER_PASSWORD,
                                  .open = bulk_open,
                                  .close = bulk_close,
                                  .limits = bulk_limits,
                                  .item_cost = bulk_cost,
                                  .impossible = bulk_impossible,
                                  .cache_free = bulk_cache_free,
                                  .build_request = bulk_build,
                                  .parse_reply = bulk_parse,
                                  .list_begin = bulk_list_begin,
                                  .list_next = bulk_list_next,
                                  .list_feed = bulk_list_feed,
                                  .list_end = bulk_list_end};

const struct provider_ops *provider_find(struct view name)
{
    return view_equals(name, "bulk") ? &ops : registered_find(name);
}

struct told {
    unsigned applied, refused, unknown;
    char error[32];
};

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    struct told *told = context;
    for (size_t i = 0; i < results_len; i++) {
        told->applied += results[i].outcome == OUTCOME_APPLIED;
        told->refused += results[i].outcome == OUTCOME_REFUSED;
        told->unknown += results[i].outcome == OUTCOME_UNKNOWN;
        if (results[i].error != NULL) {
            (void)snprintf(told->error, sizeof(told->error), "%s", results[i].error); /* ids are short */
        }
    }
}

static void begin(struct service *service, struct provider_limits limits)
{
    memset(&bulk, 0, sizeof(bulk));
    bulk.limits = limits;
    bulk.cost = 1;
    ops.asks = false;
    ops.build_follow = NULL;
    ops.parse_follow = NULL;
    service_open_as(service, "bulk", 0);
}

static inline void submit_many(struct engine_zone *zone, unsigned count, uint8_t last, uint64_t rev)
{
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "n%u.example", i); /* fits */
        submit(zone, name, last, rev + i);
    }
}
