/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/zoneplan.h"

#include <stdlib.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/json.h"
#include "base/macros.h"

#define DEPTH_MAX 4

const char *zoneplan_fate_name(enum zoneplan_fate fate)
{
    static const char *const names[] = {[ZONEPLAN_SETTLED] = "settled",
                                        [ZONEPLAN_CHANGED] = "changed",
                                        [ZONEPLAN_MOVING] = "moving",
                                        [ZONEPLAN_APPLY] = "applied"};
    return names[fate];
}

static int by_place(const void *a, const void *b)
{
    const struct zoneplan_item *left = a, *right = b;
    int order = strcmp(left->change.name, right->change.name);
    return order != 0 ? order : (left->change.type > right->change.type) - (left->change.type < right->change.type);
}

void zoneplan_free(struct zoneplan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (size_t i = 0; i < plan->len; i++) {
        free((char *)(uintptr_t)plan->items[i].change.name); /* own copies, const for everybody else */
        free((char *)(uintptr_t)plan->items[i].change.kind);
    }
    free(plan->items);
    free(plan->zone);
    free(plan->store);
    free(plan);
}

static enum err wrong(struct errinfo *info, size_t index, const char *what)
{
    return errinfo_set(info, ERR_PARSE, "plan", 0, "change %zu: %s", index + 1, what);
}

static bool read_value(const json_t *array, enum rrtype type, struct rrset_value *ret_value)
{
    struct rrset_value value = {0};
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        struct ip ip;
        if (text == NULL || ip_parse(view_of(text), &ip) != ERR_OK || !rrset_value_add(&value, type, &ip)) {
            return false;
        }
    }
    *ret_value = value;
    return json_is_array(array);
}

static bool read_u64(const json_t *object, const char *key, uint64_t max, uint64_t *ret_value)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);
    *ret_value = number > 0 ? (uint64_t)number : 0;
    return json_is_integer(value) && number >= 0 && *ret_value <= max;
}

static bool read_type(const json_t *object, enum rrtype *ret_type)
{
    const char *text = json_string_value(json_object_get(object, "type"));
    bool six = text != NULL && strcmp(text, "AAAA") == 0;
    *ret_type = six ? RRTYPE_AAAA : RRTYPE_A;
    return six || (text != NULL && strcmp(text, "A") == 0);
}

static enum err read_change(const json_t *object, size_t index, struct zoneplan_change *change, struct errinfo *info)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    char canonical[DNSNAME_SIZE];
    uint64_t have_ttl, want_ttl;
    if (name == NULL || kind == NULL || dnsname_parse(view_of(name), DNSNAME_RECORD, canonical, NULL) != ERR_OK) {
        return wrong(info, index, "its name or kind is none");
    }
    if (!read_type(object, &change->type)) {
        return wrong(info, index, "type is A or AAAA");
    }
    if (!read_value(json_object_get(object, "zone"), change->type, &change->have) ||
        !read_value(json_object_get(object, "want"), change->type, &change->want)) {
        return wrong(info, index, "zone and want are lists of addresses of the type");
    }
    if (!read_u64(object, "zone_ttl", UINT32_MAX, &have_ttl) || !read_u64(object, "ttl", UINT32_MAX, &want_ttl)) {
        return wrong(info, index, "zone_ttl and ttl are seconds");
    }
    change->have_ttl = (uint32_t)have_ttl;
    change->want_ttl = (uint32_t)want_ttl;
    change->name = strdup(canonical);
    change->kind = strdup(kind);
    return change->name != NULL && change->kind != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err read_changes(const json_t *changes, struct zoneplan *plan, struct errinfo *info)
{
    size_t len = json_array_size(changes);
    if (!json_is_array(changes)) {
        return errinfo_set(info, ERR_PARSE, "plan", 0, "changes is not a list");
    }
    if (len > ZONEPLAN_CHANGES_MAX) {
        return errinfo_set(info, ERR_LIMIT, "plan", 0, "more than %d changes", ZONEPLAN_CHANGES_MAX);
    }
    plan->items = calloc(MAX(len, (size_t)1), sizeof(*plan->items));
    if (plan->items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < len; i++) {
        plan->len = i + 1; /* half of one is freed, too */
        enum err err = read_change(json_array_get(changes, i), i, &plan->items[i].change, info);
        if (err != ERR_OK) {
            return err;
        }
    }
    qsort(plan->items, plan->len, sizeof(*plan->items), by_place);
    for (size_t i = 1; i < plan->len; i++) {
        if (by_place(&plan->items[i - 1], &plan->items[i]) == 0) {
            return errinfo_set(info, ERR_PARSE, "plan", 0, "%s stands twice", plan->items[i].change.name);
        }
    }
    return ERR_OK;
}

