/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of changes for Route 53. Dedicated zones take UPSERT, which needs no knowledge; a deletion must name the
 * present values and TTL. Shared zones compare and set: CREATE fails where something stands, DELETE of our last value
 * and CREATE of the new one fail together where that is not what stands.
 */
#include <string.h>

#include "base/xml.h"
#include "providers/route53_internal.h"

static const char special_detail[] = "an alias or a record with a routing policy stands there: remove it at AWS";

enum plan { PLAN_NONE, PLAN_LOOKUP, PLAN_UPSERT, PLAN_CREATE, PLAN_REPLACE, PLAN_DELETE };

/** `have` is nothing, and nothing else was sent since: CREATE finds out by itself whether the place is free. */
static bool is_first(const struct batch_item *item)
{
    return !item->unsure && (!item->have_known || item->have.len == 0);
}

static enum plan plan_of(const struct route53_cache *cache, enum zone_mode mode, const struct batch_item *item)
{
    struct rrcache_found found;
    if (item->error != NULL) {
        return PLAN_NONE;
    }
    if (item->want.len > 0 && (mode == ZONE_DEDICATED || item->adopt)) {
        return PLAN_UPSERT;
    }
    if (!rrcache_find(&cache->records, item->name, item->type, &found)) {
        return item->want.len > 0 && is_first(item) ? PLAN_CREATE : PLAN_LOOKUP;
    }
    if (item->want.len == 0) {
        return found.values.len > 0 ? PLAN_DELETE : PLAN_NONE;
    }
    return found.values.len > 0 ? PLAN_REPLACE : PLAN_CREATE;
}

/** May what was found be replaced? An alias has no values that a deletion could name. */
static bool allows(enum zone_mode mode, struct batch_item *item, const struct rrcache_found *found)
{
    const struct present present = rrcache_present(found, item->type);
    return !view_equals(found->values, ROUTE53_SPECIAL) && present_allows(mode, item, &present);
}

bool route53_find_unknown(struct route53_cache *cache, enum zone_mode mode, struct batch *batch, size_t *ret_index,
                          bool *ret_more)
{
    size_t unknown = 0;
    for (size_t i = 0; i < batch->len; i++) {
        const struct batch_item *item = &batch->items[i];
        struct batch_item trial = *item;
        struct rrcache_found found;
        if (item->error == NULL && rrcache_find(&cache->records, item->name, item->type, &found) &&
            !allows(mode, &trial, &found)) {
            rrcache_forget(&cache->records, item->name, item->type); /* nobody is refused by what is old */
        }
        if (plan_of(cache, mode, item) == PLAN_LOOKUP && unknown++ == 0) {
            *ret_index = i;
        }
    }
    *ret_more = unknown > 1;
    return unknown > 0;
}

size_t route53_count_pending(const struct route53_cache *cache, enum zone_mode mode, const struct batch *batch)
{
    size_t pending = 0;
    for (size_t i = 0; i < batch->len; i++) {
        pending += plan_of(cache, mode, &batch->items[i]) != PLAN_NONE;
    }
    return pending;
}

static void refuse(struct route53_cache *cache, struct batch_item *item, const char *error, struct view detail)
{
    item->outcome = OUTCOME_REFUSED;
    item->error = error;
    detail.len = MIN(detail.len, sizeof(cache->detail) - 1);
    memcpy(cache->detail, detail.ptr, detail.len);
    cache->detail[detail.len] = '\0';
}

void route53_refuse_foreign(struct route53_cache *cache, enum zone_mode mode, struct batch *batch)
{
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        struct rrcache_found found;
        enum plan plan = plan_of(cache, mode, item);
        bool replaces = plan == PLAN_REPLACE || plan == PLAN_DELETE || plan == PLAN_CREATE;
        if (replaces && rrcache_find(&cache->records, item->name, item->type, &found) && !allows(mode, item, &found)) {
            bool special = view_equals(found.values, ROUTE53_SPECIAL);
            refuse(cache, item, "foreign", view_of(special ? special_detail : present_foreign_detail));
            rrcache_forget(&cache->records, item->name, item->type); /* a person may have mended it next time */
        }
    }
}

static size_t characters(const struct rrset_value *value)
{
    size_t len = 0;
    for (size_t i = 0; i < value->len; i++) {
        char text[IP_TEXT_SIZE];
        len += ip_format(&value->ips[i], text);
    }
    return len;
}

size_t route53_item_elements(enum zone_mode mode, const struct batch_item *item)
{
    size_t old = item->have_known ? item->have.len : 1;
    if (item->want.len == 0) {
        return MAX(old, (size_t)1);
    }
    return mode == ZONE_SHARED && !item->adopt ? item->want.len + old : 2 * (size_t)item->want.len;
}

