/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are known stand in a set. A pattern's row has shapes ("cam-*.example.net", shape.h), which are found by
 * the labels behind the id: a name, or another shape, can only meet a shape whose tail it ends with.
 */
#include "coordinator/collision.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "coordinator/device.h"
#include "coordinator/nameset.h"
#include "coordinator/shape.h"
#include "mqtt/topics.h"

#define SHAPES_ARENA_MAX ((size_t)1 << 28)
#define STEPS_MAX        100000000u /* comparisons of a few ns; only thousands of patterns of one tail come near */
#define STEPS_A_MEETING  100u       /* what a shape_meet costs beside one */
#define HOST_BITS        9
#define TEMPLATE_BITS    3
#define NONE             UINT64_MAX

_Static_assert(TEMPLATES_MAX <= 1 << TEMPLATE_BITS && HOSTS_MAX < 1 << HOST_BITS, "claims are packed into a number");

/* One template of a pattern's row, for the device or for one host behind it. */
struct rule {
    struct collision_claim claim;
    uint64_t next; /* of the same shape, NONE = last */
};

/* Rows of one shape cannot meet: other ids are other names. */
struct shape {
    const char *text;    /* arena */
    uint64_t first_rule; /* newest */
    uint64_t next;       /* with the same tail, NONE = last */
};

struct pair {
    const struct registry_template *a, *b;
};

struct collision {
    const struct registry *registry;
    const char *config_path, *registry_path;
    struct nameset *names; /* owner: packed claim */
    /* during the search */
    struct nameset *by_text; /* owner: shape */
    struct nameset *by_tail; /* owner: first shape of the chain */
    struct arena arena;
    struct shape *shapes;
    size_t shapes_len, shapes_size;
    struct rule *rules;
    size_t rules_len, rules_size;
    struct shape_search *search;
    struct pair told[COLLISION_WARNINGS_MAX];
    size_t told_len;
    uint64_t steps;
    struct strbuf *warnings;
};

enum err collision_new(const struct registry *registry, const char *config_path, const char *registry_path,
                       struct collision **ret_collision)
{
    struct collision *collision = calloc(1, sizeof(*collision));
    if (collision == NULL) {
        return ERR_NOMEM;
    }
    collision->registry = registry;
    collision->config_path = config_path;
    collision->registry_path = registry_path;
    arena_init(&collision->arena, SHAPES_ARENA_MAX);
    enum err err = nameset_new(&collision->names);
    if (err != ERR_OK) {
        collision_free(collision);
        return err;
    }
    *ret_collision = collision;
    return ERR_OK;
}

void collision_free(struct collision *collision)
{
    if (collision != NULL) {
        nameset_free(collision->names);
        nameset_free(collision->by_text);
        nameset_free(collision->by_tail);
        arena_deinit(&collision->arena);
        free(collision->shapes);
        free(collision->rules);
        free(collision->search);
        free(collision);
    }
}

static uint64_t pack(const struct collision_claim *claim)
{
    return ((uint64_t)claim->ref << TEMPLATE_BITS | claim->template_index) << HOST_BITS | (claim->host_index + 1);
}

static struct collision_claim unpack(uint64_t owner, const struct collision *collision)
{
    struct collision_claim claim = {
        .host_index = (size_t)(owner & ((1u << HOST_BITS) - 1)) - 1,
        .template_index = (size_t)(owner >> HOST_BITS & ((1u << TEMPLATE_BITS) - 1)),
        .ref = (uint32_t)(owner >> (HOST_BITS + TEMPLATE_BITS)),
    };
    if (claim.ref < registry_count(collision->registry)) {
        claim.entry = registry_entry_at(collision->registry, claim.ref);
    }
    return claim;
}

static const struct registry_template *template_of(const struct collision_claim *claim)
{
    return &claim->entry->group->templates[claim->template_index];
}

static const struct registry_host *host_of(const struct collision_claim *claim)
{
    return claim->host_index == COLLISION_DEVICE ? NULL : &claim->entry->hosts[claim->host_index];
}

static void add_place(const struct collision *collision, const struct collision_claim *claim, struct strbuf *out)
{
    (void)strbuf_addf(out, "%s:%u:%u", collision->registry_path, claim->entry->position.line,
                      claim->entry->position.column); /* sticky */
}

static void add_template(const struct collision *collision, const struct collision_claim *claim, struct strbuf *out)
{
    const struct registry_template *name_template = template_of(claim);
    (void)strbuf_addf(out, "%s (%s:%u:%u)", name_template->text, collision->config_path, name_template->position.line,
                      name_template->position.column); /* sticky */
}

static void add_templates(const struct collision *collision, const struct collision_claim *one,
                          const struct collision_claim *other, struct strbuf *out)
{
    add_template(collision, one, out);
    if (template_of(one) != template_of(other)) {
        (void)strbuf_adds(out, " and "); /* sticky */
        add_template(collision, other, out);
    }
}

