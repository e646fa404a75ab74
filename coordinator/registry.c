/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/registry.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "coordinator/collision.h"
#include "coordinator/device.h"
#include "coordinator/limits.h"
#include "coordinator/registry_host.h"
#include "mqtt/topics.h"
#include "providers/catalogue.h"

#define REGISTRY_ARENA_MAX ((size_t)1 << 30) /* 64 MiB of YAML cannot need more */
#define WHY_MAX            16384             /* two names, four places with their paths */
#define WARNINGS_TEXT_MAX  (COLLISION_WARNINGS_MAX * 2 * WHY_MAX)

struct registry {
    const struct coordinator_config *config;
    struct arena arena;
    struct registry_group *groups;
    struct registry_entry *entries;
    size_t entries_len, entries_size;
    uint32_t *slots; /* entry + 1 by id hash, explicit entries only; a power of two */
    size_t slots_len;
    uint32_t *patterns;
    size_t patterns_len, patterns_size;
    uint64_t fingerprint;
    struct collision *names; /* during the load */
    struct strbuf warnings;
    const char *last_site; /* neighbours in the file mostly share their site */
};

/* One element of the file. */
struct device_row {
    struct config_position position;
    const char *id, *match, *group, *site;
    struct config_map labels;
    struct config_list hosts;
};

static enum err check_id(struct view value, struct errinfo *info)
{
    if (device_id_valid(value)) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "registry", 0,
                       "a device id is 1 to 40 of a-z, 0-9 and \"-\", and does not start with \"svc-\"");
}

static enum err check_pattern(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*')) {
            return errinfo_set(info, ERR_INVALID, "registry", 0, "a pattern holds a-z, 0-9, \"-\" and \"*\"");
        }
    }
    return ERR_OK;
}

static const struct config_row device_rows[] = {
    {.name = "id",
     .type = CONFIG_STRING,
     .offset = offsetof(struct device_row, id),
     .max = DEVICE_ID_MAX,
     .check = check_id,
     .help = "device id; or use match"},
    {.name = "match",
     .type = CONFIG_STRING,
     .offset = offsetof(struct device_row, match),
     .max = DEVICE_ID_MAX,
     .check = check_pattern,
     .help = "pattern of ids with \"*\""},
    {.name = "group",
     .type = CONFIG_STRING,
     .offset = offsetof(struct device_row, group),
     .flags = CONFIG_REQUIRED,
     .help = "one of the groups of the coordinator's config"},
    {.name = "site",
     .type = CONFIG_STRING,
     .offset = offsetof(struct device_row, site),
     .max = 63,
     .check = registry_check_label,
     .help = "value of {site}"},
    {.name = "labels",
     .type = CONFIG_MAP,
     .offset = offsetof(struct device_row, labels),
     .max = 32,
     .help = "free labels, {labels.KEY}"},
    {.name = "hosts",
     .type = CONFIG_LIST,
     .offset = offsetof(struct device_row, hosts),
     .max = HOSTS_MAX,
     .rows = host_rows,
     .element_size = sizeof(struct host_row),
     .position_offset = offsetof(struct host_row, position),
     .help = "hosts in a gateway's prefix"},
    {0},
};

enum err registry_reference(struct strbuf *out)
{
    (void)strbuf_addf(
        out,
        "# Registry of devices\n\nGenerated from the program's own table; do not edit.\n\n"
        "The file that `registry` names: YAML as above, but up to %u MiB and read element by element. Its one "
        "key `devices` is a list; `[]` is an empty one, an empty "
        "file is an error.\nA device takes the entry with its `id`, else the first `match` that "
        "fits. The file is read again at SIGHUP.\n\nNo two devices share a name. Two entries with `id` (or a `match` "
        "without `*`) that give one name are an error. Where a pattern admits a device that would have the name of "
        "another, the load warns with an example and both places; of such devices, the first to report keeps the "
        "name and the other's state is `refused`, `taken`.\n",
        REGISTRY_FILE_MAX >> 20); /* sticky */
    return config_reference_section(device_rows, "devices[]", NULL, out);
}

