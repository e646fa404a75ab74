/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of Google Cloud DNS: additions and deletions, all or nothing. A deletion must be exactly what stands there,
 * so each replacement is a compare-and-set by itself, in shared zones too. What was seen before the present batch may
 * be old: nobody is refused, and nothing is left out, by it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "providers/google_internal.h"

enum { TAG_SIZE = 24, INDEX_MAX = 1000000 };

static const char special_detail[] = "a record with a routing policy stands there: remove it at Google";

static struct view tag_of(const struct google_cache *cache, char buffer[static TAG_SIZE])
{
    int len = snprintf(buffer, TAG_SIZE, "%" PRIu64, cache->batch);
    return view_n(buffer, len > 0 ? (size_t)len : 0);
}

enum err google_see(struct google_cache *cache, const char *name, enum rrtype type, uint32_t ttl, struct view values)
{
    char tag[TAG_SIZE];
    return rrcache_put(&cache->records, name, type, ttl, values, tag_of(cache, tag));
}

/** @return whether it was seen in the time of this batch. */
static bool find(const struct google_cache *cache, const struct batch_item *item, struct rrcache_found *ret_found)
{
    char tag[TAG_SIZE];
    if (rrcache_find(&cache->records, item->name, item->type, ret_found)) {
        return view_equals(tag_of(cache, tag), ret_found->tag);
    }
    *ret_found = (struct rrcache_found){.tag = ""};
    return cache->listed_at == cache->batch;
}

static bool is_special(const struct rrcache_found *found)
{
    return view_equals(found->values, GOOGLE_SPECIAL);
}

static bool is_unknown(const struct rrcache_found *found)
{
    return view_equals(found->values, GOOGLE_UNKNOWN);
}

/** What stands there must be asked before anything is decided. */
static void doubt(struct google_cache *cache, const struct batch_item *item)
{
    if (rrcache_put(&cache->records, item->name, item->type, 0, VIEW_LITERAL(GOOGLE_UNKNOWN), (struct view){0}) !=
        ERR_OK) { /* without memory: all is listed again */
        rrcache_deinit(&cache->records);
        cache->listed = false;
    }
}

static bool is_wanted(const struct batch_item *item, const struct present *present, uint32_t ttl)
{
    return !present->other && rrset_value_equal(&present->value, &item->want) &&
           (item->want.len == 0 || ttl == item->ttl);
}

enum google_plan google_plan_of(const struct google_cache *cache, enum zone_mode mode, struct batch_item *item)
{
    struct rrcache_found found;
    if (item->error != NULL) {
        return GOOGLE_NONE;
    }
    bool fresh = find(cache, item, &found);
    const struct present present = rrcache_present(&found, item->type);
    struct batch_item trial = *item;
    if (is_special(&found) || is_unknown(&found) || !present_allows(mode, &trial, &present)) {
        return GOOGLE_ASK; /* where that was fresh, google_refuse_foreign has refused it */
    }
    if (is_wanted(item, &present, found.ttl)) {
        return fresh ? GOOGLE_NONE : GOOGLE_ASK;
    }
    if (found.values.len == 0) {
        return GOOGLE_ADD;
    }
    return item->want.len == 0 ? GOOGLE_REMOVE : GOOGLE_REPLACE;
}

static void refuse(struct google_cache *cache, struct batch_item *item, const char *error, struct view detail)
{
    item->outcome = OUTCOME_REFUSED;
    item->error = error;
    httpjson_copy_text(detail, cache->detail, sizeof(cache->detail));
}

size_t google_refuse_foreign(struct google_cache *cache, enum zone_mode mode, struct batch *batch)
{
    size_t left = 0;
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        struct rrcache_found found;
        if (item->error == NULL && find(cache, item, &found)) {
            const struct present present = rrcache_present(&found, item->type);
            if (is_special(&found)) {
                refuse(cache, item, "foreign", view_of(special_detail));
            } else if (!present_allows(mode, item, &present)) {
                refuse(cache, item, "foreign", view_of(present_foreign_detail));
            }
        }
        left += google_plan_of(cache, mode, item) != GOOGLE_NONE;
    }
    return left;
}

static void write_head(struct strbuf *body, const struct batch_item *item, uint32_t ttl, bool *first)
{
    strbuf_addf(body, "%s{\"kind\":\"dns#resourceRecordSet\",\"name\":\"%s.\",\"type\":\"%s\",\"ttl\":%u,\"rrdatas\":",
                *first ? "" : ",", item->name, rrtype_name(item->type), (unsigned)ttl);
    *first = false;
}

static size_t write_wanted(struct strbuf *body, const struct batch_item *item, bool *first)
{
    write_head(body, item, item->ttl, first);
    size_t before = body->len;
    httpjson_add_addresses(body, &item->want);
    strbuf_addc(body, '}');
    return body->len - before;
}

static size_t write_old(const struct google_cache *cache, struct strbuf *body, const struct batch_item *item,
                        bool *first)
{
    struct rrcache_found found;
    struct view line;
    bool first_value = true;
    (void)find(cache, item, &found); /* the plan was made from it */
    write_head(body, item, found.ttl, first);
    size_t before = body->len;
    strbuf_addc(body, '[');
    while (found.values.len > 0 && view_next(&found.values, '\n', &line)) {
        strbuf_adds(body, first_value ? "" : ",");
        strbuf_add_json(body, line);
        first_value = false;
    }
    strbuf_adds(body, "]}");
    return body->len - before;
}

