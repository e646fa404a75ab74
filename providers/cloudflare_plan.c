/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/cloudflare_plan.h"

#include "base/macros.h"
#include "providers/httpjson.h"

enum { LIST_MAX = 2 << 20 /* bytes: 3,500 new records with long names and a comment each */ };

void cloudflare_plan_init(struct cloudflare_plan *plan)
{
    *plan = (struct cloudflare_plan){0};
    strbuf_init(&plan->deletes, LIST_MAX);
    strbuf_init(&plan->patches, LIST_MAX);
    strbuf_init(&plan->posts, LIST_MAX);
}

void cloudflare_plan_deinit(struct cloudflare_plan *plan)
{
    strbuf_deinit(&plan->deletes);
    strbuf_deinit(&plan->patches);
    strbuf_deinit(&plan->posts);
}

static struct strbuf *next_operation(struct cloudflare_plan *plan, struct strbuf *list)
{
    plan->len++;
    strbuf_adds(list, list->len > 0 ? ",{" : "{");
    return list;
}

static uint32_t ttl_of(const struct cloudflare_policy *policy, const struct batch_item *item)
{
    if (policy->ttl_auto) {
        return CLOUDFLARE_TTL_AUTO;
    }
    return MIN(MAX(item->ttl, policy->ttl_min), (uint32_t)CLOUDFLARE_TTL_MAX);
}

static void add_delete(struct cloudflare_plan *plan, const struct zonecache_record *record)
{
    struct strbuf *list = next_operation(plan, &plan->deletes);
    httpjson_add_text(list, "id", view_of(record->id));
    strbuf_addc(list, '}');
}

/** A proxied record has the TTL that Cloudflare gives it. */
static void add_patch(struct cloudflare_plan *plan, const struct cloudflare_policy *policy,
                      const struct batch_item *item, const struct zonecache_record *record, const struct ip *ip)
{
    char address[IP_TEXT_SIZE];
    struct strbuf *list = next_operation(plan, &plan->patches);
    ip_format(ip, address);
    httpjson_add_text(list, "id", view_of(record->id));
    strbuf_addf(list, ",\"content\":\"%s\"", address);
    if (record->flags != CLOUDFLARE_PROXIED) {
        strbuf_addf(list, ",\"ttl\":%u", (unsigned)ttl_of(policy, item));
    }
    strbuf_addc(list, '}');
}

static void add_post(struct cloudflare_plan *plan, const struct cloudflare_policy *policy,
                     const struct batch_item *item, const struct ip *ip)
{
    char address[IP_TEXT_SIZE];
    struct strbuf *list = next_operation(plan, &plan->posts);
    ip_format(ip, address);
    httpjson_add_text(list, "name", view_of(item->name));
    strbuf_addf(list, ",\"type\":\"%s\",\"content\":\"%s\",\"ttl\":%u,\"proxied\":%s", rrtype_name(item->type), address,
                policy->proxied ? (unsigned)CLOUDFLARE_TTL_AUTO : (unsigned)ttl_of(policy, item),
                policy->proxied ? "true" : "false");
    if (policy->comment != NULL) {
        strbuf_addc(list, ',');
        httpjson_add_text(list, "comment", view_of(policy->comment));
    }
    strbuf_addc(list, '}');
}

/** Index of @p ip among the wanted addresses; their number when it is not wanted. */
static size_t find_wanted(const struct rrset_value *want, const struct ip *ip)
{
    size_t i = 0;
    while (i < want->len && !ip_equal(&want->ips[i], ip)) {
        i++;
    }
    return i;
}

static size_t first_open(const struct rrset_value *want, const bool *done)
{
    size_t i = 0;
    while (i < want->len && done[i]) {
        i++;
    }
    return i;
}

/** Marks the wanted addresses that stand there already: their records keep them. */
static void mark_present(const struct zonecache *records, const struct batch_item *item, bool *ret_done)
{
    struct zonecache_record record;
    const struct zonecache_node *cursor = NULL;
    while (zonecache_next(records, item->name, item->type, &cursor, &record)) {
        size_t i = find_wanted(&item->want, &record.ip);
        if (i < item->want.len) {
            ret_done[i] = true;
        }
    }
}

void cloudflare_plan_item(struct cloudflare_plan *plan, const struct cloudflare_policy *policy,
                          const struct zonecache *records, const struct batch_item *item)
{
    bool done[RRSET_VALUES_MAX] = {0};
    struct zonecache_record record;
    const struct zonecache_node *cursor = NULL;
    const struct rrset_value *want = &item->want;
    mark_present(records, item, done);
    while (zonecache_next(records, item->name, item->type, &cursor, &record)) {
        size_t i = find_wanted(want, &record.ip);
        i = i < want->len ? i : first_open(want, done); /* a record to spare takes what is not there yet */
        if (i < want->len) {
            done[i] = true;
            add_patch(plan, policy, item, &record, &want->ips[i]);
        } else {
            add_delete(plan, &record);
        }
    }
    for (size_t i = first_open(want, done); i < want->len; i = first_open(want, done)) {
        done[i] = true;
        add_post(plan, policy, item, &want->ips[i]);
    }
}

static void write_list(struct strbuf *body, const char *name, const struct strbuf *list)
{
    if (list->len > 0) {
        strbuf_addf(body, "%s\"%s\":[", body->len > 1 ? "," : "", name);
        strbuf_add(body, strbuf_view(list));
        strbuf_addc(body, ']');
    }
}

enum err cloudflare_plan_write(const struct cloudflare_plan *plan, struct strbuf *body)
{
    strbuf_addc(body, '{');
    write_list(body, "deletes", &plan->deletes);
    write_list(body, "patches", &plan->patches);
    write_list(body, "posts", &plan->posts);
    strbuf_addc(body, '}');
    enum err err = strbuf_error(&plan->deletes);
    err = err != ERR_OK ? err : strbuf_error(&plan->patches);
    err = err != ERR_OK ? err : strbuf_error(&plan->posts);
    return err != ERR_OK ? err : strbuf_error(body);
}