bool registry_pattern_match(struct view pattern, struct view id)
{
    size_t p = 0;
    size_t i = 0;
    size_t star = SIZE_MAX;
    size_t star_at = 0;
    while (i < id.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            star_at = i;
        } else if (p < pattern.len && pattern.ptr[p] == id.ptr[i]) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++star_at;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static void mix(struct registry *registry, const char *text)
{
    registry->fingerprint = (registry->fingerprint ^ view_hash(view_of(text))) * 0x9e3779b97f4a7c15u + 1;
}

static void make_group(struct registry *registry, const struct group_config *config, struct registry_group *group)
{
    const struct template_config *templates = config->names.items;
    *group = (struct registry_group){.name = config->name,
                                     .publish = (enum publish_mode)config->publish,
                                     .gateway = config->gateway,
                                     .damping = config->damping,
                                     .uplinks = (enum uplinks_mode)config->uplinks,
                                     .publish_cgnat = config->publish_cgnat};
    mix(registry, config->name);
    for (size_t i = 0; i < config->names.len; i++) {
        struct registry_template *made = &group->templates[group->templates_len];
        if (template_parse(view_of(templates[i].name), &made->parsed, NULL) != ERR_OK) {
            continue; /* the config's check has refused such a file */
        }
        made->text = templates[i].name;
        made->position = templates[i].position;
        made->ttl = templates[i].ttl;
        made->hosts = templates[i].hosts;
        for (size_t k = 0; k < templates[i].types.len; k++) {
            bool is_a = strcmp(templates[i].types.items[k], "A") == 0;
            made->a = made->a || is_a;
            made->aaaa = made->aaaa || !is_a;
        }
        group->templates_len++;
        mix(registry, templates[i].name);
        registry->fingerprint +=
            templates[i].ttl * 31u + (made->a ? 7u : 0u) + (made->aaaa ? 11u : 0u) + (made->hosts ? 13u : 0u);
    }
}

const struct registry_group *registry_group_named(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->config->groups.len; i++) {
        if (strcmp(registry->groups[i].name, name) == 0) {
            return &registry->groups[i];
        }
    }
    return NULL;
}

static uint32_t *find_slot(const struct registry *registry, struct view id)
{
    size_t slot = view_hash(id) * 0x9e3779b97f4a7c15u >> 20 & (registry->slots_len - 1);
    while (registry->slots[slot] != 0 && !view_equals(id, registry->entries[registry->slots[slot] - 1].id)) {
        slot = (slot + 1) & (registry->slots_len - 1);
    }
    return &registry->slots[slot];
}

