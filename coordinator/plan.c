/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/plan.h"

#include <stdio.h>
#include <string.h>

bool plan_addresses_equal(const struct plan_addresses *a, const struct plan_addresses *b)
{
    return rrset_value_equal(&a->ip4, &b->ip4) && rrset_value_equal(&a->ip6, &b->ip6) &&
           ip_prefix_equal(&a->prefix6, &b->prefix6) && also6_equal(&a->also6, &b->also6);
}

static const char *keep_name(struct plan *plan, const char *name)
{
    size_t size = strlen(name) + 1;
    if (plan->len + 2 > ARRAY_LEN(plan->items) || sizeof(plan->text) - plan->text_used < size) {
        if (plan->error[0] == '\0') {
            (void)snprintf(plan->error, sizeof(plan->error), "more names than a device may have"); /* fits */
        }
        return NULL;
    }
    char *kept = plan->text + plan->text_used;
    memcpy(kept, name, size);
    plan->text_used += size;
    return kept;
}

static void add_item(struct plan *plan, const char *name, int zone, enum rrtype type, uint32_t ttl,
                     const struct rrset_value *value)
{
    if (plan_find(plan, view_of(name), type) != NULL) {
        return; /* two templates of a group that give the same name: the first one counts */
    }
    struct plan_item *item = &plan->items[plan->len++];
    *item = (struct plan_item){.name = name, .zone = zone, .type = type, .ttl = ttl, .value = *value};
}

/* None without a prefix; none, and told, when the prefix has no room for the host. */
static struct ip address_of_host(const struct registry_host *host, const struct plan_addresses *addresses,
                                 struct plan *plan)
{
    struct ip ip = host_address(&addresses->prefix6, &host->id);
    if (ip.family == IP_NONE && addresses->prefix6.ip.family != IP_NONE && plan->error[0] == '\0') {
        char prefix[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&addresses->prefix6, prefix);
        (void)snprintf(plan->error, sizeof(plan->error), "host %s: no room for subnet %u and 64 bits in %s", host->name,
                       host->id.subnet, prefix); /* fits: a label and a prefix */
    }
    return ip;
}

/* In each of the prefixes; a service that holds one address a name has the first one. */
static struct rrset_value value_of_host(const struct registry *registry, int zone, const struct registry_host *host,
                                        const struct plan_addresses *addresses, struct plan *plan)
{
    struct rrset_value value = rrset_value_of(address_of_host(host, addresses, plan));
    if (addresses->also6.len == 0 || (value.len > 0 && registry_zone_holds_one(registry, zone))) {
        return value;
    }
    for (size_t i = 0; i < addresses->also6.len; i++) {
        struct ip ip = host_address(&addresses->also6.items[i].prefix, &host->id);
        (void)rrset_value_add(&value, RRTYPE_AAAA, &ip); /* no room for the host, or the same one: nothing */
    }
    return value;
}

static void add_name(const struct registry *registry, const struct registry_entry *entry, struct view id,
                     const struct registry_template *name_template, const struct registry_host *host,
                     const struct plan_addresses *addresses, struct plan *plan)
{
    char name[DNSNAME_SIZE];
    struct errinfo info = {0};
    enum err err = registry_render(entry, name_template, id, host, name, &info);
    int zone = err == ERR_OK ? registry_zone_of(registry, view_of(name)) : -1;
    enum registry_claim whose = zone >= 0 ? registry_claim_of(registry, zone, name) : REGISTRY_FREE;
    if (zone < 0 || whose != REGISTRY_FREE) {
        if (plan->error[0] == '\0') {
            (void)snprintf(plan->error, sizeof(plan->error), "%s",
                           err != ERR_OK                ? info.text
                           : whose == REGISTRY_APEX     ? "the name is the zone itself"
                           : whose == REGISTRY_RESERVED ? "the name is reserved by its zone"
                                                        : "the name lies in no zone"); /* cut is enough */
        }
        return;
    }
    const char *kept = keep_name(plan, name);
    if (kept == NULL) {
        return;
    }
    if (name_template->a && (host == NULL || host->ip4)) {
        add_item(plan, kept, zone, RRTYPE_A, name_template->ttl, &addresses->ip4);
    }
    if (name_template->aaaa) {
        struct rrset_value ip6 = host != NULL ? value_of_host(registry, zone, host, addresses, plan) : addresses->ip6;
        add_item(plan, kept, zone, RRTYPE_AAAA, name_template->ttl, &ip6);
    }
}

void plan_device(const struct registry *registry, const struct registry_entry *entry, struct view id,
                 const struct plan_addresses *addresses, struct plan *ret_plan)
{
    ret_plan->len = 0;
    ret_plan->text_used = 0;
    ret_plan->error[0] = '\0';
    const struct registry_group *group = entry->group;
    for (size_t i = 0; i < group->templates_len; i++) {
        if (!group->templates[i].hosts) {
            add_name(registry, entry, id, &group->templates[i], NULL, addresses, ret_plan);
            continue;
        }
        for (size_t k = 0; k < entry->hosts_len; k++) {
            add_name(registry, entry, id, &group->templates[i], &entry->hosts[k], addresses, ret_plan);
        }
    }
}

const struct plan_item *plan_find(const struct plan *plan, struct view name, enum rrtype type)
{
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->items[i].type == type && view_equals(name, plan->items[i].name)) {
            return &plan->items[i];
        }
    }
    return NULL;
}