enum err google_write(const struct google_cache *cache, enum zone_mode mode, struct batch *batch, struct strbuf *body)
{
    size_t data = 0;
    bool first = true;
    strbuf_adds(body, "{\"kind\":\"dns#change\",\"deletions\":[");
    for (size_t i = 0; i < batch->len; i++) {
        enum google_plan plan = google_plan_of(cache, mode, &batch->items[i]);
        if (plan == GOOGLE_REMOVE || plan == GOOGLE_REPLACE) {
            data += write_old(cache, body, &batch->items[i], &first);
        }
    }
    first = true;
    strbuf_adds(body, "],\"additions\":[");
    for (size_t i = 0; i < batch->len; i++) {
        enum google_plan plan = google_plan_of(cache, mode, &batch->items[i]);
        if (plan == GOOGLE_ADD || plan == GOOGLE_REPLACE) {
            data += write_wanted(body, &batch->items[i], &first);
        }
    }
    strbuf_adds(body, "]}");
    return data > GOOGLE_DATA ? ERR_LIMIT : strbuf_error(body);
}

/** "entity.change.deletions[76]": the number behind @p what, of those that the message names. */
static bool read_index(struct view *message, const char *what, uint64_t *ret_index)
{
    const char *at = message->len > 0 ? memmem(message->ptr, message->len, what, strlen(what)) : NULL;
    if (at == NULL) {
        return false;
    }
    const char *from = at + strlen(what), *end = message->ptr + message->len;
    size_t len = 0;
    while (from + len < end && from[len] >= '0' && from[len] <= '9') {
        len++;
    }
    *message = view_n(from + len, (size_t)(end - from) - len);
    return view_to_u64(view_n(from, len), INDEX_MAX, ret_index) == ERR_OK;
}

/** The item whose addition, or deletion, was the @p index-th. NULL: there was none. */
static struct batch_item *item_at(const struct google_cache *cache, enum zone_mode mode, struct batch *batch,
                                  bool addition, uint64_t index)
{
    for (size_t i = 0; i < batch->len; i++) {
        enum google_plan plan = google_plan_of(cache, mode, &batch->items[i]);
        bool counts = plan == GOOGLE_REPLACE || plan == (addition ? GOOGLE_ADD : GOOGLE_REMOVE);
        if (counts && index-- == 0) {
            return &batch->items[i];
        }
    }
    return NULL;
}

const char google_conflict_detail[] = "another writer changes the same records all the time";

void google_leave(struct google_cache *cache, struct batch_item *item)
{
    refuse(cache, item, "conflict", view_of(google_conflict_detail));
    item->outcome = OUTCOME_RETRY;
}

/** The message is about what stands there: "already exists", "does not exist", "precondition not met". A CNAME in the
 * way (cnameResourceRecordSetConflict) is no matter of looking again. */
static bool is_conflict(long status, const json_t *json)
{
    static const char *const reasons[] = {"", "alreadyExists", "conditionNotMet", "preconditionFailed", "notFound"};
    struct view reason = httpjson_text_at(json, "/error/errors/0/reason");
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (view_equals(reason, reasons[i])) {
            return status == 409 || status == 412 || status == 404;
        }
    }
    return false;
}

bool google_judge_change(struct google_cache *cache, enum zone_mode mode, struct batch *batch, long status,
                         const json_t *json)
{
    struct view message = httpjson_text_at(json, "/error/message");
    static const char *const lists[] = {"entity.change.deletions[", "entity.change.additions["};
    struct batch_item *named[16]; /* one message names one; more are found by sending again */
    size_t len = 0;
    for (size_t addition = 0; addition < ARRAY_LEN(lists); addition++) {
        struct view rest = message;
        uint64_t index = 0;
        while (len < ARRAY_LEN(named) && read_index(&rest, lists[addition], &index)) {
            named[len] = item_at(cache, mode, batch, addition != 0, index);
            len += named[len] != NULL;
        }
    }
    for (size_t i = 0; i < len; i++) { /* not before all are found: a plan changes with its item */
        if (is_conflict(status, json) && cache->stale >= GOOGLE_STALE_MAX) {
            google_leave(cache, named[i]);
        } else if (is_conflict(status, json)) {
            doubt(cache, named[i]);
            named[i]->unsure |= mode == ZONE_SHARED; /* it may be our own, by a reply that was lost */
        } else {
            refuse(cache, named[i], "refused", message);
        }
    }
    return len > 0;
}

void google_settle(struct google_cache *cache, struct batch *batch, struct verdict *verdict)
{
    cache->batch++;
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        if (item->error == NULL && item->want.len == 0) {
            rrcache_forget(&cache->records, item->name, item->type);
        } else if (item->error != NULL || rrcache_put_item(&cache->records, item, (struct view){0}) != ERR_OK) {
            doubt(cache, item);
        }
    }
    httpjson_settle(batch, verdict);
    if (cache->detail[0] != '\0') {
        verdict_set(verdict, VERDICT_SETTLED, "refused", "%s", cache->detail);
    }
    cache->detail[0] = '\0';
    cache->stale = 0;
}