static enum err grow(struct registry *registry)
{
    if (registry->entries_len == registry->entries_size) {
        size_t size = registry->entries_size == 0 ? 1024 : registry->entries_size * 2;
        struct registry_entry *entries = realloc(registry->entries, size * sizeof(*entries));
        if (entries == NULL) {
            return ERR_NOMEM;
        }
        registry->entries = entries;
        registry->entries_size = size;
    }
    if ((registry->entries_len + 1) * 2 <= registry->slots_len) {
        return ERR_OK;
    }
    uint32_t *slots = calloc(registry->slots_len * 2, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    free(registry->slots);
    registry->slots = slots;
    registry->slots_len *= 2;
    for (size_t i = 0; i < registry->entries_len; i++) {
        if (!registry->entries[i].is_pattern) {
            *find_slot(registry, view_of(registry->entries[i].id)) = (uint32_t)i + 1;
        }
    }
    return ERR_OK;
}

static enum err copy_labels(struct registry *registry, const struct device_row *row, struct registry_entry *entry)
{
    struct registry_label *labels = NULL;
    if (row->labels.len > 0) {
        labels = arena_alloc(&registry->arena, row->labels.len * sizeof(*labels));
        if (labels == NULL) {
            return ERR_NOMEM;
        }
    }
    for (size_t i = 0; i < row->labels.len; i++) {
        labels[i].key = arena_strdup(&registry->arena, view_of(row->labels.items[i].key));
        labels[i].value = arena_strdup(&registry->arena, view_of(row->labels.items[i].value));
        if (labels[i].key == NULL || labels[i].value == NULL) {
            return ERR_NOMEM;
        }
        mix(registry, labels[i].key);
        mix(registry, labels[i].value);
    }
    entry->labels = labels;
    entry->labels_len = (uint16_t)row->labels.len;
    return ERR_OK;
}

static void mix_host(struct registry *registry, const struct registry_host *host)
{
    const struct host_id *id = &host->id;
    char text[IP_TEXT_SIZE + 32];
    char suffix[IP_TEXT_SIZE];
    (void)ip_format(&id->suffix, suffix);
    (void)snprintf(text, sizeof(text), "%s %u %d %d", suffix, id->subnet, id->is_64, host->ip4); /* fits */
    mix(registry, text);
}

static enum err copy_hosts(struct registry *registry, const struct device_row *row, struct registry_entry *entry)
{
    const struct host_row *rows = row->hosts.items;
    struct registry_host *hosts = NULL;
    if (row->hosts.len > 0) {
        hosts = arena_alloc(&registry->arena, row->hosts.len * sizeof(*hosts));
        if (hosts == NULL) {
            return ERR_NOMEM;
        }
    }
    for (size_t i = 0; i < row->hosts.len; i++) {
        hosts[i] = (struct registry_host){.id = host_row_id(&rows[i]), .ip4 = rows[i].ip4};
        hosts[i].name = arena_strdup(&registry->arena, view_of(rows[i].name));
        if (hosts[i].name == NULL) {
            return ERR_NOMEM;
        }
        mix(registry, hosts[i].name);
        mix_host(registry, &hosts[i]);
    }
    entry->hosts = hosts;
    entry->hosts_len = (uint16_t)row->hosts.len;
    return ERR_OK;
}

static enum err copy_entry(struct registry *registry, const struct device_row *row, struct registry_entry *entry)
{
    const char *site = row->site != NULL ? row->site : "";
    if (registry->last_site == NULL || strcmp(registry->last_site, site) != 0) {
        registry->last_site = arena_strdup(&registry->arena, view_of(site));
    }
    *entry = (struct registry_entry){
        .id = arena_strdup(&registry->arena, view_of(row->id != NULL ? row->id : row->match)),
        .site = registry->last_site,
        .group = registry_group_named(registry, row->group),
        .position = row->position,
        .is_pattern = row->id == NULL,
    };
    if (entry->id == NULL || entry->site == NULL) {
        return ERR_NOMEM;
    }
    mix(registry, entry->id);
    mix(registry, entry->site);
    mix(registry, entry->group->name);
    enum err err = copy_labels(registry, row, entry);
    return err == ERR_OK ? copy_hosts(registry, row, entry) : err;
}

static struct view label_value(const void *context, struct view key)
{
    const struct registry_entry *entry = context;
    for (size_t i = 0; i < entry->labels_len; i++) {
        if (view_equals(key, entry->labels[i].key)) {
            return view_of(entry->labels[i].value);
        }
    }
    return (struct view){0};
}

static struct template_values values_of(const struct registry_entry *entry, struct view id,
                                        const struct registry_host *host)
{
    return (struct template_values){.id = id,
                                    .site = view_of(entry->site),
                                    .host = view_of(host != NULL ? host->name : NULL),
                                    .label = label_value,
                                    .context = entry};
}

enum err registry_render(const struct registry_entry *entry, const struct registry_template *name_template,
                         struct view id, const struct registry_host *host, char ret_name[static DNSNAME_SIZE],
                         struct errinfo *info)
{
    struct template_values values = values_of(entry, id, host);
    return template_render(&name_template->parsed, &values, ret_name, info);
}

enum err registry_shape(const struct registry_entry *entry, const struct registry_template *name_template,
                        const struct registry_host *host, char ret_shape[static DNSNAME_SIZE])
{
    struct template_values values = values_of(entry, (struct view){0}, host);
    return template_shape(&name_template->parsed, &values, ret_shape);
}

/* What is wrong with a name by itself. */
static bool check_name(const struct registry *registry, const struct collision_claim *claim, const char *name,
                       struct config_errors *errors)
{
    const struct registry_entry *entry = claim->entry;
    int zone = registry_zone_of(registry, view_of(name));
    if (zone < 0) {
        config_error(errors, &entry->position,
                     "devices: %s: %s lies in none of the zones; add its zone to the coordinator's config", entry->id,
                     name);
        return false;
    }
    enum registry_claim whose = registry_claim_of(registry, zone, name);
    if (whose == REGISTRY_APEX) {
        config_error(
            errors, &entry->position,
            "devices: %s: %s is the zone itself, whose addresses are not a device's; give the template a label "
            "before it",
            entry->id, name);
        return false;
    }
    if (whose == REGISTRY_RESERVED) {
        config_error(errors, &entry->position,
                     "devices: %s: %s is reserved by its zone; rename the device, or change `reserved` of the zone in "
                     "the coordinator's config",
                     entry->id, name);
        return false;
    }
    if (entry->is_pattern && !template_uses_id(&entry->group->templates[claim->template_index].parsed)) {
        config_error(errors, &entry->position,
                     "devices: %s: all devices of a pattern would share %s; put {id} into the group's template",
                     entry->id, name);
        return false;
    }
    return true;
}

/* One name of an entry: valid, in a zone, and nobody else's. @param text counts the bytes of names. */
static enum err take_name(struct registry *registry, const struct collision_claim *claim, struct config_errors *errors,
                          size_t *text)
{
    char name[DNSNAME_SIZE];
    struct errinfo info = {0};
    const struct registry_entry *entry = claim->entry;
    struct view id = entry->is_pattern ? VIEW_LITERAL("x") : view_of(entry->id);
    const struct registry_host *host = claim->host_index == COLLISION_DEVICE ? NULL : &entry->hosts[claim->host_index];
    if (registry_render(entry, &entry->group->templates[claim->template_index], id, host, name, &info) != ERR_OK) {
        config_error(errors, &entry->position, "devices: %s: %s", entry->id, info.text);
        return ERR_OK;
    }
    size_t size = strlen(name) + 1 + (entry->is_pattern ? DEVICE_ID_MAX : 0); /* the id is not known yet */
    *text += MIN(size, (size_t)DNSNAME_SIZE);
    if (!check_name(registry, claim, name, errors) || entry->is_pattern) {
        return ERR_OK;
    }
    struct strbuf why;
    strbuf_init(&why, WHY_MAX);
    enum err err = collision_claim(registry->names, claim, view_of(name), &why);
    if (err == ERR_EXISTS) {
        config_error(errors, &entry->position, "devices: %s", strbuf_str(&why));
        err = ERR_OK;
    }
    strbuf_deinit(&why);
    return err;
}

/* Said here, where it can be mended: a plan that is full would leave names out. */
static void check_size(const struct registry_entry *entry, size_t records, size_t text, struct config_errors *errors)
{
    if (records > PLAN_MAX) {
        config_error(errors, &entry->position,
                     "devices: %s: %zu records; a device may have %d: remove hosts, templates or types", entry->id,
                     records, PLAN_MAX);
    } else if (text > PLAN_TEXT_MAX) {
        config_error(errors, &entry->position,
                     "devices: %s: its names are %zu bytes long together; a device may have %d: shorten them or remove "
                     "hosts",
                     entry->id, text, PLAN_TEXT_MAX);
    }
}

static size_t with_ip4(const struct registry_entry *entry)
{
    size_t count = 0;
    for (size_t i = 0; i < entry->hosts_len; i++) {
        count += entry->hosts[i].ip4;
    }
    return count;
}

static enum err take_names(struct registry *registry, const struct registry_entry *entry, struct config_errors *errors)
{
    enum err err = ERR_OK;
    size_t records = 0;
    size_t text = 0;
    struct collision_claim claim = {.ref = (uint32_t)registry->entries_len, .entry = entry};
    for (size_t i = 0; i < entry->group->templates_len && err == ERR_OK; i++) {
        const struct registry_template *name_template = &entry->group->templates[i];
        bool hosts = name_template->hosts;
        claim.template_index = i;
        size_t len = hosts ? entry->hosts_len : 1;
        records += len * name_template->aaaa;
        records += name_template->a ? (hosts ? with_ip4(entry) : 1) : 0;
        for (size_t k = 0; k < len && err == ERR_OK; k++) {
            claim.host_index = hosts ? k : COLLISION_DEVICE;
            err = take_name(registry, &claim, errors, &text);
        }
    }
    check_size(entry, records, text, errors);
    return err;
}

/* What would have no effect, and nobody would know why. */
static void check_hosts(const struct registry_group *group, const struct device_row *row, struct config_errors *errors)
{
    const struct host_row *hosts = row->hosts.items;
    bool named = false, with_a = false, ip4 = false;
    for (size_t i = 0; i < group->templates_len; i++) {
        named = named || group->templates[i].hosts;
        with_a = with_a || (group->templates[i].hosts && group->templates[i].a);
    }
    for (size_t i = 0; i < row->hosts.len; i++) {
        ip4 = ip4 || hosts[i].ip4;
    }
    if (row->hosts.len > 0 && !group->gateway) {
        config_error(errors, &row->position, "devices: hosts need a group with gateway: true");
    } else if (row->hosts.len > 0 && !named) {
        config_error(errors, &row->position,
                     "devices: hosts need names: give group %s a template with {host} and hosts: true", group->name);
    } else if (ip4 && !with_a) {
        config_error(errors, &row->position,
                     "devices: hosts with ip4: true need type A in a template of group %s with hosts: true",
                     group->name);
    }
}

/* Reports what is wrong with a row by itself; true when it can be taken in. */
static bool check_row(const struct registry *registry, const struct device_row *row, struct config_errors *errors)
{
    if ((row->id == NULL) == (row->match == NULL)) {
        config_error(errors, &row->position, "devices: give either id or match");
        return false;
    }
    const struct registry_group *group = registry_group_named(registry, row->group);
    if (group == NULL) {
        config_error(errors, &row->position,
                     "devices: group \"%s\" is not in the coordinator's config; add it or correct the name",
                     row->group);
        return false;
    }
    host_rows_check(row->hosts.items, row->hosts.len, errors);
    check_hosts(group, row, errors);
    if (row->id != NULL && *find_slot(registry, view_of(row->id)) != 0) {
        config_error(errors, &row->position, "devices: id %s stands twice; remove one", row->id);
        return false;
    }
    return true;
}

static enum err add_device(void *context, const void *element, struct config_errors *errors)
{
    struct registry *registry = context;
    const struct device_row *row = element;
    if (!check_row(registry, row, errors)) {
        return ERR_INVALID;
    }
    enum err err = grow(registry);
    if (err != ERR_OK) {
        return err;
    }
    struct registry_entry *entry = &registry->entries[registry->entries_len];
    err = copy_entry(registry, row, entry);
    if (err == ERR_OK) {
        err = take_names(registry, entry, errors);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (entry->is_pattern) {
        if (registry->patterns_len == registry->patterns_size) {
            size_t size = registry->patterns_size == 0 ? 16 : registry->patterns_size * 2;
            uint32_t *patterns = realloc(registry->patterns, size * sizeof(*patterns));
            if (patterns == NULL) {
                return ERR_NOMEM;
            }
            registry->patterns = patterns;
            registry->patterns_size = size;
        }
        registry->patterns[registry->patterns_len++] = (uint32_t)registry->entries_len;
    } else {
        *find_slot(registry, view_of(entry->id)) = (uint32_t)registry->entries_len + 1;
    }
    registry->entries_len++;
    return ERR_OK;
}

static enum err prepare(struct registry *registry, const struct coordinator_config *config)
{
    registry->config = config;
    registry->slots_len = 1024;
    registry->slots = calloc(registry->slots_len, sizeof(*registry->slots));
    arena_init(&registry->arena, REGISTRY_ARENA_MAX);
    registry->groups = arena_alloc(&registry->arena, config->groups.len * sizeof(*registry->groups));
    if (registry->slots == NULL || registry->groups == NULL) {
        return ERR_NOMEM;
    }
    const struct group_config *groups = config->groups.items;
    for (size_t i = 0; i < config->groups.len; i++) {
        make_group(registry, &groups[i], &registry->groups[i]);
    }
    if (config->ownership != OWNERSHIP_OFF) {
        mix(registry, "ownership"); /* decides over every name, as the registry does */
    }
    const struct zone_config *zones = config->zones.items;
    for (size_t i = 0; i < config->zones.len; i++) {
        mix(registry, zones[i].name);
        if (registry_zone_holds_one(registry, (int)i)) {
            mix(registry, "one-address"); /* its names have other values than elsewhere */
        }
    }
    return ERR_OK;
}

enum err registry_load(const struct coordinator_config *config, const char *config_path, const char *path,
                       struct registry **ret_registry, struct strbuf *report)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL) {
        return ERR_NOMEM;
    }
    strbuf_init(&registry->warnings, WARNINGS_TEXT_MAX);
    enum err err = prepare(registry, config);
    if (err == ERR_OK) {
        err = collision_new(registry, config_path, path, &registry->names);
    }
    if (err == ERR_OK) {
        const struct config_stream stream = {
            .key = "devices",
            .rows = device_rows,
            .element_size = sizeof(struct device_row),
            .position_offset = offsetof(struct device_row, position),
            .cap = REGISTRY_FILE_MAX,
            .each = add_device,
            .context = registry,
        };
        err = config_stream(&stream, path, report);
    }
    if (err == ERR_OK) {
        err = collision_search(registry->names, report, &registry->warnings);
    }
    collision_free(registry->names);
    registry->names = NULL;
    if (err != ERR_OK) {
        registry_free(registry);
        return err;
    }
    *ret_registry = registry;
    return ERR_OK;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    collision_free(registry->names);
    strbuf_deinit(&registry->warnings);
    free(registry->patterns);
    free(registry->slots);
    free(registry->entries);
    arena_deinit(&registry->arena);
    free(registry);
}