static bool types_overlap(const struct collision_claim *a, const struct collision_claim *b)
{
    return (template_of(a)->a && template_of(b)->a) || (template_of(a)->aaaa && template_of(b)->aaaa);
}

static void say_taken(const struct collision *collision, const struct collision_claim *claim,
                      const struct collision_claim *other, const char *name, struct strbuf *why)
{
    if (claim->ref == other->ref) {
        (void)strbuf_addf(why, "%s: name %s would have two addresses, by ", claim->entry->id, name); /* sticky */
        add_templates(collision, claim, other, why);
        (void)strbuf_adds(why, "; rename a host, or take a type from one of them"); /* sticky */
        return;
    }
    (void)strbuf_addf(why, "%s: name %s belongs to %s already (", claim->entry->id, name, other->entry->id);
    add_place(collision, other, why);
    (void)strbuf_adds(why, "), by "); /* sticky */
    add_templates(collision, claim, other, why);
    (void)strbuf_adds(why, "; give one of them another label, site or group, or put {id} into the template");
}

enum err collision_claim(struct collision *collision, const struct collision_claim *claim, struct view name,
                         struct strbuf *why)
{
    uint64_t owner;
    enum err err = nameset_add(collision->names, name, pack(claim), &owner);
    if (err != ERR_EXISTS) {
        return err;
    }
    struct collision_claim other = unpack(owner, collision);
    if (other.ref == claim->ref) {
        other.entry = claim->entry; /* the registry does not count it yet */
        if (!types_overlap(claim, &other)) {
            return ERR_OK;
        }
    }
    char text[DNSNAME_SIZE];
    err = view_copy(name, text, sizeof(text));
    say_taken(collision, claim, &other, err == ERR_OK ? text : "", why);
    err = strbuf_error(why);
    return err == ERR_NOMEM ? err : ERR_EXISTS;
}

/* ---- search ---- */

/* Calls for each name that an entry makes, until one says other than ERR_OK. */
static enum err each_claim(struct collision *collision, uint32_t ref,
                           enum err (*each)(struct collision *collision, const struct collision_claim *claim,
                                            struct strbuf *report),
                           struct strbuf *report)
{
    const struct registry_entry *entry = registry_entry_at(collision->registry, ref);
    struct collision_claim claim = {.ref = ref, .entry = entry};
    enum err err = ERR_OK;
    for (size_t i = 0; i < entry->group->templates_len && err == ERR_OK; i++) {
        claim.template_index = i;
        size_t names = entry->group->templates[i].hosts ? entry->hosts_len : 1;
        for (size_t k = 0; k < names && err == ERR_OK; k++) {
            claim.host_index = entry->group->templates[i].hosts ? k : COLLISION_DEVICE;
            err = each(collision, &claim, report);
        }
    }
    return err;
}

/* A pattern without "*" names one device, as an id does. */
static enum err claim_plain(struct collision *collision, const struct collision_claim *claim, struct strbuf *report)
{
    char name[DNSNAME_SIZE];
    struct view id = view_of(claim->entry->id);
    if (registry_render(claim->entry, template_of(claim), id, host_of(claim), name, NULL) != ERR_OK) {
        return ERR_OK; /* told at run time as name-invalid */
    }
    struct strbuf why;
    strbuf_init(&why, 8192);
    enum err err = collision_claim(collision, claim, view_of(name), &why);
    if (err == ERR_EXISTS) {
        add_place(collision, claim, report);
        (void)strbuf_addf(report, ": devices: %s\n", strbuf_str(&why)); /* full: the first errors are enough */
        err = ERR_OK;
    }
    strbuf_deinit(&why);
    return err;
}

/* Room for one more. */
static enum err grow(void **items, size_t item_size, size_t len, size_t *size)
{
    if (len < *size) {
        return ERR_OK;
    }
    size_t fresh_size = *size == 0 ? 16 : *size * 2;
    void *fresh = realloc(*items, fresh_size * item_size);
    if (fresh == NULL) {
        return ERR_NOMEM;
    }
    *items = fresh;
    *size = fresh_size;
    return ERR_OK;
}

