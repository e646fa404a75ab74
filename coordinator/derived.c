/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/derived.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "coordinator/device.h"

#define TEXTS_MAX ((size_t)64 << 20) /* sites */

struct item {
    struct registry_entry entry;
    uint32_t base;
};

struct derived {
    const struct registry *registry; /* borrowed */
    struct item **items;             /* owned; each stays where it is */
    uint32_t len, size;
    uint32_t *slots; /* owned; item + 1, 0 = free; twice `size` */
    struct arena arena;
};

enum err derived_new(const struct registry *registry, struct derived **ret_derived)
{
    struct derived *derived = calloc(1, sizeof(*derived));
    if (derived == NULL) {
        return ERR_NOMEM;
    }
    derived->registry = registry;
    arena_init(&derived->arena, TEXTS_MAX);
    *ret_derived = derived;
    return ERR_OK;
}

void derived_free(struct derived *derived)
{
    if (derived == NULL) {
        return;
    }
    free(derived->items);
    free(derived->slots);
    arena_deinit(&derived->arena);
    free(derived);
}

static size_t hash_of(uint32_t base, const struct registry_group *group, const char *site)
{
    return (size_t)((view_hash(view_of(group->name)) * 31 + view_hash(view_of(site))) * 31 + base);
}

static uint32_t *slot_of(const struct derived *derived, uint32_t base, const struct registry_group *group,
                         const char *site)
{
    size_t mask = (size_t)derived->size * 2 - 1;
    size_t at = hash_of(base, group, site) & mask;
    while (derived->slots[at] != 0) {
        const struct item *item = derived->items[derived->slots[at] - 1];
        if (item->base == base && item->entry.group == group && strcmp(item->entry.site, site) == 0) {
            break;
        }
        at = (at + 1) & mask;
    }
    return &derived->slots[at];
}

static enum err grow(struct derived *derived)
{
    uint32_t size = derived->size == 0 ? 16 : derived->size * 2;
    uint32_t *slots = calloc((size_t)size * 2, sizeof(*slots));
    struct item **items = slots != NULL ? realloc(derived->items, size * sizeof(struct item *)) : NULL;
    if (items == NULL) {
        free(slots);
        return ERR_NOMEM;
    }
    free(derived->slots);
    derived->items = items;
    derived->slots = slots;
    derived->size = size;
    for (uint32_t i = 0; i < derived->len; i++) {
        *slot_of(derived, items[i]->base, items[i]->entry.group, items[i]->entry.site) = i + 1;
    }
    return ERR_OK;
}

/* As the registry asks of a pattern. */
static bool tells_devices_apart(const struct registry_group *group)
{
    for (size_t i = 0; i < group->templates_len; i++) {
        if (!template_uses_id(&group->templates[i].parsed)) {
            return false;
        }
    }
    return true;
}

static enum err add(struct derived *derived, uint32_t base, const struct registry_group *group, const char *site,
                    uint32_t *ret_ref)
{
    enum err err = derived->len == derived->size ? grow(derived) : ERR_OK;
    struct item *item = err == ERR_OK ? arena_alloc(&derived->arena, sizeof(*item)) : NULL;
    const char *kept = item != NULL ? arena_strdup(&derived->arena, view_of(site)) : NULL;
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    *item = (struct item){.base = base};
    if (base != DEVICE_NONE) {
        item->entry = *registry_entry_at(derived->registry, base);
    } else {
        item->entry = (struct registry_entry){.id = "ledger", .is_pattern = true};
    }
    item->entry.group = group;
    item->entry.site = kept;
    uint32_t *slot = slot_of(derived, base, group, kept);
    derived->items[derived->len] = item;
    *slot = ++derived->len;
    *ret_ref = DERIVED_FIRST + derived->len - 1;
    return ERR_OK;
}

enum err derived_get(struct derived *derived, uint32_t base, const char *group, const char *site, uint32_t *ret_ref)
{
    const struct registry_entry *pattern = base != DEVICE_NONE ? registry_entry_at(derived->registry, base) : NULL;
    const struct registry_group *of = pattern != NULL ? pattern->group : NULL;
    if (group[0] != '\0') {
        of = registry_group_named(derived->registry, group);
    }
    if (of == NULL) {
        return ERR_NOTFOUND;
    }
    if (!tells_devices_apart(of)) {
        return ERR_INVALID;
    }
    const char *where = site[0] != '\0' || pattern == NULL ? site : pattern->site;
    uint32_t *slot = derived->size > 0 ? slot_of(derived, base, of, where) : NULL;
    if (slot != NULL && *slot != 0) {
        *ret_ref = DERIVED_FIRST + *slot - 1;
        return ERR_OK;
    }
    return add(derived, base, of, where, ret_ref);
}

const struct registry_entry *derived_at(const struct derived *derived, uint32_t ref)
{
    assert(ref - DERIVED_FIRST < derived->len);
    return &derived->items[ref - DERIVED_FIRST]->entry;
}