const char *registry_warnings(const struct registry *registry)
{
    return strbuf_str(&registry->warnings);
}

uint32_t registry_find(const struct registry *registry, struct view id)
{
    uint32_t found = *find_slot(registry, id);
    if (found != 0) {
        return found - 1;
    }
    for (size_t i = 0; i < registry->patterns_len; i++) {
        if (registry_pattern_match(view_of(registry->entries[registry->patterns[i]].id), id)) {
            return registry->patterns[i];
        }
    }
    return DEVICE_NONE;
}

const struct registry_entry *registry_entry_at(const struct registry *registry, uint32_t ref)
{
    assert(ref < registry->entries_len);
    return &registry->entries[ref];
}

size_t registry_count(const struct registry *registry)
{
    return registry->entries_len;
}

int registry_zone_of(const struct registry *registry, struct view name)
{
    const struct zone_config *zones = registry->config->zones.items;
    int best = -1;
    size_t best_len = 0;
    for (size_t i = 0; i < registry->config->zones.len; i++) {
        struct view zone = view_of(zones[i].name);
        if (zone.len > best_len && dnsname_in_zone(name, zone)) {
            best = (int)i;
            best_len = zone.len;
        }
    }
    return best;
}

bool registry_zone_holds_one(const struct registry *registry, int zone)
{
    const struct zone_config *config = (const struct zone_config *)registry->config->zones.items + zone;
    const struct engine_account_config *accounts = registry->config->accounts.items;
    for (size_t i = 0; i < registry->config->accounts.len; i++) {
        if (strcmp(accounts[i].name, config->account) == 0) {
            const struct template *template = NULL;
            const struct provider_ops *ops =
                catalogue_find(registry->config->catalogue, accounts[i].provider, &template);
            return ops != NULL && ops->one_address;
        }
    }
    return false;
}

