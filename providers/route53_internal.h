/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** route53_internal: what the two halves of the Route 53 backend share: route53.c asks and judges in general,
 * route53_change.c writes a batch of changes and reads what was wrong with it, route53_list.c reads beside them. */
#include "providers/awskey.h"
#include "providers/provider.h"
#include "providers/route53_xml.h"
#include "providers/rrcache.h"

/* "A request cannot contain more than 1,000 ResourceRecord elements. When the value of the Action element is UPSERT,
 * each ResourceRecord element is counted twice"; and so for 32,000 characters of Value elements. */
#define ROUTE53_ELEMENTS_MAX   1000
#define ROUTE53_CHARACTERS_MAX 32000

#define ROUTE53_SPECIAL "alias" /* in the cache, for what is no list of values */

#define ROUTE53_PAGE_MAX  300 /* RRsets that one call lists at most */
#define ROUTE53_ZONES_MAX 16  /* pages of zones of one name: 1,500 zones */
#define ROUTE53_STALE_MAX 3   /* rounds that a batch may lose to something stale */

enum {
    ROUTE53_STAGE_CHANGE = PROVIDER_STAGE_CHANGE,
    ROUTE53_STAGE_ID = PROVIDER_STAGE_ZONE,
    ROUTE53_STAGE_RECORDS,
    ROUTE53_STAGE_FOLLOW,
};

struct route53 {
    char *url;                     /* owned; without a slash at its end */
    char host[272];                /* as the Host header has it */
    char zone_id[ROUTE53_ID_SIZE]; /* the account's option; "" = looked up by the zone's name */
    size_t path_at;                /* where in a URL its path begins */
    struct awskey key;
};

/** The public zone of a name is looked for among all zones of that name, private ones too, page by page. */
struct route53_search {
    char next[ROUTE53_ID_SIZE];  /* the zone that the next page begins with; "" = the first page */
    char found[ROUTE53_ID_SIZE]; /* the last public one */
    unsigned zones, pages;       /* public ones, and pages so far */
};

/** Of one hosted zone. */
struct route53_cache {
    char id[ROUTE53_ID_SIZE]; /* "" = to be looked up */
    bool id_given;            /* by the account's option */
    struct route53_search search;
    char change[ROUTE53_ID_SIZE];     /* the last one that was not seen INSYNC yet; "" = none */
    struct rrcache records;           /* our own last values, and what was looked up for the batch that is out */
    unsigned stale;                   /* rounds of the batch that is out that were lost to something stale */
    char detail[PROVIDER_DETAIL_MAX]; /* why items of the batch that is out were refused; "" = none was */
};

/** What one item counts against the two caps above, at least: deletions are known when they are looked up. */
size_t route53_item_elements(enum zone_mode mode, const struct batch_item *item);
size_t route53_item_characters(enum zone_mode mode, const struct batch_item *item);

/** Index of an item whose present RRset must be known before the batch can be written; false: none. Forgets what it
 * finds stale. */
bool route53_find_unknown(struct route53_cache *cache, enum zone_mode mode, struct batch *batch, size_t *ret_index,
                          bool *ret_more);
/** Items that are to be sent; others are refused, or are as wanted. */
size_t route53_count_pending(const struct route53_cache *cache, enum zone_mode mode, const struct batch *batch);
/** After a lookup: items whose place is taken by somebody else are refused. */
void route53_refuse_foreign(struct route53_cache *cache, enum zone_mode mode, struct batch *batch);
/** @return ERR_LIMIT (over one of the caps), ERR_NOMEM. */
enum err route53_write_batch(const struct route53_cache *cache, enum zone_mode mode, const struct batch *batch,
                             struct strbuf *body) MUST_CHECK;
/** InvalidChangeBatch: refuses the items that @p messages name, and has those asked about whose present RRset was not
 * as believed; after too many such rounds they wait for another batch. @return how many were named. */
size_t route53_judge_messages(struct route53_cache *cache, enum zone_mode mode, struct batch *batch,
                              struct view messages);
/** Nothing is left to send: each item is APPLIED that was not refused; the cache keeps what was written. */
void route53_settle(struct route53_cache *cache, struct batch *batch, struct verdict *verdict);

/* Requests, signed. */
struct route53_cache *route53_cache_of(struct provider_zone *zone); /* NULL: no memory */
enum err route53_finish(const struct route53 *state, struct provider_request *request, enum http_verb verb,
                        uint8_t stage) MUST_CHECK;
/** Is the zone's id known, or given? */
bool route53_has_id(const struct route53 *state, struct route53_cache *cache);
enum err route53_build_id(const struct route53 *state, const struct provider_zone *zone,
                          const struct route53_search *search, struct provider_request *request) MUST_CHECK;
/** Takes a page of zones. False: another one is needed. True: search->zones are all; where it is one, @p ret_id is it.
 */
bool route53_search_page(struct route53_search *search, const struct route53_reading *reading,
                         char ret_id[static ROUTE53_ID_SIZE]);
/** A page of the zone's RRsets from @p name on, in the service's own order; "" = from the first on. */
enum err route53_build_records(const struct route53 *state, const char *id, const char *name, const char *type,
                               const char *identifier, unsigned most, struct provider_request *request) MUST_CHECK;

/* As in struct provider_ops. */
enum err route53_build_follow(void *state, struct provider_zone *zone, struct provider_request *request);
enum err route53_parse_follow(void *state, struct provider_zone *zone, const struct provider_request *request,
                              const struct provider_reply *reply, bool *ret_done);
enum err route53_list_begin(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                            struct provider_request *request, void **ret_list);
enum err route53_list_next(void *list, struct provider_request *request);
enum err route53_list_feed(void *list, const struct provider_request *request, const struct provider_reply *reply,
                           bool *ret_done, struct errinfo *info);
void route53_list_end(void *list);