static enum err add_shape(struct collision *collision, const char *text, uint64_t *ret_index)
{
    uint64_t index = collision->shapes_len;
    enum err err = nameset_add(collision->by_text, view_of(text), index, ret_index);
    if (err == ERR_EXISTS) {
        return ERR_OK;
    }
    void *items = collision->shapes;
    if (err == ERR_OK) {
        err = grow(&items, sizeof(*collision->shapes), collision->shapes_len, &collision->shapes_size);
        collision->shapes = items;
    }
    const char *kept = err == ERR_OK ? arena_strdup(&collision->arena, view_of(text)) : NULL;
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    struct shape *shape = &collision->shapes[index];
    *shape = (struct shape){.text = kept, .first_rule = NONE, .next = NONE};
    uint64_t first;
    err = nameset_add(collision->by_tail, shape_tail(view_of(text)), index, &first);
    if (err == ERR_EXISTS) {
        shape->next = collision->shapes[first].next;
        collision->shapes[first].next = index;
        err = ERR_OK;
    }
    collision->shapes_len += err == ERR_OK;
    *ret_index = index;
    return err;
}

static enum err add_rule(struct collision *collision, const struct collision_claim *claim, struct strbuf *report)
{
    (void)report;
    char text[DNSNAME_SIZE];
    if (registry_shape(claim->entry, template_of(claim), host_of(claim), text) != ERR_OK) {
        return ERR_OK; /* no id makes a name of it */
    }
    uint64_t index;
    enum err err = add_shape(collision, text, &index);
    void *items = collision->rules;
    if (err == ERR_OK) {
        err = grow(&items, sizeof(*collision->rules), collision->rules_len, &collision->rules_size);
        collision->rules = items;
    }
    if (err == ERR_OK) {
        struct shape *shape = &collision->shapes[index];
        collision->rules[collision->rules_len] = (struct rule){.claim = *claim, .next = shape->first_rule};
        shape->first_rule = collision->rules_len++;
    }
    return err;
}

static bool is_told(const struct collision *collision, const struct registry_template *a,
                    const struct registry_template *b)
{
    for (size_t i = 0; i < collision->told_len; i++) {
        const struct pair *pair = &collision->told[i];
        if ((pair->a == a && pair->b == b) || (pair->a == b && pair->b == a)) {
            return true;
        }
    }
    return false;
}

static bool is_over(const struct collision *collision)
{
    return collision->steps > STEPS_MAX || collision->told_len == COLLISION_WARNINGS_MAX;
}

/* Such a device would be this row's, and have this name. */
static bool gives(const struct collision *collision, const struct collision_claim *claim, const char *id,
                  const char *name)
{
    char rendered[DNSNAME_SIZE];
    return device_id_valid(view_of(id)) && registry_find(collision->registry, view_of(id)) == claim->ref &&
           registry_render(claim->entry, template_of(claim), view_of(id), host_of(claim), rendered, NULL) == ERR_OK &&
           strcmp(rendered, name) == 0;
}

static void warn(struct collision *collision, const struct collision_claim *claim, const char *id,
                 const struct collision_claim *other, const char *other_id, const char *name)
{
    struct strbuf *out = collision->warnings; /* sticky: looked at in the end */
    collision->told[collision->told_len++] = (struct pair){template_of(claim), template_of(other)};
    add_place(collision, claim, out);
    (void)strbuf_addf(out, ": devices: %s: a device %s would have the name %s, as ", claim->entry->id, id, name);
    if (strcmp(other_id, other->entry->id) == 0) {
        (void)strbuf_addf(out, "%s has (", other_id);
    } else {
        (void)strbuf_addf(out, "%s of %s would (", other_id, other->entry->id);
    }
    add_place(collision, other, out);
    (void)strbuf_adds(out, "), by ");
    add_templates(collision, claim, other, out);
    (void)strbuf_adds(out, "; the first to report would keep it: give one template a label of its own, or narrow the "
                           "pattern\n");
}

static void compare_name(struct collision *collision, const struct shape *shape, const char *name, uint64_t owner)
{
    char id[DEVICE_ID_MAX + 1];
    collision->steps++;
    if (!shape_solve(view_of(shape->text), view_of(name), id)) {
        return;
    }
    collision->steps += collision->rules_len; /* the patterns are looked through */
    struct collision_claim other = unpack(owner, collision);
    uint32_t ref = registry_find(collision->registry, view_of(id));
    if (ref == DEVICE_NONE || ref == other.ref) {
        return;
    }
    for (uint64_t at = shape->first_rule; at != NONE; at = collision->rules[at].next) {
        const struct collision_claim *claim = &collision->rules[at].claim;
        if (claim->ref == ref && !is_told(collision, template_of(claim), template_of(&other)) &&
            gives(collision, claim, id, name)) {
            warn(collision, claim, id, &other, other.entry->id, name);
            return;
        }
    }
}

/* The ids must differ: of one id, only one row is the device's. */
static bool compare_example(struct collision *collision, const struct collision_claim *claim, const char *id,
                            const struct collision_claim *other, const char *other_id, const char *name)
{
    if (strcmp(id, other_id) == 0 || !gives(collision, claim, id, name) || !gives(collision, other, other_id, name)) {
        return false;
    }
    warn(collision, claim, id, other, other_id, name);
    return true;
}