size_t route53_item_characters(enum zone_mode mode, const struct batch_item *item)
{
    size_t old = item->have_known ? characters(&item->have) : IP_TEXT_SIZE;
    if (item->want.len == 0) {
        return old;
    }
    return characters(&item->want) + (mode == ZONE_SHARED && !item->adopt ? old : characters(&item->want));
}

/** What has been written so far. */
struct count {
    size_t elements, characters;
};

static void begin_change(struct strbuf *body, const char *action, const struct batch_item *item, uint32_t ttl)
{
    strbuf_addf(body, "<Change><Action>%s</Action><ResourceRecordSet><Name>", action);
    strbuf_add_xml(body, view_of(item->name));
    strbuf_addf(body, "</Name><Type>%s</Type><TTL>%u</TTL><ResourceRecords>", rrtype_name(item->type), (unsigned)ttl);
}

static void add_record(struct strbuf *body, struct view value, unsigned counts, struct count *count)
{
    strbuf_adds(body, "<ResourceRecord><Value>");
    strbuf_add_xml(body, value);
    strbuf_adds(body, "</Value></ResourceRecord>");
    count->elements += counts;
    count->characters += counts * value.len;
}

static void end_change(struct strbuf *body)
{
    strbuf_adds(body, "</ResourceRecords></ResourceRecordSet></Change>");
}

static void write_wanted(struct strbuf *body, const char *action, const struct batch_item *item, unsigned counts,
                         struct count *count)
{
    begin_change(body, action, item, item->ttl);
    for (size_t i = 0; i < item->want.len; i++) {
        char text[IP_TEXT_SIZE];
        size_t len = ip_format(&item->want.ips[i], text);
        add_record(body, view_n(text, len), counts, count);
    }
    end_change(body);
}

static void write_old(const struct route53_cache *cache, struct strbuf *body, const struct batch_item *item,
                      struct count *count)
{
    struct rrcache_found found;
    struct view line;
    if (!rrcache_find(&cache->records, item->name, item->type, &found)) {
        return; /* the plan was made from it */
    }
    begin_change(body, "DELETE", item, found.ttl);
    while (found.values.len > 0 && view_next(&found.values, '\n', &line)) {
        add_record(body, line, 1, count);
    }
    end_change(body);
}

static void write_item(const struct route53_cache *cache, enum plan plan, struct strbuf *body,
                       const struct batch_item *item, struct count *count)
{
    switch (plan) {
    case PLAN_UPSERT:
        write_wanted(body, "UPSERT", item, 2, count);
        break;
    case PLAN_CREATE:
        write_wanted(body, "CREATE", item, 1, count);
        break;
    case PLAN_REPLACE:
        write_old(cache, body, item, count);
        write_wanted(body, "CREATE", item, 1, count);
        break;
    case PLAN_DELETE:
        write_old(cache, body, item, count);
        break;
    case PLAN_NONE:
    case PLAN_LOOKUP:
        break;
    }
}

enum err route53_write_batch(const struct route53_cache *cache, enum zone_mode mode, const struct batch *batch,
                             struct strbuf *body)
{
    struct count count = {0};
    strbuf_adds(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ChangeResourceRecordSetsRequest "
                      "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>");
    for (size_t i = 0; i < batch->len; i++) {
        write_item(cache, plan_of(cache, mode, &batch->items[i]), body, &batch->items[i], &count);
    }
    strbuf_adds(body, "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>");
    if (count.elements > ROUTE53_ELEMENTS_MAX || count.characters > ROUTE53_CHARACTERS_MAX) {
        return ERR_LIMIT;
    }
    return strbuf_error(body);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static const char *find_text(struct view text, const char *what)
{
    return text.len > 0 ? memmem(text.ptr, text.len, what, strlen(what)) : NULL;
}

/** The type that is said of a name: "[name='n', type='A']", "RRSet of type A with DNS name n" or "RRSet with DNS name
 * n, type A". None of them: any. */
static bool type_fits(struct view before, struct view behind, enum rrtype type)
{
    static const char lead[] = "type='", middle[] = " with DNS name ", tail[] = ", type ";
    const struct view near = view_n(behind.ptr, MIN(behind.len, sizeof(lead) - 1 + 5)); /* behind ".', " */
    const char *at = find_text(near, lead);
    struct view said = {0},
                rest = view_starts_with(behind, VIEW_LITERAL(".")) ? view_n(behind.ptr + 1, behind.len - 1) : behind;
    if (at != NULL) {
        said = view_n(at + sizeof(lead) - 1, behind.len - (size_t)(at - behind.ptr) - (sizeof(lead) - 1));
    } else if (view_starts_with(rest, view_of(tail))) {
        said = view_n(rest.ptr + sizeof(tail) - 1, rest.len - (sizeof(tail) - 1));
    } else if (view_ends_with(before, view_of(middle))) {
        size_t end = before.len - (sizeof(middle) - 1), start = end;
        while (start > 0 && is_name_byte(before.ptr[start - 1])) {
            start--;
        }
        said = view_n(before.ptr + start, end - start);
    }
    size_t len = 0;
    while (len < said.len && is_name_byte(said.ptr[len])) {
        len++;
    }
    said.len = len;
    return (!view_equals(said, "A") && !view_equals(said, "AAAA")) || view_equals(said, rrtype_name(type));
}

/** Where the next of several messages begins; NULL = nowhere. */
static const char *find_next(struct view text)
{
    static const char *const begins[] = {", Tried ", ", RRSet ", "\n"};
    const char *next = NULL;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        const char *at = find_text(text, begins[i]);
        next = at != NULL && (next == NULL || at < next) ? at : next;
    }
    return next;
}

