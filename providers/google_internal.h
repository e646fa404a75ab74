/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** google_internal: what the parts of the Google Cloud DNS backend share: google.c asks and judges, google_change.c
 * plans and writes a change, google_list.c lists a zone and follows a change. */
#include "providers/httpjson.h"
#include "providers/jwt.h"
#include "providers/oauth.h"
#include "providers/rrcache.h"

#define GOOGLE_NAME_SIZE 64               /* "1-63 characters long" */
#define GOOGLE_CHANGES   1000             /* rrsetAdditionsPerChange and rrsetDeletionsPerChange of a project's quota */
#define GOOGLE_DATA      100000           /* totalRrdataSizePerChange */
#define GOOGLE_REPLY_MAX (4u << 20)       /* a page of the zone, or a change given back */
#define GOOGLE_SPECIAL   "routing policy" /* in the cache, for what is no list of values */
#define GOOGLE_STALE_MAX 3                /* rounds that a batch may lose to something stale */
#define GOOGLE_UNKNOWN   "?"              /* and for what must be asked again */

enum {
    GOOGLE_STAGE_CHANGE = PROVIDER_STAGE_CHANGE,
    GOOGLE_STAGE_ZONE = PROVIDER_STAGE_ZONE, /* the managed zone's name */
    GOOGLE_STAGE_RECORDS,                    /* a page of all RRsets */
    GOOGLE_STAGE_RECORD,                     /* one RRset again */
    GOOGLE_STAGE_FOLLOW,
    GOOGLE_STAGE_TOKEN = PROVIDER_STAGE_ACCOUNT,
};

struct google {
    char *url; /* owned; without a slash at its end */
    struct jwt_account account;
    const char *project; /* borrowed from account, or `own_project` */
    char *own_project;   /* owned; NULL = the key's */
    struct oauth_token token;
};

/** Of one managed zone. What the records' tag says: the batch in whose time they were seen. */
struct google_cache {
    char zone[GOOGLE_NAME_SIZE]; /* "" = to be looked up */
    bool listed;                 /* what is not in `records` is absent */
    char *page;                  /* owned; of the listing that is under way; NULL = its first */
    struct rrcache records;
    uint64_t batch;                   /* counts those that were settled */
    uint64_t listed_at;               /* `batch` when the listing ended */
    unsigned stale;                   /* rounds of the batch that is out that were lost to something stale */
    char change[32];                  /* the last one that is pending; "" = none */
    char detail[PROVIDER_DETAIL_MAX]; /* why items of the batch that is out were refused; "" = none was */
};

extern const struct httpjson_api google_api;

struct google_cache *google_cache_of(struct provider_zone *zone); /* NULL: no memory */
void google_forget(struct google_cache *cache);                   /* all but the count of batches */

/* Requests; each needs the token. */
enum err google_build_token(const struct google *state, struct provider_request *request) MUST_CHECK;
enum err google_build_zone(const struct google *state, const char *zone, struct provider_request *request) MUST_CHECK;
enum err google_build_page(const struct google *state, const char *zone, const char *page,
                           struct provider_request *request) MUST_CHECK;
/** Appends ".../managedZones/{zone}/{what}". */
void google_zone_url(const struct google *state, const char *zone, const char *what, struct provider_request *request);

/** Replies that mean the same at every stage: no right, no more quota, a token that has ended. */
bool google_judge(struct google *state, const struct provider_request *request, const struct provider_reply *reply,
                  json_t **ret_json, struct verdict *verdict);
/** Name of the public managed zone @p zone. @return how many there are. */
size_t google_find_zone(const json_t *json, const char *zone, char ret_name[static GOOGLE_NAME_SIZE]);
/** Calls @p each for the address RRsets of a page; values one a line, or GOOGLE_SPECIAL. @return ERR_PARSE, ERR_LIMIT,
 * ERR_NOMEM, or what @p each returned. */
enum err google_each_rrset(const json_t *json,
                           enum err (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl,
                                            struct view values),
                           void *context) MUST_CHECK;

/* The change. */
enum google_plan { GOOGLE_NONE, GOOGLE_ASK, GOOGLE_ADD, GOOGLE_REMOVE, GOOGLE_REPLACE };
enum google_plan google_plan_of(const struct google_cache *cache, enum zone_mode mode, struct batch_item *item);
enum err google_see(struct google_cache *cache, const char *name, enum rrtype type, uint32_t ttl,
                    struct view values) MUST_CHECK;
/** Refuses what may not be overwritten. @return items that are left to send or to ask for. */
size_t google_refuse_foreign(struct google_cache *cache, enum zone_mode mode, struct batch *batch);
enum err google_write(const struct google_cache *cache, enum zone_mode mode, struct batch *batch,
                      struct strbuf *body) MUST_CHECK;
/** The service refused the change: items that it names are refused, or asked for again; after too many such rounds they
 * are left to another batch. @return false: it names none. */
bool google_judge_change(struct google_cache *cache, enum zone_mode mode, struct batch *batch, long status,
                         const json_t *json);
/** Another writer changes the record all the time: it waits by itself. */
void google_leave(struct google_cache *cache, struct batch_item *item);
extern const char google_conflict_detail[];
void google_settle(struct google_cache *cache, struct batch *batch, struct verdict *verdict);

/* As in struct provider_ops. */
enum err google_build_follow(void *state, struct provider_zone *zone, struct provider_request *request);
enum err google_parse_follow(void *state, struct provider_zone *zone, const struct provider_request *request,
                             const struct provider_reply *reply, bool *ret_done);
enum err google_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                           struct provider_request *request, void **ret_list);
enum err google_list_next(void *list, struct provider_request *request);
enum err google_list_feed(void *list, const struct provider_request *request, const struct provider_reply *reply,
                          bool *ret_done, struct errinfo *info);
void google_list_end(void *list);