static enum err read_plan(const json_t *root, struct zoneplan *plan, struct errinfo *info)
{
    const char *zone = json_string_value(json_object_get(root, "zone"));
    const char *store = json_string_value(json_object_get(root, "store"));
    uint64_t version, made;
    if (!read_u64(root, "muster_plan", INT64_MAX, &version)) {
        return errinfo_set(info, ERR_PARSE, "plan", 0, "not a plan: muster zone plan makes one");
    }
    if (version != ZONEPLAN_VERSION) {
        return errinfo_set(info, ERR_UNSUPPORTED, "plan", 0, "a plan of version %llu; this is version %d",
                           (unsigned long long)version, ZONEPLAN_VERSION);
    }
    if (zone == NULL || store == NULL || !read_u64(root, "made_ms", INT64_MAX, &made) ||
        !read_u64(root, "valid_s", ZONEPLAN_VALID_MAX_S, &plan->valid_s)) {
        return errinfo_set(info, ERR_PARSE, "plan", 0, "zone, store, made_ms or valid_s is missing or wrong");
    }
    plan->made_ms = (int64_t)made;
    plan->zone = strdup(zone);
    plan->store = strdup(store);
    return plan->zone != NULL && plan->store != NULL ? read_changes(json_object_get(root, "changes"), plan, info)
                                                     : ERR_NOMEM;
}

enum err zoneplan_parse(struct view text, struct zoneplan **ret_plan, struct errinfo *info)
{
    json_t *root = NULL;
    enum err err = json_parse(text, ZONEPLAN_TEXT_MAX, DEPTH_MAX, &root, info);
    struct zoneplan *plan = err == ERR_OK ? calloc(1, sizeof(*plan)) : NULL;
    if (err == ERR_OK && plan == NULL) {
        err = ERR_NOMEM;
    }
    if (err == ERR_OK) {
        err = read_plan(root, plan, info);
    }
    json_decref(root);
    if (err != ERR_OK) {
        zoneplan_free(plan);
        return err;
    }
    *ret_plan = plan;
    return ERR_OK;
}

enum err zoneplan_check(const struct zoneplan *plan, const char *zone, const char *store, int64_t now_ms,
                        struct errinfo *info)
{
    if (strcmp(plan->zone, zone) != 0) {
        return errinfo_set(info, ERR_INVALID, "plan", 0, "the plan is for zone %.100s", plan->zone);
    }
    if (strcmp(plan->store, store) != 0) {
        return errinfo_set(info, ERR_CONFLICT, "plan", 0, "the plan was made with another store than the present one");
    }
    if (plan->made_ms > now_ms + ZONEPLAN_AHEAD_MS) {
        return errinfo_set(info, ERR_CONFLICT, "plan", 0, "the plan comes from the future: look at the clock");
    }
    if (now_ms > plan->made_ms && (uint64_t)(now_ms - plan->made_ms) > plan->valid_s * 1000) {
        return errinfo_set(info, ERR_CONFLICT, "plan", 0, "the plan is %llu seconds old and was to hold for %llu",
                           (unsigned long long)(now_ms - plan->made_ms) / 1000, (unsigned long long)plan->valid_s);
    }
    return ERR_OK;
}

struct zoneplan_item *zoneplan_take(struct zoneplan *plan, const struct zoneplan_change *found)
{
    const struct zoneplan_item key = {.change = *found};
    struct zoneplan_item *item = bsearch(&key, plan->items, plan->len, sizeof(*plan->items), by_place);
    if (item == NULL) {
        return NULL;
    }
    const struct zoneplan_change *reviewed = &item->change;
    bool same = strcmp(reviewed->kind, found->kind) == 0 && rrset_value_equal(&reviewed->have, &found->have) &&
                rrset_value_equal(&reviewed->want, &found->want) && reviewed->have_ttl == found->have_ttl &&
                reviewed->want_ttl == found->want_ttl;
    item->fate = same ? ZONEPLAN_APPLY : ZONEPLAN_CHANGED;
    return same ? item : NULL;
}