/** The part of the messages that is about @p item: from its name to the next message. Empty: it is not named. */
static struct view find_message(struct view messages, const struct batch_item *item)
{
    char name[DNSNAME_SIZE + 4];
    const char *rest = item->name[0] == '*' ? item->name + 1 : item->name;
    struct strbuf wanted;
    strbuf_init(&wanted, sizeof(name));
    strbuf_addf(&wanted, "%s%s", rest != item->name ? "\\052" : "", rest);
    struct view found = {0}, text = messages;
    const char *at = NULL;
    while (found.len == 0 && wanted.len > 0 && (at = find_text(text, wanted.ptr)) != NULL) {
        struct view before = view_n(messages.ptr, (size_t)(at - messages.ptr));
        struct view behind = view_n(at + wanted.len, messages.len - before.len - wanted.len);
        bool begins = before.len == 0 || (!is_name_byte(at[-1]) && at[-1] != '.' && at[-1] != '\\' &&
                                          !view_ends_with(before, VIEW_LITERAL(" in zone ")));
        bool ends = behind.len == 0 || (!is_name_byte(*behind.ptr) &&
                                        (*behind.ptr != '.' || behind.len == 1 || !is_name_byte(behind.ptr[1])));
        if (begins && ends && type_fits(before, behind, item->type)) {
            const char *next = find_next(behind);
            found = view_n(at, next != NULL ? (size_t)(next - at) : wanted.len + behind.len);
        }
        text = behind;
    }
    strbuf_deinit(&wanted);
    return found;
}

/** What was believed to stand there does not. A CNAME that does is said to "already exist" as well, but that is no
 * matter of looking again. */
static bool is_conflict(struct view message)
{
    return find_text(message, "but it already exists") != NULL || find_text(message, "not found") != NULL ||
           find_text(message, "do not match") != NULL;
}

size_t route53_judge_messages(struct route53_cache *cache, enum zone_mode mode, struct batch *batch,
                              struct view messages)
{
    size_t named = 0;
    bool enough = cache->stale >= ROUTE53_STALE_MAX;
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        enum plan plan = plan_of(cache, mode, item);
        struct view message = plan != PLAN_NONE ? find_message(messages, item) : (struct view){0};
        if (message.len == 0) {
            continue;
        }
        named++;
        if (plan == PLAN_UPSERT || !is_conflict(message)) {
            refuse(cache, item, "refused", message);
            continue;
        }
        rrcache_forget(&cache->records, item->name, item->type);
        item->unsure |= mode == ZONE_SHARED; /* CREATE is not tried again before somebody looked */
        if (enough) {
            refuse(cache, item, "conflict", VIEW_LITERAL("another writer changes the record all the time"));
            item->outcome = OUTCOME_RETRY; /* the others do not wait for it */
        }
    }
    return named;
}

void route53_settle(struct route53_cache *cache, struct batch *batch, struct verdict *verdict)
{
    verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        if (item->error != NULL) {
            continue;
        }
        item->outcome = OUTCOME_APPLIED;
        /* what is absent may be somebody else's soon, and a value that does not fit into memory is asked for again */
        if (item->want.len == 0 || rrcache_put_item(&cache->records, item, (struct view){0}) != ERR_OK) {
            rrcache_forget(&cache->records, item->name, item->type);
        }
    }
    if (cache->detail[0] != '\0') {
        verdict_set(verdict, VERDICT_SETTLED, "refused", "%s", cache->detail);
    }
    cache->detail[0] = '\0';
    cache->stale = 0;
}