enum registry_claim registry_claim_of(const struct registry *registry, int zone, const char *name)
{
    const struct zone_config *config = (const struct zone_config *)registry->config->zones.items + zone;
    size_t len = strlen(name), zone_len = strlen(config->name);
    if (len <= zone_len + 1) {
        return REGISTRY_APEX;
    }
    char relative[DNSNAME_SIZE];
    size_t relative_len = len - zone_len - 1;
    memcpy(relative, name, relative_len);
    relative[relative_len] = '\0';
    for (size_t i = 0; i < config->reserved.len; i++) {
        if (fnmatch(config->reserved.items[i], relative, FNM_CASEFOLD) == 0) {
            return REGISTRY_RESERVED;
        }
    }
    return REGISTRY_FREE;
}

bool registry_names_exclusive(const struct registry *registry)
{
    int first = -1;
    for (size_t i = 0; i < registry->config->groups.len; i++) {
        for (size_t k = 0; k < registry->groups[i].templates_len; k++) {
            int label = template_id_label(&registry->groups[i].templates[k].parsed);
            if (label < 0 || (first >= 0 && label != first)) {
                return false;
            }
            first = label;
        }
    }
    return first >= 0;
}

uint64_t registry_fingerprint(const struct registry *registry)
{
    return registry->fingerprint;
}