static void compare_rules(struct collision *collision, const struct shape *shape, const struct collision_claim *claim,
                          const struct shape *other_shape, const struct collision_claim *other)
{
    collision->steps += STEPS_A_MEETING;
    if (is_told(collision, template_of(claim), template_of(other)) ||
        !shape_meet(collision->search, view_of(shape->text), view_of(claim->entry->id), view_of(other_shape->text),
                    view_of(other->entry->id))) {
        return;
    }
    char name[DNSNAME_SIZE];
    char id[DEVICE_ID_MAX + 1];
    char other_id[DEVICE_ID_MAX + 1];
    for (unsigned attempt = 0; shape_meet_name(collision->search, attempt, name); attempt++) {
        collision->steps += collision->rules_len;
        if (shape_solve(view_of(shape->text), view_of(name), id) &&
            shape_solve(view_of(other_shape->text), view_of(name), other_id) &&
            compare_example(collision, claim, id, other, other_id, name)) {
            return;
        }
    }
}

static void compare_shapes(struct collision *collision, const struct shape *shape, const struct shape *other)
{
    collision->steps++;
    if (shape_differs(view_of(shape->text), view_of(other->text))) {
        return;
    }
    for (uint64_t i = shape->first_rule; i != NONE; i = collision->rules[i].next) {
        for (uint64_t k = other->first_rule; k != NONE && !is_over(collision); k = collision->rules[k].next) {
            compare_rules(collision, shape, &collision->rules[i].claim, other, &collision->rules[k].claim);
        }
    }
}

/* The next shorter tail of a name: without its first label, "" in the end. False when there is none. */
static bool shorten(struct view *tail)
{
    if (tail->len == 0) {
        return false;
    }
    const char *dot = memchr(tail->ptr, '.', tail->len);
    size_t skip = dot != NULL ? (size_t)(dot - tail->ptr) + 1 : tail->len;
    *tail = view_n(tail->ptr + skip, tail->len - skip);
    return true;
}

static enum err search_name(void *context, const char *name, uint64_t owner)
{
    struct collision *collision = context;
    struct view tail = view_of(name);
    while (shorten(&tail)) {
        uint64_t at = NONE;
        (void)nameset_find(collision->by_tail, tail, &at); /* none stays NONE */
        for (; at != NONE && !is_over(collision); at = collision->shapes[at].next) {
            compare_name(collision, &collision->shapes[at], name, owner);
        }
    }
    return ERR_OK;
}

static void search_shape(struct collision *collision, size_t index)
{
    const struct shape *shape = &collision->shapes[index];
    struct view own = shape_tail(view_of(shape->text));
    struct view tail = own;
    do {
        uint64_t at = NONE;
        (void)nameset_find(collision->by_tail, tail, &at); /* none stays NONE */
        for (; at != NONE && !is_over(collision); at = collision->shapes[at].next) {
            if (tail.len < own.len || at > index) { /* of equal tails, each two once */
                compare_shapes(collision, shape, &collision->shapes[at]);
            }
        }
    } while (shorten(&tail));
}

static enum err gather(struct collision *collision, struct strbuf *report)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < registry_count(collision->registry) && err == ERR_OK; i++) {
        const struct registry_entry *entry = registry_entry_at(collision->registry, i);
        if (!entry->is_pattern) {
            continue;
        }
        if (strchr(entry->id, '*') != NULL) {
            err = each_claim(collision, i, add_rule, report);
        } else if (registry_find(collision->registry, view_of(entry->id)) == i) {
            err = each_claim(collision, i, claim_plain, report);
        }
    }
    return err;
}

enum err collision_search(struct collision *collision, struct strbuf *report, struct strbuf *warnings)
{
    size_t reported = strbuf_view(report).len;
    if (registry_names_exclusive(collision->registry)) {
        return ERR_OK;
    }
    collision->warnings = warnings;
    collision->search = calloc(1, sizeof(*collision->search));
    enum err err = collision->search != NULL ? nameset_new(&collision->by_tail) : ERR_NOMEM;
    if (err == ERR_OK) {
        err = nameset_new(&collision->by_text);
    }
    if (err == ERR_OK) {
        err = gather(collision, report);
    }
    if (err == ERR_OK) {
        err = nameset_each(collision->names, search_name, collision);
    }
    for (size_t i = 0; i < collision->shapes_len && err == ERR_OK; i++) {
        search_shape(collision, i);
    }
    if (is_over(collision)) {
        (void)strbuf_addf(warnings, "%s: devices: not all patterns were compared; there may be more such names\n",
                          collision->registry_path); /* looked at below */
    }
    if (err == ERR_OK) {
        err = strbuf_error(warnings);
    }
    return err == ERR_OK && strbuf_view(report).len > reported ? ERR_INVALID : err;
}
